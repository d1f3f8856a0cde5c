import { durationMs, isDuration } from '../base/duration.ts'
import { PawlError } from '../base/errors.ts'
import { disown, isPromise } from '../base/promise.ts'
import type { AnySchema } from './definition.ts'
import type { Problem, Rule } from './problem.ts'
import { didYouMean } from './suggest.ts'

/** What a user wrote, as far as it is an object. */
export type Raw = Readonly<Record<string, unknown>>

/** Whether it is an object with fields: no list, no function, not null. */
export const isRaw = (value: unknown): value is Raw =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The value in a word or two, for messages. */
export const shown = (value: unknown): string => {
  if (value === null) return 'null'
  if (typeof value === 'string')
    return `the text ${JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value)}`
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  if (typeof value === 'function') return 'a function'
  return typeof value === 'symbol' || value === undefined ? typeof value : `${typeof value} ${value as number}`
}

const NAME_BYTES_MAX = 200
const CONTROL = /\p{Cc}/u

/** What is wrong with a name, or undefined. Names stand in keys that are joined by U+0000. */
const nameFault = (name: string): string | undefined => {
  if (name === '') return 'is empty'
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `is longer than ${NAME_BYTES_MAX} bytes`
  if (CONTROL.test(name)) return `has a control character (${JSON.stringify(name)})`
  return name.isWellFormed() ? undefined : 'has half a surrogate pair'
}

/**
 * A callback that refuses to wait. Here, since what it returns is often a part of something else before anybody looks at it: a
 * promise would pass for an object without fields, and its rejection would end the process.
 */
export const synchronous = <F>(callback: F): F =>
  typeof callback !== 'function'
    ? callback
    : (((given: unknown): unknown => {
        const answer: unknown = callback(given)
        if (!isPromise(answer)) return answer
        void disown(answer)
        throw new PawlError(
          'HANDLER_FAILED',
          'returned a promise; definitions are synchronous, calls go through activities',
        )
      }) as F)

/**
 * A place in a definition that is being read: it takes what a user wrote, says what is wrong with it, and gives back something of
 * the right kind, so that reading goes on and all problems are found at once.
 */
export class Place {
  readonly problems: Problem[]
  readonly where: string

  constructor(problems: Problem[], where: string) {
    this.problems = problems
    this.where = where
  }

  /** The same list of problems, elsewhere. */
  at(where: string): Place {
    return new Place(this.problems, where)
  }

  /** Notes a problem here. */
  say(rule: Rule, text: string): void {
    this.problems.push({ rule, where: this.where, text })
  }

  /** The fields of an object; none where it is absent or no object. */
  fields(value: unknown, what: string): Raw {
    if (isRaw(value)) return value
    if (value !== undefined) this.say('bad-shape', `${what} is ${shown(value)}: write an object`)
    return {}
  }

  /** The parts of a list; none where it is absent or no list. */
  list(value: unknown, what: string): readonly unknown[] {
    if (Array.isArray(value)) return value as unknown[]
    if (value !== undefined) this.say('bad-shape', `${what} is ${shown(value)}: write a list`)
    return []
  }

  /** A synchronous function of one argument, or undefined where it is absent or none. The cast is what a definition's type says of it. */
  callback<F>(value: unknown, what: string): F | undefined {
    return synchronous(this.body<F>(value, what))
  }

  /** A function that may wait, or undefined where it is absent or none. */
  body<F>(value: unknown, what: string): F | undefined {
    if (typeof value === 'function') return value as F
    if (value !== undefined) this.say('bad-shape', `${what} is ${shown(value)}: write a function`)
    return undefined
  }

  /** A function that must be there. */
  needed<F>(value: unknown, what: string): F | undefined {
    if (value === undefined) this.say('bad-shape', `${what} is missing: write a function`)
    return this.callback<F>(value, what)
  }

  /** True, false, or `fallback` where it is absent. */
  flag(value: unknown, what: string, fallback = false): boolean {
    if (typeof value === 'boolean') return value
    if (value !== undefined) this.say('bad-shape', `${what} is ${shown(value)}: write true or false`)
    return fallback
  }

  /** Text that must be there; empty where it is not. */
  text(value: unknown, what: string): string {
    if (typeof value === 'string') return value
    this.say('bad-shape', `${what} is ${value === undefined ? 'missing' : shown(value)}: write a text`)
    return ''
  }

  /** One of a few words, or `fallback` where it is absent. */
  word<W extends string>(value: unknown, what: string, words: readonly W[], fallback: W): W {
    const word = words.find((w) => w === value)
    if (word !== undefined) return word
    if (value !== undefined)
      this.say('bad-shape', `${what} is ${shown(value)}: write ${words.map((w) => `'${w}'`).join(' or ')}`)
    return fallback
  }

  /** The name of a message, a machine, a state, …: 1 to 200 bytes without control characters. */
  name(value: unknown, what: string): string {
    if (typeof value !== 'string') {
      this.say('bad-name', `${what} is ${shown(value)}: write a text`)
      return ''
    }
    const fault = nameFault(value)
    if (fault !== undefined)
      this.say('bad-name', `${what} ${fault}: write 1 to ${NAME_BYTES_MAX} bytes without control characters`)
    return value
  }

  /** Says which keys are not among the allowed ones. */
  keys(raw: Raw, allowed: readonly string[], what: string): void {
    for (const key of Object.keys(raw)) {
      if (allowed.includes(key)) continue
      const near = didYouMean(key, allowed)
      this.say(
        'unknown-key',
        `unknown key "${key}" in ${what}${near === '' ? `; there are ${allowed.join(', ')}` : near}`,
      )
    }
  }

  /** Milliseconds; `fallback` where it is absent or no duration. */
  duration<T extends number | undefined>(value: unknown, what: string, fallback: T): number | T {
    if (value === undefined) return fallback
    if (isDuration(value)) return durationMs(value)
    this.say('bad-duration', `${what} ${shown(value)}: write a positive number and a unit, such as '15 minutes'`)
    return fallback
  }

  /** A whole number from `from`; `fallback` where it is absent or none. */
  whole<T extends number | undefined>(value: unknown, what: string, from: number, fallback: T): number | T {
    if (value === undefined) return fallback
    if (Number.isSafeInteger(value) && (value as number) >= from) return value as number
    this.say('bad-number', `${what} is ${shown(value)}: write a whole number${from > -Infinity ? ` from ${from}` : ''}`)
    return fallback
  }

  /** A schema of the Standard Schema kind; where it is none, one that lets everything pass stands in, so that reading goes on. */
  schema(value: unknown, what: string): AnySchema {
    // ArkType's schemas are functions.
    const holder = (typeof value === 'object' && value !== null) || typeof value === 'function' ? value : {}
    const standard = (holder as { '~standard'?: { validate?: unknown } })['~standard']
    if (typeof standard?.validate === 'function') return value as AnySchema
    this.say(
      'bad-shape',
      `${what} is ${value === undefined ? 'missing' : shown(value)}: write a schema of zod, valibot, arktype or another of the Standard Schema kind`,
    )
    return ANYTHING
  }
}

const ANYTHING: AnySchema = { '~standard': { version: 1, vendor: 'pawl', validate: (value) => ({ value }) } }

/** Whether the schema takes the value. One that answers later does not: a definition is checked at once. Never throws. */
export function fits(schema: AnySchema, value: unknown): boolean {
  try {
    const result = schema['~standard'].validate(value)
    return !('then' in result) && result.issues === undefined
  } catch {
    return false
  }
}
