// Kills the shop's process with SIGKILL, again and again, then lets it finish and compares everybody's books.
//
// The outside (warehouse, bank, courier, post) is a process of its own with a book of its own; it lives on when the shop dies,
// and dies with it once in a while. A kill falls at the n-th thing that the shop tells (a commit, an attempt begun or answered),
// not after so many ms: kills by time hit the boot or the end.
import { spawn, type ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { seededRandom, type SeededRandom } from 'pawl/testing'
import { startOutside, type StartedOutside } from '../../examples/shop/start-outside.ts'
import { lines } from '../../examples/shop/wire.ts'
import type { Life } from './worker.ts'

/** How a crash run goes. */
export interface CrashOptions {
  /** An empty folder. */
  readonly folder: string
  readonly kills: number
  /** New orders in each life. */
  readonly ordersPerLife: number
  /** The share of calls that have trouble besides. */
  readonly fail: number
  readonly seed: number
  readonly log?: (line: string) => void
}

/** What came of it. `faults`: empty, or promises that were broken. */
export interface CrashResult {
  readonly faults: readonly string[]
  readonly kills: number
  /** By what was waited for before the kill. */
  readonly killsAt: Readonly<Record<string, number>>
  readonly placed: number
  readonly ended: Readonly<Record<string, number>>
  readonly told: Readonly<Record<string, number>>
}

const WORKER = fileURLToPath(new URL('worker.ts', import.meta.url))
/** When to kill, and how often of ten each is chosen. */
const MOMENTS = ['c', 'c', 'c', 'a', 'a', 's', 's', 't', 'f', 'boot'] as const
/** Rarer things are waited for less long. */
const COUNT_MAX: Readonly<Record<string, number>> = { c: 60, a: 120, s: 120, t: 200, f: 3 }
const BOOT_MS = 500
/** A kill that was not reached by then falls at once: a life must not wait for a thing that does not come. */
const LIFE_MS_MAX = 2_000
const LAST_LIFE_MS_MAX = 240_000
/** Sent again in the next life, though they are safe already. */
const OVERLAP = 5
const OUTSIDE_DIES_TOO = 0.15

const gone = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) resolve()
    else child.once('exit', () => resolve())
  })

class Driver {
  readonly #o: CrashOptions
  readonly #random: SeededRandom
  readonly #placed = new Set<string>()
  readonly #cancelled = new Set<string>()
  readonly #ended = new Map<string, string>()
  readonly #cancels = new Map<string, string>()
  readonly #faults: string[] = []
  readonly #killsAt: Record<string, number> = {}
  readonly #told: Record<string, number> = {}
  #kills = 0
  #finished = false
  #outside: StartedOutside

  constructor(o: CrashOptions) {
    this.#o = o
    this.#random = seededRandom(o.seed)
    this.#outside = this.#startOutside()
  }

  async run(): Promise<CrashResult> {
    try {
      let life = 1
      for (; this.#kills < this.#o.kills; life++) await this.#killedLife(life)
      await this.#lastLife(life)
    } finally {
      await this.#outside.stop()
    }
    this.#audit()
    const ended: Record<string, number> = {}
    for (const how of this.#ended.values()) ended[how] = (ended[how] ?? 0) + 1
    return {
      faults: this.#faults,
      kills: this.#kills,
      killsAt: this.#killsAt,
      placed: this.#placed.size,
      ended,
      told: this.#told,
    }
  }

  #startOutside(): StartedOutside {
    return startOutside({ book: join(this.#o.folder, 'book.db'), fail: this.#o.fail })
  }

  #firstUnsafe(): number {
    let n = 1
    while (this.#placed.has(`o-${n}`)) n++
    return n
  }

  async #spawn(from: number, to: number, last: boolean): Promise<ChildProcess> {
    const { folder, seed } = this.#o
    const life: Life = {
      db: join(folder, 'shop.db'),
      book: join(folder, 'book.db'),
      port: await this.#outside.port(),
      from,
      to,
      seed,
      last,
    }
    const args = ['--conditions=pawl-source', WORKER, JSON.stringify(life)]
    return spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit', 'pipe'] })
  }

  async #killedLife(life: number): Promise<void> {
    const child = await this.#spawn(Math.max(1, this.#firstUnsafe() - OVERLAP), life * this.#o.ordersPerLife, false)
    const moment = this.#random.pick(MOMENTS)
    const count = 1 + this.#random.int(COUNT_MAX[moment] ?? 1)
    const heard = this.#listen(child, moment, count)
    await Promise.race([moment === 'boot' ? wait(this.#random.int(BOOT_MS)) : heard, wait(LIFE_MS_MAX), gone(child)])
    if (child.exitCode !== null) {
      this.#faults.push(`life ${life} ended by itself with exit code ${child.exitCode}`)
      this.#kills++
      return
    }
    child.kill('SIGKILL')
    await gone(child)
    this.#kills++
    this.#killsAt[moment] = (this.#killsAt[moment] ?? 0) + 1
    this.#o.log?.(
      `kill ${this.#kills} at ${moment === 'boot' ? 'boot' : `${moment} × ${count}`}, ${this.#placed.size} orders placed`,
    )
    if (!this.#random.chance(OUTSIDE_DIES_TOO)) return
    await this.#outside.stop({ kill: true })
    this.#outside = this.#startOutside()
  }

  async #lastLife(life: number): Promise<void> {
    const child = await this.#spawn(Math.max(1, this.#firstUnsafe() - OVERLAP), life * this.#o.ordersPerLife, true)
    void this.#listen(child, '', 1)
    await Promise.race([gone(child), wait(LAST_LIFE_MS_MAX)])
    if (child.exitCode === null) child.kill('SIGKILL')
    await gone(child)
    if (!this.#finished) this.#faults.push(`the last life did not finish: exit code ${child.exitCode}`)
  }

  /** Takes what the child tells; resolves at the `count`-th letter of that kind. */
  #listen(child: ChildProcess, letter: string, count: number): Promise<void> {
    child.stdout!.setEncoding('utf8').on(
      'data',
      lines((line) => this.#line(line)),
    )
    let seen = 0
    return new Promise((resolve) => {
      const progress = child.stdio[3] as Readable
      progress.setEncoding('utf8').on('data', (letters: string) => {
        for (const each of letters) {
          this.#told[each] = (this.#told[each] ?? 0) + 1
          if (each === letter && ++seen === count) resolve()
        }
      })
    })
  }

  #line(line: string): void {
    const [word, id, ...more] = line.split(' ')
    if (word === 'placed') this.#placed.add(id!)
    else if (word === 'cancelled') this.#cancelled.add(id!)
    else if (word === 'ended') this.#ended.set(id!, more[0]!)
    else if (word === 'cancel') this.#cancels.set(id!, more.join(' '))
    else if (word === 'fault') this.#faults.push(line.slice('fault '.length))
    else if (word === 'finished') this.#finished = true
  }

  /** What this process saw itself: nothing that was acknowledged may be missing. */
  #audit(): void {
    for (const id of this.#placed)
      if (!this.#ended.has(id)) this.#faults.push(`order ${id} was acknowledged and never ended`)
    for (const id of this.#cancelled) {
      const became = this.#cancels.get(id)
      if (became === undefined || !/^duplicate (applied|ignored|refused)$/.test(became))
        this.#faults.push(`the cancel of ${id} was acknowledged, and became ${became ?? 'nothing'}`)
    }
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms).unref())

/** Runs it all. Rejects only where a process cannot be started. */
export const runCrashes = (o: CrashOptions): Promise<CrashResult> => new Driver(o).run()
