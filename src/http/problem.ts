// What went wrong, as RFC 9457 says it over HTTP: a status, and our stable code.
import { isPawlError, PawlError } from '../base/errors.ts'

/** The status of each code. What is not named here is ours to mend: 500. */
const STATUS: Readonly<Record<string, number>> = {
  BAD_REQUEST: 400,
  BAD_ID: 400,
  BAD_OPTION: 400,
  BAD_LIMIT: 400,
  BAD_CURSOR: 400,
  BAD_MESSAGE: 400,
  BAD_DURATION: 400,
  NO_REASON: 400,
  NOT_JSON: 400,
  NOT_AUTHENTICATED: 401,
  NOT_PERMITTED: 403,
  FOREIGN_ORIGIN: 403,
  UNKNOWN_ROUTE: 404,
  UNKNOWN_MACHINE: 404,
  UNKNOWN_INSTANCE: 404,
  UNKNOWN_DEAD_LETTER: 404,
  METHOD_NOT_ALLOWED: 405,
  REFUSED: 409,
  CALL_OPEN: 409,
  INSTANCE_ENDED: 409,
  INSTANCE_NOT_ENDED: 409,
  INSTANCE_STALLED: 409,
  NO_SUCH_CALL: 409,
  NO_SUCH_EDGE: 409,
  NO_TARGET: 409,
  KEPT_TOO_LONG: 409,
  INSTANCE_REMOVED: 410,
  SEQ_DIFFERS: 412,
  TOO_LARGE: 413,
  BODY_TOO_LARGE: 413,
  BAD_CONTENT_TYPE: 415,
  FOREIGN_HOST: 421,
  BAD_DATA: 422,
  HANDLER_FAILED: 422,
  UNKNOWN_MESSAGE: 422,
  UNKNOWN_STATE: 422,
  NO_SUCH_STATE: 422,
  NO_SUCH_FAILURE: 422,
  MESSAGE_ID_REUSED: 422,
  ALREADY_STARTED_WITH_OTHER_INPUT: 422,
  OVERLOADED: 429,
  WAITING_FULL: 429,
  TOO_MANY_GUESSES: 429,
  NOT_STARTED: 503,
  STOPPED: 503,
  WORKER_BROKEN: 503,
  OWNED_ELSEWHERE: 503,
  NEWER_BUILD: 503,
  STORE_FULL: 503,
  STORE_READ_ONLY: 503,
  STORE_CLOSED: 503,
  TOO_MANY_STREAMS: 503,
  WITHIN_ELAPSED: 503,
}
/** What says "later" is asked again after so many seconds. */
const RETRY_AFTER = 1
/** Those that a client may ask again without changing anything. */
const LATER: ReadonlySet<number> = new Set([429, 503])

/** The status that a code is answered with; 500 where it says nothing to whoever asked. */
export const statusOf = (code: string): number => (Object.hasOwn(STATUS, code) ? STATUS[code]! : 500)

/** In words: `BAD_DATA` is "Bad data". */
const titleOf = (code: string): string => {
  const words = code.toLowerCase().replaceAll('_', ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}

/** Of every answer: it is data, never a page, and for whoever asked alone. */
export const HEADERS: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** An answer of JSON. */
export const json = (status: number, body: unknown, headers: Readonly<Record<string, string>> = {}): Response =>
  new Response(JSON.stringify(body), {
    status,
    headers: { ...HEADERS, 'content-type': 'application/json; charset=utf-8', ...headers },
  })

/** Members of a problem beyond those of every one. */
export type More = Readonly<Record<string, unknown>>

/** An answer that says what is wrong. */
export function problem(
  code: string,
  detail: string,
  more: More = {},
  headers: Readonly<Record<string, string>> = {},
): Response {
  const status = statusOf(code)
  const body = { type: `urn:pawl:problem:${code}`, title: titleOf(code), status, detail, code, ...more }
  return json(status, body, {
    'content-type': 'application/problem+json; charset=utf-8',
    ...(LATER.has(status) && { 'retry-after': `${RETRY_AFTER}` }),
    ...headers,
  })
}

/** Whose fault it is when something is thrown: what a client can do something about it is told; of anything else only `errorId`, which stands in the log too. */
export function problemOf(error: unknown, unknown: (error: unknown) => string): Response {
  if (isPawlError(error) && statusOf(error.code) !== 500) {
    const { code, message, messageId, details } = error
    return problem(code, message, {
      ...(messageId !== undefined && { messageId }),
      ...(details !== undefined && { details }),
    })
  }
  return problem('INTERNAL', 'this is a fault of the server: its log tells more under the errorId', {
    errorId: unknown(error),
  })
}

/** A request that cannot be understood: BAD_REQUEST. */
export const badRequest = (message: string): PawlError => new PawlError('BAD_REQUEST', message)
