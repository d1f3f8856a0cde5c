import type { MachineDefinition, StateDefinition } from './definition.ts'
import { graphed, PLAIN, readMessages } from './erase-machine.ts'
import type { Graphed } from './graph.ts'
import { machineObject } from './machine.ts'
import { Place } from './place.ts'
import { refuse } from './problem.ts'
import { didYouMean } from './suggest.ts'
import type { MakeContract } from './types-machine.ts'

/** A state of which the name is known, and whether it is final; as what it ends there is not. */
const nameOnly = (name: string, final: boolean): StateDefinition => ({
  name,
  call: undefined,
  done: undefined,
  fail: new Map(),
  on: new Map(),
  join: new Map(),
  after: [],
  always: [],
  until: [],
  emit: [],
  final: final ? 'done' : undefined,
  groups: [],
  cancel: undefined,
  cancelRule: undefined,
  named: new Set(),
  ahead: new Set(),
})

const makeContract = (rawName: unknown, options: unknown): object => {
  const place = new Place([], typeof rawName === 'string' && rawName !== '' ? rawName : 'contract')
  const raw = place.fields(options ?? null, 'what contract() is given')
  place.keys(raw, ['version', 'data', 'states', 'finals', 'receives'], 'a contract')
  const states = place.list(raw['states'], '`states`').map((state) => place.name(state, 'a state'))
  if (states.length === 0) place.say('bad-shape', '`states` is missing or empty: write the names of its states')
  const finals = new Set(place.list(raw['finals'], '`finals`').map((state) => place.text(state, 'a final state')))
  for (const state of finals) {
    if (!states.includes(state))
      place.say('no-such-state', `\`finals\` has "${state}", which is not in \`states\`${didYouMean(state, states)}`)
  }
  const graph: Graphed = {
    name: place.name(rawName, 'the name of the machine'),
    version: place.whole(raw['version'], '`version`', 1, 1),
    initial: states[0] ?? '',
    states: new Map(states.map((state) => [state, nameOnly(state, finals.has(state))])),
    receives: readMessages(place, raw['receives'], '`receives`'),
    emits: new Map(),
  }
  const schema = place.schema(raw['data'], '`data`')
  refuse(place.problems)
  const definition: MachineDefinition = {
    kind: 'contract',
    ...graph,
    ...PLAIN,
    schema,
    finals,
    children: new Map(),
    start: new Map(),
    correlate: new Map(),
    groups: [],
    priority: 0,
    fairBy: undefined,
    migrate: new Map(),
    ...graphed(graph),
  }
  return machineObject(definition, [])
}

/**
 * What others know of a machine: a child in another service, an older version of a machine, or a machine itself (recursion). Names
 * only; the first of `states` is where it begins. Throws PawlError `BAD_DEFINITION` with all problems at once.
 */
export const contract: MakeContract = (name: string, o: unknown) => makeContract(name, o) as never
