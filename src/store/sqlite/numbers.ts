// Numbers that are given once: keys of instances and places of waiting messages.
//
// The file holds a ceiling that grows by blocks, so that giving a number writes nothing. After a restart numbers go on above the
// ceiling: what was left of the block is a gap.
import type { DatabaseSync, StatementSync } from 'node:sqlite'

const BLOCK = 4_096

/** What numbers are given for. */
export type NumberKind = 'k' | 'waiting'

/** Gives numbers. */
export class Numbers {
  readonly #store: StatementSync
  readonly #kinds: Readonly<Record<NumberKind, { next: number; ceiling: number }>>

  constructor(db: DatabaseSync) {
    const read = db.prepare('select value from pawl_meta where name = ?')
    this.#store = db.prepare('insert into pawl_meta values (?, ?) on conflict do update set value = excluded.value')
    const from = (kind: NumberKind): { next: number; ceiling: number } => {
      const ceiling = Number(read.get(`last ${kind}`)?.['value'] ?? 0)
      return { next: ceiling + 1, ceiling }
    }
    this.#kinds = { k: from('k'), waiting: from('waiting') }
  }

  /** The first of `count` numbers in a row, or undefined where the block does not have so many left. */
  take(kind: NumberKind, count: number): number | undefined {
    const numbers = this.#kinds[kind]
    const first = numbers.next
    if (first + count - 1 > numbers.ceiling) return undefined
    numbers.next += count
    return first
  }

  /** Stores a ceiling with room for `count` more, inside a transaction; tell `raise` of it once that is durable. */
  storeCeiling(kind: NumberKind, count: number): number {
    const ceiling = this.#kinds[kind].ceiling + count + BLOCK
    this.#store.run(`last ${kind}`, String(ceiling))
    return ceiling
  }

  /** The file holds this ceiling now. */
  raise(kind: NumberKind, ceiling: number): void {
    const numbers = this.#kinds[kind]
    numbers.ceiling = Math.max(numbers.ceiling, ceiling)
  }
}
