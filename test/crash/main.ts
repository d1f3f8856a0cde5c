// npm run crash -- --kills 200: the crash suite for as long as one likes. Exits 0 only where every promise was kept.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runCrashes } from './driver.ts'

const HELP = `npm run crash -- [--kills 200] [--orders 20] [--fail 0.05] [--seed n]

  --kills   how often the shop's process is killed with SIGKILL
  --orders  new orders in each of its lives
  --fail    the share of calls to the outside that have trouble besides, 0 to 0.9
  --seed    chooses the moments of the kills and the orders; the machine's own timing is not repeated
`

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '200' },
    orders: { type: 'string', default: '20' },
    fail: { type: 'string', default: '0.05' },
    seed: { type: 'string', default: String(Math.floor(Math.random() * 1e9)) },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(HELP)
  process.exit(0)
}
const [kills, ordersPerLife, fail, seed] = [values.kills, values.orders, values.fail, values.seed].map(Number)
if (![kills, ordersPerLife, seed].every(Number.isSafeInteger) || !(fail! >= 0 && fail! <= 0.9)) {
  console.error(HELP)
  process.exit(2)
}

const folder = mkdtempSync(join(tmpdir(), 'pawl-crash-'))
console.log(`seed ${seed}, ${kills} kills, in ${folder}`)
const result = await runCrashes({
  folder,
  kills: kills!,
  ordersPerLife: ordersPerLife!,
  fail: fail!,
  seed: seed!,
  log: console.log,
})
console.log(JSON.stringify({ ...result, faults: result.faults.length }, null, 2))
for (const fault of result.faults.slice(0, 50)) console.error(fault)
if (result.faults.length > 0) {
  console.error(`${result.faults.length} promises were broken; the files are in ${folder}`)
  process.exit(1)
}
rmSync(folder, { recursive: true })
console.log('Every promise was kept.')
