// Deletes what is over, after its time, in small batches beside the work: never more rows at once than a commit writes.
import type { Clock } from '../base/clock.ts'
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
  readonly onError: (text: string, error: unknown) => void
}

/** Rows of one batch. */
const ROWS = 200
/** Between two batches while there is something to delete, and while there is not. */
const BUSY_MS = 20
const QUIET_MS = 5_000

/** The retention of one worker. */
export class Retention {
  readonly #ports: RetentionPorts
  #cancel: (() => void) | undefined
  #turn: Promise<void> = Promise.resolve()
  #stopped = false

  constructor(ports: RetentionPorts) {
    this.#ports = ports
  }

  run(): void {
    this.#next(QUIET_MS)
  }

  /** Waits for the batch in flight. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancel?.()
    await this.#turn
  }

  #next(ms: number): void {
    if (this.#stopped) return
    this.#cancel = this.#ports.clock.after(ms, () => {
      this.#turn = this.#batch()
    })
  }

  async #batch(): Promise<void> {
    const { store, storeNow, session, settings, onError } = this.#ports
    const { endedMs, receiptsMs, deadMs } = settings
    let rows = 0
    try {
      const now = storeNow()
      rows = await store.retain(session(), {
        receiptsBefore: now - receiptsMs,
        ...(endedMs !== undefined && { endedBefore: now - endedMs }),
        ...(deadMs !== undefined && { deadBefore: now - deadMs }),
        limit: ROWS,
      })
    } catch (error) {
      onError('what is over could not be deleted', error)
    }
    this.#next(rows > 0 ? BUSY_MS : QUIET_MS)
  }
}
