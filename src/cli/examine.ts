// The doctor's look at a store in a file. It reads one moment, changes nothing, and takes nothing from the engine's books: the laws are
// recounted from the tables, and every journal is followed from its first row.
import { isPawlError } from '../base/errors.ts'
import type { Instance } from '../core/model.ts'
import { instanceCount, messageCount, stateCount } from '../core/counts.ts'
import type { InstanceFigure, MessageFigure } from '../core/counts.ts'
import type { JournalRead } from '../store/store.ts'
import { hasOpenCall, instanceOf } from '../store/sqlite/rows.ts'
import type { Findings, RuleName } from './findings.ts'
import { Follower, knownOf } from './follow.ts'
import type { StoreFile } from './store-file.ts'

const SHOWN = 5
const ALL = Number.MAX_SAFE_INTEGER

/** Rules that a statement can tell: each row that it gives is a finding, in words. */
const STATEMENTS: readonly (readonly [rule: RuleName, sql: string])[] = [
  [
    'owners',
    `select 'the journal has rows of instance ' || k || ', which is not there' text from (select distinct k from pawl_journal) j
      where not exists (select 1 from pawl_instances i where i.k = j.k)`,
  ],
  [
    'owners',
    `select 'there is a former life of instance ' || k || ', which is not there' text from pawl_lives l
      where not exists (select 1 from pawl_instances i where i.k = l.k)`,
  ],
  [
    'owners',
    `select machine || ' "' || id || '" is a child of instance ' || k || ', which is not there' text from pawl_children c
      where not exists (select 1 from pawl_instances i where i.k = c.k)`,
  ],
  [
    'owners',
    `select 'message ' || n || ' waits for instance ' || k || ', which is not there' text from pawl_waiting w
      where k is not null and not exists (select 1 from pawl_instances i where i.k = w.k)`,
  ],
  [
    'waiting',
    `select 'message ' || w.n || ' for ' || w.machine || ' "' || w.id || '" waits for ' || m.name || ' "' || i.id || '"' text
      from pawl_waiting w join pawl_instances i on i.k = w.k join pawl_names m on m.n = i.machine
      where i.id <> w.id or m.name <> w.machine`,
  ],
  [
    'waiting',
    `select 'message ' || w.n || ' waits for ' || w.machine || ' "' || w.id || '", which has ended' text
      from pawl_waiting w join pawl_instances i on i.k = w.k where i.status > 1 and w.why <> 'build'`,
  ],
  [
    'ids',
    `select 'the name with hash ' || hash || ' leads to instance ' || k || ', which is not there' text from pawl_ids d
      where not exists (select 1 from pawl_instances i where i.k = d.k)`,
  ],
  [
    'log',
    `select 'partition ' || e.partition || ' has an event at ' || max(e.offset) || ', beyond its head ' || coalesce(p.head, 0) text
      from pawl_events e left join pawl_partitions p on p.n = e.partition group by e.partition
      having max(e.offset) > coalesce(p.head, 0)`,
  ],
  [
    'log',
    `select 'event ' || partition || '-' || offset || ' is of row ' || seq || ' of instance ' || k || ', which has no such row' text
      from pawl_events e where k is not null and exists (select 1 from pawl_instances i where i.k = e.k)
      and not exists (select 1 from pawl_journal j where j.k = e.k and j.seq = e.seq)`,
  ],
]

/** One examination. */
export class Examination {
  readonly #file: StoreFile
  readonly #findings: Findings

  constructor(file: StoreFile, findings: Findings) {
    this.#file = file
    this.#findings = findings
  }

  /** Looks at everything; answers how much that was. `progress`: told how many of how many instances were followed. */
  run(progress: (done: number, all: number) => void): { readonly instances: number; readonly rows: number } {
    this.#whole()
    this.#laws()
    for (const [rule, sql] of STATEMENTS) this.#statement(rule, sql)
    return this.#instances(progress)
  }

  #whole(): void {
    for (const row of this.#file.db.prepare(`pragma quick_check(${SHOWN})`).all()) {
      const text = String(row['quick_check'])
      this.#findings.check(text === 'ok', 'file', () => text)
    }
  }

  #statement(rule: RuleName, sql: string): void {
    for (const row of this.#file.db.prepare(sql).iterate()) this.#findings.add(rule, String(row['text']))
  }

  #laws(): void {
    const { reader } = this.#file
    const counts = reader.counts()
    const { instances, messages } = reader.recount()
    const told = new Set<string>()
    const figure = (name: string, counted: number): void => {
      told.add(name)
      const says = counts[name] ?? 0
      this.#findings.check(says === counted, 'figures', () => `${name} says ${says}, and there are ${counted}`)
    }
    for (const [machine, { started, states, ...became }] of Object.entries(instances)) {
      const sum = Object.values(became).reduce((a, b) => a + b, 0)
      this.#findings.check(
        sum === started,
        'law-instances',
        () => `${machine}: ${started} started, ${sum} accounted for`,
      )
      for (const [name, n] of Object.entries(became)) figure(instanceCount(machine, name as InstanceFigure), n)
      for (const [state, n] of Object.entries(states)) figure(stateCount(machine, state), n)
      told.add(instanceCount(machine, 'started'))
    }
    const { accepted, ...became } = messages
    const sum = Object.values(became).reduce((a, b) => a + b, 0)
    this.#findings.check(sum === accepted, 'law-messages', () => `${accepted} accepted, ${sum} accounted for`)
    for (const [name, n] of Object.entries(became)) figure(messageCount(name as MessageFigure), n)
    for (const [name, value] of Object.entries(counts))
      if (/^[is]:/.test(name) && !told.has(name))
        this.#findings.add('figures', `${name} says ${value}, and there are none`)
  }

  #instances(progress: (done: number, all: number) => void): { readonly instances: number; readonly rows: number } {
    const { db, names, reader, partitions, corrupt } = this.#file
    const known = knownOf(reader.graphs().map(({ graph }) => graph))
    const follower = new Follower(this.#findings, known, partitions)
    const all = Number(db.prepare('select count(*) n from pawl_instances').get()?.['n'])
    let [instances, rows] = [0, 0]
    for (const row of db.prepare('select * from pawl_instances order by k').iterate()) {
      progress(++instances, all)
      const [instance] = corrupt.all('pawl_instances', [row], (one) => instanceOf(one, names))
      if (instance === undefined) continue
      this.#named(instance, row['machine'] as number, row['open'] === 1)
      const journal = this.#journal(instance.k)
      if (journal === undefined) continue
      follower.follow(instance, journal)
      rows += journal.length
    }
    return { instances, rows }
  }

  /** Undefined: a row of it cannot be read, and was told. */
  #journal(k: number): readonly JournalRead[] | undefined {
    try {
      return this.#file.reader.journal(k, 0, ALL)
    } catch (error) {
      if (isPawlError(error, 'ROW_CORRUPT')) return undefined
      throw error
    }
  }

  #named(instance: Instance, machine: number, isOpen: boolean): void {
    const { k, id, status, calls } = instance
    const name = `${instance.machine} "${id}"`
    const found = this.#file.ids.find(machine, id)
    this.#findings.check(found === k, 'ids', () =>
      found === undefined ? `${name} is not found by its name` : `${name} is the name of instances ${found} and ${k}`,
    )
    // Stored so that lists need not parse calls.
    const open = hasOpenCall(calls)
    this.#findings.check(status !== 'live' || open === isOpen, 'condition', () =>
      open
        ? `${name} has an open call, and is listed as waiting`
        : `${name} has no open call, and is listed as running`,
    )
  }
}
