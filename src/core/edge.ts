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

/** An assignment to `__proto__` would set the prototype. */
const put = (into: Record<string, unknown>, field: string, value: unknown): void => {
  if (field === '__proto__')
    Object.defineProperty(into, field, { value, enumerable: true, configurable: true, writable: true })
  else into[field] = value
}

/** Changes the data by a patch: a field that is undefined there goes. */
export function patch(draft: Draft, changes: unknown, place: string): Changed {
  if (typeof changes !== 'object' || changes === null || Array.isArray(changes))
    throw new HandlerFailure(`${place}: returned no object of changed fields`)
  const kept: Record<string, unknown> = {}
  const removed: string[] = []
  // Through `ask`: to read a field may run a getter.
  for (const [field, value] of ask(place, Object.entries<unknown>, changes as Record<string, unknown>))
    if (value === undefined) removed.push(field)
    else put(kept, field, value)
  const next: Record<string, unknown> = { ...draft.next.data, ...kept }
  for (const field of removed) delete next[field]
  const data = draft.setData(next, place)
  // What the schema made of the fields is what is kept, so the journal tells that.
  const change: Record<string, unknown> = {}
  for (const field of Object.keys(kept)) if (Object.hasOwn(data, field)) put(change, field, data[field])
  return { change: Object.freeze(change), removed }
}

/** Why a transition happens, what its edge is given, and what its row tells besides. */
export interface Taking {
  readonly cause: JournalCause
  readonly extra?: Partial<Given>
  readonly row?: Partial<JournalEntry>
}

/** Takes a step: changes the data, emits, and leaves and enters where it goes somewhere. One row of the journal. */
export function take(draft: Draft, step: StepDefinition, { cause, extra, row }: Taking): void {
  const from = draft.next.state
  const { set, to } = step
  const changed = set === undefined ? unchanged : patch(draft, ask('set', set, givenOf(draft, cause, extra)), 'set')
  const told = emitted(step.emit, () => givenOf(draft, cause, extra))
  if (to === undefined) {
    draft.record(cause, { ...row, ...changed, emitted: told })
    return
  }
  const dropped = leave(draft)
  const entered = enter(draft, to, from, cause)
  const all = told.length === 0 ? entered.emitted : [...told, ...entered.emitted]
  draft.record(cause, { ...row, ...changed, ...entered, from, emitted: all, dropped })
}

/** Whether a step would leave the state. */
export const leaves = (step: StepDefinition): boolean => step.to !== undefined
