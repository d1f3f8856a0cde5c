// A run as a story: one line for each thing that somebody did or suffered, in the words of the product. It is told only where somebody
// reads it: lines are put together then, and cost nothing else.

/** The lines of one run. */
export class Story {
  readonly #told: boolean
  readonly #sinceMs: () => number
  readonly #lines: string[] = []

  /** `sinceMs`: ms since the start of the run. */
  constructor(told: boolean, sinceMs: () => number) {
    this.#told = told
    this.#sinceMs = sinceMs
  }

  /** Whether somebody reads it. */
  get told(): boolean {
    return this.#told
  }

  /** Adds a line. */
  tell(who: string, what: () => string): void {
    if (!this.#told) return
    const seconds = (this.#sinceMs() / 1_000).toFixed(3).padStart(7)
    this.#lines.push(`${seconds} s  ${who.padEnd(9)} ${what()}`)
  }

  /** All lines. */
  get text(): string {
    return this.#lines.join('\n')
  }
}
