// The hot path: the rows of one change, written inside the transaction of the caller.
//
// Statements are prepared once, parameters positional, rows of one table together. An update of a running instance leaves out the
// columns that only a start, a stall or an end can change, so that no index is touched.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Instance } from '../../core/model.ts'
import type { Change, Counts, EventRow, InboxRow, JournalRow, ReceiptRow, WaitingRow } from '../store.ts'
import { PawlError } from '../../base/errors.ts'
import type { Buckets } from './buckets.ts'
import { rowsMissing } from './failure.ts'
import type { Ids } from './ids.ts'
import type { Names } from './names.ts'
import type { Rare } from './rare.ts'
import {
  effectsText,
  eventIdAt,
  hasOpenCall,
  jsonOrNull,
  kindNumber,
  letterUnit,
  outcomeNumber,
  shortId,
  statusNumber,
  timeOfStamp,
  type Owner,
} from './rows.ts'

const marks = (n: number): string => Array.from({ length: n }, () => '?').join(', ')

const STATEMENTS = {
  insert: `insert into pawl_instances values (${marks(26)})`,
  // The usual case; no row is found where the instance was stalled, had ended or waited for a time.
  advance: `update pawl_instances set version = ?, state = ?, seq = ?, entry = ?, entered_at = ?, open = ?, data = ?, calls = ?, timers = ?,
    joined = ?, stamp = ?, parent = ?, priority = ?, fair_key = ? where k = ? and status = 0 and due_at is null`,
  update: `update pawl_instances set incarnation = ?, version = ?, status = ?, state = ?, seq = ?, entry = ?, entered_at = ?, open = ?, data = ?,
    calls = ?, timers = ?, due_at = ?, joined = ?, stamp = ?, parent = ?, start_hash = ?, stalled = ?, correlation = ?, priority = ?,
    fair_key = ?, started_at = ?, ended_at = ? where k = ?`,
  owner:
    'select incarnation, coalesce(correlation, incarnation) correlation, partition from pawl_instances where k = ?',
  life: 'insert into pawl_lives select k, ?, incarnation, correlation from pawl_instances where k = ?',
  journal: `insert into pawl_journal values (${marks(12)})`,
  event: `insert into pawl_events values (${marks(12)})`,
  child: `insert or replace into pawl_children values (${marks(8)})`,
  waiting: `insert into pawl_waiting values (${marks(12)})`,
  rewaiting: 'update pawl_waiting set k = ?, why = ?, until = ?, left_ms = ? where n = ?',
  unwaiting: 'delete from pawl_waiting where n = ?',
  inbox: `insert into pawl_inbox values (${marks(5)})`,
  read: 'delete from pawl_inbox where n = ?',
  receipt: `insert or replace into pawl_receipts values (${marks(10)})`,
  dead: `insert into pawl_dead_letters values (null, ${marks(10)})`,
  undead: 'delete from pawl_dead_letters where id = ?',
  count: 'insert into pawl_counters values (?, ?) on conflict do update set value = value + excluded.value',
  head: 'insert into pawl_partitions values (?, ?, ?) on conflict do update set head = excluded.head, stamp = excluded.stamp',
} as const

/** What a journal row is written with: its instance as it is after the change, or as it is in the file. */
type RowOwner = Owner & Partial<Pick<Instance, 'data' | 'dataText'>>

const missingOwner = (k: number): never => {
  throw rowsMissing(`a journal row belongs to k ${k}, and there is no such instance`)
}

/** Writes the rows of changes. */
export class Writer {
  readonly #names: Names
  readonly #ids: Ids
  readonly #rare: Rare
  readonly #buckets: Buckets
  readonly #run: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>
  #lastInbox: number

  constructor(db: DatabaseSync, names: Names, ids: Ids, rare: Rare, buckets: Buckets) {
    this.#names = names
    this.#ids = ids
    this.#rare = rare
    this.#buckets = buckets
    const run: Partial<Record<keyof typeof STATEMENTS, StatementSync>> = {}
    for (const [name, sql] of Object.entries(STATEMENTS)) run[name as keyof typeof STATEMENTS] = db.prepare(sql)
    this.#run = run as Record<keyof typeof STATEMENTS, StatementSync>
    this.#lastInbox = Number(db.prepare('select coalesce(max(n), 0) n from pawl_inbox').get()!['n'])
  }

  /** Writes a change; answers the places of its inbox rows. Throws PawlErrors `NO_DEAD_LETTER` and `ROWS_MISSING`, or what SQLite throws: the caller rolls back. */
  apply(change: Change): readonly number[] {
    for (const id of change.undead)
      if (this.#run.undead.run(id).changes === 0)
        throw new PawlError('NO_DEAD_LETTER', `dead letter ${id} is gone: somebody has redriven it`)
    this.#instances(change)
    this.#messages(change)
    for (const row of change.events) this.#event(row)
    for (const { k, child } of change.children)
      this.#run.child.run(
        k,
        child.machine,
        child.id,
        child.incarnation,
        child.seq,
        child.state,
        child.status,
        JSON.stringify(child.data),
      )
    for (const { partition, head, stamp } of change.heads) this.#run.head.run(partition, head, stamp)
    const places = this.append(change.inbox)
    this.count(change.counts)
    return places
  }

  /** Adds rows to the inbox; answers their places. */
  append(rows: readonly Omit<InboxRow, 'n'>[]): readonly number[] {
    return rows.map((row) => {
      const n = ++this.#lastInbox
      this.#run.inbox.run(n, row.partition, row.priority, letterUnit(row.letter), JSON.stringify(row.letter))
      return n
    })
  }

  /** Adds differences to the sums. */
  count(counts: Counts): void {
    for (const name in counts) if (counts[name] !== 0) this.#run.count.run(name, counts[name]!)
  }

  #instances({ instances, created, journal }: Change): void {
    const owners = new Map<number, RowOwner>()
    for (const instance of instances) {
      owners.set(instance.k, instance)
      if (created.has(instance.k)) this.#insert(instance)
    }
    const earlier = this.#lives(journal, owners)
    for (const row of journal) {
      const life = earlier?.get(row.k)
      const owner =
        life !== undefined && row.entry.seq < life.seq ? life.owner : (owners.get(row.k) ?? this.#owner(row.k))
      this.#journal(row, owner ?? missingOwner(row.k))
    }
    for (const instance of instances) if (!created.has(instance.k)) this.#update(instance)
  }

  #insert(i: Instance): void {
    const machine = this.#names.number(i.machine)
    this.#ids.add(machine, i.id, i.k)
    this.#run.insert.run(
      i.k,
      machine,
      i.id,
      i.partition,
      i.incarnation,
      i.version,
      statusNumber(i.status),
      this.#names.number(i.state),
      i.seq,
      i.entry,
      i.enteredAt,
      hasOpenCall(i.calls) ? 1 : 0,
      i.dataText,
      jsonOrNull(i.calls),
      jsonOrNull(i.timers),
      i.dueAt,
      jsonOrNull(i.joined),
      i.stamp,
      jsonOrNull(i.parent),
      i.startHash,
      jsonOrNull(i.stalled),
      i.correlation === i.incarnation ? null : i.correlation,
      i.priority,
      i.fairKey,
      i.startedAt,
      i.endedAt,
    )
  }

  #update(i: Instance): void {
    const state = this.#names.number(i.state)
    const open = hasOpenCall(i.calls) ? 1 : 0
    const calls = jsonOrNull(i.calls)
    const timers = jsonOrNull(i.timers)
    const joined = jsonOrNull(i.joined)
    const parent = jsonOrNull(i.parent)
    if (i.status === 'live' && i.dueAt === null) {
      const { changes } = this.#run.advance.run(
        i.version,
        state,
        i.seq,
        i.entry,
        i.enteredAt,
        open,
        i.dataText,
        calls,
        timers,
        joined,
        i.stamp,
        parent,
        i.priority,
        i.fairKey,
        i.k,
      )
      if (changes === 1) return
    }
    const { changes } = this.#run.update.run(
      i.incarnation,
      i.version,
      statusNumber(i.status),
      state,
      i.seq,
      i.entry,
      i.enteredAt,
      open,
      i.dataText,
      calls,
      timers,
      i.dueAt,
      joined,
      i.stamp,
      parent,
      i.startHash,
      jsonOrNull(i.stalled),
      i.correlation === i.incarnation ? null : i.correlation,
      i.priority,
      i.fairKey,
      i.startedAt,
      i.endedAt,
      i.k,
    )
    if (changes !== 1) throw rowsMissing(`${i.machine} ${i.id} (k ${i.k}) is to be updated, and is not there`)
  }

  #owner(k: number): Owner | undefined {
    return this.#run.owner.get(k) as unknown as Owner | undefined
  }

  /** A new life under the same `k`: journal rows of the one before are short against its incarnation, which is kept for them. */
  #lives(
    journal: Change['journal'],
    owners: ReadonlyMap<number, Owner>,
  ): ReadonlyMap<number, { readonly seq: number; readonly owner: Owner }> | undefined {
    let lives: Map<number, { readonly seq: number; readonly owner: Owner }> | undefined
    for (const { k, entry } of journal) {
      if (entry.cause.kind !== 'start' || entry.seq === 1 || lives?.has(k) === true) continue
      const owner = this.#owner(k)
      // Created in this very change: none of its rows is short against the first life.
      if (owner === undefined || owner.incarnation === owners.get(k)?.incarnation) continue
      this.#run.life.run(entry.seq, k)
      ;(lives ??= new Map()).set(k, { seq: entry.seq, owner })
    }
    return lives
  }

  #journal(row: JournalRow, owner: RowOwner): void {
    const { entry } = row
    const { cause } = entry
    this.#run.journal.run(
      row.k,
      entry.seq,
      entry.at,
      kindNumber(cause.kind),
      outcomeNumber(entry),
      cause.name,
      shortId(cause.id, owner.incarnation),
      cause.at === entry.at ? null : cause.at,
      entry.from === null ? null : this.#names.number(entry.from),
      this.#names.number(entry.to),
      // The first row changes all: its text is there already.
      entry.change === owner.data && owner.dataText !== undefined ? owner.dataText : jsonOrNull(entry.change),
      effectsText(row, owner),
    )
  }

  #event(e: EventRow): void {
    this.#run.event.run(
      e.partition,
      e.offset,
      e.stamp,
      e.k,
      e.seq,
      e.id === eventIdAt(e.partition, e.offset) ? null : e.id,
      this.#names.number(e.type),
      e.version,
      e.key,
      JSON.stringify(e.data),
      e.at === timeOfStamp(e.stamp) ? null : e.at,
      e.correlation,
    )
  }

  #messages(change: Change): void {
    for (const n of change.read)
      if (this.#run.read.run(n).changes !== 1) throw rowsMissing(`inbox row ${n} is not there to be read`)
    for (const n of change.unwaiting)
      if (this.#run.unwaiting.run(n).changes !== 1) throw rowsMissing(`waiting row ${n} is not there`)
    for (const { k, waiting: w } of change.rewaiting) {
      if (k === null) this.#rare.orphans = true
      if (this.#run.rewaiting.run(k, w.why, w.until, w.leftMs, w.n).changes !== 1)
        throw rowsMissing(`waiting row ${w.n} is not there`)
    }
    for (const row of change.waiting) this.#waiting(row)
    for (const row of change.receipts) this.#receipt(row)
    for (const d of change.deadLetters)
      this.#run.dead.run(
        d.id,
        d.machine,
        d.instance,
        d.partition,
        d.at,
        d.code,
        d.message,
        d.input.kind === 'message' ? 1 : 0,
        JSON.stringify(d.input),
        jsonOrNull(d.delivery),
      )
  }

  #waiting({ k, target, partition, waiting: w, delivery }: WaitingRow): void {
    if (k === null) this.#rare.orphans = true
    this.#run.waiting.run(
      w.n,
      k,
      target.machine,
      target.id,
      partition,
      w.why,
      w.until,
      w.leftMs,
      w.size,
      w.input.kind === 'message' ? 1 : 0,
      JSON.stringify(w.input),
      jsonOrNull(delivery),
    )
  }

  #receipt(r: ReceiptRow): void {
    this.#run.receipt.run(
      this.#buckets.of(r.at),
      r.target,
      r.source,
      r.id,
      r.hash,
      r.at,
      r.outcome,
      r.why ?? null,
      r.state ?? null,
      r.seq ?? null,
    )
  }
}
