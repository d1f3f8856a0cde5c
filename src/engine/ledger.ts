// The law of messages, and the rows in which it is kept: receipts, dead letters, what left the inbox.
//
// What comes in adds to `accepted` once, and each decision adds to exactly one of the others. `pending` and `waiting` are left
// again by the decision.
import { carriedMessages, messageCount } from '../core/counts.ts'
import type { Input, MessageInput } from '../core/model.ts'
import type { Delivery, ReceiptRow, Target } from '../store/store.ts'
import type { Batch } from './batch.ts'
import type { Item } from './mailbox.ts'
import { isUnit, stored } from './route.ts'

/** The target of a receipt: parts joined by U+0000, which no id holds. */
export const receiptTarget = (item: Item): string =>
  item.input.kind === 'event' ? `${item.input.type}\0${item.input.key}` : `${item.target.machine}\0${item.target.id}`
/** Under what a receipt is kept in a batch. */
export const receiptKey = (row: { readonly target: string; readonly source: string; readonly id: string }): string =>
  `${row.target}\0\0${row.source}\0\0${row.id}`

/** A delivery without the dead letter that it was redriven from. */
export function withoutDead(delivery: Delivery): Delivery {
  const { deadLetter: _, ...rest } = delivery
  return rest
}

/** A message that cannot be applied. */
export interface Dead {
  readonly target: Target
  readonly partition: number
  readonly input: MessageInput
  readonly code: string
  readonly message: string
  readonly delivery?: Delivery | undefined
}

/** Keeps the law in one batch after another. */
export class Ledger {
  readonly #newId: () => string
  constructor(newId: () => string) {
    this.#newId = newId
  }

  /** It came from outside, or was emitted. */
  accept(batch: Batch, by = 1): void {
    batch.tally.add(messageCount('accepted'), by)
  }

  /** Nobody hears it. It never had a row, so the sum is carried. */
  unclaimed(batch: Batch): void {
    batch.tally.add(messageCount('unclaimed'))
    batch.tally.add(carriedMessages('unclaimed'))
  }

  dead(batch: Batch, { target, partition, input, code, message, delivery }: Dead): void {
    batch.deadLetter({
      id: this.#newId(),
      machine: target.machine,
      instance: target.id,
      partition,
      at: batch.now,
      code,
      message,
      input: stored(input),
      ...(delivery !== undefined && { delivery: withoutDead(delivery) }),
    })
  }

  /** A dead letter goes: redriven as this very input, or discarded by an operator. */
  undead(batch: Batch, deadLetter: string, input: Item['input']): void {
    batch.open.undead.push(deadLetter)
    batch.gone.add(deadLetter)
    batch.tally.add(messageCount('dead'), -1)
    if (input.kind === 'message') return
    batch.tally.add(messageCount('discarded'))
    batch.tally.add(carriedMessages('discarded'))
  }

  /** An item that came from the inbox leaves it in this commit. */
  leaveInbox(batch: Batch, item: Item): void {
    if (item.inbox === undefined) return
    batch.open.read.push(item.inbox)
    if (!isUnit(item.input)) return
    batch.tally.add(messageCount('pending'), -1)
    // What was redriven over the inbox lay there beside its dead letter.
    if (item.delivery?.deadLetter !== undefined) this.accept(batch, -1)
  }

  /** What became of an input whose sender gave its id, or waits at another worker. */
  receipt(
    batch: Batch,
    target: string,
    { input, delivery }: { readonly input: Input | Item['input']; readonly delivery?: Delivery | undefined },
    said: Pick<ReceiptRow, 'outcome' | 'why' | 'state' | 'seq'>,
  ): void {
    if (delivery?.dedup === undefined && delivery?.receipt !== true) return
    const { source = '', hash = '' } = delivery.dedup ?? {}
    const row: ReceiptRow = { target, source, id: input.id, hash, at: batch.now, ...said }
    batch.receipts.set(receiptKey(row), row)
  }
}

/** An instance as the target of a receipt. */
export const instanceTarget = ({ machine, id }: Target): string => `${machine}\0${id}`
