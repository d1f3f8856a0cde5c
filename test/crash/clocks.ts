// Jumps of the wall clock under a running worker: libfaketime stands between it and the system's clock, and reads from a file how far
// off that is. The monotonic clock is left alone, as NTP leaves it alone.
//
// A timer that fires before its time by the worker's own stopwatch is a fault, except after a jump of less than an hour: such a one is
// taken at once (src/base/steady.ts).
import { existsSync, globSync, mkdtempSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Tally, type FaultOptions, type Outcome } from './outcome.ts'
import { errands, Site, type Life, type LifeOptions } from './site.ts'

const ERRANDS = 6
const GAP_MS = 250
/** All jumps of one life, while its errands are under way. */
const JUMPS_MS = 2_500
/** A jump is believed when it has persisted for so long. */
const BELIEVED_AFTER_MS = 60_000

/** One life: the clock jumps to each of these one after another, by so much off the true time. */
interface Jumps {
  readonly name: string
  readonly to: readonly string[]
  /** Health must say that the clock is wrong. */
  readonly isTold: boolean
  /** Timers follow. */
  readonly isTaken?: boolean
  /** It is killed while the clock is off, and starts again so. */
  readonly dies?: boolean
  readonly short?: boolean
}

const JUMPS: readonly Jumps[] = [
  { name: 'a year ahead and back', to: ['+365d', '+0'], isTold: true, short: true },
  { name: 'a year back and ahead', to: ['-365d', '+0'], isTold: true },
  { name: 'a year ahead, a year back, two days ahead', to: ['+365d', '-365d', '+2d', '+0'], isTold: true },
  { name: 'seconds and half hours', to: ['+20', '-20', '+30m', '-30m', '+0'], isTold: true, isTaken: true },
  { name: 'a year ahead, killed there', to: ['+365d'], isTold: true, dies: true },
  { name: 'a year back, killed there', to: ['-365d'], isTold: true, dies: true },
]

const sleep = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/** The library of Debian's package `faketime`. */
export const fakeTimeLibrary = (): string | undefined =>
  [...globSync('/usr/lib/*/faketime/libfaketimeMT.so.1'), '/usr/lib/faketime/libfaketimeMT.so.1'].find((path) =>
    existsSync(path),
  )

/** A clock that can be set. */
class FakeClock {
  readonly #file: string
  readonly #library: string

  constructor(folder: string, library: string) {
    this.#file = join(folder, 'clock')
    this.#library = library
    this.set('+0')
  }

  /** By how much it is off from now on. */
  set(offset: string): void {
    writeFileSync(this.#file, `${offset}\n`)
  }

  get env(): NonNullable<LifeOptions['env']> {
    return {
      LD_PRELOAD: this.#library,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    }
  }
}

async function jump(site: Site, clock: FakeClock, { to, isTold, dies = false }: Jumps): Promise<Life> {
  const life = await site.start({ env: clock.env, gapMs: GAP_MS })
  const told = life.hears('clock ')
  await life.hears('placed e-2')
  for (const offset of to) {
    clock.set(offset)
    await sleep(JUMPS_MS / to.length)
  }
  if (dies) life.child.kill('SIGKILL')
  const how = await life.ended
  if (how !== (dies ? 'killed' : 'finished')) site.faults.push(`it ${how}`)
  if (isTold && (await told) === undefined) site.faults.push('health did not tell that the clock is wrong')
  // In the wrong time still; and then once more in the right one.
  if (dies && (await site.live({ env: clock.env })) !== 'finished') site.faults.push('it did not finish in that time')
  return life
}

/** A jump that stays is believed after a minute: not before that, and then timers of the new time fire. */
async function believed(folder: string, library: string, tally: Tally): Promise<void> {
  const site = new Site({ folder: mkdtempSync(join(folder, 'clock-')), ids: errands(1) })
  const clock = new FakeClock(site.folder, library)
  const life = await site.start({ env: clock.env, sleeps: true, msMax: 4 * BELIEVED_AFTER_MS })
  await life.hears('nudged e-1')
  clock.set('+365d')
  const from = performance.now()
  await life.hears('woken')
  const ms = performance.now() - from
  if ((await life.ended) !== 'finished') site.faults.push('what sleeps for 30 days did not wake up a year later')
  if (ms < BELIEVED_AFTER_MS) site.faults.push(`a jump was believed after ${ms.toFixed(0)} ms`)
  await site.settle()
  await site.close()
  tally.add(`a year ahead for good, believed after ${(ms / 1_000).toFixed(1)} s`, site.faults)
}

/** Lets the clock jump. */
export async function clockJumps({ folder, thorough, log }: FaultOptions): Promise<Outcome[]> {
  const tally = new Tally('the clock jumps', 'F60 F61 F62', log)
  const library = fakeTimeLibrary()
  if (library === undefined) return [tally.outcome('libfaketime is not installed: `apt-get install faketime`, as root')]
  for (const jumps of JUMPS.filter(({ short }) => thorough || short === true)) {
    const site = new Site({ folder: mkdtempSync(join(folder, 'clock-')), ids: errands(ERRANDS), rest: '1500 ms' })
    const life = await jump(site, new FakeClock(site.folder, library), jumps)
    tally.count('timers fired early', life.told.filter((line) => line.startsWith('early ')).length)
    await site.settle()
    await site.close()
    const faults = jumps.isTaken === true ? site.faults.filter((fault) => !fault.startsWith('early ')) : site.faults
    tally.add(jumps.name, faults)
  }
  if (thorough) await believed(folder, library, tally)
  return [tally.outcome()]
}
