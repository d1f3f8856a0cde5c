// Where a message may go: the table of fates, row by row. Pure: a function of the definition, the instance and the message.
import type { EdgeDefinition, Given, StateDefinition, StepDefinition } from '../machine/definition.ts'
import { causeOf, givenOf, heldByCall, stillRow, type Draft } from './draft.ts'
import { choose, isNothing, leaves, patched, row, take, type Taking } from './edge.ts'
import { ask } from './failure.ts'
import { follow } from './follow.ts'
import type { CancelInput, JournalCause, MessageInput, RefusedWhy, Waiting } from './model.ts'

/** What became of a message that was looked at. */
export type Looked =
  | { readonly fate: 'applied' | 'ignored' }
  | { readonly fate: 'refused'; readonly why: RefusedWhy }
  | { readonly fate: 'deferred'; readonly why: Waiting['why'] }

const applied: Looked = { fate: 'applied' }
const deferred = (why: Waiting['why']): Looked => ({ fate: 'deferred', why })
const none: readonly never[] = []

function ignored(draft: Draft, cause: JournalCause, unit: boolean): Looked {
  stillRow(draft, cause, 'ignored', unit)
  return { fate: 'ignored' }
}

function refused(draft: Draft, cause: JournalCause, unit: boolean, why: RefusedWhy): Looked {
  stillRow(draft, cause, 'refused', unit)
  return { fate: 'refused', why }
}

/** Takes a step unless an open call holds the state; then nothing has happened. */
function takeOrWait(draft: Draft, step: StepDefinition, taking: Taking): Looked {
  if (leaves(step) && heldByCall(draft)) return deferred('call')
  if (isNothing(step)) return ignored(draft, taking.cause, taking.unit ?? false)
  take(draft, step, taking)
  follow(draft, taking.cause)
  return applied
}

function chooseIn(edge: EdgeDefinition | undefined, given: Given): StepDefinition | undefined {
  return edge === undefined ? undefined : choose(edge, given)
}

/** The state's own edge comes first, then the groups in order. */
function stepFor(state: StateDefinition, type: string, given: Given): StepDefinition | undefined {
  const own = chooseIn(state.on.get(type), given)
  if (own !== undefined) return own
  for (const group of state.groups) {
    const step = chooseIn(group.on.get(type), given)
    if (step !== undefined) return step
  }
  return undefined
}

/** Records a message of a `join`: a row that stays; `done` follows when all have come. */
function joins(draft: Draft, state: StateDefinition, input: MessageInput, cause: JournalCause): Looked {
  const record = state.join.get(input.type)
  const extra = { message: input.data }
  const changed =
    record === undefined
      ? { change: null, removed: none }
      : patched(draft, ask(`join "${input.type}"`, record, givenOf(draft, cause, extra)), `join "${input.type}"`)
  if ('data' in changed) draft.data = changed.data
  draft.joined = [...(draft.joined ?? none), input.type]
  row(draft, { cause, unit: true, extra }, draft.state, draft.state, changed, {
    emitted: none,
    spawned: none,
    opened: none,
    dropped: none,
  })
  follow(draft, cause)
  return applied
}

const hasOlder = (draft: Draft, type: string, n: number): boolean =>
  draft.waiting.some((waiting) => waiting.n < n && waiting.input.kind === 'message' && waiting.input.type === type)

/** Looks at a message whose payload is checked. `n`: its place among the waiting; Infinity for one that is new. */
export function lookAt(draft: Draft, input: MessageInput, n = Infinity): Looked {
  const cause = causeOf(input, 'message', input.type)
  if (draft.status === 'stalled') return deferred('stalled')
  if (draft.status !== 'live') return input.command ? refused(draft, cause, true, 'ended') : ignored(draft, cause, true)
  if (input.ifSeq !== undefined && input.ifSeq !== draft.seq) return refused(draft, cause, true, 'seq')
  const state = draft.at
  if (state === undefined) return deferred('stalled')
  if (hasOlder(draft, input.type, n)) return deferred(state.named.has(input.type) ? 'call' : 'state')
  if (draft.definition.cancelBy.has(input.type))
    return lookAtCancel(draft, { ...input, kind: 'cancel', why: input.type }, true)
  const step = stepFor(state, input.type, givenOf(draft, cause, { message: input.data }))
  if (step !== undefined) return takeOrWait(draft, step, { cause, unit: true, extra: { message: input.data } })
  if (state.join.has(input.type))
    return draft.joined?.includes(input.type) === true ? ignored(draft, cause, true) : joins(draft, state, input, cause)
  if (state.named.has(input.type)) return refused(draft, cause, true, 'if')
  return state.ahead.has(input.type) ? deferred('state') : ignored(draft, cause, true)
}

/** Children that are cancelled with their parent. */
function alsoCancelled(draft: Draft): readonly { readonly machine: string; readonly id: string }[] {
  const machines = new Set<string>()
  for (const kind of draft.definition.children.values()) if (kind.onCancel === 'cancel') machines.add(kind.of.name)
  if (machines.size === 0) return none
  const lives = (status: string): boolean => status === 'running' || status === 'waiting' || status === 'stalled'
  return [...draft.children.values()]
    .filter((child) => machines.has(child.machine) && lives(child.status))
    .map(({ machine, id }) => ({ machine, id }))
}

/** Ends the instance where it stands, as cancelled. */
function endHere(draft: Draft, taking: Taking): Looked {
  const dropped = Object.entries(draft.calls ?? {}).flatMap(([name, call]) =>
    call.settled === undefined ? [name] : [],
  )
  draft.calls = null
  draft.timers = null
  draft.joined = null
  draft.status = 'cancelled'
  draft.endedAt = draft.context.now
  row(
    draft,
    taking,
    draft.state,
    draft.state,
    { change: null, removed: none },
    { emitted: none, spawned: none, opened: none, dropped },
  )
  return applied
}

/** Looks at a cancel. `unit`: it came as a command. What stalled on a call does not wait for it: the call counts as unknown. */
export function lookAtCancel(draft: Draft, input: CancelInput, unit: boolean): Looked {
  const cause = causeOf(input, 'cancel', unit ? input.why : 'cancel')
  const told = { why: input.why, ...(input.by !== undefined && { by: input.by }) }
  if (draft.status !== 'live' && draft.status !== 'stalled') return refused(draft, cause, unit, 'ended')
  const state = draft.at
  if (state?.cancelRule === 'pivot') return refused(draft, cause, unit, 'pivot')
  if (state?.cancelRule === 'undoing') return ignored(draft, cause, unit)
  const wasStalled = draft.status === 'stalled'
  const held = heldByCall(draft) && !(wasStalled && onlySettled(draft))
  const cancelled = alsoCancelled(draft)
  if (state?.cancel === undefined) {
    if (held) return deferred('call')
    unstall(draft)
    return endHere(draft, { cause, unit, ...told, cancelled })
  }
  const extra = { why: input.why }
  const step = choose(state.cancel, givenOf(draft, cause, extra))
  if (step === undefined) return refused(draft, cause, unit, 'if')
  if (isNothing(step)) return ignored(draft, cause, unit)
  if (leaves(step) && held) return deferred('call')
  unstall(draft)
  take(draft, step, { cause, unit, extra, ...told, cancelled })
  follow(draft, cause)
  return applied
}

/** No attempt of an open call can be running: all are settled, were given up (WORKER_DIED), or have answered what stalled it. */
const onlySettled = (draft: Draft): boolean =>
  draft.stalled?.code === 'WORKER_DIED' ||
  draft.stalled?.cause?.kind === 'result' ||
  Object.values(draft.calls ?? {}).every((call) => call.settled !== undefined)

function unstall(draft: Draft): void {
  if (draft.status !== 'stalled') return
  draft.status = 'live'
  draft.stalled = null
}
