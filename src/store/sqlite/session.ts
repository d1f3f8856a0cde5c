// The session of an open store: its lease, and what became of its latest numbers.
import type { CommitResult } from '../store.ts'

/** What a number was settled as: never again anything else. */
export type Settled = Extract<CommitResult, { readonly kind: 'applied' | 'rejected' }>

// One number is in flight at a time, so that even a late copy meets its own among these.
const NUMBERS_KEPT = 64

/** A lease on the whole store. It ends by `closeSession` or by a newer session, not by time: there is nobody to take over. */
export class Session {
  readonly id: string
  readonly build: string
  /** As its owner was told, ms since 1970. */
  expiresAt: number
  readonly #numbers = new Map<number, Settled>()
  /** The greatest number that is no longer remembered. */
  #floor = 0

  constructor(id: string, build: string, expiresAt: number) {
    this.id = id
    this.build = build
    this.expiresAt = expiresAt
  }

  /** What became of a number; undefined: it was never seen; `forgotten`: so long ago that nobody can be waiting for it. */
  settledAs(n: number): Settled | 'forgotten' | undefined {
    return this.#numbers.get(n) ?? (n <= this.#floor ? 'forgotten' : undefined)
  }

  /** Remembers what became of a number. */
  settle(n: number, as: Settled): void {
    this.#numbers.set(n, as)
    if (this.#numbers.size <= NUMBERS_KEPT) return
    const [oldest] = this.#numbers.keys()
    this.#numbers.delete(oldest!)
    this.#floor = Math.max(this.#floor, oldest!)
  }
}
