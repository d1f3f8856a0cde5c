// npm run simulate -- --seeds 100 --from 1 [--jobs 2] [--trace 200] [--calm] [--json file]
// Runs seeds on all cores. A failing seed is printed with what was broken and the last steps; it fails again on any machine.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { originOf } from '../support/record.ts'
import { runSeeds, summary } from './seeds.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    trace: { type: 'string', default: '0' },
    calm: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const startedAt = new Date()
const report = await runSeeds({
  from: Number(values.from),
  seeds: Number(values.seeds),
  jobs: Number(values.jobs),
  options: { traceSteps: Number(values.trace), ...(values.calm ? { chaos: 'calm' as const } : {}) },
  onFailure: ({ text }) => console.log(`\n${text}`),
})
console.log(JSON.stringify(Object.fromEntries(Object.entries(report.counts).toSorted(([a], [b]) => (a < b ? -1 : 1)))))
console.log(summary(report))
if (values.json !== undefined) {
  const { seeds, seconds, sums, counts, failures } = report
  const failed = failures.map(({ seed }) => seed)
  const record = { ...originOf('simulate', startedAt), from: Number(values.from), seeds, seconds, sums, counts, failed }
  writeFileSync(values.json, `${JSON.stringify(record, null, 2)}\n`)
}
if (report.failures.length > 0) process.exitCode = 1
