// What follows a transition without a new cause: `always`, children that are where they should be, a join that is complete,
// a call without anything to wait for.
import type { FollowDefinition, Given, GivenChild, StateDefinition } from '../machine/definition.ts'
import { Draft, LIMITS } from './draft.ts'
import { choose, isNothing, take } from './edge.ts'
import { ask, HandlerFailure } from './failure.ts'
import { freezeOwnJson } from '../base/json.ts'
import { childKey, isOver, standingsOf, withChild } from './family.ts'
import { givenOf, idsOf, member, members } from './given.ts'
import type { ChildRecord, JournalCause } from './model.ts'

/** Counts a transition that has no cause of its own; a machine that runs in a circle stalls. */
export function countStep(draft: Draft): void {
  draft.steps += 1
  if (draft.steps > LIMITS.steps)
    throw new HandlerFailure(
      `more than ${LIMITS.steps} transitions in a row without a message or a result: the machine runs in a circle`,
      'TOO_MANY_STEPS',
    )
}

/** Takes `always`, `done` of what is complete, and edges of children that are there already, until nothing holds any more. */
export function follow(draft: Draft, cause: JournalCause): void {
  while (draft.next.status === 'live' && once(draft, cause));
}

/** One of them, the first that holds. */
function once(draft: Draft, cause: JournalCause): boolean {
  const state = draft.at
  if (state === undefined) return false
  const chosen = state.always.length === 0 ? undefined : choose(state.always, givenOf(draft, cause))
  if (chosen !== undefined && !isNothing(chosen)) {
    countStep(draft)
    take(draft, chosen, { cause: { ...cause, kind: 'always', name: 'always' } })
    return true
  }
  if (draft.followed !== draft.next.entry) {
    draft.followed = draft.next.entry
    if (arrived(draft, state, cause)) return true
  }
  if (state.join.size > 0 && draft.next.joined?.length === state.join.size) return done(draft, state, cause)
  return state.until.length > 0 && allHold(draft, state, cause) && done(draft, state, cause)
}

/** The state is new: children that are there already count as arriving; of a call of nothing nothing is waited for. */
function arrived(draft: Draft, state: StateDefinition, cause: JournalCause): boolean {
  const { seq, entry } = draft.next
  for (const of of state.until) {
    if (of.any.size === 0) continue
    for (const child of members(draft, of.kind, givenOf(draft, cause))) {
      arrive(draft, of, child, cause)
      if (draft.next.entry !== entry || draft.next.status !== 'live') return true
    }
  }
  if (state.call !== undefined && draft.next.calls === null)
    done(draft, state, cause, { results: state.call.shape === 'list' ? [] : {} })
  return draft.next.seq !== seq
}

/** Takes `done`. Where that stays in the state, a join waits for all of its messages again. */
function done(draft: Draft, state: StateDefinition, cause: JournalCause, extra?: Partial<Given>): boolean {
  const chosen = state.done === undefined ? undefined : choose(state.done, givenOf(draft, cause, extra))
  if (chosen === undefined) return false
  // `all` is a level: a step that stays is taken when it comes to hold, not as long as it holds.
  if (chosen.to === undefined && state.until.length > 0) {
    if (draft.held === draft.next.entry || heldBefore(draft, state, cause)) return false
    draft.held = draft.next.entry
  }
  countStep(draft)
  draft.next.joined = null
  take(draft, chosen, { cause: { ...cause, kind: 'always', name: 'done' }, ...(extra !== undefined && { extra }) })
  return true
}

function heldBefore(
  { definition, base, before, context, next }: Draft,
  state: StateDefinition,
  cause: JournalCause,
): boolean {
  const same = base.entry === next.entry && base.status === 'live'
  return same && allHold(new Draft(definition, base, before, context), state, cause)
}

/** Takes the edge of a child's present state. */
function arrive(draft: Draft, of: FollowDefinition, child: GivenChild, cause: JournalCause): void {
  const edge = of.any.get(child.state)
  const extra = { child }
  const chosen = edge === undefined ? undefined : choose(edge, givenOf(draft, cause, extra))
  if (chosen === undefined || isNothing(chosen)) return
  countStep(draft)
  take(draft, chosen, { cause: { ...cause, kind: 'child', name: `${of.kind}/${child.state}` }, extra })
}

/** A child whose end nobody has named would be waited for for ever. */
function refuseUnnamedEnd({ kind, all, any }: FollowDefinition, { id, state, status }: GivenChild): void {
  if (!isOver({ status }) || all.has(state) || any.has(state)) return
  throw new HandlerFailure(
    `the child "${id}" (${kind}) ended ${status} in "${state}", which is named neither in \`all\` nor in \`any\``,
    'CHILD_ENDED',
  )
}

/** Whether every kind that says `all` is there. By counts: children are looked at one by one only where there is an `if`, or to name one. */
function allHold(draft: Draft, state: StateDefinition, cause: JournalCause): boolean {
  let holds = state.until.some((of) => of.all.size > 0)
  const given = givenOf(draft, cause)
  for (const of of state.until) {
    const kind = draft.definition.children.get(of.kind)
    if (kind === undefined) continue
    for (const [name, { over }] of standingsOf(draft.children, kind, idsOf(draft, of.kind, given))) {
      const named = of.all.has(name) || of.any.has(name)
      if (over > 0 && !named) for (const child of members(draft, of.kind, given)) refuseUnnamedEnd(of, child)
      if (of.all.size > 0 && !of.all.has(name)) holds = false
    }
  }
  return holds && state.until.every((of) => eachHolds(draft, of, given, cause))
}

function eachHolds(
  draft: Draft,
  { kind, all, if: holds }: FollowDefinition,
  given: Given,
  cause: JournalCause,
): boolean {
  if (holds === undefined || all.size === 0) return true
  return members(draft, kind, given).every((child) => ask('until.if', holds, givenOf(draft, cause, { child })))
}

/** A child has told where it is. True: it has come to another state than was known; undefined: that is no news. */
export function noteChild(draft: Draft, told: ChildRecord): boolean | undefined {
  const known = draft.children.get(childKey(told.machine, told.id))
  if (known === undefined) return undefined
  // One that was erased and started anew counts from 1 again; to stall is no row, and so the number stays.
  const stalled = told.seq === known.seq && told.status === 'stalled' && known.status !== 'stalled'
  if (!(told.seq > known.seq || told.incarnation > known.incarnation || stalled)) return undefined
  const child = freezeOwnJson(told, 'a child')
  draft.children = withChild(draft.children, child)
  return known.state !== child.state
}

/** Takes the edges of the states that follow this child, which has come to another state than before. */
export function childArrived(draft: Draft, machine: string, id: string, cause: JournalCause): void {
  const { entry } = draft.next
  for (const of of draft.at?.until ?? []) {
    if (of.any.size === 0 || draft.definition.children.get(of.kind)?.of.name !== machine) continue
    const child = member(draft, of.kind, id, givenOf(draft, cause))
    if (child !== undefined) arrive(draft, of, child, cause)
    if (draft.next.entry !== entry || draft.next.status !== 'live') return
  }
}
