// Leaving and entering a state: timers, calls, children, what is emitted on entry.
import { callKey, customKey } from '../base/id.ts'
import type { Given, StateDefinition, TimerDefinition } from '../machine/definition.ts'
import { groupTimer, hasOpenCall, openCalls, type Draft } from './draft.ts'
import { emitted } from './emit.ts'
import { ask, check, fittedOut, frozen, HandlerFailure, LIST_MAX } from './failure.ts'
import { childKey, isOver } from './family.ts'
import { givenOf, wanted } from './given.ts'
import type { CallRecord, JournalCause, JournalEntry, Spawn, TimerRecord } from './model.ts'

/** Ends what belongs to the present state. Answers the calls that are given up: superseded before they started, or interrupted. */
export function leave(draft: Draft): readonly string[] {
  const dropped = hasOpenCall(draft.next) ? openCalls(draft.next).map(([name]) => name) : none
  draft.next.calls = null
  draft.next.joined = null
  return dropped
}

type Writable<T> = { -readonly [K in keyof T]: T[K] }
type Timers = Record<string, TimerRecord>

function startTimers(after: readonly TimerDefinition[], given: Given, seq: number, prefix: string, into: Timers): void {
  for (const timer of after) {
    const due = ask(`timer "${timer.name}"`, timer.due, given)
    if (due === null) continue
    if (!Number.isFinite(due)) throw new HandlerFailure(`timer "${timer.name}": is due at no time (${due})`)
    into[prefix + timer.name] = { due: Math.ceil(due), entry: seq }
  }
}

/** Timers of a group run from entering the group to leaving it. */
function timersOf(draft: Draft, state: StateDefinition, from: string | null, seq: number, given: Given): Timers | null {
  if (state.after.length === 0 && state.groups.length === 0) return null
  const timers: Timers = {}
  startTimers(state.after, given, seq, '', timers)
  for (const group of state.groups) {
    const prefix = groupTimer(group.name, '')
    if (from === null || !group.states.has(from)) startTimers(group.after, given, seq, prefix, timers)
    else
      for (const [name, timer] of Object.entries(draft.next.timers ?? {}))
        if (name.startsWith(prefix)) timers[name] = timer
  }
  return Object.keys(timers).length === 0 ? null : timers
}

/** Opens what the state calls. Nothing to call: null, and `done` follows. */
function callsOf(
  draft: Draft,
  { call }: StateDefinition,
  seq: number,
  given: Given,
): Record<string, CallRecord> | null {
  if (call === undefined) return null
  const plan = ask('input', call.plan, given)
  if (plan.length === 0) return null
  if (plan.length > LIST_MAX) throw new HandlerFailure(`input: ${plan.length} calls; at most ${LIST_MAX}`)
  const custom = call.key === undefined ? undefined : ask('key', call.key, given)
  if (custom !== undefined && typeof custom !== 'string') throw new HandlerFailure('key: returned no string')
  const { now, session } = draft.context
  const calls: Record<string, CallRecord> = {}
  for (const { name, activity, input, withinMs } of plan) {
    const record: Writable<CallRecord> = {
      activity: activity.name,
      key:
        custom === undefined
          ? callKey(draft.next.incarnation, seq, name)
          : customKey(draft.definition.name, custom, name),
      entry: seq,
      input: fittedOut(activity.input, input, `input of ${activity.name}`),
      attempts: 0,
      unknown: false,
      recoveries: 0,
      openedAt: now,
      runner: session,
    }
    if (withinMs !== undefined) record.deadlineAt = now + withinMs
    calls[name] = record
  }
  return calls
}

/** The `seq` of a child that could not be started: it is missing still. */
export const UNSTARTED = -1

/** Starts the children that are missing; those that have ended get a new life where their kind says `restart`. */
export function spawnMissing(draft: Draft, state: StateDefinition, given: Given): readonly Spawn[] {
  const spawned: Spawn[] = []
  const children = new Map(draft.children)
  for (const { kind, spawn } of state.until) {
    const child = draft.definition.children.get(kind)
    if (child === undefined || !spawn) continue
    const { restart, of } = child
    for (const [id, data] of wanted(draft, kind, given)) {
      const key = childKey(of.name, id)
      const have = children.get(key)
      if (have !== undefined && have.seq !== UNSTARTED && !(restart && isOver(have))) continue
      const checked = check(of.schema, of.dataOf(data), `children.${kind}, "${id}": its data`)
      if ('problem' in checked) throw new HandlerFailure(checked.problem)
      spawned.push({ kind, machine: of.name, id, data: frozen(`children.${kind}`, data), restart })
      const known = { incarnation: have?.incarnation ?? '', seq: Math.max(0, have?.seq ?? 0) }
      const begun = { state: of.initial, status: 'running', data: checked.value } as const
      children.set(key, { machine: of.name, id, ...known, ...begun })
    }
  }
  if (spawned.length > 0) draft.children = children
  return spawned
}

/** What entering a state lets happen. */
export type Entered = Pick<JournalEntry, 'to' | 'emitted' | 'spawned' | 'opened'>
const none: readonly never[] = []

/**
 * Enters a state by the row that comes next: the data are those after `set`. `keep`: calls of before that stay open instead of
 * the state's own.
 */
export function enter(draft: Draft, to: string, from: string | null, cause: JournalCause, keep?: CallRecords): Entered {
  const { next, context, definition } = draft
  const state = definition.states.get(to)
  if (state === undefined) throw new HandlerFailure(`goes to "${to}", which does not exist`)
  const seq = next.seq + 1
  next.state = to
  next.entry = seq
  next.enteredAt = context.now
  const given = givenOf(draft, cause)
  let spawned: readonly Spawn[] = none
  if (state.final === undefined) {
    next.timers = timersOf(draft, state, from, seq, given)
    if (state.until.length > 0) spawned = spawnMissing(draft, state, given)
    next.calls = keep ?? callsOf(draft, state, seq, given)
  } else {
    next.timers = null
    next.status = typeof state.final === 'function' ? state.final(next.data) : state.final
    next.endedAt = context.now
  }
  return {
    to,
    emitted: state.emit.length === 0 ? none : emitted(state.emit, () => givenOf(draft, cause)),
    spawned,
    opened: keep !== undefined || next.calls === null ? none : opened(draft, next.calls),
  }
}

/** Notes that these calls are new: nobody has started them. */
function opened(draft: Draft, calls: CallRecords): readonly string[] {
  const names = Object.keys(calls)
  draft.fresh = [...draft.fresh, ...names.map((name) => calls[name]!.key)]
  return names
}
type CallRecords = Readonly<Record<string, CallRecord>>
