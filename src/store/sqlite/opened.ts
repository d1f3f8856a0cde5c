// The parts of an open store, put together.
import type { DatabaseSync } from 'node:sqlite'
import { Background } from './background.ts'
import { Buckets } from './buckets.ts'
import { Writer } from './commit.ts'
import type { Corrupt } from './corrupt.ts'
import type { OpenFile } from './file.ts'
import { Guard } from './guard.ts'
import { Ids } from './ids.ts'
import { Lister } from './list.ts'
import { Names } from './names.ts'
import { Numbers } from './numbers.ts'
import { rareOf } from './rare.ts'
import { Reader } from './read.ts'
import { Retainer } from './retain.ts'
import { Player } from './tape.ts'
import { UserStatements } from './transaction.ts'

/** What an open store works with. */
export interface Opened {
  readonly file: OpenFile
  readonly db: DatabaseSync
  readonly names: Names
  readonly ids: Ids
  readonly writer: Writer
  readonly player: Player
  readonly reader: Reader
  readonly lister: Lister
  readonly retainer: Retainer
  readonly statements: UserStatements
  readonly numbers: Numbers
  /** Undefined: in memory, where no second connection can come. */
  readonly background: Background | undefined
  readonly partitions: number
}

/** Prepares everything for a file whose tables are up to date. */
export function openTables(
  file: OpenFile,
  storeId: string,
  partitions: number,
  idsInMemory: number | undefined,
  corrupt: Corrupt,
): Opened {
  const { db } = file
  const guard = new Guard(db)
  const names = new Names(db)
  const ids = new Ids(db, storeId, idsInMemory)
  const rare = rareOf(db)
  const buckets = new Buckets(db)
  return {
    file,
    db,
    names,
    ids,
    partitions,
    writer: new Writer(db, names, ids, rare, buckets),
    player: new Player(db),
    reader: new Reader(db, names, ids, rare, corrupt),
    lister: new Lister(db, names, corrupt),
    retainer: new Retainer(db, names, ids, rare, buckets),
    statements: new UserStatements(db, guard),
    numbers: new Numbers(db),
    background: file.path === ':memory:' ? undefined : new Background(file.path),
  }
}
