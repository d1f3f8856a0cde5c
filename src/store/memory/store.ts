// The store in memory: a door to a space that several workers of one process may share.
//
// Two kinds of door, one implementation. `memoryStore` is for users (`memory:`): its answers come in the next microtask.
// `ModelStore` with a `Reach` is for simulation: between a call and its effect, within a commit, and between the effect and the
// answer others get their turn, and calls fail in the ways that a server fails.
//
// M1  A commit takes effect only while its session exists, looked at again under the session's lock.
// M2  A take-over waits for a commit that holds the lock, and the reads of the new owner come after it.
// M3  A number of a session takes effect once: a copy waits for the one under way and meets its outcome.
import { PawlError } from '../../base/errors.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import type { Change, CommitResult, Counts, InboxRow, RetentionCut, Store, Target, Tombstone } from '../store.ts'
import { Locks } from './locks.ts'
import * as reads from './reads.ts'
import type { Arrival, Reach, StoreCall } from './reach.ts'
import * as retention from './retention.ts'
import { inboxRow, keyOf, letterRow, read } from './rows.ts'
import { Space } from './space.ts'
import type { SpaceOptions } from './space.ts'
import { changeRows, fault, write } from './write.ts'
import type { ChangeRows } from './write.ts'

const locksOf = new WeakMap<Space, Locks>()

const unreachable = (call: StoreCall): PawlError =>
  new PawlError('STORE_UNREACHABLE', `nothing is known of ${call.name}: the store did not answer; try again`)

const refusal = (arrival: Exclude<Arrival, 'ok' | 'late'>, call: StoreCall): PawlError => {
  if (arrival === 'transient') return unreachable(call)
  return arrival === 'full'
    ? new PawlError('STORE_FULL', `${call.name} was refused: the store is full; make room`)
    : new PawlError(
        'STORE_READ_ONLY',
        `${call.name} was refused: the store takes no writes; look at its disk or its role`,
      )
}

/** A door to a space. Without `reach` every call arrives and is answered. */
export class ModelStore implements Store {
  readonly features = { sessions: true, sql: false, backup: false } as const
  readonly space: Space
  readonly #reach: Reach | undefined
  readonly #locks: Locks
  #closed = false

  constructor(space: Space, o: { readonly reach?: Reach } = {}) {
    this.space = space
    this.#reach = o.reach
    let locks = locksOf.get(space)
    if (locks === undefined) locksOf.set(space, (locks = new Locks()))
    this.#locks = locks
  }

  /** Another door to the same space, for another worker of this process. */
  store(): ModelStore {
    return new ModelStore(this.space)
  }

  #check(): void {
    if (this.#closed) throw new PawlError('STORE_CLOSED', 'this store is closed: open another one')
  }

  /** A call other than a commit: arrives, takes effect in one instant, is answered. */
  async #call<T>(call: StoreCall, effect: () => T | Promise<T>): Promise<T> {
    this.#check()
    if (this.#reach === undefined) return await effect()
    const arrival = await this.#reach.arrive(call)
    if (arrival !== 'ok' && arrival !== 'late') throw refusal(arrival, call)
    const answer = await effect()
    if (arrival === 'late' || (await this.#reach.answer(call)) === 'lost') throw unreachable(call)
    return answer
  }

  open(o: { readonly partitions?: number }) {
    return this.#call({ name: 'open' }, () => {
      const created = this.space.make(o.partitions)
      return { partitions: this.space.partitions.length, storeId: this.space.storeId, created }
    })
  }

  /** The space stays for its other doors. */
  async close(): Promise<void> {
    this.#closed = true
  }

  now() {
    return this.#call({ name: 'now' }, () => this.space.clock.now())
  }

  openSession(o: { readonly build: string; readonly leaseMs: number }) {
    return this.#call({ name: 'openSession' }, () => {
      const { id, expiresAt } = this.space.openSession(o.build, o.leaseMs)
      return { session: id, expiresAt }
    })
  }

  renew(session: string, leaseMs: number) {
    return this.#call({ name: 'renew', session }, () => {
      const now = this.space.clock.now()
      const found = this.space.sessions.get(session)
      if (found === undefined) return { alive: false, now, sessions: 0, partitions: 0 }
      found.expiresAt = now + leaseMs
      const partitions = this.space.partitions.filter((partition) => partition.session === session).length
      return { alive: true, now, sessions: this.space.living(), partitions }
    })
  }

  acquire(session: string, want: number) {
    return this.#call({ name: 'acquire', session }, async () => {
      // Whether a session has expired is asked again after each wait: it may have been renewed meanwhile (M2).
      for (;;) {
        const expired = this.space.expiredSessions().filter((id) => id !== session)
        for (const id of expired) if (!this.#locks.isHeld(id)) this.space.endSession(id)
        const held = expired.find((id) => this.#locks.isHeld(id))
        if (held === undefined) break
        await this.#locks.free(held)
      }
      this.space.take(session, want)
      return this.space.owned(session)
    })
  }

  release(session: string, partitions: readonly number[]) {
    const given = [...partitions]
    return this.#call({ name: 'release', session }, async () => {
      await this.#locks.free(session)
      for (const n of given) {
        const partition = this.space.partitions[n]
        if (partition?.session === session) partition.session = null
      }
    })
  }

  closeSession(session: string) {
    return this.#call({ name: 'closeSession', session }, async () => {
      await this.#locks.free(session)
      this.space.endSession(session)
    })
  }

  sessions() {
    return this.#call({ name: 'sessions' }, () =>
      [...this.space.sessions.values()].map(({ id, build, expiresAt }) => ({
        session: id,
        build,
        expiresAt,
        partitions: this.space.owned(id).length,
      })),
    )
  }

  async commit(session: string, n: number, change: Change): Promise<CommitResult> {
    this.#check()
    let rows: ChangeRows
    try {
      rows = changeRows(change)
    } catch (error) {
      return { kind: 'rejected', error }
    }
    const call: StoreCall = { name: 'commit', session, n }
    if (this.#reach === undefined) return await this.#commit(call, session, n, rows)
    const arrival = await this.#reach.arrive(call)
    if (arrival === 'late') {
      // Nobody waits for it. It cannot reject: what the tables refuse is an answer.
      void this.#commit(call, session, n, rows)
      return { kind: 'transient', error: unreachable(call) }
    }
    if (arrival !== 'ok') return { kind: arrival, error: refusal(arrival, call) }
    const result = await this.#commit(call, session, n, rows)
    if ((await this.#reach.answer(call)) === 'lost') return { kind: 'transient', error: unreachable(call) }
    return result
  }

  /** The commit where it takes place. */
  async #commit(call: StoreCall, session: string, n: number, rows: ChangeRows): Promise<CommitResult> {
    if (!this.space.sessions.has(session)) return { kind: 'fenced' }
    await this.#reach?.seen(call)
    if (!this.space.sessions.has(session)) return { kind: 'fenced' }
    this.#locks.hold(session)
    try {
      await this.#locks.takeNumber(session, n)
      try {
        await this.#reach?.locked(call)
        return this.#apply(session, n, rows)
      } finally {
        this.#locks.freeNumber(session, n)
      }
    } finally {
      this.#locks.release(session)
    }
  }

  #apply(session: string, n: number, rows: ChangeRows): CommitResult {
    const owner = this.space.sessions.get(session)
    if (owner === undefined) return { kind: 'fenced' }
    const numbered = owner.numbers.get(n)
    if (numbered === 'burnt')
      return { kind: 'rejected', error: new PawlError('NUMBER_BURNT', `number ${n} was burnt: take another`) }
    if (numbered !== undefined) return { kind: 'applied', inbox: numbered }
    if (n <= owner.floor) return { kind: 'fenced' }
    const bad = rows.instances.find((row) => this.#isBad(row))
    if (bad !== undefined) {
      const error = new PawlError('BAD_ROW', `the store refuses what is in ${bad.machine} ${bad.id}`)
      return { kind: 'rejected', error }
    }
    const problem = fault(this.space, rows)
    if (problem !== undefined) return problem
    const inbox = write(this.space, rows)
    this.space.settle(owner, n, inbox)
    this.#reach?.written(session, n, rows)
    return { kind: 'applied', inbox }
  }

  #isBad({ machine, id, condition }: ChangeRows['instances'][number]): boolean {
    const status = condition === 'running' || condition === 'waiting' ? 'live' : condition
    return this.#reach?.isBad({ machine, id, status }) === true
  }

  burn(session: string, n: number) {
    return this.#call({ name: 'burn', session, n }, async (): Promise<'burnt' | 'applied' | 'fenced'> => {
      await this.#locks.takeNumber(session, n)
      try {
        const owner = this.space.sessions.get(session)
        if (owner === undefined) return 'fenced'
        const numbered = owner.numbers.get(n)
        if (numbered === undefined) this.space.settle(owner, n, 'burnt')
        return numbered === undefined || numbered === 'burnt' ? 'burnt' : 'applied'
      } finally {
        this.#locks.freeNumber(session, n)
      }
    })
  }

  async append(rows: readonly Omit<InboxRow, 'n'>[], counts: Counts) {
    const given = rows.map(letterRow)
    const sums = { ...counts }
    return await this.#call({ name: 'append' }, () => {
      this.space.count(sums)
      return this.space.append(given)
    })
  }

  async transaction<T>(): Promise<T> {
    this.#check()
    throw new PawlError('NO_SQL', 'the store in memory takes no SQL: use sqlite: for transactions of your own')
  }

  load(targets: readonly Target[]) {
    const given = [...targets]
    return this.#call({ name: 'load' }, () => reads.load(this.space, given))
  }

  inbox(partitions: readonly number[], limit: number) {
    return this.#call({ name: 'inbox' }, () => this.space.inbox.head(partitions, limit).map(inboxRow))
  }

  due(partitions: readonly number[], until: number, limit: number) {
    return this.#call({ name: 'due' }, () => reads.due(this.space, partitions, until, limit))
  }

  nextDue(partitions: readonly number[]) {
    return this.#call({ name: 'nextDue' }, () => reads.nextDue(this.space, partitions))
  }

  expired(partitions: readonly number[], until: number, limit: number) {
    return this.#call({ name: 'expired' }, () => reads.expired(this.space, partitions, until, limit))
  }

  openCalls(partitions: readonly number[], before: number | null, limit: number) {
    return this.#call({ name: 'openCalls' }, () => reads.openCalls(this.space, partitions, before, limit))
  }

  receipts(keys: Parameters<Store['receipts']>[0]) {
    return this.#call({ name: 'receipts' }, () => reads.receipts(this.space, keys))
  }

  allot(what: 'k' | 'waiting', count: number) {
    return this.#call({ name: 'allot' }, () => this.space.allot(what, count))
  }

  tombstone({ machine, id }: Target) {
    return this.#call({ name: 'tombstone' }, () => {
      const row = this.space.stones.get(keyOf(machine, id))
      return row === undefined ? null : read<Tombstone>(row)
    })
  }

  journal(k: number, after: number, limit: number) {
    return this.#call({ name: 'journal' }, () => reads.journal(this.space, k, after, limit))
  }

  list(query: Parameters<Store['list']>[0]) {
    return this.#call({ name: 'list' }, () => reads.list(this.space, query))
  }

  deadLetters(query: Parameters<Store['deadLetters']>[0]) {
    return this.#call({ name: 'deadLetters' }, () => reads.deadLetters(this.space, query))
  }

  deadLetter(id: string) {
    return this.#call({ name: 'deadLetter' }, () => reads.deadLetter(this.space, id))
  }

  events(partition: number, after: number, limit: number) {
    return this.#call({ name: 'events' }, () => reads.events(this.space, partition, after, limit))
  }

  counts() {
    return this.#call({ name: 'counts' }, () => retention.counts(this.space))
  }

  recount() {
    return this.#call({ name: 'recount' }, () => retention.recount(this.space))
  }

  graphs() {
    return this.#call({ name: 'graphs' }, () => reads.graphs(this.space))
  }

  async saveGraph(graph: MachineGraph, hash: string) {
    const text = JSON.stringify(graph)
    return await this.#call({ name: 'saveGraph' }, () => this.space.putGraph(graph, hash, text))
  }

  population(machine: string) {
    return this.#call({ name: 'population' }, () => reads.population(this.space, machine))
  }

  retain(session: string, cut: RetentionCut) {
    return this.#call({ name: 'retain', session }, () =>
      this.space.sessions.has(session) ? retention.retain(this.space, session, cut) : 0,
    )
  }

  remove(session: string, stone: Tombstone) {
    return this.#call({ name: 'remove', session }, () =>
      this.space.sessions.has(session) ? retention.remove(this.space, session, stone) : false,
    )
  }

  async backup(): Promise<void> {
    this.#check()
    throw new PawlError('NO_BACKUP', 'the store in memory has no backup: use sqlite: for data that is to be kept')
  }
}

/** A store that lives as long as this process; `store()` of it gives another worker its own door to the same rows. */
export const memoryStore = (o: SpaceOptions): ModelStore => new ModelStore(new Space(o))
