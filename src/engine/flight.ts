// The way of a batch to the store: one commit in flight, what its answer asks for, and the search for a bad row.
//
// S2  When a commit is not applied, every instance that it touched leaves the cache, its items go back to the head of their
//     boxes in order, and heads, stamps and sums that were given out are forgotten (they live in the batch). So it is with the batch
//     that was computed meanwhile, which counts on those heads: it is sent only when the one before it is applied.
// S3  What a batch lets happen (replies, attempts, timers, lifecycle events) happens after its commit is applied, never before.
// S4  A number that was sent with a change is never used for another change: before a batch is changed it is burnt.
// S5  A change that can never be written is made smaller until one instance is alone with it, and that one stalls.
import type { Clock } from '../base/clock.ts'
import { PawlError } from '../base/errors.ts'
import { isHop, type Batch } from './batch.ts'
import type { Cache } from './cache.ts'
import type { Committed, Committer } from './commit.ts'
import type { Item, Mailbox } from './mailbox.ts'
import type { Ownership } from './ownership.ts'

/** What a commit works with. */
export interface FlightPorts {
  readonly clock: Clock
  readonly mailbox: Mailbox
  readonly cache: Cache
  readonly ownership: Ownership
  readonly committer: Committer
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

/** The commits of one lane. */
export class Flights {
  readonly #ports: FlightPorts
  /** Items of a batch that is as large as may be. */
  readonly #itemsMax: number
  /** Items of one batch: 1 after a change was refused, until the bad row is found. */
  #narrow: number | undefined
  /** The commit in flight; one that has failed stays here until that is dealt with. */
  #flight: Flight | undefined

  constructor(ports: FlightPorts, itemsMax: number) {
    this.#ports = ports
    this.#itemsMax = itemsMax
  }

  /** The batch that is on its way. */
  get batch(): Batch | undefined {
    return this.#flight?.batch
  }

  /** How many items a batch may have while a bad row is looked for; undefined: none is. */
  get narrow(): number | undefined {
    return this.#narrow
  }

  /** Nothing is computed beside a commit that has failed, or while a bad row is looked for. */
  async ready(): Promise<void> {
    if (this.#flight?.failed === true || this.#narrow !== undefined) await this.settle()
  }

  /** Waits until no commit is in flight, and does what a failed one asks for. */
  async settle(): Promise<void> {
    const flight = this.#flight
    if (flight === undefined) return
    const result = await this.#resultOf(flight)
    if (this.#flight !== flight) return
    this.#flight = undefined
    this.undo(flight.batch)
    if (result.kind === 'rejected') await this.#narrower(flight.batch, result.error)
    else if (result.kind === 'fenced') await this.#ports.fenced()
    else if (result.kind === 'broken') this.#ports.broken(result.error)
  }

  async #resultOf(flight: Flight): Promise<Committed> {
    try {
      return await flight.result
    } catch (error) {
      this.#flight = undefined
      this.undo(flight.batch)
      throw error
    }
  }

  /** Waits for the commit that a batch was computed beside. False: it has failed, and nothing of this batch has happened. */
  async cleared(batch: Batch): Promise<boolean> {
    const flight = this.#flight
    if (flight !== undefined && flight.batch === batch.ahead) await flight.result.catch(() => {})
    if (this.#follows(batch)) return true
    this.undo(batch)
    await this.settle()
    return false
  }

  /** Whether the batch before this one is applied; then nothing of that one stands in its way any more. */
  #follows(batch: Batch): boolean {
    if (batch.ahead === undefined || batch.ahead.applied) batch.ahead = undefined
    return batch.ahead === undefined
  }

  /** Sends a batch. What it lets happen happens as soon as it is applied; a failure waits for the next turn. */
  send(batch: Batch): void {
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
    this.#narrow = this.#narrow === undefined || this.#narrow >= this.#itemsMax ? undefined : this.#narrow * 2
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
  undo(batch: Batch): void {
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

const withRow = (item: Item, inbox: number | undefined): Item => {
  if (inbox === undefined) throw new PawlError('STORE_BROKEN', 'the store did not say where it put a row of the inbox')
  return { ...item, inbox }
}
