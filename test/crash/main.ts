// npm run crash -- --kills 200 --faults all: the crash suite for as long as it takes. Exits 0 only where every promise was kept.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { originOf } from '../support/record.ts'
import { runCrashes } from './driver.ts'
import { FAULTS, type FaultName } from './faults.ts'
import type { Outcome } from './outcome.ts'

const HELP = `npm run crash -- [--kills 200] [--faults all] [--every 1] [--json file] [--orders 20] [--fail 0.05] [--seed n]

  --kills   how often the shop's process is killed with SIGKILL; 0: not at all
  --faults  which faults are put in besides: all, none, or some of ${Object.keys(FAULTS).join(', ')}
            (calls and clocks install strace and faketime where they are missing; clocks, calls and disks want root for that)
  --every   of the n-th reads and writes only every so many are tried, once n is over 20
  --json    where a summary is written
  --orders  new orders in each of the shop's lives
  --fail    the share of calls to the outside that have trouble besides, 0 to 0.9
  --seed    chooses the moments and the orders; the machine's own timing is not repeated
`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    faults: { type: 'string', default: 'none' },
    every: { type: 'string', default: '1' },
    json: { type: 'string' },
    orders: { type: 'string', default: '20' },
    fail: { type: 'string', default: '0.05' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

function refuse(): never {
  console.error(HELP)
  process.exit(2)
}

function namesOf(text: string): FaultName[] {
  const all = Object.keys(FAULTS) as FaultName[]
  if (text === 'all') return all
  if (text === 'none') return []
  const names = text.split(',') as FaultName[]
  return names.every((name) => all.includes(name)) ? names : refuse()
}

if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const [kills = 0, ordersPerLife = 0, every = 0, seed = 0] = [
  values.kills,
  values.orders,
  values.every,
  values.seed,
].map(Number)
const fail = Number(values.fail)
if (![kills, ordersPerLife, every, seed].every(Number.isSafeInteger) || every < 1 || !(fail >= 0 && fail <= 0.9))
  refuse()
const names = namesOf(values.faults)

/** The shop under random kills, as one kind of faults. */
async function killed(folder: string): Promise<Outcome> {
  const result = await runCrashes({ folder, kills, ordersPerLife, fail, seed, log: console.log })
  const { ended, killsAt, placed } = result
  return {
    kind: 'SIGKILL at any moment of a loaded shop',
    catalogue: 'F01',
    injections: result.kills,
    survived: Math.max(0, result.kills - result.faults.length),
    details: { 'orders placed': placed, ...prefixed('orders', ended), ...prefixed('kills at', killsAt) },
    faults: result.faults,
  }
}

const prefixed = (prefix: string, numbers: Readonly<Record<string, number>>): Record<string, number> =>
  Object.fromEntries(Object.entries(numbers).map(([name, n]) => [`${prefix} ${name}`, n]))

function table(outcomes: readonly Outcome[]): string {
  const rows = outcomes.map(({ kind, catalogue, injections, survived, faults, skipped }) =>
    skipped === undefined
      ? [kind, catalogue, String(injections), String(survived), String(faults.length)]
      : [kind, catalogue, 'skipped', skipped, ''],
  )
  const all = [['fault', 'catalogue', 'injections', 'survived', 'faults found'], ...rows]
  const widths = [0, 1, 2, 3].map((i) =>
    Math.max(...all.map((row) => (row[2] === 'skipped' && i === 3 ? 0 : row[i]!.length))),
  )
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

const folder = mkdtempSync(join(tmpdir(), 'pawl-crash-'))
console.log(`seed ${seed}, in ${folder}`)
const startedAt = new Date()
const outcomes: Outcome[] = []
const within = (name: string): string => {
  mkdirSync(join(folder, name))
  return join(folder, name)
}
if (kills > 0) outcomes.push(await killed(within('kills')))
for (const name of names) {
  const missing = FAULTS[name].install?.()
  if (missing !== undefined) console.log(`${name}: ${missing}`)
  outcomes.push(...(await FAULTS[name].run({ folder: within(name), seed, every, thorough: true, log: console.log })))
}
const faults = outcomes.flatMap((outcome) => outcome.faults)
if (values.json !== undefined) {
  const seconds = Math.round((Date.now() - startedAt.getTime()) / 1_000)
  const summary = { ...originOf('crash', startedAt), seconds, seed, every, outcomes }
  writeFileSync(values.json, `${JSON.stringify(summary, null, 2)}\n`)
}
console.log(`\n${table(outcomes)}\n`)
for (const fault of faults.slice(0, 50)) console.error(fault)
if (faults.length > 0) {
  console.error(`${faults.length} promises were broken; the files are in ${folder}`)
  process.exit(1)
}
rmSync(folder, { recursive: true })
const skipped = outcomes.filter((outcome) => outcome.skipped !== undefined).length
console.log(`Every promise was kept${skipped === 0 ? '' : `, as far as it was tried: ${skipped} kinds were skipped`}.`)
