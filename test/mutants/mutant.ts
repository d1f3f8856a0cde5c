// A mutant is the engine with one deliberate break. The simulation must accuse it, or it proves nothing about the engine without.

/** One break, and what it would do to a user. */
export interface Mutant {
  /** Unique; kebab case. */
  readonly name: string
  /** Promises of ARCHITECTURE.md that it breaks. */
  readonly invariants: readonly [string, ...string[]]
  /** From the root of the repository. */
  readonly file: string
  /** Text of that file that stands there exactly once. */
  readonly find: string
  readonly replace: string
  /** What a user would lose. */
  readonly breaks: string
  /**
   * Checks that may catch it. Default: its invariants. Others are named here where the break shows elsewhere first: `liveness` for what never
   * comes to its end, `truth` for what somebody was told, `engine` for a worker that gives up.
   */
  readonly by?: readonly string[]
}

/** Where a mutant was caught. */
export interface Catch {
  readonly seed: number
  /** Of the scheduler, to the first violation. */
  readonly step: number
  /** The check that caught it, as `by` names it. */
  readonly check: string
  readonly text: string
}

/** Which checks may catch a mutant. */
export const checksOf = ({ by, invariants }: Mutant): readonly string[] => by ?? invariants
