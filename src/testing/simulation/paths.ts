// I1 and I3: the journal of an instance is a path in its machine's graph, without a gap, and leads to the instance as it is
// stored: its number, its state, its data.
import { canonicalJson } from '../../base/json.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import { instanceOf } from '../../store/memory/rows.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { StoredEntry } from './stored.ts'
import type { Violations } from './violation.ts'

/** An instance as its journal tells it. */
interface Told {
  readonly seq: number
  readonly state: string
  readonly data: Readonly<Record<string, unknown>>
  readonly incarnation: string
  readonly version: number
  readonly over: boolean
}

/** Causes that may lead where no edge leads. */
const FREE: ReadonlySet<string> = new Set(['operator', 'migrate'])

interface Graph {
  readonly initial: string
  readonly states: ReadonlySet<string>
  readonly finals: ReadonlySet<string>
  readonly edges: ReadonlySet<string>
}
const edge = (from: string, to: string): string => `${from} → ${to}`

/** Follows all journals. */
export class Paths {
  readonly #violations: Violations
  readonly #graphs: ReadonlyMap<string, Graph>
  readonly #told = new Map<number, Told>()

  constructor(violations: Violations, graphs: readonly MachineGraph[]) {
    this.#violations = violations
    this.#graphs = new Map(
      graphs.map((graph) => [
        `${graph.name} ${graph.version}`,
        {
          initial: graph.initial,
          states: new Set(graph.states.map(({ name }) => name)),
          finals: new Set(graph.states.flatMap(({ name, final }) => (final === undefined ? [] : [name]))),
          edges: new Set(graph.edges.flatMap(({ from, to }) => (to === undefined ? [] : [edge(from, to)]))),
        },
      ]),
    )
  }

  /** The present life of an instance. */
  incarnationOf(k: number): string {
    return this.#told.get(k)?.incarnation ?? ''
  }

  /** A commit has written these. */
  written(
    instances: readonly InstanceRow[],
    entries: readonly { readonly k: number; readonly entry: StoredEntry }[],
  ): void {
    const rows = new Map(instances.map((row) => [row.k, row]))
    for (const { k, entry } of entries) {
      const row = rows.get(k)
      if (row === undefined) this.#violations.add('I1', `journal row ${entry.seq} of ${k} came without its instance`)
      else this.#follow(row, entry)
    }
    for (const row of instances) this.#agrees(row)
  }

  #follow(row: InstanceRow, entry: StoredEntry): void {
    const before = this.#told.get(row.k)
    const { incarnation } = instanceOf(row)
    const born = entry.from === null
    const name = `${row.machine} ${row.id} row ${entry.seq}`
    const wrong = (text: string): void => this.#violations.add('I3', `${name}: ${text}`)
    if (entry.seq !== (before?.seq ?? 0) + 1) wrong(`follows row ${before?.seq ?? 0}`)
    if (born && before !== undefined && !before.over) wrong('a new life begins, and the old one had not ended')
    if (!born && before === undefined) wrong(`comes from ${entry.from}, and nothing was there`)
    if (!born && before !== undefined && entry.from !== before.state)
      wrong(`comes from ${entry.from}, and the instance was in ${before.state}`)
    this.#edge(row, entry, before?.version ?? row.version, wrong)
    const data: Record<string, unknown> = { ...(born ? {} : before?.data), ...entry.change }
    for (const field of entry.removed) delete data[field]
    this.#told.set(row.k, {
      seq: entry.seq,
      state: entry.to,
      data,
      incarnation: born || before === undefined ? incarnation : before.incarnation,
      version: row.version,
      // What has ended stays so until a new life begins, whatever is journalled of it.
      over: this.#ends(row, entry) || (!born && before?.over === true),
    })
  }

  /** Whether a row ends its instance: one commit may end a life and begin the next. */
  #ends({ machine, version }: InstanceRow, { cause, outcome, from, to }: StoredEntry): boolean {
    if (this.#graphs.get(`${machine} ${version}`)?.finals.has(to) === true) return true
    // A machine without a cancel edge ends where it stands.
    return cause.kind === 'cancel' && outcome === 'applied' && from === to
  }

  #edge(row: InstanceRow, entry: StoredEntry, version: number, wrong: (text: string) => void): void {
    const { from, to, outcome } = entry
    if (outcome !== 'applied' && (from !== to || entry.change !== null || entry.emitted.length > 0))
      wrong(`is ${outcome}, and yet something changed`)
    const graph = this.#graphs.get(`${row.machine} ${version}`)
    if (graph === undefined) return wrong(`nobody knows version ${version} of its machine`)
    if (FREE.has(entry.cause.kind)) return
    if (!graph.states.has(to)) wrong(`goes to ${to}, which its machine does not have`)
    if (from === null && to !== graph.initial) wrong(`begins in ${to}, not in ${graph.initial}`)
    if (from !== null && from !== to && !graph.edges.has(edge(from, to)))
      wrong(`goes ${edge(from, to)} by ${entry.cause.kind} ${entry.cause.name}, and there is no such edge`)
  }

  /** I1: the instance is what its journal says. */
  #agrees(row: InstanceRow): void {
    const told = this.#told.get(row.k)
    const name = `${row.machine} ${row.id}`
    if (told === undefined) return this.#violations.add('I1', `${name} was written, and has no journal`)
    const { seq, state, incarnation, data } = instanceOf(row)
    const is = (): string => canonicalJson({ seq, state, incarnation, data })
    const says = (): string =>
      canonicalJson({ seq: told.seq, state: told.state, incarnation: told.incarnation, data: told.data })
    const agrees =
      seq === told.seq && state === told.state && incarnation === told.incarnation && sameJson(data, told.data)
    this.#violations.check('I1', agrees, () => `${name} is ${is()}, and its journal says ${says()}`)
    this.#told.set(row.k, { ...told, over: row.endedAt !== null, version: row.version })
  }
}

/** Whether two JSON values are the same, whatever order their keys are in. */
function sameJson(one: unknown, other: unknown): boolean {
  if (one === other) return true
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return false
  if (Array.isArray(one) !== Array.isArray(other)) return false
  const keys = Object.keys(one)
  if (keys.length !== Object.keys(other).length) return false
  return keys.every(
    (key) =>
      Object.hasOwn(other, key) &&
      sameJson((one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]),
  )
}
