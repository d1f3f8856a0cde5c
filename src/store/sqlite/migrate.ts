// Brings the tables of an open file to the present schema.
import type { DatabaseSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { Migration } from './schema.ts'

/** The version of the schema in this file; 0: none yet. */
function versionOf(db: DatabaseSync): number {
  if (db.prepare("select 1 from sqlite_schema where type = 'table' and name = 'pawl_meta'").get() === undefined)
    return 0
  const row = db.prepare("select value from pawl_meta where name = 'schema'").get()
  return row === undefined ? 0 : Number(row['value'])
}

/**
 * Runs what the file has not seen of `migrations`, all of it in one transaction: a crash leaves the file as it was. Answers whether
 * the file had no tables of Pawl before. Throws PawlError `STORE_NEWER` for a file that a newer version of Pawl has made.
 */
export function migrate(
  db: DatabaseSync,
  migrations: readonly Migration[],
  path: string,
): { readonly created: boolean } {
  const found = versionOf(db)
  if (found > migrations.length) {
    throw new PawlError(
      'STORE_NEWER',
      `the store ${path} was made by a newer Pawl (schema ${found}, this one knows ${migrations.length}): run that version, or restore a backup`,
      { details: { path, found, known: migrations.length } },
    )
  }
  if (found === migrations.length) return { created: false }
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
  return { created: found === 0 }
}
