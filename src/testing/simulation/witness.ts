// Sees each commit, for the coverage and for the story of a run. It judges nothing.
import { messageCount } from '../../core/counts.ts'
import { read } from '../../store/memory/rows.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { Space } from '../../store/memory/space.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { DeadLetterRow, WaitingRow } from '../../store/store.ts'
import type { Coverage } from './coverage.ts'
import type { StoredEntry } from './stored.ts'
import type { Story } from './story.ts'

/** What a witness needs. */
export interface WitnessOptions {
  readonly space: Space
  readonly coverage: Coverage
  readonly story: Story
  /** Whose session that is. */
  readonly whose: (session: string) => string
}

/** Sees all commits of one run. */
export class Witness {
  readonly #o: WitnessOptions
  readonly #conditions = new Map<number, string>()

  constructor(o: WitnessOptions) {
    this.#o = o
  }

  /** A commit has just taken effect. */
  written(session: string, n: number, rows: ChangeRows): void {
    const { coverage, story } = this.#o
    if (story.told && !isChore(rows)) story.tell(this.#o.whose(session), () => this.#commitText(n, rows))
    for (const row of rows.journal) this.#entry(read<StoredEntry>(row))
    for (const row of rows.instances) this.#condition(row)
    for (const row of rows.waiting) coverage.add(`fate waits for ${read<WaitingRow>(row).waiting.why}`)
    for (const row of rows.rewaiting) {
      const { waiting } = read<Pick<WaitingRow, 'waiting'>>(row)
      coverage.add(`fate waits on, for ${waiting.why}`)
    }
    for (const row of rows.deadLetters) coverage.add(`dead ${read<DeadLetterRow>(row).code}`)
    for (const figure of ['unclaimed', 'discarded'] as const)
      if ((rows.counts[messageCount(figure)] ?? 0) > 0) coverage.add(`fate ${figure}`)
    if (rows.undead.length > 0) coverage.add('fate redriven or discarded')
  }

  #entry({ cause, outcome, unit, from, to, opened, dropped }: StoredEntry): void {
    const { coverage } = this.#o
    if (unit) coverage.add(`fate ${outcome}`)
    else if (outcome === 'late') coverage.add(`fate late ${cause.kind}`)
    coverage.add(`cause ${cause.kind}`)
    if (cause.kind === 'timer' && cause.name === 'within') coverage.add('call settled by within')
    if (cause.kind === 'operator') coverage.add(`operator ${cause.name} ${outcome}`)
    if (opened.length > 0 && from !== null && to.startsWith('undo ')) coverage.add('call to undo')
    if (dropped.length > 0) coverage.add('call given up')
  }

  #condition({ k, condition, stallCode }: InstanceRow): void {
    const now = condition === 'stalled' ? `stall ${stallCode ?? ''}` : `instance ${condition}`
    if (this.#conditions.get(k) === now) return
    this.#conditions.set(k, now)
    this.#o.coverage.add(now)
  }

  #commitText(n: number, rows: ChangeRows): string {
    const parts = rows.journal.map((row) => `${this.#nameOf(row.k, rows)} ${entryText(read<StoredEntry>(row))}`)
    for (const row of rows.instances)
      if (row.condition === 'stalled') parts.push(`${row.machine} ${row.id} stands stalled (${row.stallCode ?? ''})`)
    for (const row of rows.waiting) {
      const { waiting, target } = read<WaitingRow>(row)
      const { input } = waiting
      parts.push(
        `${target.machine} ${target.id} lets ${input.kind === 'message' ? input.type : input.kind} wait for ${waiting.why}`,
      )
    }
    for (const row of rows.deadLetters) {
      const { machine, instance, code } = read<DeadLetterRow>(row)
      parts.push(`a dead letter of ${machine} ${instance} (${code})`)
    }
    if (parts.length === 0) parts.push(`${rows.read.length} read, ${rows.inbox.length} written of the inbox`)
    return `commits ${n}: ${parts.join('; ')}`
  }

  #nameOf(k: number, { instances }: ChangeRows): string {
    const row = instances.find((one) => one.k === k) ?? this.#o.space.instances.get(k)
    return row === undefined ? `instance ${k}` : `${row.machine} ${row.id}`
  }
}

/** Nothing but receipts and counts. */
const isChore = (rows: ChangeRows): boolean =>
  [rows.journal, rows.instances, rows.waiting, rows.deadLetters, rows.read, rows.inbox].every(
    (list) => list.length === 0,
  )

function entryText({ cause, outcome, from, to, seq, by }: StoredEntry): string {
  const why = `${cause.kind} ${cause.name}${by === undefined ? '' : ` of ${by}`}`
  if (outcome !== 'applied') return `row ${seq}: ${outcome} ${why} (${cause.id})`
  return `row ${seq}: ${from === to ? to : `${from ?? 'nothing'} → ${to}`} by ${why} (${cause.id})`
}
