// I5 in the tables: as long as a call stands there it keeps its key, an attempt once counted stays counted, and a success stays one.
// Only an operator's retry begins anew. And what waits for a call, or with a stalled instance, does not grow old meanwhile (I4).
import type { CallRecord, Waiting } from '../../core/model.ts'
import { read } from '../../store/memory/rows.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { StoredEntry } from './stored.ts'
import type { Violations } from './violation.ts'

type Records = Readonly<Record<string, CallRecord>>

/** Follows all calls. */
export class Calls {
  readonly #violations: Violations
  /** By k: the calls that stood there last. */
  readonly #last = new Map<number, Records>()

  constructor(violations: Violations) {
    this.#violations = violations
  }

  /** A commit has written these. */
  written(rows: ChangeRows, entries: readonly { readonly k: number; readonly entry: StoredEntry }[]): void {
    const operated = new Set(entries.flatMap(({ k, entry }) => (entry.cause.kind === 'operator' ? [k] : [])))
    for (const row of rows.instances) {
      const { calls } = read<{ readonly calls: Records | null }>(row)
      const before = this.#last.get(row.k)
      if (before !== undefined && calls !== null && !operated.has(row.k)) this.#goOn(row, before, calls)
      if (calls === null) this.#last.delete(row.k)
      else this.#last.set(row.k, calls)
    }
    for (const row of [...rows.waiting, ...rows.rewaiting])
      this.#waits(read<{ readonly waiting: Waiting }>(row).waiting)
  }

  #goOn({ machine, id }: InstanceRow, before: Records, after: Records): void {
    for (const [name, now] of Object.entries(after)) {
      const was = before[name]
      if (was === undefined || was.entry !== now.entry || was.openedAt !== now.openedAt) continue
      const wrong = this.#wrong(was, now)
      if (wrong !== undefined) this.#violations.add('I5', `call ${name} of ${machine} ${id}: ${wrong}`)
    }
  }

  #wrong(was: CallRecord, now: CallRecord): string | undefined {
    if (was.key !== now.key) return `its key was ${was.key}, and is ${now.key}`
    if (now.attempts < was.attempts) return `${was.attempts} attempts were over, and now ${now.attempts}`
    if (now.recoveries - was.recoveries > now.attempts - was.attempts) return 'one take-over was counted twice'
    if (was.settled?.done === true && now.settled?.done !== true) return 'it was done, and is not'
    if (was.unknown && !now.unknown) return 'it may have been done, and that is forgotten'
    if (now.settled === undefined && now.attempts > was.attempts && !now.unknown)
      return `attempt ${now.attempts} is over without an answer, and the call is believed not done`
    if (
      was.unknown &&
      was.settled === undefined &&
      now.settled?.done === false &&
      now.settled.error.outcome !== 'unknown'
    )
      return 'it may have been done, and is settled as not done'
    return undefined
  }

  #waits({ n, why, until }: Waiting): void {
    const held = why === 'call' || why === 'stalled'
    this.#violations.check(
      'I4',
      !held || until === null,
      () => `message ${n} waits for ${why}, and would be given up at ${until} all the same`,
    )
  }
}
