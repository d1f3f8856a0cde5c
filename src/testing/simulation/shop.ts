import { builds } from './builds.ts'
import { activities, deeds } from './machines.ts'
import type { SimulatedService } from './service.ts'
import { judgeShop } from './shop-judge.ts'
import { planWorkload } from './workload.ts'

/** The shop and the cluster: what the outside can judge by what they mean. */
export const shop: SimulatedService = { builds, activities, deeds, plan: planWorkload, judge: judgeShop }
