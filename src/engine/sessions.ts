// The lease of this worker, and the partitions that it owns through it.
//
//   none ──openSession──▶ held ──renew (a third of the lease)──▶ held
//                          │──commit or renewal says gone──▶ lost: everything in memory is dropped, a new session is opened
//                          └──stop──▶ closed
//
// The store is the authority; this process only believes what it was told last. A worker that cannot reach its store keeps
// what it has and computes nothing; when its lease has run out by the monotonic clock it starts no attempts.
import type { Clock } from '../base/clock.ts'
import type { Renewal, Store } from '../store/store.ts'
import type { Ownership } from './ownership.ts'
import type { StoreTime } from './time.ts'

/** What sessions need, and whom they tell. `lane` runs work between two batches. */
export interface SessionPorts {
  readonly store: Store
  readonly clock: Clock
  readonly ownership: Ownership
  readonly time: StoreTime
  readonly build: string
  readonly leaseMs: number
  readonly partitions: number
  readonly lane: <T>(work: () => Promise<T>) => Promise<T>
  /** Partitions came: their inbox is to be read whole before they are used. */
  readonly onAcquired: (partitions: readonly number[]) => Promise<void>
  /** Partitions are to be given away: their items go on to their new owner. */
  readonly onLost: (partitions: readonly number[]) => Promise<void>
  /** The session is gone. */
  readonly onFenced: () => Promise<void>
  readonly onError: (text: string, error: unknown) => void
}

/** The session of one worker. */
export class Sessions {
  readonly #ports: SessionPorts
  #id = ''
  #renewedAt = 0
  #cancel: (() => void) | undefined
  #stopped = false

  constructor(ports: SessionPorts) {
    this.#ports = ports
  }

  get id(): string {
    return this.#id
  }

  /** Whether at least a third of the lease is left: only then an attempt is started. An embedded store's never runs out. */
  mayStart(): boolean {
    const { store, clock, leaseMs } = this.#ports
    return this.#id !== '' && (!store.features.sessions || clock.monotonic() - this.#renewedAt <= (leaseMs * 2) / 3)
  }

  async open(): Promise<void> {
    const { store, clock, build, leaseMs, time } = this.#ports
    this.#renewedAt = clock.monotonic()
    const { session } = await store.openSession({ build, leaseMs })
    this.#id = session
    time.heard(await store.now())
  }

  /** Takes its share; before that, gives away what is over it. Runs in the lane. */
  async rebalance(): Promise<void> {
    const { store, ownership } = this.#ports
    if (!store.features.sessions) return await this.#balance({ sessions: 1, partitions: ownership.size })
    const { alive, renewal } = await this.#renew()
    if (alive) await this.#balance(renewal)
  }

  async #balance({ sessions, partitions }: Pick<Renewal, 'sessions' | 'partitions'>): Promise<void> {
    const { store, ownership, onAcquired, onLost } = this.#ports
    // Whoever has given up waiting for a commit must not give its partitions away: it may be applied after that.
    if (this.#stopped) return
    const want = this.#want(sessions)
    // An answer was lost: the store knows better what is ours, and tells when it is asked for no more than that.
    if (partitions !== ownership.size) ownership.acquired(await store.acquire(this.#id, partitions))
    const over = ownership.all.slice(want)
    if (over.length > 0) {
      await onLost(over)
      await store.release(this.#id, over)
    }
    if (ownership.size < want) ownership.acquired(await store.acquire(this.#id, want))
    const fresh = ownership.undrained // those of a time before, too, where reading failed
    if (fresh.length > 0) await onAcquired(fresh)
  }

  /** A session that has expired takes nothing any more: were it counted, its share would lie idle. */
  #want(sessions: number): number {
    return Math.ceil(this.#ports.partitions / Math.max(1, sessions))
  }

  #isBalanced({ sessions, partitions }: Renewal): boolean {
    const { size, undrained } = this.#ports.ownership
    return partitions === size && size === this.#want(sessions) && undrained.length === 0
  }

  /** Renews and rebalances for ever. */
  run(): void {
    if (!this.#ports.store.features.sessions || this.#stopped) return
    this.#cancel = this.#ports.clock.after(this.#ports.leaseMs / 3, () => void this.#tick(), { poll: true })
  }

  async #tick(): Promise<void> {
    const { lane, onError } = this.#ports
    // A commit may be fenced meanwhile and open another session: that one must not be taken for the one that is gone.
    const mine = this.#id
    try {
      const { alive, renewal } = await this.#renew()
      if (!alive) await lane(() => this.fenced(mine))
      else if (!this.#isBalanced(renewal))
        await lane(async () => {
          if (mine === this.#id) await this.#balance(renewal)
        })
    } catch (error) {
      onError('the session could not be renewed', error)
    }
    this.run()
  }

  /** Not alive: the session for which it was asked is gone. */
  async #renew(): Promise<{ readonly alive: boolean; readonly renewal: Renewal }> {
    const { store, clock, leaseMs, time } = this.#ports
    const askedAt = clock.monotonic()
    const mine = this.#id
    const renewal = await store.renew(mine, leaseMs)
    time.heard(renewal.now)
    const alive = renewal.alive && mine === this.#id
    if (alive) this.#renewedAt = askedAt
    return { alive, renewal }
  }

  /** The session is gone: nothing in memory is true any more. Opens a new one. Runs in the lane. */
  async fenced(session: string): Promise<void> {
    if (session !== this.#id || this.#stopped) return
    await this.#ports.onFenced()
    await this.open()
    await this.rebalance()
  }

  /** Renews no more, and gives nothing back: the lease runs out. */
  halt(): void {
    this.#stopped = true
    this.#cancel?.()
  }

  async close(): Promise<void> {
    this.halt()
    if (this.#id !== '') await this.#ports.store.closeSession(this.#id)
    this.#id = ''
  }
}
