// What user code does wrong, told apart from what we do wrong: every callback is called through `ask`, and only a
// HandlerFailure is decided about by the table of fates. Any other exception is a bug of ours and ends the worker.
import type { AnySchema } from '../machine/definition.ts'
import { errorText, isPawlError } from '../base/errors.ts'
import { freezeJson } from '../base/json.ts'

/** A callback threw, or returned what does not fit. */
export class HandlerFailure extends Error {
  readonly code: string
  constructor(code: string, message: string) {
    super(message)
    this.name = 'HandlerFailure'
    this.code = code
  }
}

const isPromise = (value: unknown): boolean =>
  typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'

/** Codes that a callback may choose: the field that `need` misses, a wait that ran out. All else is HANDLER_FAILED. */
const chosen = new Set(['FIELD_MISSING', 'WITHIN_ELAPSED', 'BAD_TIME'])

/** Calls user code; whatever it throws becomes a HandlerFailure that names the place. A promise is refused: definitions are synchronous. */
export function ask<G, T>(place: string, callback: (given: G) => T, given: G): T {
  let answer: T
  try {
    answer = callback(given)
  } catch (error) {
    const code = isPawlError(error) && chosen.has(error.code) ? error.code : 'HANDLER_FAILED'
    throw new HandlerFailure(code, `${place}: ${errorText(error)}`)
  }
  if (isPromise(answer)) {
    void (answer as PromiseLike<unknown>).then(undefined, () => undefined) // its rejection is ours now, and has no other listener
    throw new HandlerFailure(
      'HANDLER_FAILED',
      `${place}: returned a promise; definitions are synchronous, calls go through activities`,
    )
  }
  return answer
}

/** Deep-freezes what user code returned; what is not JSON is its failure. */
export function frozen<T>(place: string, value: T): T {
  try {
    return freezeJson(value, place)
  } catch (error) {
    throw new HandlerFailure('HANDLER_FAILED', errorText(error))
  }
}

/** What a schema made of a value, or what it has against it. */
export type Checked = { readonly value: unknown } | { readonly problem: string }

const pathText = (path: readonly unknown[] | undefined): string =>
  path === undefined || path.length === 0
    ? ''
    : `${path.map((part) => (typeof part === 'object' && part !== null ? String((part as { key: PropertyKey }).key) : String(part))).join('.')}: `

/** Validates and deep-freezes. Never throws. */
export function check(schema: AnySchema, value: unknown, what: string): Checked {
  try {
    const result = schema['~standard'].validate(value)
    if (isPromise(result)) return { problem: `${what}: its schema is asynchronous; schemas must answer at once` }
    const sync = result as Exclude<typeof result, PromiseLike<unknown>>
    if (sync.issues !== undefined) {
      const issues = sync.issues.slice(0, 5).map((issue) => `${pathText(issue.path)}${issue.message}`)
      return { problem: `${what} does not fit its schema: ${issues.join('; ')}` }
    }
    return { value: freezeJson(sync.value, what) }
  } catch (error) {
    return { problem: errorText(error) }
  }
}

/** Like `check`, where a misfit is the failure of the handler that made the value. */
export function fitted(schema: AnySchema, value: unknown, what: string): unknown {
  const checked = check(schema, value, what)
  if ('problem' in checked) throw new HandlerFailure('HANDLER_FAILED', checked.problem)
  return checked.value
}
