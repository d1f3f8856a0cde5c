// The heart: what one input does to one instance. Pure: no clock, no random, no I/O; time comes in as `context.now`.
//
//   dispatch(definition, before, input, context) → outcome
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
import { jsonHash } from '../base/json.ts'
import { causeOf, Draft, heldByCall, LIMITS, openCalls, stillRow, type Before, type Context } from './draft.ts'
import { enter } from './entry.ts'
import { emitted } from './emit.ts'
import { givenOf } from './draft.ts'
import { row } from './edge.ts'
import { ask, check, HandlerFailure } from './failure.ts'
import { lookAt, lookAtCancel } from './fate.ts'
import { childArrived, follow, noteChild } from './follow.ts'
import { migrate } from './migrate.ts'
import { operate, type Operated } from './operator.ts'
import { attempted, decideCalls, settleUnknown } from './result.ts'
import { decideAbout, type Readable } from './reading.ts'
import { expireWaiting, placed, retryWaiting, stall, stallOf, type Decided } from './waiting.ts'
import { hasEnded } from './model.ts'
import type {
  CancelInput,
  Fate,
  Input,
  Instance,
  JournalCause,
  JournalEntry,
  MessageInput,
  NoticeInput,
  OperatorInput,
  RefusedWhy,
  ResultInput,
  StartInput,
  TimerInput,
  Waiting,
  ChildRecord,
} from './model.ts'

/** What one input did. */
export interface Outcome {
  /** `noted`: nothing to tell (a result of several, a notice, a wake-up); `late`: nobody waited for it; `exists`, `conflict`,
   *  `taken`: a start met an instance (with the same input, with another, of another parent); `unknown`: a command to nobody;
   *  `absent`: an event for an instance that may still come; `build`: this build does not know the machine, type or version;
   *  `bad`: an operator's action that cannot be done. */
  readonly fate: Fate | 'noted' | 'late' | 'exists' | 'conflict' | 'taken' | 'unknown' | 'absent' | 'build' | 'bad'
  readonly why?: RefusedWhy
  /** Of `dead` and `bad`. */
  readonly code?: string
  readonly message?: string
  /** What the input waits for, where its fate is `deferred`. */
  readonly waitsFor?: Waiting['why']
  readonly instance: Instance | null
  readonly created: boolean
  readonly journal: readonly JournalEntry[]
  /** How many of these rows the input itself made; the others were made by what had waited. */
  readonly own: number
  /** What waits now: rows that are gone were decided about, rows may have changed. */
  readonly waiting: readonly Waiting[]
  readonly decided: readonly Decided[]
  readonly children: ReadonlyMap<string, ChildRecord>
  readonly fresh: ReadonlySet<string>
}

const nobody = (before: Before, fate: Outcome['fate'], more: Partial<Outcome> = {}): Outcome => ({
  fate,
  instance: before.instance,
  created: false,
  journal: [],
  own: 0,
  waiting: before.waiting,
  decided: [],
  children: before.children,
  fresh: before.fresh,
  ...more,
})

interface Ended {
  readonly fate: Outcome['fate']
  readonly why?: RefusedWhy
  readonly code?: string
  readonly message?: string
  readonly waitsFor?: Waiting['why']
}

/** Runs one input on an instance that is there, then what had waited for a change. */
function run(draft: Draft, input: Input, decided: Decided[]): Ended & { readonly own: number } {
  const rows = draft.journal.length
  const ended = runOne(draft, input, decided)
  const own = draft.journal.length - rows
  const changed = draft.seq !== draft.base.seq || draft.status !== draft.base.status || input.kind === 'timer'
  if (changed || draft.calls !== draft.base.calls) retryWaiting(draft, decided)
  return { ...ended, own }
}

function runOne(draft: Draft, input: Input, decided: Decided[]): Ended {
  switch (input.kind) {
    case 'message':
      return message(draft, input)
    case 'cancel':
      return cancel(draft, input)
    case 'result':
      return result(draft, input)
    case 'timer':
      return wake(draft, input, decided)
    case 'notice':
      return notice(draft, input)
    case 'operator':
      return operator(draft, input, decided)
    case 'start':
      return { fate: 'exists' }
  }
}

/** A handler threw on a message: the message is a dead letter and the instance goes on; or, by `need`, the instance stalls. */
function guarded(draft: Draft, work: () => Ended): Ended {
  const saved = draft.save()
  try {
    return work()
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    draft.restore(saved)
    const why = stallOf(error)
    const text = placed(draft, error)
    if (why === undefined) return { fate: 'dead', code: 'HANDLER_FAILED', message: text }
    stall(draft, { code: why.code, message: text })
    return { fate: 'deferred', waitsFor: 'stalled' }
  }
}

/** A handler threw on something that is no message: the instance stalls, and that cause is kept. */
function stalling(draft: Draft, input: Input, work: () => Ended): Ended {
  const saved = draft.save()
  try {
    return work()
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    draft.restore(saved)
    stall(draft, { code: stallOf(error)?.code ?? 'HANDLER_FAILED', message: placed(draft, error), cause: input })
    return { fate: 'noted' }
  }
}

function message(draft: Draft, input: MessageInput): Ended {
  const read = decideAbout(draft.definition, input)
  if (read.kind === 'build') return { fate: 'build' }
  if (read.kind === 'bad') return { fate: 'dead', code: 'BAD_DATA', message: read.problem }
  return guarded(draft, () => asEnded(lookAt(draft, read.input)))
}

const asEnded = (looked: ReturnType<typeof lookAt>): Ended => {
  if (looked.fate === 'deferred') return { fate: 'deferred', waitsFor: looked.why }
  return looked
}

const cancel = (draft: Draft, input: CancelInput): Ended =>
  guarded(draft, () => asEnded(lookAtCancel(draft, input, false)))

function result(draft: Draft, input: ResultInput): Ended {
  const cause = causeOf(input, 'result', input.call)
  if (hasEnded(draft.status)) return late(draft, cause, input)
  return stalling(draft, input, () => {
    const { status } = draft
    const booked = attempted(draft, input)
    if (booked === 'late') return late(draft, cause, input)
    if (booked === 'ignored' || booked === 'open') return { fate: 'noted' }
    if (booked !== 'settled') {
      stall(draft, booked)
      return { fate: 'noted' }
    }
    if (status === 'stalled') {
      if (draft.stalled?.cause !== undefined || input.outcome.kind !== 'done') return { fate: 'noted' }
      draft.status = 'live' // a success that came after all: nobody needs to decide any more
      draft.stalled = null
    }
    const stalled = decideCalls(draft, cause)
    if (stalled === undefined)
      return { fate: openCalls(draft).length > 0 && draft.seq === draft.base.seq ? 'noted' : 'applied' }
    stall(draft, stalled)
    return { fate: 'noted' }
  })
}

/** Nobody waits for it any more: journalled, unless it says nothing. */
function late(draft: Draft, cause: JournalCause, input: ResultInput): Ended {
  const telling = input.outcome.kind === 'done' || input.outcome.kind === 'failure'
  if (telling) stillRow(draft, cause, 'late', false)
  return { fate: 'late' }
}

/** Deadlines of calls, timers, and messages that were kept too long. */
function wake(draft: Draft, input: TimerInput, decided: Decided[]): Ended {
  if (draft.status !== 'live') return { fate: 'noted' }
  expireWaiting(draft, decided)
  const overdue = openCalls(draft).filter(
    ([, call]) => call.deadlineAt !== undefined && call.deadlineAt <= draft.context.now,
  )
  if (overdue.length === 0) return { fate: 'noted' } // due timers are fired by what follows every input
  return stalling(draft, input, () => {
    for (const [name, call] of overdue)
      settleUnknown(draft, name, 'within', `${call.activity} had no outcome within its time`)
    const cause: JournalCause = {
      kind: 'timer',
      name: 'within',
      id: `${draft.incarnation}-${draft.entry}-within`,
      at: overdue[0]?.[1].deadlineAt ?? draft.context.now,
      correlation: draft.base.correlation,
    }
    const stalled = decideCalls(draft, cause)
    if (stalled !== undefined) stall(draft, stalled)
    return { fate: 'noted' }
  })
}

function notice(draft: Draft, input: NoticeInput): Ended {
  if (hasEnded(draft.status) || input.parent !== draft.incarnation) return { fate: 'late' }
  if (input.problem !== undefined) {
    if (draft.status === 'live') stall(draft, input.problem)
    return { fate: 'noted' }
  }
  const { machine, id } = input.child
  const before = draft.children.get(`${machine}\0${id}`)
  if (!noteChild(draft, input.child)) return { fate: 'noted' }
  if (draft.status === 'stalled') return { fate: 'noted' }
  return stalling(draft, input, () => {
    const cause = causeOf(input, 'child', `${machine}/${id}`)
    if (before?.state !== input.child.state || before.status !== input.child.status)
      childArrived(draft, machine, id, cause)
    follow(draft, cause)
    return { fate: draft.seq === draft.base.seq ? 'noted' : 'applied' }
  })
}

function operator(draft: Draft, input: OperatorInput, decided: Decided[]): Ended {
  const operated: Operated = operate(draft, input)
  if (operated.kind === 'bad') return { fate: 'bad', code: operated.code, message: operated.message }
  if (operated.kind === 'refused') return { fate: 'refused', why: operated.why }
  if (operated.stall !== undefined) stall(draft, operated.stall)
  if (operated.again !== undefined) runOne(draft, operated.again, decided)
  return { fate: 'applied' }
}

/** When something falls due that only the store remembers. What an open call holds back is found again by that call. */
function dueAt(draft: Draft): number | null {
  if (draft.status !== 'live') return null
  const { now, leaseMs } = draft.context
  const held = heldByCall(draft)
  let due = Infinity
  for (const timer of Object.values(draft.timers ?? {})) if (!(held && timer.due <= now)) due = Math.min(due, timer.due)
  for (const [, call] of openCalls(draft)) {
    if (call.deadlineAt !== undefined) due = Math.min(due, call.deadlineAt)
    if (call.nextAt !== undefined && call.nextAt - now >= leaseMs) due = Math.min(due, call.nextAt)
  }
  for (const waiting of draft.waiting) if (waiting.until !== null) due = Math.min(due, waiting.until)
  return due === Infinity ? null : due
}

function fairKey(draft: Draft): string | null {
  const { fairBy } = draft.definition
  if (fairBy === undefined) return null
  if (draft.data === draft.base.data && draft.base.seq > 0) return draft.base.fairKey
  return String(ask('fairBy', fairBy, { id: draft.base.id, data: draft.data }))
}

/** The next snapshot. Its data are made text once, here. */
function snapshot(draft: Draft): Instance {
  const { base } = draft
  const dataText = draft.data === base.data ? base.dataText : JSON.stringify(draft.data)
  if (dataText.length > LIMITS.dataBytes)
    throw new HandlerFailure(
      'HANDLER_FAILED',
      `the data would be ${dataText.length} characters; at most ${LIMITS.dataBytes}: keep large things elsewhere, and their name here`,
    )
  const {
    version,
    status,
    state,
    seq,
    entry,
    enteredAt,
    data,
    calls,
    timers,
    joined,
    stamp,
    stalled,
    incarnation,
    startHash,
    endedAt,
    parent,
  } = draft
  return Object.freeze({
    ...base,
    version,
    status,
    state,
    seq,
    entry,
    enteredAt,
    data,
    dataText,
    calls,
    timers,
    joined,
    stamp,
    stalled,
    incarnation,
    startHash,
    endedAt,
    parent,
    dueAt: dueAt(draft),
    fairKey: fairKey(draft),
  })
}

function outcomeOf(
  draft: Draft,
  ended: Ended & { own: number },
  decided: readonly Decided[],
  created: boolean,
): Outcome {
  const changed =
    draft.seq !== draft.base.seq ||
    draft.calls !== draft.base.calls ||
    draft.status !== draft.base.status ||
    draft.timers !== draft.base.timers ||
    draft.waiting !== draft.base0 ||
    created
  const instance = changed ? snapshot(draft) : draft.base
  return {
    ...ended,
    instance,
    created,
    journal: draft.journal,
    waiting: draft.waiting,
    decided,
    children: draft.children,
    fresh: draft.fresh,
  }
}

/** Dispatches an input to an instance that is there. */
function dispatchTo(
  definition: MachineDefinition,
  instance: Instance,
  before: Before,
  input: Input,
  context: Context,
): Outcome {
  if (instance.version > definition.version) return nobody(before, 'build')
  const attempt = (first: (draft: Draft, decided: Decided[]) => Ended & { own: number }): Outcome => {
    const draft = new Draft(definition, instance, before, context)
    draft.stamp = Math.max(draft.stamp, input.stamp)
    const decided: Decided[] = []
    return outcomeOf(draft, first(draft, decided), decided, false)
  }
  try {
    return attempt((draft, decided) => {
      const old =
        draft.version < definition.version && !hasEnded(draft.status)
          ? migrate(draft, causeOf(input, 'migrate', ''))
          : undefined
      if (old === undefined) return run(draft, input, decided)
      stall(draft, { ...old, ...(input.kind !== 'message' && input.kind !== 'cancel' && { cause: input }) })
      return input.kind === 'message' || input.kind === 'cancel'
        ? { fate: 'deferred', waitsFor: 'stalled', own: 0 }
        : { fate: 'noted', own: 0 }
    })
  } catch (error) {
    // Only the whole of it shows that the data are too large: then nothing of it stands.
    if (!(error instanceof HandlerFailure)) throw error
    if (input.kind === 'message' || input.kind === 'cancel')
      return nobody(before, 'dead', { code: 'HANDLER_FAILED', message: error.message })
    return attempt((draft) => {
      stall(draft, { code: 'HANDLER_FAILED', message: placed(draft, error), cause: input })
      return { fate: 'noted', own: 0 }
    })
  }
}

/** What a start is made from: by `run` or a parent, or by a message that this machine's `start` names. */
interface Birth {
  readonly input: StartInput | MessageInput
  readonly given: unknown
  readonly name: string
  readonly unit: boolean
}

const blank = (
  definition: MachineDefinition,
  id: string,
  input: Input,
  context: Context,
  k: number,
  partition: number,
  incarnation: string,
): Instance => ({
  k,
  machine: definition.name,
  id,
  partition,
  incarnation,
  version: definition.version,
  status: 'live',
  state: definition.initial,
  seq: 0,
  entry: 0,
  enteredAt: context.now,
  data: {},
  dataText: '{}',
  calls: null,
  timers: null,
  dueAt: null,
  joined: null,
  stamp: 0,
  parent: null,
  startHash: '',
  stalled: null,
  correlation: input.correlation,
  priority: definition.priority,
  fairKey: null,
  startedAt: context.now,
  endedAt: null,
})

/** Creates an instance, or gives an ended one a new life. */
function create(
  definition: MachineDefinition,
  base: Instance,
  before: Before,
  birth: Birth,
  context: Context,
): Outcome {
  const { input } = birth
  const checked = check(
    definition.schema,
    definition.dataOf(birth.given),
    `the data of ${definition.name} "${base.id}"`,
  )
  if ('problem' in checked) return nobody(before, 'dead', { code: 'BAD_DATA', message: checked.problem })
  const draft = new Draft(definition, base, { ...before, children: new Map(), fresh: new Set() }, context)
  const cause = causeOf(input, 'start', birth.name)
  const decided: Decided[] = []
  try {
    draft.data = checked.value as Draft['data']
    draft.startHash = jsonHash(checked.value)
    draft.parent = input.kind === 'start' ? (input.parent ?? null) : null
    draft.stamp = Math.max(draft.stamp, input.stamp)
    const begun = definition.begin === undefined ? [] : emitted(definition.begin.emit, givenOf(draft, cause))
    const collected = { emitted: begun, spawned: [], opened: [], dropped: [] }
    enter(draft, definition.initial, null, draft.seq + 1, cause, collected)
    row(draft, { cause, unit: birth.unit }, null, definition.initial, { change: draft.data, removed: [] }, collected)
    follow(draft, cause)
    const own = draft.journal.length
    retryWaiting(draft, decided)
    return outcomeOf(draft, { fate: 'applied', own }, decided, true)
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    return nobody(before, 'dead', { code: 'HANDLER_FAILED', message: placed(draft, error) })
  }
}

function reborn(instance: Instance, incarnation: string): Instance {
  return {
    ...instance,
    incarnation,
    status: 'live',
    data: {},
    dataText: '{}',
    calls: null,
    timers: null,
    joined: null,
    stalled: null,
    endedAt: null,
  }
}

function startOn(
  definition: MachineDefinition,
  instance: Instance,
  before: Before,
  input: StartInput,
  context: Context,
): Outcome {
  if (input.parent !== undefined) {
    const { parent } = instance
    if (parent === null || parent.machine !== input.parent.machine || parent.id !== input.parent.id)
      return nobody(before, 'taken')
    if (input.restart === true && hasEnded(instance.status) && context.create !== null) {
      return create(
        definition,
        reborn(instance, context.create.incarnation),
        { ...before, waiting: [] },
        { input, given: input.data, name: 'restart', unit: false },
        context,
      )
    }
    return nobody(before, 'exists')
  }
  const checked = check(
    definition.schema,
    definition.dataOf(input.data),
    `the data of ${definition.name} "${instance.id}"`,
  )
  if ('problem' in checked) return nobody(before, 'dead', { code: 'BAD_DATA', message: checked.problem })
  return nobody(before, jsonHash(checked.value) === instance.startHash ? 'exists' : 'conflict')
}

function startByMessage(
  definition: MachineDefinition,
  id: string,
  before: Before,
  input: MessageInput,
  context: Context,
): Outcome {
  const read: Readable = decideAbout(definition, input)
  if (read.kind === 'build') return nobody(before, 'build')
  if (read.kind === 'bad') return nobody(before, 'dead', { code: 'BAD_DATA', message: read.problem })
  const start = definition.start.get(input.type)
  if (start === undefined) return nobody(before, input.command ? 'unknown' : 'absent')
  if (input.ifSeq !== undefined || context.create === null) return nobody(before, 'unknown')
  try {
    const given = ask(`start "${input.type}"`, start, read.input.data)
    const { k, partition, incarnation } = context.create
    return create(
      definition,
      blank(definition, id, input, context, k, partition, incarnation),
      before,
      { input, given, name: input.type, unit: true },
      context,
    )
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    return nobody(before, 'dead', { code: 'HANDLER_FAILED', message: `${definition.name} "${id}", ${error.message}` })
  }
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
  if (instance !== null)
    return input.kind === 'start'
      ? startOn(definition, instance, before, input, context)
      : dispatchTo(definition, instance, before, input, context)
  if (input.kind === 'message') return startByMessage(definition, id, before, input, context)
  if (input.kind !== 'start' || context.create === null)
    return nobody(before, input.kind === 'cancel' || input.kind === 'operator' ? 'unknown' : 'late')
  const { k, partition, incarnation } = context.create
  return create(
    definition,
    blank(definition, id, input, context, k, partition, incarnation),
    before,
    { input, given: input.data, name: 'run', unit: false },
    context,
  )
}
