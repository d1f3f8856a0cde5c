// What ends in the tables: retention, removal, and the recount that both laws are checked by.
import { carriedMessages, carriedRemoved, instanceCount, messageCount } from '../../core/counts.ts'
import type { Counts, Recount, RetentionCut, Tombstone } from '../store.ts'
import { keyOf } from './rows.ts'
import type { InstanceRow } from './rows.ts'
import type { Space } from './space.ts'

type Ended = 'done' | 'failed' | 'cancelled'
const hasEnded = (condition: InstanceRow['condition']): condition is Ended =>
  condition === 'done' || condition === 'failed' || condition === 'cancelled'

/** Whether nobody else may be looking at what a partition holds. */
const isFree = (space: Space, session: string, partition: number): boolean =>
  [null, session].includes(space.partitions[partition]?.session ?? null)

/** Deletes one batch of what is over; answers how many rows went. */
export function retain(space: Space, session: string, cut: RetentionCut): number {
  const mine = (partition: number): boolean => isFree(space, session, partition)
  let rows = 0
  const full = (): boolean => rows >= cut.limit
  for (const [key, receipt] of space.receipts)
    if (!full() && receipt.at < cut.receiptsBefore) rows += Number(space.receipts.delete(key))
  for (const [key, stone] of space.stones)
    if (!full() && stone.at < cut.receiptsBefore) rows += Number(space.stones.delete(key))
  if (cut.deadBefore !== undefined)
    for (const letter of space.dead.values()) {
      if (full() || letter.at >= cut.deadBefore || !mine(letter.partition)) continue
      rows += Number(space.dead.delete(letter.id))
      if (letter.unit) discard(space, 'dead')
    }
  if (cut.endedBefore !== undefined)
    rows += retainEnded(space, { ...cut, endedBefore: cut.endedBefore, limit: cut.limit - rows }, mine)
  return rows
}

function retainEnded(
  space: Space,
  { endedBefore: before, receiptsBefore, limit }: RetentionCut & { readonly endedBefore: number },
  mine: (partition: number) => boolean,
): number {
  let rows = 0
  for (const row of space.instances.values()) {
    if (rows >= limit) return rows
    // One instance goes whole, even where it has more rows than are left of the limit.
    const { machine, id, endedAt, condition } = row
    if (endedAt === null || endedAt >= before || !hasEnded(condition) || !mine(row.partition)) continue
    rows += dropEnded(space, row, condition)
    // A late copy of the message that started it must not start it again while receipts of that time are kept.
    if (endedAt >= receiptsBefore) putStone(space, { target: { machine, id }, at: endedAt, why: 'retention' })
  }
  // Events from outside belong to no journal: they go when an instance of their age would.
  if (rows < limit) rows += dropEvents(space, (event) => event.k === null && event.at < before)
  return rows
}

function putStone(space: Space, stone: Tombstone): void {
  space.stones.set(keyOf(stone.target.machine, stone.target.id), { at: stone.at, text: JSON.stringify(stone) })
}

function dropEvents(
  space: Space,
  over: (event: { readonly k: number | null; readonly at: number }) => boolean,
): number {
  let rows = 0
  for (const log of space.events.values())
    for (const [offset, event] of log) if (over(event)) rows += Number(log.delete(offset))
  return rows
}

/** Deletes an ended instance with its journal and its events, and carries what they counted for. */
function dropEnded(space: Space, row: InstanceRow, condition: Ended): number {
  const journal = space.journal.get(row.k) ?? []
  for (const { unit, outcome } of journal)
    if (unit && outcome !== 'late') space.count({ [carriedMessages(outcome)]: 1 })
  for (const n of space.waitingOf.get(row.k) ?? []) if (space.waiting.get(n)!.unit) discard(space, 'waiting')
  space.count({
    [instanceCount(row.machine, condition)]: -1,
    [instanceCount(row.machine, 'removed')]: 1,
    [carriedRemoved(row.machine)]: 1,
  })
  space.dropInstance(row)
  return 1 + journal.length + dropEvents(space, (event) => event.k === row.k)
}

const discard = (space: Space, was: 'dead' | 'waiting'): void =>
  space.count({ [messageCount(was)]: -1, [messageCount('discarded')]: 1, [carriedMessages('discarded')]: 1 })

/** Erases one ended instance and leaves a stone. False: it is not there, it lives, or it is another session's. */
export function remove(space: Space, session: string, stone: Tombstone): boolean {
  const key = keyOf(stone.target.machine, stone.target.id)
  const k = space.names.get(key)
  const row = k === undefined ? undefined : space.instances.get(k)
  if (row === undefined || !hasEnded(row.condition) || !isFree(space, session, row.partition)) return false
  dropEnded(space, row, row.condition)
  putStone(space, stone)
  return true
}

type MachineRecount = Record<InstanceRow['condition'], number> & {
  started: number
  removed: number
  states: Record<string, number>
}

/**
 * Counts the rows, and adds what retention has carried. `started` and `accepted` are the left sides of the laws: as they were counted
 * where instances and messages come in. No other figure is asked.
 */
export function recount(space: Space): Recount {
  return { instances: recountInstances(space), messages: recountMessages(space) }
}

function recountInstances(space: Space): Recount['instances'] {
  const machines = new Map<string, MachineRecount>()
  const of = (machine: string): MachineRecount => {
    let sums = machines.get(machine)
    if (sums === undefined) {
      const states = Object.create(null) as Record<string, number>
      sums = { started: 0, running: 0, waiting: 0, stalled: 0, done: 0, failed: 0, cancelled: 0, removed: 0, states }
      machines.set(machine, sums)
    }
    return sums
  }
  for (const { machine, condition, state } of space.instances.values()) {
    const sums = of(machine)
    sums[condition]++
    if (!hasEnded(condition)) sums.states[state] = (sums.states[state] ?? 0) + 1
  }
  const carried = carriedRemoved('')
  for (const [name, sum] of Object.entries(space.sums))
    if (name.startsWith(carried)) of(name.slice(carried.length)).removed += sum
  for (const [machine, sums] of machines) sums.started = space.sums[instanceCount(machine, 'started')] ?? 0
  return Object.fromEntries(machines)
}

function recountMessages(space: Space): Recount['messages'] {
  const carried = (figure: Parameters<typeof carriedMessages>[0]): number => space.sums[carriedMessages(figure)] ?? 0
  const sums = { applied: carried('applied'), ignored: carried('ignored'), refused: carried('refused') }
  for (const rows of space.journal.values())
    for (const { unit, outcome } of rows) if (unit && outcome !== 'late') sums[outcome]++
  const units = (rows: Iterable<{ readonly unit: boolean }>): number => [...rows].filter(({ unit }) => unit).length
  return {
    accepted: space.sums[messageCount('accepted')] ?? 0,
    ...sums,
    unclaimed: carried('unclaimed'),
    waiting: units(space.waiting.values()),
    pending: units(space.inbox.all()),
    dead: units(space.dead.values()),
    discarded: carried('discarded'),
  }
}

/** The sums as they are now. */
export const counts = (space: Space): Counts => ({ ...space.sums })
