export { seededRandom } from '../base/random.ts'
export type { SeededRandom } from '../base/random.ts'
export { recountOf } from './recount.ts'
export type { Recount } from '../store/store.ts'
export { storeSuite } from './store-suite.ts'
export type { StoreFixture, StoreSuiteOptions } from './store-suite.ts'
export { simulate } from './simulation/run.ts'
export type { SimulateOptions, SimulationReport } from './simulation/run.ts'
export { answers, hangs, late, may, refuses, sequence, throws } from './harness/behaviour.ts'
export { explore } from './harness/explore.ts'
export { harness } from './harness/harness.ts'
export type {
  Behaviour,
  Called,
  Choice,
  Exploration,
  Explored,
  ExploreOptions,
  FakeAttempt,
  Harness,
  HarnessOptions,
  Made,
} from './harness/types.ts'
