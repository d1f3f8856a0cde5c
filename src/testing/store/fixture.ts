// What the cases of the store suite work with: an open store with a session, and rows to write.
import { deepStrictEqual } from 'node:assert/strict'
import { Tally } from '../../core/counts.ts'
import type { CallRecord, ChildRecord, Instance, JournalEntry, MessageInput } from '../../core/model.ts'
import {
  NO_CHANGE,
  type Change,
  type CommitResult,
  type DeadLetterRow,
  type EventRow,
  type InboxRow,
  type JournalRow,
  type ReceiptRow,
  type Store,
  type WaitingRow,
} from '../../store/store.ts'

/** One place where a store keeps its rows. Made empty for every case. */
export interface StoreFixture {
  /** A new connection to that place, not yet open. */
  connect(): Store
  /** Lets that many ms pass by the store's clock. */
  pass(ms: number): Promise<void>
  /** The rows outlive the connection that wrote them. */
  readonly durable: boolean
  /** A file that is not there yet, for a backup, and how to connect to it; needed where `features.backup`. */
  readonly copy?: { readonly path: string; connect(this: void): Store }
  /** Takes everything away. */
  end(): Promise<void>
}

/** What a case is given. */
export interface StoreCase {
  readonly fixture: StoreFixture
  /** Open, with 4 partitions. */
  readonly store: Store
  /** Owns all partitions. */
  readonly session: string
  /** Commits under the next number of the session. */
  commit(change: Partial<Change>): Promise<CommitResult>
  /** As `commit`, and fails unless it is applied. Answers the places of the inbox rows. */
  write(change: Partial<Change>): Promise<readonly number[]>
}

/** One case of the suite. */
export interface StoreTest {
  readonly title: string
  /** Runs only where the store has all of these. */
  readonly needs?: readonly (keyof Store['features'] | 'durable')[]
  run(this: void, given: StoreCase): Promise<void>
}

/** Of every store of the suite. */
export const PARTITIONS = 4
/** Of every session. */
export const LEASE_MS = 1_000

/** Compares as JSON: whether a field is missing or undefined, and which prototype an object has, is no concern of the port. */
export function same(actual: unknown, expected: unknown, message?: string): void {
  deepStrictEqual(JSON.parse(JSON.stringify(actual)), JSON.parse(JSON.stringify(expected)), message)
}

/** A change with nothing in it but what is given. */
export const changeOf = (more: Partial<Change>): Change => ({ ...NO_CHANGE, ...more })

/** A living instance without an open call: `order` `o-<k>`, in partition k mod 4. */
export function instanceOf(k: number, more: Partial<Omit<Instance, 'dataText'>> = {}): Instance {
  const data = more.data ?? { n: k }
  return {
    k,
    machine: 'order',
    id: `o-${k}`,
    partition: k % PARTITIONS,
    incarnation: incarnationOf(k),
    version: 1,
    status: 'live',
    state: 'placed',
    seq: 1,
    entry: 1,
    enteredAt: 1_000 + k,
    calls: null,
    timers: null,
    dueAt: null,
    joined: null,
    stamp: 1_024_000 + k,
    parent: null,
    startHash: 'hash',
    stalled: null,
    correlation: `c-${k}`,
    priority: 0,
    fairKey: null,
    startedAt: 1_000 + k,
    endedAt: null,
    ...more,
    data,
    dataText: JSON.stringify(data),
  }
}

/** As long as a real one: 26 characters. */
export const incarnationOf = (k: number): string => `01jd${String(k).padStart(22, '0')}`

/** A call of the present entry. */
export const callOf = (more: Partial<CallRecord> = {}): CallRecord => ({
  activity: 'warehouse.reserve',
  key: `${incarnationOf(1)}-1-abcdefgh`,
  input: { sku: 'mug' },
  attempts: 0,
  unknown: false,
  openedAt: 1_000,
  recoveries: 0,
  ...more,
})

/** A journal row's entry: of a message that was applied. */
export const entryOf = (seq: number, more: Partial<JournalEntry> = {}): JournalEntry => ({
  seq,
  at: 2_000,
  cause: { kind: 'message', name: 'order.go', id: `m-${seq}`, at: 2_000, correlation: 'c' },
  from: seq === 1 ? null : 'placed',
  to: 'placed',
  outcome: 'applied',
  unit: true,
  change: null,
  removed: [],
  emitted: [],
  spawned: [],
  opened: [],
  dropped: [],
  cancelled: [],
  ...more,
})

/** A journal row without events. */
export const rowOf = (k: number, seq: number, more: Partial<JournalEntry> = {}): JournalRow => ({
  k,
  entry: entryOf(seq, more),
  events: [],
})

/** A command. */
export const messageOf = (id: string, more: Partial<MessageInput> = {}): MessageInput => ({
  kind: 'message',
  command: true,
  type: 'order.go',
  version: 1,
  data: { x: 1 },
  keepMs: 3_600_000,
  id,
  at: 2_000,
  correlation: 'c',
  stamp: 0,
  ...more,
})

/** A letter with a command to `order` `id`, in partition 0. */
export const letterOf = (id: string, more: Partial<Omit<InboxRow, 'n'>> = {}): Omit<InboxRow, 'n'> => ({
  partition: 0,
  priority: 0,
  letter: { kind: 'input', target: { machine: 'order', id }, input: messageOf(`m-${id}`) },
  ...more,
})

/** A waiting message, of instance `k` (`order` `o-<k>`) or of `order` `id`, which is not there. */
export function waitingOf(n: number, of: number | string, more: Partial<WaitingRow['waiting']> = {}): WaitingRow {
  const k = typeof of === 'number' ? of : null
  return {
    k,
    target: { machine: 'order', id: k === null ? String(of) : `o-${k}` },
    partition: k === null ? 0 : k % PARTITIONS,
    waiting: {
      n,
      why: k === null ? 'instance' : 'state',
      until: 5_000,
      leftMs: null,
      size: 10,
      input: messageOf(`w-${n}`),
      ...more,
    },
  }
}

/** An event at a place of the log. */
export const eventOf = (partition: number, offset: number, more: Partial<EventRow> = {}): EventRow => ({
  partition,
  offset,
  stamp: 2_048_000 + offset,
  k: null,
  seq: null,
  id: `e${partition}-${offset}`,
  type: 'order.placed',
  version: 1,
  key: 'o-1',
  data: { total: offset },
  at: 2_000,
  correlation: 'c',
  ...more,
})

/** A receipt. */
export const receiptOf = (id: string, more: Partial<ReceiptRow> = {}): ReceiptRow => ({
  target: 'order\0o-1',
  source: 'http',
  id,
  hash: 'h',
  at: 2_000,
  outcome: 'applied',
  ...more,
})

/** A dead letter of `order` `o-1`. */
export const deadOf = (id: string, more: Partial<DeadLetterRow> = {}): DeadLetterRow => ({
  id,
  machine: 'order',
  instance: 'o-1',
  partition: 1,
  at: 2_000,
  code: 'BAD_DATA',
  message: 'sku is missing',
  input: messageOf(`m-${id}`),
  ...more,
})

/** A child as its parent knows it. */
export const childOf = (id: string, more: Partial<ChildRecord> = {}): ChildRecord => ({
  machine: 'node',
  id,
  incarnation: incarnationOf(9),
  seq: 3,
  state: 'ready',
  status: 'waiting',
  data: { ip: '::1' },
  ...more,
})

/** Names that an implementation may trip over; each is a legal id of an instance. */
export const hostileIds: readonly string[] = [
  "o'; drop table instances; --",
  '"quoted" `ticks` \\back\\slash',
  '__proto__',
  'constructor',
  '🜲 名前 ﷽',
  '%_[a-z]*?',
  'x'.repeat(255),
  'é'.normalize('NFC'),
  ' lead and trail ',
]

/** Payloads that an implementation may trip over. */
export const hostileData: Readonly<Record<string, unknown>> = {
  ...(JSON.parse('{"__proto__":{"x":1},"constructor":null}') as Record<string, unknown>),
  nul: 'a\0b',
  surrogate: '🜲',
  quote: `'"\\`,
  newline: 'a\r\n\u2028b',
  '': 'an empty key',
  'a\0key': 1,
  tiny: 5e-324,
  huge: 1.7976931348623157e308,
  integer: Number.MAX_SAFE_INTEGER,
  unsafe: 2 ** 60,
  half: 0.1,
  list: [null, true, [], {}, [[]]],
}

/** The sums that a change of these instances and messages counts; see core/counts.ts. */
export function countsOf(...names: readonly (string | readonly [name: string, by: number])[]): Record<string, number> {
  const tally = new Tally()
  for (const name of names) {
    if (typeof name === 'string') tally.add(name)
    else tally.add(...name)
  }
  return tally.sums
}
