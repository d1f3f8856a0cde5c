// The one place where the durable promise is kept: gather → (load → transition)* → commit → release.
//
// Owns: one lane, which has one commit in flight and computes one batch meanwhile. Does not own: what comes in (mailbox.ts), which
// partitions are ours (ownership.ts), the attempts that a commit lets start (attempts.ts).
//
// S1  Transitions are computed on committed state only: while a commit is in flight nothing is computed of an instance that it touches. What
//     has come for such a one is put aside; what a transition sends to it is held until that commit has settled.
// S2 to S5 are kept in flight.ts.
import type { PawlError } from '../base/errors.ts'
import type { Context } from '../core/draft.ts'
import { dispatch } from '../core/transition.ts'
import type { ReceiptRow } from '../store/store.ts'
import { Batch, isHop, touchedOf, type Touched } from './batch.ts'
import type { Booker } from './book.ts'
import { Flights, type FlightPorts } from './flight.ts'
import { receiptKey, receiptTarget } from './ledger.ts'
import { isFirst, load, NOBODY, type LoadPorts } from './load.ts'
import type { EventLetter, Item } from './mailbox.ts'
import type { Publisher } from './publish.ts'
import type { Router } from './route.ts'
import { unknownMachine } from './stranger.ts'

/** Limits of a batch. */
export interface StepSettings {
  readonly transitions: number
  readonly bytes: number
  readonly ms: number
  /** Items taken from the boxes at once. */
  readonly items: number
  readonly leaseMs: number
}

/** What a step works with. */
export interface StepPorts extends FlightPorts, LoadPorts {
  readonly router: Router
  readonly booker: Booker
  readonly publisher: Publisher
  readonly newIncarnation: () => string
  readonly session: () => string
  /** The store's clock. */
  readonly now: () => Promise<number>
  /** Items of partitions that this worker does not own any more. */
  readonly strays: (items: readonly Item[]) => Promise<void>
}

/** Items that are gathered at least, however slow they are. */
const ROOM_MIN = 32

/** The store could not be read: no fault of the batch. */
class ReadFailure extends Error {
  constructor(cause: unknown) {
    super('the store could not be read', { cause })
    this.name = 'ReadFailure'
  }
}

async function reading<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read()
  } catch (error) {
    throw new ReadFailure(error)
  }
}

/** One lane. */
export class Step {
  readonly #ports: StepPorts
  readonly #settings: StepSettings
  readonly #flights: Flights
  /** Reads that have failed in a row. */
  #failures = 0
  /** How many items are gathered at once: as many as a batch has had time for lately. */
  #room: number

  constructor(ports: StepPorts, settings: StepSettings) {
    this.#ports = ports
    this.#settings = settings
    this.#flights = new Flights(ports, settings.items)
    this.#room = settings.items
  }

  /** Whether a commit is in flight. */
  get committing(): boolean {
    return this.#flights.batch !== undefined
  }

  /** One batch, until it is sent. False: there is nothing to do before something comes, or the commit in flight has settled. */
  async run(): Promise<boolean> {
    await this.#flights.ready()
    const ahead = this.#flights.batch
    const items = await this.#own(this.#gather(ahead))
    if (items.length === 0) return false
    const batch = await this.#computed(items, ahead)
    if (batch === undefined) return true
    if (!(await this.#flights.cleared(batch))) return true
    this.#flights.send(batch)
    if (this.#flights.narrow !== undefined) await this.settle()
    return true
  }

  /** Waits until no commit is in flight, and does what a failed one asks for. */
  settle(): Promise<void> {
    return this.#flights.settle()
  }

  /** Boxes come whole; who looks for a bad row wants no more than so many items. What the batch in flight touches is put aside. */
  #gather(ahead: Batch | undefined): readonly Item[] {
    const { mailbox } = this.#ports
    const { narrow } = this.#flights
    const items = mailbox.gather(narrow ?? this.#room)
    if (narrow !== undefined && items.length > narrow) mailbox.putBack(items.splice(narrow))
    if (ahead === undefined) return items
    return items.filter((item) => {
      const busy = ahead.holds(item.box)
      if (busy) mailbox.putAside(item)
      return !busy
    })
  }

  /** I2: what was posted for a partition that is not ours any more goes on to its owner. */
  async #own(items: readonly Item[]): Promise<readonly Item[]> {
    const { ownership, strays } = this.#ports
    if (items.every(({ partition }) => ownership.has(partition))) return items
    await strays(items.filter(({ partition }) => !ownership.has(partition)))
    return items.filter(({ partition }) => ownership.has(partition))
  }

  /** The batch of these items; undefined: the store could not be read, or the batch before it has failed. Then nothing has happened, and it is
   *  tried again soon. */
  async #computed(items: readonly Item[], ahead: Batch | undefined): Promise<Batch | undefined> {
    const { mailbox, now, onRead } = this.#ports
    let batch: Batch | undefined
    try {
      batch = new Batch(await reading(now), this.#flights.narrow === 1, ahead)
      if (!(await this.#compute(batch, items))) return undefined
      this.#failures = 0
      this.#fit(batch, items.length)
      return batch
    } catch (error) {
      if (batch === undefined) mailbox.putBack(items)
      else this.#flights.undo(batch)
      // A bug of ours ends the lane: whoever waits for these is told by whoever empties the boxes then.
      if (!(error instanceof ReadFailure)) throw error
      this.#failures += 1
      await onRead(error.cause, this.#failures)
      return undefined
    }
  }

  /** What is gathered and not looked at was loaded for nothing, and goes back: the next batch takes less. */
  #fit({ leftovers }: Batch, gathered: number): void {
    const { items } = this.#settings
    if (leftovers.length === 0) this.#room = Math.min(items, this.#room * 2)
    else this.#room = Math.min(items, Math.max(ROOM_MIN, gathered - leftovers.length))
  }

  /**
   * Waves: the targets of local hops are known only after a transition. Parents are told when all else is quiet, and what is for an
   * instance of the batch in flight comes last. False: that batch has failed, and this one is undone.
   */
  async #compute(batch: Batch, items: readonly Item[]): Promise<boolean> {
    const { clock, booker } = this.#ports
    const startedAt = clock.monotonic()
    const full = (): boolean =>
      batch.transitions >= this.#settings.transitions ||
      batch.bytes >= this.#settings.bytes ||
      clock.monotonic() - startedAt >= this.#settings.ms
    for (let wave = items; ; wave = this.#hops(batch)) {
      if (wave.length === 0) {
        if (booker.tellParents(batch)) continue
        if (batch.held.length === 0) return true
        if (!(await this.#flights.cleared(batch))) return false
        this.#letHeld(batch)
        continue
      }
      for (const item of wave) if (!isHop(item)) batch.roots.push(item)
      const found = await reading(() => load(this.#ports, batch, wave))
      let over = batch.transitions > 0 && full()
      const behind = new Set<string>()
      for (const [index, item] of wave.entries()) {
        // Asking the clock for every item would cost as much as a small transition.
        over ||= batch.bytes >= this.#settings.bytes || (index % 16 === 15 && full())
        if (behind.has(item.box)) batch.hops.push(item)
        else if (over || this.#isLater(batch, item, wave === items)) this.#postpone(batch, item)
        else this.#process(batch, item, found, behind)
      }
    }
  }

  /** What the wave before it sent; of that, what is for an instance of the batch in flight is held. */
  #hops(batch: Batch): readonly Item[] {
    const { hops, ahead } = batch
    batch.hops = []
    if (ahead === undefined) return hops
    return hops.filter((item) => {
      const busy = ahead.holds(item.box)
      if (busy) batch.held.push(item)
      return !busy
    })
  }

  /** What was held goes on, behind what came for its boxes before. */
  #letHeld(batch: Batch): void {
    const { mailbox } = this.#ports
    for (const item of batch.held.splice(0)) batch.hops.push(...mailbox.takeAll(item.box), item)
  }

  /** It goes no further in this batch, or stands behind one that does not. */
  #isLater(batch: Batch, item: Item, isFirst: boolean): boolean {
    return batch.later.has(item.box) || (!isFirst && this.#ports.router.isFar(batch, item))
  }

  /** The batch is full: what was emitted in it must not be lost with this process, so it is stored in its commit. */
  #postpone(batch: Batch, item: Item): void {
    batch.later.add(item.box)
    if (item.counted && item.inbox === undefined && item.hops > 0) this.#ports.router.spill(batch, item)
    else batch.leftovers.push({ item, row: -1 })
  }

  /** `behind`: boxes that an event has gone to in this wave; what has come for them after it stays behind it. */
  #process(batch: Batch, item: Item, found: ReadonlyMap<string, ReceiptRow>, behind: Set<string>): void {
    if (this.#duplicate(batch, item, found)) return
    const { booker, publisher } = this.#ports
    if (booker.gone(batch, item)) return
    const { input } = item
    if (input.kind === 'event') {
      const before = batch.hops.length
      batch.letters.add(item.box)
      publisher.letter(batch, item, input as EventLetter)
      for (const { box } of batch.hops.slice(before)) behind.add(box)
      return
    }
    const corrupt = batch.corrupt.get(item.box)
    if (corrupt !== undefined) {
      this.#setAside(batch, item, corrupt)
      return
    }
    const touched = batch.touched.get(item.box) ?? this.#stranger(batch, item)
    if (touched.instance === null && batch.stones.has(item.box)) {
      booker.removed(batch, item)
      return
    }
    const context = this.#context(batch, item, touched)
    const outcome = dispatch(touched.definition, item.target.id, touched, input, context)
    booker.book(batch, touched, item, outcome)
  }

  /** A row of its instance cannot be read (I10). What is stored stays where it is, for the worker that finds the row mended; what this batch
   *  sends to it is stored; whoever waits for an answer is told. */
  #setAside(batch: Batch, item: Item, { code, message }: PawlError): void {
    const { reply, booked } = item
    if (isHop(item)) {
      batch.later.add(item.box)
      this.#ports.router.spill(batch, item)
      return
    }
    if (reply !== undefined) batch.after.push(() => reply({ fate: 'bad', code, message, entries: [] }))
    // Its call is open still: whoever reads it next makes it again, under the same key.
    if (booked !== undefined)
      batch.after.push(() => booked({ nextAt: undefined, failed: { code: 'other', message, outcome: 'unknown' } }))
  }

  /** A machine that this build does not know: its messages are parked. */
  #stranger(batch: Batch, item: Item): Touched {
    const touched = touchedOf(item, unknownMachine(item.target.machine), NOBODY)
    batch.touched.set(item.box, touched)
    return touched
  }

  #context(batch: Batch, item: Item, touched: Touched): Context {
    const { ks, newIncarnation, session } = this.#ports
    const { instance } = touched
    const restarts = item.input.kind === 'start' && item.input.restart === true
    const create =
      instance !== null && !restarts
        ? null
        : { k: instance?.k ?? ks.next(), partition: item.partition, incarnation: newIncarnation() }
    return { now: batch.now, leaseMs: this.#settings.leaseMs, session: session(), create }
  }

  /** A message whose id was here before. True: it goes no further. */
  #duplicate(batch: Batch, item: Item, found: ReadonlyMap<string, ReceiptRow>): boolean {
    const { delivery, input } = item
    if (!isFirst(delivery)) return false
    const key = receiptKey({ target: receiptTarget(item), source: delivery.dedup.source, id: input.id })
    const receipt = batch.receipts.get(key) ?? found.get(key)
    if (receipt === undefined) return false
    const same = receipt.hash === delivery.dedup.hash
    this.#ports.booker.duplicate(
      batch,
      item,
      same ? { fate: 'duplicate', receipt, entries: [] } : { fate: 'reused', receipt, entries: [] },
    )
    return true
  }
}
