// npm run simulate -- --seeds 100 --from 1 [--trace 200] [--calm]
// Runs seeds one after the other. A failing seed is printed with what was broken and the last steps; it fails again on any machine.
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/base/clock.ts'
import { simulate } from '../../src/testing/simulation/run.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    trace: { type: 'string', default: '80' },
    calm: { type: 'boolean', default: false },
  },
})
const from = Number(values.from)
const seeds = Number(values.seeds)
const startedAt = systemClock.monotonic()
const sums = { steps: 0, commits: 0, transitions: 0, virtualMs: 0 }
const counts: Record<string, number> = {}
const failed: number[] = []
for (let seed = from; seed < from + seeds; seed++) {
  const report = await simulate({
    seed,
    traceSteps: Number(values.trace),
    ...(values.calm ? { chaos: 'calm' as const } : {}),
  })
  for (const name of ['steps', 'commits', 'transitions', 'virtualMs'] as const) sums[name] += report[name]
  for (const [name, count] of Object.entries(report.counts)) counts[name] = (counts[name] ?? 0) + count
  if (report.violations.length === 0) continue
  failed.push(seed)
  console.log(`\n${report.trace}`)
  for (const { invariant, text, step } of report.violations.slice(0, 20))
    console.log(`seed ${seed}, step ${step}: ${invariant}: ${text}`)
}
const seconds = (systemClock.monotonic() - startedAt) / 1_000
console.log(JSON.stringify(counts))
console.log(
  `${seeds} seeds in ${seconds.toFixed(1)} s (${(seeds / seconds).toFixed(1)}/s): ${sums.transitions} transitions in ${sums.commits} commits, ` +
    `${sums.steps} steps, ${(sums.virtualMs / 3_600_000).toFixed(1)} hours of virtual time; ${failed.length} failed${failed.length > 0 ? `: ${failed.join(', ')}` : ''}`,
)
if (failed.length > 0) process.exitCode = 1
