// Reads a machine as users write it into its erased definition.
import type { ChildDefinition, MachineDefinition, MessageDefinition, MigrateDefinition } from './definition.ts'
import type { Reading } from './erase-edge.ts'
import { readEdge } from './erase-edge.ts'
import { rawStates, readGroups, readState } from './erase-state.ts'
import type { Graphed } from './graph.ts'
import { graphHashOf, graphOf, withAhead } from './graph.ts'
import { asMachine, asMessage } from './made.ts'
import type { Place, Raw } from './place.ts'
import { didYouMean } from './suggest.ts'

const MACHINE_KEYS = [
  'version',
  'data',
  'receives',
  'emits',
  'children',
  'start',
  'correlate',
  'initial',
  'cancel',
  'groups',
  'states',
  'priority',
  'fairBy',
  'migrate',
]

/** Messages by type. */
export function readMessages(place: Place, raw: unknown, what: string): ReadonlyMap<string, MessageDefinition> {
  const messages = new Map<string, MessageDefinition>()
  for (const value of place.list(raw, what)) {
    const message = asMessage(value)
    if (message === undefined)
      place.say('bad-shape', `${what} has something that is no message: put in what event() or command() returned`)
    else if (messages.has(message.type)) place.say('name-twice', `${what} has "${message.type}" twice`)
    else messages.set(message.type, message)
  }
  return messages
}

/** Functions by type of message. */
const readByType = <F>(
  place: Place,
  receives: ReadonlyMap<string, MessageDefinition>,
  raw: unknown,
  what: string,
): ReadonlyMap<string, F> => {
  const functions = new Map<string, F>()
  for (const [type, value] of Object.entries(place.fields(raw, `\`${what}\``))) {
    if (!receives.has(type))
      place.say('not-declared', `\`${what}\` has "${type}": add it to \`receives\`${didYouMean(type, receives.keys())}`)
    const found = place.needed<F>(value, `\`${what}\` of "${type}"`)
    if (found !== undefined) functions.set(type, found)
  }
  return functions
}

const readChildren = (place: Place, raw: unknown): ReadonlyMap<string, ChildDefinition> => {
  const children = new Map<string, ChildDefinition>()
  for (const [kind, value] of Object.entries(place.fields(raw, '`children`'))) {
    const what = `\`children.${kind}\``
    const child = place.fields(value ?? null, what)
    place.keys(child, ['of', 'each', 'restart', 'onCancel'], what)
    const of = asMachine(child['of'])
    if (of === undefined)
      place.say('bad-shape', `${what}: \`of\` is no machine: pass what machine(), saga().done() or contract() returned`)
    const each = place.needed<ChildDefinition['each']>(child['each'], `${what}: \`each\``)
    const restart = place.flag(child['restart'], `${what}: \`restart\``)
    const onCancel = place.word(child['onCancel'], `${what}: \`onCancel\``, ['keep', 'cancel'], 'keep')
    if (of !== undefined) children.set(kind, { kind, of, each: each ?? (() => []), restart, onCancel })
  }
  return children
}

const readMigrate = (place: Place, name: string, version: number, raw: unknown): MachineDefinition['migrate'] => {
  const migrate = new Map<number, MigrateDefinition>()
  for (const [key, value] of Object.entries(place.fields(raw, '`migrate`'))) {
    const what = `migrate ${key}`
    const fields = place.fields(value ?? null, what)
    place.keys(fields, ['from', 'to'], what)
    const older = Number(key)
    const from = asMachine(fields['from'])
    if (!(Number.isSafeInteger(older) && older >= 1 && older < version))
      place.say('not-older', `${what}: not older than version ${version}`)
    else if (from !== undefined && (from.name !== name || from.version !== older))
      place.say('not-older', `${what}: \`from\` is ${from.name} version ${from.version}`)
    if (from === undefined)
      place.say('bad-shape', `${what}: \`from\` is no machine: pass the contract() of that version`)
    const to = place.needed<MigrateDefinition['to']>(fields['to'], `${what}: \`to\``)
    if (from !== undefined && to !== undefined) migrate.set(older, { from, to })
  }
  return migrate
}

/** A definition and what was seen while it was read. */
export interface Read {
  readonly definition: MachineDefinition
  readonly reading: Reading
}

const readInitial = (place: Place, states: ReadonlySet<string>, raw: unknown): string => {
  const initial = place.text(raw, '`initial`')
  if (typeof raw === 'string' && !states.has(initial)) {
    place.say('no-such-state', `\`initial\` is "${initial}", which does not exist${didYouMean(initial, states)}`)
  }
  return initial
}

/** What a machine has besides its graph. */
const readRest = (place: Place, raw: Raw, reading: Reading) => ({
  schema: place.schema(raw['data'], '`data`'),
  start: readByType<(message: unknown) => unknown>(place, reading.receives, raw['start'], 'start'),
  correlate: readByType<(message: unknown) => string | readonly string[] | null>(
    place,
    reading.receives,
    raw['correlate'],
    'correlate',
  ),
  priority: place.whole(raw['priority'], '`priority`', -Infinity, 0),
  fairBy: place.callback<NonNullable<MachineDefinition['fairBy']>>(raw['fairBy'], '`fairBy`'),
})

/** What all machines have that are no sagas. */
export const PLAIN = {
  begin: undefined,
  cancelBy: new Set<string>(),
  dataOf: (input: unknown): unknown => input,
  output: (_id: string, data: unknown): unknown => data,
} as const

/** The graph of a machine, and its hash. */
export const graphed = (machine: Graphed): Pick<MachineDefinition, 'graph' | 'graphHash'> => {
  const graph = graphOf(machine)
  return { graph, graphHash: graphHashOf(graph) }
}

/** The machine that a user wrote. Problems go to `place`; with any, the definition is of no use. */
export function readMachine(place: Place, rawName: unknown, raw: Raw): Read {
  place.keys(raw, MACHINE_KEYS, 'the definition')
  const name = place.name(rawName, 'the name of the machine')
  const version = place.whole(raw['version'], '`version`', 1, 1)
  const receives = readMessages(place, raw['receives'], '`receives`')
  const emits = readMessages(place, raw['emits'], '`emits`')
  const states = rawStates(place, raw['states'])
  const reading: Reading = {
    states: new Set(Object.keys(states)),
    receives,
    emits,
    handled: new Set(),
    told: new Set(),
  }
  const children = readChildren(place, raw['children'])
  const groups = readGroups(reading, place, raw['groups'])
  const rawCancel = raw['cancel']
  const cancel =
    rawCancel === undefined ? undefined : readEdge(reading, place.at(`${place.where}, cancel`), rawCancel, '`cancel`')
  const bare = Object.entries(states).map(([state, value]) =>
    readState(reading, place.at(`${place.where}, state "${state}"`), state, value, { children, groups, cancel }),
  )
  const initial = readInitial(place, reading.states, raw['initial'])
  const migrate = readMigrate(place, name, version, raw['migrate'])
  const rest = readRest(place, raw, reading)
  for (const type of rest.start.keys()) reading.handled.add(type)
  const graph: Graphed = { name, version, initial, states: withAhead(bare), receives, emits }
  const finals = new Set(bare.filter((state) => state.final !== undefined).map((state) => state.name))
  return {
    definition: { kind: 'machine', ...graph, ...PLAIN, ...rest, children, groups, finals, migrate, ...graphed(graph) },
    reading,
  }
}
