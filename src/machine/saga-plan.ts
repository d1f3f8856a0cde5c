// Reads the parts of a saga, as users write them one after another, into a plan.
import type { ActivityDefinition, MessageDefinition } from './definition.ts'
import { asActivity, asMessage } from './made.ts'
import type { Place, Raw } from './place.ts'
import { fits, isRaw } from './place.ts'

/** A step as a user wrote it. */
export interface StepPart {
  readonly kind: 'step' | 'parallel' | 'wait'
  readonly name: unknown
  readonly options: unknown
}
/** What a user wrote, one for each call of the builder. */
export type Part =
  | StepPart
  | { readonly kind: 'pivot' }
  | { readonly kind: 'emit' | 'failed'; readonly type: unknown; readonly data: unknown }

/** What the functions of a saga see. */
export interface SagaScope {
  readonly id: string
  readonly input: unknown
  readonly results: Readonly<Record<string, unknown>>
}

/** What an undo sees besides. */
export interface UndoScope extends SagaScope {
  readonly step: { readonly key: string; readonly outcome: 'done' | 'unknown'; readonly result?: unknown }
}

/** What to do where a step did not get done. */
export type Otherwise = 'stall' | 'undo' | { readonly value: unknown }

/** One call of a step. */
export interface SagaCall {
  /** The activity's name of a single step, the branch of a parallel one. */
  readonly name: string
  /** Undefined: the step is a single call, and its result is the step's. */
  readonly branch: string | undefined
  /** Under which it is recorded what was tried: `step`, or `step/branch`. */
  readonly record: string
  readonly activity: ActivityDefinition
  readonly input: (scope: SagaScope) => unknown
  readonly withinMs: number | undefined
  readonly otherwise: Otherwise
  readonly undo: { readonly activity: ActivityDefinition; readonly input: (scope: UndoScope) => unknown } | undefined
}

/** A message that is waited for. */
export interface SagaWait {
  readonly message: MessageDefinition
  readonly within: { readonly text: string; readonly ms: number } | undefined
  readonly otherwise: Otherwise
}

/** A message that is emitted. */
export interface SagaEmit<S> {
  readonly message: MessageDefinition
  readonly give: (scope: S) => unknown
}

/** One step: calls, or one message. */
export interface SagaStep {
  readonly name: string
  /** It stands after the pivot. */
  readonly past: boolean
  readonly calls: readonly SagaCall[]
  readonly wait: SagaWait | undefined
  /** Emitted when it is done. */
  readonly emits: SagaEmit<SagaScope>[]
}

/** A saga that has been read. */
export interface SagaPlan {
  /** Emitted at the start. */
  readonly begin: SagaEmit<SagaScope>[]
  readonly steps: SagaStep[]
  /** Emitted when everything is undone. */
  readonly failed: SagaEmit<never>[]
}

const RESERVED = new Set(['done', 'undone'])
const noInput = (): unknown => ({})

const readOtherwise = (
  place: Place,
  raw: Raw,
  past: boolean,
  schema: ActivityDefinition['output'] | undefined,
  waits: boolean,
): Otherwise => {
  const { otherwise } = raw
  if (otherwise === undefined) return 'stall'
  if (past) {
    if (otherwise === 'stall') return otherwise
    if (!isRaw(otherwise) || !('value' in otherwise))
      place.say('bad-otherwise', "after the pivot `otherwise` is 'stall' or { value }")
    else if (schema === undefined || fits(schema, otherwise['value'])) return { value: otherwise['value'] }
    else place.say('bad-otherwise', 'the value of `otherwise` does not fit the schema')
    return 'stall'
  }
  if (waits) place.say('bad-otherwise', 'before the pivot a wait that runs out undoes: drop `otherwise`')
  else if (otherwise === 'stall' || otherwise === 'undo') return otherwise
  else place.say('bad-otherwise', "before the pivot `otherwise` is 'stall' or 'undo'")
  return 'stall'
}

const readActivity = (place: Place, raw: unknown, what: string): ActivityDefinition | undefined => {
  const activity = asActivity(raw)
  if (activity === undefined) place.say('bad-shape', `${what} is no activity: pass what activity() returned`)
  return activity
}

const readUndo = (place: Place, raw: unknown, past: boolean): SagaCall['undo'] => {
  if (raw === undefined) return undefined
  if (past) place.say('undo-after-pivot', 'has an `undo`, but stands after the pivot')
  const undo = place.fields(raw ?? null, '`undo`')
  place.keys(undo, ['call', 'input'], '`undo`')
  const activity = readActivity(place, undo['call'], '`undo.call`')
  if (activity === undefined) return undefined
  if (undo['input'] === undefined && !past && !fits(activity.input, {}))
    place.say('no-input', `undoes by ${activity.name}: add \`undo.input\``)
  return { activity, input: place.callback<(scope: UndoScope) => unknown>(undo['input'], '`undo.input`') ?? noInput }
}

/** One call with its undo. `branch` undefined: of a single step. */
const readCall = (
  place: Place,
  step: string,
  branch: string | undefined,
  value: unknown,
  past: boolean,
): SagaCall | undefined => {
  const raw = place.fields(value ?? null, 'the step')
  place.keys(raw, ['call', 'input', 'within', 'otherwise', 'undo'], 'a step')
  const activity = readActivity(place, raw['call'], '`call`')
  const withinMs = place.duration(raw['within'], '`within`', undefined)
  const otherwise = readOtherwise(place, raw, past, activity?.output, false)
  const undo = readUndo(place, raw['undo'], past)
  const input = place.callback<(scope: SagaScope) => unknown>(raw['input'], '`input`') ?? noInput
  if (activity === undefined) return undefined
  if (raw['input'] === undefined && !fits(activity.input, {}))
    place.say('no-input', `calls ${activity.name}: add \`input\``)
  const record = branch === undefined ? step : `${step}/${branch}`
  return { name: branch ?? activity.name, branch, record, activity, input, withinMs, otherwise, undo }
}

const readBranches = (place: Place, step: string, options: unknown, past: boolean): readonly SagaCall[] => {
  const raw = place.fields(options ?? null, 'the branches')
  if (Object.keys(raw).length === 0) place.say('bad-step', 'has no branches')
  return Object.entries(raw).flatMap(([branch, value]) => {
    const here = place.at(`${place.where}, branch "${branch}"`)
    here.name(branch, 'the name of the branch')
    return readCall(here, step, branch, value, past) ?? []
  })
}

const readWait = (place: Place, options: unknown, past: boolean): SagaWait | undefined => {
  const raw = place.fields(options ?? null, 'the wait')
  place.keys(raw, ['for', 'within', 'otherwise'], 'a wait')
  const message = asMessage(raw['for'])
  if (message === undefined) place.say('bad-shape', '`for` is no message: pass what event() or command() returned')
  const ms = place.duration(raw['within'], '`within`', undefined)
  const otherwise = readOtherwise(place, raw, past, message?.schema, true)
  if (message === undefined) return undefined
  return { message, within: ms === undefined ? undefined : { text: String(raw['within']), ms }, otherwise }
}

const readStep = (place: Place, part: StepPart, past: boolean): SagaStep => {
  const name = place.name(part.name, 'the name of the step')
  const here = place.at(`${place.where}, step "${name}"`)
  const base = { name, past, calls: [], wait: undefined, emits: [] }
  if (part.kind === 'wait') return { ...base, wait: readWait(here, part.options, past) }
  if (part.kind === 'parallel') return { ...base, calls: readBranches(here, name, part.options, past) }
  const call = readCall(here, name, undefined, part.options, past)
  return { ...base, calls: call === undefined ? [] : [call] }
}

const readEmit = <S>(place: Place, type: unknown, data: unknown, what: string): readonly SagaEmit<S>[] => {
  const message = asMessage(type)
  if (message === undefined)
    place.say('bad-shape', `${what}: the first is no message: pass what event() or command() returned`)
  const give = place.needed<(scope: S) => unknown>(data, `${what}: the payload`)
  return message === undefined || give === undefined ? [] : [{ message, give }]
}

const checkNames = (place: Place, steps: readonly SagaStep[]): void => {
  const taken = new Set<string>()
  for (const { name, calls } of steps) {
    if (RESERVED.has(name) || name.startsWith('undo ')) place.say('bad-step', `step "${name}": the name is reserved`)
    // A branch is recorded as `step/branch`, beside the steps.
    for (const record of new Set([name, ...calls.map((call) => call.record)])) {
      if (taken.has(record)) place.say('bad-step', `step "${name}": the name "${record}" is taken`)
      taken.add(record)
    }
  }
  if (steps.length === 0) place.say('bad-step', 'has no steps')
}

/** Reads the parts of a saga. Problems go to `place`; with any, the plan is of no use. */
export function readPlan(place: Place, parts: readonly Part[]): SagaPlan {
  const plan: SagaPlan = { begin: [], steps: [], failed: [] }
  let past = false
  for (const part of parts) {
    if (part.kind === 'pivot') {
      if (past) place.say('undo-after-pivot', 'has two pivots')
      past = true
    } else if ('options' in part) plan.steps.push(readStep(place, part, past))
    else if (part.kind === 'failed') plan.failed.push(...readEmit<never>(place, part.type, part.data, 'failed()'))
    else {
      const emits = plan.steps.at(-1)?.emits ?? plan.begin
      emits.push(...readEmit<SagaScope>(place, part.type, part.data, 'emit()'))
    }
  }
  checkNames(place, plan.steps)
  return plan
}
