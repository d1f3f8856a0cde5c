// What a commit does to the tables. A change is made rows (texts) when it is handed in, checked against the tables, and then
// written without anything that could fail half way.
import { PawlError } from '../../base/errors.ts'
import type { Change, CommitResult, Counts, PartitionHead, WaitingRow } from '../store.ts'
import { childRow, deadRow, eventRow, instanceRow, journalRow, keyOf, letterRow, read, waitingRow } from './rows.ts'
import type {
  DeadTextRow,
  EventTextRow,
  InstanceRow,
  JournalTextRow,
  LetterTextRow,
  TextRow,
  WaitingTextRow,
} from './rows.ts'
import type { Space } from './space.ts'

/** A change as rows: it shares nothing with what was handed in. */
export interface ChangeRows {
  readonly created: ReadonlySet<number>
  readonly instances: readonly InstanceRow[]
  readonly journal: readonly (JournalTextRow & { readonly k: number })[]
  readonly events: readonly (EventTextRow & { readonly partition: number; readonly offset: number })[]
  readonly children: readonly (TextRow & { readonly k: number; readonly key: string })[]
  readonly waiting: readonly WaitingTextRow[]
  readonly rewaiting: readonly (TextRow & { readonly n: number })[]
  readonly unwaiting: readonly number[]
  readonly inbox: readonly LetterTextRow[]
  readonly read: readonly number[]
  readonly receipts: readonly (TextRow & { readonly at: number; readonly key: string })[]
  readonly deadLetters: readonly DeadTextRow[]
  readonly undead: readonly string[]
  readonly counts: Counts
  readonly heads: readonly PartitionHead[]
}

/** Throws what JSON.stringify throws, for a value that is no JSON. */
export const changeRows = (change: Change): ChangeRows => ({
  created: new Set(change.created),
  instances: change.instances.map(instanceRow),
  journal: change.journal.map((row) => ({ k: row.k, ...journalRow(row) })),
  events: change.events.map((row) => ({ partition: row.partition, offset: row.offset, ...eventRow(row) })),
  children: change.children.map(({ k, child }) => ({ k, key: keyOf(child.machine, child.id), ...childRow(child) })),
  waiting: change.waiting.map(waitingRow),
  rewaiting: change.rewaiting.map((row) => ({ n: row.waiting.n, text: JSON.stringify(row) })),
  unwaiting: [...change.unwaiting],
  inbox: change.inbox.map(letterRow),
  read: [...change.read],
  receipts: change.receipts.map((row) => ({
    key: keyOf(row.target, row.source, row.id),
    at: row.at,
    text: JSON.stringify(row),
  })),
  deadLetters: change.deadLetters.map(deadRow),
  undead: [...change.undead],
  counts: { ...change.counts },
  heads: change.heads.map((head) => ({ ...head })),
})

/** A row at fault: this change can never be written. */
const rejected = (code: string, message: string): CommitResult => ({
  kind: 'rejected',
  error: new PawlError(code, message),
})
/** A row that must be there is not: who computed the change has lost the thread. */
const broken = (message: string): CommitResult => ({ kind: 'broken', error: new PawlError('ROWS_MISSING', message) })

/** Why a change cannot be written, or undefined. */
export function fault(space: Space, rows: ChangeRows): CommitResult | undefined {
  return instanceFault(space, rows) ?? logFault(space, rows) ?? queueFault(space, rows)
}

function instanceFault(space: Space, { instances, created, children, journal }: ChangeRows): CommitResult | undefined {
  const names = new Set<string>()
  const here = new Set<number>()
  for (const { k, machine, id } of instances) {
    const name = keyOf(machine, id)
    const named = space.names.get(name)
    if (created.has(k)) {
      if (space.instances.has(k) || here.has(k) || named !== undefined || names.has(name))
        return rejected('DUPLICATE_ROW', `instance ${k} (${machine} ${id}) is there already`)
      names.add(name)
    } else if (named !== k) return broken(`instance ${k} (${machine} ${id}) is not there to be updated`)
    here.add(k)
  }
  for (const { k } of [...journal, ...children])
    if (!here.has(k) && !space.instances.has(k)) return broken(`a row belongs to instance ${k}, which is not there`)
  return undefined
}

function logFault(space: Space, rows: ChangeRows): CommitResult | undefined {
  const seqs = new Set<string>()
  for (const { k, seq } of rows.journal) {
    const key = `${k} ${seq}`
    const last = space.journal.get(k)?.at(-1)?.seq ?? 0
    if (seqs.has(key) || seq <= last)
      return rejected('DUPLICATE_ROW', `journal row ${seq} of instance ${k} is there already`)
    seqs.add(key)
  }
  const places = new Set<string>()
  for (const { partition, offset } of rows.events) {
    const key = `${partition} ${offset}`
    if (places.has(key) || space.events.get(partition)?.has(offset) === true)
      return rejected('DUPLICATE_ROW', `event ${offset} of partition ${partition} is there already`)
    places.add(key)
  }
  return undefined
}

/** The first that comes a second time, or undefined. */
function twice<T>(items: readonly T[]): T | undefined {
  const seen = new Set<T>()
  return items.find((item) => seen.size === seen.add(item).size)
}

function queueFault(space: Space, rows: ChangeRows): CommitResult | undefined {
  const read = twice(rows.read) ?? rows.read.find((n) => !space.inbox.has(n))
  if (read !== undefined) return broken(`inbox row ${read} is not there to be read`)
  const waits = rows.waiting.map((row) => row.n)
  const again = twice(waits) ?? waits.find((n) => space.waiting.has(n))
  if (again !== undefined) return rejected('DUPLICATE_ROW', `waiting row ${again} is there already`)
  const changed = [...rows.unwaiting, ...rows.rewaiting.map((row) => row.n)]
  const gone = twice(changed) ?? changed.find((n) => !space.waiting.has(n))
  if (gone !== undefined) return broken(`waiting row ${gone} is not there`)
  return deadFault(space, rows)
}

function deadFault(space: Space, rows: ChangeRows): CommitResult | undefined {
  const dead = rows.deadLetters.map((row) => row.id)
  const there = twice(dead) ?? dead.find((id) => space.dead.has(id))
  if (there !== undefined) return rejected('DUPLICATE_ROW', `dead letter ${there} is there already`)
  const gone = twice(rows.undead) ?? rows.undead.find((id) => !space.dead.has(id))
  if (gone !== undefined) return rejected('NO_DEAD_LETTER', `dead letter ${gone} is gone: somebody has redriven it`)
  const head = rows.heads.find(({ partition }) => space.partitions[partition] === undefined)
  return head === undefined ? undefined : broken(`there is no partition ${head.partition}`)
}

/** Writes what `fault` has let pass; answers the places of the inbox rows. */
export function write(space: Space, rows: ChangeRows): readonly number[] {
  for (const row of rows.instances) space.putInstance(row)
  for (const row of rows.journal) {
    const list = space.journal.get(row.k)
    if (list === undefined) space.journal.set(row.k, [row])
    else list.push(row)
  }
  for (const row of rows.events) {
    let log = space.events.get(row.partition)
    if (log === undefined) space.events.set(row.partition, (log = new Map<number, EventTextRow>()))
    log.set(row.offset, row)
  }
  for (const row of rows.children) {
    let list = space.children.get(row.k)
    if (list === undefined) space.children.set(row.k, (list = new Map<string, TextRow>()))
    list.set(row.key, row)
  }
  for (const n of rows.unwaiting) space.dropWaiting(n)
  for (const row of rows.waiting) space.putWaiting(row)
  for (const row of rows.rewaiting) rewait(space, row)
  for (const n of rows.read) space.inbox.delete(n)
  for (const row of rows.receipts) space.receipts.set(row.key, row)
  for (const id of rows.undead) space.dead.delete(id)
  for (const row of rows.deadLetters) space.putDead(row)
  for (const { partition, head, stamp } of rows.heads) Object.assign(space.partitions[partition]!, { head, stamp })
  space.count(rows.counts)
  return space.append(rows.inbox)
}

function rewait(space: Space, row: TextRow & { readonly n: number }): void {
  const old = read<WaitingRow>(space.waiting.get(row.n)!)
  space.putWaiting(waitingRow({ ...old, ...read<Pick<WaitingRow, 'k' | 'waiting'>>(row) }))
}
