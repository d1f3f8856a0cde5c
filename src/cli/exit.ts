// What the process says at its end. Scripts go by these numbers, so they never change.
import { isPawlError, PawlError } from '../base/errors.ts'
import { statusOf } from '../http/problem.ts'

/** Exit codes, with what they mean; the help lists them. */
export const EXITS = {
  ok: [0, 'done'],
  failed: [1, 'something was found or has failed'],
  usage: [2, 'the command line is not understood'],
  unknown: [3, 'there is no such thing: machine, state, message, instance, dead letter'],
  refused: [4, 'it was refused: by the state, by the schema, by permission'],
  unreachable: [5, 'the store or the server cannot be reached'],
} as const

/** A number of `EXITS`. */
export type Exit = (typeof EXITS)[keyof typeof EXITS][0]

const UNREACHABLE = ['SERVER_UNREACHABLE', 'BAD_ANSWER', 'SQLITE_TOO_OLD', 'PARTITIONS_DIFFER']
const USAGE = ['BAD_STORE', 'BAD_APP', 'NOT_YET', 'BAD_REQUEST']
/** Of the status by which HTTP answers a code. */
const BY_STATUS: Readonly<Record<number, Exit>> = { 400: 2, 404: 3, 405: 2, 410: 3, 429: 5, 503: 5 }

/** The exit code of whatever was thrown. */
export function exitOf(error: unknown): Exit {
  if (!isPawlError(error)) return EXITS.failed[0]
  const { code } = error
  if (USAGE.includes(code)) return EXITS.usage[0]
  if (code.startsWith('STORE_') || UNREACHABLE.includes(code)) return EXITS.unreachable[0]
  if (code.startsWith('UNKNOWN_')) return EXITS.unknown[0]
  const status = statusOf(code)
  return BY_STATUS[status] ?? (status < 500 ? EXITS.refused[0] : EXITS.failed[0])
}

/** A command line that makes no sense: BAD_OPTION. */
export const badUsage = (message: string): PawlError => new PawlError('BAD_OPTION', message)
