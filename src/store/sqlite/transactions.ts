// Transactions on the one file, each in its turn: small ones here, large changes by the thread (background.ts).
//
// S1  One transaction at a time: everything is synchronous between `begin` and `commit`, and after any error the transaction is
//     rolled back before the next one begins.
// S3  After an error of the disk nothing is written any more: the process must end, and recovers at its next start.
import type { DatabaseSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { Change, StoreTransaction } from '../store.ts'
import { ThreadLost } from './background.ts'
import { isDiskFailure, storeError } from './failure.ts'
import type { Opened } from './opened.ts'
import { Tape } from './tape.ts'
import { runWork, UserTransaction } from './transaction.ts'

const MARK_MS = 2_000
const LARGE = 100

const lostThread = (cause: unknown): PawlError =>
  new PawlError('THREAD_LOST', 'the thread that wrote this commit has ended, and the commit is not in the file', {
    cause,
  })

/** What writes to an open store. */
export class Transactions {
  /** The tables; throws STORE_CLOSED. */
  readonly #opened: () => Opened
  /** The store's time. */
  readonly #now: () => number
  readonly #large: number
  /** The time in the file. */
  #markStored: number
  /** The error after which nothing can be trusted (S3). */
  #broken: unknown
  /** A user's work is under way; it is synchronous, so that whatever else wants to write goes on in a later microtask. */
  #working = false
  /** The commit that the thread writes; never rejects. */
  #away: Promise<void> | undefined

  constructor(opened: () => Opened, now: () => number, markStored: number, large = LARGE) {
    this.#opened = opened
    this.#now = now
    this.#markStored = markStored
    this.#large = large
  }

  /** Whether whoever wants to write has to wait for its turn. */
  get busy(): boolean {
    return this.#working || this.#away !== undefined
  }

  /** Whoever wants to write waits for the commit in the thread, and is never inside a user's work. */
  async turn(): Promise<void> {
    if (this.#working) await Promise.resolve()
    while (this.#away !== undefined) await this.#away
  }

  /** What was read or written has shown that the disk or the file is at fault. */
  look(error: unknown): void {
    if (isDiskFailure(error)) this.#broken = error
  }

  /** Runs `work` and writes the rows that it puts on the tape, in one transaction; whatever it throws comes after a rollback (S1). */
  #write<T>(opened: Opened, work: (tape: Tape) => T): T {
    const { db, player } = opened
    if (this.#broken !== undefined) throw this.#broken
    try {
      db.exec('begin immediate')
      const tape = new Tape()
      const result = work(tape)
      this.#mark(tape)
      player.play(tape.values)
      db.exec('commit')
      durable(opened)
      return result
    } catch (error) {
      this.#undone(opened, error)
      this.#rollback(db)
      throw error
    }
  }

  /** What was put on a tape never will be in the file. */
  #undone({ names, ids }: Opened, error: unknown): void {
    names.forget()
    ids.forget()
    // The mark may have been in what is rolled back.
    this.#markStored = 0
    this.look(error)
  }

  #rollback(db: DatabaseSync): void {
    try {
      if (db.isTransaction) db.exec('rollback')
    } catch (error) {
      this.#broken = error
    }
  }

  #mark(tape: Tape): void {
    const now = this.#now()
    if (now - this.#markStored < MARK_MS) return
    tape.put('meta', 'clock', String(now))
    this.#markStored = now
  }

  /** Writes in its turn, with errors as they leave the store. */
  async write<T>(work: (opened: Opened, tape: Tape) => T): Promise<T> {
    await this.turn()
    const opened = this.#opened()
    try {
      return this.#write(opened, (tape) => work(opened, tape))
    } catch (error) {
      throw storeError(error, opened.file.path)
    }
  }

  /** Writes a change whose turn it is; answers the places of its rows of the inbox. Rejects as SQLite does, or with THREAD_LOST. */
  async commit(opened: Opened, change: Change, id: string, n: number): Promise<readonly number[]> {
    if (this.#broken !== undefined) throw this.#broken
    const { background } = opened
    return change.journal.length >= this.#large && background?.ready === true
      ? this.#there(opened, change, `${id} ${n}`)
      : this.#write(opened, (tape) => opened.writer.apply(change, tape))
  }

  /** By the thread. */
  async #there(opened: Opened, change: Change, name: string): Promise<readonly number[]> {
    const tape = new Tape()
    try {
      const places = opened.writer.apply(change, tape)
      this.#mark(tape)
      // What is asked for when the thread has died: whether this commit is in the file.
      tape.put('meta', 'commit', name)
      const written = opened.background!.commit(tape.values)
      this.#away = written.catch(() => {})
      try {
        await written
      } catch (error) {
        if (!(error instanceof ThreadLost) || !isIn(opened, name)) throw error
      } finally {
        this.#away = undefined
      }
      durable(opened)
      return places
    } catch (error) {
      this.#undone(opened, error)
      if ((error as { stuck?: true }).stuck === true) this.#broken = error
      // Nothing of it is in the file: sent again it goes the other way.
      if (error instanceof ThreadLost) throw lostThread(error)
      throw error
    }
  }

  /** A user's own. */
  async run<T>(work: (tx: StoreTransaction) => T): Promise<T> {
    while (this.#away !== undefined) await this.#away
    if (this.#working)
      throw new PawlError('NESTED_TRANSACTION', 'a transaction inside a transaction: use the `tx` of the outer one')
    const opened = this.#opened()
    const tx = new UserTransaction(opened.statements, opened.writer, opened.player)
    this.#working = true
    try {
      // What the work throws comes as it is; so do errors of its SQL.
      return this.#write(opened, () => runWork(opened.db, tx, work))
    } finally {
      this.#working = false
    }
  }
}

/** What was put on a tape is in the file. */
function durable({ names, ids }: Opened): void {
  names.settled()
  ids.settled()
}

const isIn = ({ db }: Opened, name: string): boolean =>
  db.prepare("select value from pawl_meta where name = 'commit'").get()?.['value'] === name
