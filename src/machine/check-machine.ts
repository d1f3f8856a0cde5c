// What types cannot hold about a machine: its graph, messages and versions. States one by one are in check-state.ts.
import type {
  EdgeDefinition,
  MachineDefinition,
  MessageDefinition,
  StateDefinition,
  StepDefinition,
} from './definition.ts'
import { checkState } from './check-state.ts'
import { checkKeys } from './erase-call.ts'
import type { Reading } from './erase-edge.ts'
import { allEdgesOf, edgesOf, reach, successors } from './graph.ts'
import type { Place, Raw } from './place.ts'
import { isRaw } from './place.ts'

/** Says which commands a machine emits or receives that go nowhere, or elsewhere. */
export function checkAddresses(
  place: Place,
  name: string,
  receives: Iterable<MessageDefinition>,
  emits: Iterable<MessageDefinition>,
): void {
  for (const { kind, type, to } of emits) {
    if (kind === 'command' && to === undefined)
      place.say('no-address', `emits "${type}": give the command a \`to\` and a \`key\``)
  }
  for (const { kind, type, to } of receives) {
    if (kind === 'command' && to !== undefined && to !== name)
      place.say('no-address', `receives "${type}", which goes to ${to}`)
  }
}

/** Says which final states of children of one kind are named nowhere in a state that follows them. */
export function checkChildEnds(place: Place, state: StateDefinition, kind: string, finals: Iterable<string>): void {
  for (const follow of state.until) {
    if (follow.kind !== kind) continue
    for (const end of finals) {
      if (follow.all.has(end) || follow.any.has(end)) continue
      place.say(
        'child-end-unnamed',
        `follows ${kind}, which may end as "${end}": name it in \`all\` or \`any\` ({}: nothing to do)`,
      )
    }
  }
}

/** `{}`: seen, nothing to do. */
const doesNothing = (step: StepDefinition): boolean =>
  step.to === undefined && step.set === undefined && step.emit.length === 0

/** Whether a message that comes too late would be taken whatever it says. */
const takesAny = (edge: EdgeDefinition): boolean => edge.some((step) => step.if === undefined && !doesNothing(step))

const checkStale = (at: (state: string) => Place, definition: MachineDefinition): void => {
  const states = [...definition.states.values()]
  const to = successors(states, allEdgesOf)
  for (const state of states) {
    for (const [type, edge] of state.on) {
      if (definition.receives.get(type)?.kind !== 'event' || !takesAny(edge)) continue
      const later = states.filter(
        (other) =>
          other !== state &&
          other.final === undefined &&
          other.always.length === 0 &&
          !other.named.has(type) &&
          reach(to, to.get(state.name) ?? []).has(other.name) &&
          reach(to, to.get(other.name) ?? []).has(state.name),
      )
      if (later.length === 0) continue
      const names = later.map(({ name }) => name).join(', ')
      at(state.name).say(
        'stale',
        `"${type}" that comes too late, in ${names}, waits until "${state.name}" comes round again: say {} there, or look at it in an \`if\``,
      )
    }
  }
}

const checkGraph = (at: (state: string) => Place, definition: MachineDefinition): void => {
  const states = [...definition.states.values()]
  // A cancel is no way out that a process takes by itself, but what it leads to is reached.
  const own = successors(states, edgesOf)
  for (const { name, final } of states) {
    if (final === undefined && own.get(name)!.size === 0)
      at(name).say('no-way-out', 'is not final, and nothing leads out')
  }
  // Where a name is misspelt, more states than that look as if nothing led to them.
  if (at('').problems.some(({ rule }) => rule === 'no-such-state')) return
  const live = reach(successors(states, allEdgesOf), [definition.initial])
  for (const { name } of states) if (!live.has(name)) at(name).say('unreachable', 'cannot be reached')
}

const checkGroups = (at: (state: string) => Place, definition: MachineDefinition): void => {
  for (const group of definition.groups) {
    for (const state of group.states) {
      if (definition.finals.has(state)) at(state).say('final-with-ways-out', `is final, and in group "${group.name}"`)
    }
  }
}

/** What types cannot hold about a machine; also what no compiler has looked at. `raw` is what the user wrote. */
export function checkMachine(place: Place, raw: Raw, definition: MachineDefinition, reading: Reading): void {
  const at = (state: string): Place => place.at(`${place.where}, state "${state}"`)
  const rawStates = isRaw(raw['states']) ? raw['states'] : {}
  for (const state of definition.states.values()) {
    const rawState = rawStates[state.name]
    checkState(at(state.name), isRaw(rawState) ? rawState : {}, state)
    for (const child of definition.children.values()) checkChildEnds(at(state.name), state, child.kind, child.of.finals)
    checkKeys(at(state.name), state.call?.activities.keys() ?? [])
  }
  checkGroups(at, definition)
  checkGraph(at, definition)
  checkStale(at, definition)
  checkAddresses(place, definition.name, definition.receives.values(), definition.emits.values())
  for (const type of definition.receives.keys()) {
    if (!reading.handled.has(type)) place.say('not-used', `receives "${type}", and nothing handles it`)
  }
  for (const type of definition.emits.keys()) {
    if (!reading.told.has(type)) place.say('not-used', `never emits "${type}"`)
  }
}
