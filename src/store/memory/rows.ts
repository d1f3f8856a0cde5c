// Rows of the tables in memory. What a row holds is kept as its JSON text, so that this store is as honest as a database:
// nothing is shared with whoever wrote it, and what JSON does not have is gone. Beside the text stand the few columns that a
// query looks at.
import { conditionOf } from '../../core/counts.ts'
import type { ChildRecord, Instance, JournalEntry } from '../../core/model.ts'
import type { DeadLetterRow, EventRow, InboxRow, JournalRead, JournalRow, Target, WaitingRow } from '../store.ts'

/** One string for (machine, id), or any other names that make a key together: none of them has U+0000 in it. */
export const keyOf = (...names: readonly string[]): string => names.join('\0')

/** A row that is its text and a column or two. Never changed: it gives way to another one. */
export interface TextRow {
  readonly text: string
  /** What the text says, once somebody has read it. */
  made?: unknown
}

/** Of the table of instances. */
export interface InstanceRow extends TextRow {
  readonly k: number
  readonly machine: string
  readonly id: string
  readonly partition: number
  readonly version: number
  readonly state: string
  readonly condition: ReturnType<typeof conditionOf>
  readonly stallCode: string | null
  readonly dueAt: number | null
  readonly endedAt: number | null
  /** `data`, apart from the other columns, as it was handed in. */
  readonly dataText: string
  /** The whole of it, once somebody has read it. */
  instance?: Instance
}

/** An instance as a row. */
export function instanceRow(instance: Instance): InstanceRow {
  const { data: _data, dataText, ...columns } = instance
  return {
    k: instance.k,
    machine: instance.machine,
    id: instance.id,
    partition: instance.partition,
    version: instance.version,
    state: instance.state,
    condition: conditionOf(instance),
    stallCode: instance.stalled?.code ?? null,
    dueAt: instance.dueAt,
    endedAt: instance.endedAt,
    dataText,
    text: JSON.stringify(columns),
  }
}

const freeze = <T>(value: T): T => {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const part of Object.values(value)) freeze(part)
  }
  return value
}

/** What a text says, deep-frozen: so all who read a row share one copy, which nobody can change. */
export const read = <T>(row: TextRow): T => (row.made ??= freeze(JSON.parse(row.text) as T)) as T

/** The instance of a row. */
export const instanceOf = (row: InstanceRow): Instance =>
  (row.instance ??= freeze({
    ...read<Omit<Instance, 'data' | 'dataText'>>(row),
    data: JSON.parse(row.dataText) as Instance['data'],
    dataText: row.dataText,
  }))

/** A message of a journal row: a command whole, an event by its place in the log. */
type EmittedText =
  | { readonly event: readonly [partition: number, offset: number]; readonly type: string }
  | { readonly command: { readonly type: string; readonly data: unknown; readonly key: string } }

/** Of the journal, with the columns that the law of messages is recounted from. */
export interface JournalTextRow extends TextRow {
  readonly seq: number
  readonly unit: boolean
  readonly outcome: JournalEntry['outcome']
}

/** A journal row as it is kept. */
export function journalRow({ entry, events }: JournalRow): JournalTextRow {
  let used = 0
  const emitted = entry.emitted.map(({ message, data, key }): EmittedText => {
    const event = message.kind === 'event' ? events[used++] : undefined
    return event === undefined ? { command: { type: message.type, data, key } } : { event, type: message.type }
  })
  return { seq: entry.seq, unit: entry.unit, outcome: entry.outcome, text: JSON.stringify({ ...entry, emitted }) }
}

/** A journal row read back; `event` finds an event in the log, or undefined where retention has taken it. */
export function journalOf(
  row: JournalTextRow,
  event: (partition: number, offset: number) => EventRow | undefined,
): JournalRead {
  const entry = JSON.parse(row.text) as Omit<JournalEntry, 'emitted'> & { readonly emitted: readonly EmittedText[] }
  const emitted = entry.emitted.flatMap((one) => {
    if ('command' in one) return [{ type: one.command.type, data: one.command.data }]
    const found = event(...one.event)
    return found === undefined ? [] : [{ type: found.type, data: found.data }]
  })
  return freeze({
    seq: entry.seq,
    at: entry.at,
    cause: entry.cause,
    from: entry.from,
    to: entry.to,
    outcome: entry.outcome,
    changed: entry.change ?? {},
    removed: entry.removed,
    emitted,
    opened: entry.opened,
    dropped: entry.dropped,
    spawned: entry.spawned.map(({ machine, id }) => ({ machine, id })),
    ...(entry.by === undefined ? {} : { by: entry.by }),
    ...(entry.why === undefined ? {} : { why: entry.why }),
  })
}

/** Of the event log. */
export interface EventTextRow extends TextRow {
  readonly k: number | null
  readonly at: number
}
/** An event as a row. */
export const eventRow = (event: EventRow): EventTextRow => ({ k: event.k, at: event.at, text: JSON.stringify(event) })

/** Of the waiting messages. */
export interface WaitingTextRow extends TextRow {
  readonly n: number
  readonly k: number | null
  readonly target: Target
  readonly partition: number
  readonly until: number | null
  /** It is an event or a command, not a cancel. */
  readonly unit: boolean
}
/** A waiting message as a row. */
export const waitingRow = (row: WaitingRow): WaitingTextRow => ({
  n: row.waiting.n,
  k: row.k,
  target: { machine: row.target.machine, id: row.target.id },
  partition: row.partition,
  until: row.waiting.until,
  unit: row.waiting.input.kind === 'message',
  text: JSON.stringify(row),
})

/** Of the inbox, without its place. */
export interface LetterTextRow extends TextRow {
  readonly partition: number
  readonly priority: number
  /** It is an event or a command. */
  readonly unit: boolean
}
/** Of the inbox. */
export interface InboxTextRow extends LetterTextRow {
  readonly n: number
}
/** A row of the inbox that has no place yet. */
export const letterRow = (row: Omit<InboxRow, 'n'>): LetterTextRow => ({
  partition: row.partition,
  priority: row.priority,
  unit: row.letter.kind === 'event' || row.letter.input.kind === 'message',
  text: JSON.stringify(row),
})
/** A row of the inbox as it is read. */
export const inboxRow = (row: InboxTextRow): InboxRow => ({ ...read<Omit<InboxRow, 'n'>>(row), n: row.n })

/** Of the dead letters. */
export interface DeadTextRow extends TextRow {
  readonly id: string
  readonly machine: string
  readonly partition: number
  readonly at: number
  /** It is an event or a command. */
  readonly unit: boolean
}
/** A dead letter as a row. */
export const deadRow = (row: DeadLetterRow): DeadTextRow => ({
  id: row.id,
  machine: row.machine,
  partition: row.partition,
  at: row.at,
  unit: row.input.kind === 'message',
  text: JSON.stringify(row),
})

/** A child as a row. */
export const childRow = (child: ChildRecord): TextRow => ({ text: JSON.stringify(child) })
