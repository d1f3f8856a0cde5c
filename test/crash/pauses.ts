// SIGSTOP for longer than attempts, `within` and the lease last, then SIGCONT: the wall clock goes on, and the worker wakes up in a
// world where everything is late.
import { mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { seededRandom } from 'pawl/testing'
import { WITHIN_MS } from './errand.ts'
import { Tally, type FaultOptions, type Outcome } from './outcome.ts'
import { errands, Site } from './site.ts'

const ERRANDS = 8
const GAP_MS = 60
const ROUNDS = 20
const PAUSE_MS = WITHIN_MS + 1_000
/** Longer than the longest time that an app has by default: the lease and the grace. */
const LONG_PAUSE_MS = 11_000

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** Stops workers at moments that the seed chooses. */
export async function pauses({ folder, seed, thorough, log }: FaultOptions): Promise<Outcome[]> {
  const random = seededRandom(seed)
  const tally = new Tally('SIGSTOP, SIGCONT', 'F03 F06', log)
  for (let round = 1; round <= (thorough ? ROUNDS : 1); round++) {
    const site = new Site({ folder: mkdtempSync(join(folder, 'pause-')), ids: errands(ERRANDS) })
    const [moment, n] = [random.pick(['placed', 'nudged']), 1 + random.int(ERRANDS)]
    const ms = round === ROUNDS ? LONG_PAUSE_MS : PAUSE_MS
    const life = await site.start({ gapMs: GAP_MS })
    await life.hears(`${moment} e-${n}`)
    life.child.kill('SIGSTOP')
    await sleep(ms)
    life.child.kill('SIGCONT')
    const how = await life.ended
    if (how !== 'finished') site.faults.push(`a pause is no fault, and it ${how}`)
    tally.count(how)
    tally.count('undone', life.told.filter((line) => /^ended \S+ failed/.test(line)).length)
    await site.settle()
    await site.close()
    tally.add(`${ms} ms after ${moment} e-${n}`, site.faults)
  }
  return [tally.outcome()]
}
