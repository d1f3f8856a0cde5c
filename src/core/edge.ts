// Edges: which step is taken, what it changes, what it emits.
import type { EdgeDefinition, Given, StepDefinition } from '../machine/definition.ts'
import { givenOf, openCalls, type Collected, type Draft } from './draft.ts'
import { emitted } from './emit.ts'
import { enter, leave } from './entry.ts'
import { ask, fitted, frozen, HandlerFailure } from './failure.ts'
import type { JournalCause, JournalEntry } from './model.ts'

/** The first step whose `if` holds. */
export function choose(edge: EdgeDefinition, given: Given): StepDefinition | undefined {
  for (const step of edge) if (step.if === undefined || ask('if', step.if, given)) return step
  return undefined
}

/** `{}`: seen, and there is nothing to do. */
export const isNothing = (step: StepDefinition): boolean =>
  step.to === undefined && step.set === undefined && step.emit.length === 0

interface Changed {
  readonly data: Draft['data']
  readonly change: JournalEntry['change']
  readonly removed: readonly string[]
}
const none: readonly never[] = []
const unchanged = (draft: Draft): Changed => ({ data: draft.data, change: null, removed: none })

/** The data after a patch: a field that is undefined there goes. */
export function patched(draft: Draft, patch: unknown, place: string): Changed {
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
    throw new HandlerFailure('HANDLER_FAILED', `${place}: returned no object of changed fields`)
  const kept: Record<string, unknown> = {}
  const removed: string[] = []
  for (const [field, value] of Object.entries(patch)) {
    if (value === undefined) removed.push(field)
    else Object.defineProperty(kept, field, { value, enumerable: true, configurable: true, writable: true })
  }
  const change = frozen(place, kept)
  const next: Record<string, unknown> = { ...draft.data, ...change }
  for (const field of removed) delete next[field]
  const data = fitted(draft.definition.schema, next, `${place}: the data`) as Draft['data']
  // What the schema made of the fields is what is kept, so the journal tells that.
  const told: Record<string, unknown> = {}
  for (const field of Object.keys(change))
    if (Object.hasOwn(data, field))
      Object.defineProperty(told, field, { value: data[field], enumerable: true, configurable: true })
  return { data, change: Object.freeze(told), removed }
}

/** Why a transition happens, and what its edge is given. */
export interface Taking {
  readonly cause: JournalCause
  readonly unit?: boolean
  readonly extra?: Partial<Given>
  readonly by?: string
  readonly why?: string
  readonly cancelled?: JournalEntry['cancelled']
}

/** Takes a step: changes the data, emits, and leaves and enters where it goes somewhere. One row of the journal. */
export function take(draft: Draft, step: StepDefinition, taking: Taking): void {
  const { cause, extra } = taking
  const from = draft.state
  const changed =
    step.set === undefined
      ? unchanged(draft)
      : patched(draft, ask('set', step.set, givenOf(draft, cause, extra)), 'set')
  draft.data = changed.data
  const collected: Collected = {
    emitted: step.emit.length === 0 ? none : emitted(step.emit, givenOf(draft, cause, extra)),
    spawned: none,
    opened: none,
    dropped: none,
  }
  if (step.to === undefined) {
    row(draft, taking, from, from, changed, collected)
    return
  }
  const seq = draft.seq + 1
  collected.dropped = leave(draft)
  enter(draft, step.to, from, seq, cause, collected)
  row(draft, taking, from, step.to, changed, collected)
}

/** Writes the row of a transition. */
export function row(
  draft: Draft,
  taking: Taking,
  from: string | null,
  to: string,
  changed: Omit<Changed, 'data'>,
  collected: Collected,
): void {
  draft.record({
    cause: taking.cause,
    outcome: 'applied',
    unit: taking.unit ?? false,
    from,
    to,
    change: changed.change,
    removed: changed.removed,
    ...collected,
    cancelled: taking.cancelled ?? none,
    ...(taking.by !== undefined && { by: taking.by }),
    ...(taking.why !== undefined && { why: taking.why }),
  })
}

/** Whether a step would leave the state. */
export const leaves = (step: StepDefinition): boolean => step.to !== undefined

/** Names of the calls that are open now. */
export const openNames = (draft: Draft): readonly string[] => openCalls(draft).map(([name]) => name)
