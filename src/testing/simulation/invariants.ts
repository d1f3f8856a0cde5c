// The promises, checked against the tables in the instant in which a commit has taken effect: the earliest moment at which they
// can be false. What the checks remember they have from the rows themselves, never from the engine.
//
// I1 and I3 in paths.ts, I5 in calls.ts, I7 in order.ts, I11 in laws.ts; here I2, I4 and I6.
import type { CallRecord } from '../../core/model.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import { read } from '../../store/memory/rows.ts'
import type { InstanceRow, TextRow } from '../../store/memory/rows.ts'
import type { Space } from '../../store/memory/space.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { ReceiptRow } from '../../store/store.ts'
import { Calls } from './calls.ts'
import { Laws } from './laws.ts'
import { Order } from './order.ts'
import { Paths } from './paths.ts'
import type { StoredEntry } from './stored.ts'
import type { Violations } from './violation.ts'

/** What is decided once and for ever about a message under its id; a dead letter may be redriven. */
const FINAL: ReadonlySet<ReceiptRow['outcome']> = new Set(['applied', 'ignored', 'refused', 'unclaimed'] as const)

/** What the checks need. */
export interface InvariantOptions {
  readonly space: Space
  readonly violations: Violations
  /** Of every machine that the simulation runs. */
  readonly graphs: readonly MachineGraph[]
}

/** Checks each commit. */
export class Invariants {
  readonly #space: Space
  readonly #violations: Violations
  readonly #paths: Paths
  readonly #order: Order
  readonly #laws: Laws
  readonly #calling: Calls
  /** Keys of all calls that were ever committed. */
  readonly #keys = new Set<string>()
  /** `k incarnation id` of decided messages. */
  readonly #decided = new Set<string>()
  readonly #receipts = new Map<string, ReceiptRow>()
  /** The newest row of each instance, by k: of those too that are gone by now. */
  readonly last = new Map<number, InstanceRow>()
  readonly #names = new Set<string>()
  /** By `machine id message`: how it was decided. */
  readonly #decisions = new Map<string, { readonly outcome: StoredEntry['outcome']; readonly seq: number }>()
  /** Commits that were checked. */
  commits = 0
  /** Journal rows that were checked. */
  transitions = 0

  constructor({ space, violations, graphs }: InvariantOptions) {
    this.#space = space
    this.#violations = violations
    this.#paths = new Paths(violations, graphs)
    this.#order = new Order(violations)
    this.#laws = new Laws(space, violations)
    this.#calling = new Calls(violations)
  }

  /** Whether a call of that key was ever committed. */
  isDurable(key: string): boolean {
    return this.#keys.has(key)
  }

  /** Whether an instance of that name was ever committed. */
  wasThere(machine: string, id: string): boolean {
    return this.#names.has(`${machine} ${id}`)
  }

  /** How an instance has decided about a message. */
  decisionOf(machine: string, id: string, message: string) {
    return this.#decisions.get(`${machine} ${id} ${message}`)
  }

  /** A commit has just taken effect. */
  written(session: string, n: number, rows: ChangeRows): void {
    this.commits++
    this.transitions += rows.journal.length
    const entries = rows.journal.map((row) => ({ k: row.k, entry: read<StoredEntry>(row) }))
    this.#owned(session, n, rows)
    for (const row of rows.instances) {
      this.last.set(row.k, row)
      this.#names.add(`${row.machine} ${row.id}`)
    }
    this.#paths.written(rows.instances, entries)
    this.#order.written(rows.events, entries)
    for (const { k, entry } of entries) this.#entry(k, entry)
    for (const row of rows.receipts) this.#receipt(row.key, read<ReceiptRow>(row))
    for (const row of rows.instances) this.#calls(row)
    this.#calling.written(rows, entries)
    this.#laws.written(rows)
  }

  /** I2: all that a commit writes of an instance or a log is of a partition that its session owns. */
  #owned(session: string, n: number, rows: ChangeRows): void {
    const partitions = new Set<number>()
    for (const list of [rows.instances, rows.events, rows.waiting, rows.heads])
      for (const { partition } of list) partitions.add(partition)
    for (const { k } of rows.journal) partitions.add(this.#space.instances.get(k)?.partition ?? -1)
    for (const partition of partitions) {
      const owner = this.#space.partitions[partition]?.session
      this.#violations.check(
        'I2',
        owner === session,
        () => `commit ${n} of ${session} wrote to partition ${partition}, which ${owner ?? 'nobody'} owns`,
      )
    }
  }

  /** I4 for what is decided, I6 for timers. */
  #entry(k: number, entry: StoredEntry): void {
    const row = this.#space.instances.get(k)
    const name = row === undefined ? String(k) : `${row.machine} ${row.id}`
    if (entry.unit) {
      const key = `${k} ${this.#paths.incarnationOf(k)} ${entry.cause.id}`
      this.#violations.check(
        'I4',
        !this.#decided.has(key),
        () => `${name} decided twice about message ${entry.cause.id} (${entry.cause.name}), again in row ${entry.seq}`,
      )
      this.#decided.add(key)
    }
    if (entry.unit || entry.cause.kind === 'start')
      this.#decisions.set(`${name} ${entry.cause.id}`, { outcome: entry.outcome, seq: entry.seq })
    if (entry.cause.kind !== 'timer') return
    const now = this.#space.clock.now()
    this.#violations.check(
      'I6',
      entry.cause.at <= now && entry.cause.at <= entry.at,
      () =>
        `timer ${entry.cause.name} of ${name} is due at ${entry.cause.at}; it fired at ${entry.at}, committed at ${now}`,
    )
  }

  /** I4: what is decided about a message is never decided again. */
  #receipt(key: string, receipt: ReceiptRow): void {
    const before = this.#receipts.get(key)
    this.#receipts.set(key, receipt)
    if (before === undefined || !FINAL.has(before.outcome)) return
    this.#violations.check(
      'I4',
      before.outcome === receipt.outcome && before.seq === receipt.seq,
      () =>
        `the receipt of ${receipt.id} was ${before.outcome} (${before.seq}) and is ${receipt.outcome} (${receipt.seq})`,
    )
  }

  /** I5: remembers what was asked for. */
  #calls(row: TextRow): void {
    const { calls } = read<{ readonly calls: Readonly<Record<string, CallRecord>> | null }>(row)
    for (const { key } of Object.values(calls ?? {})) this.#keys.add(key)
  }

  /** I11, by a count of all tables. */
  laws(): void {
    this.#laws.whole()
  }
}
