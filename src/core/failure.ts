// What user code does wrong, told apart from what we do wrong: every callback is called through `ask`, and only a
// HandlerFailure is decided about by the table of fates. Any other exception is a bug of ours and ends the worker.
import type { AnySchema } from '../machine/definition.ts'
import { errorText, isPawlError } from '../base/errors.ts'
import { freezeJson } from '../base/json.ts'
import { disown } from '../base/promise.ts'
import { checkSize } from '../base/size.ts'

/** A callback threw, or returned what does not fit. */
export class HandlerFailure extends Error {
  readonly code: string
  constructor(message: string, code = 'HANDLER_FAILED') {
    super(message)
    this.name = 'HandlerFailure'
    this.code = code
  }
}

/** Codes of failures that stall the instance even on a message: waiting for an operator is what they say. */
const mustStall = new Set(['FIELD_MISSING', 'WITHIN_ELAPSED', 'TOO_MANY_STEPS', 'CHILD_ENDED'])
/** Whether a failure stalls the instance whatever its cause was. */
export const stalls = (error: HandlerFailure): boolean => mustStall.has(error.code)

/** Codes that a callback may choose: the field that `need` misses, a wait that ran out. All else is HANDLER_FAILED. */
const chosen = new Set(['FIELD_MISSING', 'WITHIN_ELAPSED'])

/** Calls user code; whatever it throws becomes a HandlerFailure that names the place. What returns a promise throws by itself, see `synchronous`. */
export function ask<G, T>(place: string, callback: (given: G) => T, given: G): T {
  try {
    return callback(given)
  } catch (error) {
    const code = isPawlError(error) && chosen.has(error.code) ? error.code : 'HANDLER_FAILED'
    throw new HandlerFailure(`${place}: ${errorText(error)}`, code)
  }
}

/** Calls what throws a PawlError about a value that user code made. */
export function fits<T>(work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw error instanceof HandlerFailure ? error : new HandlerFailure(errorText(error))
  }
}

/** Most parts of a list that user code returns: children of a kind, messages of one `emit`, calls of a list. */
export const LIST_MAX = 10_000

const few = (list: unknown): readonly unknown[] | undefined => {
  if (!Array.isArray(list)) return undefined
  if (list.length > LIST_MAX) throw new Error(`a list of ${list.length}; at most ${LIST_MAX}`)
  return [...(list as unknown[])]
}

/** A list that user code returned, as one of ours; undefined where it is none. To look at it may run user code too. */
export const listed = (place: string, value: unknown): readonly unknown[] | undefined => ask(place, few, value)

/** Deep-freezes what user code returned; what is not JSON is its failure. */
export const frozen = <T>(place: string, value: T): T => fits(() => freezeJson(value, place))

/** What a schema made of a value, or what it has against it. */
export type Checked = { readonly value: unknown } | { readonly problem: string }

const keyText = (part: unknown): string =>
  String(typeof part === 'object' && part !== null ? (part as { key: PropertyKey }).key : part)
const pathText = (path: readonly unknown[] = []): string =>
  path.length === 0 ? '' : `${path.map(keyText).join('.')}: `

/** Validates and deep-freezes. Never throws. */
export function check(schema: AnySchema, value: unknown, what: string): Checked {
  try {
    const result = schema['~standard'].validate(value)
    if ('then' in result) {
      void disown(result)
      return { problem: `${what}: its schema is asynchronous; schemas must answer at once` }
    }
    if (result.issues === undefined) return { value: freezeJson(result.value, what) }
    const issues = result.issues.slice(0, 5).map((issue) => `${pathText(issue.path)}${issue.message}`)
    return { problem: errorText(`${what} does not fit its schema: ${issues.join('; ')}`) }
  } catch (error) {
    return { problem: errorText(error) }
  }
}

/** Like `fitted`, for what goes out of the instance: a payload, an input. Its data have a limit of their own. */
export const fittedOut = (schema: AnySchema, value: unknown, what: string): unknown =>
  fits(() => checkSize(fitted(schema, value, what), what))

/** Like `check`, where a misfit is the failure of the handler that made the value. */
export function fitted(schema: AnySchema, value: unknown, what: string, code?: string): unknown {
  const checked = check(schema, value, what)
  if ('problem' in checked) throw new HandlerFailure(checked.problem, code)
  return checked.value
}
