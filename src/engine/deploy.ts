// What a deploy would break is told before it runs: the graph of each (machine, version) is remembered, and a change of it
// under the same number is accepted only where no living instance stands in a state that is gone.
import { PawlError } from '../base/errors.ts'
import type { MachineDefinition } from '../machine/definition.ts'
import type { Store } from '../store/store.ts'
import type { Registry } from './registry.ts'

async function broken(store: Store, machine: MachineDefinition): Promise<readonly string[]> {
  const population = await store.population(machine.name)
  return population
    .filter(({ version, state }) => version === machine.version && !machine.states.has(state))
    .map(
      ({ state, count }) =>
        `${machine.name} version ${machine.version}: ${count} instances stand in "${state}", which is gone. Raise the version and give a \`migrate\`, or keep the state`,
    )
}

/** Compares all graphs with those that ran on this store before. Rejects with BREAKS_INSTANCES and the whole list. */
export async function checkGraphs(store: Store, registry: Registry, warn: (text: string) => void): Promise<void> {
  const known = new Map((await store.graphs()).map((row) => [`${row.name}\0${row.version}`, row.hash]))
  const problems: string[] = []
  const fresh: MachineDefinition[] = []
  for (const machine of registry.machines.values()) {
    const hash = known.get(`${machine.name}\0${machine.version}`)
    if (hash === machine.graphHash) continue
    if (hash !== undefined) {
      const found = await broken(store, machine)
      problems.push(...found)
      if (found.length === 0)
        warn(
          `the graph of ${machine.name} has changed under version ${machine.version}; no living instance is broken by that`,
        )
    }
    fresh.push(machine)
  }
  if (problems.length > 0)
    throw new PawlError('BREAKS_INSTANCES', `this build would break living instances:\n${problems.join('\n')}`, {
      details: { problems },
    })
  for (const machine of fresh) await store.saveGraph(machine.graph, machine.graphHash)
}
