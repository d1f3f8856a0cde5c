// What callers of plain JavaScript get wrong, told before anything is done.
import { errorText, PawlError } from '../base/errors.ts'
import { checkId } from '../base/id.ts'
import { didYouMean } from '../machine/suggest.ts'

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

/** The options of each call. A misspelt one would do nothing, and nobody would know. */
const KNOWN = {
  run: new Set(['id', 'data', 'by']),
  send: new Set(['id', 'by', 'until', 'within', 'sql', 'ifSeq']),
  emit: new Set(['id', 'by', 'until', 'within', 'sql']),
  'send in a transaction': new Set(['id', 'by']),
  list: new Set(['state', 'status', 'limit', 'after']),
  history: new Set(['after', 'limit']),
  reaches: new Set(['within']),
  result: new Set(['within', 'rejectOnStall']),
  cancel: new Set(['why', 'by']),
  remove: new Set(['why', 'by']),
  retry: new Set(['why', 'by', 'newKey']),
  resolve: new Set(['why', 'by', 'call', 'result', 'failure']),
  move: new Set(['why', 'by', 'to', 'payload', 'data']),
  'each, which': new Set(['state', 'status', 'code', 'limit', 'dryRun']),
  'each, what to do': new Set(['do', 'why', 'by', 'newKey', 'call', 'result', 'failure']),
  'deadLetters.list': new Set(['machine', 'limit', 'after']),
  redrive: new Set(['why', 'by', 'data']),
  discard: new Set(['why', 'by']),
} as const

const TEXT_MAX = 2_000

/** Options that are missing, or have one that the call does not know: BAD_OPTION, with the nearest that it knows. So is a `by` or `why` that cannot be kept. */
export function checkOptions(o: unknown, call: keyof typeof KNOWN): void {
  if (typeof o !== 'object' || o === null) throw new PawlError('BAD_OPTION', `${call}: the options are missing`)
  const known: ReadonlySet<string> = KNOWN[call]
  for (const name in o) {
    if (known.has(name)) continue
    const near = didYouMean(name, known)
    const advice = near === '' ? `; there are ${[...known].join(', ')}` : near
    throw new PawlError('BAD_OPTION', `${call}: there is no option "${name}"${advice}`, { details: { name } })
  }
  const { by, why, until, ifSeq } = o as Readonly<Record<string, unknown>>
  if (by !== undefined) checkId(by, `${call}: \`by\``)
  if (typeof why === 'string' && (why.length > TEXT_MAX || !why.isWellFormed()))
    throw new PawlError('BAD_OPTION', `${call}: \`why\` is a well-formed text of at most ${TEXT_MAX} characters`)
  if (until !== undefined && until !== 'applied' && until !== 'stored')
    throw new PawlError('BAD_OPTION', `${call}: until ${errorText(until)}: write 'applied' or 'stored'`)
  if (ifSeq !== undefined && !Number.isSafeInteger(ifSeq))
    throw new PawlError('BAD_OPTION', `${call}: ifSeq ${errorText(ifSeq)}: write a whole number`)
}

/** A call ended with a result or with a failure: BAD_OPTION where both are given, or none. */
export function checkSettled(o: { readonly result?: unknown; readonly failure?: unknown }): void {
  if ((o.result === undefined) === (o.failure === undefined))
    throw new PawlError('BAD_OPTION', 'resolve: say how the call ended, either `result` or `failure`')
}
