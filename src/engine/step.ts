// The one place where the durable promise is kept: gather → (load → transition)* → commit → release.
//
// Owns: one lane, which has one commit in flight and computes one batch meanwhile. Does not own: what comes in (mailbox.ts), which
// partitions are ours (ownership.ts), the attempts that a commit lets start (attempts.ts).
//
// S1  Transitions are computed on committed state only: while a commit is in flight nothing is computed of an instance that it touches. What
//     has come for such a one is put aside; what a transition sends to it is held until that commit has settled.
// S2  When a commit is not applied, every instance that it touched leaves the cache, its items go back to the head of their
//     boxes in order, and heads, stamps and sums that were given out are forgotten (they live in the batch). So it is with the batch
//     that was computed meanwhile, which counts on those heads: it is sent only when the one before it is applied.
// S3  What a batch lets happen (replies, attempts, timers, lifecycle events) happens after its commit is applied, never before.
// S4  A number that was sent with a change is never used for another change: before a batch is changed it is burnt.
// S5  A change that can never be written is made smaller until one instance is alone with it, and that one stalls.
import type { Clock } from '../base/clock.ts'
import { PawlError } from '../base/errors.ts'
import type { Context } from '../core/draft.ts'
import { dispatch } from '../core/transition.ts'
import type { Found, ReceiptRow, Store } from '../store/store.ts'
import { Batch, touchedOf, type Touched } from './batch.ts'
import type { Booker } from './book.ts'
import { entryOf, type Cache, type Entry } from './cache.ts'
import type { Committed, Committer } from './commit.ts'
import { receiptKey, receiptTarget } from './ledger.ts'
import type { EventLetter, Item, Mailbox } from './mailbox.ts'
import type { Numbers } from './numbers.ts'
import type { Publisher } from './publish.ts'
import type { Ownership } from './ownership.ts'
import type { Registry } from './registry.ts'
import { boxOf, type Router } from './route.ts'
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
export interface StepPorts {
  readonly store: Store
  readonly clock: Clock
  readonly registry: Registry
  readonly mailbox: Mailbox
  readonly cache: Cache
  readonly ownership: Ownership
  readonly router: Router
  readonly booker: Booker
  readonly publisher: Publisher
  readonly committer: Committer
  readonly ks: Numbers
  readonly places: Numbers
  readonly newIncarnation: () => string
  readonly session: () => string
  /** The store's clock. */
  readonly now: () => Promise<number>
  /** Whether an erased instance may have left a stone. */
  readonly stones: () => boolean
  /** Items of partitions that this worker does not own any more. */
  readonly strays: (items: readonly Item[]) => Promise<void>
  /** A row of the inbox that this worker wrote for itself, and has in memory. */
  readonly wrote: (n: number, partition: number) => void
  /** What a committed batch lets happen. */
  readonly release: (batch: Batch, ms: number) => void
  /** The store could not be read, for the n-th time in a row: resolves when it is worth another try. */
  readonly onRead: (error: unknown, failures: number) => Promise<void>
  /** The session is gone. */
  readonly fenced: () => Promise<void>
  /** The store cannot be trusted any more. */
  readonly broken: (error: unknown) => void
  /** An instance whose rows the store can never take. */
  readonly unwritable: (item: Item, error: unknown) => Promise<void>
  /** A commit has settled: there may be more to do. */
  readonly wake: () => void
}

/** A batch on its way to the store. */
interface Flight {
  readonly batch: Batch
  readonly result: Promise<Committed>
  failed: boolean
}

/** Items that are gathered at least, however slow they are. */
const ROOM_MIN = 32

/** An unknown instance, and no message waits for it. */
const NOBODY: Entry = { instance: null, waiting: [], children: new Map() }

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
  /** Items of one batch: 1 after a change was refused, until the bad row is found. */
  #narrow: number | undefined
  /** Reads that have failed in a row. */
  #failures = 0
  /** The commit in flight; one that has failed stays here until that is dealt with. */
  #flight: Flight | undefined
  /** How many items are gathered at once: as many as a batch has had time for lately. */
  #room: number

  constructor(ports: StepPorts, settings: StepSettings) {
    this.#ports = ports
    this.#settings = settings
    this.#room = settings.items
  }

  /** Whether a commit is in flight. */
  get committing(): boolean {
    return this.#flight !== undefined
  }

  /** One batch, until it is sent. False: there is nothing to do before something comes, or the commit in flight has settled. */
  async run(): Promise<boolean> {
    if (this.#flight?.failed === true || this.#narrow !== undefined) await this.settle()
    const ahead = this.#flight?.batch
    const items = await this.#own(this.#gather(ahead))
    if (items.length === 0) return false
    const batch = await this.#computed(items, ahead)
    if (batch === undefined) return true
    if (!(await this.#cleared(batch))) return true
    this.#send(batch)
    if (this.#narrow !== undefined) await this.settle()
    return true
  }

  /** Waits until no commit is in flight, and does what a failed one asks for. */
  async settle(): Promise<void> {
    const flight = this.#flight
    if (flight === undefined) return
    const result = await this.#resultOf(flight)
    if (this.#flight !== flight) return
    this.#flight = undefined
    this.#undo(flight.batch)
    if (result.kind === 'rejected') await this.#narrower(flight.batch, result.error)
    else if (result.kind === 'fenced') await this.#ports.fenced()
    else if (result.kind === 'broken') this.#ports.broken(result.error)
  }

  async #resultOf(flight: Flight): Promise<Committed> {
    try {
      return await flight.result
    } catch (error) {
      this.#flight = undefined
      this.#undo(flight.batch)
      throw error
    }
  }

  /** Boxes come whole; who looks for a bad row wants no more than so many items. What the batch in flight touches is put aside. */
  #gather(ahead: Batch | undefined): readonly Item[] {
    const { mailbox } = this.#ports
    const items = mailbox.gather(this.#narrow ?? this.#room)
    if (this.#narrow !== undefined && items.length > this.#narrow) mailbox.putBack(items.splice(this.#narrow))
    if (ahead === undefined) return items
    return items.filter((item) => {
      const busy = ahead.holds(item.box)
      if (busy) mailbox.putAside(item)
      return !busy
    })
  }

  /** Waits for the commit that a batch was computed beside. False: it has failed, and nothing of this batch has happened. */
  async #cleared(batch: Batch): Promise<boolean> {
    const flight = this.#flight
    if (flight !== undefined && flight.batch === batch.ahead) await flight.result.catch(() => {})
    if (this.#follows(batch)) return true
    this.#undo(batch)
    await this.settle()
    return false
  }

  /** Whether the batch before this one is applied; then nothing of that one stands in its way any more. */
  #follows(batch: Batch): boolean {
    if (batch.ahead === undefined || batch.ahead.applied) batch.ahead = undefined
    return batch.ahead === undefined
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
      batch = new Batch(await reading(now), this.#narrow === 1, ahead)
      if (!(await this.#compute(batch, items))) return undefined
      this.#failures = 0
      this.#fit(batch, items.length)
      return batch
    } catch (error) {
      if (batch === undefined) mailbox.putBack(items)
      else this.#undo(batch)
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
        if (!(await this.#cleared(batch))) return false
        this.#letHeld(batch)
        continue
      }
      for (const item of wave) if (!isHop(item)) batch.roots.push(item)
      const found = await reading(() => this.#load(batch, wave))
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

  /** Reads what the wave needs and memory does not have: one query for instances, one for receipts. */
  async #load(batch: Batch, wave: readonly Item[]): Promise<ReadonlyMap<string, ReceiptRow>> {
    const { store, cache, ks, places } = this.#ports
    const missing = new Map<string, Item>()
    const receipts: { target: string; source: string; id: string }[] = []
    for (const item of wave) {
      const { delivery, input, box } = item
      if (delivery?.deadLetter !== undefined && (await store.deadLetter(delivery.deadLetter)) === null)
        batch.gone.add(delivery.deadLetter)
      if (isFirst(delivery)) receipts.push({ target: receiptTarget(item), source: delivery.dedup.source, id: input.id })
      if (input.kind === 'event' || batch.touched.has(box) || missing.has(box)) continue
      const entry = item.isNew === true ? NOBODY : cache.get(box)
      if (entry === undefined) missing.set(box, item)
      else this.#touch(batch, item, entry)
    }
    if (!ks.has(wave.length)) await ks.ensure(wave.length)
    if (!places.has(wave.length)) await places.ensure(wave.length)
    if (missing.size > 0) {
      for (const found of await store.load(Array.from(missing.values(), ({ target }) => target)))
        this.#found(batch, found, missing)
      if (this.#ports.stones()) await this.#lookForStones(batch, missing)
    }
    if (receipts.length === 0) return new Map()
    return new Map((await store.receipts(receipts)).map((row) => [receiptKey(row), row]))
  }

  #found(batch: Batch, { target, loaded, orphans }: Found, missing: ReadonlyMap<string, Item>): void {
    const item = missing.get(boxOf(target))
    if (item === undefined) return
    this.#touch(batch, item, loaded === null && orphans.length === 0 ? NOBODY : entryOf(loaded, orphans))
  }

  /** Whoever is not there may have been erased. */
  async #lookForStones(batch: Batch, missing: ReadonlyMap<string, Item>): Promise<void> {
    for (const [box, { target }] of missing)
      if (batch.touched.get(box)?.instance === null && (await this.#ports.store.tombstone(target)) !== null)
        batch.stones.add(box)
  }

  #touch(batch: Batch, item: Item, before: Entry): void {
    const definition = this.#ports.registry.machines.get(item.target.machine)
    if (definition !== undefined) batch.touched.set(item.box, touchedOf(item, definition, before))
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
    const touched = batch.touched.get(item.box) ?? this.#stranger(batch, item)
    if (touched.instance === null && batch.stones.has(item.box)) {
      booker.removed(batch, item)
      return
    }
    const context = this.#context(batch, item, touched)
    const outcome = dispatch(touched.definition, item.target.id, touched, input, context)
    booker.book(batch, touched, item, outcome)
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

  /** Sends a batch. What it lets happen happens as soon as it is applied; a failure waits for the next turn. */
  #send(batch: Batch): void {
    const { committer, release, clock, wake } = this.#ports
    const startedAt = clock.monotonic()
    const result = committer.commit(batch.change()).then((said) => {
      if (said.kind === 'applied') {
        this.#flight = undefined
        this.#applied(batch, said.inbox)
        release(batch, clock.monotonic() - startedAt)
        this.#wider()
      } else flight.failed = true
      return said
    })
    const flight: Flight = { batch, result, failed: false }
    this.#flight = flight
    // A bug of ours, in what is released: whoever settles throws it.
    result.catch(() => {
      flight.failed = true
      this.#flight = flight
    })
    void result.then(wake, wake)
  }

  #wider(): void {
    this.#narrow = this.#narrow === undefined || this.#narrow >= this.#settings.items ? undefined : this.#narrow * 2
  }

  #applied(batch: Batch, rows: readonly number[]): void {
    const { mailbox, ownership, wrote } = this.#ports
    batch.applied = true
    ownership.committed(batch.heads)
    mailbox.bringBack()
    for (const { item, row } of batch.leftovers) if (row >= 0) wrote(rows[row] ?? 0, item.partition)
    mailbox.putBack(batch.leftovers.map(({ item, row }) => (row < 0 ? item : withRow(item, rows[row]))))
  }

  /** Nothing of the batch has happened. */
  #undo(batch: Batch): void {
    const { cache, mailbox } = this.#ports
    for (const box of batch.touched.keys()) cache.delete(box)
    mailbox.bringBack()
    const roots = new Set([...batch.roots, ...[...batch.hops, ...batch.held].filter((item) => !isHop(item))])
    for (const { item, row } of batch.leftovers) if (row < 0 && !isHop(item)) roots.add(item)
    mailbox.putBack([...roots])
  }

  /** One row is at fault: smaller batches, until one item is alone with it. */
  async #narrower(batch: Batch, error: unknown): Promise<void> {
    const { roots, alone } = batch
    // A hop takes along what waits for its target: there may be more roots than were gathered, and their number would not fall.
    this.#narrow = Math.max(1, Math.floor(Math.min(new Set(roots).size, this.#narrow ?? Infinity) / 2))
    const [only] = roots
    // One item may have touched many instances: alone it writes its own, and what it emits goes by the inbox.
    if (!alone || only === undefined) return
    const { mailbox, unwritable, onRead } = this.#ports
    for (const item of mailbox.takeAll(only.box)) if (item !== only) mailbox.post(item)
    try {
      await unwritable(only, error)
      this.#narrow = undefined
    } catch (unread) {
      mailbox.putBack([only])
      await onRead(unread, 1)
    }
  }
}

/** Has an id from outside, by which it may have been here before. */
const isFirst = (delivery: Item['delivery']): delivery is NonNullable<Item['delivery']> & { readonly dedup: object } =>
  delivery?.dedup !== undefined && delivery.deadLetter === undefined && delivery.again !== true

/** It was made inside this batch, and goes with it. */
const isHop = (item: Item): boolean => item.hops > 0 && item.inbox === undefined

const withRow = (item: Item, inbox: number | undefined): Item => {
  if (inbox === undefined) throw new PawlError('STORE_BROKEN', 'the store did not say where it put a row of the inbox')
  return { ...item, inbox }
}
