// A process of its own for one mutant: runs seeds until a promise is broken.
import { simulate } from '../../src/testing/simulation/run.ts'
import type { Violation } from '../../src/testing/simulation/violation.ts'
import type { Catch } from './mutant.ts'

/** What a process is to do. */
export interface Hunt {
  readonly seeds: readonly number[]
  /** Checks that may catch it; empty: any, for the engine without a break. */
  readonly checks: readonly string[]
}

/** What came of it. */
export interface Hunted {
  readonly seeds: number
  readonly caught?: Catch
  /** The first violation that does not count: of another check, or of a break that is no program any more. */
  readonly other?: Catch
}

/** A program that cannot run at all is no mutant: it would be caught by anything. */
const NO_PROGRAM = /\b(?:Type|Reference|Syntax|Range)Error\b/

const counts = ({ invariant, text }: Violation, checks: readonly string[]): boolean =>
  (checks.length === 0 || checks.includes(invariant)) && !NO_PROGRAM.test(text)

async function hunt({ seeds, checks }: Hunt): Promise<Hunted> {
  let other: Catch | undefined
  for (const [tried, seed] of seeds.entries()) {
    const { violations } = await simulate({ seed, traceSteps: 0 })
    const [first] = violations
    if (first === undefined) continue
    const one = violations.find((violation) => counts(violation, checks))
    const { invariant: check, step, text } = one ?? first
    if (one !== undefined) return { seeds: tried + 1, caught: { seed, step, check, text } }
    other ??= { seed, step, check, text }
  }
  return { seeds: seeds.length, ...(other !== undefined && { other }) }
}

process.once('message', (message: Hunt) => {
  void hunt(message).then((hunted) => process.send!(hunted, () => process.disconnect()))
})
