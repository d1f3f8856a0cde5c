// The graph of a machine: its edges by name, what can be reached, and the plain data that is stored and drawn.
import { jsonHash } from '../base/json.ts'
import type { EdgeDefinition, MachineDefinition, MachineGraph, StateDefinition } from './definition.ts'

/** A way out of a state, and by what it is taken. */
export interface NamedEdge {
  readonly kind: MachineGraph['edges'][number]['kind']
  readonly name: string
  readonly edge: EdgeDefinition
}

/** A state, before it is known what lies ahead of it. */
export type BareState = Omit<StateDefinition, 'named' | 'ahead'>

const messageEdges = (on: ReadonlyMap<string, EdgeDefinition>): NamedEdge[] =>
  [...on].map(([name, edge]) => ({ kind: 'message', name, edge }))

const doneKind = (state: BareState): NamedEdge['kind'] =>
  state.call !== undefined ? 'result' : state.join.size > 0 ? 'join' : 'child'

/** The edges of a state in the order of its definition, then those of its groups. The cancel edge is not among them. */
export function edgesOf(state: BareState): readonly NamedEdge[] {
  const edges: NamedEdge[] = []
  if (state.done !== undefined) edges.push({ kind: doneKind(state), name: 'done', edge: state.done })
  for (const [name, edge] of state.fail) edges.push({ kind: 'failure', name, edge })
  edges.push(...messageEdges(state.on))
  for (const { name, edge } of state.after) edges.push({ kind: 'timer', name, edge })
  if (state.always.length > 0) edges.push({ kind: 'always', name: 'always', edge: state.always })
  for (const { kind, any } of state.until) {
    for (const [name, edge] of any) edges.push({ kind: 'child', name: `${kind}.${name}`, edge })
  }
  for (const group of state.groups) {
    edges.push(...messageEdges(group.on))
    for (const { name, edge } of group.after) edges.push({ kind: 'timer', name, edge })
  }
  return edges
}

/** The edges of a state, the cancel edge included. */
export const allEdgesOf = (state: BareState): readonly NamedEdge[] =>
  state.cancel === undefined
    ? edgesOf(state)
    : [...edgesOf(state), { kind: 'cancel', name: 'cancel', edge: state.cancel }]

/** Where the edges of each state lead, in one step. */
export function successors(
  states: Iterable<BareState>,
  edges: (state: BareState) => readonly NamedEdge[],
): ReadonlyMap<string, ReadonlySet<string>> {
  const to = new Map<string, ReadonlySet<string>>()
  for (const state of states) {
    const targets = edges(state).flatMap(({ edge }) => edge.map((step) => step.to))
    to.set(state.name, new Set(targets.filter((target) => target !== undefined)))
  }
  return to
}

/** All that can be reached from these, themselves included. */
export function reach(to: ReadonlyMap<string, ReadonlySet<string>>, from: Iterable<string>): ReadonlySet<string> {
  const seen = new Set(from)
  // A set is walked on while it grows.
  for (const state of seen) for (const next of to.get(state) ?? []) seen.add(next)
  return seen
}

/** Types that a state or one of its groups names. */
const namedIn = (state: BareState): ReadonlySet<string> =>
  new Set([...state.on.keys(), ...state.join.keys(), ...state.groups.flatMap((group) => [...group.on.keys()])])

/** The states with what they name, and what the states ahead of them name: a message that is named there may wait. */
export function withAhead(bare: readonly BareState[]): ReadonlyMap<string, StateDefinition> {
  const to = successors(bare, allEdgesOf)
  const named = new Map(bare.map((state) => [state.name, namedIn(state)]))
  const states = new Map<string, StateDefinition>()
  for (const state of bare) {
    const ahead = new Set<string>()
    for (const next of reach(to, to.get(state.name) ?? [])) for (const type of named.get(next) ?? []) ahead.add(type)
    states.set(state.name, { ...state, named: named.get(state.name)!, ahead })
  }
  return states
}

type Edge = MachineGraph['edges'][number]

const graphEdges = (state: StateDefinition): Edge[] =>
  allEdgesOf(state).flatMap(({ kind, name, edge }) =>
    edge.map((step) => ({
      from: state.name,
      ...(step.to === undefined ? {} : { to: step.to }),
      kind,
      name,
      emits: step.emit.map(({ message }) => message.type),
    })),
  )

/** What a graph is made of. */
export type Graphed = Pick<MachineDefinition, 'name' | 'version' | 'initial' | 'states' | 'receives' | 'emits'>

/** The graph as plain JSON, in the order of the definition. */
export function graphOf(machine: Graphed): MachineGraph {
  const states = [...machine.states.values()]
  return {
    name: machine.name,
    version: machine.version,
    initial: machine.initial,
    states: states.map(({ name, final, call }) => ({
      name,
      ...(final === undefined ? {} : { final: typeof final === 'string' ? final : 'failed or cancelled' }),
      calls: [...(call?.activities ?? [])].map(([key, { name: activity }]) =>
        key === activity ? key : `${key}: ${activity}`,
      ),
    })),
    edges: states.flatMap(graphEdges),
    receives: [...machine.receives.keys()],
    emits: [...machine.emits.keys()],
  }
}

const sorted = <T>(list: readonly T[], key: (item: T) => string): readonly T[] =>
  list.toSorted((a, b) => (key(a) < key(b) ? -1 : 1))

/** A hash of the graph, 22 characters. The order in which a definition names its states and edges does not count. */
export const graphHashOf = (graph: MachineGraph): string =>
  jsonHash({
    ...graph,
    states: sorted(graph.states, ({ name }) => name),
    edges: sorted(
      graph.edges.map((edge) => ({ ...edge, emits: edge.emits.toSorted() })),
      (edge) => JSON.stringify([edge.from, edge.kind, edge.name, edge.to, edge.emits]),
    ),
    receives: graph.receives.toSorted(),
    emits: graph.emits.toSorted(),
  })
