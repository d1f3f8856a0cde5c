// What the screen shows, gathered from what the app tells: its lifecycle events, its counts, its health.
import type { App, Counts, Health, Lifecycle } from 'pawl'
import { cancelCourier, order, refund, release } from './process.ts'

/** All that a screen shows, as data. Rates and the last group are of this process; counts are of the shop's whole life. */
export interface Figures {
  readonly counts: Counts
  readonly health: Health
  readonly upMs: number
  /** Per second, the newest last. */
  readonly transitions: readonly number[]
  readonly commitsPerSecond: number
  readonly commitSize: number
  readonly commitMs: number
  /** From an order's start to its end, over the newest thousands; undefined before the first. */
  readonly p50Ms: number | undefined
  readonly p99Ms: number | undefined
  readonly retries: number
  readonly compensations: number
  /** The newest thing that needs somebody. */
  readonly trouble: string | undefined
}

const SECONDS_SHOWN = 30
const DURATIONS_KEPT = 4_000
const UNDOS: ReadonlySet<string> = new Set([release.name, refund.name, cancelCourier.name])

/** The value below which that share of a list lies; undefined for an empty one. */
export function percentile(values: readonly number[], share: number): number | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))]
}

/** Listens to an app, and says how it goes. */
export class Watch {
  readonly #app: App
  readonly #now: () => number
  readonly #begunAt: number
  readonly #startedAt = new Map<string, number>()
  readonly #durations: number[] = []
  readonly #transitions: number[] = []
  readonly #recent = { transitions: 0, commits: 0, commitSize: 0, commitMs: 0 }
  #perSecond = { commits: 0, commitSize: 0, commitMs: 0 }
  #ended = 0
  #retries = 0
  #compensations = 0
  #trouble: string | undefined

  /** `now`: ms, never back. */
  constructor(app: App, now: () => number) {
    this.#app = app
    this.#now = now
    this.#begunAt = now()
    app.on((event) => this.take(event))
  }

  /** What the app tells. */
  take(event: Lifecycle): void {
    switch (event.kind) {
      case 'transition':
        this.#transition(event)
        break
      case 'attempt-started':
        if (event.attempt > 1) this.#retries++
        break
      case 'attempt-succeeded':
        if (UNDOS.has(event.activity)) this.#compensations++
        break
      case 'commit':
        this.#recent.commits++
        this.#recent.commitSize += event.size
        this.#recent.commitMs += event.ms
        break
      case 'stalled':
        this.#trouble = `${event.machine} ${event.id} stalled: ${event.error.code}: ${event.error.message}`
        break
      case 'dead-letter':
        this.#trouble = `dead letter ${event.letter.id}: ${event.letter.error.code}: ${event.letter.error.message}`
        break
      case 'attempt-failed':
      case 'late-timer':
      case 'partition-acquired':
      case 'partition-lost':
    }
  }

  /** Orders that were under way before this process began: they are measured too, from their own start. */
  async remember(limit: number): Promise<void> {
    const { items } = await this.#app.list(order, { limit })
    for (const { id, status } of items) {
      if (status !== 'running' && status !== 'waiting') continue
      for await (const row of this.#app.get(order, id).history({ limit: 1 }))
        if (!this.#startedAt.has(id)) this.#startedAt.set(id, row.at.getTime())
    }
  }

  /** To be called once a second. */
  tick(): void {
    const { transitions, commits, commitSize, commitMs } = this.#recent
    this.#transitions.push(transitions)
    if (this.#transitions.length > SECONDS_SHOWN) this.#transitions.shift()
    if (commits > 0) this.#perSecond = { commits, commitSize: commitSize / commits, commitMs: commitMs / commits }
    else this.#perSecond = { commits: 0, commitSize: 0, commitMs: 0 }
    Object.assign(this.#recent, { transitions: 0, commits: 0, commitSize: 0, commitMs: 0 })
  }

  async read(): Promise<Figures> {
    const [counts, health] = await Promise.all([this.#app.counts(), this.#app.health()])
    return {
      counts,
      health,
      upMs: this.#now() - this.#begunAt,
      transitions: this.#transitions,
      commitsPerSecond: this.#perSecond.commits,
      commitSize: this.#perSecond.commitSize,
      commitMs: this.#perSecond.commitMs,
      p50Ms: percentile(this.#durations, 0.5),
      p99Ms: percentile(this.#durations, 0.99),
      retries: this.#retries,
      compensations: this.#compensations,
      trouble: this.#trouble,
    }
  }

  #transition(event: Extract<Lifecycle, { kind: 'transition' }>): void {
    if (event.outcome !== 'applied') return
    this.#recent.transitions++
    if (event.machine !== order.name) return
    if (event.from === null) this.#startedAt.set(event.id, event.at.getTime())
    if (event.to !== 'done' && event.to !== 'undone') return
    const startedAt = this.#startedAt.get(event.id)
    if (startedAt === undefined) return
    this.#startedAt.delete(event.id)
    this.#durations[this.#ended++ % DURATIONS_KEPT] = event.at.getTime() - startedAt
  }
}
