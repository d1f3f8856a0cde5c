// Brings the tables of an open file to the present schema.
import type { DatabaseSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { OpenFile } from './file.ts'
import type { Migration } from './schema.ts'

/** The version of the schema in this file; 0: none yet. */
function versionOf(db: DatabaseSync): number {
  if (db.prepare("select 1 from sqlite_schema where type = 'table' and name = 'pawl_meta'").get() === undefined)
    return 0
  const row = db.prepare("select value from pawl_meta where name = 'schema'").get()
  return row === undefined ? 0 : Number(row['value'])
}

/**
 * Runs what the file has not seen of `migrations`, all of it in one transaction: a crash leaves the file as it was. Throws
 * PawlError `STORE_NEWER` for a file that a newer version of Pawl has made.
 */
export function migrate(db: DatabaseSync, migrations: readonly Migration[], path: string): void {
  const found = versionOf(db)
  if (found > migrations.length) {
    throw new PawlError(
      'STORE_NEWER',
      `the store ${path} was made by a newer Pawl (schema ${found}, this one knows ${migrations.length}): run that version, or restore a backup`,
      { details: { path, found, known: migrations.length } },
    )
  }
  if (found === migrations.length) return
  db.exec('begin immediate')
  try {
    for (const migration of migrations.slice(found)) db.exec(migration.sql)
    db.prepare("insert into pawl_meta values ('schema', ?) on conflict do update set value = excluded.value").run(
      String(migrations.length),
    )
    db.exec('commit')
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    throw error
  }
}

/** What a file says of itself. */
export interface Identity {
  readonly storeId: string
  readonly partitions: number
  /** The clock's high-water mark, ms since 1970. */
  readonly clock: number
  readonly created: boolean
}

const PARTITIONS_DEFAULT = 64

/** Reads who the file is; a new one is told, `storeId` being made for it. Throws PawlError `PARTITIONS_DIFFER`. */
export function identify({ db, path }: OpenFile, wanted: number | undefined, storeId: () => string): Identity {
  const rows = db.prepare('select name, value from pawl_meta').all()
  const meta = new Map(rows.map((row) => [row['name'] as string, row['value'] as string]))
  const known = meta.get('store')
  if (known === undefined) {
    const made = { storeId: storeId(), partitions: wanted ?? PARTITIONS_DEFAULT, clock: 0, created: true }
    // The name of the hash that places ids (base/id.ts): it can never change.
    db.prepare("insert into pawl_meta values ('store', ?), ('partitions', ?), ('hash', 'fnv1a-32')").run(
      made.storeId,
      String(made.partitions),
    )
    return made
  }
  const partitions = Number(meta.get('partitions'))
  if (wanted !== undefined && wanted !== partitions)
    throw new PawlError(
      'PARTITIONS_DIFFER',
      `the store ${path} was made with ${partitions} partitions, not ${wanted}: give partitions: ${partitions}, or leave it out`,
      { details: { found: partitions, wanted } },
    )
  return { storeId: known, partitions, clock: Number(meta.get('clock') ?? 0), created: false }
}
