// What one row of the bench is measured with, and what comes of it.

/** Who measures a row: a file of the same name, but for `leave`, which stands in startup.ts. */
export type Kind =
  'closed' | 'half-load' | 'http' | 'timers' | 'children' | 'deferred' | 'leave' | 'startup' | 'profile' | 'core'

/** One row. */
export interface Row {
  readonly kind: Kind
  /** What it is called in the table. */
  readonly label: string
  readonly work: string
  readonly store: 'sqlite' | 'memory'
  readonly inFlight: number
  /** How long it is measured, after a second of warming up. */
  readonly seconds: number
  readonly ids: 'uuid' | 'sequential'
  /** Finished instances that are in the store before. */
  readonly preload: number
  /** Instances, children or messages of a question that counts them. */
  readonly count: number
  /** Ended instances are kept that long. */
  readonly endedMs: number
  /** The file, with the finished instances in it; empty for the store in memory. */
  readonly path: string
}

/** Figures by name. Null: there is no such thing here. */
export type Figures = Readonly<Record<string, number | null>>

/** What was measured. */
export interface Measured {
  readonly figures: Figures
  /** In words, for people. */
  readonly notes: readonly string[]
}

/** What a figure is to be. */
export type Aim =
  { readonly atMost: number; readonly atLeast?: undefined } | { readonly atLeast: number; readonly atMost?: undefined }

/** By the name of the figure. */
export type Aims = Readonly<Record<string, Aim>>

/** Whether a figure is what it is to be. */
export const meets = (value: number, { atMost = Infinity, atLeast = -Infinity }: Aim): boolean =>
  value <= atMost && value >= atLeast

/** Rounds for reading: no figure of the bench is exact beyond that. */
export const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits

/** The value below which that share of the sorted values lies; 0 of none. */
export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

/** p50 and p99 of times in ms, under the names that figures have. */
export function timesOf(tookMs: readonly number[]): { readonly p50Ms: number; readonly p99Ms: number } {
  const sorted = tookMs.toSorted((a, b) => a - b)
  return { p50Ms: round(quantile(sorted, 0.5), 3), p99Ms: round(quantile(sorted, 0.99), 3) }
}
