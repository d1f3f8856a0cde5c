// What the driver and a life of errand-worker.ts agree on.
import type { Rest } from './errand.ts'

/** What one life is told to do. */
export interface ErrandLife {
  readonly db: string
  readonly port: number
  readonly rest: Rest
  /** Ids of all errands up to now. */
  readonly ids: readonly string[]
  /** Those whose start, and whose nudge, was acknowledged in an earlier life: these are not sent again. */
  readonly placed: readonly string[]
  readonly nudged: readonly string[]
  /** Between two errands. */
  readonly gapMs: number
  /** Also starts the one that sleeps for 30 days, and ends only when that has awoken. */
  readonly sleeps: boolean
}

/** The app did not start. */
export const REFUSED = 71
/** The app has stopped by itself. */
export const BROKEN = 70
