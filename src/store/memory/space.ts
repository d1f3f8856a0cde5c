// The tables of a store in memory, shared by all connections to it, and what happens to them in one instant.
//
// Owns: the rows, the sessions, the partitions, the numbers given. Every method is synchronous, so it is atomic by itself.
// Does not own: asynchrony, locks that are held over time, faults. Those are the door's (store.ts).
import { PawlError } from '../../base/errors.ts'
import { uuidv7 } from '../../base/id.ts'
import type { Random } from '../../base/random.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import type { Counts, PartitionHead } from '../store.ts'
import { Inbox } from './inbox.ts'
import { keyOf } from './rows.ts'
import type {
  DeadTextRow,
  EventTextRow,
  InstanceRow,
  JournalTextRow,
  LetterTextRow,
  TextRow,
  WaitingTextRow,
} from './rows.ts'

/** What a space needs from the outside. */
export interface SpaceOptions {
  /** The store's clock. */
  readonly clock: { now(): number }
  readonly random: Random
}

/** What became of a number of a session: the places of its inbox rows, or that it can never be applied any more. */
export type Numbered = readonly number[] | 'burnt'

/** A lease. */
export interface Session {
  readonly id: string
  readonly build: string
  expiresAt: number
  /** The newest numbers, in the order in which they were settled. */
  readonly numbers: Map<number, Numbered>
  /** No commit of this number or a smaller one is taken any more. */
  floor: number
}

/** Who owns a partition, and how far it has come. */
export interface Partition {
  session: string | null
  head: number
  stamp: number
}

/** Numbers of a session that are remembered; its door sends one at a time, so that even a very late copy meets its own. */
const NUMBERS_MAX = 1_000
/** Partitions of a store that was made without saying how many. */
const PARTITIONS = 64

/** The tables. Read them freely (a checker does); only this folder writes them. */
export class Space {
  readonly clock: { now(): number }
  readonly random: Random
  readonly storeId: string
  /** Empty until the space is made by the first `make`. */
  readonly partitions: Partition[] = []
  readonly sessions = new Map<string, Session>()
  readonly instances = new Map<number, InstanceRow>()
  /** k by `keyOf(machine, id)`. */
  readonly names = new Map<string, number>()
  /** By k, in the order of seq. */
  readonly journal = new Map<number, JournalTextRow[]>()
  /** By partition, then offset. */
  readonly events = new Map<number, Map<number, EventTextRow>>()
  /** By the parent's k, then `keyOf(machine, id)`. */
  readonly children = new Map<number, Map<string, TextRow>>()
  readonly waiting = new Map<number, WaitingTextRow>()
  /** Numbers of waiting rows by k; of orphans by `keyOf(machine, id)`. */
  readonly waitingOf = new Map<number | string, Set<number>>()
  readonly inbox = new Inbox()
  readonly receipts = new Map<string, TextRow & { readonly at: number }>()
  /** By id, in the order of `n`: the order in which they came. */
  readonly dead = new Map<string, DeadTextRow & { readonly n: number }>()
  readonly stones = new Map<string, TextRow & { readonly at: number }>()
  readonly sums: Record<string, number> = Object.create(null) as Record<string, number>
  readonly graphs = new Map<
    string,
    TextRow & { readonly name: string; readonly version: number; readonly hash: string }
  >()
  /** k by partition: those that have a dueAt, and those that have an open call. */
  readonly dueIn = new Map<number, Set<number>>()
  readonly openIn = new Map<number, Set<number>>()
  /** The greatest numbers that were given. */
  readonly #allotted = { k: 0, waiting: 0 }
  lastInbox = 0
  lastDead = 0

  constructor({ clock, random }: SpaceOptions) {
    this.clock = clock
    this.random = random
    this.storeId = uuidv7(clock, random)
  }

  /** Makes the partitions, or checks that there are that many. */
  make(count: number | undefined): boolean {
    const made = this.partitions.length
    if (made > 0) {
      if (count !== undefined && count !== made)
        throw new PawlError(
          'PARTITIONS_DIFFER',
          `this store was made with ${made} partitions, not ${count}: give partitions: ${made}, or leave it out`,
        )
      return false
    }
    for (let i = 0; i < (count ?? PARTITIONS); i++) this.partitions.push({ session: null, head: 0, stamp: 0 })
    return true
  }

  /** Opens a lease. */
  openSession(build: string, leaseMs: number): Session {
    const id = uuidv7(this.clock, this.random)
    const session = { id, build, expiresAt: this.clock.now() + leaseMs, numbers: new Map<number, Numbered>(), floor: 0 }
    this.sessions.set(id, session)
    return session
  }

  /** Ends a lease: its partitions are nobody's. */
  endSession(id: string): void {
    this.sessions.delete(id)
    for (const partition of this.partitions) if (partition.session === id) partition.session = null
  }

  /** Sessions whose time is over. */
  expiredSessions(): readonly string[] {
    const now = this.clock.now()
    return [...this.sessions.values()].filter((s) => s.expiresAt < now).map((s) => s.id)
  }

  /** Every lease lasts that much longer. */
  prolong(ms: number): void {
    for (const session of this.sessions.values()) session.expiresAt += ms
  }

  /** How many sessions have not expired. */
  living(): number {
    return this.sessions.size - this.expiredSessions().length
  }

  /** Gives the session free partitions until it has `want`. False: it is gone. */
  take(id: string, want: number): boolean {
    if (!this.sessions.has(id)) return false
    let has = this.partitions.filter((p) => p.session === id).length
    for (const partition of this.partitions) {
      if (has >= want) break
      if (partition.session !== null) continue
      partition.session = id
      has++
    }
    return true
  }

  /** What a session owns. */
  owned(id: string): readonly PartitionHead[] {
    return this.partitions.flatMap(({ session, head, stamp }, partition) =>
      session === id ? [{ partition, head, stamp }] : [],
    )
  }

  /** Remembers what became of a number, and forgets the oldest ones. */
  settle(session: Session, n: number, numbered: Numbered): void {
    session.numbers.set(n, numbered)
    if (session.numbers.size <= NUMBERS_MAX) return
    const [oldest] = session.numbers.keys()
    session.numbers.delete(oldest!)
    session.floor = Math.max(session.floor, oldest!)
  }

  /** Gives `count` numbers in a row; answers the first. */
  allot(what: 'k' | 'waiting', count: number): number {
    const first = this.#allotted[what] + 1
    this.#allotted[what] += count
    return first
  }

  /** Adds rows to the inbox. */
  append(rows: readonly LetterTextRow[]): readonly number[] {
    return rows.map((row) => {
      const n = ++this.lastInbox
      this.inbox.add({ ...row, n })
      return n
    })
  }

  /** Adds differences to the sums. */
  count(counts: Counts): void {
    for (const [name, by] of Object.entries(counts)) if (by !== 0) this.sums[name] = (this.sums[name] ?? 0) + by
  }

  /** Writes an instance, and keeps its indexes. */
  putInstance(row: InstanceRow): void {
    this.instances.set(row.k, row)
    this.names.set(keyOf(row.machine, row.id), row.k)
    mark(this.dueIn, row.partition, row.k, row.dueAt !== null)
    mark(this.openIn, row.partition, row.k, row.condition === 'running')
  }

  /** Deletes an instance with all that hangs on it but its events. */
  dropInstance(row: InstanceRow): void {
    this.instances.delete(row.k)
    this.names.delete(keyOf(row.machine, row.id))
    this.journal.delete(row.k)
    this.children.delete(row.k)
    mark(this.dueIn, row.partition, row.k, false)
    mark(this.openIn, row.partition, row.k, false)
    for (const n of this.waitingOf.get(row.k) ?? []) this.dropWaiting(n)
  }

  /** Writes a waiting row, in place of the one of that number where there is one. */
  putWaiting(row: WaitingTextRow): void {
    this.dropWaiting(row.n)
    this.waiting.set(row.n, row)
    mark(this.waitingOf, row.k ?? keyOf(row.target.machine, row.target.id), row.n, true)
  }

  /** Deletes a waiting row. */
  dropWaiting(n: number): void {
    const row = this.waiting.get(n)
    if (row === undefined) return
    this.waiting.delete(n)
    mark(this.waitingOf, row.k ?? keyOf(row.target.machine, row.target.id), n, false)
  }

  /** Adds a dead letter. */
  putDead(row: DeadTextRow): void {
    this.dead.set(row.id, { n: ++this.lastDead, ...row })
  }

  /** Keeps a machine's graph, in place of an older one of the same version. */
  putGraph({ name, version }: Pick<MachineGraph, 'name' | 'version'>, hash: string, text: string): void {
    this.graphs.set(keyOf(name, String(version)), { name, version, hash, text })
  }
}

/** Puts a number into the set of a key, or takes it out; no set stays empty. */
function mark<K>(index: Map<K, Set<number>>, key: K, n: number, there: boolean): void {
  const set = index.get(key)
  if (there) {
    if (set === undefined) index.set(key, new Set([n]))
    else set.add(n)
  } else if (set?.delete(n) === true && set.size === 0) index.delete(key)
}
