// Reads what a state calls, with its input and its ways out.
import { callKey } from '../base/id.ts'
import { PawlError } from '../base/errors.ts'
import type { ActivityDefinition, CallDefinition, EdgeDefinition, Given, PlannedCall } from './definition.ts'
import type { Reading } from './erase-edge.ts'
import { isEdge, readEdge } from './erase-edge.ts'
import { asActivity } from './made.ts'
import type { Place, Raw } from './place.ts'
import { fits, isRaw } from './place.ts'
import { didYouMean } from './suggest.ts'

type InputOf = (given: Given) => unknown

const noInput: InputOf = () => ({})

/** The activity, or undefined with a problem. */
const readActivity = (place: Place, raw: unknown, what: string): ActivityDefinition | undefined => {
  const activity = asActivity(raw)
  if (activity === undefined) place.say('bad-shape', `${what} is no activity: pass what activity() returned`)
  return activity
}

/** The function that gives a call's input. Left out it is `{}`, where the schema takes that. */
const readInput = (place: Place, activity: ActivityDefinition, raw: unknown, what: string): InputOf => {
  if (raw === undefined && !fits(activity.input, {})) place.say('no-input', `calls ${activity.name}: add \`${what}\``)
  return place.callback<InputOf>(raw, `\`${what}\``) ?? noInput
}

type Shape = Pick<CallDefinition, 'shape' | 'activities' | 'plan'>

const one = (place: Place, activity: ActivityDefinition, raw: unknown): Shape => {
  const input = readInput(place, activity, raw, 'input')
  const { name } = activity
  return {
    shape: 'one',
    activities: new Map([[name, activity]]),
    plan: (given) => [{ name, activity, input: input(given) }],
  }
}

const list = (place: Place, raw: readonly unknown[], rawInput: unknown): Shape => {
  if (raw.length !== 1)
    place.say(
      'bad-shape',
      `\`call\` is a list of ${raw.length}: write [one] for one call for each input, or several by name, { one, two }`,
    )
  const activity = readActivity(place, raw[0], 'what is in the list of `call`')
  if (activity === undefined) return { shape: 'list', activities: new Map(), plan: () => [] }
  if (rawInput === undefined) place.say('no-input', `calls ${activity.name} for each input: add \`input\``)
  const input = place.callback<InputOf>(rawInput, '`input`') ?? (() => [])
  const plan = (given: Given): PlannedCall[] => {
    const inputs = input(given)
    if (!Array.isArray(inputs))
      throw new PawlError(
        'HANDLER_FAILED',
        `\`input\` of [${activity.name}] gave no list: return one input for each call`,
      )
    return inputs.map((value: unknown, i) => ({ name: `${activity.name}/${i}`, activity, input: value }))
  }
  return { shape: 'list', activities: new Map([[activity.name, activity]]), plan }
}

const named = (place: Place, raw: Raw, rawInput: unknown): Shape => {
  if (Object.keys(raw).length === 0) place.say('bad-shape', '`call` has no activities: name one, or leave it out')
  const inputs = place.fields(rawInput, '`input` of several calls')
  for (const key of Object.keys(inputs)) {
    if (!Object.hasOwn(raw, key))
      place.say(
        'nothing-to-be-done',
        `has \`input.${key}\`, but no call of that name${didYouMean(key, Object.keys(raw))}`,
      )
  }
  const activities = new Map<string, ActivityDefinition>()
  const calls: { readonly name: string; readonly activity: ActivityDefinition; readonly input: InputOf }[] = []
  for (const [key, value] of Object.entries(raw)) {
    const name = place.name(key, 'the name of a call')
    const activity = readActivity(place, value, `\`call.${key}\``)
    if (activity === undefined) continue
    activities.set(name, activity)
    calls.push({ name, activity, input: readInput(place, activity, inputs[key], `input.${key}`) })
  }
  return {
    shape: 'named',
    activities,
    plan: (given) => calls.map(({ name, activity, input }) => ({ name, activity, input: input(given) })),
  }
}

/** Says where two calls of a machine would have one idempotency key: 40 bits of their names' hashes, so this happens by design only. */
export function checkKeys(place: Place, names: Iterable<string>): void {
  const seen = new Map<string, string>()
  for (const name of new Set(names)) {
    const key = callKey('', 0, name)
    const other = seen.get(key)
    if (other !== undefined)
      place.say(
        'same-key',
        `the calls "${other}" and "${name}" would have the same idempotency key: give one of them another name`,
      )
    seen.set(key, name)
  }
}

/** What a state calls; undefined where it calls nothing. */
export function readCall(place: Place, raw: Raw): CallDefinition | undefined {
  const { call, input } = raw
  if (call === undefined) return undefined
  const single = asActivity(call)
  let shape: Shape
  if (single !== undefined) shape = one(place, single, input)
  else if (Array.isArray(call)) shape = list(place, call, input)
  else if (isRaw(call) && typeof call['kind'] !== 'string') shape = named(place, call, input)
  else {
    readActivity(place, call, '`call`')
    return undefined
  }
  const key = place.callback<(given: Given) => string>(raw['key'], '`key`')
  return { ...shape, key, interruptible: [...shape.activities.values()].every((activity) => activity.interruptible) }
}

/** The failure edges of a state: by failure, or `*` where one edge serves all. */
export function readFail(
  reading: Reading,
  place: Place,
  raw: unknown,
  call: CallDefinition | undefined,
): ReadonlyMap<string, EdgeDefinition> {
  if (raw === undefined) return new Map()
  if (isEdge(raw)) return new Map([['*', readEdge(reading, place, raw, '`fail`')]])
  const failures = ['other', ...[...(call?.activities.values() ?? [])].flatMap((activity) => activity.failures)]
  const edges = new Map<string, EdgeDefinition>()
  for (const [failure, edge] of Object.entries(place.fields(raw, '`fail`'))) {
    if (edge === undefined) continue
    if (call !== undefined && !failures.includes(failure)) {
      place.say(
        'no-such-failure',
        `\`fail\` has "${failure}"; there are ${failures.join(', ')}${didYouMean(failure, failures)}`,
      )
    }
    edges.set(failure, readEdge(reading, place, edge, `\`fail.${failure}\``))
  }
  return edges
}
