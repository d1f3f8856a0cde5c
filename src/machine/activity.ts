import type { ActivityBody, ActivityDefinition } from './definition.ts'
import { define } from './definition.ts'
import { asActivity, keepBody } from './made.ts'
import { Place, shown } from './place.ts'
import type { Raw } from './place.ts'
import type { Problem } from './problem.ts'
import { refuse } from './problem.ts'
import type { MakeActivity, MakeImplementation } from './types-activity.ts'

const RESERVED = ['pool', 'thread', 'sql']
const KEYS = [
  'input',
  'output',
  'failures',
  'retry',
  'timeout',
  'heartbeat',
  'concurrency',
  'rate',
  'interruptible',
  ...RESERVED,
  'run',
]

const readFailures = (place: Place, raw: unknown): readonly string[] => {
  const failures = new Set<string>()
  for (const failure of place.list(raw, '`failures`')) {
    const name = place.name(failure, 'a failure')
    if (name !== '' && !/^\p{Lu}/u.test(name)) place.say('bad-failure', `failure "${name}": write it with a capital`)
    if (failures.has(name)) place.say('name-twice', `failure "${name}" is declared twice`)
    failures.add(name)
  }
  return [...failures]
}

const readRetry = (place: Place, value: unknown): ActivityDefinition['retry'] => {
  const raw = place.fields(value, '`retry`')
  place.keys(raw, ['attempts', 'first', 'factor', 'max', 'within'], '`retry`')
  const factor = raw['factor'] ?? 2
  const fine = typeof factor === 'number' && Number.isFinite(factor) && factor >= 1
  if (!fine) place.say('bad-number', `retry.factor is ${shown(factor)}: write a number from 1`)
  return {
    attempts: place.whole(raw['attempts'], 'retry.attempts', 1, 10),
    firstMs: place.duration(raw['first'], 'retry.first', 200),
    factor: fine ? factor : 2,
    maxMs: place.duration(raw['max'], 'retry.max', 30_000),
    withinMs: place.duration(raw['within'], 'retry.within', undefined),
  }
}

const readRate = (place: Place, value: unknown): ActivityDefinition['rate'] => {
  if (value === undefined) return undefined
  const raw = place.fields(value, '`rate`')
  place.keys(raw, ['count', 'per'], '`rate`')
  for (const key of ['count', 'per'])
    if (raw[key] === undefined)
      place.say(
        'bad-shape',
        `rate.${key} is missing: write so many in which time, such as { count: 5, per: '1 second' }`,
      )
  return { count: place.whole(raw['count'], 'rate.count', 1, 1), perMs: place.duration(raw['per'], 'rate.per', 1_000) }
}

const readActivity = (place: Place, name: unknown, raw: Raw): ActivityDefinition => ({
  name: place.name(name, 'the name of the activity'),
  input: place.schema(raw['input'], '`input`'),
  output: place.schema(raw['output'], '`output`'),
  failures: readFailures(place, raw['failures']),
  retry: readRetry(place, raw['retry']),
  timeoutMs: place.duration(raw['timeout'], '`timeout`', 30_000),
  heartbeatMs: place.duration(raw['heartbeat'], '`heartbeat`', undefined),
  concurrency: place.whole(raw['concurrency'], '`concurrency`', 1, undefined),
  rate: readRate(place, raw['rate']),
  interruptible: place.flag(raw['interruptible'], '`interruptible`'),
  reserved: RESERVED.filter((key) => raw[key] !== undefined && raw[key] !== false),
  run: place.body<ActivityBody>(raw['run'], '`run`'),
})

const makeActivity = (name: unknown, options: unknown): object => {
  const problems: Problem[] = []
  const place = new Place(problems, typeof name === 'string' && name !== '' ? name : 'activity')
  const raw = place.fields(options ?? null, 'what activity() is given')
  place.keys(raw, KEYS, 'an activity')
  const definition = readActivity(place, name, raw)
  refuse(problems)
  return define(Object.freeze({ kind: 'activity', name: definition.name }), definition)
}

const makeBody = (activity: unknown, run: unknown): object => {
  const problems: Problem[] = []
  const found = asActivity(activity)
  const place = new Place(problems, found?.name ?? 'implement')
  if (found === undefined)
    place.say('bad-shape', 'the first of what implement() is given is no activity: pass what activity() returned')
  else if (found.run !== undefined)
    place.say('name-twice', 'has a body already: leave out its `run`, or this implement()')
  if (run === undefined) place.say('bad-shape', 'the body is missing: write a function')
  const body = place.body<ActivityBody>(run, 'the body')
  refuse(problems)
  const object = Object.freeze({ kind: 'body', name: found!.name })
  keepBody(object, { activity: found!, run: body! })
  return object
}

/**
 * Declares a call to the outside: its input, output, failures and how it is tried again. It may run more than once, each time with
 * the same idempotency key. Throws PawlError `BAD_DEFINITION` with all problems at once.
 */
export const activity: MakeActivity = (name: string, o: unknown) => makeActivity(name, o) as never

/** Gives a body to an activity that was declared without one; it goes into `activities` of a service. Throws PawlError `BAD_DEFINITION`. */
export const implement: MakeImplementation = (of: unknown, run: unknown) => makeBody(of, run) as never
