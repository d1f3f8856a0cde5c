// The data of a compiled saga: its input, the results so far, and what was tried.
import { freezeJson } from '../base/json.ts'
import type { AnySchema, Fields, Given, SettledCall } from './definition.ts'
import type { SagaCall, SagaScope, SagaStep } from './saga-plan.ts'

/** What became of a call that may have to be undone, with its idempotency key. */
export interface TriedStep {
  readonly key: string
  readonly outcome: 'done' | 'unknown'
}

/** Why everything is undone. */
export interface SagaFailure {
  readonly step: string
  /** A declared failure, 'other', 'within' or 'cancel'. */
  readonly code: string
  readonly message: string
  readonly outcome: 'not done' | 'unknown'
  readonly details?: unknown
}

/** The data of a saga's instance. */
export interface SagaData extends Fields {
  readonly input: unknown
  readonly results: Readonly<Record<string, unknown>>
  /** By the step's name, or `step/branch`. Those that were not done are not here. */
  readonly steps?: Readonly<Record<string, TriedStep>>
  readonly failure?: SagaFailure
  readonly cancelled?: boolean
}

/** The data as a saga has written them. */
export const dataOf = (given: Given): SagaData => given.data as SagaData

/** What the functions of a saga see. */
export const scopeOf = (given: Given): SagaScope => {
  const { input, results } = dataOf(given)
  return { id: given.id, input, results }
}

/** What is kept of a saga: the input goes through its schema, the rest is ours. */
export function sagaSchema(input: AnySchema): AnySchema {
  // The input never changes, but the data are checked at every step: what a schema has made is not given to it again. Frozen here,
  // so that this very object goes into the data: whoever freezes them would copy one that is not.
  const parsed = new WeakSet<object>()
  const remember = (value: unknown): void => {
    if (typeof value === 'object' && value !== null) parsed.add(value)
  }
  const validate = (value: unknown): ReturnType<AnySchema['~standard']['validate']> => {
    const data = value as SagaData
    if (typeof data.input === 'object' && data.input !== null && parsed.has(data.input)) return { value }
    const result = input['~standard'].validate(data.input)
    if ('then' in result)
      return { issues: [{ message: 'the schema answers later; schemas must answer at once', path: ['input'] }] }
    if (result.issues !== undefined)
      return {
        issues: result.issues.map((issue) => ({ message: issue.message, path: ['input', ...(issue.path ?? [])] })),
      }
    const made = freezeJson(result.value, 'input')
    remember(made)
    return { value: { ...data, input: made } }
  }
  return { '~standard': { version: 1, vendor: 'pawl', validate } }
}

/** Whether what became of some call of the step is so. Those that were never started are passed over. */
export function someSettled(
  step: SagaStep,
  given: Given,
  holds: (call: SagaCall, settled: SettledCall) => boolean,
): boolean {
  return step.calls.some((call) => {
    const settled = given.settled?.(call.name)
    return settled !== undefined && holds(call, settled)
  })
}

/** The outcome that counts for an undo; undefined: not done, nothing to undo. */
const outcomeOf = ({ error }: SettledCall): TriedStep['outcome'] | undefined =>
  error === undefined ? 'done' : error.outcome === 'unknown' ? 'unknown' : undefined

/** What was tried up to here: recorded before, or settled in this state. */
export function triedOf(step: SagaStep, given: Given): Readonly<Record<string, TriedStep>> {
  const tried: Record<string, TriedStep> = { ...dataOf(given).steps }
  for (const call of step.calls) {
    const settled = given.settled?.(call.name)
    const outcome = settled && outcomeOf(settled)
    if (outcome !== undefined) tried[call.record] = { key: settled!.key, outcome }
  }
  return tried
}

/** The results with those of this state: of a parallel step those of the branches that are done, or that have a value instead. */
export function resultsOf(step: SagaStep, given: Given): SagaData['results'] {
  const { results } = dataOf(given)
  const mine: Record<string, unknown> = {}
  for (const call of step.calls) {
    const settled = given.settled?.(call.name)
    const { otherwise } = call
    if (settled === undefined || (settled.error !== undefined && typeof otherwise !== 'object')) continue
    const value = settled.error === undefined ? settled.result : typeof otherwise === 'object' ? otherwise.value : null
    if (call.branch === undefined) return { ...results, [step.name]: value }
    mine[call.branch] = value
  }
  return Object.keys(mine).length === 0 ? results : { ...results, [step.name]: mine }
}

/** The result of a call that is done. */
export function resultOf(step: SagaStep, call: SagaCall, data: SagaData): unknown {
  const result = data.results[step.name]
  return call.branch === undefined ? result : (result as Record<string, unknown> | undefined)?.[call.branch]
}
