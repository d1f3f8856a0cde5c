// Many seeds, on several cores: processes that take blocks of them from one queue.
import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { systemClock } from '../../src/base/clock.ts'
import type { Block, BlockReport, Failure } from './block.ts'

/** What to run. */
export interface SeedsOptions {
  readonly from: number
  readonly seeds: number
  /** Processes. */
  readonly jobs: number
  readonly options?: Block['options']
  /** Told of each failure as it is found. */
  readonly onFailure?: (failure: Failure) => void
}

/** What came of all. */
export interface SeedsReport extends BlockReport {
  readonly seconds: number
}

const BLOCK = 20
const CHILD = fileURLToPath(new URL('block.ts', import.meta.url))

/** Runs all seeds. Rejects where a process dies: then nothing is known of its block. */
export async function runSeeds({ from, seeds, jobs, options = {}, onFailure }: SeedsOptions): Promise<SeedsReport> {
  const startedAt = systemClock.monotonic()
  const blocks: Block[] = []
  for (let at = from; at < from + seeds; at += BLOCK)
    blocks.push({ from: at, seeds: Math.min(BLOCK, from + seeds - at), options })
  const sums: Record<string, number> = {}
  const counts: Record<string, number> = {}
  const failures: Failure[] = []
  const onReport = (report: BlockReport): void => {
    for (const [name, by] of Object.entries(report.sums)) sums[name] = (sums[name] ?? 0) + by
    for (const [name, by] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + by
    for (const failure of report.failures) onFailure?.(failure)
    failures.push(...report.failures)
  }
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, () => runJob(blocks, onReport)))
  const seconds = (systemClock.monotonic() - startedAt) / 1_000
  return { seeds, sums, counts, failures: failures.toSorted((a, b) => a.seed - b.seed), seconds }
}

/** One process, until no block is left. */
async function runJob(blocks: Block[], onReport: (report: BlockReport) => void): Promise<void> {
  if (blocks.length === 0) return
  const child = fork(CHILD, ['--blocks'], { execArgv: ['--conditions=pawl-source'] })
  await new Promise<void>((resolve, reject) => {
    let present: Block | undefined
    const next = (): void => {
      present = blocks.shift()
      if (present === undefined) child.disconnect()
      else child.send(present)
    }
    child.on('message', (report: BlockReport) => {
      onReport(report)
      next()
    })
    child.on('error', reject)
    child.on('exit', (code, signal) => {
      if (present === undefined) resolve()
      else reject(new Error(`the process of seeds ${present.from} and on ended with ${code ?? signal}`))
    })
    next()
  })
}

/** One line on how it went. */
export function summary({ seeds, seconds, sums, failures }: SeedsReport): string {
  const { transitions = 0, commits = 0, steps = 0, virtualMs = 0 } = sums
  const failed = failures.map(({ seed }) => seed).join(', ')
  return (
    `${seeds} seeds in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(1)}/s): ${transitions} transitions in ${commits} commits, ` +
    `${steps} steps, ${(virtualMs / 3_600_000).toFixed(1)} hours of virtual time; ${failures.length} failed${failed && `: ${failed}`}`
  )
}
