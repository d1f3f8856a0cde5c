// What an attempt answers, and what becomes of its call: done, not done, or unknown; tried again, or settled.
//
//   open ──done (any attempt)──▶ settled done
//     │──declared failure (newest attempt)──▶ settled: not done, or unknown where an earlier attempt was unknown
//     │──anything else──▶ open, tried again at `nextAt` ── retries used up ──▶ settled `other`
//     └──deadline (`within`)──▶ settled `within`, unknown
// When all calls of the state are settled its `done` or `fail` edge is taken; where no edge holds the instance stalls in place.
import { backoffMs } from '../base/backoff.ts'
import type { ActivityDefinition, CallFailure, EdgeDefinition, Given, StateDefinition } from '../machine/definition.ts'
import { givenOf, openCalls, type Draft } from './draft.ts'
import { choose, take } from './edge.ts'
import { check, HandlerFailure } from './failure.ts'
import { follow } from './follow.ts'
import type { CallRecord, CallSettlement, JournalCause, ResultInput, Stall } from './model.ts'

/** The activity behind a call, where this build still has it. */
export const activityOfCall = (
  state: StateDefinition | undefined,
  call: CallRecord,
): ActivityDefinition | undefined => {
  for (const activity of state?.call?.activities.values() ?? []) if (activity.name === call.activity) return activity
  return undefined
}

/** Take-overs in a row after which a call is not started again. */
export const RECOVERIES = 5

const put = (draft: Draft, name: string, call: CallRecord): void => {
  draft.calls = { ...draft.calls, [name]: call }
}

function failureOf(call: CallRecord, code: string, message: string, details?: unknown): CallFailure {
  return { code, message, ...(details !== undefined && { details }), outcome: call.unknown ? 'unknown' : 'not done' }
}

const settledBy = (error: CallFailure): CallSettlement => ({ done: false, error })

/** Settles a call as unknown: a saga's `within`, or a cancel of what stalled. */
export function settleUnknown(draft: Draft, name: string, code: string, message: string): void {
  const call = draft.calls?.[name]
  if (call !== undefined)
    put(draft, name, { ...call, unknown: true, settled: settledBy({ code, message, outcome: 'unknown' }) })
}

function tryAgain(draft: Draft, name: string, call: CallRecord, input: ResultInput, message: string): void {
  const { now } = draft.context
  const attempts = call.attempts + 1
  const failed: CallRecord = { ...call, attempts, unknown: true, recoveries: 0 }
  const activity = activityOfCall(draft.at, call)
  const retry = activity?.retry ?? { attempts: 10, firstMs: 200, factor: 2, maxMs: 30_000, withinMs: undefined }
  const nextAt = now + backoffMs(retry, attempts, { next: () => input.jitter, bytes: () => new Uint8Array() })
  const late = retry.withinMs !== undefined && nextAt > call.openedAt + retry.withinMs
  if (attempts >= retry.attempts || late)
    put(draft, name, { ...failed, settled: settledBy({ code: 'other', message, outcome: 'unknown' }) })
  else put(draft, name, { ...failed, nextAt: Math.ceil(nextAt), runner: draft.context.session })
}

/** A take-over found the call open while an attempt may have been running. */
function recovered(draft: Draft, name: string, call: CallRecord, runner: string): Stall | undefined {
  const recoveries = call.recoveries + 1
  const { nextAt: _, ...rest } = call
  put(draft, name, { ...rest, attempts: call.attempts + 1, unknown: true, recoveries, runner })
  if (recoveries < RECOVERIES) return undefined
  return {
    code: 'WORKER_DIED',
    message: `the worker died ${recoveries} times in a row while ${call.activity} may have been running; an operator's retry starts it again`,
  }
}

/** What an attempt did to its call. `ignored`: it does not count; `open`: the call goes on; `settled`: it has ended now. */
export type Attempted = 'late' | 'ignored' | 'open' | 'settled' | Stall

function settleDone(draft: Draft, name: string, call: CallRecord, input: ResultInput, output: unknown): Attempted {
  const activity = activityOfCall(draft.at, call)
  const checked =
    activity === undefined ? { value: output } : check(activity.output, output, `output of ${call.activity}`)
  if ('problem' in checked) {
    tryAgain(draft, name, call, input, checked.problem)
    return draft.calls?.[name]?.settled === undefined ? 'open' : 'settled'
  }
  put(draft, name, { ...call, settled: { done: true, output: checked.value } })
  return 'settled'
}

/** Books what an attempt answered into its call's record. */
export function attempted(draft: Draft, input: ResultInput): Attempted {
  const call = draft.calls?.[input.call]
  const { outcome } = input
  if (call === undefined || call.key !== input.key || call.settled?.done === true) return 'late'
  if (outcome.kind === 'done') return settleDone(draft, input.call, call, input, outcome.output)
  if (call.settled !== undefined) return 'late'
  if (outcome.kind === 'progress') {
    put(draft, input.call, { ...call, progress: outcome.progress })
    return 'open'
  }
  if (outcome.kind === 'released') {
    const { runner: _, ...rest } = call
    put(draft, input.call, rest)
    return 'open'
  }
  if (input.attempt !== call.attempts + 1) return 'ignored'
  if (outcome.kind === 'recovered') return recovered(draft, input.call, call, outcome.runner) ?? 'open'
  if (outcome.kind === 'failure') {
    put(draft, input.call, {
      ...call,
      attempts: input.attempt,
      settled: settledBy(failureOf(call, outcome.code, outcome.message, outcome.details)),
    })
    return 'settled'
  }
  tryAgain(draft, input.call, call, input, outcome.message)
  return draft.calls?.[input.call]?.settled === undefined ? 'open' : 'settled'
}

type Answers = Pick<Given, 'result' | 'results' | 'error' | 'errors'>

/** What `done` and `fail` are given, in the shape of the state's `call`. */
export function answers(draft: Draft): Answers & { readonly failed: CallFailure | undefined } {
  const calls = Object.entries(draft.calls ?? {})
  const shape = draft.at?.call?.shape ?? 'one'
  const errorOf = (call: CallRecord): CallFailure | undefined =>
    call.settled?.done === false ? call.settled.error : undefined
  const outputOf = (call: CallRecord): unknown => (call.settled?.done === true ? call.settled.output : undefined)
  const failed = calls.map(([, call]) => errorOf(call)).find((error) => error !== undefined)
  const error = failed === undefined ? {} : { error: failed }
  if (shape === 'one') {
    const only = calls[0]?.[1]
    return { ...error, failed, ...(only !== undefined && failed === undefined && { result: outputOf(only) }) }
  }
  if (shape === 'list')
    return {
      ...error,
      failed,
      results: calls.map(([, call]) => outputOf(call)),
      errors: calls.map(([, call]) => errorOf(call)),
    }
  const only = (of: (call: CallRecord) => unknown): unknown =>
    Object.fromEntries(calls.flatMap(([name, call]) => (of(call) === undefined ? [] : [[name, of(call)]])))
  return { ...error, failed, results: only(outputOf), errors: only(errorOf) }
}

function failEdge(state: StateDefinition, code: string): EdgeDefinition | undefined {
  return state.fail.get(code) ?? (code === 'within' ? undefined : state.fail.get('other')) ?? state.fail.get('*')
}

function inPlace(state: string, error: CallFailure): Stall {
  if (error.code === 'other') return { code: 'RETRIES_EXHAUSTED', message: error.message }
  if (error.code === 'within') return { code: 'WITHIN_ELAPSED', message: error.message }
  return {
    code: 'NO_EDGE_FOR_FAILURE',
    message: `the call failed with ${error.code} (${error.message}), and "${state}" has no \`fail\` edge for that`,
  }
}

/** When all calls are settled: takes `done` or `fail`, or says why the instance stalls where it is. */
export function decideCalls(draft: Draft, cause: JournalCause, by?: { by?: string; why: string }): Stall | undefined {
  const state = draft.at
  if (state === undefined || draft.calls === null || openCalls(draft).length > 0) return undefined
  const { failed, ...extra } = answers(draft)
  const edge = failed === undefined ? state.done : failEdge(state, failed.code)
  const given = givenOf(draft, cause, extra)
  const chosen = edge === undefined ? undefined : choose(edge, given)
  if (chosen === undefined) {
    if (failed === undefined) throw new HandlerFailure('HANDLER_FAILED', 'no step of `done` holds')
    return inPlace(draft.state, failed)
  }
  take(draft, chosen, { cause, extra, ...by })
  if (chosen.to === undefined) draft.calls = null
  follow(draft, cause)
  return undefined
}

/** Opens failed calls again, for an operator's retry. */
export function reopen(draft: Draft, keyOf: (name: string, old: string) => string): readonly string[] {
  const opened: string[] = []
  for (const [name, call] of Object.entries(draft.calls ?? {})) {
    if (call.settled?.done === true) continue
    const { settled: _, nextAt: __, ...rest } = call
    put(draft, name, { ...rest, key: keyOf(name, call.key), attempts: 0, recoveries: 0, runner: draft.context.session })
    opened.push(name)
  }
  return opened
}
