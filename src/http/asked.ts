// What a request says, read strictly: what is misspelt, doubled or of another type is refused, since it would do something else than
// was meant. Nothing that a client names is looked up in an object that has more names than ours.
import { errorText, PawlError } from '../base/errors.ts'
import { badRequest } from './problem.ts'

/** Bytes of a body. Data have at most 262,144 characters, which JSON may write as six times as many bytes. */
export const BODY_BYTES_MAX = 2 * 1024 * 1024
/** The longest that an answer is waited for (`Prefer: wait=60`), in seconds. */
export const WAIT_SECONDS_MAX = 60

/** Items of a page, and instances that one request operates on: each has to end in a time that somebody waits. */
export const LIMIT_MAX = 1_000

/** What a field of a body, or of a query, may hold. `count`: a whole number from 0; `limit`: one from 1 to 1,000; `data`: any JSON. */
export type Kind = 'text' | 'flag' | 'count' | 'limit' | 'object' | 'data' | 'texts'
/** Fields by name; `!` after the kind: it must be there. */
export type Shape = Readonly<Record<string, Kind | `${Kind}!`>>
/** What was read, by name. */
export type Asked = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Asked =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const CHECKS: Readonly<Record<Kind, (value: unknown) => boolean>> = {
  text: (value) => typeof value === 'string',
  flag: (value) => typeof value === 'boolean',
  count: (value) => Number.isSafeInteger(value) && (value as number) >= 0,
  limit: (value) => Number.isSafeInteger(value),
  object: isObject,
  data: () => true,
  texts: (value) =>
    typeof value === 'string' || (Array.isArray(value) && value.every((one) => typeof one === 'string')),
}
const WORDS: Readonly<Record<Kind, string>> = {
  text: 'a text',
  flag: 'true or false',
  count: 'a whole number from 0',
  limit: 'a whole number',
  object: 'an object',
  data: 'JSON',
  texts: 'a text, or a list of texts',
}

/** The kind of a field, and whether it must be there. */
export const kindOf = (field: Shape[string]): readonly [kind: Kind, required: boolean] =>
  field.endsWith('!') ? [field.slice(0, -1) as Kind, true] : [field as Kind, false]

function checkLimit(limit: number): void {
  if (limit < 1 || limit > LIMIT_MAX)
    throw new PawlError('BAD_LIMIT', `limit ${limit}: write a whole number from 1 to ${LIMIT_MAX}`)
}

/** Checks a body against a shape: BAD_REQUEST. */
export function shaped(value: unknown, shape: Shape, what: string): Asked {
  if (!isObject(value)) throw badRequest(`${what} is a JSON object`)
  const names = Object.keys(shape)
  for (const name of Object.keys(value))
    if (!Object.hasOwn(shape, name))
      throw badRequest(`${what} has no field ${JSON.stringify(name.slice(0, 100))}; there are: ${names.join(', ')}`)
  for (const name of names) {
    const [kind, required] = kindOf(shape[name]!)
    if (!Object.hasOwn(value, name)) {
      if (required) throw badRequest(`${what} must have \`${name}\`: ${WORDS[kind]}`)
    } else if (!CHECKS[kind](value[name])) throw badRequest(`\`${name}\` of ${what} is ${WORDS[kind]}`)
    else if (kind === 'limit') checkLimit(value[name] as number)
  }
  return value
}

/** Reads a query against a shape: BAD_REQUEST. */
export function queried(url: URL, shape: Shape): Asked {
  const found: Record<string, unknown> = {}
  for (const [name, text] of url.searchParams) {
    if (!Object.hasOwn(shape, name))
      throw badRequest(
        `there is no parameter ${JSON.stringify(name.slice(0, 100))} here; there are: ${Object.keys(shape).join(', ') || 'none'}`,
      )
    if (Object.hasOwn(found, name)) throw badRequest(`the parameter \`${name}\` comes twice`)
    const [kind] = kindOf(shape[name]!)
    const value = kind === 'count' || kind === 'limit' ? (/^\d{1,15}$/.test(text) ? Number(text) : undefined) : text
    if (value === undefined) throw badRequest(`the parameter \`${name}\` is ${WORDS[kind]}`)
    if (kind === 'limit') checkLimit(value as number)
    found[name] = value
  }
  return found
}

const tooLarge = (): PawlError => new PawlError('BODY_TOO_LARGE', `a body has at most ${BODY_BYTES_MAX} bytes`)

/** Reads what has no length said beforehand, and no further than it may go. */
async function bytesOf(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of body) {
    bytes += part.byteLength
    if (bytes > BODY_BYTES_MAX) throw tooLarge()
    parts.push(part)
  }
  return Buffer.concat(parts)
}

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** The body as JSON: BAD_CONTENT_TYPE, BODY_TOO_LARGE, BAD_REQUEST. A form of a foreign page cannot say `application/json`. */
export async function bodyOf(request: Request): Promise<unknown> {
  const type = request.headers.get('content-type') ?? ''
  if (!/^application\/json *(;|$)/i.test(type))
    throw new PawlError('BAD_CONTENT_TYPE', 'send the body as `Content-Type: application/json`')
  const encoding = request.headers.get('content-encoding')
  if (encoding !== null && encoding !== 'identity')
    throw new PawlError('BAD_CONTENT_TYPE', 'send the body as it is, without Content-Encoding')
  const length = request.headers.get('content-length')
  if (length !== null && Number(length) > BODY_BYTES_MAX) throw tooLarge()
  try {
    const known = length !== null || request.body === null
    const bytes = known ? await request.arrayBuffer() : await bytesOf(request.body)
    if (bytes.byteLength > BODY_BYTES_MAX) throw tooLarge()
    return JSON.parse(utf8.decode(bytes)) as unknown
  } catch (error) {
    if (error instanceof PawlError) throw error
    // What V8 says of bad JSON quotes the body, which may hold what nobody else should read in a log.
    const broken = error instanceof SyntaxError ? 'it is no JSON' : errorText(error)
    throw badRequest(`the body cannot be read: ${broken}`)
  }
}

/** `Prefer: wait=10`, in seconds, and `respond-async`; what else is preferred may be passed over (RFC 7240). */
export function preferred(request: Request): { readonly waitSeconds: number; readonly async: boolean } {
  const prefer = request.headers.get('prefer') ?? ''
  const wait = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=[,;]|$)/i.exec(prefer)?.[1]
  return {
    waitSeconds: Math.min(Number(wait ?? 0), WAIT_SECONDS_MAX),
    async: /(?:^|[,;])\s*respond-async\s*(?=[,;]|$)/i.test(prefer),
  }
}

const TAG = /^"(\d{1,15})"$/

/** `If-Match: "7"`; undefined where nothing, or `*`, is asked. Anything else is BAD_REQUEST: to pass over it would apply what must not be. */
export function ifMatch(request: Request): number | undefined {
  const given = request.headers.get('if-match')?.trim()
  if (given === undefined || given === '*') return undefined
  const seq = TAG.exec(given)?.[1]
  if (seq === undefined) throw badRequest('If-Match takes one ETag, such as "7", as it was read')
  return Number(seq)
}

/** Whether `If-None-Match` names this `seq`. */
export const isKnown = (request: Request, seq: number): boolean =>
  (request.headers.get('if-none-match') ?? '')
    .split(',')
    .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === `"${seq}"`)

/** `Last-Event-ID`: the seq of the last change that came; undefined: none yet. */
export function lastEventId(request: Request): number | undefined {
  const given = request.headers.get('last-event-id')?.trim()
  if (given === undefined || given === '') return undefined
  if (!/^\d{1,15}$/.test(given)) throw badRequest('Last-Event-ID is the id of the last event that came, a whole number')
  return Number(given)
}
