// A draft: the working copy of one instance while one input is dispatched. Mutable inside the core, never seen outside;
// what it holds is replaced, not changed, so that `attempt` can go back by copies of fields: a handler that throws undoes
// the whole transition of its cause, and nothing before it.
import { checkId } from '../base/id.ts'
import { checkText } from '../base/size.ts'
import type { CallFailure, MachineDefinition, StateDefinition } from '../machine/definition.ts'
import { ask, fits, fitted, HandlerFailure } from './failure.ts'
import type { CallRecord, ChildRecord, Input, Instance, JournalCause, JournalEntry, Stall, Waiting } from './model.ts'

/** What a dispatch is told from outside. */
export interface Context {
  /** The store's clock, ms. */
  readonly now: number
  /** Retries nearer than this live in memory, not in `dueAt`. */
  readonly leaseMs: number
  /** The worker's session, noted in the calls that it may run. */
  readonly session: string
  /** For an instance that is created (or gets a new life). */
  readonly create: { readonly k: number; readonly partition: number; readonly incarnation: string } | null
}

/** An instance as it was, with what waits for it, its children, and the calls opened in this batch that nobody has started. */
export interface Before {
  readonly instance: Instance | null
  readonly waiting: readonly Waiting[]
  readonly children: ReadonlyMap<string, ChildRecord>
  readonly fresh: readonly string[]
}

/** Limits of one instance; the error names them. */
export const LIMITS = {
  steps: 100,
  waiting: 100,
  waitingBytes: 256 * 1024,
  /** How long a message that this build does not know waits before it is looked at again. */
  buildAgainMs: 60_000,
} as const

type Saved = Pick<Draft, 'next' | 'journal' | 'children' | 'fresh' | 'followed' | 'held' | 'steps'>
type Writable<T> = { -readonly [K in keyof T]: T[K] }
const none: readonly never[] = []

/** The working copy. */
export class Draft {
  readonly definition: MachineDefinition
  readonly context: Context
  readonly before: Before
  readonly base: Instance
  /** The next snapshot, as far as it has come. */
  next: Writable<Instance>
  journal: readonly JournalEntry[] = none
  waiting: readonly Waiting[]
  children: ReadonlyMap<string, ChildRecord>
  fresh: readonly string[]
  /** The entry whose arrival has been followed: children that were there, a call of nothing. */
  followed: number
  /** The entry in which this dispatch has found that all children are where they should be. */
  held = -1
  /** How the attempt that has answered failed, as it is booked. */
  failed: CallFailure | undefined
  /** Transitions without a cause of their own (`always`, timers in a row) since the last cause. */
  steps = 0

  constructor(definition: MachineDefinition, base: Instance, before: Before, context: Context) {
    this.definition = definition
    this.context = context
    this.before = before
    this.base = base
    this.next = { ...base }
    this.waiting = before.waiting
    this.children = before.children
    this.fresh = before.fresh
    this.followed = base.entry
  }

  /** The definition of the present state; undefined where the code no longer has it. */
  get at(): StateDefinition | undefined {
    return this.definition.states.get(this.next.state)
  }

  /** Runs what calls user code. Where that fails all that it did is undone, and `failed` decides. */
  attempt<T>(work: () => T, failed: (error: HandlerFailure) => T): T {
    const { next, journal, children, fresh, followed, held, steps } = this
    const saved: Saved = { next: { ...next }, journal, children, fresh, followed, held, steps }
    try {
      return work()
    } catch (error) {
      if (!(error instanceof HandlerFailure)) throw error
      Object.assign(this, saved)
      return failed(error)
    }
  }

  /** Adds a row: one that stays and changes nothing, but for what `row` says. Its `seq` is given here, so that there is no gap. */
  record(cause: JournalCause, row: Partial<JournalEntry> = {}): void {
    const { next } = this
    const { from = next.state, to = next.state, outcome = 'applied', unit = false, change = null, by, why } = row
    const { removed = none, emitted = none, spawned = none, opened = none, dropped = none, cancelled = none } = row
    next.seq += 1
    // Field by field: spreading five objects into one took longer than all the rest of a small transition.
    const seq = next.seq
    const at = this.context.now
    // prettier-ignore
    const entry: Writable<JournalEntry> = {
      seq, at, cause, from, to, outcome, unit, change, removed, emitted, spawned, opened, dropped, cancelled,
    }
    if (by !== undefined) entry.by = by
    if (why !== undefined) entry.why = why
    this.journal = this.journal.length === 0 ? [entry] : [...this.journal, entry]
  }

  /** Replaces the data by what the schema makes of `value`, and all that is derived from them. `misfit`: the code of a failure where the schema refuses it. */
  setData(value: unknown, place: string, misfit?: string): Instance['data'] {
    const { definition, next } = this
    const data = fitted(definition.schema, value, `${place}: the data`, misfit) as Instance['data']
    const text = JSON.stringify(data)
    fits(() => checkText(text, `${place}: the data`))
    next.data = data
    next.dataText = text
    const { fairBy } = definition
    if (fairBy !== undefined)
      next.fairKey = ask('fairBy', (given) => checkId(String(fairBy(given)) || ' ', 'the key'), { id: next.id, data })
    return data
  }

  /** Puts the instance before an operator. What it stalled on before is kept. */
  stall(why: Stall): void {
    this.next.status = 'stalled'
    this.next.stalled = { ...this.next.stalled, ...why }
  }

  unstall(): void {
    if (this.next.status !== 'stalled') return
    this.next.status = 'live'
    this.next.stalled = null
  }

  /** Names the instance and the state in a handler's failure. */
  placed(error: HandlerFailure): string {
    return `${this.definition.name} "${this.next.id}", state "${this.next.state}", ${error.message}`
  }
}

/** Calls that are not settled. */
export const openCalls = (instance: Pick<Instance, 'calls'>): readonly (readonly [string, CallRecord])[] =>
  hasOpenCall(instance) ? Object.entries(instance.calls!).filter(([, call]) => call.settled === undefined) : none

/** Whether there are any. */
export function hasOpenCall({ calls }: Pick<Instance, 'calls'>): boolean {
  for (const name in calls) if (calls[name]!.settled === undefined) return true
  return false
}

/** Whether an open call keeps the state from being left: one that has been started, and that is not interruptible. */
export const heldByCall = (draft: Draft): boolean =>
  draft.next.calls !== null &&
  draft.at?.call?.interruptible !== true &&
  openCalls(draft.next).some(([, call]) => !draft.fresh.includes(call.key))

/** The cause of an input, as the journal keeps it. What follows from no message (a result, an alarm) has the instance's own correlation. */
export function causeOf({ next }: Draft, input: Input, kind: JournalCause['kind'], name: string): JournalCause {
  const { id, at, by, source } = input
  const correlation = input.correlation === '' ? next.correlation : input.correlation
  if (by === undefined && source === undefined) return { kind, name, id, at, correlation }
  return { kind, name, id, at, ...(by !== undefined && { by }), ...(source !== undefined && { source }), correlation }
}

/** What timers of a group are stored under: a state and a group may both have '1 day'. Neither groups nor timers have a `/` in their names. */
export const groupTimer = (group: string, name: string): string => `${group}/${name}`
