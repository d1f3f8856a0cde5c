// What an operator does: retry, resolve, move. Each is a row of the journal with who and why.
import { callKey } from '../base/id.ts'
import type { EdgeDefinition, Given, StepDefinition } from '../machine/definition.ts'
import { causeOf, givenOf, heldByCall, openCalls, stillRow, type Draft } from './draft.ts'
import { choose, patched, row, take } from './edge.ts'
import { check, HandlerFailure } from './failure.ts'
import { follow } from './follow.ts'
import { activityOfCall, decideCalls, reopen } from './result.ts'
import type { CallRecord, CallSettlement, Input, JournalCause, OperatorInput, RefusedWhy, Stall } from './model.ts'

/** What became of an operator's action. `stalled`: it was done, and the instance stalls again. `again`: the kept cause is to be dispatched. */
export type Operated =
  | { readonly kind: 'applied'; readonly again?: Input; readonly stall?: Stall }
  | { readonly kind: 'refused'; readonly why: RefusedWhy }
  | { readonly kind: 'bad'; readonly code: string; readonly message: string }

const none: readonly never[] = []
const bad = (code: string, message: string): Operated => ({ kind: 'bad', code, message })
const told = (input: OperatorInput): { why: string; by?: string } => ({
  why: input.why,
  ...(input.by !== undefined && { by: input.by }),
})

function mark(draft: Draft, cause: JournalCause, input: OperatorInput, opened: readonly string[] = none): void {
  row(
    draft,
    { cause, ...told(input) },
    draft.state,
    draft.state,
    { change: null, removed: none },
    { emitted: none, spawned: none, opened, dropped: none },
  )
}

function refuse(draft: Draft, cause: JournalCause, why: RefusedWhy): Operated {
  stillRow(draft, cause, 'refused', false)
  return { kind: 'refused', why }
}

/** Tries what stalled again. */
function retry(draft: Draft, input: OperatorInput, cause: JournalCause, newKey: boolean): Operated {
  if (draft.status !== 'stalled') return refuse(draft, cause, 'not-stalled')
  const again = draft.stalled?.cause
  draft.status = 'live'
  draft.stalled = null
  // The number of this row makes the key a new one.
  const keyOf = (name: string, old: string): string => (newKey ? callKey(draft.incarnation, draft.seq + 1, name) : old)
  const opened = again === undefined ? reopen(draft, keyOf) : none
  mark(draft, cause, input, opened)
  if (again === undefined) follow(draft, cause)
  return { kind: 'applied', ...(again !== undefined && { again }) }
}

interface ToResolve {
  readonly name: string
  readonly call: CallRecord
}

function callToResolve(draft: Draft, named: string | undefined): ToResolve | Operated {
  const candidates = Object.entries(draft.calls ?? {}).filter(([, call]) => call.settled?.done !== true)
  const names = candidates.map(([name]) => name).join(', ')
  const found =
    named === undefined ? candidates : candidates.filter(([name, call]) => name === named || call.activity === named)
  const only = found[0]
  if (only === undefined)
    return bad(
      'NO_SUCH_CALL',
      named === undefined ? 'no call is open here' : `no call "${named}" is open here; there are: ${names || 'none'}`,
    )
  if (found.length > 1) return bad('NO_SUCH_CALL', `several calls are open: name one of ${names}`)
  return { name: only[0], call: only[1] }
}

function settlementFor(
  draft: Draft,
  call: CallRecord,
  action: OperatorInput['action'],
  why: string,
): CallSettlement | Operated {
  const activity = activityOfCall(draft.at, call)
  if ('failure' in action) {
    if (action.failure !== 'other' && activity?.failures.includes(action.failure) !== true)
      return bad(
        'NO_SUCH_FAILURE',
        `${call.activity} has no failure "${action.failure}"; there are: ${[...(activity?.failures ?? []), 'other'].join(', ')}`,
      )
    return { done: false, error: { code: action.failure, message: why, outcome: 'not done' } }
  }
  const checked =
    activity === undefined || !('result' in action)
      ? { value: null }
      : check(activity.output, action.result, `result of ${call.activity}`)
  return 'problem' in checked ? bad('BAD_DATA', checked.problem) : { done: true, output: checked.value }
}

/** Says how a call ended. */
function resolve(
  draft: Draft,
  input: OperatorInput,
  cause: JournalCause,
  action: Extract<OperatorInput['action'], { do: 'resolve' }>,
): Operated {
  if (draft.status !== 'stalled') return refuse(draft, cause, 'not-stalled')
  const found = callToResolve(draft, action.call)
  if ('kind' in found) return found
  const settled = settlementFor(draft, found.call, action, input.why)
  if ('kind' in settled) return settled
  draft.status = 'live'
  draft.stalled = null
  draft.calls = { ...draft.calls, [found.name]: { ...found.call, settled } }
  if (openCalls(draft).length > 0) {
    mark(draft, cause, input)
    return { kind: 'applied' }
  }
  const rows = draft.journal.length
  const stall = decideCalls(draft, cause, told(input))
  if (stall !== undefined && draft.journal.length === rows) mark(draft, cause, input)
  return { kind: 'applied', ...(stall !== undefined && { stall }) }
}

interface Way {
  readonly edge: EdgeDefinition
  readonly extra: Partial<Given>
}

/** Ways out of the present state, each with the payload read as what its edge is given. A payload that does not fit rules a way out. */
function* waysOut(draft: Draft, payload: unknown): Generator<Way> {
  const state = draft.at
  if (state === undefined) return
  const messages = [state.on, ...state.groups.map((group) => group.on)]
  for (const on of messages) {
    for (const [type, edge] of on) {
      const message = draft.definition.receives.get(type)
      const checked = message === undefined ? undefined : check(message.schema, payload, type)
      if (checked !== undefined && 'value' in checked) yield { edge, extra: { message: checked.value } }
    }
  }
  const only = state.call?.shape === 'one' ? [...state.call.activities.values()][0] : undefined
  const result = only === undefined ? { value: payload } : check(only.output, payload, only.name)
  if (state.done !== undefined && 'value' in result)
    yield { edge: state.done, extra: { result: result.value, results: result.value } }
  for (const [code, edge] of state.fail)
    yield {
      edge,
      extra: {
        error: { code: code === '*' ? 'other' : code, message: 'moved by an operator', outcome: 'unknown' },
        results: {},
        errors: {},
      },
    }
  for (const timers of [state.after, ...state.groups.map((group) => group.after)])
    for (const timer of timers) yield { edge: timer.edge, extra: {} }
  yield { edge: state.always, extra: {} }
  for (const follow of state.until)
    for (const edge of follow.any.values()) yield { edge, extra: { child: payload as NonNullable<Given['child']> } }
  if (state.cancel !== undefined) yield { edge: state.cancel, extra: { why: 'moved by an operator' } }
}

/** The declared step to a state: the first whose `if` holds. */
function wayTo(
  draft: Draft,
  to: string,
  payload: unknown,
  cause: JournalCause,
): { readonly step: StepDefinition; readonly extra: Partial<Given> } | undefined {
  for (const { edge, extra } of waysOut(draft, payload)) {
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

/** Along a declared edge. */
function move(
  draft: Draft,
  input: OperatorInput,
  cause: JournalCause,
  action: Extract<OperatorInput['action'], { do: 'move' }>,
): Operated {
  if (draft.definition.states.get(action.to) === undefined)
    return bad('NO_SUCH_STATE', `"${draft.definition.name}" has no state "${action.to}"`)
  if (draft.status === 'live' && heldByCall(draft))
    return bad('CALL_OPEN', `a call is open in "${draft.state}": wait until it has settled, or cancel`)
  if (action.data !== undefined) draft.data = patched(draft, action.data, 'data').data
  const way = wayTo(draft, action.to, action.payload, cause)
  if (way === undefined)
    return bad('NO_SUCH_EDGE', `no declared edge from "${draft.state}" to "${action.to}" takes this payload`)
  draft.status = 'live'
  draft.stalled = null
  // The corrected fields are told with what the edge itself changes.
  const step: StepDefinition =
    action.data === undefined
      ? way.step
      : { ...way.step, set: (given) => ({ ...action.data, ...way.step.set?.(given) }) }
  take(draft, step, { cause, extra: way.extra, ...told(input) })
  follow(draft, cause)
  return { kind: 'applied' }
}

/** Does what an operator says. Nothing has changed where it answers `bad`. */
export function operate(draft: Draft, input: OperatorInput): Operated {
  const { action } = input
  const cause = causeOf(input, 'operator', action.do)
  if (draft.status !== 'live' && draft.status !== 'stalled') return refuse(draft, cause, 'ended')
  const saved = draft.save()
  try {
    const operated =
      action.do === 'retry'
        ? retry(draft, input, cause, action.newKey)
        : action.do === 'resolve'
          ? resolve(draft, input, cause, action)
          : move(draft, input, cause, action)
    if (operated.kind === 'bad') draft.restore(saved)
    return operated
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    draft.restore(saved)
    return bad('HANDLER_FAILED', error.message)
  }
}
