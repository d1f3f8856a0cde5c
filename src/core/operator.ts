// What an operator does: retry, resolve, move. Each is a row of the journal with who and why.
import { callKey } from '../base/id.ts'
import type { EdgeDefinition, Given, StepDefinition } from '../machine/definition.ts'
import { causeOf, heldByCall, openCalls, type Draft } from './draft.ts'
import { choose, patch, take } from './edge.ts'
import { spawnMissing } from './entry.ts'
import { check, frozen, HandlerFailure } from './failure.ts'
import { follow } from './follow.ts'
import { givenOf } from './given.ts'
import {
  hasEnded,
  type CallRecord,
  type CallSettlement,
  type JournalCause,
  type OperatorInput,
  type RefusedWhy,
  type Stall,
} from './model.ts'
import { activityOfCall, decideCalls, diedOut, putCall, reopen, settledBy, waitAgain } from './result.ts'

/** What became of an operator's action. `again`: what the instance stalled on is to be tried again. */
export type Operated =
  | { readonly kind: 'applied'; readonly again?: Stall | null }
  | { readonly kind: 'refused'; readonly why: RefusedWhy }
  | { readonly kind: 'bad'; readonly code: string; readonly message: string }

type Action<D> = Extract<OperatorInput['action'], { readonly do: D }>
type Told = { readonly why: string; readonly by?: string }

/** Thrown where an action cannot be done: nothing of it has happened. */
class Refusal extends HandlerFailure {
  constructor(code: string, message: string) {
    super(message, code)
  }
}

const applied: Operated = { kind: 'applied' }

/** Tries what stalled again. */
function retry(draft: Draft, cause: JournalCause, row: Told, newKey: boolean): Operated {
  const again = draft.next.stalled
  draft.unstall()
  // The number of this row makes the key a new one.
  const { incarnation, seq } = draft.next
  const keyOf = (name: string, old: string): string => (newKey ? callKey(incarnation, seq + 1, name) : old)
  const opened = again?.cause === undefined ? reopen(draft, keyOf) : []
  if (again?.code === 'WITHIN_ELAPSED') waitAgain(draft)
  const spawned = draft.at === undefined ? [] : spawnMissing(draft, draft.at, givenOf(draft, cause))
  draft.record(cause, { ...row, opened, spawned })
  return { kind: 'applied', again }
}

function callToResolve(draft: Draft, named: string | undefined): readonly [name: string, call: CallRecord] {
  const calls = Object.entries(draft.next.calls ?? {}).filter(([, call]) => call.settled?.done !== true)
  const names = calls.map(([name]) => name).join(', ') || 'none'
  const found = calls.filter(([name, call]) => named === undefined || name === named || call.activity === named)
  const [only] = found
  if (only === undefined)
    throw new Refusal('NO_SUCH_CALL', `no call "${named ?? ''}" is open here; there are: ${names}`)
  if (found.length > 1) throw new Refusal('NO_SUCH_CALL', `several calls are open: name one of ${names}`)
  return only
}

function settlement(draft: Draft, call: CallRecord, action: Action<'resolve'>, why: string): CallSettlement {
  const activity = activityOfCall(draft.at, call)
  if ('failure' in action) {
    // Of an activity that is gone its edges tell still how it could fail.
    const declared = activity?.failures ?? [...(draft.at?.fail.keys() ?? [])].filter((code) => code !== '*')
    const failures = [...new Set([...declared, 'other'])]
    if (!failures.includes(action.failure))
      throw new Refusal(
        'NO_SUCH_FAILURE',
        `${call.activity} has no failure "${action.failure}"; there are: ${failures.join(', ')}`,
      )
    return settledBy({ code: action.failure, message: why, outcome: 'not done' })
  }
  const what = `result of ${call.activity}`
  const checked =
    activity === undefined ? { value: frozen(what, action.result) } : check(activity.output, action.result, what)
  if ('problem' in checked) throw new Refusal('BAD_DATA', checked.problem)
  return { done: true, output: checked.value }
}

/** Says how a call ended. */
function resolve(draft: Draft, cause: JournalCause, row: Told, action: Action<'resolve'>): Operated {
  const [name, call] = callToResolve(draft, action.call)
  putCall(draft, name, { ...call, settled: settlement(draft, call, action, row.why) })
  const open = openCalls(draft.next)
  const { stalled } = draft.next
  if (!open.some(([, other]) => diedOut(other))) draft.unstall()
  if (open.length === 0) decideCalls(draft, cause, row)
  if (draft.journal.every((written) => written.cause !== cause)) draft.record(cause, row)
  // It may have stalled on the answer of another call, which nobody will give again.
  const other = stalled?.cause?.kind === 'result' && stalled.cause.call !== name
  return other && draft.next.status === 'live' && open.length > 0 ? { kind: 'applied', again: stalled } : applied
}

interface Way {
  readonly edge: EdgeDefinition
  readonly extra: Partial<Given>
}

/** Ways out of the present state, each with the payload read as what its edge is given. A payload that does not fit rules a way out. */
function* waysOut(draft: Draft, payload: unknown): Generator<Way> {
  const state = draft.at
  if (state === undefined) return
  for (const [type, edge] of [state, ...state.groups].flatMap(({ on }) => [...on])) {
    const message = draft.definition.receives.get(type)
    const checked = message && check(message.schema, payload, type)
    if (checked !== undefined && 'value' in checked) yield { edge, extra: { message: checked.value } }
  }
  const only = state.call?.shape === 'one' ? [...state.call.activities.values()][0] : undefined
  const result = only === undefined ? { value: payload } : check(only.output, payload, only.name)
  if (state.done !== undefined && 'value' in result)
    yield { edge: state.done, extra: { result: result.value, results: result.value } }
  const message = 'moved by an operator'
  for (const [code, edge] of state.fail) {
    const error = { code: code === '*' ? 'other' : code, message, outcome: 'unknown' } as const
    yield { edge, extra: { error, results: {}, errors: {} } }
  }
  for (const { edge } of [state, ...state.groups].flatMap(({ after }) => after)) yield { edge, extra: {} }
  yield { edge: state.always, extra: {} }
  for (const edge of state.until.flatMap(({ any }) => [...any.values()]))
    yield { edge, extra: { child: payload as NonNullable<Given['child']> } }
  if (state.cancel !== undefined) yield { edge: state.cancel, extra: { why: message } }
}

/** The declared step to a state: the first whose `if` holds. */
function wayTo(
  draft: Draft,
  to: string,
  payload: unknown,
  cause: JournalCause,
): { readonly step: StepDefinition; readonly extra: Partial<Given> } | undefined {
  for (const { edge, extra } of waysOut(draft, frozen('payload', payload ?? null))) {
    const ways = edge.filter((step) => step.to === to)
    try {
      const step = choose(ways, givenOf(draft, cause, extra))
      if (step !== undefined) return { step, extra }
    } catch (error) {
      if (!(error instanceof HandlerFailure)) throw error // an `if` that this payload is not for
    }
  }
  return undefined
}

/**
 * Along a declared edge. What stands still may also stay where it is, where no edge leads back: its fields are corrected, and what
 * stalled it is tried again. A message that misses a field could not be got past otherwise.
 */
function move(draft: Draft, cause: JournalCause, row: Told, { to, payload, data }: Action<'move'>): Operated {
  if (!draft.definition.states.has(to))
    throw new Refusal('NO_SUCH_STATE', `"${draft.definition.name}" has no state "${to}"`)
  if (draft.next.status === 'live' && heldByCall(draft))
    throw new Refusal('CALL_OPEN', `a call is open in "${draft.next.state}": wait until it has settled, or cancel`)
  const { stalled } = draft.next
  const corrected = data === undefined ? undefined : patch(draft, data, 'data')
  const way = wayTo(draft, to, payload, cause)
  if (way === undefined) {
    if (corrected === undefined || stalled === null || to !== draft.next.state)
      throw new Refusal('NO_SUCH_EDGE', `no declared edge from "${draft.next.state}" to "${to}" takes this payload`)
    draft.unstall()
    draft.record(cause, { ...row, ...corrected })
    return { kind: 'applied', again: stalled }
  }
  const { step, extra } = way
  draft.unstall()
  // The corrected fields are told with what the edge itself changes.
  const set = data === undefined ? step.set : (given: Given) => ({ ...data, ...step.set?.(given) })
  take(draft, { ...step, set }, { cause, extra, row })
  follow(draft, cause)
  return applied
}

/** Does what an operator says. Nothing has changed where it answers `bad`. */
export function operate(draft: Draft, input: OperatorInput): Operated {
  const { action, why, by } = input
  const { status } = draft.next
  const cause = causeOf(draft, input, 'operator', action.do)
  const row = { why, ...(by !== undefined && { by }) }
  if (action.do === 'discard') {
    draft.record(cause, row)
    return applied
  }
  const needed = action.do === 'move' ? 'live' : 'stalled'
  if (hasEnded(status) || (needed === 'stalled' && status === 'live')) {
    draft.record(cause, { ...row, outcome: 'refused' })
    return { kind: 'refused', why: hasEnded(status) ? 'ended' : 'not-stalled' }
  }
  return draft.attempt<Operated>(
    () => {
      if (action.do === 'retry') return retry(draft, cause, row, action.newKey)
      return action.do === 'resolve' ? resolve(draft, cause, row, action) : move(draft, cause, row, action)
    },
    (error) => ({ kind: 'bad', code: error.code, message: error.message }),
  )
}
