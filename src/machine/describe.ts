import { definitionOf, type MachineGraph } from './definition.ts'

/** Signs that mean something to Mermaid, written so that they do not. */
const quoted = (text: string): string => text.replaceAll(/["\n\r;#:]/g, (c) => `#${c.charCodeAt(0)};`)

type Edge = MachineGraph['edges'][number]

/** Causes as a reader sees them on an arrow. */
const causeText = ({ kind, name }: Edge): string => {
  switch (kind) {
    case 'result':
    case 'join':
      return 'done'
    case 'failure':
      return name === '*' ? 'failed' : `failed: ${name}`
    case 'timer':
      return `after ${name}`
    case 'child':
      return name === 'done' ? 'children' : `child ${name}`
    case 'always':
    case 'cancel':
    case 'message':
      return name
  }
}

/** Arrows with the same ends are drawn once, with all their causes. */
const arrows = (graph: MachineGraph, ids: ReadonlyMap<string, string>): readonly string[] => {
  const causes = new Map<string, Set<string>>()
  for (const edge of graph.edges) {
    // What stays in a state leads nowhere that could be drawn.
    if (edge.to === undefined) continue
    const arrow = `${ids.get(edge.from)} --> ${ids.get(edge.to)}`
    causes.set(arrow, (causes.get(arrow) ?? new Set()).add(quoted(causeText(edge))))
  }
  return [...causes].map(([arrow, texts]) => `  ${arrow} : ${[...texts].join(', ')}`)
}

/** A graph as a Mermaid drawing (`stateDiagram-v2`), with a line break at the end. */
export function drawnGraph(graph: MachineGraph): string {
  const ids = new Map(graph.states.map(({ name }, i) => [name, `s${i}`]))
  const states = graph.states.map(({ name, calls }) => {
    const called = calls.length === 0 ? '' : ` (${calls.join(', ')})`
    return `  state "${quoted(name + called)}" as ${ids.get(name)}`
  })
  const finals = graph.states.filter(({ final }) => final !== undefined)
  const ends = finals.map(({ name, final }) => `  ${ids.get(name)} --> [*] : ${final}`)
  const begin = ids.has(graph.initial) ? [`  [*] --> ${ids.get(graph.initial)}`] : []
  return `${['stateDiagram-v2', ...states, ...begin, ...arrows(graph, ids), ...ends].join('\n')}\n`
}

/** What a machine, a saga or a contract is, as a Mermaid drawing (`stateDiagram-v2`) with a line break at the end. Throws BAD_DEFINITION for anything else. */
export const mermaid = (machine: { readonly name: string }): string => drawnGraph(definitionOf(machine).graph)
