// Reads the states and groups of a machine.
import type {
  ChildDefinition,
  EdgeDefinition,
  Fields,
  FollowDefinition,
  Given,
  GroupDefinition,
  StateDefinition,
} from './definition.ts'
import { readCall, readFail } from './erase-call.ts'
import type { Reading } from './erase-edge.ts'
import { hear, readEdge, readEmit, readTimers } from './erase-edge.ts'
import type { BareState } from './graph.ts'
import type { Place, Raw } from './place.ts'
import { isRaw } from './place.ts'
import { didYouMean } from './suggest.ts'

const STATE_KEYS = ['call', 'input', 'key', 'done', 'fail', 'on', 'join', 'after', 'always', 'until', 'emit', 'final']
const ENDS = ['done', 'failed', 'cancelled'] as const

/** Edges by message. */
const readOn = (reading: Reading, place: Place, raw: unknown): ReadonlyMap<string, EdgeDefinition> => {
  const on = new Map<string, EdgeDefinition>()
  for (const [type, edge] of Object.entries(place.fields(raw, '`on`'))) {
    if (edge === undefined) continue
    hear(reading, place, type)
    on.set(type, readEdge(reading, place, edge, `on "${type}"`))
  }
  return on
}

const readJoin = (reading: Reading, place: Place, raw: unknown): StateDefinition['join'] => {
  const join = new Map<string, ((given: Given) => Fields) | undefined>()
  for (const [type, value] of Object.entries(place.fields(raw, '`join`'))) {
    if (value === undefined) continue
    hear(reading, place, type)
    join.set(type, value === true ? undefined : place.callback(value, `join "${type}"`))
  }
  return join
}

const readAlways = (reading: Reading, place: Place, raw: unknown): EdgeDefinition => {
  if (raw === undefined) return []
  if (!Array.isArray(raw)) place.list(raw, '`always`')
  return Array.isArray(raw) ? readEdge(reading, place, raw, '`always`') : []
}

const unknownChild = (place: Place, what: string, state: string, child: ChildDefinition): void => {
  const states = [...child.of.states.keys()]
  if (states.includes(state)) return
  place.say(
    'no-such-child',
    `${what} has "${state}"; ${child.of.name} has ${states.join(', ')}${didYouMean(state, states)}`,
  )
}

const readFollow = (
  reading: Reading,
  place: Place,
  kind: string,
  value: unknown,
  child: ChildDefinition,
): FollowDefinition => {
  const what = `\`until.${kind}\``
  const raw = place.fields(value ?? null, what)
  place.keys(raw, ['all', 'any', 'if', 'spawn'], `${what}, which follows children`)
  const all =
    typeof raw['all'] === 'string'
      ? [raw['all']]
      : place.list(raw['all'], `${what}: \`all\``).map((state) => place.text(state, `a state in ${what}`))
  const any = new Map<string, EdgeDefinition>()
  for (const [state, edge] of Object.entries(place.fields(raw['any'], `${what}: \`any\``))) {
    if (edge !== undefined) any.set(state, readEdge(reading, place, edge, `${what}: any "${state}"`))
  }
  if (all.length === 0 && any.size === 0) place.say('no-such-child', `${what} follows nothing: give \`all\` or \`any\``)
  for (const state of new Set([...all, ...any.keys()])) unknownChild(place, what, state, child)
  return {
    kind,
    all: new Set(all),
    spawn: place.flag(raw['spawn'], `${what}: \`spawn\``, true),
    if: place.callback(raw['if'], `${what}: \`if\``),
    any,
  }
}

const readUntil = (
  reading: Reading,
  place: Place,
  raw: unknown,
  children: ReadonlyMap<string, ChildDefinition>,
): readonly FollowDefinition[] => {
  const follows: FollowDefinition[] = []
  for (const [kind, value] of Object.entries(place.fields(raw, '`until`'))) {
    if (value === undefined) continue
    const child = children.get(kind)
    if (child === undefined)
      place.say('no-such-child', `\`until\` has "${kind}": add it to \`children\`${didYouMean(kind, children.keys())}`)
    else follows.push(readFollow(reading, place, kind, value, child))
  }
  return follows
}

/** What else than the state's own part of the definition a state is made of. */
export interface Around {
  readonly children: ReadonlyMap<string, ChildDefinition>
  readonly groups: readonly GroupDefinition[]
  readonly cancel: EdgeDefinition | undefined
}

/** One state. `value` is what the user wrote. */
export function readState(reading: Reading, place: Place, name: string, value: unknown, around: Around): BareState {
  const raw: Raw = place.fields(value ?? null, 'the state')
  place.keys(raw, STATE_KEYS, 'a state')
  place.name(name, 'the name of the state')
  const call = readCall(place, raw)
  const final = raw['final'] === undefined ? undefined : place.word(raw['final'], '`final`', ENDS, 'done')
  return {
    name,
    call,
    done: raw['done'] === undefined ? undefined : readEdge(reading, place, raw['done'], '`done`'),
    fail: readFail(reading, place, raw['fail'], call),
    on: readOn(reading, place, raw['on']),
    join: readJoin(reading, place, raw['join']),
    after: readTimers(reading, place, raw['after']),
    always: readAlways(reading, place, raw['always']),
    until: readUntil(reading, place, raw['until'], around.children),
    emit: readEmit(reading, place, raw['emit']),
    final,
    groups: around.groups.filter((group) => group.states.has(name)),
    cancel: final === undefined ? around.cancel : undefined,
    cancelRule: undefined,
  }
}

/** What holds in several states. `raw` is the whole of `groups`. */
export function readGroups(reading: Reading, place: Place, raw: unknown): readonly GroupDefinition[] {
  return Object.entries(place.fields(raw, '`groups`')).map(([name, value]) => {
    const here = place.at(`${place.where}, group "${name}"`)
    here.name(name, 'the name of the group')
    if (name.includes('/'))
      here.say('bad-name', 'the name of the group has a /: timers of groups are stored as `group/timer`')
    const group = here.fields(value ?? null, 'the group')
    here.keys(group, ['states', 'on', 'after'], 'a group')
    if (group['states'] === undefined)
      here.say('bad-shape', '`states` is missing: write the names of the states that it holds in')
    const states = here.list(group['states'], '`states`').map((state) => here.text(state, 'a state'))
    for (const state of states) {
      if (!reading.states.has(state))
        here.say('no-such-state', `has "${state}", which does not exist${didYouMean(state, reading.states)}`)
    }
    return {
      name,
      states: new Set(states),
      on: readOn(reading, here, group['on']),
      after: readTimers(reading, here, group['after']),
    }
  })
}

/** What users wrote of the states, by name; nothing where that is no object. */
export const rawStates = (place: Place, raw: unknown): Raw => {
  if (!isRaw(raw) || Object.keys(raw).length === 0)
    place.say('bad-shape', '`states` is missing: write an object of states by name')
  return isRaw(raw) ? raw : {}
}
