// Messages that wait: tried again after every transition, oldest first; their `keep` runs only while the instance could take
// messages. Timers that an open call has held back are tried again at the same places.
import type { EdgeDefinition } from '../machine/definition.ts'
import { groupTimer, heldByCall, LIMITS, type Draft } from './draft.ts'
import { choose, isNothing, leaves, take } from './edge.ts'
import { HandlerFailure, stalls } from './failure.ts'
import { lookAt, lookAtCancel, type Looked } from './fate.ts'
import { countStep, follow } from './follow.ts'
import { givenOf } from './given.ts'
import { hasEnded, type JournalCause, type MessageInput, type TimerRecord, type Waiting } from './model.ts'
import { decideAbout } from './reading.ts'

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

/** Looks at a message: one that has waited was checked by another build perhaps. */
export function look(draft: Draft, input: Waiting['input'], n = Infinity): Looked {
  if (input.kind === 'cancel') return lookAtCancel(draft, input)
  if (hasEnded(draft.next.status)) return lookAt(draft, input, n)
  const read = decideAbout(draft.definition, input)
  if (read.kind === 'build') return { fate: 'deferred', waitsFor: 'build' }
  if (read.kind === 'bad') throw new HandlerFailure(read.problem, 'BAD_DATA')
  return lookAt(draft, read.input, n)
}

/** What a dead letter of a handler's failure says. */
export const deadBy = (draft: Draft, error: HandlerFailure): { readonly code: string; readonly message: string } => ({
  code: error.code === 'BAD_DATA' ? error.code : 'HANDLER_FAILED',
  message: draft.placed(error),
})

/** Whether no more may wait: 100 messages, or 256 KB. */
export function isFull(waiting: readonly Waiting[], input: MessageInput): boolean {
  const messages = waiting.filter((other) => other.input.kind === 'message')
  const { checked: _, ...stored } = input
  const size = messages.reduce((sum, other) => sum + other.size, JSON.stringify(stored).length)
  return messages.length >= LIMITS.waiting || size > LIMITS.waitingBytes
}

/** What a dead letter says where too many wait. */
export const FULL = {
  fate: 'dead',
  code: 'WAITING_FULL',
  message: `${LIMITS.waiting} messages, or ${LIMITS.waitingBytes} bytes of them, wait for this instance already`,
} as const

type Said = Omit<Decided, 'waiting' | 'seq' | 'state'>

function decide(draft: Draft, waiting: Waiting, decided: Decided[], said: Said): void {
  const { next } = draft
  next.stamp = Math.max(next.stamp, waiting.input.stamp)
  draft.waiting = draft.waiting.filter((other) => other !== waiting)
  decided.push({ waiting, ...said, seq: next.seq, state: next.state })
}

/** Tries one. True: something has changed by it. */
function tryOne(draft: Draft, waiting: Waiting, decided: Decided[]): boolean {
  draft.steps = 0
  return draft.attempt(
    () => {
      const looked = look(draft, waiting.input, waiting.n)
      if (looked.fate !== 'deferred') {
        decide(draft, waiting, decided, looked)
        return true
      }
      rewait(draft, waiting, looked.waitsFor)
      return false
    },
    (error) => {
      if (stalls(error)) {
        draft.stall({ code: error.code, message: draft.placed(error) })
        rewait(draft, waiting, 'stalled')
      } else decide(draft, waiting, decided, { fate: 'dead', ...deadBy(draft, error) })
      return true
    },
  )
}

/** Changes what a message waits for; its time stops and goes on with that. */
function rewait(draft: Draft, waiting: Waiting, why: Waiting['why']): void {
  const { now } = draft.context
  const again = why === 'build' && waiting.until !== null && waiting.until <= now
  if (waiting.why === why && !again) return
  const ran = waiting.why === 'state' || waiting.why === 'instance'
  const leftMs = ran && waiting.until !== null ? Math.max(0, waiting.until - now) : waiting.leftMs
  const runs = why === 'state' || why === 'instance'
  const until = why === 'build' ? now + LIMITS.buildAgainMs : runs && leftMs !== null ? now + leftMs : null
  const next: Waiting = { ...waiting, why, until, leftMs: runs ? null : leftMs }
  draft.waiting = draft.waiting.map((other) => (other === waiting ? next : other))
}

/** Tries all that waits, oldest first, again after every one that changed something; timers that are due come before them. */
export function retryWaiting(draft: Draft, decided: Decided[]): void {
  while (fireDue(draft) || draft.waiting.some((waiting) => tryOne(draft, waiting, decided)));
}

/** Where a stored timer leads; undefined: the code no longer has it. */
function edgeOf(draft: Draft, name: string): EdgeDefinition | undefined {
  const state = draft.at
  const own = state?.after.find((timer) => timer.name === name)
  if (own !== undefined) return own.edge
  for (const group of state?.groups ?? [])
    for (const timer of group.after) if (groupTimer(group.name, timer.name) === name) return timer.edge
  return undefined
}

/** True: it has fired, or is no more. False: an open call holds it back. */
function fire(draft: Draft, stored: string, { due, entry }: TimerRecord): boolean {
  const { next } = draft
  const name = stored.slice(stored.indexOf('/') + 1)
  const id = `${next.incarnation}-${entry}-${name}`
  const cause: JournalCause = { kind: 'timer', name, id, at: due, correlation: next.correlation }
  const edge = edgeOf(draft, stored)
  const chosen = edge === undefined ? undefined : choose(edge, givenOf(draft, cause))
  if (chosen !== undefined && leaves(chosen) && heldByCall(draft)) return false
  const rest = Object.entries(next.timers ?? {}).filter(([other]) => other !== stored)
  next.timers = rest.length === 0 ? null : Object.fromEntries(rest)
  countStep(draft)
  if (edge === undefined) draft.record(cause, { outcome: 'late' })
  else if (chosen === undefined || isNothing(chosen))
    draft.record(cause, { outcome: chosen === undefined ? 'refused' : 'ignored' })
  else {
    take(draft, chosen, { cause })
    follow(draft, cause)
  }
  return true
}

/** Fires the first timer that is due and not held back by an open call. A handler that throws stalls the instance; then it is tried again by a retry. */
function fireDue(draft: Draft): boolean {
  const { status, timers } = draft.next
  if (status !== 'live' || timers === null) return false
  const due = Object.entries(timers).filter(([, timer]) => timer.due <= draft.context.now)
  due.sort(([, a], [, b]) => a.due - b.due)
  return due.some(([name, timer]) =>
    draft.attempt(
      () => fire(draft, name, timer),
      (error) => {
        draft.stall({ code: error.code, message: draft.placed(error) })
        return true
      },
    ),
  )
}

/** Messages that have waited too long become dead letters. Those of another build wait until one comes that knows them. */
export function expireWaiting(draft: Draft, decided: Decided[]): void {
  if (draft.next.status !== 'live') return
  for (const waiting of draft.waiting) {
    if (waiting.why === 'build' || waiting.until === null || waiting.until > draft.context.now) continue
    const message = `no state took it within its keep: "${draft.definition.name}" "${draft.next.id}" stands in "${draft.next.state}"`
    decide(draft, waiting, decided, { fate: 'dead', code: 'KEPT_TOO_LONG', message })
  }
}
