// What follows a transition without a new cause: `always`, children that are where they should be, a join that is complete,
// a call without anything to wait for.
import type { FollowDefinition, GivenChild, StateDefinition } from '../machine/definition.ts'
import { childKey, givenOf, LIMITS, members, type Draft } from './draft.ts'
import { choose, isNothing, take } from './edge.ts'
import { ask, HandlerFailure } from './failure.ts'
import type { ChildRecord, JournalCause, Stall } from './model.ts'

/** Thrown where the instance must wait for an operator, whatever its cause was. */
export class MustStall extends HandlerFailure {
  readonly stall: Stall
  constructor(stall: Stall) {
    super(stall.code, stall.message)
    this.stall = stall
  }
}

/** Counts a transition that has no cause of its own; a machine that runs in a circle stalls. */
function step(draft: Draft): void {
  draft.steps += 1
  if (draft.steps > LIMITS.steps)
    throw new MustStall({
      code: 'TOO_MANY_STEPS',
      message: `more than ${LIMITS.steps} transitions in a row without a message, a result or a timer: the machine runs in a circle through "${draft.state}"`,
    })
}

/** Takes `always`, `done` of what is complete, and edges of children that are there already, until nothing holds any more. */
export function follow(draft: Draft, cause: JournalCause): void {
  draft.steps = 0
  for (let entry = -1; draft.status === 'live';) {
    const entered = entry !== draft.entry
    entry = draft.entry
    if (!once(draft, cause, entered)) return
  }
}

/** One of them, the first that holds. `entered`: the state is new, so children that are there already count as arriving. */
function once(draft: Draft, cause: JournalCause, entered: boolean): boolean {
  const state = draft.at
  if (state === undefined) return false
  const chosen = state.always.length === 0 ? undefined : choose(state.always, givenOf(draft, cause))
  if (chosen !== undefined && !isNothing(chosen)) {
    step(draft)
    take(draft, chosen, { cause: { ...cause, kind: 'always', name: 'always' } })
    return true
  }
  if (state.until.length > 0) return untilHolds(draft, state, cause, entered)
  if (state.call !== undefined && draft.calls === null && draft.entry === draft.seq)
    return done(draft, state, cause, emptyAnswer(state))
  if (state.join.size > 0 && (draft.joined?.length ?? 0) === state.join.size) {
    draft.joined = null // complete: where `done` stays in the state, all are waited for again
    return done(draft, state, cause, undefined)
  }
  return false
}

const emptyAnswer = (state: StateDefinition): { results: unknown } => ({
  results: state.call?.shape === 'list' ? [] : {},
})

/** True where it left the state: an `all` that still holds after a step that stays must not be taken again and again. */
function done(
  draft: Draft,
  state: StateDefinition,
  cause: JournalCause,
  extra: { results: unknown } | undefined,
): boolean {
  const chosen = state.done === undefined ? undefined : choose(state.done, givenOf(draft, cause, extra))
  if (chosen === undefined) return false
  step(draft)
  take(draft, chosen, { cause: { ...cause, kind: 'always', name: 'done' }, ...(extra !== undefined && { extra }) })
  return chosen.to !== undefined
}

const ended = (child: GivenChild): boolean =>
  child.status === 'done' || child.status === 'failed' || child.status === 'cancelled'

/** A child whose end nobody has named would be waited for for ever. */
function refuseUnnamedEnd(of: FollowDefinition, child: GivenChild): void {
  if (ended(child) && !of.all.has(child.state) && !of.any.has(child.state)) {
    throw new MustStall({
      code: 'CHILD_ENDED',
      message: `the child "${child.id}" (${of.kind}) ended ${child.status} in "${child.state}", which is named neither in \`all\` nor in \`any\``,
    })
  }
}

/** Takes the edge of a child's present state. True: a transition happened. */
function arrive(draft: Draft, of: FollowDefinition, child: GivenChild, cause: JournalCause): boolean {
  const edge = of.any.get(child.state)
  if (edge === undefined) return false
  const extra = { child }
  const chosen = choose(edge, givenOf(draft, cause, extra))
  if (chosen === undefined || isNothing(chosen)) return false
  step(draft)
  take(draft, chosen, { cause: { ...cause, kind: 'child', name: `${of.kind}/${child.state}` }, extra })
  return true
}

function untilHolds(draft: Draft, state: StateDefinition, cause: JournalCause, entered: boolean): boolean {
  const { entry } = draft
  let moved = false
  for (const of of state.until) {
    for (const child of members(draft, of.kind, givenOf(draft, cause))) {
      refuseUnnamedEnd(of, child)
      if (entered && arrive(draft, of, child, cause)) moved = true
      if (draft.entry !== entry || draft.status !== 'live') return true
    }
  }
  return allHold(draft, state, cause) || moved
}

/** `done` where every kind that says `all` is there. */
function allHold(draft: Draft, state: StateDefinition, cause: JournalCause): boolean {
  const waited = state.until.filter((of) => of.all.size > 0)
  if (waited.length === 0) return false
  for (const of of waited) {
    for (const child of members(draft, of.kind, givenOf(draft, cause))) {
      if (!of.all.has(child.state)) return false
      if (of.if !== undefined && !ask('until.if', of.if, givenOf(draft, cause, { child }))) return false
    }
  }
  return done(draft, state, cause, undefined)
}

/** A child has told where it is. True: its row is newer than what was known. */
export function noteChild(draft: Draft, child: ChildRecord): boolean {
  const key = childKey(child.machine, child.id)
  const known = draft.children.get(key)
  if (known === undefined || known.seq >= child.seq) return false
  draft.children = new Map(draft.children).set(key, child)
  return true
}

/** Edges of the states that follow this child, when it has come to another state than before. */
export function childArrived(draft: Draft, machine: string, id: string, cause: JournalCause): void {
  const state = draft.at
  const { entry } = draft
  draft.steps = 0
  for (const of of state?.until ?? []) {
    if (draft.definition.children.get(of.kind)?.of.name !== machine) continue
    const child = members(draft, of.kind, givenOf(draft, cause)).find((member) => member.id === id)
    if (child === undefined) continue
    refuseUnnamedEnd(of, child)
    arrive(draft, of, child, cause)
    if (draft.entry !== entry || draft.status !== 'live') return
  }
}
