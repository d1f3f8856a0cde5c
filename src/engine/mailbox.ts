// What has come in and was not looked at yet: a box for each instance, and whose turn it is.
//
// M1  The items of one box are taken in the order in which they came; what a failed or full batch gives back stands at the head.
// M2  Among boxes: higher priority first; then fairness keys take turns; then first come, first served. A box that holds many items
//     gives some, and comes again.
import type { Input } from '../core/model.ts'
import type { CallFailure } from '../machine/definition.ts'
import type { Delivery, Letter, Target } from '../store/store.ts'
import type { Reply } from './reply.ts'

/** An event from outside that has no place in the log yet. */
export type EventLetter = Extract<Letter, { kind: 'event' }>

/** As what an attempt's result was booked. */
export interface Booked {
  /** When its call is tried again, ms since 1970. */
  readonly nextAt: number | undefined
  readonly failed: CallFailure | undefined
}

/** One thing to look at. */
export interface Item {
  readonly box: string
  readonly target: Target
  readonly partition: number
  readonly input: Input | EventLetter
  /** The law of messages knows it already: it was stored, emitted, or dead. */
  readonly counted: boolean
  /** Its row of the inbox, which goes when it is decided about. */
  readonly inbox?: number
  readonly delivery?: Delivery
  readonly reply?: Reply
  /** Called once it is durable, though not all who hear it have looked at it yet. */
  readonly safe?: () => void
  /** Local hops since the last stored message. */
  readonly hops: number
  /** The id was made just now: there can be no such instance yet. */
  readonly isNew?: boolean
  /** Its sender waits for nothing but that it is safe: where it cannot be applied it is a dead letter. */
  readonly storedOnly?: boolean
  /** Of an attempt's result: called once that is committed. */
  readonly booked?: (as: Booked) => void
  /** When it came, by the monotonic clock. */
  readonly since: number
}

interface Box {
  items: Item[]
  queued: boolean
  readonly priority: number
  readonly fair: string
}

/** Where a box belongs. */
export interface Rank {
  readonly priority: number
  readonly fair: string
}

/** Boxes of one priority: one queue for each fairness key, which take turns. */
class Level {
  readonly #queues = new Map<string, string[]>()
  #turns: string[] = []

  add(fair: string, box: string): void {
    const queue = this.#queues.get(fair)
    if (queue !== undefined) queue.push(box)
    else {
      this.#queues.set(fair, [box])
      this.#turns.push(fair)
    }
  }

  /** Takes up to `limit` boxes, one of each fairness key in turn. */
  take(limit: number): readonly string[] {
    if (this.#turns.length === 1) return this.#only(this.#turns[0] ?? '', limit)
    const taken: string[] = []
    while (taken.length < limit && this.#turns.length > 0) {
      const keys = this.#turns
      const served = Math.min(keys.length, limit - taken.length)
      const left: string[] = []
      for (const fair of keys.slice(0, served)) {
        const queue = this.#queues.get(fair)
        const box = queue?.shift()
        if (box !== undefined) taken.push(box)
        if (queue !== undefined && queue.length > 0) left.push(fair)
        else this.#queues.delete(fair)
      }
      // Those that had no turn this time are the first next time: else what fills every batch would keep them waiting for ever.
      this.#turns = [...keys.slice(served), ...left]
    }
    return taken
  }

  #only(fair: string, limit: number): readonly string[] {
    const queue = this.#queues.get(fair) ?? []
    if (queue.length > limit) return queue.splice(0, limit)
    this.#queues.delete(fair)
    this.#turns = []
    return queue
  }
}

/** The boxes of one worker. */
export class Mailbox {
  readonly #boxes = new Map<string, Box>()
  readonly #levels = new Map<number, Level>()
  #order: number[] = []
  readonly #rank: (item: Item) => Rank
  /** Items that wait for the commit in flight. */
  #aside: Item[] = []
  /** Items in all boxes, and those that were put aside. */
  size = 0

  constructor(rank: (item: Item) => Rank) {
    this.#rank = rank
  }

  /** Adds an item behind those of its box. */
  post(item: Item): void {
    const box = this.#boxFor(item)
    box.items.push(item)
    this.size += 1
    this.#queue(item.box, box)
  }

  /** Gives items back, in order, before all that came since. */
  putBack(items: readonly Item[]): void {
    const heads = new Map<string, Item[]>()
    for (const item of items) {
      const head = heads.get(item.box)
      if (head === undefined) heads.set(item.box, [item])
      else head.push(item)
    }
    for (const [name, head] of heads) {
      const [first] = head
      if (first === undefined) continue
      const box = this.#boxFor(first)
      box.items = [...head, ...box.items]
      this.size += head.length
      this.#queue(name, box)
    }
  }

  /** Keeps gathered items out of the next gathering, until `bringBack`. */
  putAside(item: Item): void {
    this.#aside.push(item)
    this.size += 1
  }

  /** Gives back what was put aside, before all that came since. */
  bringBack(): void {
    if (this.#aside.length === 0) return
    const items = this.#aside
    this.#aside = []
    this.size -= items.length
    this.putBack(items)
  }

  /**
   * Takes boxes whose turn it is, until there are `limit` items or more; of one box no more than that. In rounds, the first items of all boxes
   * before the second ones: what a batch has no time for are then items of full boxes, and a flood for one instance keeps no other waiting.
   */
  gather(limit: number): Item[] {
    const items: Item[] = []
    for (const priority of this.#order) {
      const level = this.#levels.get(priority)
      const rounds: Item[][] = []
      for (let count = items.length; level !== undefined && count < limit;) {
        const names = level.take(limit - count)
        if (names.length === 0) break
        for (const name of names) count += this.#take(name, limit, rounds)
      }
      for (const round of rounds) for (const item of round) items.push(item)
    }
    return items
  }

  /** Takes all there is. */
  clear(): readonly Item[] {
    this.bringBack()
    return this.gather(Infinity)
  }

  /** Takes all that is in one box, out of turn. */
  takeAll(name: string): readonly Item[] {
    const box = this.#boxes.get(name)
    if (box === undefined || box.items.length === 0) return []
    const { items } = box
    box.items = []
    this.size -= items.length
    return items
  }

  /** Whether a box has items. */
  has(name: string): boolean {
    return (this.#boxes.get(name)?.items.length ?? 0) > 0
  }

  /** Takes all items of a partition that is not ours any more. */
  takePartition(partition: number): readonly Item[] {
    const taken: Item[] = []
    for (const [name, box] of this.#boxes) if (box.items[0]?.partition === partition) taken.push(...this.takeAll(name))
    return taken
  }

  /** When the oldest item came, by the monotonic clock; undefined: there is none. Looks at the first of each box. */
  oldest(): number | undefined {
    let oldest = this.#aside[0]?.since
    for (const box of this.#boxes.values()) {
      const first = box.items[0]
      if (first !== undefined && (oldest === undefined || first.since < oldest)) oldest = first.since
    }
    return oldest
  }

  #boxFor(item: Item): Box {
    let box = this.#boxes.get(item.box)
    if (box === undefined) {
      const { priority, fair } = this.#rank(item)
      box = { items: [], queued: false, priority, fair }
      this.#boxes.set(item.box, box)
    }
    return box
  }

  #queue(name: string, box: Box): void {
    if (box.queued) return
    box.queued = true
    let level = this.#levels.get(box.priority)
    if (level === undefined) {
      level = new Level()
      this.#levels.set(box.priority, level)
      this.#order = [...this.#levels.keys()].sort((a, b) => b - a)
    }
    level.add(box.fair, name)
  }

  /** Up to so many of one box. What is left of it comes behind the others. Answers how many it has taken. */
  #take(name: string, limit: number, rounds: Item[][]): number {
    const box = this.#boxes.get(name)
    if (box === undefined) return 0
    const whole = box.items.length <= limit
    const taken = whole ? box.items : box.items.splice(0, limit)
    for (let i = 0; i < taken.length; i++) (rounds[i] ??= []).push(taken[i]!)
    this.size -= taken.length
    if (whole) this.#boxes.delete(name)
    else {
      box.queued = false
      this.#queue(name, box)
    }
    return taken.length
  }
}
