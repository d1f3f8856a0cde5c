// I7: the log of a partition has no gap, and stamps grow along causes: what an instance emits is stamped above all that it has
// heard, so whoever reads by stamps never meets an effect before its cause.
import { read } from '../../store/memory/rows.ts'
import type { EventTextRow } from '../../store/memory/rows.ts'
import type { EventRow } from '../../store/store.ts'
import type { StoredEntry } from './stored.ts'
import type { Violations } from './violation.ts'

/** Follows all logs. */
export class Order {
  readonly #violations: Violations
  readonly #heads = new Map<number, { readonly offset: number; readonly stamp: number }>()
  /** Stamps of events by their id, and by their place. */
  readonly #byId = new Map<string, number>()
  readonly #byPlace = new Map<string, number>()
  /** The greatest stamp that an instance has heard or given. */
  readonly #heard = new Map<number, number>()

  constructor(violations: Violations) {
    this.#violations = violations
  }

  /** A commit has written these. */
  written(
    events: readonly (EventTextRow & { readonly partition: number; readonly offset: number })[],
    entries: readonly { readonly k: number; readonly entry: StoredEntry }[],
  ): void {
    for (const row of events.toSorted((a, b) => a.offset - b.offset)) {
      const { partition, offset } = row
      const { id, stamp } = read<EventRow>(row)
      this.#place(partition, offset, stamp)
      this.#violations.check('I7', !this.#byId.has(id), () => `two events of the log have the id ${id}`)
      this.#byId.set(id, stamp)
      this.#byPlace.set(`${partition} ${offset}`, stamp)
    }
    for (const { k, entry } of entries) this.#entry(k, entry)
  }

  #place(partition: number, offset: number, stamp: number): void {
    const head = this.#heads.get(partition) ?? { offset: 0, stamp: 0 }
    this.#violations.check(
      'I7',
      offset === head.offset + 1,
      () => `event ${offset} of partition ${partition} comes after event ${head.offset}`,
    )
    this.#violations.check(
      'I7',
      stamp > head.stamp,
      () => `event ${offset} of partition ${partition} is stamped ${stamp}, the one before it ${head.stamp}`,
    )
    this.#heads.set(partition, { offset, stamp })
  }

  #entry(k: number, entry: StoredEntry): void {
    let heard = Math.max(this.#heard.get(k) ?? 0, this.#byId.get(entry.cause.id) ?? 0)
    for (const { event } of entry.emitted) {
      if (event === undefined) continue
      const stamp = this.#byPlace.get(event.join(' '))
      if (stamp === undefined) {
        this.#violations.add('I1', `row ${entry.seq} of ${k} names event ${event.join('/')}, which is not in the log`)
        continue
      }
      const before = heard
      this.#violations.check(
        'I7',
        stamp > before,
        () => `row ${entry.seq} of ${k} emits an event stamped ${stamp}, and it had heard ${before}`,
      )
      heard = Math.max(heard, stamp)
    }
    this.#heard.set(k, heard)
  }
}
