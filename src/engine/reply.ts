// What the sender of an input is told, once that is durable.
import type { JournalEntry, RefusedWhy } from '../core/model.ts'
import type { Outcome } from '../core/transition.ts'
import type { ReceiptRow } from '../store/store.ts'

/** What became of an input. `emitted`: what it let be emitted. */
export interface Told {
  readonly fate: Outcome['fate'] | 'duplicate' | 'reused' | 'event' | 'removed' | 'gone' | 'lost'
  readonly why?: RefusedWhy
  readonly code?: string
  readonly message?: string
  readonly state?: string
  readonly seq?: number
  readonly k?: number
  readonly entries: readonly JournalEntry[]
  /** Of a duplicate: what came of the first. */
  readonly receipt?: ReceiptRow
  /** Of an event: what became of it at each instance that is known. */
  readonly heard?: readonly { readonly machine: string; readonly id: string; readonly told: Told }[]
}

/** Called once. `lost`: this worker does not own the instance any more, and the input went on to its owner. */
export type Reply = (told: Told) => void
