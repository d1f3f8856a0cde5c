// Edges: which step is taken, what it changes, what it emits.
import type { EdgeDefinition, Given, StepDefinition } from '../machine/definition.ts'
import type { Draft } from './draft.ts'
import { emitted } from './emit.ts'
import { enter, leave } from './entry.ts'
import { ask, HandlerFailure } from './failure.ts'
import { givenOf } from './given.ts'
import type { JournalCause, JournalEntry } from './model.ts'

/** The first step whose `if` holds. */
export function choose(edge: EdgeDefinition, given: Given): StepDefinition | undefined {
  for (const step of edge) if (step.if === undefined || ask('if', step.if, given)) return step
  return undefined
}

/** `{}`: seen, and there is nothing to do. */
export const isNothing = (step: StepDefinition): boolean =>
  step.to === undefined && step.set === undefined && step.emit.length === 0

/** What a patch changes, for the journal. */
export type Changed = Pick<JournalEntry, 'change' | 'removed'>
const none: readonly never[] = []
const unchanged: Changed = { change: null, removed: none }

/** Changes the data by a patch: a field that is undefined there goes. */
export function patch(draft: Draft, changes: unknown, place: string): Changed {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes))
    throw new HandlerFailure(`${place}: returned no object of changed fields`)
  // Through `ask`: to read a field may run a getter.
  const change = ask(place, copied, changes)
  const next: Record<string, unknown> = { ...draft.next.data, ...change }
  const removed: string[] = []
  for (const field in change) {
    if (change[field] !== undefined) continue
    removed.push(field)
    delete next[field]
  }
  const data = draft.setData(next, place)
  // What the schema made of the fields is what is kept, so the journal tells that. They are there, so `__proto__` is set as a field too.
  for (const field in change)
    if (Object.hasOwn(data, field)) change[field] = data[field]
    else delete change[field]
  return { change, removed }
}
const copied = (fields: object): Record<string, unknown> => ({ ...fields })

/** Why a transition happens, what its edge is given, and what its row tells besides. */
export interface Taking {
  readonly cause: JournalCause
  readonly extra?: Partial<Given>
  readonly row?: Partial<JournalEntry>
  /** What its `if` was given, where that is made already. */
  readonly given?: Given
}

/** Takes a step: changes the data, emits, and leaves and enters where it goes somewhere. One row of the journal. */
export function take(draft: Draft, step: StepDefinition, taking: Taking): void {
  const { cause, extra, row } = taking
  const from = draft.next.state
  const { set, to } = step
  const { change, removed } =
    set === undefined ? unchanged : patch(draft, ask('set', set, taking.given ?? givenOf(draft, cause, extra)), 'set')
  const told = step.emit.length === 0 ? none : emitted(step.emit, () => givenOf(draft, cause, extra))
  if (to === undefined) {
    draft.record(cause, { ...row, change, removed, emitted: told })
    return
  }
  const dropped = leave(draft)
  const { emitted: more, spawned, opened } = enter(draft, to, from, cause)
  const all = told.length === 0 ? more : [...told, ...more]
  const taken = { from, to, change, removed, emitted: all, spawned, opened, dropped }
  draft.record(cause, row === undefined ? taken : { ...row, ...taken })
}

/** Whether a step would leave the state. */
export const leaves = (step: StepDefinition): boolean => step.to !== undefined
