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
  for (let seed = from; seed < from + seeds; seed++) {
    const report = await simulate({ ...options, seed })
    for (const name of ['steps', 'commits', 'transitions', 'virtualMs'] as const)
      sums[name] = (sums[name] ?? 0) + report[name]
    for (const [name, count] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + count
    if (report.violations.length === 0) continue
    const broken = report.violations.slice(0, 20).map((v) => `seed ${seed}, step ${v.step}: ${v.invariant}: ${v.text}`)
    failures.push({ seed, text: `${report.trace}\n${broken.join('\n')}` })
  }
  return { seeds, sums, counts, failures }
}

if (process.send !== undefined && process.argv.includes('--blocks'))
  process.on('message', (block: Block) => {
    void runBlock(block).then((report) => process.send!(report))
  })
