// Judges random instances: what their journals tell must be what a second interpreter permits, at each commit; and at the end
// what their sagas did must be undone or kept.
import { canonicalJson } from '../../../base/json.ts'
import type { Instance } from '../../../core/model.ts'
import { read } from '../../../store/memory/rows.ts'
import type { InstanceRow } from '../../../store/memory/rows.ts'
import type { ChangeRows } from '../../../store/memory/write.ts'
import type { EventRow } from '../../../store/store.ts'
import type { ServiceJudge, WrittenEntry } from '../service.ts'
import type { StoredEntry } from '../stored.ts'
import type { Violations } from '../violation.ts'
import type { World } from '../world.ts'
import { needsNoUndo } from './build-saga.ts'
import { answerTo } from './meaning.ts'
import { Reference } from './reference.ts'
import type { Permitted, Standing } from './reference.ts'
import type { BranchSketch, MachineSketch, RandomData, RandomPayload, ServiceSketch } from './sketch.ts'

/** Causes that may do what no edge says. */
const FREE: ReadonlySet<string> = new Set(['operator', 'migrate'])

/** Causes that may not leave a state that an open call holds. */
const HELD_BACK: ReadonlySet<string> = new Set(['message', 'timer'])

interface Known extends Standing {
  readonly version: number
  /** When it was committed last, a call was open that holds its state. */
  readonly held: boolean
  /** By group: the rows, with their times, that may have entered it as it holds now. */
  readonly groups: ReadonlyMap<string, ReadonlyMap<number, number>>
}

/** Judges one service in one run. */
export class RandomJudge implements ServiceJudge {
  readonly #violations: Violations
  readonly #sketch: ServiceSketch
  readonly #machines = new Map<string, MachineSketch>()
  readonly #versions = new Map<string, MachineSketch>()
  readonly #references = new Map<string, Reference>()
  readonly #known = new Map<number, Known>()
  /** Payloads of events by their id. */
  readonly #events = new Map<string, RandomPayload>()
  /** Edges that were taken, by their kind. */
  readonly counts: Record<string, number> = {}

  constructor(sketch: ServiceSketch, violations: Violations) {
    this.#sketch = sketch
    this.#violations = violations
    for (const machine of [...sketch.machines, ...(sketch.next === undefined ? [] : [sketch.next])]) {
      this.#machines.set(machine.name, machine)
      this.#versions.set(`${machine.name} ${machine.version}`, machine)
      this.#references.set(`${machine.name} ${machine.version}`, new Reference(machine, sketch.activities))
    }
  }

  written(rows: ChangeRows, entries: readonly WrittenEntry[]): void {
    for (const row of rows.events) {
      const { id, data } = read<EventRow>(row)
      this.#events.set(id, data as RandomPayload)
    }
    const instances = new Map(rows.instances.map((row) => [row.k, row]))
    for (const { k, entry } of entries) {
      const row = instances.get(k)
      if (row !== undefined && this.#machines.has(row.machine)) this.#entry(row, entry)
    }
    for (const row of rows.instances) if (this.#machines.has(row.machine)) this.#stands(row)
  }

  ended(rows: readonly InstanceRow[], world: World, violations: Violations): void {
    for (const saga of this.#sketch.sagas) {
      const branches = saga.parts.flatMap((part) => (part.is === 'step' ? part.branches : []))
      const own = rows.filter(({ machine }) => machine === saga.name)
      checkSaga(own, branches, world, violations)
    }
  }

  #entry(row: InstanceRow, entry: StoredEntry): void {
    const before = this.#known.get(row.k)
    const { cause, outcome, from, to } = entry
    const began = from === null || before === undefined
    const version = began || cause.kind === 'migrate' ? row.version : before.version
    const reference = this.#references.get(`${row.machine} ${version}`)
    if (reference === undefined) return
    const data = dataAfter(began ? undefined : before.data, entry)
    const count = `took ${cause.kind === 'always' ? cause.name : cause.kind}${outcome === 'applied' ? '' : ` ${outcome}`}`
    this.counts[count] = (this.counts[count] ?? 0) + 1
    const told: Permitted = {
      to,
      data,
      emitted: entry.emitted.map((one) => one.type ?? (one as { command?: { type: string } }).command?.type ?? ''),
      opened: entry.opened,
      ...(outcome === 'ignored' && { ignored: true }),
    }
    if (began) this.#judge(row, entry, told, [reference.begins(row.id, data)])
    else if (!FREE.has(cause.kind)) this.#judgeEdge(row, entry, told, before, reference)
    // A retry opens the calls of before again, with their old inputs; a migration opens none that it keeps.
    const reopens = cause.kind === 'operator' && entry.change === null
    const enters = (to !== before?.state && cause.kind !== 'migrate') || (entry.opened.length > 0 && !reopens)
    this.#known.set(row.k, {
      id: row.id,
      state: to,
      data,
      called: enters || before === undefined ? data : before.called,
      held: false,
      groups: groupsAfter(this.#versions.get(`${row.machine} ${version}`)!, began ? undefined : before, entry),
      over: (!began && before.over) || reference.isFinal(to) || this.#endsHere(row, entry),
      version,
    })
  }

  /** A machine without a cancel edge ends where it stands. */
  #endsHere({ machine }: InstanceRow, { cause, outcome }: StoredEntry): boolean {
    return cause.kind === 'cancel' && outcome === 'applied' && this.#machines.get(machine)?.cancel === undefined
  }

  #judgeEdge(row: InstanceRow, entry: StoredEntry, told: Permitted, before: Known, reference: Reference): void {
    const { cause, outcome } = entry
    if (outcome === 'late' || before.over) return
    const v = this.#events.get(cause.id)?.v
    const permitted = reference.permitted(before, { kind: cause.kind, name: cause.name, why: entry.why ?? '', v })
    // What is open can only be settled by a row of its own, or by one that follows in the same commit.
    const leaves = outcome === 'applied' && entry.to !== before.state && HELD_BACK.has(cause.kind)
    if (before.held && leaves) this.#wrong(row, entry, told, [])
    const acts = permitted.filter(({ ignored }) => ignored !== true)
    if (outcome === 'applied') this.#judge(row, entry, told, acts)
    // Whether a payload that is not known would have been taken cannot be said.
    else if (cause.kind === 'message' && v !== undefined && acts.length > 0)
      if (!acts.every((one) => one.to === before.state)) this.#wrong(row, entry, told, acts)
  }

  #judge(row: InstanceRow, entry: StoredEntry, told: Permitted, permitted: readonly Permitted[]): void {
    const text = canonicalJson({ ...told, opened: told.opened.toSorted() })
    if (permitted.some((one) => canonicalJson({ ...one, opened: one.opened.toSorted() }) === text)) return
    this.#wrong(row, entry, told, permitted)
  }

  #wrong(row: InstanceRow, entry: StoredEntry, told: Permitted, permitted: readonly Permitted[]): void {
    const { cause, outcome, seq } = entry
    const may = permitted.slice(0, 4).map((one) => canonicalJson(one))
    this.#violations.add(
      'I3',
      `${row.machine} ${row.id} row ${seq} (${cause.kind} ${cause.name}, ${outcome}) tells ${canonicalJson(told)}; permitted is ${may.join(' or ') || 'nothing'}`,
    )
  }

  /** I6: a timer of a state belongs to its entry, one of a group to the entry into the group; neither is due before its time. */
  #timers(row: InstanceRow, { groups }: Known): void {
    const { timers, entry, enteredAt } = read<Instance>(row)
    const { states, groups: all } = this.#versions.get(`${row.machine} ${row.version}`)!
    const own = states.find(({ name }) => name === row.state)?.after ?? []
    for (const [stored, timer] of Object.entries(timers ?? {})) {
      const [group, name] = stored.includes('/') ? stored.split('/') : [undefined, stored]
      const since = group === undefined ? new Map([[entry, enteredAt]]) : groups.get(group)
      const after = group === undefined ? own : all.find((one) => one.name === group)?.after
      const ms = after?.find((one) => one.name === name)?.ms
      this.#violations.check(
        'I6',
        ms === undefined || timer.due >= (since?.get(timer.entry) ?? Infinity) + ms,
        () =>
          `timer ${stored} of ${row.machine} ${row.id} is due at ${timer.due} by row ${timer.entry}, in ${row.state}`,
      )
    }
  }

  /** What holds of an instance between two commits. */
  #stands(row: InstanceRow): void {
    const known = this.#known.get(row.k)
    const machine = this.#machines.get(row.machine)!
    const reference = this.#references.get(`${row.machine} ${row.version}`)
    if (known === undefined || reference === undefined) return
    this.#timers(row, known)
    const { priority, fairKey, status, calls } = read<Instance>(row)
    const open = Object.values(calls ?? {}).some(({ settled }) => settled === undefined)
    this.#known.set(row.k, { ...known, held: open && reference.holdsByCall(row.state) })
    const always = status === 'live' ? reference.leadsAlways(known) : undefined
    const fair = machine.fair ? known.data.fair : null
    this.#violations.check(
      'I3',
      always === undefined && priority === (machine.priority ?? 0) && fairKey === fair,
      () =>
        `${row.machine} ${row.id} stands in ${row.state} (always leads to ${always ?? 'nowhere'}), priority ${priority}, fair by ${fairKey}`,
    )
  }
}

/** What entered the groups that hold now. A migration keeps their timers, or begins those that were over. */
function groupsAfter(
  { groups }: MachineSketch,
  before: Known | undefined,
  { seq, at, from, to, cause }: StoredEntry,
): Known['groups'] {
  const now = new Map<string, ReadonlyMap<number, number>>()
  for (const { name, states } of groups) {
    if (!states.includes(to)) continue
    const held = before?.groups.get(name) ?? []
    if (cause.kind === 'migrate') now.set(name, new Map([...held, [seq, at]]))
    else now.set(name, from !== null && states.includes(from) ? new Map(held) : new Map([[seq, at]]))
  }
  return now
}

function dataAfter(before: RandomData | undefined, { change, removed }: StoredEntry): RandomData {
  const data: Record<string, unknown> = { ...before, ...change }
  for (const field of removed) delete data[field]
  return data as unknown as RandomData
}

/** I8: of a saga that is not done every step that can be undone, and was done, is undone; of one that is done none is. */
function checkSaga(
  rows: readonly InstanceRow[],
  branches: readonly BranchSketch[],
  world: World,
  violations: Violations,
): void {
  const undoable = new Map(branches.flatMap((one) => (one.undo === undefined ? [] : [[one.activity, one] as const])))
  const byIncarnation = new Map(rows.map((row) => [read<Instance>(row).incarnation, row]))
  for (const record of world.records.values()) {
    const row = byIncarnation.get(record.key.split('-')[0]!)
    const branch = undoable.get(record.activity)
    if (row === undefined || branch === undefined || row.endedAt === null || record.settled !== 'done') continue
    // Branches that share an activity may differ in what needs no undoing.
    const { v } = JSON.parse(record.inputText) as { readonly v: number }
    const left = branches.some((one) => one.activity === record.activity && needsNoUndo(one, { v: answerTo(v) }))
    const name = `${row.machine} ${row.id}`
    if (row.condition === 'done')
      violations.check('I8', !record.undone, () => `${name} is done, and its ${record.activity} was undone`)
    else if (!left)
      violations.check(
        'I8',
        record.undone,
        () => `${name} is ${row.condition}, and its ${record.activity} (${record.key}) was never undone`,
      )
  }
}
