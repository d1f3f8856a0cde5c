// Deleting what is over, in small batches, with the sums that stand for what has no row any more (core/counts.ts).
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { carriedMessages, carriedRemoved, instanceCount, messageCount, type Tally } from '../../core/counts.ts'
import type { RetentionCut, Tombstone } from '../store.ts'
import type { Buckets } from './buckets.ts'
import type { Ids } from './ids.ts'
import type { Names } from './names.ts'
import type { Rare } from './rare.ts'
import { placesOf, statusText, UNIT_OUTCOMES, type Row } from './rows.ts'

// Jumps from machine to machine in the index instead of reading all of it, as `distinct` would.
const KINDS = `with recursive m(n) as (select min(machine) from pawl_instances where status > 1
  union all select (select min(machine) from pawl_instances where status > 1 and machine > m.n) from m where m.n is not null)
  select n machine, s.column1 status from m join (values (2), (3), (4)) s where n is not null`
const STATEMENTS = {
  kinds: KINDS,
  ended: `select k, machine, id, partition, status, ended_at from pawl_instances indexed by pawl_instances_ended
    where machine = ? and status = ? and status > 1 and ended_at < ? order by ended_at limit ?`,
  one: 'select k, machine, id, partition, status, ended_at from pawl_instances where k = ? and status > 1',
  effects: 'select outcome, effects from pawl_journal where k = ?',
  event: 'delete from pawl_events where partition = ? and offset = ?',
  journal: 'delete from pawl_journal where k = ?',
  lives: 'delete from pawl_lives where k = ?',
  children: 'delete from pawl_children where k = ?',
  waitingUnits: 'select count(*) n from pawl_waiting where k = ? and unit = 1',
  waiting: 'delete from pawl_waiting where k = ?',
  instance: 'delete from pawl_instances where k = ?',
  stone: 'insert or replace into pawl_tombstones values (?, ?, ?, ?, ?)',
  // By its key and not by rowid, which these tables do not have.
  receipts: `delete from pawl_receipts where (bucket, target, source, id) in
    (select bucket, target, source, id from pawl_receipts where bucket <= ? limit ?)`,
  deadUnits:
    'select count(*) n from (select unit from pawl_dead_letters where at < ? order by at, n limit ?) where unit = 1',
  dead: 'delete from pawl_dead_letters where n in (select n from pawl_dead_letters where at < ? order by at, n limit ?)',
  stones: `delete from pawl_tombstones where (machine, id) in (select machine, id from pawl_tombstones where at < ? limit ?)`,
  outside: `delete from pawl_events where (partition, offset) in
    (select partition, offset from pawl_events indexed by pawl_events_outside where k is null and stamp < ? limit ?)`,
} as const

const STAMPS_A_MS = 1024

/** Deletes rows inside the transaction of the caller, and tells it which sums change. */
export class Retainer {
  readonly #names: Names
  readonly #ids: Ids
  readonly #rare: Rare
  readonly #buckets: Buckets
  readonly #run: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>

  constructor(db: DatabaseSync, names: Names, ids: Ids, rare: Rare, buckets: Buckets) {
    this.#names = names
    this.#ids = ids
    this.#rare = rare
    this.#buckets = buckets
    const run: Partial<Record<keyof typeof STATEMENTS, StatementSync>> = {}
    for (const [name, sql] of Object.entries(STATEMENTS)) run[name as keyof typeof STATEMENTS] = db.prepare(sql)
    this.#run = run as Record<keyof typeof STATEMENTS, StatementSync>
  }

  /** One batch of what `Store.retain` says, at the store's time `now`; answers the number of rows that went. */
  retain(cut: RetentionCut, tally: Tally, now: number): number {
    this.#buckets.fit(now - cut.receiptsBefore, now)
    let left = cut.limit
    const spend = (rows: number): void => {
      left -= rows
    }
    if (cut.endedBefore !== undefined) {
      for (const kind of this.#run.kinds.all()) {
        if (left <= 0) break
        this.#ended(kind, cut, left, tally, spend)
      }
      if (left > 0) spend(Number(this.#run.outside.run(cut.endedBefore * STAMPS_A_MS, left).changes))
    }
    if (left > 0) spend(Number(this.#run.receipts.run(cut.receiptsBefore, left).changes))
    if (left > 0) spend(Number(this.#run.stones.run(cut.receiptsBefore, left).changes))
    if (left > 0 && cut.deadBefore !== undefined) {
      const units = Number(this.#run.deadUnits.get(cut.deadBefore, left)!['n'])
      spend(Number(this.#run.dead.run(cut.deadBefore, left).changes))
      discard(tally, 'dead', units)
    }
    return cut.limit - left
  }

  /** Ended instances, oldest first. One that is begun goes whole, so a batch may be longer by its last instance. */
  #ended(kind: Row, cut: RetentionCut, limit: number, tally: Tally, spend: (rows: number) => void): void {
    let left = limit
    for (const row of this.#run.ended.all(Number(kind['machine']), Number(kind['status']), cut.endedBefore!, limit)) {
      if (left <= 0) break
      const rows = this.#instance(row, tally)
      // A late copy of the message that started it must not start it again while receipts of that time are kept.
      const endedAt = row['ended_at'] as number
      if (endedAt >= cut.receiptsBefore)
        this.#stone(this.#names.text(row['machine'] as number), row['id'] as string, endedAt, 'retention')
      left -= rows
      spend(rows)
    }
  }

  /** Erases an ended instance; false: there is none of that name. */
  remove({ target, at, why, by }: Tombstone, tally: Tally): boolean {
    const k = this.#ids.find(this.#names.find(target.machine), target.id)
    const row = k === undefined ? undefined : this.#run.one.get(k)
    if (row === undefined) return false
    this.#instance(row, tally)
    this.#stone(target.machine, target.id, at, why, by)
    return true
  }

  #stone(machine: string, id: string, at: number, why: string, by?: string): void {
    this.#rare.tombstones = true
    this.#run.stone.run(machine, id, at, why, by ?? null)
  }

  /** An instance with all that hangs on it; answers the number of rows. */
  #instance(row: Row, tally: Tally): number {
    const k = row['k'] as number
    const partition = row['partition'] as number
    this.#ids.remove(row['machine'] as number, row['id'] as string, k)
    const machine = this.#names.text(row['machine'] as number)
    let rows = 0
    for (const entry of this.#run.effects.all(k)) {
      for (const figure of ['applied', 'ignored', 'refused'] as const)
        if (entry['outcome'] === UNIT_OUTCOMES[figure]) tally.add(carriedMessages(figure))
      for (const [at, offset] of placesOf(entry['effects'] as string | null, partition))
        rows += Number(this.#run.event.run(at, offset).changes)
    }
    discard(tally, 'waiting', Number(this.#run.waitingUnits.get(k)!['n']))
    for (const name of ['journal', 'lives', 'children', 'waiting', 'instance'] as const)
      rows += Number(this.#run[name].run(k).changes)
    tally.add(instanceCount(machine, statusText(row['status'] as number) as 'done' | 'failed' | 'cancelled'), -1)
    tally.add(instanceCount(machine, 'removed'))
    tally.add(carriedRemoved(machine))
    return rows
  }
}

/** Messages that go undecided. */
function discard(tally: Tally, from: 'waiting' | 'dead', units: number): void {
  if (units === 0) return
  tally.add(messageCount(from), -units)
  tally.add(messageCount('discarded'), units)
  tally.add(carriedMessages('discarded'), units)
}
