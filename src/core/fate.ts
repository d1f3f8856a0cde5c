// Where a message may go: the table of fates, row by row. Pure: a function of the definition, the instance and the message.
import type { EdgeDefinition, Given, StateDefinition, StepDefinition } from '../machine/definition.ts'
import { causeOf, heldByCall, openCalls, type Draft } from './draft.ts'
import { choose, isNothing, leaves, patch, take, type Taking } from './edge.ts'
import { leave } from './entry.ts'
import { ask } from './failure.ts'
import { childKey, isOver } from './family.ts'
import { follow } from './follow.ts'
import { givenOf, idsOf } from './given.ts'
import {
  hasEnded,
  type CancelInput,
  type ChildRecord,
  type JournalEntry,
  type MessageInput,
  type RefusedWhy,
  type Waiting,
} from './model.ts'

/** What became of a message that was looked at. */
export type Looked =
  | { readonly fate: 'applied' | 'ignored' }
  | { readonly fate: 'refused'; readonly why: RefusedWhy }
  | { readonly fate: 'deferred'; readonly waitsFor: Waiting['why'] }

const applied: Looked = { fate: 'applied' }
const deferred = (waitsFor: Waiting['why']): Looked => ({ fate: 'deferred', waitsFor })

function ignored(draft: Draft, { cause, row }: Taking): Looked {
  draft.record(cause, { ...row, outcome: 'ignored' })
  return { fate: 'ignored' }
}

function refused(draft: Draft, { cause, row }: Taking, why: RefusedWhy): Looked {
  draft.record(cause, { ...row, outcome: 'refused' })
  return { fate: 'refused', why }
}

const chooseIn = (edge: EdgeDefinition | undefined, given: Given): StepDefinition | undefined =>
  edge === undefined ? undefined : choose(edge, given)

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

/** Records a message of a `join`: a row that stays; `done` follows when all have come. One that has come already is ignored. */
function join(draft: Draft, state: StateDefinition, type: string, taking: Taking): Looked {
  const { cause, extra } = taking
  const joined = draft.next.joined ?? []
  if (joined.includes(type)) return ignored(draft, taking)
  const place = `join "${type}"`
  const record = state.join.get(type)
  const changed = record && patch(draft, ask(place, record, givenOf(draft, cause, extra)), place)
  draft.next.joined = [...joined, type]
  draft.record(cause, { ...taking.row, ...changed })
  follow(draft, cause)
  return applied
}

const hasOlder = (draft: Draft, type: string, n: number): boolean =>
  draft.waiting.some(({ n: place, input }) => place < n && input.kind === 'message' && input.type === type)

/** Who sent it again, and why. */
export const redriven = ({ why, by }: MessageInput): { readonly why?: string; readonly by?: string } =>
  why === undefined ? {} : { why, ...(by !== undefined && { by }) }

/** Looks at a message whose payload is checked. `n`: its place among the waiting; Infinity for one that is new. */
export function lookAt(draft: Draft, input: MessageInput, n = Infinity): Looked {
  const { type, command, ifSeq, why } = input
  const { status, seq } = draft.next
  const cause = causeOf(draft, input, 'message', type)
  const extra = { message: input.data }
  const taking = { cause, extra, row: { unit: true, ...redriven(input) } }
  if (hasEnded(status)) return command ? refused(draft, taking, 'ended') : ignored(draft, taking)
  const cancels = draft.definition.cancelBy.has(type)
  const state = draft.at
  if (state === undefined || (status === 'stalled' && !cancels)) return deferred('stalled')
  if (ifSeq !== undefined && ifSeq !== seq) return refused(draft, taking, 'seq')
  if (cancels) return lookAtCancel(draft, { ...input, kind: 'cancel', why: why ?? type }, type)
  if (hasOlder(draft, type, n)) return deferred(state.named.has(type) ? 'call' : 'state')
  const step = stepFor(state, type, givenOf(draft, cause, extra))
  if (step !== undefined && leaves(step) && heldByCall(draft)) return deferred('call')
  if (step !== undefined && isNothing(step)) return ignored(draft, taking)
  if (step !== undefined) {
    take(draft, step, taking)
    follow(draft, cause)
    return applied
  }
  if (state.join.has(type)) return join(draft, state, type, taking)
  if (state.named.has(type)) return refused(draft, taking, 'if')
  if (!state.ahead.has(type)) return ignored(draft, taking)
  // While a call holds the state no other one can come, so the message's time does not run.
  return deferred(openCalls(draft.next).length > 0 && state.call?.interruptible !== true ? 'call' : 'state')
}

/** Children that are cancelled with their parent: those that a kind says so of names now. One machine may be of several kinds. */
function alsoCancelled(draft: Draft, given: Given): JournalEntry['cancelled'] {
  const named = new Map<string, ChildRecord>()
  for (const { kind, of, onCancel } of draft.definition.children.values()) {
    if (onCancel !== 'cancel') continue
    for (const id of idsOf(draft, kind, given)) {
      const key = childKey(of.name, id)
      const child = draft.children.get(key)
      if (child !== undefined && !isOver(child)) named.set(key, child)
    }
  }
  return Array.from(named.values(), ({ machine, id }) => ({ machine, id }))
}

/** Ends the instance where it stands, as cancelled. */
function endHere(draft: Draft, { cause, row }: Taking): Looked {
  const dropped = leave(draft)
  Object.assign(draft.next, { timers: null, status: 'cancelled', endedAt: draft.context.now })
  draft.record(cause, { ...row, dropped })
  return applied
}

/** Stalled by a call that nobody starts (again): its worker died, or its activity is gone. */
const UNATTENDED = ['WORKER_DIED', 'ACTIVITY_GONE']
/** Nobody can be at a call any more that is open all the same: it was given up, or its answer is what stalled the instance. */
const givenUp = ({ next: { status, stalled } }: Draft): boolean =>
  status === 'stalled' && stalled !== null && (UNATTENDED.includes(stalled.code) || stalled.cause?.kind === 'result')

/** Looks at a cancel; `message`: the type of the message that it came as. What stalled on a call does not wait for it: the call counts as unknown. */
export function lookAtCancel(draft: Draft, input: CancelInput, message?: string): Looked {
  const { why, by } = input
  const cause = causeOf(draft, input, 'cancel', message ?? 'cancel')
  const row = { unit: message !== undefined, why, ...(by !== undefined && { by }) }
  const extra = { why }
  const taking = (): Taking => {
    const cancelled = alsoCancelled(draft, givenOf(draft, cause, extra))
    return { cause, extra, row: { ...row, cancelled } }
  }
  if (hasEnded(draft.next.status)) return refused(draft, { cause, row }, 'ended')
  const state = draft.at
  if (state?.cancelRule === 'pivot') return refused(draft, { cause, row }, 'pivot')
  if (state?.cancelRule === 'undoing') return ignored(draft, { cause, row })
  const held = heldByCall(draft) && !givenUp(draft)
  if (state?.cancel === undefined) {
    if (held) return deferred('call')
    const ending = taking()
    draft.unstall()
    return endHere(draft, ending)
  }
  const step = choose(state.cancel, givenOf(draft, cause, extra))
  if (step === undefined) return refused(draft, { cause, row }, 'if')
  if (isNothing(step)) return ignored(draft, { cause, row })
  if (leaves(step) && held) return deferred('call')
  const cancelling = taking()
  if (leaves(step)) draft.unstall()
  take(draft, step, cancelling)
  follow(draft, cause)
  return applied
}
