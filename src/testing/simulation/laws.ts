// I11 at each commit, at the cost of what the commit has written: the tables' figures are kept by the rows that come and go, never by
// the engine's counts, and are compared with those. Now and then, and where rows went by another way (retention), all is counted anew.
import { carriedRemoved, instanceCount, messageCount, stateCount } from '../../core/counts.ts'
import type { MessageFigure } from '../../core/counts.ts'
import { recount } from '../../store/memory/retention.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { Space } from '../../store/memory/space.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { Recount } from '../../store/store.ts'
import type { Violations } from './violation.ts'

type Condition = InstanceRow['condition']
const CONDITIONS: readonly Condition[] = ['running', 'waiting', 'stalled', 'done', 'failed', 'cancelled']

/** The rows of one machine, by what counts them. */
interface Rows {
  readonly conditions: Record<Condition, number>
  readonly states: Map<string, number>
}

/** Commits between two counts of everything. */
const WHOLE = 16

const units = (rows: Iterable<{ readonly unit: boolean }>): number => {
  let count = 0
  for (const { unit } of rows) if (unit) count++
  return count
}

/** Both laws of conservation. */
export class Laws {
  readonly #space: Space
  readonly #violations: Violations
  readonly #machines = new Map<string, Rows>()
  readonly #rows = new Map<number, InstanceRow>()
  readonly #decided = { applied: 0, ignored: 0, refused: 0 }
  #commits = 0

  constructor(space: Space, violations: Violations) {
    this.#space = space
    this.#violations = violations
  }

  /** A commit has written these. */
  written({ instances, journal }: ChangeRows): void {
    const machines = new Set<string>()
    for (const row of instances) {
      const before = this.#rows.get(row.k)
      if (before !== undefined) this.#count(before, -1)
      this.#count(row, 1)
      this.#rows.set(row.k, row)
      machines.add(row.machine)
    }
    for (const { unit, outcome } of journal) if (unit && outcome !== 'late') this.#decided[outcome]++
    if (this.#rows.size !== this.#space.instances.size) this.#anew()
    if (++this.#commits % WHOLE === 0) this.whole()
    for (const machine of machines) this.#instances(machine)
    this.#messages()
  }

  /** Counts all tables, and compares all figures. */
  whole(): void {
    const { instances, messages } = recount(this.#space)
    for (const [machine, { started, removed, states, ...conditions }] of Object.entries(instances)) {
      this.#machineLaw(machine, conditions)
      for (const [state, count] of Object.entries(states)) this.#figure(stateCount(machine, state), count)
      this.#figure(instanceCount(machine, 'removed'), removed)
      this.#figure(instanceCount(machine, 'started'), started)
    }
    this.#messageLaw(messages)
  }

  #count({ machine, condition, state, endedAt }: InstanceRow, by: number): void {
    let rows = this.#machines.get(machine)
    if (rows === undefined) {
      const conditions = { running: 0, waiting: 0, stalled: 0, done: 0, failed: 0, cancelled: 0 }
      this.#machines.set(machine, (rows = { conditions, states: new Map() }))
    }
    rows.conditions[condition] += by
    if (endedAt === null) rows.states.set(state, (rows.states.get(state) ?? 0) + by)
  }

  /** Rows went that no commit has written. */
  #anew(): void {
    this.#machines.clear()
    this.#rows.clear()
    Object.assign(this.#decided, { applied: 0, ignored: 0, refused: 0 })
    for (const row of this.#space.instances.values()) {
      this.#rows.set(row.k, row)
      this.#count(row, 1)
    }
    for (const rows of this.#space.journal.values())
      for (const { unit, outcome } of rows) if (unit && outcome !== 'late') this.#decided[outcome]++
    this.whole()
  }

  #instances(machine: string): void {
    const rows = this.#machines.get(machine)
    if (rows === undefined) return
    this.#machineLaw(machine, rows.conditions)
    for (const [state, count] of rows.states) this.#figure(stateCount(machine, state), count)
  }

  #messages(): void {
    const space = this.#space
    const sum = (name: string): number => space.sums[name] ?? 0
    this.#messageLaw({
      accepted: sum('m:accepted'),
      applied: this.#decided.applied + sum('c:applied'),
      ignored: this.#decided.ignored + sum('c:ignored'),
      refused: this.#decided.refused + sum('c:refused'),
      unclaimed: sum('c:unclaimed'),
      waiting: units(space.waiting.values()),
      pending: units(space.inbox.all()),
      dead: units(space.dead.values()),
      discarded: sum('c:discarded'),
    })
  }

  #machineLaw(machine: string, conditions: Readonly<Record<Condition, number>>): void {
    const { sums } = this.#space
    const started = sums[instanceCount(machine, 'started')] ?? 0
    let sum = sums[carriedRemoved(machine)] ?? 0
    for (const condition of CONDITIONS) {
      sum += conditions[condition]
      this.#figure(instanceCount(machine, condition), conditions[condition])
    }
    if (started !== sum)
      this.#violations.add(
        'I11',
        `${started} of ${machine} started, ${sum} accounted for: ${JSON.stringify(conditions)}`,
      )
  }

  #messageLaw(messages: Recount['messages']): void {
    let sum = -messages.accepted
    for (const figure in messages) {
      const count = messages[figure as MessageFigure]
      sum += count
      this.#figure(messageCount(figure as MessageFigure), count)
    }
    if (sum !== messages.accepted)
      this.#violations.add(
        'I11',
        `${messages.accepted} messages accepted, ${sum} accounted for: ${JSON.stringify(messages)}`,
      )
  }

  #figure(name: string, count: number): void {
    const figure = this.#space.sums[name] ?? 0
    if (figure !== count) this.#violations.add('I11', `${name} says ${figure}, the tables ${count}`)
  }
}
