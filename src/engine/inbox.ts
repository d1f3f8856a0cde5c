// What others have stored for this worker's partitions. Read whole after an acquisition (O1), then whenever somebody hints, or
// now and then. A row stays in the table until the commit that decides about it; what is in memory is not posted twice.
import type { Clock } from '../base/clock.ts'
import type { InboxRow, Store } from '../store/store.ts'
import type { Item } from './mailbox.ts'
import type { Ownership } from './ownership.ts'
import type { Router } from './route.ts'

/** What it works with. */
export interface InboxPorts {
  readonly store: Store
  readonly clock: Clock
  readonly ownership: Ownership
  readonly router: Router
  readonly post: (item: Item) => void
  /** How often the table is looked at where nobody hinted. An embedded store has no other writers. */
  readonly pollMs: number
  /** Runs work between two batches. A read beside a commit in flight could answer with rows that the commit takes, or miss that it wrote some. */
  readonly lane: (work: () => Promise<void>) => Promise<void>
  readonly onError: (text: string, error: unknown) => void
}

const PAGE = 1_000
/** When a read that failed is tried again, where nobody polls. */
const AGAIN_MS = 500

/** The inbox of one worker. */
export class Inbox {
  readonly #ports: InboxPorts
  /** Rows that are in memory, with their partition. */
  readonly #known = new Map<number, number>()
  #reading = false
  #again = false
  #stopped = false
  #cancel: (() => void) | undefined

  constructor(ports: InboxPorts) {
    this.#ports = ports
  }

  /** Polls for ever where other workers write. */
  run(): void {
    if (!this.#ports.store.features.sessions || this.#stopped) return
    const { clock, pollMs } = this.#ports
    this.#cancel = clock.after(pollMs, () => void this.hint().finally(() => this.run()), { poll: true })
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  /** Reads all of it before the partitions count as owned. Runs in the lane. Fails where the store does. */
  async drain(partitions: readonly number[]): Promise<void> {
    await this.#readAll()
    // Who stops reads nothing more: what comes to a worker in its last moments is never owned, or a local hop would overtake what lies there.
    if (!this.#stopped) this.#ports.ownership.drained(partitions)
  }

  /** There may be something new. */
  async hint(): Promise<void> {
    if (this.#reading) {
      this.#again = true
      return
    }
    this.#reading = true
    try {
      do {
        this.#again = false
        await this.#ports.lane(() => this.#readAll())
      } while (this.#again)
    } catch (error) {
      this.#ports.onError('the inbox could not be read', error)
      this.#later()
    } finally {
      this.#reading = false
    }
  }

  /** Nobody may hint again: what could not be read is read later. */
  #later(): void {
    if (this.#ports.store.features.sessions || this.#stopped) return
    this.#cancel?.()
    this.#cancel = this.#ports.clock.after(AGAIN_MS, () => void this.hint())
  }

  /** These rows are gone. */
  read(rows: readonly number[]): void {
    for (const n of rows) this.#known.delete(n)
  }

  /** These are in memory already: this worker wrote them. */
  wrote(n: number, partition: number): void {
    this.#known.set(n, partition)
  }

  /** Forgets rows of partitions that are not ours any more. */
  forget(partition: number): void {
    for (const [n, of] of this.#known) if (of === partition) this.#known.delete(n)
  }

  async #readAll(): Promise<void> {
    const { store, ownership } = this.#ports
    for (let fresh = PAGE; fresh > 0 && !this.#stopped;) {
      const rows = await store.inbox(ownership.all, this.#known.size + PAGE)
      fresh = 0
      for (const row of rows) {
        if (this.#known.has(row.n) || !ownership.has(row.partition)) continue
        fresh += 1
        this.#known.set(row.n, row.partition)
        this.#post(row)
      }
    }
  }

  #post({ n, letter }: InboxRow): void {
    const { router, clock, post } = this.#ports
    const { delivery } = letter
    const more = { since: clock.monotonic(), counted: true, inbox: n, ...(delivery !== undefined && { delivery }) }
    if (letter.kind === 'input') post(router.item(letter.target, letter.input, more))
    else post(router.item({ machine: '', id: letter.key }, letter, more))
  }
}
