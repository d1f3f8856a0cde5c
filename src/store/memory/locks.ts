// Locks that are held over time: a commit holds its session's row and its own number until it has taken effect, as a statement
// of PostgreSQL does. Whoever ends the session waits for the first, whoever sends the number again waits for the second.

/** The locks of one space. Nothing can wait in a circle: a holder of a session's lock waits for nobody but older copies of its number. */
export class Locks {
  readonly #held = new Map<string, number>()
  readonly #numbers = new Set<string>()
  #waiters: (() => void)[] = []

  /** Whether a commit of this session is under way. */
  isHeld(session: string): boolean {
    return this.#held.has(session)
  }

  /** A commit of the session begins; shared with others of the same session. */
  hold(session: string): void {
    this.#held.set(session, (this.#held.get(session) ?? 0) + 1)
  }

  /** It has taken effect, or never will. */
  release(session: string): void {
    const left = (this.#held.get(session) ?? 1) - 1
    if (left > 0) this.#held.set(session, left)
    else this.#held.delete(session)
    this.#wake()
  }

  /** Resolves when no commit of the session is under way; by the time that its caller goes on one may have begun again. */
  async free(session: string): Promise<void> {
    while (this.#held.has(session)) await this.#change()
  }

  /** Takes a number of a session, after whoever has it. */
  async takeNumber(session: string, n: number): Promise<void> {
    const key = `${session} ${n}`
    while (this.#numbers.has(key)) await this.#change()
    this.#numbers.add(key)
  }

  /** Gives a number back. */
  freeNumber(session: string, n: number): void {
    this.#numbers.delete(`${session} ${n}`)
    this.#wake()
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve))
  }

  #wake(): void {
    const waiters = this.#waiters
    this.#waiters = []
    for (const wake of waiters) wake()
  }
}
