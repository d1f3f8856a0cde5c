// The rows of a store, as the port speaks of them: what comes in, what is told, what is kept of a message.
import type { Input, JournalEntry, Waiting } from '../core/model.ts'

/** Names an instance. */
export interface Target {
  readonly machine: string
  readonly id: string
}

/** What comes in: for one instance, or (an event from outside, not yet numbered) for whoever hears it. */
export type Letter =
  | { readonly kind: 'input'; readonly target: Target; readonly input: Input; readonly delivery?: Delivery }
  | {
      readonly kind: 'event'
      readonly type: string
      readonly version: number
      readonly key: string
      readonly data: unknown
      readonly keepMs: number
      readonly id: string
      readonly at: number
      readonly by?: string
      readonly source?: string
      readonly correlation: string
      readonly delivery?: Delivery
    }

/** Of a letter from outside: how it is known again, and who waits for an answer. */
export interface Delivery {
  /** Present: the sender gave the id, so it is deduplicated under (target, source, id). */
  readonly dedup?: { readonly source: string; readonly hash: string }
  /** A receipt is written even without `dedup`, since a worker elsewhere waits for it. */
  readonly receipt?: boolean
  /** Redriven: the dead letter that goes when this is decided about. */
  readonly deadLetter?: string
  /** Looked at before by a build that did not know it: its own receipt makes it no duplicate. */
  readonly again?: boolean
}

/** A row of the inbox: in the order of `n` among those of one priority, higher priority first. */
export interface InboxRow {
  readonly n: number
  readonly partition: number
  readonly priority: number
  readonly letter: Letter
}

/** An event of the log. `id` is stable; `offset` is dense within its partition. */
export interface EventRow {
  readonly partition: number
  readonly offset: number
  readonly stamp: number
  /** Of the instance that emitted it, with the journal row; null: it came from outside. */
  readonly k: number | null
  readonly seq: number | null
  readonly id: string
  readonly type: string
  readonly version: number
  readonly key: string
  readonly data: unknown
  readonly at: number
  readonly correlation: string
}

/** A journal row with its instance, and the places of its events in the log. */
export interface JournalRow {
  readonly k: number
  readonly entry: JournalEntry
  /** (partition, offset) of each event among `entry.emitted`, in order; commands have none and are kept whole. */
  readonly events: readonly (readonly [partition: number, offset: number])[]
}

/** What is read back of the journal. */
export interface JournalRead {
  readonly seq: number
  readonly at: number
  readonly cause: JournalEntry['cause']
  readonly from: string | null
  readonly to: string
  readonly outcome: JournalEntry['outcome']
  readonly changed: Readonly<Record<string, unknown>>
  readonly removed: readonly string[]
  readonly emitted: readonly { readonly type: string; readonly data: unknown }[]
  readonly opened: readonly string[]
  readonly dropped: readonly string[]
  readonly spawned: readonly Target[]
  readonly by?: string
  readonly why?: string
}

/** What became of a letter with an id from outside. */
export interface ReceiptRow {
  /** `machine/id` of a command's instance, `type/key` of an event: parts joined by U+0000. */
  readonly target: string
  readonly source: string
  readonly id: string
  readonly hash: string
  readonly at: number
  readonly outcome: 'applied' | 'ignored' | 'refused' | 'deferred' | 'unclaimed' | 'dead' | 'stored'
  readonly why?: string
  readonly state?: string
  readonly seq?: number
}
/** By what a receipt is found. */
export type ReceiptKey = Pick<ReceiptRow, 'target' | 'source' | 'id'>

/** A message that could not be applied. */
export interface DeadLetterRow {
  readonly id: string
  readonly machine: string
  readonly instance: string
  readonly partition: number
  readonly at: number
  readonly code: string
  readonly message: string
  readonly input: Extract<Input, { kind: 'message' | 'start' }>
  readonly delivery?: Delivery
}

/** A waiting message of an instance (`k`), or of one that is not there (`k` null). */
export interface WaitingRow {
  readonly k: number | null
  readonly target: Target
  readonly partition: number
  readonly waiting: Waiting
  readonly delivery?: Delivery
}
