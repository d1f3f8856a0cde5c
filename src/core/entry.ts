// Leaving and entering a state: timers, calls, children, what is emitted on entry.
import { errorText } from '../base/errors.ts'
import { callKey, checkId, customKey } from '../base/id.ts'
import type { Given, GroupDefinition, StateDefinition, TimerDefinition } from '../machine/definition.ts'
import { childKey, givenOf, groupTimer, openCalls, wanted, type Collected, type Draft } from './draft.ts'
import { emitted } from './emit.ts'
import { ask, check, fitted, frozen, HandlerFailure } from './failure.ts'
import type { CallRecord, ChildRecord, JournalCause, Spawn, TimerRecord } from './model.ts'

/** Ends what belongs to the present state. Answers the calls that are given up: superseded before they started, or interrupted. */
export function leave(draft: Draft): readonly string[] {
  const dropped = openCalls(draft).map(([name]) => name)
  draft.calls = null
  draft.joined = null
  return dropped
}

function timersOf(
  after: readonly TimerDefinition[],
  given: Given,
  seq: number,
  nameOf: (name: string) => string,
  into: Record<string, TimerRecord>,
): void {
  for (const timer of after) {
    const due = ask(`timer "${timer.name}"`, timer.due, given)
    if (due === null) continue
    if (!Number.isFinite(due))
      throw new HandlerFailure('HANDLER_FAILED', `timer "${timer.name}": is due at no time (${due})`)
    into[nameOf(timer.name)] = { due: Math.ceil(due), entry: seq }
  }
}

/** A group's timers run from entering the group to leaving it. */
function groupTimers(
  draft: Draft,
  group: GroupDefinition,
  from: string | null,
  seq: number,
  given: Given,
  into: Record<string, TimerRecord>,
): void {
  if (from === null || !group.states.has(from)) {
    timersOf(group.after, given, seq, (name) => groupTimer(group.name, name), into)
    return
  }
  const prefix = groupTimer(group.name, '')
  for (const [name, timer] of Object.entries(draft.timers ?? {})) if (name.startsWith(prefix)) into[name] = timer
}

function enteredTimers(
  draft: Draft,
  state: StateDefinition,
  from: string | null,
  seq: number,
  given: Given,
): Draft['timers'] {
  if (state.after.length === 0 && state.groups.length === 0) return null
  const timers: Record<string, TimerRecord> = {}
  timersOf(state.after, given, seq, (name) => name, timers)
  for (const group of state.groups) groupTimers(draft, group, from, seq, given, timers)
  return Object.keys(timers).length === 0 ? null : timers
}

/** Opens what the state calls. */
export function plannedCalls(draft: Draft, state: StateDefinition, seq: number, given: Given): Draft['calls'] {
  const { call } = state
  if (call === undefined) return null
  const plan = ask('input', call.plan, given)
  if (plan.length === 0) return null
  const custom = call.key === undefined ? undefined : ask('key', call.key, given)
  if (custom !== undefined && typeof custom !== 'string')
    throw new HandlerFailure('HANDLER_FAILED', 'key: returned no string')
  const { now, session } = draft.context
  const calls: Record<string, CallRecord> = {}
  const fresh = new Set(draft.fresh)
  for (const { name, activity, input, withinMs } of plan) {
    const key =
      custom === undefined ? callKey(draft.incarnation, seq, name) : customKey(draft.definition.name, custom, name)
    calls[name] = {
      activity: activity.name,
      key,
      input: fitted(activity.input, input, `input of ${activity.name}`),
      attempts: 0,
      unknown: false,
      openedAt: now,
      recoveries: 0,
      runner: session,
      ...(withinMs !== undefined && { deadlineAt: now + withinMs }),
    }
    fresh.add(key)
  }
  draft.fresh = fresh
  return calls
}

const isOver = (child: ChildRecord): boolean =>
  child.status === 'done' || child.status === 'failed' || child.status === 'cancelled'

function childId(kind: string, id: unknown): string {
  try {
    return checkId(id, `the id of a child (${kind})`)
  } catch (error) {
    throw new HandlerFailure('HANDLER_FAILED', errorText(error))
  }
}

/** Starts the children that are missing; those that have ended get a new life where their kind says `restart`. */
export function spawnMissing(draft: Draft, state: StateDefinition, given: Given): readonly Spawn[] {
  const spawned: Spawn[] = []
  const children = new Map(draft.children)
  for (const follow of state.until) {
    const kind = draft.definition.children.get(follow.kind)
    if (kind === undefined || !follow.spawn) continue
    for (const { id: named, data } of wanted(draft, follow.kind, given)) {
      const id = childId(follow.kind, named)
      const have = children.get(childKey(kind.of.name, id))
      if (have !== undefined && !(kind.restart && isOver(have))) continue
      const checked = check(kind.of.schema, kind.of.dataOf(data), `children.${follow.kind}, "${id}": its data`)
      if ('problem' in checked) throw new HandlerFailure('HANDLER_FAILED', checked.problem)
      spawned.push({
        kind: follow.kind,
        machine: kind.of.name,
        id,
        data: frozen(`children.${follow.kind}`, data),
        restart: have !== undefined,
      })
      children.set(childKey(kind.of.name, id), {
        machine: kind.of.name,
        id,
        incarnation: have?.incarnation ?? '',
        seq: have?.seq ?? 0,
        state: kind.of.initial,
        status: 'running',
        data: checked.value,
      })
    }
  }
  if (spawned.length > 0) draft.children = children
  return spawned
}

/** Enters a state as row `seq`: the data are those after `set`. What it lets happen is added to `collected`. */
export function enter(
  draft: Draft,
  to: string,
  from: string | null,
  seq: number,
  cause: JournalCause,
  collected: Collected,
): void {
  const state = draft.definition.states.get(to)
  if (state === undefined) throw new HandlerFailure('HANDLER_FAILED', `goes to "${to}", which does not exist`)
  draft.state = to
  draft.entry = seq
  draft.enteredAt = draft.context.now
  if (state.final !== undefined) {
    if (state.emit.length > 0) collected.emitted = [...collected.emitted, ...emitted(state.emit, givenOf(draft, cause))]
    draft.status = typeof state.final === 'function' ? state.final(draft.data) : state.final
    draft.endedAt = draft.context.now
    draft.timers = null
    return
  }
  const given = givenOf(draft, cause)
  draft.timers = enteredTimers(draft, state, from, seq, given)
  if (state.until.length > 0) collected.spawned = spawnMissing(draft, state, given)
  draft.calls = plannedCalls(draft, state, seq, given)
  if (draft.calls !== null) collected.opened = Object.keys(draft.calls)
  if (state.emit.length > 0) collected.emitted = [...collected.emitted, ...emitted(state.emit, givenOf(draft, cause))]
}
