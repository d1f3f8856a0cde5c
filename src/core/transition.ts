// The heart: what one input does to one instance. Pure: no clock, no random, no I/O; time comes in as `context.now`.
//
//   dispatch(definition, id, before, input, context) → outcome
//
// One outcome tells the next snapshot, the rows of the journal (with what each lets happen: messages, calls, children), and
// what became of the messages that waited. The engine writes all of it in one commit, and lets it happen after that.
//
// Invariants
//   I3  every row leads along a declared edge (or is an operator's or a migration's); `seq` has no gap.
//   I5  a success of any attempt closes its call; a failure counts only from the newest.
//   I6  a timer fires only when `now` is at or past its due.
//   I10 what a handler does wrong stays with its message or its instance.
import type { MachineDefinition } from '../machine/definition.ts'
import { causeOf, Draft, openCalls, type Before, type Context } from './draft.ts'
import { UNSTARTED } from './entry.ts'
import { stalls } from './failure.ts'
import { withChild } from './family.ts'
import { childArrived, follow, noteChild } from './follow.ts'
import { migrate, stalledByMigration } from './migrate.ts'
import { hasEnded, type Input, type JournalCause, type Stall } from './model.ts'
import { operate } from './operator.ts'
import { nothing, outcomeOf, type Ended, type Outcome } from './outcome.ts'
import { attempted, decideCalls, diedOut, settleLate, stallGone } from './result.ts'
import { startAgain, startNew } from './start.ts'
import { deadBy, expireWaiting, FULL, isFull, look, retryWaiting, type Decided } from './waiting.ts'

export type { Outcome } from './outcome.ts'

type Of<K extends Input['kind']> = Extract<Input, { readonly kind: K }>
type ToInstance = Exclude<Input, Of<'start'>>

const noted: Ended = { fate: 'noted' }

/** What has happened since: rows were written, or none. */
const notedOr = (draft: Draft, rows: number): Ended => (draft.journal.length > rows ? { fate: 'applied' } : noted)

/** A handler threw on a message: the message is a dead letter and the instance goes on; or, by `need`, the instance stalls. */
function message(draft: Draft, input: Of<'message' | 'cancel'>): Ended {
  const waits = (ended: Ended): Ended => {
    if (ended.waitsFor === 'build') return { fate: 'build' }
    return ended.fate === 'deferred' && input.kind === 'message' && isFull(draft.waiting, input) ? FULL : ended
  }
  return draft.attempt(
    () => waits(look(draft, input)),
    (error) => {
      const dead = { fate: 'dead', ...deadBy(draft, error) } as const
      if (!stalls(error)) return dead
      const ended = waits({ fate: 'deferred', waitsFor: 'stalled' })
      if (ended.fate === 'deferred') draft.stall({ code: error.code, message: dead.message })
      return ended
    },
  )
}

/** A handler threw on something that is no message: the instance stalls, and that cause is kept. */
const stalling = (draft: Draft, kept: Pick<Stall, 'cause' | 'arrivals'>, work: () => Ended): Ended =>
  draft.attempt(work, (error) => {
    draft.stall({ code: error.code, message: draft.placed(error), ...kept })
    return noted
  })

/** Nobody waits for it any more: journalled, unless it says nothing. */
function late(draft: Draft, input: Of<'result'>): Ended {
  const { kind } = input.outcome
  if (kind === 'done' || kind === 'failure')
    draft.record(causeOf(draft, input, 'result', input.call), { outcome: 'late' })
  return { fate: 'late' }
}

function result(draft: Draft, input: Of<'result'>): Ended {
  const { next } = draft
  if (hasEnded(next.status)) return late(draft, input)
  return stalling(draft, { cause: input }, () => {
    const rows = draft.journal.length
    const booked = attempted(draft, input)
    if (booked === 'late') return late(draft, input)
    if (typeof booked === 'object') draft.stall(booked)
    if (booked !== 'settled') return noted
    if (draft.next.status === 'stalled') {
      // A success that came after all: nobody needs to decide any more. What else stalled the instance still does.
      const others = Object.values(draft.next.calls ?? {}).some(diedOut)
      const { stalled } = draft.next
      if (input.outcome.kind !== 'done' || others || !isOfCall(stalled)) return noted
      draft.unstall()
    }
    decideCalls(draft, causeOf(draft, input, 'result', input.call))
    return notedOr(draft, rows)
  })
}

/** Whether it stalls on how a call ended, and on nothing else. */
const CALL_CODES = ['RETRIES_EXHAUSTED', 'WITHIN_ELAPSED', 'NO_EDGE_FOR_FAILURE', 'WORKER_DIED', 'ACTIVITY_GONE']
const isOfCall = (stalled: Stall | null): boolean =>
  stalled !== null && stalled.cause === undefined && CALL_CODES.includes(stalled.code)

/** Deadlines of calls. Due timers are fired by what follows every input. */
function wake(draft: Draft, input: Of<'timer'>): Ended {
  const { now } = draft.context
  const { status, incarnation, entry, correlation } = draft.next
  const overdue = openCalls(draft.next).filter(([, { deadlineAt = Infinity }]) => deadlineAt <= now)
  if (status !== 'live' || overdue.length === 0) return noted
  return stalling(draft, { cause: input }, () => {
    for (const [name, call] of overdue) settleLate(draft, name, call)
    const at = Math.min(...overdue.map(([, { deadlineAt = now }]) => deadlineAt))
    decideCalls(draft, { kind: 'timer', name: 'within', id: `${incarnation}-${entry}-within`, at, correlation })
    return noted
  })
}

/** Takes what children have come to while the instance stood still. */
function arrivedMeanwhile(draft: Draft, cause: JournalCause, stalled: Stall | null): void {
  const { entry } = draft.next
  for (const { machine, id } of stalled?.arrivals ?? [])
    if (draft.next.status === 'live' && draft.next.entry === entry) childArrived(draft, machine, id, cause)
}

function notice(draft: Draft, input: Of<'notice'>): Ended {
  const { child, problem, parent } = input
  const { status, incarnation, stalled } = draft.next
  if (hasEnded(status)) return { fate: 'late' }
  if (problem !== undefined) {
    if (parent !== incarnation) return { fate: 'late' }
    draft.children = withChild(draft.children, { ...child, seq: UNSTARTED })
    draft.stall(problem)
    return noted
  }
  const { machine, id } = child
  const moved = noteChild(draft, child)
  if (moved === undefined) return noted
  const others = (stalled?.arrivals ?? []).filter((other) => other.id !== id || other.machine !== machine)
  const arrivals = moved ? [...others, { machine, id }] : others
  if (status === 'stalled') {
    if (moved && stalled !== null) draft.stall({ ...stalled, arrivals })
    return noted
  }
  const rows = draft.journal.length
  return stalling(draft, { arrivals }, () => {
    const cause = causeOf(draft, input, 'child', `${machine}/${id}`)
    if (moved) childArrived(draft, machine, id, cause)
    follow(draft, cause)
    return notedOr(draft, rows)
  })
}

/** Goes on where it stood still: with what it stalled on, with calls that were settled meanwhile, with children that came. */
function goOn(draft: Draft, stalled: Stall | null | undefined, cause: JournalCause): void {
  if (stalled?.cause !== undefined) runOne(draft, stalled.cause)
  if (draft.next.status !== 'live') return
  stalling(draft, { ...(stalled?.arrivals !== undefined && { arrivals: stalled.arrivals }) }, () => {
    decideCalls(draft, cause)
    arrivedMeanwhile(draft, cause, stalled ?? null)
    follow(draft, cause)
    return noted
  })
}

function operator(draft: Draft, input: Of<'operator'>): Ended {
  const operated = operate(draft, input)
  if (operated.kind === 'bad') return { fate: 'bad', code: operated.code, message: operated.message }
  if (operated.kind === 'refused') return { fate: 'refused', why: operated.why }
  if (operated.again !== undefined) goOn(draft, operated.again, causeOf(draft, input, 'operator', input.action.do))
  return { fate: 'applied' }
}

function one(draft: Draft, input: Input): Ended {
  switch (input.kind) {
    case 'message':
    case 'cancel':
      return message(draft, input)
    case 'result':
      return result(draft, input)
    case 'timer':
      return wake(draft, input)
    case 'notice':
      return notice(draft, input)
    case 'operator':
      return operator(draft, input)
    case 'start':
      return { fate: 'exists' }
  }
}

function runOne(draft: Draft, input: Input): Ended {
  const { journal, children } = draft
  draft.steps = 0
  const ended = one(draft, input)
  // What only waits is not consumed yet.
  if (draft.journal !== journal || draft.children !== children)
    draft.next.stamp = Math.max(draft.next.stamp, input.stamp)
  return ended
}

/** It cannot be made into what this build knows: it stalls, and what comes is noted, so that nothing is lost. */
function unknowable(draft: Draft, input: ToInstance, why: Stall): Ended {
  draft.stall(why)
  if (input.kind === 'result') return attempted(draft, input) === 'late' ? late(draft, input) : noted
  if (input.kind === 'notice') return notice(draft, input)
  if (input.kind === 'operator') return { fate: 'bad', code: why.code, message: why.message }
  if (input.kind === 'timer') return noted
  return input.kind === 'message' && isFull(draft.waiting, input) ? FULL : { fate: 'deferred', waitsFor: 'stalled' }
}

/** Runs one input on an instance that is there, after it was brought to the present version. */
function run(draft: Draft, input: ToInstance): Ended {
  const { version, status, entry } = draft.next
  if (version === draft.definition.version || hasEnded(status)) return runOne(draft, input)
  const cause = causeOf(draft, input, 'migrate', '')
  const why = migrate(draft, cause)
  if (why !== undefined) return unknowable(draft, input, why)
  const { stalled } = draft.next
  // What it stalled on is gone with the old state, or it was the migration itself. An operator's retry does the rest itself.
  const retries = input.kind === 'operator' && input.action.do === 'retry'
  if (!retries && (draft.next.entry !== entry || stalledByMigration(stalled))) draft.unstall()
  if (draft.next.status === 'live') goOn(draft, stalled, cause)
  return runOne(draft, input)
}

/** Dispatches an input to an instance that is there, then to what had waited for a change. */
function dispatchTo(draft: Draft, input: ToInstance): Outcome {
  const { base } = draft
  const decided: Decided[] = []
  let ended = run(draft, input)
  stallGone(draft)
  let own = draft.journal.length
  const { seq, status, calls } = draft.next
  if (seq !== base.seq || status !== base.status || calls !== base.calls || input.kind === 'timer')
    retryWaiting(draft, decided)
  // A timer that was due, or what had waited, has led to where it is taken perhaps: among those that wait nothing would try it again.
  for (let before = seq; ended.fate === 'deferred' && draft.next.seq !== before; retryWaiting(draft, decided)) {
    before = draft.next.seq
    ended = runOne(draft, input)
    own = draft.journal.length
  }
  if (input.kind === 'timer') expireWaiting(draft, decided)
  return outcomeOf(draft, ended, own, decided, false)
}

/** What an input does to the instance `id` of a machine. `context.create` must be there where there is no instance, or a restart is asked for. */
export function dispatch(
  definition: MachineDefinition,
  id: string,
  before: Before,
  input: Input,
  context: Context,
): Outcome {
  const { instance } = before
  if (instance === null) {
    if (input.kind === 'message' || input.kind === 'start') return startNew({ definition, id, before, context }, input)
    return nothing(before, { fate: input.kind === 'cancel' || input.kind === 'operator' ? 'unknown' : 'late' })
  }
  if (instance.version > definition.version) return nothing(before, { fate: 'build' })
  if (input.kind === 'start') return startAgain({ definition, id, before, context }, instance, input)
  return dispatchTo(new Draft(definition, instance, before, context), input)
}
