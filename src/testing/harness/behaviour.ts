// What activities do in a test, instead of their bodies.
import { durationMs } from '../../base/duration.ts'
import type { Duration } from '../../base/duration.ts'
import { PawlError } from '../../base/errors.ts'
import type { Activity } from '../../machine/types-activity.ts'
import { activityOf } from '../../machine/definition.ts'
import type { AttemptContext } from '../../machine/definition.ts'
import type { Behaviour, Choice, Made } from './types.ts'

/** What an attempt may do besides answering. */
export interface Stage {
  readonly context: AttemptContext
  /** Resolves after that much virtual time. */
  after(ms: number): Promise<void>
  /** Never resolves. */
  never(): Promise<never>
}
/** One attempt. */
export type Act = (input: unknown, stage: Stage) => unknown

/** A behaviour, ready to be used; `text` is what it does in words. Made anew for each test: a sequence remembers how far it is. */
interface Doing {
  readonly text: string
  begin(): Act
}
const doings = new WeakMap<object, Doing>()

const make = (text: string, begin: () => Act): Made => {
  const made = Object.freeze({ kind: 'behaviour' }) as unknown as Made
  doings.set(made, { text, begin })
  return made
}
const shown = (value: unknown): string => JSON.stringify(value) ?? 'nothing'

/** It answers this. */
export const answers = <const O>(output: O): Made<O> =>
  make(`answers ${shown(output)}`, () => () => output) as unknown as Made<O>

/** It refuses with a declared failure: that is not tried again. `message` default: the code. */
export const refuses = <const F extends string>(code: F, message?: string, details?: unknown): Made<never, F> =>
  make(
    `refuses ${code}`,
    () =>
      (_, { context }) =>
        context.fail(code, message, details),
  ) as unknown as Made<never, F>

/** It throws: whether it has happened is unknown, and it is tried again. */
export const throws = (message = 'thrown by a fake'): Made =>
  make(`throws "${message}"`, () => () => {
    throw new Error(message)
  })

/** It never answers: the `timeout` of the activity decides. */
export const hangs = (): Made => make('hangs', () => (_, stage) => stage.never())

/** It answers after that time, also when nobody waits any more. */
export const late = <const O>(by: Duration, output: O): Made<O> => {
  const ms = durationMs(by)
  return make(`answers ${shown(output)} after ${by}`, () => async (_, stage) => {
    await stage.after(ms)
    return output
  }) as unknown as Made<O>
}

/** One after the other, one for each attempt; the last one stays. */
export const sequence = <const B extends readonly Made<unknown, string>[]>(
  ...behaviours: B
): Made<B[number]['~answers'], B[number]['~refuses']> => {
  if (behaviours.length === 0)
    throw new PawlError('BAD_BEHAVIOUR', 'a sequence of nothing: give it one behaviour at least, such as answers(…)')
  const all = behaviours.map(doingOf)
  const begin = (): Act => {
    const acts = all.map((one) => one.begin())
    let next = 0
    return (input, stage) => acts[Math.min(next++, acts.length - 1)]!(input, stage)
  }
  const made = make(all.map(({ text }) => text).join(', then '), begin)
  return made as unknown as Made<B[number]['~answers'], B[number]['~refuses']>
}

/** What is behind a maker's object, or a function that stands for the body. */
export function doingOf(behaviour: unknown): Doing {
  if (typeof behaviour === 'function') {
    const run = behaviour as (input: unknown, attempt: { attempt: number; key: string }) => unknown
    const act: Act = (input, { context }) => run(input, { attempt: context.attempt, key: context.idempotencyKey })
    return { text: run.name === '' ? 'does what its function does' : `does ${run.name}`, begin: () => act }
  }
  const doing = typeof behaviour === 'object' && behaviour !== null ? doings.get(behaviour) : undefined
  if (doing === undefined)
    throw new PawlError(
      'BAD_BEHAVIOUR',
      'this is nothing that an activity can do: give a function, or what answers, refuses, throws, hangs, late or sequence returned',
    )
  return doing
}

/** What an activity may do, for `explore`. */
export interface Possibilities {
  readonly activity: string
  readonly doings: readonly Doing[]
}
const choices = new WeakMap<object, Possibilities>()

/** The activity does one of these, each time that it is called. */
export function may<const O, F extends string, D>(
  activity: Activity<unknown, O, F, D>,
  ...behaviours: readonly Behaviour<D, O, F>[]
): Choice {
  const { name } = activityOf(activity)
  if (behaviours.length === 0)
    throw new PawlError('BAD_BEHAVIOUR', `${name} may do nothing: give it one behaviour at least, such as answers(…)`)
  const choice = Object.freeze({ kind: 'choice', '~may': name })
  choices.set(choice, { activity: name, doings: behaviours.map(doingOf) })
  return choice
}

/** What is behind what `may` returned. */
export function possibilitiesOf(choice: Choice): Possibilities {
  const found = choices.get(choice)
  if (found === undefined)
    throw new PawlError('BAD_BEHAVIOUR', '`activities` has something that is no choice: put in what may() returned')
  return found
}
