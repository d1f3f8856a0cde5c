// Where things go: to an instance of this worker in the same batch (a local hop), or to the inbox of whoever owns it.
import { partitionOf } from '../base/id.ts'
import { messageCount } from '../core/counts.ts'
import type { Input, MessageInput } from '../core/model.ts'
import type { Delivery, Letter, Target } from '../store/store.ts'
import type { Batch } from './batch.ts'
import type { Item, Mailbox } from './mailbox.ts'
import type { Ownership } from './ownership.ts'
import type { Registry } from './registry.ts'
import type { Reply } from './reply.ts'

type Writable<T> = { -readonly [K in keyof T]: T[K] }

/** Names the box of an instance. */
export const boxOf = (target: Target): string => `${target.machine}\0${target.id}`
/** Events from outside are looked at by the owner of their key's partition, in a box of their own. */
export const eventBox = (partition: number): string => `\0${partition}`

/** Hops that a message may cause within one process before it goes by the inbox. */
const HOPS = 100

/** An input without what only memory knows, as it is stored. */
export function stored<T extends Input>(input: T): T {
  if (input.kind !== 'message' || input.checked === undefined) return input
  const { checked: _, ...rest } = input as MessageInput
  return rest as T
}

/** Whether the law of messages counts it. */
export const isUnit = (input: Item['input']): boolean => input.kind === 'message' || input.kind === 'event'

/** Settings of routing, for tests: everything by the inbox. */
export interface RouteSettings {
  readonly allRemote: boolean
}

/** Sends what a batch lets happen. */
export class Router {
  readonly #registry: Registry
  readonly #ownership: Ownership
  readonly #mailbox: Mailbox
  readonly #partitions: number
  readonly #settings: RouteSettings

  constructor(registry: Registry, ownership: Ownership, mailbox: Mailbox, partitions: number, settings: RouteSettings) {
    this.#registry = registry
    this.#ownership = ownership
    this.#mailbox = mailbox
    this.#partitions = partitions
    this.#settings = settings
  }

  partitionOf(id: string): number {
    return partitionOf(id, this.#partitions)
  }

  /** An item for an instance, from memory. */
  item(
    target: Target,
    input: Item['input'],
    more: {
      readonly since: number
      readonly counted: boolean
      readonly hops?: number
      readonly delivery?: Delivery
      readonly reply?: Reply
      readonly safe?: () => void
      readonly inbox?: number
      readonly isNew?: boolean
      readonly storedOnly?: boolean
      readonly booked?: Item['booked']
    },
  ): Item {
    const partition = this.partitionOf(target.id)
    const box = input.kind === 'event' ? eventBox(partition) : boxOf(target)
    const { since, counted, hops = 0, delivery, reply, safe, inbox, isNew, storedOnly, booked } = more
    // Field by field, and the usual ones first: an item is made for every transition.
    const item: Writable<Item> = { box, target, partition, input, counted, hops, since }
    if (reply !== undefined) item.reply = reply
    if (safe !== undefined) item.safe = safe
    if (booked !== undefined) item.booked = booked
    if (delivery !== undefined) item.delivery = delivery
    if (inbox !== undefined) item.inbox = inbox
    if (isNew !== undefined) item.isNew = isNew
    if (storedOnly !== undefined) item.storedOnly = storedOnly
    return item
  }

  /** The row of the inbox that stands for an item. */
  row(item: Item): { readonly partition: number; readonly priority: number; readonly letter: Letter } {
    const { target, partition, input, delivery } = item
    const priority = this.#registry.machines.get(target.machine)?.priority ?? 0
    const more = delivery === undefined ? {} : { delivery }
    return {
      partition,
      priority,
      letter: input.kind === 'event' ? { ...input, ...more } : { kind: 'input', target, input: stored(input), ...more },
    }
  }

  /** Lets an input go to its target: a hop in this batch, or a row of the inbox in its commit. */
  send(batch: Batch, from: Item, target: Target, input: Input, reply?: Reply): void {
    const item = this.item(target, input, {
      since: from.since,
      counted: true,
      hops: from.hops + 1,
      ...(reply !== undefined && { reply }),
    })
    if (!this.#ownership.owns(item.partition)) {
      this.#store(batch, item)
      reply?.({ fate: 'lost', entries: [] })
      return
    }
    // What stands in the box already came before. Of an instance of the batch in flight it is taken when that has settled.
    if (batch.ahead?.holds(item.box) !== true)
      for (const older of this.#mailbox.takeAll(item.box)) batch.hops.push(older)
    batch.hops.push(item)
  }

  /** Goes no further in this batch: after a long chain, and for tests. */
  isFar(batch: Batch, item: Item): boolean {
    return batch.alone || item.hops > HOPS || (item.hops > 0 && this.#settings.allRemote)
  }

  #store(batch: Batch, item: Item): number {
    if (item.input.kind === 'message') batch.tally.add(messageCount('pending'))
    return batch.inbox(this.row(item))
  }

  /** Writes an item into the inbox in this commit; it keeps its place in memory. */
  spill(batch: Batch, item: Item): void {
    if (item.inbox !== undefined) batch.leftovers.push({ item, row: -1 })
    else batch.leftovers.push({ item: { ...item, hops: 0 }, row: this.#store(batch, item) })
  }
}
