export { seededRandom } from '../base/random.ts'
export type { SeededRandom } from '../base/random.ts'
