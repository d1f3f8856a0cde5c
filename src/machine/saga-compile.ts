// Compiles a saga to a machine: a state for each step, `undo <step>` for each that can be undone, `done` and `undone`.
//
//   step ──done──▶ next step … ──▶ done
//    │ declared failure, `within`, retries used up (`otherwise: 'undo'`), cancel: before the pivot
//    ▼
//   undo of the last step that is done or may be ──done──▶ undo of the one before … ──▶ undone (failed, or cancelled)
//
// Where no edge holds the core stalls the instance where it is: that is all that 'stall' needs, and why an undo has no `fail`.
// What was tried is recorded with its key in the data (`steps`), in the same transition that leaves the step, so that
// a step whose outcome is done or unknown is never forgotten (I8). Branches of a parallel step are recorded one by one.
import { PawlError } from '../base/errors.ts'
import type {
  CallDefinition,
  CallFailure,
  EdgeDefinition,
  EmitDefinition,
  Given,
  PlannedCall,
  StepDefinition,
  TimerDefinition,
} from './definition.ts'
import type { BareState } from './graph.ts'
import type { SagaFailure, TriedStep } from './saga-data.ts'
import { dataOf, resultOf, resultsOf, scopeOf, someSettled, triedOf } from './saga-data.ts'
import type { SagaCall, SagaEmit, SagaPlan, SagaScope, SagaStep } from './saga-plan.ts'

type Tried = Readonly<Record<string, TriedStep>>

const undoName = (step: SagaStep): string => `undo ${step.name}`

const canUndo = (step: SagaStep): boolean => step.calls.some((call) => call.undo !== undefined)

/** Whether some call of the step that has an undo is done, or may be. */
const hasTried = (step: SagaStep, tried: Tried): boolean =>
  step.calls.some((call) => call.undo !== undefined && tried[call.record] !== undefined)

const emitsOf = (emits: readonly SagaEmit<SagaScope>[]): readonly EmitDefinition[] =>
  emits.map(({ message, give }) => ({ message, give: (given) => give(scopeOf(given)) }))

const stepTo = (to: string, set: StepDefinition['set'], more: Partial<StepDefinition> = {}): StepDefinition => ({
  to,
  if: undefined,
  set,
  emit: [],
  ...more,
})

/**
 * The way back: to the last of these steps that was tried and can be undone, or to the end where there is none. `steps` are those that
 * may have been tried, `tried` says which were.
 */
function wayBack(
  steps: readonly SagaStep[],
  tried: (given: Given) => Tried,
  set: StepDefinition['set'],
  when: (given: Given) => boolean = () => true,
): EdgeDefinition {
  const back = steps
    .filter(canUndo)
    .toReversed()
    .map((step) => stepTo(undoName(step), set, { if: (given) => when(given) && hasTried(step, tried(given)) }))
  return [...back, stepTo('undone', set, { if: when })]
}

const callPlan = (step: SagaStep): CallDefinition => ({
  shape: step.calls.some((call) => call.branch !== undefined) ? 'named' : 'one',
  activities: new Map(step.calls.map((call) => [call.name, call.activity])),
  plan: (given) => {
    const scope = scopeOf(given)
    return step.calls.map(({ name, activity, input, withinMs }): PlannedCall => ({
      name,
      activity,
      input: input(scope),
      ...(withinMs !== undefined && { withinMs }),
    }))
  },
  key: undefined,
  interruptible: false,
})

/** A call that went wrong in a way that undoes everything: whatever is not plain exhaustion, or that too where the step says so. */
const undoes = (call: SagaCall, error: CallFailure): boolean => error.code !== 'other' || call.otherwise === 'undo'

const undoingError = (step: SagaStep, given: Given): CallFailure | undefined => {
  let found: CallFailure | undefined
  someSettled(step, given, (call, { error }) => {
    if (error !== undefined && undoes(call, error)) found = error
    return found !== undefined
  })
  return found
}

const failureOf = (step: SagaStep, { code, message, outcome, details }: CallFailure): SagaFailure => ({
  step: step.name,
  code,
  message,
  outcome,
  ...(details !== undefined && { details }),
})

/** What is kept on the way back: what was tried, what came of it, and why. */
const failing = (step: SagaStep, given: Given, failure: SagaFailure) => ({
  steps: triedOf(step, given),
  results: resultsOf(step, given),
  failure,
})

/** Where a call failed: before the pivot the way back, after it onward with the values; where neither holds, the core stalls the instance. */
function failEdge(step: SagaStep, before: readonly SagaStep[], next: string): EdgeDefinition {
  if (!step.past) {
    const set = (given: Given) => failing(step, given, failureOf(step, undoingError(step, given)!))
    return wayBack(
      [...before, step],
      (given) => triedOf(step, given),
      set,
      (given) => undoingError(step, given) !== undefined,
    )
  }
  const goesOn = (given: Given): boolean =>
    !someSettled(step, given, (call, { error }) => error !== undefined && typeof call.otherwise !== 'object')
  return [stepTo(next, (given) => ({ results: resultsOf(step, given) }), { if: goesOn, emit: emitsOf(step.emits) })]
}

/** A cancel: what was tried so far is undone, the calls of this state included where they may have been done. */
function cancelEdge(step: SagaStep, before: readonly SagaStep[]): EdgeDefinition | undefined {
  if (step.past) return undefined
  const set = (given: Given) => ({
    ...failing(step, given, {
      step: step.name,
      code: 'cancel',
      message: given.why ?? 'cancelled',
      outcome: 'not done',
    }),
    cancelled: true,
  })
  return wayBack([...before, step], (given) => triedOf(step, given), set)
}

function waitTimer(step: SagaStep, before: readonly SagaStep[], next: string): readonly TimerDefinition[] {
  const { wait } = step
  if (wait?.within === undefined) return []
  const { text, ms } = wait.within
  const message = `"${wait.message.type}" did not come within ${text}`
  const due = (given: Given): number => Math.ceil(given.now.getTime() + ms)
  return [{ name: 'within', due, edge: wayOutOfTime(step, before, next, message) }]
}

function wayOutOfTime(step: SagaStep, before: readonly SagaStep[], next: string, message: string): EdgeDefinition {
  if (!step.past) {
    const set = (given: Given) =>
      failing(step, given, { step: step.name, code: 'within', message, outcome: 'not done' })
    return wayBack(before, (given) => dataOf(given).steps ?? {}, set)
  }
  const otherwise = step.wait?.otherwise
  if (typeof otherwise === 'object') {
    const { value } = otherwise
    return [
      stepTo(next, (given) => ({ results: { ...dataOf(given).results, [step.name]: value } }), {
        emit: emitsOf(step.emits),
      }),
    ]
  }
  // Visibly: a timer whose handler throws stalls the instance, under that code.
  const stall = (): never => {
    throw new PawlError('WITHIN_ELAPSED', `${message}: an operator moves it on, or gives the message`)
  }
  return [stepTo(next, stall)]
}

/** A state that waits and calls for nothing. */
const emptyState = (name: string): BareState => ({
  name,
  call: undefined,
  done: undefined,
  fail: new Map(),
  on: new Map(),
  join: new Map(),
  after: [],
  always: [],
  until: [],
  emit: [],
  final: undefined,
  groups: [],
  cancel: undefined,
  cancelRule: undefined,
})

function stepState(step: SagaStep, before: readonly SagaStep[], next: string): BareState {
  const cancel = cancelEdge(step, before)
  const base: BareState = { ...emptyState(step.name), cancel, cancelRule: step.past ? 'pivot' : undefined }
  const emit = emitsOf(step.emits)
  if (step.wait !== undefined) {
    const took = (given: Given) => ({ results: { ...dataOf(given).results, [step.name]: given.message } })
    return {
      ...base,
      on: new Map([[step.wait.message.type, [stepTo(next, took, { emit })]]]),
      after: waitTimer(step, before, next),
    }
  }
  // After the pivot nothing will be undone, so it need not be known what was tried.
  const done = (given: Given) => ({
    results: resultsOf(step, given),
    ...(!step.past && { steps: triedOf(step, given) }),
  })
  return {
    ...base,
    call: callPlan(step),
    done: [stepTo(next, done, { emit })],
    fail: new Map([['*', failEdge(step, before, next)]]),
  }
}

/** The undo calls of a step: for each of its calls that is done, or may be; not for those that say that there is nothing to undo. */
function undoPlan(step: SagaStep, given: Given): PlannedCall[] {
  const data = dataOf(given)
  const scope = scopeOf(given)
  const plan: PlannedCall[] = []
  for (const call of step.calls) {
    const tried = data.steps?.[call.record]
    if (call.undo === undefined || tried === undefined) continue
    const result = tried.outcome === 'done' ? { result: resultOf(step, call, data) } : {}
    const input = call.undo.input({ ...scope, step: { ...tried, ...result } })
    if (input !== null) plan.push({ name: undoCallName(call), activity: call.undo.activity, input })
  }
  return plan
}

const undoCallName = (call: SagaCall): string => call.branch ?? call.undo?.activity.name ?? call.name

function undoState(step: SagaStep, before: readonly SagaStep[]): BareState {
  const activities = step.calls.flatMap((call) =>
    call.undo === undefined ? [] : [[undoCallName(call), call.undo.activity] as const],
  )
  return {
    ...emptyState(undoName(step)),
    call: {
      shape: 'named',
      activities: new Map(activities),
      plan: (given) => undoPlan(step, given),
      key: undefined,
      interruptible: false,
    },
    done: wayBack(before, (given) => dataOf(given).steps ?? {}, undefined),
    cancelRule: 'undoing',
  }
}

function undoneState(plan: SagaPlan): BareState {
  const emit = plan.failed.map(({ message, give }): EmitDefinition => ({
    message,
    give: (given) => {
      const scope = { ...scopeOf(given), error: dataOf(given).failure }
      // Its scope has the error besides; what the function takes is checked by its type where the saga is written.
      return (give as (scope: unknown) => unknown)(scope)
    },
  }))
  return { ...emptyState('undone'), emit, final: (data) => (data['cancelled'] === true ? 'cancelled' : 'failed') }
}

/** The states of a saga: its steps in order, then the undos, then its ends. */
export function compileStates(plan: SagaPlan): readonly BareState[] {
  const { steps } = plan
  const forward = steps.map((step, i) => stepState(step, steps.slice(0, i), steps[i + 1]?.name ?? 'done'))
  const back = steps.flatMap((step, i) => (canUndo(step) ? [undoState(step, steps.slice(0, i))] : []))
  return [...forward, ...back, { ...emptyState('done'), final: 'done' }, undoneState(plan)]
}

/** What is emitted when a saga starts. */
export const compileBegin = (plan: SagaPlan): StepDefinition | undefined =>
  plan.begin.length === 0 ? undefined : { to: undefined, if: undefined, set: undefined, emit: emitsOf(plan.begin) }
