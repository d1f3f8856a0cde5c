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
  /** No new block of seeds begins after that time. Default: all are run. */
  readonly withinMs?: number
  /** Told of each failure as it is found. */
  readonly onFailure?: (failure: Failure) => void
  /** Told how it goes every 10 seconds or so. */
  readonly onProgress?: (report: SeedsReport) => void
}

/** What came of all. */
export interface SeedsReport extends BlockReport {
  readonly seconds: number
}

const BLOCK = 40
const CHILD = fileURLToPath(new URL('block.ts', import.meta.url))

/** Between two words on how it goes. */
const PROGRESS_MS = 10_000

/** Runs all seeds. Rejects where a process dies: then nothing is known of its block. */
export async function runSeeds(o: SeedsOptions): Promise<SeedsReport> {
  const { from, seeds, jobs, options = {}, withinMs = Infinity, onFailure, onProgress } = o
  const startedAt = systemClock.monotonic()
  const sums: Record<string, number> = {}
  const counts: Record<string, number> = {}
  const failures: Failure[] = []
  let at = from
  let done = 0
  let toldAt = startedAt
  const take = (): Block | undefined => {
    if (at >= from + seeds || systemClock.monotonic() - startedAt > withinMs) return undefined
    const block = { from: at, seeds: Math.min(BLOCK, from + seeds - at), options }
    at += block.seeds
    return block
  }
  const soFar = (): SeedsReport => {
    const seconds = (systemClock.monotonic() - startedAt) / 1_000
    return { seeds: done, sums, counts, failures: failures.toSorted((a, b) => a.seed - b.seed), seconds }
  }
  const onReport = (report: BlockReport): void => {
    done += report.seeds
    for (const [name, by] of Object.entries(report.sums)) sums[name] = (sums[name] ?? 0) + by
    for (const [name, by] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + by
    for (const failure of report.failures) onFailure?.(failure)
    failures.push(...report.failures)
    const now = systemClock.monotonic()
    if (now - toldAt < PROGRESS_MS) return
    toldAt = now
    onProgress?.(soFar())
  }
  await Promise.all(Array.from({ length: Math.max(1, jobs) }, () => runJob(take, onReport)))
  return soFar()
}

/** One process, until no block is left. */
async function runJob(take: () => Block | undefined, onReport: (report: BlockReport) => void): Promise<void> {
  const child = fork(CHILD, ['--blocks'], { execArgv: ['--conditions=pawl-source'] })
  await new Promise<void>((resolve, reject) => {
    let present: Block | undefined
    const next = (): void => {
      present = take()
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
