// What the callbacks of a random machine compute: pure functions of the data and of one number that is seen. Whoever runs the
// machine and whoever judges it agree on these, and on nothing else.
import type { Guard, RandomData, RandomPayload, Step, Tell } from './sketch.ts'

/** Changes after which no step leads back, and changes after which nothing is emitted any more. */
const EARLY_HOPS = 9
const LOUD_HOPS = 7
const SUMS = 9_973

/** The fields that a step changes; one that is undefined goes. */
export function changes(step: Step, data: RandomData, seen: number): Partial<Record<keyof RandomData, unknown>> {
  const { tag } = step
  if (step.sets === 'nothing') return {}
  const sum = (data.sum * 31 + tag * 17 + seen) % SUMS
  return {
    hops: data.hops + 1,
    sum,
    ...(tag % 6 === 0 && { note: undefined }),
    ...(tag % 6 === 1 && { note: `n${tag}` }),
    ...(tag % 7 === 0 && { kids: sum % 3 }),
  }
}

/** Whether a step's `if` holds. */
export const holds = ({ when, early }: Pick<Step, 'when' | 'early'>, data: RandomData, seen: number): boolean =>
  (when === undefined || guarded(when, data, seen)) && (!early || data.hops < EARLY_HOPS)

/** Whether a guard holds. */
export const guarded = ({ of, rest }: Guard, { sum }: RandomData, seen: number): boolean => (sum + seen) % of === rest

/** Whether a step shows its flaw now. */
export const flawed = ({ flaw, tag }: Step, { sum, gen }: RandomData, seen: number): boolean =>
  flaw !== undefined && (sum + tag + seen) % 5 === 0 && !(flaw === 'needs' && gen !== undefined)

/** What is emitted. Sees the data after the change. */
export function payloads({ many, names, kind }: Tell, id: string, data: RandomData): readonly RandomPayload[] {
  if (data.hops >= LOUD_HOPS || data.sum % 5 === 0) return []
  return Array.from({ length: many }, (_, i) => ({
    to: kind === undefined ? names[(data.sum + i) % names.length]! : kidId(id, kind, i),
    v: (data.sum + i) % 97,
  }))
}

/** The name of a child. */
export const kidId = (parent: string, kind: string, i: number): string => `${parent}.${kind}${i}`

/** What an activity answers. */
export const answerTo = (v: number): number => (v * 7 + 3) % 101

/** The inputs of a state's calls, in their order. */
export const inputsOf = (shape: 'one' | 'named' | 'list', activities: number, { sum }: RandomData): readonly number[] =>
  Array.from({ length: shape === 'list' ? sum % 3 : shape === 'named' ? activities : 1 }, (_, i) => (sum + i) % 97)
