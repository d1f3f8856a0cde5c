// Reads edges and timers as users write them into erased ones.
import { durationMs, isDuration } from '../base/duration.ts'
import { errorText, PawlError } from '../base/errors.ts'
import { freezeJson } from '../base/json.ts'
import type {
  EdgeDefinition,
  EmitDefinition,
  Fields,
  Given,
  MessageDefinition,
  StepDefinition,
  TimerDefinition,
} from './definition.ts'
import type { Place, Raw } from './place.ts'
import { isRaw, synchronous } from './place.ts'
import { didYouMean } from './suggest.ts'

/** What the parts of a machine are read against, and what was seen on the way. */
export interface Reading {
  readonly states: ReadonlySet<string>
  readonly receives: ReadonlyMap<string, MessageDefinition>
  readonly emits: ReadonlyMap<string, MessageDefinition>
  /** Types that something handles. */
  readonly handled: Set<string>
  /** Types that something emits. */
  readonly told: Set<string>
}

/** The keys of a step. */
export const STEP_KEYS = ['to', 'if', 'set', 'emit']
const TIMER_KEYS = [...STEP_KEYS, 'name', 'in', 'at']

/** Notes that a type is handled, and says where it is not received. */
export function hear(reading: Reading, place: Place, type: string): void {
  reading.handled.add(type)
  if (!reading.receives.has(type)) {
    place.say('not-declared', `handles "${type}": add it to \`receives\`${didYouMean(type, reading.receives.keys())}`)
  }
}

/** What is emitted, in the order that it is written in. */
export function readEmit(reading: Reading, place: Place, raw: unknown): readonly EmitDefinition[] {
  const emits: EmitDefinition[] = []
  for (const [type, value] of Object.entries(place.fields(raw, '`emit`'))) {
    if (value === undefined) continue
    reading.told.add(type)
    const message = reading.emits.get(type)
    if (message === undefined) {
      place.say('not-declared', `emits "${type}": add it to \`emits\`${didYouMean(type, reading.emits.keys())}`)
    }
    const give = place.callback<(given: Given) => unknown>(value, `what is emitted as "${type}"`)
    if (message !== undefined && give !== undefined) emits.push({ message, give })
  }
  return emits
}

/** Field by field, as one function. Data are JSON, so what is a function here computes a field. */
const readSetters = (place: Place, raw: Raw): StepDefinition['set'] => {
  const setters = Object.entries(raw).map(([field, given]) => {
    const value: unknown = synchronous(given)
    if (typeof value === 'function' || value === undefined) return [field, value] as const
    try {
      // A frozen copy, made once: instances share it, and whoever wrote the definition keeps what is theirs.
      return [field, freezeJson(value, `the field "${field}" of \`set\``)] as const
    } catch (e) {
      place.say('bad-shape', errorText(e))
      return [field, value] as const
    }
  })
  return (given) => {
    const fields: Record<string, unknown> = {}
    for (const [field, value] of setters) {
      fields[field] = typeof value === 'function' ? (value as (given: Given) => unknown)(given) : value
    }
    return fields
  }
}

const readSet = (place: Place, raw: unknown): StepDefinition['set'] => {
  if (isRaw(raw)) return readSetters(place, raw)
  return place.callback<(given: Given) => Fields>(raw, '`set`')
}

const readTarget = (reading: Reading, place: Place, raw: unknown): string | undefined => {
  if (raw === undefined) return undefined
  const to = place.text(raw, '`to`')
  if (!reading.states.has(to) && typeof raw === 'string') {
    place.say('no-such-state', `goes to "${to}", which does not exist${didYouMean(to, reading.states)}`)
  }
  return to
}

const readStep = (
  reading: Reading,
  place: Place,
  value: unknown,
  keys: readonly string[],
  what: string,
): StepDefinition => {
  const raw = place.fields(value ?? null, what)
  place.keys(raw, keys, 'an edge')
  return {
    to: readTarget(reading, place, raw['to']),
    if: place.callback<(given: Given) => boolean>(raw['if'], '`if`'),
    set: readSet(place, raw['set']),
    emit: readEmit(reading, place, raw['emit']),
  }
}

/** An edge: the name of a state, a step, or a list of steps. `what` names it in problems. */
export function readEdge(reading: Reading, place: Place, raw: unknown, what: string): EdgeDefinition {
  if (raw === undefined) return []
  if (typeof raw === 'string') {
    return [{ to: readTarget(reading, place, raw), if: undefined, set: undefined, emit: [] }]
  }
  const steps = Array.isArray(raw) ? (raw as unknown[]) : [raw]
  return steps.map((step) => readStep(reading, place, step, STEP_KEYS, what))
}

/** Whether it is one edge, and not a map of edges. */
export const isEdge = (raw: unknown): boolean =>
  typeof raw === 'string' ||
  Array.isArray(raw) ||
  (isRaw(raw) && Object.keys(raw).every((key) => STEP_KEYS.includes(key)))

const badTime = (timer: string, why: string): PawlError => new PawlError('BAD_TIME', `timer "${timer}" ${why}`)

/** From `now` on; a part of a ms counts whole, since stored times are. */
const dueIn = (timer: string, given: Given, duration: unknown): number => {
  if (!isDuration(duration))
    throw badTime(
      timer,
      `\`in\` gave ${JSON.stringify(duration)}: give a positive number and a unit, such as '15 minutes'`,
    )
  return Math.ceil(given.now.getTime() + durationMs(duration))
}

// A time of day without a zone means another time on another machine. A date alone is midnight UTC everywhere.
const ISO = /^[+-]?\d{4,6}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d))?$/

const dueAt = (timer: string, at: unknown): number | null => {
  if (at === null) return null
  const ms = at instanceof Date ? at.getTime() : typeof at === 'string' && ISO.test(at) ? Date.parse(at) : NaN
  if (Number.isNaN(ms))
    throw badTime(
      timer,
      `\`at\` gave ${at instanceof Date ? 'an invalid Date' : JSON.stringify(at)}: give a Date, an ISO 8601 text with its zone such as '2030-01-31T09:00:00Z', or null for never`,
    )
  return Math.ceil(ms)
}

const readNamedTimer = (reading: Reading, place: Place, value: unknown): TimerDefinition => {
  const raw = place.fields(value ?? null, 'a timer')
  const { name } = raw
  if (typeof name !== 'string' || name === '')
    place.say('bad-timer', 'a timer without a name: it is what a stored timer is known by')
  else place.name(name, 'the name of a timer')
  // Timers of groups are stored as `group/timer`, beside those of the state.
  if (typeof name === 'string' && name.includes('/'))
    place.say('bad-timer', `timer "${name}": write its name without a /`)
  const timer = String(name)
  if ((raw['in'] === undefined) === (raw['at'] === undefined))
    place.say('bad-timer', `timer "${timer}": give either \`in\` or \`at\``)
  const within = place.callback<(given: Given) => unknown>(raw['in'], `timer "${timer}": \`in\``)
  const at = place.callback<(given: Given) => unknown>(raw['at'], `timer "${timer}": \`at\``)
  return {
    name: timer,
    due: (given) => {
      if (within !== undefined) return dueIn(timer, given, within(given))
      return at === undefined ? null : dueAt(timer, at(given))
    },
    edge: [readStep(reading, place, raw, TIMER_KEYS, 'a timer')],
  }
}

/** Timers: by duration, which is the name then; or a list of named ones. Where their callbacks give no time they throw PawlError `BAD_TIME`. */
export function readTimers(reading: Reading, place: Place, raw: unknown): readonly TimerDefinition[] {
  if (Array.isArray(raw)) {
    const timers = raw.map((timer) => readNamedTimer(reading, place, timer))
    const twice = timers.filter(
      (timer, i) => timers.findIndex((other) => other.name === timer.name) < i && timer.name !== 'undefined',
    )
    for (const { name } of twice) place.say('bad-timer', `two timers "${name}": each needs its own name`)
    return timers
  }
  return Object.entries(place.fields(raw, '`after`'))
    .filter(([, edge]) => edge !== undefined)
    .map(([name, edge]) => {
      const ms = place.duration(name, 'after', 0)
      return {
        name,
        due: (given: Given) => Math.ceil(given.now.getTime() + ms),
        edge: readEdge(reading, place, edge, `after "${name}"`),
      }
    })
}
