// The store in one SQLite file, for one process.
//
// What it owns: the connection, the lock on the side file, the session, the store's time. What it does not: any decision; a change is
// computed by the core and the engine. S1 and S3 are kept in transactions.ts.
//
// S2  A commit counts if its session is the present one. There is one: a newer one, or `closeSession`, ends the older.
// S4  The store's time is steady (base/steady.ts): it never goes back, over a restart by no more than the mark in the file is behind
//     (2 s), and neither time nor mark follows a jump that is not believed yet.
import { systemClock, type Clock } from '../../base/clock.ts'
import { PawlError } from '../../base/errors.ts'
import { systemRandom, type Random } from '../../base/random.ts'
import { SteadyTime } from '../../base/steady.ts'
import { Tally } from '../../core/counts.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import type { Change, CommitResult, Counts, InboxRow, PartitionHead, RetentionCut, Store, Tombstone } from '../store.ts'
import { backupInto } from './backup.ts'
import { Corrupt } from './corrupt.ts'
import { failureKind, storeError } from './failure.ts'
import { checkVersion, openFile } from './file.ts'
import { identify, migrate } from './migrate.ts'
import { openTables, type Opened } from './opened.ts'
import { Session } from './session.ts'
import { migrations as released, type Migration } from './schema.ts'
import { Transactions } from './transactions.ts'

/** Settings of a SQLite store. */
export interface SqliteOptions {
  /** Default: the machine's own. */
  readonly clock?: Clock
  /** Where the ids of the store and of sessions come from. Default: the machine's own. */
  readonly random?: Random
  /** For tests of Pawl itself: another list of schema changes. */
  readonly migrations?: readonly Migration[]
  /** How many names of instances are gathered before they are written in bulk (ids.ts). For tests of Pawl itself. */
  readonly idsInMemory?: number
  /** Rows of the journal from which on a commit is written by a thread (background.ts). Given, `open` waits for that thread; `Infinity`: there
   *  is none. Default 100: below that the way to the thread takes longer than the writing. */
  readonly large?: number
}

const ID_BYTES = 16

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

class SqliteStore implements Store {
  readonly features = { sessions: false, sql: true, backup: true } as const
  readonly #given: string
  readonly #clock: Clock
  readonly #random: Random
  readonly #migrations: readonly Migration[]
  readonly #idsInMemory: number | undefined
  readonly #large: number | undefined
  #opened: Opened | undefined
  #closed = false
  #session: Session | undefined
  #time = new SteadyTime(0, 0)
  #transactions: Transactions
  #backups = new Set<Promise<void>>()

  constructor(path: string, options: SqliteOptions) {
    this.#given = path
    this.#clock = options.clock ?? systemClock
    this.#random = options.random ?? systemRandom
    this.#migrations = options.migrations ?? released
    this.#idsInMemory = options.idsInMemory
    this.#large = options.large
    this.#transactions = this.#transactionsFrom(0)
  }

  async open(o: Parameters<Store['open']>[0]): ReturnType<Store['open']> {
    if (this.#opened !== undefined || this.#closed)
      throw new PawlError('STORE_OPEN', `the store ${this.#given} was opened before: make a new one for every open`)
    const file = openFile(this.#given)
    try {
      checkVersion(String(file.db.prepare('select sqlite_version() v').get()!['v']))
      migrate(file.db, this.#migrations, file.path)
      const { storeId, partitions, clock, created } = identify(file, o.partitions, () =>
        hex(this.#random.bytes(ID_BYTES)),
      )
      this.#transactions = this.#transactionsFrom(clock)
      // How long nobody was here cannot be measured: only a clock behind the mark is not believed.
      this.#time = new SteadyTime(Math.max(clock, this.#clock.now()), this.#clock.monotonic())
      this.#opened = openTables(
        file,
        storeId,
        partitions,
        this.#idsInMemory,
        new Corrupt((error) => o.onCorrupt?.(error)),
      )
      if ((this.#large ?? Infinity) < Infinity) await this.#opened.background?.started()
      return { partitions, storeId, created }
    } catch (error) {
      file.close()
      throw storeError(error, file.path)
    }
  }

  async close(): Promise<void> {
    this.#closed = true
    const opened = this.#opened
    this.#opened = undefined
    this.#session = undefined
    await this.#transactions.turn()
    await opened?.background?.close()
    await Promise.allSettled(this.#backups)
    opened?.file.close()
  }

  async now(): Promise<number> {
    this.#ready()
    return this.#tick()
  }

  #transactionsFrom(mark: number): Transactions {
    return new Transactions(
      () => this.#ready(),
      () => this.#tick(),
      mark,
      this.#large,
    )
  }

  #tick(): number {
    return this.#time.read(this.#clock.now(), this.#clock.monotonic())
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
    const session = new Session(hex(this.#random.bytes(ID_BYTES)), o.build, this.#tick() + o.leaseMs)
    this.#session = session
    return { session: session.id, expiresAt: session.expiresAt }
  }

  #sessionOf(id: string): Session | undefined {
    return this.#session?.id === id ? this.#session : undefined
  }

  async renew(id: string, leaseMs: number): ReturnType<Store['renew']> {
    const { partitions } = this.#ready()
    const now = this.#tick()
    const session = this.#sessionOf(id)
    if (session !== undefined) session.expiresAt = now + leaseMs
    const alive = session !== undefined
    return { alive, now, sessions: alive ? 1 : 0, partitions: alive ? partitions : 0 }
  }

  async acquire(id: string, _want: number): Promise<readonly PartitionHead[]> {
    const { partitions } = this.#ready()
    if (this.#sessionOf(id) === undefined) return []
    const rows = await this.#reading(({ db }) => db.prepare('select * from pawl_partitions').all())
    const heads = new Map(rows.map((row) => [Number(row['n']), row]))
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

  async commit(id: string, n: number, change: Change): Promise<CommitResult> {
    if (this.#transactions.busy) await this.#transactions.turn()
    const opened = this.#ready()
    const session = this.#sessionOf(id)
    if (session === undefined) return { kind: 'fenced' }
    const settled = session.settledAs(n)
    if (settled === 'forgotten') return { kind: 'fenced' }
    if (settled !== undefined) return settled
    try {
      const inbox = await this.#transactions.commit(opened, change, id, n)
      const result = { kind: 'applied', inbox } as const
      session.settle(n, result)
      return result
    } catch (error) {
      return { kind: failureKind(error), error }
    }
  }

  async burn(id: string, n: number): Promise<'burnt' | 'applied' | 'fenced'> {
    this.#ready()
    const session = this.#sessionOf(id)
    const settled = session?.settledAs(n)
    if (session === undefined || settled === 'forgotten') return 'fenced'
    if (settled?.kind === 'applied') return 'applied'
    const error = new PawlError('NUMBER_BURNT', `number ${n} was burnt: take another`)
    session.settle(n, { kind: 'rejected', error })
    return 'burnt'
  }

  async allot(what: 'k' | 'waiting', count: number): Promise<number> {
    for (;;) {
      const { numbers } = this.#ready()
      const first = numbers.take(what, count)
      if (first !== undefined) return first
      numbers.raise(what, await this.#transactions.write(() => numbers.storeCeiling(what, count)))
    }
  }

  async append(rows: readonly Omit<InboxRow, 'n'>[], counts: Counts): Promise<readonly number[]> {
    return this.#transactions.write(({ writer }, tape) => {
      const places = writer.append(rows, tape)
      writer.count(counts, tape)
      return places
    })
  }

  transaction: Store['transaction'] = (work) => this.#transactions.run(work)

  // ── reading ──

  /** Reads, with errors as they leave the store. */
  async #reading<T>(read: (opened: Opened) => T): Promise<T> {
    const opened = this.#ready()
    try {
      return read(opened)
    } catch (error) {
      this.#transactions.look(error)
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
    await this.#transactions.write(({ db }) =>
      db
        .prepare('insert or replace into pawl_machines values (?, ?, ?, ?)')
        .run(graph.name, graph.version, hash, JSON.stringify(graph)),
    )
  }

  async retain(session: string, cut: RetentionCut): Promise<number> {
    return (await this.#erasing(session, ({ retainer }, tally) => retainer.retain(cut, tally, this.#tick()))) ?? 0
  }

  async remove(session: string, stone: Tombstone): Promise<boolean> {
    return (await this.#erasing(session, ({ retainer }, tally) => retainer.remove(stone, tally))) ?? false
  }

  /** Deletes with the sums that change; undefined where the session is over. */
  async #erasing<T>(id: string, erase: (opened: Opened, tally: Tally) => T): Promise<T | undefined> {
    return this.#transactions.write((opened, tape) => {
      if (this.#sessionOf(id) === undefined) return undefined
      const tally = new Tally()
      const result = erase(opened, tally)
      opened.writer.count(tally.sums, tape)
      return result
    })
  }

  async backup(path: string): Promise<void> {
    const copy = backupInto(this.#ready().file, path)
    this.#backups.add(copy)
    try {
      await copy
    } finally {
      this.#backups.delete(copy)
    }
  }
}

/** The store in the file `path`, or in memory for `:memory:`. Nothing is touched before `open`. */
export function sqliteStore(path: string, options: SqliteOptions = {}): Store {
  return new SqliteStore(path, options)
}
