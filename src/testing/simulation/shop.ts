import { builds } from './builds.ts'
import { activities, deeds } from './machines.ts'
import type { SimulatedService } from './service.ts'
import { planWorkload } from './workload.ts'

/** The shop and the cluster: what the outside can judge at the end by what they mean. */
export const shop: SimulatedService = { builds, activities, deeds, plan: planWorkload }
