import { definitionOf } from '../../machine/definition.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import { builds } from './builds.ts'
import { deeds } from './deeds.ts'
import { activities } from './machines.ts'
import type { SimulatedService } from './service.ts'
import { judgeShop } from './shop-judge.ts'
import { planWorkload } from './workload.ts'

/** What can be asked of the shop. */
export const KINDS = ['orders', 'checkouts', 'counters', 'pools'] as const

/** Machines that a kind needs, by name. */
const NEEDS: Readonly<Record<string, readonly string[]>> = {
  orders: ['order', 'invoice', 'account'],
  checkouts: ['checkout', 'invoice', 'account'],
  counters: ['counter', 'tally'],
  pools: ['pool', 'node'],
}

/** The shop and the cluster, as far as these kinds need them: what the outside can judge by what they mean. */
export function shopOf(kinds: readonly string[]): SimulatedService {
  const needed = new Set(kinds.flatMap((kind) => NEEDS[kind] ?? []))
  const some = (machines: readonly AnyMachine[]): readonly AnyMachine[] =>
    machines.filter((machine) => needed.has(definitionOf(machine).name))
  const made = { old: some(builds.old), new: some(builds.new) }
  return { builds: made, activities, deeds, plan: planWorkload, judge: judgeShop }
}
