// What a user's work sees inside `Store.transaction`.
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { Counts, InboxRow, StoreTransaction } from '../store.ts'
import type { Writer } from './commit.ts'
import type { Guard } from './guard.ts'
import { Tape, type Player } from './tape.ts'

// As many as an application has different statements, hardly more; all go at once when it writes values into its texts.
const STATEMENTS_MAX = 200

/** The prepared statements of a user's texts. */
export class UserStatements {
  readonly #db: DatabaseSync
  readonly #guard: Guard
  readonly #statements = new Map<string, StatementSync>()

  constructor(db: DatabaseSync, guard: Guard) {
    this.#db = db
    this.#guard = guard
  }

  /** Whether the transaction is there still: a conflict clause or a trigger may have rolled it back, and what came now would be alone. */
  get open(): boolean {
    return this.#db.isTransaction
  }

  /** Runs a text. Throws PawlError `SQL_REFUSED`, and what SQLite says. */
  run(text: string, values: readonly SQLInputValue[]): readonly Readonly<Record<string, unknown>>[] {
    const statement = this.#of(text)
    return this.#guard.run(() => statement.all(...values))
  }

  #of(text: string): StatementSync {
    const known = this.#statements.get(text)
    if (known !== undefined) return known
    const statement = this.#guard.prepare(text)
    if (this.#statements.size >= STATEMENTS_MAX) this.#statements.clear()
    this.#statements.set(text, statement)
    return statement
  }
}

/** Node takes an object for values by name, and binds null where it finds none: a Date in the first place would be lost. */
function bindable(value: unknown): SQLInputValue {
  if (typeof value === 'boolean') return Number(value)
  if (typeof value === 'object' && value !== null && !ArrayBuffer.isView(value))
    throw new PawlError(
      'BAD_SQL_VALUE',
      'SQLite keeps no objects: bind text, a number, a bigint, a Uint8Array or null, such as JSON.stringify(…) or toISOString() of it',
    )
  return value as SQLInputValue
}

/** One transaction of a user, until `end`. */
export class UserTransaction implements StoreTransaction {
  readonly #statements: UserStatements
  readonly #writer: Writer
  readonly #player: Player
  #over = false

  constructor(statements: UserStatements, writer: Writer, player: Player) {
    this.#statements = statements
    this.#writer = writer
    this.#player = player
  }

  #check(): void {
    if (this.#over)
      throw new PawlError(
        'TRANSACTION_OVER',
        'this transaction is over: use `tx` only inside the work that was given it',
      )
    if (!this.#statements.open) throw rolledBack()
  }

  /** Runs one statement and gives its rows; `true` and `false` are bound as 1 and 0. Errors of SQLite come as they are; `SQL_REFUSED`: see guard.ts. */
  sql(text: string, values: readonly unknown[] = []): readonly Readonly<Record<string, unknown>>[] {
    this.#check()
    return this.#statements.run(text, values.map(bindable))
  }

  append(rows: readonly Omit<InboxRow, 'n'>[], counts: Counts): void {
    this.#check()
    const tape = new Tape()
    this.#writer.append(rows, tape)
    this.#writer.count(counts, tape)
    this.#player.play(tape.values)
  }

  /** From now on every use throws. */
  end(): void {
    this.#over = true
  }
}

const rolledBack = (): PawlError =>
  new PawlError(
    'TRANSACTION_OVER',
    'a statement of the work has rolled back the whole transaction (`on conflict rollback`, or `raise(rollback, …)`): use abort instead',
  )

/** Runs a user's work, and refuses what it must not do. Throws PawlErrors `ASYNC_TRANSACTION` and `TRANSACTION_OVER`. */
export function runWork<T>(db: DatabaseSync, tx: UserTransaction, work: (tx: StoreTransaction) => T): T {
  try {
    const result = work(tx)
    if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') throw asyncWork(result)
    if (!db.isTransaction) throw rolledBack()
    return result
  } finally {
    tx.end()
  }
}

/** Nobody will wait for the promise, and its work may go on after the rollback: its error must not end the process. */
function asyncWork(promise: unknown): PawlError {
  Promise.resolve(promise).catch(() => {})
  return new PawlError(
    'ASYNC_TRANSACTION',
    'the work of a transaction returned a promise: it must be synchronous; do the waiting before it',
  )
}
