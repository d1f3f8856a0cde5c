// What an attempt answers, and what becomes of its call: done, not done, or unknown; tried again, or settled.
//
//   open ──done (any attempt)──▶ settled done
//     │──declared failure (newest attempt)──▶ settled: not done, or unknown where an earlier attempt was unknown
//     │──anything else──▶ open, tried again at `nextAt` ── retries used up ──▶ settled `other`
//     └──deadline (`within`)──▶ settled `within`, unknown
// When all calls of the state are settled its `done` or `fail` edge is taken; where no edge holds the instance stalls in place.
import { backoffMs } from '../base/backoff.ts'
import { errorText } from '../base/errors.ts'
import { freezeJson } from '../base/json.ts'
import type {
  ActivityDefinition,
  CallFailure,
  EdgeDefinition,
  Given,
  MachineDefinition,
  StateDefinition,
} from '../machine/definition.ts'
import { hasOpenCall, openCalls, type Draft } from './draft.ts'
import { choose, take } from './edge.ts'
import { check, HandlerFailure } from './failure.ts'
import { follow } from './follow.ts'
import { givenOf } from './given.ts'
import type {
  CallRecord,
  CallSettlement,
  JournalCause,
  JournalEntry,
  ResultInput,
  Stall,
  TimerRecord,
} from './model.ts'

/** The activity behind a call, where this build still has it. */
export function activityOfCall(state: StateDefinition | undefined, call: CallRecord): ActivityDefinition | undefined {
  if (state?.call === undefined) return undefined
  for (const activity of state.call.activities.values()) if (activity.name === call.activity) return activity
  return undefined
}

/** The same, or of another state of the machine: a call that a migration kept belongs to a state that may be gone. */
export function activityKept(
  { states }: Pick<MachineDefinition, 'states'>,
  state: StateDefinition | undefined,
  call: CallRecord,
): ActivityDefinition | undefined {
  const own = activityOfCall(state, call)
  if (own !== undefined) return own
  for (const other of states.values()) {
    const found = activityOfCall(other, call)
    if (found !== undefined) return found
  }
  return undefined
}

/** Stalls an instance whose open call nobody can start: this build has no such activity. Else it would wait without a word, for ever. */
export function stallGone(draft: Draft): void {
  const { status, calls } = draft.next
  if (status !== 'live') return
  let known = ''
  for (const name in calls) {
    const call = calls[name]!
    // Many calls of one list have one activity.
    if (call.settled !== undefined || call.activity === known) continue
    if (activityKept(draft.definition, draft.at, call) === undefined) {
      draft.stall(gone(draft.definition, name, call))
      return
    }
    known = call.activity
  }
}

const gone = ({ name: machine }: MachineDefinition, name: string, { activity }: CallRecord): Stall => ({
  code: 'ACTIVITY_GONE',
  message: `the call "${name}" is open, and ${machine} has no activity "${activity}" any more: bring it back and retry, or resolve the call, move or cancel the instance`,
})

/** Take-overs in a row after which a call is not started again. */
export const RECOVERIES = 5

/** Replaces the record of a call. */
export const putCall = (draft: Draft, name: string, call: CallRecord): void => {
  draft.next.calls = { ...draft.next.calls, [name]: call }
}

/** How a call ended that is not done. Details that are no JSON are told as text. */
export function settledBy(error: CallFailure): CallSettlement {
  try {
    return { done: false, error: freezeJson(error, 'the failure') }
  } catch {
    return { done: false, error: Object.freeze({ ...error, details: errorText(error.details) }) }
  }
}

/** Settles a call as unknown, whatever its attempts do: the `within` of a saga has elapsed. */
export const settleLate = (draft: Draft, name: string, call: CallRecord): void => {
  const message = `${call.activity} had no outcome within its time`
  putCall(draft, name, { ...call, unknown: true, settled: settledBy({ code: 'within', message, outcome: 'unknown' }) })
}

/** What an attempt did to its call. `ignored`: it does not count; `open`: the call goes on; `settled`: it has ended now. */
export type Attempted = 'late' | 'ignored' | 'open' | 'settled' | Stall

function tryAgain(draft: Draft, call: CallRecord, input: ResultInput, message: string): Attempted {
  if (input.attempt !== call.attempts + 1 || call.settled !== undefined) return 'ignored'
  const { now, session } = draft.context
  const attempts = input.attempt
  const failed: CallRecord = { ...call, attempts, unknown: true, recoveries: 0 }
  const retry = activityOfCall(draft.at, call)?.retry ?? {
    attempts: 10,
    firstMs: 200,
    factor: 2,
    maxMs: 30_000,
    withinMs: undefined,
  }
  const nextAt = Math.ceil(
    now + backoffMs(retry, attempts, { next: () => input.jitter, bytes: () => new Uint8Array() }),
  )
  const late = retry.withinMs !== undefined && nextAt > call.openedAt + retry.withinMs
  const exhausted = attempts >= retry.attempts || late
  draft.failed = { code: 'other', message, outcome: 'unknown' }
  const settled = settledBy(draft.failed)
  putCall(draft, input.call, exhausted ? { ...failed, settled } : { ...failed, nextAt, runner: session })
  return exhausted ? 'settled' : 'open'
}

/** A take-over found the call open while an attempt may have been running. */
function recovered(draft: Draft, call: CallRecord, input: ResultInput, runner: string): Attempted {
  const recoveries = call.recoveries + 1
  const { nextAt: _, ...rest } = call
  putCall(draft, input.call, { ...rest, attempts: input.attempt, unknown: true, recoveries, runner })
  if (recoveries < RECOVERIES) return 'open'
  const message = `the worker died ${recoveries} times in a row while ${call.activity} may have been running; an operator's retry starts it again`
  return { code: 'WORKER_DIED', message }
}

function settleDone(draft: Draft, call: CallRecord, input: ResultInput, output: unknown): Attempted {
  const activity = activityOfCall(draft.at, call)
  const checked =
    activity === undefined
      ? { value: freezeJson(output, 'output') }
      : check(activity.output, output, `output of ${call.activity}`)
  if ('problem' in checked) return tryAgain(draft, call, input, checked.problem)
  putCall(draft, input.call, { ...call, settled: { done: true, output: checked.value } })
  return 'settled'
}

/** Whether a result is of this very call: a key of the user's may be that of an earlier entry's call too. */
const isOf = (call: CallRecord, { key, entry }: ResultInput): boolean =>
  call.key === key && (entry === undefined || call.entry === undefined || entry === call.entry)

/** Books what an attempt answered into its call's record. A success of any attempt counts, a failure only from the newest. */
export function attempted(draft: Draft, input: ResultInput): Attempted {
  const { outcome, attempt, call: name } = input
  const call = draft.next.calls?.[name]
  if (call === undefined || !isOf(call, input) || call.settled?.done === true) return 'late'
  if (outcome.kind === 'done') return settleDone(draft, call, input, outcome.output)
  if (call.settled !== undefined) return 'late'
  if (outcome.kind === 'progress') {
    putCall(draft, name, { ...call, progress: outcome.progress })
    return 'open'
  }
  if (outcome.kind === 'released') {
    const { runner: _, ...rest } = call
    const gaveUp = outcome.ran === true && attempt === call.attempts + 1
    putCall(draft, name, gaveUp ? { ...rest, attempts: attempt, unknown: true } : rest)
    return 'open'
  }
  if (attempt !== call.attempts + 1) return 'ignored'
  if (outcome.kind === 'recovered' && outcome.released === true) {
    putCall(draft, name, { ...call, runner: outcome.runner })
    return 'open'
  }
  if (outcome.kind === 'recovered') return recovered(draft, call, input, outcome.runner)
  if (outcome.kind === 'unknown') return tryAgain(draft, call, input, outcome.message)
  const { kind: _, ...error } = outcome
  draft.failed = { ...error, outcome: call.unknown ? 'unknown' : 'not done' }
  const settled = settledBy(draft.failed)
  putCall(draft, name, { ...call, attempts: attempt, settled })
  return 'settled'
}

type Answers = Pick<Given, 'result' | 'results' | 'error' | 'errors'>

/** What `done` and `fail` are given, in the shape of the state's `call`. */
function answers(draft: Draft): Answers {
  const shape = draft.at?.call?.shape ?? 'one'
  const names = Object.keys(draft.next.calls ?? {})
  const only = names.length === 1 ? draft.next.calls?.[names[0]!]?.settled : undefined
  if (shape === 'one' && only?.done === true) return { result: only.output }
  const calls = Object.entries(draft.next.calls ?? {}).map(([name, { settled }]) => ({
    name,
    output: settled?.done === true ? settled.output : undefined,
    error: settled?.done === false ? settled.error : undefined,
  }))
  const error = calls.find((call) => call.error !== undefined)?.error
  const failed = error === undefined ? {} : { error }
  if (shape === 'one') return error === undefined ? { result: calls[0]?.output } : failed
  if (shape === 'list')
    return { ...failed, results: calls.map(({ output }) => output), errors: calls.map((call) => call.error) }
  const named = (of: 'output' | 'error'): unknown =>
    Object.fromEntries(calls.filter((call) => call[of] !== undefined).map((call) => [call.name, call[of]]))
  return { ...failed, results: named('output'), errors: named('error') }
}

const failEdge = (state: StateDefinition, code: string): EdgeDefinition | undefined =>
  state.fail.get(code) ?? (code === 'within' ? undefined : state.fail.get('other')) ?? state.fail.get('*')

function inPlace(state: string, { code, message }: CallFailure): Stall {
  if (code === 'other') return { code: 'RETRIES_EXHAUSTED', message }
  if (code === 'within') return { code: 'WITHIN_ELAPSED', message }
  const told = `the call failed with ${code} (${message}), and "${state}" has no \`fail\` edge for that`
  return { code: 'NO_EDGE_FOR_FAILURE', message: told }
}

/** When all calls are settled: takes `done` or `fail`, or stalls the instance where it is. */
export function decideCalls(draft: Draft, cause: JournalCause, row?: Partial<JournalEntry>): void {
  const state = draft.at
  if (state === undefined || draft.next.calls === null || hasOpenCall(draft.next)) return
  const extra = answers(draft)
  const { error } = extra
  const edge = error === undefined ? state.done : failEdge(state, error.code)
  const given = givenOf(draft, cause, extra)
  const chosen = edge === undefined ? undefined : choose(edge, given)
  if (chosen === undefined) {
    if (error === undefined) throw new HandlerFailure('no step of `done` holds')
    draft.stall(inPlace(draft.next.state, error))
    return
  }
  if (chosen.to !== undefined && cancelComesFirst(draft, chosen.to)) return
  take(draft, chosen, { cause, extra, given, ...(row !== undefined && { row }) })
  if (chosen.to === undefined) draft.next.calls = null
  follow(draft, cause)
}

/**
 * A cancel that has waited for these calls comes before a pivot: behind it nothing could be undone any more, and the caller was told
 * that it waits. The calls stay settled, and the cancel, which is tried next, undoes them too.
 */
function cancelComesFirst({ definition, waiting }: Draft, to: string): boolean {
  if (definition.states.get(to)?.cancelRule !== 'pivot') return false
  return waiting.some(({ input }) => input.kind === 'cancel' || definition.cancelBy.has(input.type))
}

/** Gives a wait that ran out its whole time once more, for an operator's retry: else its timer would only stall the instance again. */
export function waitAgain(draft: Draft): void {
  const { next, context } = draft
  const again = Object.entries(next.timers ?? {}).map(([name, timer]): readonly [string, TimerRecord] => {
    const over = timer.entry === next.entry && timer.due <= context.now
    return [name, over ? { ...timer, due: context.now + timer.due - next.enteredAt } : timer]
  })
  if (again.length > 0) next.timers = Object.fromEntries(again)
}

/** Whether a call was given up, and nobody will start it again. */
export const diedOut = (call: CallRecord): boolean => call.settled === undefined && call.recoveries >= RECOVERIES

/** A budget that has run out begins anew, as long as it was. */
const renewed = ({ openedAt, deadlineAt }: CallRecord, now: number): Pick<CallRecord, 'openedAt' | 'deadlineAt'> => ({
  openedAt: now,
  ...(deadlineAt !== undefined && { deadlineAt: now + deadlineAt - openedAt }),
})

/**
 * Opens what stalled the instance again, for an operator's retry: the calls that were given up, or all that failed where none is open.
 * Each has the whole time of its `within`, and of `retry.within`, once more. Progress is of its key: under a new one nothing is done yet.
 */
export function reopen(draft: Draft, keyOf: (name: string, old: string) => string): readonly string[] {
  const none = openCalls(draft.next).length === 0
  const calls = Object.entries(draft.next.calls ?? {}).filter(
    ([, call]) => diedOut(call) || (none && call.settled?.done === false),
  )
  for (const [name, { settled: _, nextAt: __, progress, ...call }] of calls) {
    const key = keyOf(name, call.key)
    putCall(draft, name, {
      ...call,
      ...(key === call.key && progress !== undefined && { progress }),
      ...renewed(call, draft.context.now),
      key,
      attempts: 0,
      recoveries: 0,
      runner: draft.context.session,
    })
  }
  return calls.map(([name]) => name)
}
