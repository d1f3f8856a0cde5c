// What a deploy would break is told before it runs: the graph of each (machine, version) is remembered, and a change of it
// under the same number is accepted only where no living instance stands in a state that is gone. Where one stands in a state
// that calls something else now that is told, too: if its call is open the core stalls it.
import { PawlError } from '../base/errors.ts'
import type { MachineDefinition, MachineGraph } from '../machine/definition.ts'
import type { Store } from '../store/store.ts'
import type { Registry } from './registry.ts'

type Population = Awaited<ReturnType<Store['population']>>

const standingIn = (state: string, count: number): string => `${count} instances stand in "${state}"`

const broken = (machine: MachineDefinition, population: Population): readonly string[] =>
  population
    .filter(({ state }) => !machine.states.has(state))
    .map(
      ({ state, count }) =>
        `${machine.name} version ${machine.version}: ${standingIn(state, count)}, which is gone. Raise the version and give a \`migrate\`, or keep the state`,
    )

/** A call of several is told as its name and its activity. */
const activityIn = (call: string): string => call.split(': ').at(-1) ?? call

/** Activities that no state of the machine calls any more, by the state that called them before and in which instances stand. */
function callsGone(before: MachineGraph, { graph }: MachineDefinition, population: Population): readonly string[] {
  const known = new Set(graph.states.flatMap(({ calls }) => calls.map(activityIn)))
  return population.flatMap(({ state, count }) => {
    const calls = before.states.find(({ name }) => name === state)?.calls ?? []
    const gone = calls.map(activityIn).filter((activity) => !known.has(activity))
    return gone.length === 0 ? [] : [`${standingIn(state, count)}, which called ${gone.join(', ')}`]
  })
}

function told(before: MachineGraph, machine: MachineDefinition, population: Population): string {
  const changed = `the graph of ${machine.name} has changed under version ${machine.version}`
  const gone = callsGone(before, machine, population)
  if (gone.length === 0)
    return `${changed}; no living instance stands in a state, or waits for an activity, that is gone`
  return `${changed}: ${gone.join('; ')}: those that wait for it stall (ACTIVITY_GONE). Bring it back, or resolve, move or cancel them`
}

/** Compares all graphs with those that ran on this store before. Rejects with BREAKS_INSTANCES and the whole list. */
export async function checkGraphs(
  store: Pick<Store, 'graphs' | 'population' | 'saveGraph'>,
  registry: Pick<Registry, 'machines'>,
  warn: (text: string) => void,
): Promise<void> {
  const known = new Map((await store.graphs()).map((row) => [`${row.name}\0${row.version}`, row]))
  const problems: string[] = []
  const fresh: MachineDefinition[] = []
  for (const machine of registry.machines.values()) {
    const before = known.get(`${machine.name}\0${machine.version}`)
    if (before?.hash === machine.graphHash) continue
    if (before !== undefined) {
      const population = (await store.population(machine.name)).filter(({ version }) => version === machine.version)
      const found = broken(machine, population)
      problems.push(...found)
      if (found.length === 0) warn(told(before.graph, machine, population))
    }
    fresh.push(machine)
  }
  if (problems.length > 0)
    throw new PawlError('BREAKS_INSTANCES', `this build would break living instances:\n${problems.join('\n')}`, {
      details: { problems },
    })
  for (const machine of fresh) await store.saveGraph(machine.graph, machine.graphHash)
}
