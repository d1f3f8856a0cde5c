// What must hold when the faults have stopped and time has passed: everything that can finish has finished (liveness), nothing
// that was acknowledged is lost (I4), what a saga did is undone or kept (I8), parents know their children, and the laws balance.
import type { ChildRecord } from '../../core/model.ts'
import { keyOf, read } from '../../store/memory/rows.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { Space } from '../../store/memory/space.ts'
import type { Violations } from './violation.ts'
import type { World } from './world.ts'

/** States in which an instance may stay for ever: it waits for somebody who need not come. */
const RESTING: ReadonlySet<string> = new Set([
  'account open',
  'counter full',
  'tally open',
  'node steady',
  'pool steady',
])

/** What the end is judged by. */
export interface EndingOptions {
  readonly space: Space
  /** The newest row of every instance that ever was: retention may have taken it meanwhile. */
  readonly rows: readonly InstanceRow[]
  readonly world: World
  readonly violations: Violations
  /** Ids of commands that were acknowledged, by counter: `applied` ones and ones that may have been. */
  readonly added: ReadonlyMap<string, { readonly applied: ReadonlySet<string>; readonly sent: ReadonlySet<string> }>
  /** Instances that somebody was told were started, as `machine id`. */
  readonly started: Iterable<string>
}

/** Checks the end of a run. */
export function checkEnding(o: EndingOptions): void {
  checkProgress(o)
  checkSagas(o)
  checkOrders(o)
  checkAccounts(o)
  checkCounters(o)
  checkTallies(o)
  checkChildren(o)
}

const nameOf = ({ machine, id }: InstanceRow): string => `${machine} ${id}`
const rowsOf = (rows: readonly InstanceRow[], machine: string): readonly InstanceRow[] =>
  rows.filter((row) => row.machine === machine)
const dataOf = (row: InstanceRow): Readonly<Record<string, unknown>> =>
  JSON.parse(row.dataText) as Readonly<Record<string, unknown>>

function checkProgress({ space, rows, violations, started }: EndingOptions): void {
  for (const row of space.instances.values()) {
    const over = row.endedAt !== null || (row.condition === 'waiting' && RESTING.has(`${row.machine} ${row.state}`))
    violations.check(
      'liveness',
      over,
      () => `${nameOf(row)} is ${row.condition} in ${row.state} (${row.stallCode ?? '-'})`,
    )
    violations.check(
      'liveness',
      row.dueAt === null || row.dueAt > space.clock.now(),
      () => `${nameOf(row)} was due at ${row.dueAt}, and it is ${space.clock.now()}`,
    )
  }
  for (const row of space.inbox.all())
    violations.add('liveness', `inbox row ${row.n} of partition ${row.partition} is left: ${row.text.slice(0, 200)}`)
  for (const row of space.waiting.values())
    violations.add(
      'liveness',
      `waiting row ${row.n} of ${row.target.machine} ${row.target.id} is left: ${row.text.slice(0, 200)}`,
    )
  const names = new Set(rows.map(nameOf))
  for (const name of started) {
    const there = names.has(name)
    violations.check('I4', there, () => `${name} was started, said the engine, and it is not there`)
  }
}

/** I8: what a saga that was undone did, or may have done, is undone; of one that is done nothing is. */
function checkSagas({ rows, world, violations }: EndingOptions): void {
  const sagas = new Map<string, InstanceRow>()
  for (const row of rowsOf(rows, 'checkout')) sagas.set(read<{ incarnation: string }>(row).incarnation, row)
  for (const record of world.records.values()) {
    const row = sagas.get(record.key.split('-')[0]!)
    if (row === undefined || row.endedAt === null || !UNDOABLE.has(record.activity)) continue
    const happened = record.settled === 'done'
    if (row.condition === 'done')
      violations.check('I8', !record.undone, () => `${nameOf(row)} is done, and its ${record.activity} was undone`)
    else
      violations.check(
        'I8',
        !happened || record.undone,
        () => `${nameOf(row)} is ${row.condition}, and its ${record.activity} (${record.key}) was never undone`,
      )
  }
}
const UNDOABLE: ReadonlySet<string> = new Set(['warehouse.reserve', 'payments.charge'])

/** An order that ended without its goods has given its reservation back; a confirmed one has it. */
function checkOrders({ rows, world, violations }: EndingOptions): void {
  for (const row of rowsOf(rows, 'order')) {
    const { reservationId } = dataOf(row)
    if (typeof reservationId !== 'string' || row.endedAt === null) continue
    const record = world.records.get(reservationId.slice('r-'.length))
    violations.check(
      'I5',
      record?.settled === 'done',
      () => `${nameOf(row)} has ${reservationId}, which nobody reserved`,
    )
    violations.check(
      'I8',
      record?.undone === (row.state === 'cancelled'),
      () =>
        `${nameOf(row)} ended ${row.state}, and its reservation is ${record?.undone === true ? 'released' : 'held'}`,
    )
  }
}

/** Every invoice that was paid is in its account, once. */
function checkAccounts({ rows, violations }: EndingOptions): void {
  const heard = new Map<string, number>()
  for (const row of rowsOf(rows, 'account'))
    for (const id of dataOf(row)['paid'] as readonly string[])
      heard.set(`${id} of ${row.id}`, (heard.get(`${id} of ${row.id}`) ?? 0) + 1)
  const paid = rowsOf(rows, 'invoice').filter(({ state }) => state === 'paid')
  const due = new Set(paid.map((row) => `${row.id} of ${String(dataOf(row)['account'])}`))
  const billed = new Set(rowsOf(rows, 'invoice').map(({ id }) => id))
  for (const row of [...rowsOf(rows, 'order'), ...rowsOf(rows, 'checkout')])
    violations.check(
      'I7',
      (row.condition === 'done') === billed.has(`invoice-of-${row.id}`),
      () => `${nameOf(row)} is ${row.condition}, and its invoice is ${row.condition === 'done' ? 'not ' : ''}there`,
    )
  // An operator may have cancelled an account that had stalled: it hears no more.
  const closed = new Set(rowsOf(rows, 'account').flatMap(({ id, endedAt }) => (endedAt === null ? [] : [id])))
  for (const name of due)
    if (!closed.has(name.slice(name.lastIndexOf(' ') + 1)))
      violations.check('I7', heard.get(name) === 1, () => `${name} was heard ${heard.get(name) ?? 0} times`)
  for (const name of heard.keys()) violations.check('I7', due.has(name), () => `${name} was heard, and is not paid`)
}

/** Each command was applied once if it was acknowledged as applied, and at most once in any case. */
function checkCounters({ rows, violations, added }: EndingOptions): void {
  for (const row of rowsOf(rows, 'counter')) {
    const ids = dataOf(row)['ids'] as readonly string[]
    const has = new Set(ids)
    violations.check('I4', has.size === ids.length, () => `${nameOf(row)} applied a command twice: ${ids.join(', ')}`)
    const { applied, sent } = added.get(row.id) ?? { applied: new Set<string>(), sent: new Set<string>() }
    for (const id of applied)
      violations.check(
        'I4',
        has.has(id),
        () => `${nameOf(row)} was said to have applied ${id}, and has ${ids.join(', ')}`,
      )
    for (const id of ids) violations.check('I4', sent.has(id), () => `${nameOf(row)} has ${id}, which nobody sent`)
  }
}

/** A counter's events came to its tally once each, in the order in which they were emitted, though many of them had to wait. */
function checkTallies({ rows, violations }: EndingOptions): void {
  for (const row of rowsOf(rows, 'counter')) {
    const { length } = dataOf(row)['ids'] as readonly string[]
    const tally = rowsOf(rows, 'tally').find(({ id }) => id === `tally-of-${row.id}`)
    // An operator may have cancelled one that had stalled.
    if (tally !== undefined && tally.endedAt !== null) continue
    const counts = tally === undefined ? [] : (dataOf(tally)['counts'] as readonly number[])
    const expected = Array.from({ length }, (_, i) => i + 1)
    violations.check(
      'I7',
      counts.join(' ') === expected.join(' '),
      () => `${nameOf(row)} has counted to ${length}, and its tally has heard ${counts.join(' ')}`,
    )
  }
}

/** What a parent knows of a child is how the child is. */
function checkChildren({ space, violations }: EndingOptions): void {
  for (const [k, children] of space.children)
    for (const row of children.values()) {
      const child = read<ChildRecord>(row)
      const parent = space.instances.get(k)
      const own = space.instances.get(space.names.get(keyOf(child.machine, child.id)) ?? -1)
      // A parent that has ended is told no more.
      if (parent === undefined || parent.endedAt !== null) continue
      violations.check(
        'liveness',
        own !== undefined && own.state === child.state && own.condition === child.status,
        () =>
          `${nameOf(parent)} believes ${child.machine} ${child.id} to be ${child.state}, and it is ${own?.state ?? 'not there'}`,
      )
    }
}
