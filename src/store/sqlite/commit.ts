// The hot path: the rows of one change, put on a tape (tape.ts) that is then played in one transaction.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import type { Instance } from '../../core/model.ts'
import type { Change, Counts, EventRow, InboxRow, JournalRow, ReceiptRow, WaitingRow } from '../store.ts'
import type { Buckets } from './buckets.ts'
import { rowsMissing } from './failure.ts'
import type { Ids } from './ids.ts'
import type { Names } from './names.ts'
import type { Rare } from './rare.ts'
import {
  causeAndEffects,
  eventIdAt,
  hasOpenCall,
  jsonOrNull,
  kindNumber,
  letterUnit,
  outcomeNumber,
  shortText,
  statusNumber,
  timeOfStamp,
  type Owner,
} from './rows.ts'
import type { Tape } from './tape.ts'

const OWNER =
  'select incarnation, coalesce(correlation, incarnation) correlation, partition from pawl_instances where k = ?'

/** What a journal row is written with: its instance as it is after the change, or as it is in the file. */
type RowOwner = Owner & Partial<Pick<Instance, 'data' | 'dataText'>>

const missingOwner = (k: number): never => {
  throw rowsMissing(`a journal row belongs to k ${k}, and there is no such instance`)
}

/** Makes the rows of changes. */
export class Writer {
  readonly #names: Names
  readonly #ids: Ids
  readonly #rare: Rare
  readonly #buckets: Buckets
  readonly #owners: StatementSync
  #lastInbox: number

  constructor(db: DatabaseSync, names: Names, ids: Ids, rare: Rare, buckets: Buckets) {
    this.#names = names
    this.#ids = ids
    this.#rare = rare
    this.#buckets = buckets
    this.#owners = db.prepare(OWNER)
    this.#lastInbox = Number(db.prepare('select coalesce(max(n), 0) n from pawl_inbox').get()!['n'])
  }

  /** Puts a change on the tape; answers the places of its inbox rows. Throws PawlError `ROWS_MISSING`, or what SQLite throws. */
  apply(change: Change, tape: Tape): readonly number[] {
    for (const id of change.undead) tape.put('undead', id)
    this.#instances(change, tape)
    this.#messages(change, tape)
    for (const row of change.events) this.#event(row, tape)
    for (const { k, child } of change.children) {
      const { machine, id, incarnation, seq, state, status, data } = child
      tape.put('child', k, machine, id, incarnation, seq, state, status, JSON.stringify(data))
    }
    for (const { partition, head, stamp } of change.heads) tape.put('head', partition, head, stamp)
    const places = this.append(change.inbox, tape)
    this.count(change.counts, tape)
    return places
  }

  /** Adds rows to the inbox; answers their places. */
  append(rows: readonly Omit<InboxRow, 'n'>[], tape: Tape): readonly number[] {
    return rows.map((row) => {
      const n = ++this.#lastInbox
      tape.put('inbox', n, row.partition, row.priority, letterUnit(row.letter), JSON.stringify(row.letter))
      return n
    })
  }

  /** Adds differences to the sums. */
  count(counts: Counts, tape: Tape): void {
    for (const name in counts) if (counts[name] !== 0) tape.put('count', name, counts[name]!)
  }

  #instances({ instances, created, journal }: Change, tape: Tape): void {
    const owners = new Map<number, RowOwner>()
    for (const instance of instances) {
      owners.set(instance.k, instance)
      if (created.has(instance.k)) this.#insert(instance, tape)
    }
    const earlier = this.#lives(journal, owners, tape)
    for (const row of journal) {
      const life = earlier?.get(row.k)
      const owner =
        life !== undefined && row.entry.seq < life.seq ? life.owner : (owners.get(row.k) ?? this.#owner(row.k))
      this.#journal(row, owner ?? missingOwner(row.k), tape)
    }
    for (const instance of instances) if (!created.has(instance.k)) this.#update(instance, tape)
  }

  #insert(i: Instance, tape: Tape): void {
    const machine = this.#names.number(i.machine, tape)
    this.#ids.add(machine, i.id, i.k, tape)
    tape.put(
      'insert',
      i.k,
      machine,
      i.id,
      i.partition,
      i.incarnation,
      i.version,
      statusNumber(i.status),
      this.#names.number(i.state, tape),
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

  /** Of a running instance that waits for no time no index is touched, as long as it was such a one before. */
  #update(i: Instance, tape: Tape): void {
    tape.put(
      i.status === 'live' && i.dueAt === null ? 'advance' : 'update',
      i.version,
      this.#names.number(i.state, tape),
      i.seq,
      i.entry,
      i.enteredAt,
      hasOpenCall(i.calls) ? 1 : 0,
      i.dataText,
      jsonOrNull(i.calls),
      jsonOrNull(i.timers),
      jsonOrNull(i.joined),
      i.stamp,
      jsonOrNull(i.parent),
      i.priority,
      i.fairKey,
      i.k,
      i.incarnation,
      statusNumber(i.status),
      i.dueAt,
      i.startHash,
      jsonOrNull(i.stalled),
      i.correlation === i.incarnation ? null : i.correlation,
      i.startedAt,
      i.endedAt,
    )
  }

  #owner(k: number): Owner | undefined {
    return this.#owners.get(k) as unknown as Owner | undefined
  }

  /** A new life under the same `k`: journal rows of the one before are short against its incarnation, which is kept for them. */
  #lives(
    journal: Change['journal'],
    owners: ReadonlyMap<number, Owner>,
    tape: Tape,
  ): ReadonlyMap<number, { readonly seq: number; readonly owner: Owner }> | undefined {
    let lives: Map<number, { readonly seq: number; readonly owner: Owner }> | undefined
    for (const { k, entry } of journal) {
      if (entry.cause.kind !== 'start' || entry.seq === 1 || lives?.has(k) === true) continue
      const owner = this.#owner(k)
      // Created in this very change: none of its rows is short against the first life.
      if (owner === undefined || owner.incarnation === owners.get(k)?.incarnation) continue
      tape.put('life', k, entry.seq)
      ;(lives ??= new Map()).set(k, { seq: entry.seq, owner })
    }
    return lives
  }

  #journal(row: JournalRow, owner: RowOwner, tape: Tape): void {
    const { entry } = row
    const number = (name: string): number => this.#names.number(name, tape)
    const { name, causeId, causeBefore, opened, effects } = causeAndEffects(row, owner, number)
    // The first row changes all: its text is there already.
    const change =
      entry.change === owner.data && owner.dataText !== undefined ? owner.dataText : jsonOrNull(entry.change)
    tape.put(
      'journal',
      row.k,
      entry.seq,
      entry.at,
      kindNumber(entry.cause.kind),
      outcomeNumber(entry),
      name,
      causeId,
      causeBefore,
      entry.from === null ? null : number(entry.from),
      number(entry.to),
      change === null ? null : shortText(change, owner.incarnation),
      opened,
      effects,
    )
  }

  #event(e: EventRow, tape: Tape): void {
    tape.put(
      'event',
      e.partition,
      e.offset,
      e.stamp,
      e.k,
      e.seq,
      e.id === eventIdAt(e.partition, e.offset) ? null : e.id,
      this.#names.number(e.type, tape),
      e.version,
      e.key,
      JSON.stringify(e.data),
      e.at === timeOfStamp(e.stamp) ? null : e.at,
      e.correlation,
    )
  }

  #messages(change: Change, tape: Tape): void {
    for (const n of change.read) tape.put('read', n)
    for (const n of change.unwaiting) tape.put('unwaiting', n)
    for (const { k, waiting: w } of change.rewaiting) {
      if (k === null) this.#rare.orphans = true
      tape.put('rewaiting', k, w.why, w.until, w.leftMs, w.n)
    }
    for (const row of change.waiting) this.#waiting(row, tape)
    for (const row of change.receipts) this.#receipt(row, tape)
    for (const d of change.deadLetters) {
      const { id, machine, instance, partition, at, code, message, input, delivery } = d
      const unit = input.kind === 'message' ? 1 : 0
      const text = JSON.stringify(input)
      tape.put('dead', id, machine, instance, partition, at, code, message, unit, text, jsonOrNull(delivery))
    }
  }

  #waiting({ k, target, partition, waiting: w, delivery }: WaitingRow, tape: Tape): void {
    if (k === null) this.#rare.orphans = true
    tape.put(
      'waiting',
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

  #receipt(r: ReceiptRow, tape: Tape): void {
    tape.put(
      'receipt',
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
