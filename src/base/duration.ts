import { PawlError } from './errors.ts'

/** The units of a `Duration`. A day is 24 hours. */
export type Unit = 'ms' | 'second' | 'seconds' | 'minute' | 'minutes' | 'hour' | 'hours' | 'day' | 'days'

/** A positive number and a unit, such as `'15 minutes'` or `'1.5 hours'`; at most 100 years. */
export type Duration = `${number} ${Unit}`

const SHAPE = /^(\d+(?:\.\d+)?) (ms|second|minute|hour|day)s?$/
const UNIT_MS: Readonly<Record<string, number>> = {
  ms: 1,
  second: 1_000,
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
}
// A stored due time must stay a date; and whoever writes more has most likely mistaken the unit.
const DURATION_MS_MAX = 100 * 365.25 * 86_400_000

/** Milliseconds, or undefined for what is no duration. */
const parse = (text: unknown): number | undefined => {
  if (typeof text !== 'string') return undefined
  const parts = SHAPE.exec(text)
  // 'mss' passes the shape.
  if (parts === null || text.endsWith('mss')) return undefined
  const ms = Number(parts[1]) * UNIT_MS[parts[2]!]!
  return ms > 0 && ms <= DURATION_MS_MAX ? ms : undefined
}

const known = new Map<string, number>()

/**
 * A duration in milliseconds; a fraction stays one (`'0.5 ms'`). Throws PawlError `BAD_DURATION` for what the type would not let
 * pass (text from JavaScript or a file), for zero, and beyond 100 years.
 */
export function durationMs(text: Duration): number {
  const remembered = known.get(text)
  if (remembered !== undefined) return remembered
  const ms = parse(text)
  if (ms === undefined) {
    const given = typeof text === 'string' ? JSON.stringify(text) : String(text)
    throw new PawlError(
      'BAD_DURATION',
      `${given} is no duration: write a positive number and a unit, such as '15 minutes' (ms, seconds, minutes, hours, days; at most 100 years)`,
    )
  }
  // Durations stand in definitions, so there are few; a program that computes them must not fill the memory.
  if (known.size < 1_000) known.set(text, ms)
  return ms
}

/** Whether `durationMs` takes it. */
export const isDuration = (text: unknown): text is Duration => parse(text) !== undefined
