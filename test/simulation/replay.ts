// A process of its own that runs one plan for its parent: with whatever break of the engine it was started with.
import type { Plan } from '../../src/testing/simulation/plan.ts'
import { runPlan } from '../../src/testing/simulation/run.ts'

process.once('message', (plan: Plan) => {
  void runPlan(plan).then(({ violations }) => process.send!(violations, () => process.disconnect()))
})
