export { seededRandom } from '../base/random.ts'
export type { SeededRandom } from '../base/random.ts'
export { recountOf } from './recount.ts'
export type { Recount } from '../store/store.ts'
