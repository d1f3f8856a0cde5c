// Names from definitions (machines, states, message types) as small numbers: they stand in every row, and are few.
import type { DatabaseSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { Tape } from './tape.ts'

/** Both ways between a name and its number. The map in memory holds committed names and those of the transaction under way. */
export class Names {
  readonly #numbers = new Map<string, number>()
  readonly #texts: (string | undefined)[] = []
  #fresh: string[] = []

  constructor(db: DatabaseSync) {
    for (const row of db.prepare('select n, name from pawl_names').all())
      this.#keep(String(row['name']), Number(row['n']))
  }

  #keep(name: string, n: number): void {
    this.#numbers.set(name, n)
    this.#texts[n] = name
  }

  /** For writing: a new name is put on the tape. */
  number(name: string, tape: Tape): number {
    const known = this.#numbers.get(name)
    if (known !== undefined) return known
    const n = Math.max(1, this.#texts.length)
    tape.put('name', n, name)
    this.#keep(name, n)
    this.#fresh.push(name)
    return n
  }

  /** For queries: -1, which no row has, for a name that was never stored. */
  find(name: string): number {
    return this.#numbers.get(name) ?? -1
  }

  /** For reading. Throws PawlError `STORE_CORRUPT` for a number without a name. */
  text(n: number): string {
    const name = this.#texts[n]
    if (name === undefined)
      throw new PawlError(
        'STORE_CORRUPT',
        `the store has no name for ${n}: restore a backup, or the file was edited by hand`,
      )
    return name
  }

  /** The transaction under way is durable. */
  settled(): void {
    if (this.#fresh.length > 0) this.#fresh = []
  }

  /** The transaction under way was rolled back: what it added is not there. */
  forget(): void {
    for (const name of this.#fresh) {
      this.#texts.length = Math.min(this.#texts.length, this.#numbers.get(name)!)
      this.#numbers.delete(name)
    }
    this.#fresh = []
  }
}
