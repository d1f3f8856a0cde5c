// Everything that is read back, but for lists of instances (list.ts).
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { isPawlError, PawlError } from '../../base/errors.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import type {
  DeadLetterRow,
  EventRow,
  Found,
  InboxRow,
  JournalRead,
  ReceiptKey,
  ReceiptRow,
  Recount,
  Target,
  Tombstone,
  WaitingRow,
} from '../store.ts'
import { Corrupt } from './corrupt.ts'
import type { Ids } from './ids.ts'
import type { Names } from './names.ts'
import type { Rare } from './rare.ts'
import {
  childOf,
  deadLetterOf,
  eventOf,
  inboxOf,
  instanceOf,
  journalOf,
  receiptOf,
  statusText,
  UNIT_OUTCOMES,
  waitingOf,
  type Owner,
  type Row,
} from './rows.ts'

// Ends a loop over the machines of an index without reading what lies between two of them.
const LIVE_MACHINES = `with recursive m(n) as (select min(machine) from pawl_instances where status = 0
  union all select (select min(machine) from pawl_instances where status = 0 and machine > m.n) from m where m.n is not null)`
const OWN = 'partition in (select value from json_each(?))'

const STATEMENTS = {
  instance: 'select * from pawl_instances where k = ?',
  waiting: 'select * from pawl_waiting where k = ? order by n',
  children: 'select * from pawl_children where k = ? order by machine, id',
  orphans: 'select * from pawl_waiting where k is null and id = ? and machine = ? order by n',
  inbox: `select * from pawl_inbox indexed by pawl_inbox_order where ${OWN} order by priority desc, n limit ?`,
  due: `select machine, id, due_at from pawl_instances indexed by pawl_instances_due where due_at is not null and due_at <= ? and ${OWN}
    order by due_at limit ?`,
  nextDue: `select due_at from pawl_instances indexed by pawl_instances_due where due_at is not null and ${OWN} order by due_at limit 1`,
  nextUntil: `select until from pawl_waiting indexed by pawl_waiting_until where k is null and until is not null and ${OWN} order by until limit 1`,
  expired: `select * from pawl_waiting indexed by pawl_waiting_until where k is null and until is not null and until <= ? and ${OWN}
    order by until, n limit ?`,
  openCalls: `${LIVE_MACHINES} select k, machine, id from m join pawl_instances i indexed by pawl_instances_live
    on i.machine = m.n and i.status = 0 where i.k < ? and i.open = 1 and ${OWN} order by i.k desc limit ?`,
  // Jumping from bucket to bucket.
  buckets: `with recursive b(bucket) as (select max(bucket) from pawl_receipts
    union all select (select max(bucket) from pawl_receipts where bucket < b.bucket) from b where b.bucket is not null)
    select bucket from b where bucket is not null`,
  receipt: 'select * from pawl_receipts where bucket = ? and target = ? and source = ? and id = ?',
  tombstone: 'select * from pawl_tombstones where machine = ? and id = ?',
  owner:
    'select incarnation, coalesce(correlation, incarnation) correlation, partition from pawl_instances where k = ?',
  lives:
    'select seq, incarnation, coalesce(correlation, incarnation) correlation from pawl_lives where k = ? order by seq',
  journal: 'select * from pawl_journal where k = ? and seq > ? order by seq limit ?',
  event: 'select * from pawl_events where partition = ? and offset = ?',
  events: 'select * from pawl_events where partition = ? and offset > ? order by offset limit ?',
  deadLetter: 'select * from pawl_dead_letters where id = ?',
  deadLetters: 'select * from pawl_dead_letters where n < ?1 and (?2 is null or machine = ?2) order by n desc limit ?3',
  counts: 'select name, value from pawl_counters where value <> 0',
  graphs: 'select * from pawl_machines order by name, version',
  population: `select version, state, count(*) count from (select version, state from pawl_instances where status = 0 and machine = ?1
    union all select version, state from pawl_instances where status = 1 and machine = ?1) group by version, state order by version, state`,
  conditions: 'select machine, status, open, count(*) n from pawl_instances group by machine, status, open',
  states: `select machine, state, count(*) n from pawl_instances where status < 2 group by machine, state`,
  outcomes: 'select outcome, count(*) n from pawl_journal group by outcome',
  units: `select (select count(*) from pawl_waiting where unit = 1) waiting, (select count(*) from pawl_inbox where unit = 1) pending,
    (select count(*) from pawl_dead_letters where unit = 1) dead`,
} as const

/** Reads rows back as the port's values. */
export class Reader {
  readonly #names: Names
  readonly #ids: Ids
  readonly #rare: Readonly<Rare>
  readonly #corrupt: Corrupt
  readonly #get: Readonly<Record<keyof typeof STATEMENTS, StatementSync>>

  constructor(db: DatabaseSync, names: Names, ids: Ids, rare: Readonly<Rare>, corrupt = new Corrupt(() => {})) {
    this.#names = names
    this.#ids = ids
    this.#rare = rare
    this.#corrupt = corrupt
    const get: Partial<Record<keyof typeof STATEMENTS, StatementSync>> = {}
    for (const [name, sql] of Object.entries(STATEMENTS)) get[name as keyof typeof STATEMENTS] = db.prepare(sql)
    this.#get = get as Record<keyof typeof STATEMENTS, StatementSync>
  }

  /** See `Store.load`. */
  load(target: Target): Found {
    try {
      return this.#load(target)
    } catch (error) {
      if (!isPawlError(error, 'ROW_CORRUPT')) throw error
      return { target, loaded: null, orphans: [], corrupt: error }
    }
  }

  #load(target: Target): Found {
    const k = this.#ids.find(this.#names.find(target.machine), target.id)
    const row = k === undefined ? undefined : this.#get.instance.get(k)
    if (row === undefined) return { target, loaded: null, orphans: this.#rare.orphans ? this.#orphans(target) : [] }
    const corrupt = this.#corrupt
    const instance = corrupt.one('pawl_instances', row, (one) => instanceOf(one, this.#names), target)
    const waiting = this.#get.waiting.all(instance.k).map((one) => corrupt.one('pawl_waiting', one, waitingOf))
    const children = this.#get.children.all(instance.k).map((one) => corrupt.one('pawl_children', one, childOf, target))
    return { target, loaded: { instance, waiting, children }, orphans: [] }
  }

  #orphans({ machine, id }: Target): readonly WaitingRow[] {
    return this.#get.orphans.all(id, machine).map((row) => this.#corrupt.one('pawl_waiting', row, waitingOf))
  }

  /** See `Store.inbox`. */
  inbox(partitions: readonly number[], limit: number): readonly InboxRow[] {
    const rows = this.#get.inbox.all(JSON.stringify(partitions), limit + this.#corrupt.known('pawl_inbox'))
    return this.#corrupt.all('pawl_inbox', rows, inboxOf)
  }

  #target(row: Row): Target {
    return { machine: this.#names.text(row['machine'] as number), id: row['id'] as string }
  }

  /** See `Store.due`. */
  due(partitions: readonly number[], until: number, limit: number): readonly (Target & { readonly dueAt: number })[] {
    const rows = this.#get.due.all(until, JSON.stringify(partitions), limit)
    return rows.map((row) => ({ ...this.#target(row), dueAt: row['due_at'] as number }))
  }

  /** See `Store.nextDue`. */
  nextDue(partitions: readonly number[]): number | null {
    const own = JSON.stringify(partitions)
    const due = this.#get.nextDue.get(own)?.['due_at'] as number | undefined
    const until = this.#get.nextUntil.get(own)?.['until'] as number | undefined
    return due === undefined ? (until ?? null) : until === undefined ? due : Math.min(due, until)
  }

  /** See `Store.expired`. */
  expired(partitions: readonly number[], until: number, limit: number): readonly WaitingRow[] {
    const more = this.#corrupt.known('pawl_waiting')
    const rows = this.#get.expired.all(until, JSON.stringify(partitions), limit + more)
    return this.#corrupt.all('pawl_waiting', rows, waitingOf).slice(0, limit)
  }

  /** See `Store.openCalls`. */
  openCalls(
    partitions: readonly number[],
    before: number | null,
    limit: number,
  ): readonly { readonly k: number; readonly target: Target }[] {
    const rows = this.#get.openCalls.all(before ?? Number.MAX_SAFE_INTEGER, JSON.stringify(partitions), limit)
    return rows.map((row) => ({ k: row['k'] as number, target: this.#target(row) }))
  }

  /** See `Store.receipts`. One that was replaced later may stand in several buckets: the newest counts. */
  receipts(keys: readonly ReceiptKey[]): readonly ReceiptRow[] {
    const buckets = this.#get.buckets.all().map((row) => row['bucket'] as number)
    if (buckets.length === 0) return []
    const found: ReceiptRow[] = []
    for (const key of keys) {
      let newest: Row | undefined
      for (const bucket of buckets) {
        const row = this.#get.receipt.get(bucket, key.target, key.source, key.id)
        if (row !== undefined && (newest === undefined || (row['at'] as number) > (newest['at'] as number)))
          newest = row
      }
      if (newest !== undefined) found.push(receiptOf(newest))
    }
    return found
  }

  /** See `Store.tombstone`. */
  tombstone({ machine, id }: Target): Tombstone | null {
    if (!this.#rare.tombstones) return null
    const row = this.#get.tombstone.get(machine, id)
    if (row === undefined) return null
    const by = row['by'] as string | null
    return {
      target: { machine, id },
      at: row['at'] as number,
      why: row['why'] as string,
      ...(by === null ? {} : { by }),
    }
  }

  /** See `Store.journal`. */
  journal(k: number, after: number, limit: number): readonly JournalRead[] {
    const now = this.#get.owner.get(k) as unknown as Owner | undefined
    if (now === undefined) return []
    const lives = this.#get.lives.all(k) as unknown as readonly (Omit<Owner, 'partition'> & { readonly seq: number })[]
    const emitted = (partition: number, offset: number): EventRow | undefined => {
      const row = this.#get.event.get(partition, offset)
      return row === undefined ? undefined : this.#event(row)
    }
    return this.#get.journal.all(k, after, limit).map((row) => {
      const life = lives.find(({ seq }) => (row['seq'] as number) < seq)
      const owner = life === undefined ? now : { ...life, partition: now.partition }
      return this.#corrupt.one('pawl_journal', row, (one) => journalOf(one, owner, this.#names, emitted))
    })
  }

  /** See `Store.events`. */
  events(partition: number, after: number, limit: number): readonly EventRow[] {
    return this.#get.events.all(partition, after, limit).map((row) => this.#event(row))
  }

  #event(row: Row): EventRow {
    return this.#corrupt.one('pawl_events', row, (one) => eventOf(one, this.#names))
  }

  /** See `Store.deadLetter`. */
  deadLetter(id: string): DeadLetterRow | null {
    const row = this.#get.deadLetter.get(id)
    return row === undefined ? null : this.#corrupt.one('pawl_dead_letters', row, deadLetterOf)
  }

  /** See `Store.deadLetters`: newest first. */
  deadLetters(query: { readonly machine?: string; readonly limit: number; readonly after?: string }): {
    readonly items: readonly DeadLetterRow[]
    readonly next?: string
  } {
    const before = query.after === undefined ? Number.MAX_SAFE_INTEGER : Number(query.after)
    if (!Number.isSafeInteger(before))
      throw new PawlError(
        'BAD_CURSOR',
        `after: '${query.after}' is no cursor of dead letters: pass the \`next\` of the page before`,
      )
    const rows = this.#get.deadLetters.all(before, query.machine ?? null, query.limit + 1)
    const page = rows.slice(0, query.limit)
    const last = page.at(-1)
    return {
      items: this.#corrupt.all('pawl_dead_letters', page, deadLetterOf),
      ...(rows.length > page.length && last !== undefined ? { next: String(last['n']) } : {}),
    }
  }

  /** The sums as the commits have kept them. */
  counts(): Record<string, number> {
    const counts: Record<string, number> = {}
    for (const row of this.#get.counts.all()) counts[row['name'] as string] = row['value'] as number
    return counts
  }

  /** See `Store.graphs`. */
  graphs(): readonly {
    readonly name: string
    readonly version: number
    readonly hash: string
    readonly graph: MachineGraph
  }[] {
    return this.#get.graphs.all().map((row) => ({
      name: row['name'] as string,
      version: row['version'] as number,
      hash: row['hash'] as string,
      graph: JSON.parse(row['graph'] as string) as MachineGraph,
    }))
  }

  /** See `Store.population`. */
  population(machine: string): readonly { readonly version: number; readonly state: string; readonly count: number }[] {
    const rows = this.#get.population.all(this.#names.find(machine))
    return rows.map((row) => ({
      version: row['version'] as number,
      state: this.#names.text(row['state'] as number),
      count: row['count'] as number,
    }))
  }

  /** See `Store.recount`: the right sides from the tables, `started` and `accepted` as they were counted at the door. */
  recount(): Recount {
    const counts = this.counts()
    return { instances: this.#recountInstances(counts), messages: this.#recountMessages(counts) }
  }

  #recountInstances(counts: Readonly<Record<string, number>>): Recount['instances'] {
    const machines = Object.create(null) as Record<string, InstanceCounts>
    const of = (machine: string): InstanceCounts => (machines[machine] ??= noInstances())
    for (const name in counts) {
      if (name.startsWith('i:started:')) of(name.slice('i:started:'.length)).started = counts[name]!
      if (name.startsWith('c:removed:')) of(name.slice('c:removed:'.length)).removed = counts[name]!
    }
    for (const row of this.#get.conditions.all()) {
      const status = statusText(row['status'] as number)
      const condition = status === 'live' ? (row['open'] === 1 ? 'running' : 'waiting') : status
      of(this.#names.text(row['machine'] as number))[condition] += row['n'] as number
    }
    for (const row of this.#get.states.all())
      of(this.#names.text(row['machine'] as number)).states[this.#names.text(row['state'] as number)] = row[
        'n'
      ] as number
    return machines
  }

  #recountMessages(counts: Readonly<Record<string, number>>): Recount['messages'] {
    const decided = new Map(this.#get.outcomes.all().map((row) => [row['outcome'] as number, row['n'] as number]))
    const held = this.#get.units.get() as { readonly waiting: number; readonly pending: number; readonly dead: number }
    const carried = (figure: string): number => counts[`c:${figure}`] ?? 0
    return {
      accepted: counts['m:accepted'] ?? 0,
      applied: (decided.get(UNIT_OUTCOMES.applied) ?? 0) + carried('applied'),
      ignored: (decided.get(UNIT_OUTCOMES.ignored) ?? 0) + carried('ignored'),
      refused: (decided.get(UNIT_OUTCOMES.refused) ?? 0) + carried('refused'),
      unclaimed: carried('unclaimed'),
      waiting: held.waiting,
      pending: held.pending,
      dead: held.dead,
      discarded: carried('discarded'),
    }
  }
}

interface InstanceCounts {
  started: number
  running: number
  waiting: number
  stalled: number
  done: number
  failed: number
  cancelled: number
  removed: number
  states: Record<string, number>
}

const noInstances = (): InstanceCounts => ({
  started: 0,
  running: 0,
  waiting: 0,
  stalled: 0,
  done: 0,
  failed: 0,
  cancelled: 0,
  removed: 0,
  states: Object.create(null) as Record<string, number>,
})
