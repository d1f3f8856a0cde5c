// npm run mutants [-- --seeds 400] [--jobs 2] [--only name,name] [--update] [--json file]
// Breaks the engine on purpose, one break at a time, and prints which seed of the simulation accuses it by which check. Ends non-zero
// where a mutant survives or its text is not found, or where the engine without a break is accused. `--update` keeps the seeds.
import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { parseArgs } from 'node:util'
import { originOf } from '../support/record.ts'
import { mutants } from './catalogue.ts'
import { control, huntAll, readHints, writeHints } from './hunt.ts'
import type { Result } from './hunt.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '400' },
    jobs: { type: 'string', default: String(Math.min(2, availableParallelism())) },
    only: { type: 'string' },
    update: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const only = values.only?.split(',')
const chosen = only === undefined ? mutants : mutants.filter(({ name }) => only.includes(name))
const jobs = Number(values.jobs)
const hints = readHints()

const how = ({ caught, other, broken, seeds }: Result): string => {
  if (caught !== undefined) return `seed ${caught.seed}, step ${caught.step}, by ${caught.check}: ${line(caught.text)}`
  if (broken !== undefined) return `NOT RUN: ${broken}`
  const seen = other === undefined ? '' : ` (seed ${other.seed} says ${other.check}: ${line(other.text)})`
  return `SURVIVES ${seeds} seeds${seen}`
}
const line = (text: string): string => text.replaceAll(/\s+/g, ' ').slice(0, 160)

const startedAt = new Date()
const results = await huntAll({
  mutants: chosen,
  seeds: Number(values.seeds),
  jobs,
  hints,
  onResult: (result) => {
    const { name, invariants, breaks } = result.mutant
    console.log(`${name} [${invariants.join(', ')}]\n    ${breaks}\n    ${how(result)}`)
  },
})
const seeds = [...new Set(results.flatMap(({ caught }) => caught?.seed ?? []))]
const accused = await control(seeds, jobs)
for (const { seed, check, text } of accused) console.log(`WITHOUT A BREAK seed ${seed} says ${check}: ${line(text)}`)
const killed = results.filter(({ caught }) => caught !== undefined).length
console.log(
  `${killed} of ${results.length} mutants caught; the engine without a break is accused by ${accused.length} of their ${seeds.length} seeds`,
)
if (values.update) writeHints(results, hints)
if (values.json !== undefined) {
  const found = results.map(({ mutant: { name, invariants, breaks }, caught }) => ({
    name,
    invariants,
    breaks,
    ...(caught !== undefined && { seed: caught.seed, step: caught.step, check: caught.check }),
  }))
  const record = { ...originOf('mutants', startedAt), control: seeds.length, accused: accused.length, mutants: found }
  writeFileSync(values.json, `${JSON.stringify(record, null, 2)}\n`)
}
if (killed < results.length || accused.length > 0) process.exitCode = 1
