// A machine's graph for Graphviz.
import type { MachineGraph } from '../machine/definition.ts'

const quoted = (text: string): string =>
  `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', ' ')}"`

type Edge = MachineGraph['edges'][number]
const causeOf = ({ kind, name }: Edge): string => {
  if (kind === 'timer') return `after ${name}`
  if (kind === 'failure') return name === '*' ? 'failed' : `failed: ${name}`
  if (kind === 'child') return `child ${name}`
  return name
}

/** The graph as a `digraph`; arrows with the same ends are drawn once, with all their causes. */
export function dot(graph: MachineGraph): string {
  const arrows = new Map<string, Set<string>>()
  for (const edge of graph.edges) {
    if (edge.to === undefined) continue
    const arrow = `${quoted(edge.from)} -> ${quoted(edge.to)}`
    arrows.set(arrow, (arrows.get(arrow) ?? new Set()).add(causeOf(edge)))
  }
  const nodes = graph.states.map(({ name, final, calls }) => {
    const label = calls.length === 0 ? name : `${name} (${calls.join(', ')})`
    return `  ${quoted(name)} [label=${quoted(label)}${final === undefined ? '' : ', peripheries=2'}]`
  })
  const edges = [...arrows].map(([arrow, causes]) => `  ${arrow} [label=${quoted([...causes].join(', '))}]`)
  return `${[`digraph ${quoted(graph.name)} {`, '  node [shape=box, style=rounded]', '  "" [shape=point]', ...nodes, `  "" -> ${quoted(graph.initial)}`, ...edges, '}'].join('\n')}\n`
}
