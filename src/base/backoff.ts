import type { Random } from './random.ts'

/** How long to wait before an attempt is made again. */
export interface Backoff {
  /** The longest wait before the first retry. */
  firstMs: number
  /** How much longer each further wait may be; 1 or more. */
  factor: number
  /** No wait is longer. */
  maxMs: number
}

/**
 * The wait in ms before retry number `attempt` (1 = the first retry): evenly between a floor and
 * ceiling = min(maxMs, firstMs × factor^(attempt − 1)). Full jitter, since clients that failed together must not come back
 * together; the floor (a tenth of the ceiling, at least 1 ms, at most `firstMs`) is there because pure full jitter draws waits near 0, and these are
 * retries that hammer a service which is down.
 */
export function backoffMs(b: Backoff, attempt: number, random: Random): number {
  // The power overflows to Infinity for large attempts; min() brings it back. firstMs 0 would make 0 × Infinity = NaN.
  const firstMs = Math.max(b.firstMs, 1)
  const ceilingMs = Math.max(1, Math.min(b.maxMs, firstMs * Math.max(b.factor, 1) ** Math.max(0, attempt - 1)))
  const floorMs = Math.max(1, Math.min(firstMs, ceilingMs / 10))
  return floorMs + random.next() * (ceilingMs - floorMs)
}
