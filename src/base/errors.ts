/** What a `PawlError` may carry besides its code and message. */
export interface PawlErrorDetails {
  /** The message, call or instance that the error is about, where there is one. */
  readonly messageId?: string | undefined
  /** Numbers and names for whoever handles the error; JSON, since it may be stored. */
  readonly details?: Readonly<Record<string, unknown>> | undefined
  /** What was thrown underneath. */
  readonly cause?: unknown
}

/**
 * The one error class of Pawl. `code` is stable over versions and made of capitals and underscores; `message` says what is
 * wrong and what to do, and may change. Recognise it with `isPawlError`: an error that was stored and read back is a plain object.
 */
export class PawlError extends Error {
  readonly code: string
  // `declare`: a field without a value would otherwise be there as undefined, in logs and in comparisons.
  declare readonly messageId?: string
  declare readonly details?: Readonly<Record<string, unknown>>

  constructor(code: string, message: string, more: PawlErrorDetails = {}) {
    super(message, 'cause' in more ? { cause: more.cause } : undefined)
    this.code = code
    if (more.messageId !== undefined) this.messageId = more.messageId
    if (more.details !== undefined) this.details = more.details
  }
}
// On the prototype: one string for all, and not among the own fields that a log or JSON shows.
Object.defineProperty(PawlError.prototype, 'name', { value: 'PawlError', configurable: true, writable: true })

const CODE = /^[A-Z][A-Z0-9_]*$/

/**
 * Whether something thrown, or read back from a store, is a `PawlError`; with `code`, whether it is that one. Goes by shape (name,
 * code and message), so errors of another copy of the package and stored ones count too. Never throws.
 */
export const isPawlError = (e: unknown, code?: string): e is PawlError => {
  if (typeof e !== 'object' || e === null) return false
  try {
    const { name, code: own, message } = e as { name?: unknown; code?: unknown; message?: unknown }
    if (typeof own !== 'string' || typeof message !== 'string') return false
    // Node's system errors have a code and a message too (ECONNREFUSED), so the name decides; stored errors keep it.
    return name === 'PawlError' && CODE.test(own) && (code === undefined || own === code)
  } catch {
    return false
  }
}

/** Longest text that `errorText` gives, in UTF-16 units: it is stored with every failed attempt. */
const TEXT_LENGTH_MAX = 2_000

/** The message of `e` as it is, or undefined when there is none to be had. */
const ownMessage = (e: object): string | undefined => {
  const { message } = e as { message?: unknown }
  return typeof message === 'string' && message !== '' ? message : undefined
}

const objectText = (e: object): string => {
  const message = ownMessage(e)
  if (message !== undefined) return message
  if (e instanceof Error) return e.name || 'Error'
  // An object with a text of its own (a URL, a class with toString), before the bare '[object Object]'.
  const text = typeof e.toString === 'function' ? `${(e as { toString(): string }).toString()}` : ''
  return text !== '' && !/^\[object .*\]$/.test(text)
    ? text
    : ((JSON.stringify(e) as string | undefined) ?? 'an object without a message')
}

/**
 * The text of whatever was thrown: an Error, a string, a number, undefined, an object, one whose `toString` or getters throw. At most 2,000
 * characters, and storable everywhere: lone surrogates (no UTF-8) and U+0000 (refused by PostgreSQL) become U+FFFD. Never throws.
 */
export function errorText(e: unknown): string {
  let text: string
  try {
    text =
      typeof e === 'object' && e !== null ? objectText(e) : typeof e === 'function' ? `function ${e.name}` : String(e)
  } catch {
    text = 'something was thrown that cannot be shown'
  }
  if (text.length > TEXT_LENGTH_MAX) text = `${text.slice(0, TEXT_LENGTH_MAX - 1)}…`
  return text.toWellFormed().replaceAll('\0', '\uFFFD')
}
