// A process of its own that simulates blocks of seeds for its parent, one after the other.
import { simulate } from '../../src/testing/simulation/run.ts'
import type { SimulateOptions } from '../../src/testing/simulation/run.ts'

/** Seeds to be run: `seeds` of them, from `from`. */
export interface Block {
  readonly from: number
  readonly seeds: number
  readonly options: Omit<SimulateOptions, 'seed'>
}

/** A seed that broke a promise, in words. */
export interface Failure {
  readonly seed: number
  readonly text: string
}

/** What came of a block. */
export interface BlockReport {
  readonly seeds: number
  readonly sums: Readonly<Record<string, number>>
  readonly counts: Readonly<Record<string, number>>
  readonly failures: readonly Failure[]
}

/** Runs one block. */
export async function runBlock({ from, seeds, options }: Block): Promise<BlockReport> {
  const sums: Record<string, number> = {}
  const counts: Record<string, number> = {}
  const failures: Failure[] = []
  // Nobody reads where an error came from in a run that goes well.
  Error.stackTraceLimit = 0
  for (let seed = from; seed < from + seeds; seed++) {
    const report = await simulate({ ...options, seed })
    for (const name of ['steps', 'commits', 'transitions', 'virtualMs'] as const)
      sums[name] = (sums[name] ?? 0) + report[name]
    for (const [name, count] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + count
    if (report.violations.length === 0) continue
    failures.push({ seed, text: await told(seed, options) })
  }
  return { seeds, sums, counts, failures }
}

/** The same run once more, as a story. */
async function told(seed: number, options: Block['options']): Promise<string> {
  Error.stackTraceLimit = 30
  const { violations, story, trace } = await simulate({ ...options, seed, story: true })
  Error.stackTraceLimit = 0
  const broken = violations.slice(0, 20).map((v) => `seed ${seed}, step ${v.step}: ${v.invariant}: ${v.text}`)
  return [trace, story.split('\n').slice(-LINES).join('\n'), ...broken].filter((text) => text !== '').join('\n')
}
const LINES = 60

if (process.send !== undefined && process.argv.includes('--blocks'))
  process.on('message', (block: Block) => {
    void runBlock(block).then((report) => process.send!(report))
  })
