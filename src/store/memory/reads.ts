// What is read of the tables in memory. Every answer is made from texts, so nobody shares anything with the tables.
import { PawlError } from '../../base/errors.ts'
import type { ChildRecord, Instance } from '../../core/model.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import type {
  DeadLetterRow,
  EventRow,
  Found,
  JournalRead,
  ListQuery,
  ReceiptKey,
  ReceiptRow,
  Target,
  WaitingRow,
} from '../store.ts'
import { instanceOf, journalOf, keyOf, read } from './rows.ts'
import type { InstanceRow } from './rows.ts'
import type { Space } from './space.ts'

/** What there is of each target. */
export function load(space: Space, targets: readonly Target[]): readonly Found[] {
  return targets.map(({ machine, id }) => {
    const target = { machine, id }
    const key = keyOf(machine, id)
    const k = space.names.get(key)
    if (k === undefined) return { target, loaded: null, orphans: waitingAt(space, key) }
    const children = [...(space.children.get(k)?.values() ?? [])].map((row) => read<ChildRecord>(row))
    const instance = instanceOf(space.instances.get(k)!)
    return { target, loaded: { instance, waiting: waitingAt(space, k), children }, orphans: [] }
  })
}

const waitingAt = (space: Space, key: number | string): readonly WaitingRow[] =>
  [...(space.waitingOf.get(key) ?? [])].toSorted((a, b) => a - b).map((n) => read<WaitingRow>(space.waiting.get(n)!))

/** Instances of these partitions whose time has come by `until`. */
export function due(
  space: Space,
  partitions: readonly number[],
  until: number,
  limit: number,
): readonly (Target & { readonly dueAt: number })[] {
  return marked(space, space.dueIn, partitions)
    .flatMap(({ k, machine, id, dueAt }) => (dueAt !== null && dueAt <= until ? [{ k, machine, id, dueAt }] : []))
    .toSorted((a, b) => a.dueAt - b.dueAt || a.k - b.k)
    .slice(0, limit)
    .map(({ machine, id, dueAt }) => ({ machine, id, dueAt }))
}

const marked = (
  space: Space,
  index: ReadonlyMap<number, ReadonlySet<number>>,
  partitions: readonly number[],
): readonly InstanceRow[] =>
  partitions.flatMap((partition) => [...(index.get(partition) ?? [])].map((k) => space.instances.get(k)!))

/** When the next thing falls due in these partitions. */
export function nextDue(space: Space, partitions: readonly number[]): number | null {
  let next = Infinity
  for (const { dueAt } of marked(space, space.dueIn, partitions)) next = Math.min(next, dueAt!)
  const own = new Set(partitions)
  for (const { k, until, partition } of space.waiting.values())
    if (k === null && until !== null && own.has(partition)) next = Math.min(next, until)
  return next === Infinity ? null : next
}

/** Orphans that have waited too long. */
export function expired(
  space: Space,
  partitions: readonly number[],
  until: number,
  limit: number,
): readonly WaitingRow[] {
  const own = new Set(partitions)
  return [...space.waiting.values()]
    .filter((row) => row.k === null && row.until !== null && row.until <= until && own.has(row.partition))
    .toSorted((a, b) => a.until! - b.until! || a.n - b.n)
    .slice(0, limit)
    .map((row) => read<WaitingRow>(row))
}

/** Instances with an open call. */
export function openCalls(
  space: Space,
  partitions: readonly number[],
  before: number | null,
  limit: number,
): readonly { readonly k: number; readonly target: Target }[] {
  return marked(space, space.openIn, partitions)
    .filter((row) => before === null || row.k < before)
    .toSorted((a, b) => b.k - a.k)
    .slice(0, limit)
    .map(({ k, machine, id }) => ({ k, target: { machine, id } }))
}

/** Those of the receipts that are there. */
export const receipts = (space: Space, keys: readonly ReceiptKey[]): readonly ReceiptRow[] =>
  keys.flatMap(({ target, source, id }) => {
    const row = space.receipts.get(keyOf(target, source, id))
    return row === undefined ? [] : [read<ReceiptRow>(row)]
  })

/** The journal of one instance. */
export function journal(space: Space, k: number, after: number, limit: number): readonly JournalRead[] {
  const event = (partition: number, offset: number): EventRow | undefined => {
    const row = space.events.get(partition)?.get(offset)
    return row === undefined ? undefined : read<EventRow>(row)
  }
  const rows = (space.journal.get(k) ?? []).filter((row) => row.seq > after).slice(0, limit)
  return rows.map((row) => journalOf(row, event))
}

/** Events of one partition. */
export function events(space: Space, partition: number, after: number, limit: number): readonly EventRow[] {
  const log = space.events.get(partition)
  if (log === undefined) return []
  const offsets = [...log.keys()].filter((offset) => offset > after).toSorted((a, b) => a - b)
  return offsets.slice(0, limit).map((offset) => read<EventRow>(log.get(offset)!))
}

const ended = (row: InstanceRow): boolean => row.endedAt !== null

/** Where a row stands in a list: its section, and its place in there. */
type Place = readonly [section: number, first: number, second: number]
const placeOf = ({ condition, endedAt, k }: InstanceRow): Place => {
  if (endedAt !== null) return [2, -endedAt, -k]
  return [condition === 'stalled' ? 1 : 0, k, 0]
}
const compare = (a: Place, b: Place): number => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]

function cursorOf(after: string | undefined): Place | undefined {
  if (after === undefined) return undefined
  const [section, first, second] = after.split(':').map(Number)
  if (![section, first, second].every(Number.isFinite))
    throw new PawlError('BAD_CURSOR', `after: '${after}' is no cursor of a list: pass the \`next\` of the page before`)
  return [section!, first!, second!]
}

/** A page of instances: the living ones oldest first, then the stalled ones, then those that have ended, newest end first. */
export function list(space: Space, query: ListQuery): { readonly items: readonly Instance[]; readonly next?: string } {
  const states = query.state === undefined ? undefined : new Set([query.state].flat())
  const after = cursorOf(query.after)
  const rows = [...space.instances.values()]
    .filter(
      (row) =>
        row.machine === query.machine &&
        (states === undefined || states.has(row.state)) &&
        (query.status === undefined || row.condition === query.status) &&
        (query.stallCode === undefined || row.stallCode === query.stallCode),
    )
    .map((row) => ({ row, place: placeOf(row) }))
    .filter(({ place }) => after === undefined || compare(place, after) > 0)
    .toSorted((a, b) => compare(a.place, b.place))
  const page = rows.slice(0, query.limit)
  const items = page.map(({ row }) => instanceOf(row))
  return page.length < rows.length ? { items, next: page.at(-1)!.place.join(':') } : { items }
}

/** A page of dead letters, newest first. The cursor is a place, so it stays right when its letter goes. */
export function deadLetters(
  space: Space,
  query: { readonly machine?: string; readonly limit: number; readonly after?: string },
): { readonly items: readonly DeadLetterRow[]; readonly next?: string } {
  const before = query.after === undefined ? Infinity : Number(query.after)
  if (Number.isNaN(before))
    throw new PawlError(
      'BAD_CURSOR',
      `after: '${query.after}' is no cursor of dead letters: pass the \`next\` of the page before`,
    )
  const rows = [...space.dead.values()]
    .filter((row) => row.n < before && (query.machine === undefined || row.machine === query.machine))
    .toReversed()
  const page = rows.slice(0, query.limit)
  const items = page.map((row) => read<DeadLetterRow>(row))
  return page.length < rows.length ? { items, next: String(page.at(-1)!.n) } : { items }
}

/** Where the living and the stalled instances of a machine are. */
export function population(
  space: Space,
  machine: string,
): readonly { readonly version: number; readonly state: string; readonly count: number }[] {
  const groups = new Map<string, { version: number; state: string; count: number }>()
  for (const row of space.instances.values()) {
    if (row.machine !== machine || ended(row)) continue
    const key = keyOf(String(row.version), row.state)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, { version: row.version, state: row.state, count: 1 })
    else group.count++
  }
  return [...groups.values()]
}

/** One dead letter. */
export function deadLetter(space: Space, id: string): DeadLetterRow | null {
  const row = space.dead.get(id)
  return row === undefined ? null : read<DeadLetterRow>(row)
}

/** The graphs that were saved. */
export const graphs = (
  space: Space,
): readonly {
  readonly name: string
  readonly version: number
  readonly hash: string
  readonly graph: MachineGraph
}[] =>
  [...space.graphs.values()].map((row) => ({
    name: row.name,
    version: row.version,
    hash: row.hash,
    graph: read<MachineGraph>(row),
  }))
