// The outside's own book: what the warehouse, the bank, the courier and the post have done, under which key.
//
// It is a SQLite file of its own, written before anything is answered; the shop never writes to it. Rules, as good services keep them:
//   - one key is one effect: asked again, the same answer is given and nothing is done;
//   - an undo names the key. A key that was undone never comes to effect, also where the undo comes first;
//   - a refusal is written down too: asked again, it is refused again;
//   - one key for two different things is a fault of the asker: it is refused and counted.
import { DatabaseSync, type StatementSync } from 'node:sqlite'
import type { Answer, Ask } from './wire.ts'

/** One in so many cards is declined; one in so many bookings finds no courier. */
const DECLINED = 0.03
const NO_COURIER = 0.01
/** Of this there are only so many, for ever; of all else the shelf is filled up to that as soon as it is empty. */
export const LIMITED = { sku: 'signed-print', pieces: 25 }
const SHELF_PIECES = 500

const SCHEMA = `
  create table if not exists effects (
    key text primary key, act text not null, subject text not null, input text not null,
    state text not null check (state in ('stands', 'refused', 'undone')), answer text not null, at integer not null
  ) without rowid;
  create index if not exists effects_at on effects (at);
  create table if not exists stock (sku text primary key, pieces integer not null) without rowid;
  create table if not exists tells (id text primary key, subject text not null, due integer not null, told integer) without rowid;
  create index if not exists tells_due on tells (due) where told is null;
  create table if not exists faults (at integer not null, what text not null);
`

interface EffectRow {
  readonly act: string
  readonly subject: string
  readonly input: string
  readonly state: 'stands' | 'refused' | 'undone'
  readonly answer: string
}

/** What a decision is: what will be answered under this key from now on. */
type Verdict = { readonly result: Readonly<Record<string, unknown>> } | { readonly failure: string }

/** What undoes what. */
const UNDOES: Readonly<Record<string, string>> = {
  'warehouse.release': 'warehouse.reserve',
  'bank.refund': 'bank.charge',
  'courier.cancel': 'courier.book',
}

/** The book, open for writing. Everything between two `commit()` is one transaction. */
export class Book {
  readonly #db: DatabaseSync
  readonly #now: () => number
  readonly #draw: () => number
  readonly #statements = new Map<string, StatementSync>()
  #isOpen = false

  constructor(path: string, now: () => number, draw: () => number) {
    this.#db = new DatabaseSync(path)
    this.#db.exec('pragma journal_mode = wal; pragma synchronous = full; pragma busy_timeout = 10000')
    this.#db.exec(SCHEMA)
    this.#db.prepare('insert or ignore into stock values (?, ?)').run(LIMITED.sku, LIMITED.pieces)
    this.#now = now
    this.#draw = draw
  }

  /** Does what is asked, or finds that it is done. Not durable before `commit()`. */
  apply({ ask, act, key, input }: Ask): Answer {
    this.#begin()
    const subject = String(input['order'])
    const undone = UNDOES[act]
    if (undone !== undefined) return this.#undo(ask, undone, subject, String(input['key']))
    if (act === 'courier.track') return { ask, result: { delivered: this.#isDelivered(subject) } }
    const text = JSON.stringify(input)
    const row = this.#get('select * from effects where key = ?', key) as EffectRow | undefined
    if (row !== undefined) return this.#again(ask, row, act, text, key)
    const verdict = this.#decide(act, key, subject, input)
    const state = 'result' in verdict ? 'stands' : 'refused'
    this.#run(
      'insert into effects values (?, ?, ?, ?, ?, ?, ?)',
      key,
      act,
      subject,
      text,
      state,
      JSON.stringify(verdict),
      this.#now(),
    )
    return { ask, ...verdict }
  }

  /** Parcels that have reached their door, and about which the shop has not said that it knows. */
  due(limit: number): readonly { readonly id: string; readonly subject: string }[] {
    const rows = this.#statement(
      'select id, subject from tells where told is null and due <= ? order by due limit ?',
    ).all(this.#now(), limit)
    return rows as unknown as readonly { id: string; subject: string }[]
  }

  /** The shop has it. */
  told(id: string): void {
    this.#begin()
    this.#run('update tells set told = ? where id = ?', this.#now(), id)
  }

  /** Not before then is it told again. */
  postpone(id: string, ms: number): void {
    this.#begin()
    this.#run('update tells set due = ? where id = ? and told is null', this.#now() + ms, id)
  }

  /** Forgets what is older than that, except what was not told yet. */
  forget(olderMs: number): void {
    this.#begin()
    this.#run('delete from effects where at < ?', this.#now() - olderMs)
    this.#run('delete from tells where told < ?', this.#now() - olderMs)
  }

  /** Makes durable what was done since the last time. */
  commit(): void {
    if (this.#isOpen) this.#db.exec('commit')
    this.#isOpen = false
  }

  close(): void {
    this.commit()
    this.#db.close()
  }

  #again(ask: number, row: EffectRow, act: string, input: string, key: string): Answer {
    // A key that was undone before it came: the undo did not know what it was for.
    if (row.state === 'undone') return { ask, trouble: 'this key was undone' }
    if (row.act === act && row.input === input) return { ask, ...(JSON.parse(row.answer) as Verdict) }
    this.#run(
      'insert into faults values (?, ?)',
      this.#now(),
      `key ${key} was for ${row.act} ${row.input}, then for ${act} ${input}`,
    )
    return { ask, trouble: 'this key was used for something else' }
  }

  #undo(ask: number, act: string, subject: string, key: string): Answer {
    const row = this.#get('select * from effects where key = ?', key) as EffectRow | undefined
    if (row === undefined)
      this.#run("insert into effects values (?, ?, ?, '', 'undone', '', ?)", key, act, subject, this.#now())
    else if (row.state === 'stands') {
      this.#run("update effects set state = 'undone' where key = ?", key)
      if (act === 'warehouse.reserve') this.#putBack(JSON.parse(row.input) as { sku: string; quantity: number })
    }
    return { ask, result: {} }
  }

  #decide(act: string, key: string, subject: string, input: Ask['input']): Verdict {
    switch (act) {
      case 'warehouse.reserve':
        return this.#take(String(input['sku']), Number(input['quantity']))
      case 'bank.charge':
        return this.#draw() < DECLINED ? { failure: 'Declined' } : { result: { payment: `p-${key}` } }
      case 'courier.book':
        return this.#draw() < NO_COURIER
          ? { failure: 'NoCourier' }
          : { result: { courier: `c-${Math.floor(this.#draw() * 40)}` } }
      case 'courier.collect': {
        const dueMs = 500 + this.#draw() * 2_500
        this.#run(
          'insert or ignore into tells values (?, ?, ?, null)',
          `d-${subject}`,
          subject,
          Math.floor(this.#now() + dueMs),
        )
        return { result: { tour: `t-${Math.floor(this.#now() / 60_000)}` } }
      }
      case 'post.mail':
        return { result: { mail: `m-${key}` } }
      default:
        return { failure: 'UnknownAct' }
    }
  }

  #take(sku: string, quantity: number): Verdict {
    const row = this.#get('select pieces from stock where sku = ?', sku) as { pieces: number } | undefined
    const pieces = row?.pieces ?? SHELF_PIECES
    // What is not limited comes with the next lorry, which stands at the gate.
    const left = pieces >= quantity || sku === LIMITED.sku ? pieces - quantity : SHELF_PIECES - quantity
    if (left < 0) return { failure: 'OutOfStock' }
    this.#run('insert or replace into stock values (?, ?)', sku, left)
    return { result: { shelf: `s-${sku.length}` } }
  }

  #putBack({ sku, quantity }: { sku: string; quantity: number }): void {
    this.#run('update stock set pieces = pieces + ? where sku = ?', quantity, sku)
  }

  #isDelivered(subject: string): boolean {
    const row = this.#get('select due from tells where subject = ?', subject) as { due: number } | undefined
    return row !== undefined && row.due <= this.#now()
  }

  #begin(): void {
    if (!this.#isOpen) this.#db.exec('begin immediate')
    this.#isOpen = true
  }

  #statement(sql: string): StatementSync {
    const known = this.#statements.get(sql)
    if (known !== undefined) return known
    const made = this.#db.prepare(sql)
    this.#statements.set(sql, made)
    return made
  }

  #get(sql: string, value: string): unknown {
    return this.#statement(sql).get(value)
  }

  #run(sql: string, ...values: (string | number)[]): void {
    this.#statement(sql).run(...values)
  }
}

/** What stands in the book for one order: how often each act has an effect now. */
export type Standing = ReadonlyMap<string, number>

/** What an auditor reads in the book: effects that stand, by order; and faults of the asker. The file may be in use. */
export function readBook(path: string): {
  readonly standing: ReadonlyMap<string, Standing>
  readonly faults: readonly string[]
} {
  const db = new DatabaseSync(path, { readOnly: true })
  try {
    const standing = new Map<string, Map<string, number>>()
    const rows = db
      .prepare("select subject, act, count(*) as n from effects where state = 'stands' group by subject, act")
      .iterate()
    for (const row of rows as Iterable<unknown> as Iterable<{ subject: string; act: string; n: number }>) {
      const acts = standing.get(row.subject) ?? new Map<string, number>()
      standing.set(row.subject, acts.set(row.act, row.n))
    }
    const faults = db.prepare('select what from faults').all() as { what?: unknown }[]
    return { standing, faults: faults.map((row) => String(row.what)) }
  } finally {
    db.close()
  }
}
