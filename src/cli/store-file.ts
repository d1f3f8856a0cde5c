// The file of a store, opened to look. SQLite lets readers in beside the one that writes, so the store's lock is not asked for.
import { existsSync, statSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { errorText, PawlError } from '../base/errors.ts'
import { Corrupt } from '../store/sqlite/corrupt.ts'
import { Ids } from '../store/sqlite/ids.ts'
import { Lister } from '../store/sqlite/list.ts'
import { Names } from '../store/sqlite/names.ts'
import { rareOf } from '../store/sqlite/rare.ts'
import { Reader } from '../store/sqlite/read.ts'
import { migrations } from '../store/sqlite/schema.ts'

const unreadable = (path: string, why: string, cause?: unknown): PawlError =>
  new PawlError('STORE_UNREACHABLE', `the store ${path}: ${why}`, { cause, details: { path } })

function connect(path: string): DatabaseSync {
  if (!existsSync(path)) throw unreadable(path, 'there is no such file')
  if (!statSync(path).isFile()) throw unreadable(path, 'it is no file')
  try {
    const db = new DatabaseSync(path, { readOnly: true, timeout: 5_000 })
    if (db.prepare("select 1 from sqlite_schema where name = 'pawl_meta'").get() !== undefined) return db
    db.close()
  } catch (cause) {
    throw unreadable(path, `it cannot be read: ${errorText(cause)}`, cause)
  }
  throw unreadable(path, 'it is a SQLite file, and no store of Pawl')
}

/** A store's file for reading. All that is read through one of these is of one moment. */
export class StoreFile {
  readonly path: string
  readonly db: DatabaseSync
  readonly names: Names
  /** Rows that cannot be read are told once each. */
  readonly corrupt: Corrupt
  readonly meta: ReadonlyMap<string, string>
  #ids: Ids | undefined
  #reader: Reader | undefined
  #lister: Lister | undefined
  #machines: ReadonlySet<string> | undefined

  /** Throws STORE_UNREACHABLE, and STORE_NEWER for a file of another version of Pawl. `onCorrupt` hears of rows that cannot be read. */
  constructor(path: string, onCorrupt: (error: PawlError) => void) {
    this.path = path
    this.corrupt = new Corrupt(onCorrupt)
    this.db = connect(path)
    // The first statement begins to read; what is committed after that is not seen any more.
    this.db.exec('begin')
    const rows = this.db.prepare('select name, value from pawl_meta').all()
    this.meta = new Map(rows.map((row) => [String(row['name']), String(row['value'])]))
    const schema = Number(this.meta.get('schema'))
    if (schema !== migrations.length) {
      this.db.close()
      const advice = schema > migrations.length ? 'use that version' : 'start its app once with this version'
      throw new PawlError(
        'STORE_NEWER',
        `the store ${path} has the tables of another Pawl (schema ${schema}, this one knows ${migrations.length}): ${advice}`,
      )
    }
    this.names = new Names(this.db)
  }

  get partitions(): number {
    return Number(this.meta.get('partitions'))
  }

  get ids(): Ids {
    return (this.#ids ??= new Ids(this.db, this.meta.get('store') ?? ''))
  }

  get reader(): Reader {
    return (this.#reader ??= new Reader(this.db, this.names, this.ids, rareOf(this.db), this.corrupt))
  }

  get lister(): Lister {
    return (this.#lister ??= new Lister(this.db, this.names, this.corrupt))
  }

  /** Names of the machines that have run on it. */
  get machines(): ReadonlySet<string> {
    const names = (): string[] =>
      this.db
        .prepare('select distinct name from pawl_machines')
        .all()
        .map((row) => String(row['name']))
    return (this.#machines ??= new Set(names()))
  }

  close(): void {
    this.db.close()
  }
}
