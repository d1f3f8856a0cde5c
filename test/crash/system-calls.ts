// Faults at the n-th call to the operating system, for n = 1, 2, 3 …, until a life ends before it comes to that call: strace kills
// the worker there, or answers in the system's place. Only calls on the store's own files count.
//
// Lives begin from what bases.ts makes: no file at all, open calls and a log, large commits, a checkpoint that is due.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { BURST, makeLogNearlyFull, makeMidway, NEW, siteFrom, type Base } from './bases.ts'
import { Tally, type FaultOptions, type Outcome } from './outcome.ts'
import { type Life, type LifeEnd, type Site } from './site.ts'

/** What happens at the call. `ENOSPC for a while`: at it, and at those that come next. */
type Effect = 'SIGKILL' | 'EIO' | 'ENOSPC' | 'ENOSPC for a while' | 'slow'

/** One call and one effect, counted up. */
interface Series {
  readonly call: string
  readonly effect: Effect
  readonly catalogue: string
  /** The numbers that CI tries. */
  readonly short?: readonly number[]
  /** And those from a file in the midst of work. */
  readonly shortMidway?: readonly number[]
}

const SERIES: readonly Series[] = [
  { call: 'fsync', effect: 'SIGKILL', catalogue: 'F02', short: [3, 8] },
  { call: 'pwrite64', effect: 'SIGKILL', catalogue: 'F02', short: [60] },
  { call: 'ftruncate', effect: 'SIGKILL', catalogue: 'F02' },
  { call: 'unlink', effect: 'SIGKILL', catalogue: 'F02', short: [2] },
  { call: 'rename', effect: 'SIGKILL', catalogue: 'F02' },
  { call: 'openat', effect: 'SIGKILL', catalogue: 'F02' },
  { call: 'fsync', effect: 'EIO', catalogue: 'F28', short: [14], shortMidway: [1] },
  { call: 'pwrite64', effect: 'EIO', catalogue: 'F28' },
  { call: 'pread64', effect: 'EIO', catalogue: 'F28' },
  { call: 'ftruncate', effect: 'EIO', catalogue: 'F28' },
  { call: 'unlink', effect: 'EIO', catalogue: 'F28' },
  { call: 'openat', effect: 'EIO', catalogue: 'F28', shortMidway: [5] },
  { call: 'mmap', effect: 'EIO', catalogue: 'F28' },
  { call: 'pwrite64', effect: 'ENOSPC', catalogue: 'F27' },
  { call: 'pwrite64', effect: 'ENOSPC for a while', catalogue: 'F27', short: [130] },
  { call: 'fsync', effect: 'ENOSPC', catalogue: 'F27' },
  { call: 'ftruncate', effect: 'ENOSPC', catalogue: 'F27' },
  { call: 'openat', effect: 'ENOSPC', catalogue: 'F27' },
  { call: 'fsync', effect: 'slow', catalogue: 'F29' },
]

const LASTING_CALLS = 6
/** Where a base is looked at less closely, rare calls are by so much more closely than frequent ones. */
const RARE_CLOSER = 4
/** Longer than an attempt may take. */
const SLOW_US = 1_200_000
const SUFFIXES = ['', '-wal', '-shm', '-lock', '-journal']
// More are no other kind of place; it is there so that a loop of the engine's cannot make the run endless.
const N_MAX = 20_000

const injection = (effect: Effect, n: number): string => {
  if (effect === 'SIGKILL') return `signal=SIGKILL:when=${n}`
  if (effect === 'slow') return `delay_exit=${SLOW_US}:when=${n}`
  const [error] = effect.split(' ')
  return `error=${error}:when=${effect.includes('while') ? `${n}..${n + LASTING_CALLS}` : n}`
}

const under = (site: Site, log: string, { call, effect }: Series, n: number): string[] => {
  // `fdatasync` is what other builds of SQLite call.
  const calls = call === 'fsync' ? 'fsync,fdatasync' : call
  const paths = [site.folder, ...SUFFIXES.map((suffix) => `${site.db}${suffix}`)].flatMap((path) => ['-P', path])
  const traced = new Set([...calls.split(','), 'pwrite64'])
  return ['strace', '-f', '-qq', '-y', '-s', '0', '-o', log, ...paths]
    .concat('-e', `trace=${[...traced].join(',')}`)
    .concat('-e', `inject=${calls}:${injection(effect, n)}`)
}

/** What strace wrote: whether the fault came, and what the worker wrote to the log of the store afterwards. */
function readLog(path: string): { readonly hit: boolean; readonly writtenAfter: boolean } {
  const rows = existsSync(path) ? readFileSync(path, 'utf8').split('\n') : []
  const at = rows.findIndex((row) => /\((INJECTED|DELAYED)\)/.test(row))
  const isOfLog = (row: string | undefined): boolean => row?.includes('-wal>') === true
  const writtenAfter = isOfLog(rows[at]) && rows.slice(at + 1).some((row) => row.includes('pwrite64(') && isOfLog(row))
  return { hit: at >= 0, writtenAfter }
}

/** What is wrong with how a life ended under that fault. */
function judge({ call, effect }: Series, how: LifeEnd, { told }: Life, writtenAfter: boolean): string[] {
  const refused = told.find((line) => line.startsWith('refused ')) ?? ''
  if (effect === 'SIGKILL') return how === 'killed' ? [] : [`it was to be killed, and ${how}`]
  if (effect === 'EIO') {
    // After a failed sync nothing may be written as if nothing had been (the system has dropped what it could not write).
    return writtenAfter ? ['the log was written to after the disk had failed'] : []
  }
  if (effect === 'slow') return how === 'finished' ? [] : [`a slow disk is no fault, and it ${how}`]
  // Of other calls SQLite does not tell why they failed.
  const isKnown = call === 'pwrite64'
  if (isKnown && how === 'broken') return ['a full disk is to be waited for, and it broke']
  if (isKnown && how === 'refused' && !refused.startsWith('refused STORE_FULL')) return [`a full disk, and ${refused}`]
  return []
}

class SystemCalls {
  readonly #o: FaultOptions
  readonly #series: Series
  readonly #tally: Tally

  constructor(o: FaultOptions, series: Series) {
    this.#o = o
    this.#series = series
    this.#tally = new Tally(`${series.effect} at the n-th ${series.call}`, series.catalogue, o.log)
  }

  async run(bases: readonly Base[]): Promise<Outcome> {
    for (const base of bases) for (const n of this.#numbers(base)) if (!(await this.#once(base, n))) break
    return this.#tally.outcome()
  }

  #numbers(base: Base): readonly number[] {
    const { thorough, every } = this.#o
    const { short, shortMidway } = this.#series
    if (!thorough) return (base.name === 'new' ? short : base.name === 'midway' ? shortMidway : undefined) ?? []
    const { denseUntil, spread } = base
    // Reads and writes come by the thousand, all else by the dozen.
    const isFrequent = /^p(read|write)64$/.test(this.#series.call)
    const step = isFrequent ? every * spread : Math.ceil(spread / RARE_CLOSER)
    return Array.from({ length: N_MAX }, (_, i) => i + 1).filter((n) => n <= denseUntil || n % step === 0)
  }

  /** False: the life ended without it. */
  async #once(base: Base, n: number): Promise<boolean> {
    const folder = mkdtempSync(join(this.#o.folder, 'calls-'))
    const site = siteFrom(base, folder)
    const log = join(this.#o.folder, 'strace.log')
    rmSync(log, { force: true })
    try {
      const life = await site.start({ under: under(site, log, this.#series, n) })
      const how = await life.ended
      const { hit, writtenAfter } = readLog(log)
      if (!hit && how !== 'killed') return false
      site.faults.push(...judge(this.#series, how, life, writtenAfter))
      this.#tally.count(how)
      await site.settle()
      this.#tally.add(`n = ${n}, ${base.name}, ${how}`, site.faults)
      return true
    } finally {
      await site.close()
      if (site.faults.length === 0) rmSync(folder, { recursive: true })
    }
  }
}

/** Why nothing can be traced here; undefined: it can. */
function whyNot(): string | undefined {
  const { error, status } = spawnSync('strace', ['-o', '/dev/null', process.execPath, '--version'], { stdio: 'ignore' })
  if (error !== undefined) return 'strace is not installed: `apt-get install strace`, as root'
  return status === 0 ? undefined : 'strace may not trace here'
}

/** All series: in CI a handful, else every call of a life. */
export async function systemCallFaults(o: FaultOptions): Promise<Outcome[]> {
  const series = SERIES.filter(
    ({ short, shortMidway }) => o.thorough || short !== undefined || shortMidway !== undefined,
  )
  const skipped = whyNot()
  if (skipped !== undefined) {
    return series.map(({ effect, call, catalogue }) =>
      new Tally(`${effect} at the n-th ${call}`, catalogue, o.log).outcome(skipped),
    )
  }
  const bases = [NEW, await makeMidway(join(o.folder, 'midway'))]
  if (o.thorough) bases.push(BURST, await makeLogNearlyFull(join(o.folder, 'log')))
  const outcomes: Outcome[] = []
  for (const each of series) outcomes.push(await new SystemCalls(o, each).run(bases))
  return outcomes
}
