// Deletes what is over, after its time, in small batches beside the work.
import type { Clock } from '../base/clock.ts'
import { disown } from '../base/promise.ts'
import type { Store } from '../store/store.ts'

/** How long what is over is kept, in ms; undefined: for ever. */
export interface RetentionSettings {
  readonly endedMs?: number
  readonly receiptsMs: number
  readonly deadMs?: number
}

/** What it works with. */
export interface RetentionPorts {
  readonly store: Store
  readonly clock: Clock
  readonly storeNow: () => number
  readonly session: () => string
  readonly settings: RetentionSettings
  /** Runs work between two batches: what a batch has looked at must still be there when it commits. */
  readonly lane: (work: () => Promise<void>) => Promise<void>
  readonly onError: (text: string, error: unknown) => void
  /** How often it looks where there is nothing to delete. Default 5,000. */
  readonly quietMs?: number | undefined
}

/** Rows of one batch. How long one takes depends on the disk, and on whether the page that it stands on is in memory: fitted as it goes. */
const ROWS = { first: 200, least: 50, most: 5_000 } as const
/**
 * How long a batch is to take: it rests three times as long as it works, so that it takes a quarter of the worker at most, and an embedded
 * store can do nothing else meanwhile. A busy worker comes back to it late, and finds it longer: else it would fall behind there.
 */
const BATCH_MS = { least: 5, most: 50 } as const
const REST = 3
const GROWTH = 1.25
const WEIGHT = 0.2
/** What a row is expected to take at first, in ms. */
const ROW_MS = 0.02
/** Between two batches while there is something to delete, at least; and while there is not. */
const BUSY_MS = 5
const QUIET_MS = 5_000

/** The retention of one worker. */
export class Retention {
  readonly #ports: RetentionPorts
  readonly #quietMs: number
  #cancel: (() => void) | undefined
  #turn: Promise<void> = Promise.resolve()
  #stopped = false
  #rows: number = ROWS.first
  #msPerRow = ROW_MS
  #endedAt = -Infinity

  constructor(ports: RetentionPorts) {
    this.#ports = ports
    this.#quietMs = ports.quietMs ?? QUIET_MS
  }

  run(): void {
    this.#next(this.#quietMs)
  }

  /** Waits for the batch in flight. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#turn
  }

  #next(ms: number): void {
    if (this.#stopped) return
    // A lane that has ended runs nothing more, and says so: nobody is left to hear it. `stop` waits for a batch that has begun, not for its turn.
    const batch = (): void => void disown(this.#ports.lane(() => (this.#turn = this.#batch())))
    this.#cancel = this.#ports.clock.after(ms, batch, { poll: true })
  }

  async #batch(): Promise<void> {
    if (this.#stopped) return
    const { store, clock, storeNow, session, settings, onError } = this.#ports
    const { endedMs, receiptsMs, deadMs } = settings
    const limit = this.#rows
    const startedAt = clock.monotonic()
    let rows = 0
    try {
      const now = storeNow()
      rows = await store.retain(session(), {
        receiptsBefore: now - receiptsMs,
        ...(endedMs !== undefined && { endedBefore: now - endedMs }),
        ...(deadMs !== undefined && { deadBefore: now - deadMs }),
        limit,
      })
    } catch (error) {
      onError('what is over could not be deleted', error)
    }
    const endedAt = clock.monotonic()
    if (rows >= limit) this.#fit((endedAt - startedAt) / rows, startedAt - this.#endedAt)
    this.#endedAt = endedAt
    this.#next(rows === 0 ? this.#quietMs : Math.max(BUSY_MS, (endedAt - startedAt) * REST))
  }

  /** One batch says little: a checkpoint may have come in it. So what is expected of a row changes slowly, and batches grow slowly. */
  #fit(msPerRow: number, restedMs: number): void {
    this.#msPerRow += (msPerRow - this.#msPerRow) * WEIGHT
    const wantedMs = Math.min(BATCH_MS.most, Math.max(BATCH_MS.least, restedMs / REST))
    const wanted = Math.floor(Math.min(wantedMs / this.#msPerRow, this.#rows * GROWTH))
    this.#rows = Math.min(ROWS.most, Math.max(ROWS.least, wanted))
  }
}
