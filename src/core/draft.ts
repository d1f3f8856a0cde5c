// A draft: the working copy of one instance while one input is dispatched. Mutable inside the core, never seen outside;
// what it holds is replaced, not changed, so that `save` and `restore` are copies of fields: a handler that throws undoes
// the whole transition of its cause, and nothing before it.
import { PawlError } from '../base/errors.ts'
import type {
  Given,
  GivenCause,
  GivenChild,
  MachineDefinition,
  SettledCall,
  StateDefinition,
} from '../machine/definition.ts'
import { ask, HandlerFailure } from './failure.ts'
import type {
  CallRecord,
  ChildRecord,
  Emitted,
  Input,
  Instance,
  JournalCause,
  JournalEntry,
  Spawn,
  Stall,
  TimerRecord,
  Waiting,
} from './model.ts'

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
  readonly fresh: ReadonlySet<string>
}

/** By what a parent knows a child. */
export const childKey = (machine: string, id: string): string => `${machine}\0${id}`

/** Limits of one instance; the error names them. */
export const LIMITS = {
  steps: 100,
  dataBytes: 256 * 1024,
  waiting: 100,
  waitingBytes: 256 * 1024,
  spawns: 10_000,
} as const

type Saved = Pick<
  Draft,
  | 'version'
  | 'status'
  | 'state'
  | 'seq'
  | 'entry'
  | 'enteredAt'
  | 'data'
  | 'calls'
  | 'timers'
  | 'joined'
  | 'stamp'
  | 'stalled'
  | 'incarnation'
  | 'startHash'
  | 'endedAt'
  | 'children'
  | 'fresh'
  | 'steps'
  | 'parent'
> & { readonly rows: number }

/** The working copy. */
export class Draft {
  readonly definition: MachineDefinition
  readonly context: Context
  readonly base: Instance
  readonly journal: JournalEntry[] = []
  /** What waited before. */
  readonly base0: readonly Waiting[]
  /** Sorted by `n`. */
  waiting: readonly Waiting[]
  version: number
  status: Instance['status']
  state: string
  seq: number
  entry: number
  enteredAt: number
  data: Instance['data']
  calls: Instance['calls']
  timers: Instance['timers']
  joined: Instance['joined']
  stamp: number
  stalled: Stall | null
  incarnation: string
  startHash: string
  endedAt: number | null
  parent: Instance['parent']
  children: ReadonlyMap<string, ChildRecord>
  fresh: ReadonlySet<string>
  /** Transitions without a cause of their own (`always`) since the last cause. */
  steps = 0

  constructor(definition: MachineDefinition, base: Instance, before: Before, context: Context) {
    this.definition = definition
    this.base = base
    this.context = context
    this.base0 = before.waiting
    this.waiting = before.waiting
    this.children = before.children
    this.fresh = before.fresh
    this.version = base.version
    this.status = base.status
    this.state = base.state
    this.seq = base.seq
    this.entry = base.entry
    this.enteredAt = base.enteredAt
    this.data = base.data
    this.calls = base.calls
    this.timers = base.timers
    this.joined = base.joined
    this.stamp = base.stamp
    this.stalled = base.stalled
    this.incarnation = base.incarnation
    this.startHash = base.startHash
    this.endedAt = base.endedAt
    this.parent = base.parent
  }

  /** The definition of the present state; undefined where the code no longer has it. */
  get at(): StateDefinition | undefined {
    return this.definition.states.get(this.state)
  }

  save(): Saved {
    const { version, status, state, seq, entry, enteredAt, data, calls, timers, joined } = this
    const { stamp, stalled, incarnation, startHash, endedAt, children, fresh, steps, parent } = this
    return {
      ...{ version, status, state, seq, entry, enteredAt, data, calls, timers, joined },
      ...{ stamp, stalled, incarnation, startHash, endedAt, children, fresh, steps, parent, rows: this.journal.length },
    }
  }

  restore(saved: Saved): void {
    const { rows, ...fields } = saved
    Object.assign(this, fields)
    this.journal.length = rows
  }

  /** Adds a row; `seq` is given here, so that it has no gap. */
  record(row: Omit<JournalEntry, 'seq' | 'at'>): void {
    this.seq += 1
    this.journal.push({ seq: this.seq, at: this.context.now, ...row })
  }
}

/** A row that changes nothing. */
export const stillRow = (draft: Draft, cause: JournalCause, outcome: JournalEntry['outcome'], unit: boolean): void =>
  draft.record({
    cause,
    outcome,
    unit,
    from: draft.state,
    to: draft.state,
    change: null,
    removed: [],
    emitted: none,
    spawned: none,
    opened: none,
    dropped: none,
    cancelled: none,
  })
const none: readonly never[] = []

/** What one row collects while its transition is made. */
export interface Collected {
  emitted: readonly Emitted[]
  spawned: readonly Spawn[]
  opened: readonly string[]
  dropped: readonly string[]
}

/** What callbacks are given: lazily, since most look at `data` alone. */
class View implements Given {
  readonly #draft: Draft
  readonly #cause: JournalCause
  readonly id: string
  readonly data: Given['data']
  constructor(draft: Draft, cause: JournalCause, extra: Partial<Given> | undefined) {
    this.#draft = draft
    this.#cause = cause
    this.id = draft.base.id
    this.data = draft.data
    if (extra !== undefined) Object.assign(this, extra)
  }
  get now(): Date {
    return new Date(this.#draft.context.now)
  }
  get cause(): GivenCause {
    const { id, at, by, source, correlation } = this.#cause
    return {
      id,
      at: new Date(at),
      ...(by !== undefined && { by }),
      ...(source !== undefined && { source }),
      correlation,
    }
  }
  get need(): (field: string) => unknown {
    const { data } = this
    return (field) => {
      const value = data[field]
      if (value === undefined || value === null)
        throw new PawlError('FIELD_MISSING', `the field "${field}" must be set here, and is not`)
      return value
    }
  }
  get settled(): ReadonlyMap<string, SettledCall> {
    return settledCalls(this.#draft, this.#cause.kind === 'cancel' ? 'it was open when the cancel came' : undefined)
  }
  get children(): Readonly<Record<string, readonly GivenChild[]>> {
    const all: Record<string, readonly GivenChild[]> = {}
    for (const kind of this.#draft.definition.children.keys()) all[kind] = members(this.#draft, kind, this)
    return all
  }
}

/** Makes what a callback is given; `extra` is what its edge has besides. */
export const givenOf = (draft: Draft, cause: JournalCause, extra?: Partial<Given>): Given =>
  new View(draft, cause, extra)

/** Who the children of a kind are by the data now, in that order. */
export function wanted(
  draft: Draft,
  kind: string,
  given: Given,
): readonly { readonly id: string; readonly data: unknown }[] {
  const child = draft.definition.children.get(kind)
  if (child === undefined) return none
  const list = ask(`children.${kind}.each`, child.each, given)
  if (!Array.isArray(list)) throw new HandlerFailure('HANDLER_FAILED', `children.${kind}.each: returned no list`)
  if (list.length > LIMITS.spawns)
    throw new HandlerFailure(
      'HANDLER_FAILED',
      `children.${kind}.each: ${list.length} children; at most ${LIMITS.spawns}`,
    )
  return list
}

/** Those of them that exist, by their last notice. */
export function members(draft: Draft, kind: string, given: Given): readonly GivenChild[] {
  const of = draft.definition.children.get(kind)?.of.name ?? ''
  const found: GivenChild[] = []
  for (const { id } of wanted(draft, kind, given)) {
    const child = draft.children.get(childKey(of, id))
    if (child !== undefined) found.push({ id: child.id, state: child.state, data: child.data, status: child.status })
  }
  return found
}

/** Calls that are not settled. */
export const openCalls = (draft: Pick<Draft, 'calls'>): readonly (readonly [string, CallRecord])[] =>
  draft.calls === null ? none : Object.entries(draft.calls).filter(([, call]) => call.settled === undefined)

/** Whether an open call keeps the state from being left: one that has been started, and that is not interruptible. */
export function heldByCall(draft: Draft): boolean {
  if (draft.calls === null) return false
  const interruptible = draft.at?.call?.interruptible ?? false
  return !interruptible && openCalls(draft).some(([, call]) => !draft.fresh.has(call.key))
}

/** What became of each call, for the edges of compiled sagas. Open ones count as unknown where `unsettled` says so. */
export function settledCalls(draft: Draft, unsettled?: string): ReadonlyMap<string, SettledCall> {
  const all = new Map<string, SettledCall>()
  for (const [name, call] of Object.entries(draft.calls ?? {})) {
    const { settled } = call
    if (settled === undefined) {
      if (unsettled !== undefined && !draft.fresh.has(call.key))
        all.set(name, { key: call.key, error: { code: 'other', message: unsettled, outcome: 'unknown' } })
    } else
      all.set(name, settled.done ? { key: call.key, result: settled.output } : { key: call.key, error: settled.error })
  }
  return all
}

/** The cause of an input, as the journal keeps it. */
export function causeOf(input: Input, kind: JournalCause['kind'], name: string): JournalCause {
  const { id, at, by, source, correlation } = input
  return { kind, name, id, at, ...(by !== undefined && { by }), ...(source !== undefined && { source }), correlation }
}

/** Timers of a group are stored under the group's name too: a state and a group may both have '1 day'. */
export const groupTimer = (group: string, name: string): string => `${group}/${name}`

/** The same timers without one, null where none is left. */
export function without<T extends TimerRecord | CallRecord>(
  all: Readonly<Record<string, T>> | null,
  name: string,
): Readonly<Record<string, T>> | null {
  if (all === null) return null
  const rest = Object.fromEntries(Object.entries(all).filter(([key]) => key !== name))
  return Object.keys(rest).length === 0 ? null : rest
}
