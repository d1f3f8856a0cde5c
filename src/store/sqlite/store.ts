// The store in one SQLite file, for one process.
//
// What it owns: the connection, the lock on the side file, the transaction around each change, the clock's high-water mark. What it
// does not: any decision; a change is computed by the core and the engine.
//
// S1  One transaction at a time: everything is synchronous between `begin` and `commit`, and after any error the transaction is
//     rolled back before the next one begins.
// S2  A commit counts if its session is the present one. There is one: a newer one, or `closeSession`, ends the older.
// S3  After an error of the disk nothing is written any more: the process must end, and recovers at its next start.
// S4  The clock never goes back; over a restart by no more than the mark in the file is behind (2 s).
import { backup as copyPages, DatabaseSync } from 'node:sqlite'
import { systemClock, type Clock } from '../../base/clock.ts'
import { PawlError } from '../../base/errors.ts'
import { systemRandom, type Random } from '../../base/random.ts'
import { Tally } from '../../core/counts.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import type {
  Change,
  CommitResult,
  Counts,
  InboxRow,
  PartitionHead,
  RetentionCut,
  Store,
  StoreTransaction,
  Tombstone,
} from '../store.ts'
import { Writer } from './commit.ts'
import { failureKind, isDiskFailure, storeError } from './failure.ts'
import { checkVersion, createBackupFile, openFile, type OpenFile } from './file.ts'
import { Lister } from './list.ts'
import { migrate } from './migrate.ts'
import { Names } from './names.ts'
import { Numbers } from './numbers.ts'
import { Reader } from './read.ts'
import { Retainer } from './retain.ts'
import { migrations as released, type Migration } from './schema.ts'
import { UserStatements, UserTransaction } from './transaction.ts'

/** Settings of a SQLite store. */
export interface SqliteOptions {
  /** Default: the machine's own. */
  readonly clock?: Clock
  /** Where the ids of the store and of sessions come from. Default: the machine's own. */
  readonly random?: Random
  /** For tests of Pawl itself: another list of schema changes. */
  readonly migrations?: readonly Migration[]
}

const PARTITIONS_DEFAULT = 64
const MARK_MS = 2_000
const ID_BYTES = 16
/** Numbers below the newest this many are not remembered one by one: nothing of them can be in flight. */
const NUMBERS_KEPT = 64

/** What an open store works with. */
interface Opened {
  readonly file: OpenFile
  readonly db: DatabaseSync
  readonly names: Names
  readonly writer: Writer
  readonly reader: Reader
  readonly lister: Lister
  readonly retainer: Retainer
  readonly statements: UserStatements
  readonly numbers: Numbers
  readonly partitions: number
}

/** The session, with what became of its latest numbers. */
interface Session {
  readonly id: string
  readonly build: string
  expiresAt: number
  readonly numbers: Map<number, CommitResult & { readonly kind: 'applied' | 'rejected' }>
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

class SqliteStore implements Store {
  readonly features = { sessions: false, sql: true, backup: true } as const
  readonly #given: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #migrations: readonly Migration[]
  #opened: Opened | undefined
  #closed = false
  #session: Session | undefined
  /** The error after which nothing can be trusted (S3). */
  #broken: unknown
  /** The greatest time that was handed out, and the one in the file. */
  #mark = 0
  #markStored = 0
  /** A user's work is under way; it is synchronous, so that whatever else wants to write goes on in a later microtask. */
  #working = false
  #backups = new Set<Promise<void>>()

  constructor(path: string, options: SqliteOptions) {
    this.#given = path
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#migrations = options.migrations ?? released
  }

  async open(o: {
    readonly partitions?: number
  }): Promise<{ readonly partitions: number; readonly storeId: string; readonly created: boolean }> {
    if (this.#opened !== undefined || this.#closed)
      throw new PawlError('STORE_OPEN', `the store ${this.#given} was opened before: make a new one for every open`)
    const file = openFile(this.#given)
    try {
      checkVersion(String(file.db.prepare('select sqlite_version() v').get()!['v']))
      const { created } = migrate(file.db, this.#migrations, file.path)
      const { storeId, partitions } = this.#identify(file, o.partitions)
      const names = new Names(file.db)
      const writer = new Writer(file.db, names)
      this.#opened = {
        file,
        db: file.db,
        names,
        writer,
        partitions,
        reader: new Reader(file.db, names),
        lister: new Lister(file.db, names),
        retainer: new Retainer(file.db, names),
        statements: new UserStatements(file.db),
        numbers: new Numbers(file.db),
      }
      return { partitions, storeId, created }
    } catch (error) {
      file.close()
      throw storeError(error, file.path)
    }
  }

  /** What the file says of itself; in a new one, what it shall say. */
  #identify(
    { db, path }: OpenFile,
    wanted: number | undefined,
  ): { readonly storeId: string; readonly partitions: number } {
    const meta = new Map(
      db
        .prepare('select name, value from pawl_meta')
        .all()
        .map((row) => [row['name'], String(row['value'])]),
    )
    this.#mark = this.#markStored = Number(meta.get('clock') ?? 0)
    const storeId = meta.get('store')
    if (storeId === undefined) {
      const made = { storeId: hex(this.#random.bytes(ID_BYTES)), partitions: wanted ?? PARTITIONS_DEFAULT }
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
        `the store ${path} was made with ${partitions} partitions, and ${wanted} are asked for: ids are placed by that number, so it cannot change; leave \`partitions\` out`,
        { details: { found: partitions, wanted } },
      )
    return { storeId, partitions }
  }

  async close(): Promise<void> {
    this.#closed = true
    const opened = this.#opened
    this.#opened = undefined
    this.#session = undefined
    await Promise.allSettled(this.#backups)
    opened?.file.close()
  }

  async now(): Promise<number> {
    this.#ready()
    return this.#tick()
  }

  #tick(): number {
    this.#mark = Math.max(this.#mark, this.#clock.now())
    return this.#mark
  }

  #ready(): Opened {
    if (this.#opened === undefined)
      throw new PawlError('STORE_CLOSED', `the store ${this.#given} is ${this.#closed ? 'closed' : 'not open yet'}`)
    return this.#opened
  }

  // ── sessions and partitions ──

  async openSession(o: {
    readonly build: string
    readonly leaseMs: number
  }): Promise<{ readonly session: string; readonly expiresAt: number }> {
    this.#ready()
    const session = {
      id: hex(this.#random.bytes(ID_BYTES)),
      build: o.build,
      expiresAt: this.#tick() + o.leaseMs,
      numbers: new Map(),
    }
    this.#session = session
    return { session: session.id, expiresAt: session.expiresAt }
  }

  #sessionOf(id: string): Session | undefined {
    return this.#session?.id === id ? this.#session : undefined
  }

  async renew(id: string, leaseMs: number): Promise<{ readonly alive: boolean; readonly now: number }> {
    this.#ready()
    const now = this.#tick()
    const session = this.#sessionOf(id)
    if (session !== undefined) session.expiresAt = now + leaseMs
    return { alive: session !== undefined, now }
  }

  async acquire(id: string, _want: number): Promise<readonly PartitionHead[]> {
    const { db, partitions } = this.#ready()
    if (this.#sessionOf(id) === undefined) return []
    const heads = new Map(
      db
        .prepare('select * from pawl_partitions')
        .all()
        .map((row) => [Number(row['n']), row]),
    )
    return Array.from({ length: partitions }, (_, partition) => {
      const row = heads.get(partition)
      return { partition, head: Number(row?.['head'] ?? 0), stamp: Number(row?.['stamp'] ?? 0) }
    })
  }

  async release(_session: string, _partitions: readonly number[]): Promise<void> {
    this.#ready()
  }

  async closeSession(id: string): Promise<void> {
    this.#ready()
    if (this.#session?.id === id) this.#session = undefined
  }

  async sessions(): ReturnType<Store['sessions']> {
    const { partitions } = this.#ready()
    if (this.#session === undefined) return []
    const { id, build, expiresAt } = this.#session
    return [{ session: id, build, expiresAt, partitions }]
  }

  // ── writing ──

  /** Runs `work` in one transaction; whatever it throws comes after a rollback (S1). */
  #write<T>(opened: Opened, work: () => T): T {
    const { db, names } = opened
    if (this.#broken !== undefined) throw this.#broken
    try {
      db.exec('begin immediate')
      const result = work()
      this.#storeMark(db)
      db.exec('commit')
      names.settled()
      return result
    } catch (error) {
      names.forget()
      if (isDiskFailure(error)) this.#broken = error
      if (db.isTransaction) db.exec('rollback')
      throw error
    }
  }

  #storeMark(db: DatabaseSync): void {
    const now = this.#tick()
    if (now - this.#markStored < MARK_MS) return
    db.prepare("insert into pawl_meta values ('clock', ?) on conflict do update set value = excluded.value").run(
      String(now),
    )
    this.#markStored = now
  }

  /** As `#write`, with errors as they leave the store, and never inside a user's work. */
  async #writing<T>(work: (opened: Opened) => T): Promise<T> {
    if (this.#working) await Promise.resolve()
    const opened = this.#ready()
    try {
      return this.#write(opened, () => work(opened))
    } catch (error) {
      throw storeError(error, opened.file.path)
    }
  }

  async commit(id: string, n: number, change: Change): Promise<CommitResult> {
    if (this.#working) await Promise.resolve()
    const opened = this.#ready()
    const session = this.#sessionOf(id)
    if (session === undefined) return { kind: 'fenced' }
    const settled = session.numbers.get(n)
    if (settled !== undefined) return settled
    try {
      const result = { kind: 'applied', inbox: this.#write(opened, () => opened.writer.apply(change)) } as const
      this.#settle(session, n, result)
      return result
    } catch (error) {
      return { kind: failureKind(error), error }
    }
  }

  #settle(session: Session, n: number, result: CommitResult & { readonly kind: 'applied' | 'rejected' }): void {
    session.numbers.set(n, result)
    if (session.numbers.size <= NUMBERS_KEPT) return
    for (const [oldest] of session.numbers) {
      session.numbers.delete(oldest)
      break
    }
  }

  async burn(id: string, n: number): Promise<'burnt' | 'applied' | 'fenced'> {
    this.#ready()
    const session = this.#sessionOf(id)
    if (session === undefined) return 'fenced'
    if (session.numbers.get(n)?.kind === 'applied') return 'applied'
    this.#settle(session, n, {
      kind: 'rejected',
      error: new PawlError('NUMBER_BURNT', `number ${n} was burnt: take another`),
    })
    return 'burnt'
  }

  async allot(what: 'k' | 'waiting', count: number): Promise<number> {
    for (;;) {
      const { numbers } = this.#ready()
      const first = numbers.take(what, count)
      if (first !== undefined) return first
      numbers.raise(what, await this.#writing(() => numbers.storeCeiling(what, count)))
    }
  }

  async append(rows: readonly Omit<InboxRow, 'n'>[], counts: Counts): Promise<readonly number[]> {
    return this.#writing(({ writer }) => {
      const places = writer.append(rows)
      writer.count(counts)
      return places
    })
  }

  async transaction<T>(work: (tx: StoreTransaction) => T): Promise<T> {
    if (this.#working)
      throw new PawlError('NESTED_TRANSACTION', 'a transaction inside a transaction: use the `tx` of the outer one')
    const opened = this.#ready()
    const tx = new UserTransaction(opened.statements, opened.writer)
    this.#working = true
    try {
      return this.#write(opened, () => {
        const result = work(tx)
        if (typeof (result as { then?: unknown } | null | undefined)?.then === 'function') throw asyncWork(result)
        if (!opened.db.isTransaction)
          throw new PawlError(
            'TRANSACTION_OVER',
            'the work ended its transaction itself: leave `commit` and `rollback` to Pawl',
          )
        return result
      })
    } finally {
      tx.end()
      this.#working = false
    }
  }

  // ── reading ──

  /** Reads, with errors as they leave the store. */
  async #reading<T>(read: (opened: Opened) => T): Promise<T> {
    const opened = this.#ready()
    try {
      return read(opened)
    } catch (error) {
      throw storeError(error, opened.file.path)
    }
  }

  load: Store['load'] = (targets) => this.#reading(({ reader }) => targets.map((target) => reader.load(target)))
  inbox: Store['inbox'] = (partitions, limit) => this.#reading(({ reader }) => reader.inbox(partitions, limit))
  due: Store['due'] = (partitions, until, limit) => this.#reading(({ reader }) => reader.due(partitions, until, limit))
  nextDue: Store['nextDue'] = (partitions) => this.#reading(({ reader }) => reader.nextDue(partitions))
  expired: Store['expired'] = (partitions, until, limit) =>
    this.#reading(({ reader }) => reader.expired(partitions, until, limit))
  openCalls: Store['openCalls'] = (partitions, before, limit) =>
    this.#reading(({ reader }) => reader.openCalls(partitions, before, limit))
  receipts: Store['receipts'] = (keys) => this.#reading(({ reader }) => reader.receipts(keys))
  tombstone: Store['tombstone'] = (target) => this.#reading(({ reader }) => reader.tombstone(target))
  journal: Store['journal'] = (k, after, limit) => this.#reading(({ reader }) => reader.journal(k, after, limit))
  list: Store['list'] = (query) => this.#reading(({ lister }) => lister.list(query))
  deadLetters: Store['deadLetters'] = (query) => this.#reading(({ reader }) => reader.deadLetters(query))
  deadLetter: Store['deadLetter'] = (id) => this.#reading(({ reader }) => reader.deadLetter(id))
  events: Store['events'] = (partition, after, limit) =>
    this.#reading(({ reader }) => reader.events(partition, after, limit))
  counts: Store['counts'] = () => this.#reading(({ reader }) => reader.counts())
  recount: Store['recount'] = () => this.#reading(({ reader }) => reader.recount())
  graphs: Store['graphs'] = () => this.#reading(({ reader }) => reader.graphs())
  population: Store['population'] = (machine) => this.#reading(({ reader }) => reader.population(machine))

  // ── the life of the store ──

  async saveGraph(graph: MachineGraph, hash: string): Promise<void> {
    await this.#writing(({ db }) =>
      db
        .prepare('insert or replace into pawl_machines values (?, ?, ?, ?)')
        .run(graph.name, graph.version, hash, JSON.stringify(graph)),
    )
  }

  async retain(session: string, cut: RetentionCut): Promise<number> {
    return this.#erasing(session, ({ retainer }, tally) => retainer.retain(cut, tally))
  }

  async remove(session: string, stone: Tombstone): Promise<boolean> {
    return this.#erasing(session, ({ retainer }, tally) => retainer.remove(stone, tally))
  }

  async #erasing<T>(session: string, erase: (opened: Opened, tally: Tally) => T): Promise<T> {
    return this.#writing((opened) => {
      if (this.#sessionOf(session) === undefined)
        throw new PawlError('SESSION_LOST', `the session ${session} is over: only the present one deletes`)
      const tally = new Tally()
      const result = erase(opened, tally)
      opened.writer.count(tally.sums)
      return result
    })
  }

  async backup(path: string): Promise<void> {
    const { file } = this.#ready()
    createBackupFile(path)
    const copy = copyWhole(file, path).catch((error: unknown) => {
      throw storeError(error, path)
    })
    this.#backups.add(copy)
    try {
      await copy
    } finally {
      this.#backups.delete(copy)
    }
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

/**
 * Copies all pages as of now. On a connection of its own that holds one snapshot: a copy through the store's connection might end
 * in the middle of a commit, and one without a snapshot starts again whenever a commit comes between.
 */
async function copyWhole({ db, path }: OpenFile, target: string): Promise<void> {
  if (path === ':memory:') {
    db.prepare('vacuum into ?').run(target)
    return
  }
  const source = new DatabaseSync(path, { readOnly: true })
  try {
    source.exec('begin; select 1 from pawl_meta')
    await copyPages(source, target, { rate: 1_000 })
  } finally {
    source.close()
  }
}

/** The store in the file `path`, or in memory for `:memory:`. Nothing is touched before `open`. */
export function sqliteStore(path: string, options: SqliteOptions = {}): Store {
  return new SqliteStore(path, options)
}
