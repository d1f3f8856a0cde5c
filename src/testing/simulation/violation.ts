// What a check found.

/** A promise that was broken. */
export interface Violation {
  /** `I1` … `I11`, or `liveness`. */
  readonly invariant: string
  readonly text: string
  /** The step of the scheduler at which it was found. */
  readonly step: number
}

/** Collects what checks find. A check never throws: it runs in the middle of somebody's commit. */
export class Violations {
  readonly all: Violation[] = []
  readonly #step: () => number

  constructor(step: () => number) {
    this.#step = step
  }

  /** Notes a broken promise. */
  add(invariant: string, text: string): void {
    this.all.push({ invariant, text, step: this.#step() })
  }

  /** Notes it unless `holds`. */
  check(invariant: string, holds: boolean, text: () => string): void {
    if (!holds) this.add(invariant, text())
  }
}
