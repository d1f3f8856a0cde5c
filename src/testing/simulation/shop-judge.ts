// What the states of the shop say of their instances: which edge was taken can be wrong although it is an edge of the graph (a guard
// that nobody asked, a join of one message, undos in the wrong order). Judged at each commit, row by row.
import type { Instance } from '../../core/model.ts'
import { read } from '../../store/memory/rows.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { ServiceJudge, WrittenEntry } from './service.ts'
import type { StoredEntry } from './stored.ts'
import type { Violations } from './violation.ts'

type Data = Readonly<Record<string, unknown>>
type Fact = (data: Data, row: StoredEntry) => boolean

const has = (data: Data, ...fields: readonly string[]): boolean => fields.every((field) => data[field] !== undefined)
const length = (data: Data, field: string): number => (data[field] as readonly unknown[]).length
/** Steps of a saga that are done or may be, and that an undo of this name is for. */
const tried = ({ steps = {} }: { readonly steps?: object }, step: string): boolean =>
  Object.keys(steps).some((name) => name === step || name.startsWith(`${step}/`))
/** By a state's own edges, and not by an operator. */
const comesFrom = ({ from, to }: StoredEntry, state: string): boolean => from === state || from === to

/** What holds once a row has led to that state: `machine state`, the promise, and what the data and the row must show. */
const FACTS: readonly (readonly [state: string, invariant: 'I3' | 'I8', fact: Fact])[] = [
  ['order confirming', 'I3', (data) => has(data, 'reservationId')],
  ['order confirmed', 'I3', (data) => has(data, 'reservationId', 'paymentId', 'minutes')],
  ['order releasing', 'I3', (data) => has(data, 'reservationId')],
  ['order rejected', 'I3', (data) => !has(data, 'reservationId')],
  ['order cancelled', 'I8', (data, row) => !has(data, 'reservationId') || comesFrom(row, 'releasing')],
  ['counter full', 'I3', (data) => length(data, 'ids') === 9],
  ['tally noting', 'I3', (data) => length(data, 'counts') === 1 || length(data, 'counts') % 3 === 0],
  ['tally writing', 'I3', (data) => length(data, 'counts') === 1 || length(data, 'counts') % 3 === 0],
  ['node ready', 'I3', (data) => has(data, 'address')],
  ['pool steady', 'I3', (data) => length(data, 'leaving') === 0],
  ['checkout done', 'I8', (data) => !has(data, 'failure')],
  ['checkout undo pay', 'I8', (data) => tried(data, 'pay')],
  ['checkout undo reserve', 'I8', (data, row) => !tried(data, 'pay') || comesFrom(row, 'undo pay')],
  ['checkout undone', 'I8', (data, row) => !tried(data, 'reserve') || comesFrom(row, 'undo reserve')],
]

/** As the store in memory says it of a row that it refuses. */
const BAD_ROW = 'the store refuses what is in'

/** A judge of the shop for one run. */
export const judgeShop = (violations: Violations): ServiceJudge => new ShopJudge(violations)

class ShopJudge implements ServiceJudge {
  readonly counts = {}
  readonly #violations: Violations
  /** By k: data as the journal tells them. */
  readonly #data = new Map<number, Data>()

  constructor(violations: Violations) {
    this.#violations = violations
  }

  written({ instances }: ChangeRows, entries: readonly WrittenEntry[]): void {
    const rows = new Map(instances.map((row) => [row.k, row]))
    for (const { k, entry } of entries) {
      const row = rows.get(k)
      if (row !== undefined) this.#entry(row, entry)
    }
    for (const row of instances) this.#stalled(row)
  }

  #entry(row: InstanceRow, entry: StoredEntry): void {
    const data: Record<string, unknown> = { ...(entry.from === null ? {} : this.#data.get(row.k)), ...entry.change }
    for (const field of entry.removed) delete data[field]
    this.#data.set(row.k, data)
    if (entry.outcome !== 'applied') return
    for (const [state, invariant, fact] of FACTS)
      if (state === `${row.machine} ${entry.to}`)
        this.#violations.check(
          invariant,
          fact(data, entry),
          () =>
            `${row.machine} ${row.id} came from ${entry.from ?? 'nowhere'} to ${entry.to} by ${entry.cause.kind} ${entry.cause.name} with ${JSON.stringify(data)}`,
        )
  }

  /** I10: what is wrong with a message is the message's alone, and the store refuses only what is bad in the instance itself. */
  #stalled(row: InstanceRow): void {
    const { machine, id, stallCode } = row
    if (stallCode === 'BAD_DATA')
      this.#violations.add('I10', `a message that does not fit has stalled ${machine} ${id}`)
    if (stallCode !== 'STORE_REFUSED') return
    const { stalled } = read<Pick<Instance, 'stalled'>>(row)
    const why = stalled?.message ?? ''
    this.#violations.check(
      'I10',
      why.includes(BAD_ROW),
      () => `${machine} ${id} stalled, and no row of it is bad: ${why}`,
    )
  }

  /** The end is judged by `checkEnding`. */
  ended(): void {}
}
