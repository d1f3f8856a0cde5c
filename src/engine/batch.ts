// One batch while it is computed: what it touched, and the change that grows from that.
//
// Nothing here is seen by anybody before the commit: replies, attempts and lifecycle events are kept until then. When the
// commit fails the batch is thrown away whole, and its items go back to their boxes.
import type { PawlError } from '../base/errors.ts'
import { jsonSize } from '../base/size.ts'
import { conditionOf, instanceCount, messageCount, stateCount, Tally } from '../core/counts.ts'
import { changedChildren } from '../core/family.ts'
import { hasEnded, type ChildRecord, type Instance, type JournalEntry, type Waiting } from '../core/model.ts'
import type { MachineDefinition } from '../machine/definition.ts'
import type {
  Change,
  DeadLetterRow,
  EventRow,
  InboxRow,
  JournalRow,
  PartitionHead,
  ReceiptRow,
  Target,
  WaitingRow,
} from '../store/store.ts'
import type { Entry } from './cache.ts'
import type { Item } from './mailbox.ts'

/** One instance that a batch touches. */
export interface Touched {
  readonly box: string
  readonly target: Target
  readonly partition: number
  readonly definition: MachineDefinition
  /** As committed. */
  readonly before: Entry
  instance: Instance | null
  waiting: readonly Waiting[]
  /** Rows of what waits, for their delivery. */
  rows: ReadonlyMap<number, WaitingRow>
  children: ReadonlyMap<string, ChildRecord>
  fresh: readonly string[]
  /** Of events emitted in this batch. */
  stamp: number
  created: boolean
  /** Its parent is to be told at the end of the batch. */
  tells: boolean
  /** Characters of its texts that are counted in the batch. */
  size: number
  readonly entries: JournalEntry[]
}

const nothing: readonly never[] = []
const noRows: ReadonlyMap<number, WaitingRow> = new Map()

/** An instance as a batch finds it. */
export const touchedOf = (
  { box, target, partition }: Pick<Item, 'box' | 'target' | 'partition'>,
  definition: MachineDefinition,
  before: Entry,
): Touched => ({
  box,
  target,
  partition,
  definition,
  before,
  instance: before.instance,
  // Most instances have nothing that waits: those share their nothing.
  waiting: before.waiting.length === 0 ? nothing : before.waiting.map((row) => row.waiting),
  rows: before.waiting.length === 0 ? noRows : new Map(before.waiting.map((row) => [row.waiting.n, row])),
  children: before.children,
  fresh: nothing,
  stamp: 0,
  created: false,
  tells: false,
  size: 0,
  entries: [],
})

/** A message that a full batch could not apply: a row of the inbox in this commit, and its place in memory after it. */
export interface Spilled {
  readonly item: Item
  /** Index among the change's inbox rows; -1: it has a row already, or never had one and was not touched. */
  readonly row: number
}

type Growing<T> = T extends readonly (infer X)[] ? X[] : T

/** The change under construction: the lists of `Change`, open. */
type Open = {
  -readonly [
    K in 'journal' | 'events' | 'waiting' | 'unwaiting' | 'inbox' | 'read' | 'deadLetters' | 'undead'
  ]: Growing<Change[K]>
}

/** The batch. */
export class Batch {
  readonly now: number
  readonly touched = new Map<string, Touched>()
  readonly tally = new Tally()
  readonly open: Open = {
    journal: [],
    events: [],
    waiting: [],
    unwaiting: [],
    inbox: [],
    read: [],
    deadLetters: [],
    undead: [],
  }
  readonly receipts = new Map<string, ReceiptRow>()
  readonly heads = new Map<number, { head: number; stamp: number }>()
  /** All items that were not made inside it, in order: what a batch that comes to nothing gives back. */
  readonly roots: Item[] = []
  /** Not looked at, or spilled: back to the head of their boxes after the commit, in this order. */
  readonly leftovers: Spilled[] = []
  /** Boxes of leftovers: what comes for them stays behind those. */
  readonly later = new Set<string>()
  /** Local hops, for the next wave. */
  hops: Item[] = []
  /** Hops to instances of the batch before this one, until that is applied. */
  readonly held: Item[] = []
  /** Boxes of events that it has numbered. */
  readonly letters = new Set<string>()
  /** Boxes whose instance was erased. */
  readonly stones = new Set<string>()
  /** Boxes whose instance has a row that cannot be read. */
  readonly corrupt = new Map<string, PawlError>()
  /** Dead letters that are not there any more: somebody was faster, in the store or in this batch. */
  readonly gone = new Set<string>()
  /** Called after the commit, in order. */
  readonly after: (() => void)[] = []
  /** Transitions so far. */
  transitions = 0
  /** About how many bytes of text its commit writes. */
  bytes = 0
  /** One item is alone in it, to find a bad row: what it emits goes by the inbox. */
  readonly alone: boolean

  /** The batch that was on its way to the store when this one was begun, until that is applied. */
  ahead: Batch | undefined
  applied = false

  constructor(now: number, alone = false, ahead?: Batch) {
    this.now = now
    this.alone = alone
    this.ahead = ahead
  }

  /** Whether the next batch must keep away from a box: what this one makes of it is not committed yet. */
  holds(box: string): boolean {
    return this.touched.has(box) || this.later.has(box) || this.letters.has(box)
  }

  /** How far a partition has come, as far as batches before this one that are on their way know. */
  headOf(partition: number): { readonly head: number; readonly stamp: number } | undefined {
    return this.heads.get(partition) ?? this.ahead?.heads.get(partition)
  }

  /** A row that went into the journal, with the places of its events. */
  journal(touched: Touched, entry: JournalEntry, events: JournalRow['events'], k: number): void {
    this.open.journal.push({ k, entry, events })
    touched.entries.push(entry)
    this.transitions += 1
    this.bytes += 200 + this.#texts(touched, entry)
  }

  /** An instance is written once, however often it changes; each change is. */
  #texts(touched: Touched, { change }: JournalEntry): number {
    const { instance } = touched
    if (instance === null) return jsonSize(change)
    const { data, dataText, calls } = instance
    const size = dataText.length + (calls === null ? 0 : jsonSize(calls))
    const more = Math.max(0, size - touched.size)
    touched.size += more
    return more + (change === data ? dataText.length : jsonSize(change))
  }

  event(row: EventRow): void {
    this.open.events.push(row)
    this.bytes += 200 + jsonSize(row.data)
  }

  inbox(row: Omit<InboxRow, 'n'>): number {
    this.bytes += 200 + jsonSize(row.letter)
    return this.open.inbox.push(row) - 1
  }

  deadLetter(row: DeadLetterRow): void {
    this.open.deadLetters.push(row)
    this.bytes += 200 + jsonSize(row.input)
    this.tally.add(messageCount('dead'))
  }

  /** The change as the store takes it. */
  change(): Change {
    const created = new Set<number>()
    const instances: Instance[] = []
    const children: Growing<Change['children']> = []
    const rewaiting: Growing<Change['rewaiting']> = []
    for (const touched of this.touched.values()) {
      const { instance, before } = touched
      this.#waiting(touched, rewaiting)
      if (instance === null || (instance === before.instance && touched.children === before.children)) continue
      if (before.instance === null) created.add(instance.k)
      const stamped = touched.stamp > instance.stamp ? { ...instance, stamp: touched.stamp } : instance
      touched.instance = stamped
      instances.push(stamped)
      this.#count(before.instance, stamped)
      if (touched.children !== before.children)
        for (const child of changedChildren(before.children, touched.children)) children.push({ k: stamped.k, child })
    }
    const heads: PartitionHead[] = [...this.heads].map(([partition, { head, stamp }]) => ({ partition, head, stamp }))
    return {
      ...this.open,
      created,
      instances,
      children,
      rewaiting,
      receipts: [...this.receipts.values()],
      counts: this.tally.sums,
      heads,
    }
  }

  /** What waits now against what waited before: each row is inserted, changed or deleted once. */
  #waiting(touched: Touched, rewaiting: Growing<Change['rewaiting']>): void {
    const { before, rows } = touched
    if (touched.waiting.length === 0 && before.waiting.length === 0) return
    const k = touched.instance?.k ?? null
    const had = new Map(before.waiting.map((row) => [row.waiting.n, row]))
    const left = new Set(had.keys())
    for (const waiting of touched.waiting) {
      left.delete(waiting.n)
      const old = had.get(waiting.n)
      const row = rows.get(waiting.n)
      if (old === undefined && row !== undefined) this.open.waiting.push({ ...row, k, waiting })
      else if (old !== undefined && (old.waiting !== waiting || old.k !== k)) rewaiting.push({ k, waiting })
    }
    this.open.unwaiting.push(...left)
  }

  #count(before: Instance | null, after: Instance): void {
    const { machine } = after
    if (before === null) this.tally.add(instanceCount(machine, 'started'))
    else if (before.incarnation !== after.incarnation) this.#restarted(before)
    else this.#leave(before)
    this.tally.add(instanceCount(machine, conditionOf(after)))
    if (!hasEnded(after.status)) this.tally.add(stateCount(machine, after.state))
  }

  #leave(before: Instance): void {
    this.tally.add(instanceCount(before.machine, conditionOf(before)), -1)
    if (!hasEnded(before.status)) this.tally.add(stateCount(before.machine, before.state), -1)
  }

  /** A new life: the old one counts as removed. */
  #restarted(before: Instance): void {
    this.#leave(before)
    this.tally.add(instanceCount(before.machine, 'started'))
    this.tally.add(instanceCount(before.machine, 'removed'))
    this.tally.add(`c:removed:${before.machine}`)
  }
}

/** It was made inside a batch, and goes with it. */
export const isHop = (item: Item): boolean => item.hops > 0 && item.inbox === undefined
