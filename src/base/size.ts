import { PawlError } from './errors.ts'

/**
 * About how many characters JSON makes of a value, without making them: what has to be escaped counts as one character. For limits; a
 * walk takes a fraction of the time of JSON.stringify.
 */
export function jsonSize(value: unknown): number {
  if (typeof value === 'string') return value.length + 2
  if (typeof value !== 'object' || value === null) return 6
  let size = 2
  if (Array.isArray(value)) for (const part of value) size += jsonSize(part) + 1
  else for (const key in value) size += key.length + 4 + jsonSize((value as Record<string, unknown>)[key])
  return size
}

/** Most characters of JSON that one thing may have which goes through Pawl: 256 KB, as for the data of an instance. */
const SIZE_MAX = 262_144

/** What is to be done with what is too large. */
const ADVICE = 'keep large things elsewhere, and their name here'

/** Checks the text of an instance's data: 256 KB of UTF-8 at most, else PawlError `TOO_LARGE`. */
export function checkText(text: string, what: string): void {
  // A character takes three bytes at most, so most texts need no counting.
  const size = text.length * 3 > SIZE_MAX ? Buffer.byteLength(text) : 0
  if (size > SIZE_MAX)
    throw new PawlError('TOO_LARGE', `${what} would be ${size} bytes; at most ${SIZE_MAX}: ${ADVICE}`)
}

/** The value, where it is of a size that fits; else PawlError `TOO_LARGE`. `what` names it ('the payload of "add"', say). */
export function checkSize<T>(value: T, what: string): T {
  if (jsonSize(value) <= SIZE_MAX) return value
  const size = JSON.stringify(value).length
  if (size <= SIZE_MAX) return value
  const details = { size, limit: SIZE_MAX }
  throw new PawlError('TOO_LARGE', `${what} is ${size} characters of JSON; at most ${SIZE_MAX}: ${ADVICE}`, { details })
}
