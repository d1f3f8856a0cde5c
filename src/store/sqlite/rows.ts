// Between the port's values and the columns of a row. What can be derived is stored as null:
//
// – an instance's correlation where it is its incarnation;
// – a cause's id where it is the instance's correlation (of a start) or the key of a call of the row before (of a result); its
//   correlation where it is the instance's. Its time is how long before the row's it was;
// – an event's id where it is `e<partition>-<offset>`, its time where it is that of its stamp.
//
// A journal row repeats its instance's incarnation in every key that a change holds: one character stands for it there.
import { callKey } from '../../base/id.ts'
import type { ChildRecord, Instance, JournalCause, JournalEntry, StoredStatus } from '../../core/model.ts'
import type {
  DeadLetterRow,
  EventRow,
  InboxRow,
  JournalRead,
  JournalRow,
  Letter,
  ReceiptRow,
  WaitingRow,
} from '../store.ts'
import { jsonIn, parsed, parsedOrNull, payload, type Row } from './column.ts'
import type { Names } from './names.ts'

export type { Row } from './column.ts'

const STATUSES = ['live', 'stalled', 'done', 'failed', 'cancelled'] as const satisfies readonly StoredStatus[]
/** The number that stands for a status; living ones are 0 and 1, which the partial indexes rely on. */
export const statusNumber = (status: StoredStatus): number => STATUSES.indexOf(status)
/** The status of a number. */
export const statusText = (n: number): StoredStatus => STATUSES[n]!

const KINDS = [
  'start',
  'message',
  'result',
  'timer',
  'child',
  'always',
  'cancel',
  'operator',
  'migrate',
] as const satisfies readonly JournalCause['kind'][]
/** The number of a cause's kind. */
export const kindNumber = (kind: JournalCause['kind']): number => KINDS.indexOf(kind)

const OUTCOMES = ['applied', 'ignored', 'refused', 'late'] as const satisfies readonly JournalEntry['outcome'][]
/** An outcome and whether it is counted by the law of messages, in one number: odd where it is. */
export const outcomeNumber = (entry: Pick<JournalEntry, 'outcome' | 'unit'>): number =>
  OUTCOMES.indexOf(entry.outcome) * 2 + (entry.unit ? 1 : 0)
/** The numbers of `outcomeNumber` that are counted by the law of messages. */
export const UNIT_OUTCOMES = { applied: 1, ignored: 3, refused: 5 } as const

/** JSON text of what may be null. */
export const jsonOrNull = (value: unknown): string | null =>
  value === null || value === undefined ? null : JSON.stringify(value)

/** Whether an attempt of some call may be running or is to come. */
export function hasOpenCall(calls: Instance['calls']): boolean {
  if (calls === null) return false
  for (const name in calls) if (calls[name]!.settled === undefined) return true
  return false
}

/** An instance of a row with all columns of `pawl_instances`. */
export function instanceOf(row: Row, names: Names): Instance {
  const incarnation = row['incarnation'] as string
  return Object.freeze({
    k: row['k'] as number,
    machine: names.text(row['machine'] as number),
    id: row['id'] as string,
    partition: row['partition'] as number,
    incarnation,
    version: row['version'] as number,
    status: statusText(row['status'] as number),
    state: names.text(row['state'] as number),
    seq: row['seq'] as number,
    entry: row['entry'] as number,
    enteredAt: row['entered_at'] as number,
    data: parsed<Instance['data']>(row, 'data', 'stored data'),
    dataText: row['data'] as string,
    calls: parsedOrNull<Instance['calls']>(row, 'calls', 'stored calls'),
    timers: parsedOrNull<Instance['timers']>(row, 'timers', 'stored timers'),
    dueAt: row['due_at'] as number | null,
    joined: parsedOrNull<Instance['joined']>(row, 'joined', 'stored joined'),
    stamp: row['stamp'] as number,
    parent: parsedOrNull<Instance['parent']>(row, 'parent', 'stored parent'),
    startHash: row['start_hash'] as string,
    stalled: parsedOrNull<Instance['stalled']>(row, 'stalled', 'stored stall'),
    correlation: (row['correlation'] ?? incarnation) as string,
    priority: row['priority'] as number,
    fairKey: row['fair_key'] as string | null,
    startedAt: row['started_at'] as number,
    endedAt: row['ended_at'] as number | null,
  })
}

/** A waiting message of its row. */
export function waitingOf(row: Row): WaitingRow {
  return {
    k: row['k'] as number | null,
    target: { machine: row['machine'] as string, id: row['id'] as string },
    partition: row['partition'] as number,
    waiting: Object.freeze({
      n: row['n'] as number,
      why: row['why'] as WaitingRow['waiting']['why'],
      until: row['until'] as number | null,
      leftMs: row['left_ms'] as number | null,
      size: row['size'] as number,
      input: parsed<WaitingRow['waiting']['input']>(row, 'input', 'a stored message'),
    }),
    ...(row['delivery'] === null
      ? {}
      : { delivery: parsed<NonNullable<WaitingRow['delivery']>>(row, 'delivery', 'a stored delivery') }),
  }
}

/** A child of its row. */
export const childOf = (row: Row): ChildRecord =>
  Object.freeze({
    machine: row['machine'] as string,
    id: row['id'] as string,
    incarnation: row['incarnation'] as string,
    seq: row['seq'] as number,
    state: row['state'] as string,
    status: row['status'] as ChildRecord['status'],
    data: payload(row, 'stored data of a child'),
  })

/** A letter of its row. */
export const inboxOf = (row: Row): InboxRow => ({
  n: row['n'] as number,
  partition: row['partition'] as number,
  priority: row['priority'] as number,
  letter: parsed<Letter>(row, 'letter', 'a stored message'),
})

/** 1 for an event or a command, which the law of messages counts; 0 for results, timers, notices, starts and cancels. */
export const letterUnit = (letter: Letter): number =>
  letter.kind === 'event' || letter.input.kind === 'message' ? 1 : 0

/** A receipt of its row. */
export const receiptOf = (row: Row): ReceiptRow => ({
  target: row['target'] as string,
  source: row['source'] as string,
  id: row['id'] as string,
  hash: row['hash'] as string,
  at: row['at'] as number,
  outcome: row['outcome'] as ReceiptRow['outcome'],
  ...(row['why'] === null ? {} : { why: row['why'] as string }),
  ...(row['state'] === null ? {} : { state: row['state'] as string }),
  ...(row['seq'] === null ? {} : { seq: row['seq'] as number }),
})

/** A dead letter of its row. */
export const deadLetterOf = (row: Row): DeadLetterRow => ({
  id: row['id'] as string,
  machine: row['machine'] as string,
  instance: row['instance'] as string,
  partition: row['partition'] as number,
  at: row['at'] as number,
  code: row['code'] as string,
  message: row['message'] as string,
  input: parsed<DeadLetterRow['input']>(row, 'input', 'a stored message'),
  ...(row['delivery'] === null
    ? {}
    : { delivery: parsed<NonNullable<DeadLetterRow['delivery']>>(row, 'delivery', 'a stored delivery') }),
})

const STAMPS_A_MS = 1024
/** The id that an event has by its place. */
export const eventIdAt = (partition: number, offset: number): string => `e${partition}-${offset}`
/** The time that an event has by its stamp. */
export const timeOfStamp = (stamp: number): number => Math.floor(stamp / STAMPS_A_MS)

/** An event of its row. */
export const eventOf = (row: Row, names: Names): EventRow => ({
  partition: row['partition'] as number,
  offset: row['offset'] as number,
  stamp: row['stamp'] as number,
  k: row['k'] as number | null,
  seq: row['seq'] as number | null,
  id: (row['id'] ?? eventIdAt(row['partition'] as number, row['offset'] as number)) as string,
  type: names.text(row['type'] as number),
  version: row['version'] as number,
  key: row['key'] as string,
  data: payload(row, 'a stored event'),
  at: (row['at'] ?? timeOfStamp(row['stamp'] as number)) as number,
  correlation: row['correlation'] as string,
})

// ── the journal ──

/** SUBSTITUTE stands for the incarnation. JSON has no control character as it is: it writes them `\u001a`. */
const ITSELF = '\u001a'
/** JSON text, written short beside its instance's incarnation. */
export const shortText = (text: string, incarnation: string): string => text.replaceAll(incarnation, ITSELF)
/** What `shortText` was given. */
const longText = (text: string, incarnation: string): string => text.replaceAll(ITSELF, incarnation)

// What the data decides stands behind a `/` (an id, a place in a list): such names are many, and are not numbered.
const isNumbered = (name: string): boolean => !name.includes('/')

/** The id that a cause has where nothing else is stored; undefined: one of this kind has its own. */
function usualCauseId(kind: JournalCause['kind'], name: string, seq: number, owner: Owner): string | undefined {
  if (kind === 'start') return owner.correlation
  // It was opened by the row before, unless something came between.
  return kind === 'result' ? callKey(owner.incarnation, seq - 1, name) : undefined
}

/** An id of a cause without the incarnation that it may begin with. Other ids that begin with `~` get a second one. */
const shortId = (id: string, incarnation: string): string =>
  id.startsWith(incarnation) && id[incarnation.length] === '-'
    ? `~${id.slice(incarnation.length)}`
    : id.startsWith('~')
      ? `~${id}`
      : id

/** What `shortId` was given. */
const longId = (id: string, incarnation: string): string =>
  !id.startsWith('~') ? id : id.startsWith('~~') ? id.slice(1) : incarnation + id.slice(1)

/** What a transition let happen, short: absent where there was none, or where a column has it. */
interface Effects {
  /** The name of the cause. */
  n?: string
  /** Opened and dropped calls, removed fields, spawned children. */
  o?: readonly string[]
  d?: readonly string[]
  r?: readonly string[]
  s?: readonly (readonly [machine: string, id: string])[]
  /** Emitted: the place of an event (its offset alone where the partition is the instance's), or a command whole. */
  e?: readonly (number | readonly [partition: number, offset: number] | { readonly t: string; readonly d: unknown })[]
  /** By whom and why, and what is not derived of the cause. */
  b?: string
  w?: string
  cb?: string
  cs?: string
  cc?: string
}

/** What a journal row has to know of a row's instance. */
export type Owner = Pick<Instance, 'incarnation' | 'correlation' | 'partition'>

function emittedOf(row: JournalRow, owner: Owner): NonNullable<Effects['e']> {
  let place = 0
  return row.entry.emitted.map((emitted) => {
    if (emitted.message.kind === 'command') return { t: emitted.message.type, d: emitted.data }
    const [partition, offset] = row.events[place++]!
    return partition === owner.partition ? offset : ([partition, offset] as const)
  })
}

/** The columns of a journal row from the name of its cause on, but for states and change: what is not numbered is in `effects`. */
export function causeAndEffects(
  row: JournalRow,
  owner: Owner,
  number: (name: string) => number,
): {
  readonly name: number | null
  readonly causeId: string | null
  readonly causeBefore: number
  readonly opened: number | null
  readonly effects: string | null
} {
  const { cause, seq, at, opened } = row.entry
  const [first] = opened
  return {
    name: isNumbered(cause.name) ? number(cause.name) : null,
    causeId:
      cause.id === usualCauseId(cause.kind, cause.name, seq, owner) ? null : shortId(cause.id, owner.incarnation),
    causeBefore: at - cause.at,
    opened: first !== undefined && opened.length === 1 && isNumbered(first) ? number(first) : null,
    effects: effectsText(row, owner),
  }
}

/** All of a journal row that has no column, as JSON; null for nothing, the usual case. */
function effectsText(row: JournalRow, owner: Owner): string | null {
  const { entry } = row
  const { cause } = entry
  const nameless = !isNumbered(cause.name)
  const opened = entry.opened.length > 1 || (entry.opened.length === 1 && !isNumbered(entry.opened[0]!))
  const usual =
    !nameless &&
    !opened &&
    entry.dropped.length === 0 &&
    entry.removed.length === 0 &&
    entry.spawned.length === 0 &&
    entry.emitted.length === 0 &&
    entry.by === undefined &&
    entry.why === undefined &&
    cause.by === undefined &&
    cause.source === undefined &&
    cause.correlation === owner.correlation
  if (usual) return null
  const effects: Effects = {}
  if (nameless) effects.n = cause.name
  if (opened) effects.o = entry.opened
  if (entry.dropped.length > 0) effects.d = entry.dropped
  if (entry.removed.length > 0) effects.r = entry.removed
  if (entry.spawned.length > 0) effects.s = entry.spawned.map((spawn) => [spawn.machine, spawn.id] as const)
  if (entry.emitted.length > 0) effects.e = emittedOf(row, owner)
  if (entry.by !== undefined) effects.b = entry.by
  if (entry.why !== undefined) effects.w = entry.why
  if (cause.by !== undefined) effects.cb = cause.by
  if (cause.source !== undefined) effects.cs = cause.source
  if (cause.correlation !== owner.correlation) effects.cc = cause.correlation
  return JSON.stringify(effects)
}

const effectsOf = (text: string | null): Effects => (text === null ? {} : (jsonIn('effects', text) as Effects))

// Who erases an instance is not stopped by a row of it that cannot be read: its events stay in the log.
function readable(text: string | null): Effects {
  try {
    return effectsOf(text)
  } catch {
    return {}
  }
}

/** The places of the events that a journal row names; none where that cannot be read. */
export function placesOf(text: string | null, partition: number): (readonly [partition: number, offset: number])[] {
  const places: (readonly [number, number])[] = []
  for (const item of readable(text).e ?? []) {
    if (typeof item === 'number') places.push([partition, item])
    else if (isPlace(item)) places.push(item)
  }
  return places
}

type EmittedItem = NonNullable<Effects['e']>[number]
const isPlace = (item: EmittedItem): item is readonly [number, number] => Array.isArray(item)

/** A journal row as it is read. `eventAt` gives type and payload of an event, undefined for one that is gone. */
export function journalOf(
  row: Row,
  owner: Owner,
  names: Names,
  eventAt: (partition: number, offset: number) => { readonly type: string; readonly data: unknown } | undefined,
): JournalRead {
  const effects = effectsOf(row['effects'] as string | null)
  const emitted = (effects.e ?? []).map((item) => {
    if (typeof item === 'object' && !isPlace(item)) return { type: item.t, data: item.d }
    const [partition, offset] = isPlace(item) ? item : ([owner.partition, item as number] as const)
    const event = eventAt(partition, offset)
    return event === undefined ? { type: 'missing', data: null } : { type: event.type, data: event.data }
  })
  const seq = row['seq'] as number
  const at = row['at'] as number
  const kind = KINDS[row['kind'] as number]!
  const name = row['name'] === null ? effects.n! : names.text(row['name'] as number)
  const id = row['cause_id'] as string | null
  const change = row['change'] as string | null
  return {
    seq,
    at,
    cause: {
      kind,
      name,
      id: id === null ? usualCauseId(kind, name, seq, owner)! : longId(id, owner.incarnation),
      at: at - (row['cause_before'] as number),
      ...(effects.cb === undefined ? {} : { by: effects.cb }),
      ...(effects.cs === undefined ? {} : { source: effects.cs }),
      correlation: effects.cc ?? owner.correlation,
    },
    from: row['from'] === null ? null : names.text(row['from'] as number),
    to: names.text(row['to'] as number),
    outcome: OUTCOMES[(row['outcome'] as number) >> 1]!,
    changed: change === null ? {} : (jsonIn('change', longText(change, owner.incarnation)) as Record<string, unknown>),
    removed: effects.r ?? [],
    emitted,
    opened: row['opened'] === null ? (effects.o ?? []) : [names.text(row['opened'] as number)],
    dropped: effects.d ?? [],
    spawned: (effects.s ?? []).map(([machine, id]) => ({ machine, id })),
    ...(effects.b === undefined ? {} : { by: effects.b }),
    ...(effects.w === undefined ? {} : { why: effects.w }),
  }
}
