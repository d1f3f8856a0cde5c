// Messages that wait: tried again after every transition, oldest first; their `keep` runs only while the instance could take
// messages. Timers that an open call has held back are tried again at the same places.
import { givenOf, groupTimer, heldByCall, stillRow, without, type Draft } from './draft.ts'
import { choose, isNothing, leaves, take } from './edge.ts'
import { HandlerFailure } from './failure.ts'
import { lookAt, lookAtCancel, type Looked } from './fate.ts'
import { follow, MustStall } from './follow.ts'
import type { EdgeDefinition } from '../machine/definition.ts'
import type { JournalCause, Stall, Waiting } from './model.ts'

/** A waiting message about which this dispatch has decided. */
export interface Decided {
  readonly waiting: Waiting
  readonly fate: 'applied' | 'ignored' | 'refused' | 'dead'
  readonly why?: string
  readonly code?: string
  readonly message?: string
  readonly seq: number
  readonly state: string
}

/** Why a handler's failure stalls the instance, where it does: `need`, a circle, a child's end that nobody named. */
export function stallOf(error: HandlerFailure): Stall | undefined {
  if (error instanceof MustStall) return error.stall
  return error.code === 'FIELD_MISSING' || error.code === 'WITHIN_ELAPSED'
    ? { code: error.code, message: error.message }
    : undefined
}

/** Names the instance and the state in a handler's failure. */
export const placed = (draft: Draft, error: HandlerFailure): string =>
  `${draft.definition.name} "${draft.base.id}", state "${draft.state}", ${error.message}`

/** Puts the instance before an operator. */
export function stall(draft: Draft, why: Stall): void {
  draft.status = 'stalled'
  draft.stalled = why
}

const look = (draft: Draft, waiting: Waiting): Looked =>
  waiting.input.kind === 'cancel' ? lookAtCancel(draft, waiting.input, false) : lookAt(draft, waiting.input, waiting.n)

function remove(draft: Draft, waiting: Waiting): void {
  draft.waiting = draft.waiting.filter((other) => other !== waiting)
}

function decide(
  draft: Draft,
  waiting: Waiting,
  decided: Decided[],
  said: Omit<Decided, 'waiting' | 'seq' | 'state'>,
): void {
  remove(draft, waiting)
  decided.push({ waiting, ...said, seq: draft.seq, state: draft.state })
}

/** Tries one. True: it is decided about. */
function tryOne(draft: Draft, waiting: Waiting, decided: Decided[]): boolean {
  const saved = draft.save()
  try {
    const looked = look(draft, waiting)
    if (looked.fate === 'deferred') {
      rewait(draft, waiting, looked.why)
      return false
    }
    decide(draft, waiting, decided, looked)
    return true
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    draft.restore(saved)
    const why = stallOf(error)
    if (why !== undefined) {
      stall(draft, { ...why, message: placed(draft, error) })
      rewait(draft, waiting, 'stalled')
      return true
    }
    decide(draft, waiting, decided, { fate: 'dead', code: 'HANDLER_FAILED', message: placed(draft, error) })
    return true
  }
}

/** Changes what a message waits for; its time stops and goes on with that. */
function rewait(draft: Draft, waiting: Waiting, why: Waiting['why']): void {
  if (waiting.why === why) return
  const { now } = draft.context
  const runs = why === 'state' || why === 'instance' || why === 'build'
  const leftMs = waiting.until === null ? waiting.leftMs : Math.max(0, waiting.until - now)
  const next: Waiting = {
    ...waiting,
    why,
    until: runs && leftMs !== null ? now + leftMs : null,
    leftMs: runs ? null : leftMs,
  }
  draft.waiting = draft.waiting.map((other) => (other === waiting ? next : other))
}

/** Tries all that waits, oldest first, again after every one that changed something; timers that are due come before them. */
export function retryWaiting(draft: Draft, decided: Decided[]): void {
  for (let moved = true; moved;) {
    moved = fireDue(draft)
    for (const waiting of draft.waiting) {
      if (!tryOne(draft, waiting, decided)) continue
      moved = true
      break
    }
  }
}

interface DueTimer {
  readonly name: string
  readonly label: string
  readonly due: number
  readonly entry: number
  readonly edge: EdgeDefinition | undefined
}

function edgeOf(draft: Draft, name: string): { readonly label: string; readonly edge: EdgeDefinition | undefined } {
  const state = draft.at
  for (const timer of state?.after ?? []) if (timer.name === name) return { label: name, edge: timer.edge }
  for (const group of state?.groups ?? [])
    for (const timer of group.after)
      if (groupTimer(group.name, timer.name) === name) return { label: timer.name, edge: timer.edge }
  return { label: name, edge: undefined }
}

function dueTimers(draft: Draft): readonly DueTimer[] {
  const due: DueTimer[] = []
  for (const [name, timer] of Object.entries(draft.timers ?? {}))
    if (timer.due <= draft.context.now) due.push({ name, ...timer, ...edgeOf(draft, name) })
  return due.sort((a, b) => a.due - b.due)
}

const timerCause = (draft: Draft, timer: DueTimer): JournalCause => ({
  kind: 'timer',
  name: timer.label,
  id: `${draft.incarnation}-${timer.entry}-${timer.label}`,
  at: timer.due,
  correlation: draft.base.correlation,
})

function fire(draft: Draft, timer: DueTimer): boolean {
  const cause = timerCause(draft, timer)
  if (timer.edge === undefined) {
    draft.timers = without(draft.timers, timer.name) // the code no longer has it
    stillRow(draft, cause, 'late', false)
    return true
  }
  const chosen = choose(timer.edge, givenOf(draft, cause))
  if (chosen !== undefined && leaves(chosen) && heldByCall(draft)) return false
  draft.timers = without(draft.timers, timer.name)
  if (chosen === undefined || isNothing(chosen)) {
    stillRow(draft, cause, chosen === undefined ? 'refused' : 'ignored', false)
    return true
  }
  take(draft, chosen, { cause })
  follow(draft, cause)
  return true
}

/** Fires the first timer that is due and not held back by an open call. A handler that throws stalls the instance. */
export function fireDue(draft: Draft): boolean {
  if (draft.status !== 'live' || draft.timers === null) return false
  for (const timer of dueTimers(draft)) {
    const saved = draft.save()
    try {
      if (fire(draft, timer)) return true
    } catch (error) {
      if (!(error instanceof HandlerFailure)) throw error
      draft.restore(saved)
      stall(draft, { code: stallOf(error)?.code ?? 'HANDLER_FAILED', message: placed(draft, error) })
      return true
    }
  }
  return false
}

/** Messages that have waited too long become dead letters. */
export function expireWaiting(draft: Draft, decided: Decided[]): void {
  const { now } = draft.context
  for (const waiting of draft.waiting) {
    if (waiting.until === null || waiting.until > now) continue
    decide(draft, waiting, decided, {
      fate: 'dead',
      code: 'KEPT_TOO_LONG',
      message: `no state took it within its keep: "${draft.definition.name}" "${draft.base.id}" stands in "${draft.state}"`,
    })
  }
}
