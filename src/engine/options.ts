// What callers of plain JavaScript get wrong, told before anything is done.
import { PawlError } from '../base/errors.ts'

const STATUSES = ['running', 'waiting', 'stalled', 'done', 'failed', 'cancelled']

/** A status that is none: BAD_OPTION. */
export function checkStatus(status: string | undefined): void {
  if (status !== undefined && !STATUSES.includes(status))
    throw new PawlError('BAD_OPTION', `status ${status}: there are ${STATUSES.join(', ')}`)
}

/** A limit is a whole number from 1 to `max`: BAD_LIMIT. */
export function checkLimit(limit: number, max: number): void {
  if (!Number.isInteger(limit) || limit < 1 || limit > max)
    throw new PawlError('BAD_LIMIT', `limit ${limit}: write a whole number from 1 to ${max.toLocaleString('en')}`)
}

/** What a call cannot do without: BAD_OPTION. */
export function checkOptions(o: unknown, call: string): void {
  if (typeof o !== 'object' || o === null) throw new PawlError('BAD_OPTION', `${call}: the options are missing`)
}

/** A call ended with a result or with a failure: BAD_OPTION where both are given, or none. */
export function checkSettled(o: { readonly result?: unknown; readonly failure?: unknown }): void {
  if ((o.result === undefined) === (o.failure === undefined))
    throw new PawlError('BAD_OPTION', 'resolve: say how the call ended, either `result` or `failure`')
}
