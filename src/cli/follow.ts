// One instance beside its journal: whether the journal is a path of its graph, without a gap, and leads to the instance as stored.
import { isDeepStrictEqual } from 'node:util'
import { partitionOf } from '../base/id.ts'
import { hasEnded, type Instance } from '../core/model.ts'
import type { MachineGraph } from '../machine/definition.ts'
import type { JournalRead } from '../store/store.ts'
import { hasOpenCall } from '../store/sqlite/rows.ts'
import type { Findings } from './findings.ts'

/** Causes that may lead where no edge leads. */
const FREE: ReadonlySet<string> = new Set(['operator', 'migrate'])

/** All that is known of a machine: which version a row was written by is not stored, so any that ran here may explain it. */
export interface Known {
  readonly versions: ReadonlySet<number>
  readonly initials: ReadonlySet<string>
  readonly states: ReadonlySet<string>
  readonly finals: ReadonlySet<string>
  readonly edges: ReadonlySet<string>
}

const arrow = (from: string, to: string): string => `${from} → ${to}`

/** Gathers the graphs of each machine. */
export function knownOf(graphs: readonly MachineGraph[]): ReadonlyMap<string, Known> {
  const byName = Map.groupBy(graphs, ({ name }) => name)
  return new Map(
    [...byName].map(([name, of]) => {
      const states = of.flatMap((graph) => graph.states)
      const edges = of.flatMap((graph) => graph.edges)
      return [
        name,
        {
          versions: new Set(of.map(({ version }) => version)),
          initials: new Set(of.map(({ initial }) => initial)),
          states: new Set(states.map((state) => state.name)),
          finals: new Set(states.flatMap((state) => (state.final === undefined ? [] : [state.name]))),
          edges: new Set(edges.flatMap(({ from, to }) => (to === undefined ? [] : [arrow(from, to)]))),
        },
      ]
    }),
  )
}

/** Follows journals. */
export class Follower {
  readonly #findings: Findings
  readonly #known: ReadonlyMap<string, Known>
  readonly #partitions: number

  constructor(findings: Findings, known: ReadonlyMap<string, Known>, partitions: number) {
    this.#findings = findings
    this.#known = known
    this.#partitions = partitions
  }

  /** Looks at one instance with all rows of its journal. */
  follow(instance: Instance, rows: readonly JournalRead[]): void {
    const name = `${instance.machine} "${instance.id}"`
    const known = this.#known.get(instance.machine)
    let data: Record<string, unknown> = {}
    let before: JournalRead | undefined
    for (const row of rows) {
      this.#step(name, known, before, row)
      data = { ...(row.from === null ? {} : data), ...row.changed }
      for (const field of row.removed) delete data[field]
      before = row
    }
    this.#agrees(name, instance, before, data)
    this.#condition(name, instance)
    if (!hasEnded(instance.status) && known?.versions.has(instance.version) !== true)
      this.#findings.add('versions', `${name} is of version ${instance.version}, whose graph is not stored`)
    const place = partitionOf(instance.id, this.#partitions)
    this.#findings.check(
      place === instance.partition,
      'places',
      () => `${name} lies in ${instance.partition}, not ${place}`,
    )
  }

  #step(name: string, known: Known | undefined, before: JournalRead | undefined, row: JournalRead): void {
    const { seq, from, to, cause, outcome, emitted } = row
    const findings = this.#findings
    const at = `${name} row ${seq}`
    findings.check(seq === (before?.seq ?? 0) + 1, 'journal-gapless', () => `${at} follows ${before?.seq ?? 'nothing'}`)
    findings.check(
      from === null || before?.to === from,
      'journal-path',
      () => `${at} comes from "${from}", and the row before has ended in "${before?.to ?? 'nothing'}"`,
    )
    findings.check(
      outcome === 'applied' || from === to,
      'journal-path',
      () => `${at} is ${outcome}, and yet went to "${to}"`,
    )
    findings.check(
      emitted.every(({ type }) => type !== 'missing'),
      'journal-events',
      () => `${at} names an event that is not there`,
    )
    if (known === undefined || FREE.has(cause.kind)) return
    if (from === null ? known.initials.has(to) : from === to || known.edges.has(arrow(from, to))) return
    findings.add(
      'graph',
      `${at}: ${from === null ? `begins in "${to}"` : arrow(from, to)} by ${cause.kind} ${cause.name}`,
    )
  }

  #agrees(name: string, instance: Instance, last: JournalRead | undefined, data: unknown): void {
    const findings = this.#findings
    if (last === undefined) return findings.add('journal-agrees', `${name} has no journal`)
    const { seq, state } = instance
    findings.check(
      last.seq === seq && last.to === state,
      'journal-agrees',
      () => `${name} stands in "${state}" at ${seq}, and its journal ends in "${last.to}" at ${last.seq}`,
    )
    findings.check(
      isDeepStrictEqual(data, instance.data),
      'journal-agrees',
      () => `${name} has other data than its journal leads to`,
    )
  }

  #condition(name: string, { status, stalled, calls, timers, dueAt, endedAt }: Instance): void {
    const findings = this.#findings
    const ended = hasEnded(status)
    const open = hasOpenCall(calls)
    findings.check(ended === (endedAt !== null), 'condition', () => `${name} is ${status}, ended at ${endedAt}`)
    findings.check(!(ended && dueAt !== null), 'condition', () => `${name} is ${status}, and something of it falls due`)
    findings.check(!(ended && open), 'condition', () => `${name} is ${status}, and a call of it is open`)
    findings.check((status === 'stalled') === (stalled !== null), 'condition', () =>
      status === 'stalled' ? `${name} stalls, and does not say why` : `${name} is ${status}, and says why it stalls`,
    )
    if (status !== 'live' || open || timers === null) return
    const earliest = Math.min(...Object.values(timers).map(({ due }) => due))
    findings.check(
      earliest === Infinity || (dueAt !== null && dueAt <= earliest),
      'due',
      () => `${name} has a timer of ${new Date(earliest).toISOString()}, and would not be woken then`,
    )
  }
}
