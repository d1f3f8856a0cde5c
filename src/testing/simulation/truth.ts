// Whether what somebody was told is so: an answer is given only of what is durable, and says what the tables say.
import { canonicalJson } from '../../base/json.ts'
import { keyOf } from '../../store/memory/rows.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { Space } from '../../store/memory/space.ts'
import type { ReceiptRow, Target } from '../../store/store.ts'
import type { Invariants } from './invariants.ts'
import type { Violations } from './violation.ts'

/** What it is judged by. */
export interface TruthOptions {
  readonly space: Space
  readonly invariants: Invariants
  readonly violations: Violations
  /** What `result` gives for an instance. */
  readonly output: (machine: string, id: string, data: Readonly<Record<string, unknown>>) => unknown
}

/** Judges answers in the instant in which they are given. */
export class Truth {
  readonly #o: TruthOptions

  constructor(o: TruthOptions) {
    this.#o = o
  }

  /** Something was said that cannot be. */
  wrong(text: string): void {
    this.#o.violations.add('truth', text)
  }

  /** An instance was said to be started. */
  started({ machine, id }: Target): void {
    if (!this.#o.invariants.wasThere(machine, id))
      this.wrong(`${machine} ${id} was said to be started, and is not there`)
  }

  /** A message that was for one state of an instance alone: it was applied next after that, or not at all. */
  appliedAfter({ machine, id }: Target, messageId: string, seq: number): void {
    const decided = this.#o.invariants.decisionOf(machine, id, messageId)
    if (decided?.outcome === 'applied' && decided.seq !== seq + 1)
      this.wrong(`${machine} ${id} applied ${messageId} by row ${decided.seq}, and it was for what row ${seq} left`)
  }

  /** An instance was said to be erased. */
  removed({ machine, id }: Target): void {
    if (this.#row(machine, id) !== undefined) this.wrong(`${machine} ${id} was said to be erased, and is there`)
  }

  /** A message was said to have come to something. */
  told({ machine, id }: Target, messageId: string, outcome: ReceiptRow['outcome'], seq: number | undefined): void {
    if (outcome !== 'applied' && outcome !== 'ignored' && outcome !== 'refused') return
    const decided = this.#o.invariants.decisionOf(machine, id, messageId)
    const said = `${machine} ${id} was said to have ${outcome} ${messageId} by row ${seq ?? '?'}`
    if (decided === undefined) this.wrong(`${said}, and has not looked at it`)
    else if (decided.outcome !== outcome) this.wrong(`${said}, and has ${decided.outcome} it`)
    else if (seq !== undefined && decided.seq > seq) this.wrong(`${said}, and did so by row ${decided.seq}`)
  }

  /** Somebody who waited for its end was told of it. An instance that has ended and is gone was looked at before. */
  ended({ machine, id }: Target, how: 'done' | 'not done', output?: unknown): void {
    const row = this.#row(machine, id)
    if (row === undefined) return
    const said = `${machine} ${id} was said to have ended ${how}`
    if (row.endedAt === null) this.wrong(`${said}, and is ${row.condition} in ${row.state}`)
    else if ((row.condition === 'done') !== (how === 'done')) this.wrong(`${said}, and is ${row.condition}`)
    else if (how === 'done') {
      const own = this.#o.output(machine, id, JSON.parse(row.dataText) as Readonly<Record<string, unknown>>)
      if (canonicalJson(own) !== canonicalJson(output))
        this.wrong(`${said} with ${canonicalJson(output)}, and gives ${canonicalJson(own)}`)
    }
  }

  #row(machine: string, id: string): InstanceRow | undefined {
    const { space } = this.#o
    return space.instances.get(space.names.get(keyOf(machine, id)) ?? -1)
  }
}
