// npm run simulate -- --seeds 100 --from 1 [--minutes 3] [--jobs 2] [--calm] [--coverage] [--json FILE]
//   Runs seeds on all cores: so many, or as many as the minutes let. A failing seed is told as a story; it fails again on any machine.
//   --coverage: fails where something was not met that runs must meet. --json: what came of it, for the record.
// npm run simulate -- --story 123 [--trace 200]      one seed as a story, with its last steps
// npm run simulate -- --shrink 123 [--save NAME] [--mutant NAME] [--within 60]
//   Makes the first failing seed from there on small, tells it, and keeps it in regressions/NAME.json. --mutant: with a break of the
//   engine (test/mutants).
import { fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../../src/base/clock.ts'
import type { Plan } from '../../src/testing/simulation/plan.ts'
import { runPlan, simulate } from '../../src/testing/simulation/run.ts'
import { shrink } from './shrink.ts'
import { originOf } from '../support/record.ts'
import { coverageTable, unmet } from './covered.ts'
import { broken, writeRegression } from './regressions.ts'
import { runSeeds, summary } from './seeds.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    minutes: { type: 'string' },
    jobs: { type: 'string', default: String(availableParallelism()) },
    calm: { type: 'boolean', default: false },
    coverage: { type: 'boolean', default: false },
    json: { type: 'string' },
    story: { type: 'string' },
    trace: { type: 'string', default: '0' },
    shrink: { type: 'string' },
    save: { type: 'string' },
    mutant: { type: 'string' },
    within: { type: 'string', default: '60' },
  },
})
/** Seeds in which a failing one is looked for. */
const SEARCH = 500
const calm = values.calm ? { chaos: 'calm' as const } : {}

if (values.mutant !== undefined && process.env['PAWL_MUTANT'] === undefined) again(values.mutant)
else if (values.story !== undefined) await tell(Number(values.story))
else if (values.shrink !== undefined) await shrunk(Number(values.shrink))
else await many()

/** The same command in a process whose engine is broken. */
function again(mutant: string): void {
  fork(fileURLToPath(import.meta.url), process.argv.slice(2), broken(mutant)).on('exit', (code) => {
    process.exitCode = code ?? 1
  })
}

async function many(): Promise<void> {
  const startedAt = new Date()
  const seeds = Number(values.seeds)
  const report = await runSeeds({
    from: Number(values.from),
    seeds: values.minutes === undefined ? seeds : Math.max(seeds, 100_000_000),
    jobs: Number(values.jobs),
    options: { ...calm },
    ...(values.minutes !== undefined && { withinMs: Number(values.minutes) * 60_000 }),
    onFailure: ({ text }) => console.log(`\n${text}`),
    onProgress: (sofar) => console.log(summary(sofar)),
  })
  console.log(coverageTable(report.counts))
  console.log(summary(report))
  if (values.json !== undefined) record(values.json, startedAt, report)
  const missing = unmet(report)
  if (values.coverage && missing.length > 0) console.log(`never met: ${missing.join(', ')}`)
  if (report.failures.length > 0 || (values.coverage && missing.length > 0)) process.exitCode = 1
}

function record(file: string, startedAt: Date, { failures, ...report }: Awaited<ReturnType<typeof runSeeds>>): void {
  const failed = failures.map(({ seed }) => seed)
  const kept = { ...originOf('simulate', startedAt), ...report, from: Number(values.from), failed }
  writeFileSync(file, `${JSON.stringify(kept, undefined, 2)}\n`)
}

async function tell(seed: number): Promise<void> {
  const { trace, story, violations } = await simulate({
    seed,
    ...calm,
    story: true,
    traceSteps: Number(values.trace),
  })
  console.log([trace, story].filter((text) => text !== '').join('\n\n'))
  if (violations.length > 0) process.exitCode = 1
}

/** The first run that breaks a promise, from that seed on. */
async function failing(from: number) {
  for (let seed = from; seed < from + SEARCH; seed++) {
    const { plan, violations } = await simulate({ seed, ...calm })
    const [first] = violations
    if (first !== undefined) return { seed, plan, first }
  }
  return undefined
}
async function shrunk(from: number): Promise<void> {
  const found = await failing(from)
  if (found === undefined) {
    console.log(`${SEARCH} seeds from ${from} on keep all promises`)
    process.exitCode = 1
    return
  }
  const { seed, plan, first } = found
  const onSmaller = (smaller: Plan): void => console.log(`  ${sizeOf(smaller)}`)
  console.log(`seed ${seed} breaks ${first.invariant}: ${first.text}\n  ${sizeOf(plan)}`)
  const withinMs = Number(values.within) * 1_000
  const small = await shrink(plan, { violation: first, clock: systemClock, withinMs, onSmaller })
  const report = await runPlan(small, { story: true })
  console.log(`\n${report.story}`)
  const [last] = report.violations
  if (values.save === undefined || last === undefined) return
  const mutant = values.mutant === undefined ? {} : { mutant: values.mutant }
  writeRegression(values.save, { check: last.invariant, text: last.text, ...mutant, plan: small })
  console.log(`kept as test/simulation/regressions/${values.save}.json`)
}

function sizeOf({ wishes, acts, looks, faults = [], courses = [], setting, drawn }: Plan): string {
  const steps = drawn === undefined ? 'all steps' : `${drawn[1] - drawn[0]} steps`
  return (
    `${wishes.length} wishes, ${acts.length} acts, ${looks.length} looks, ${faults.length} faults of calls, ` +
    `${courses.length} of attempts, ${setting.workers} workers, ${steps} drawn`
  )
}
