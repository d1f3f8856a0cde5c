// One place where faults happen: a folder with a store and the outside's book, an outside that lives on, and life after life of a
// worker. It remembers what was acknowledged to whom, and says what of it is missing in the end.
import { spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startOutside, type StartedOutside } from '../../examples/shop/start-outside.ts'
import { lines } from '../../examples/shop/wire.ts'
import type { Rest } from './errand.ts'
import { BROKEN, REFUSED, type ErrandLife } from './errand-life.ts'

const WORKER = fileURLToPath(new URL('errand-worker.ts', import.meta.url))
const LIFE_MS_MAX = 60_000

/** How a life came to its end. `hangs`: it had to be killed, long after it should have ended. */
export type LifeEnd = 'finished' | 'killed' | 'broken' | 'refused' | 'hangs' | 'fault'

/** How one life is started. */
export interface LifeOptions {
  /** Put before the worker's command: `strace …`. */
  readonly under?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly gapMs?: number
  readonly sleeps?: boolean
  /** It may take that long. Default: a minute. */
  readonly msMax?: number
}

/** How a site is made. */
export interface SiteOptions {
  /** Made where it is missing. */
  readonly folder: string
  /** Where the store is. Default: in the folder. */
  readonly db?: string
  /** Errands that were brought in so far, and how many more there will be. */
  readonly ids: readonly string[]
  readonly rest?: Rest
}

/** A worker under way. */
export interface Life {
  /** Of the worker, or of what it runs under. */
  readonly child: ChildProcess
  /** What it told, line by line. */
  readonly told: readonly string[]
  /** Resolves at the first line that begins so, told already or to come; when the life ends without one: with undefined. */
  hears(beginning: string): Promise<string | undefined>
  readonly ended: Promise<LifeEnd>
}

/** The errands `e-1` to `e-<count>`. */
export const errands = (count: number): string[] => Array.from({ length: count }, (_, i) => `e-${i + 1}`)

export class Site {
  readonly folder: string
  readonly db: string
  readonly book: string
  /** What was acknowledged. */
  readonly placed = new Set<string>()
  readonly nudged = new Set<string>()
  /** Promises that were broken, in words. */
  readonly faults: string[] = []
  readonly ids: readonly string[]
  readonly rest: Rest
  readonly #outside: StartedOutside
  readonly #ended = new Map<string, string>()
  #lives = 0

  constructor({ folder, db, ids, rest = '60 ms' }: SiteOptions) {
    mkdirSync(folder, { recursive: true })
    this.folder = folder
    this.db = db ?? join(folder, 'errands.db')
    this.book = join(folder, 'book.db')
    this.ids = ids
    this.rest = rest
    this.#outside = startOutside({ book: this.book, fail: 0 })
  }

  /** Begins with what an earlier one has heard. */
  heard(placed: Iterable<string>, nudged: Iterable<string>): this {
    for (const id of placed) this.placed.add(id)
    for (const id of nudged) this.nudged.add(id)
    return this
  }

  /** Starts a worker. */
  async start({
    under = [],
    env = {},
    gapMs = 0,
    sleeps = false,
    msMax = LIFE_MS_MAX,
  }: LifeOptions = {}): Promise<Life> {
    const { db, rest, ids } = this
    this.#lives++
    const [placed, nudged] = [[...this.placed], [...this.nudged]]
    const life: ErrandLife = { db, port: await this.#outside.port(), rest, ids, placed, nudged, gapMs, sleeps }
    const [command, ...args] = [...under, process.execPath, '--conditions=pawl-source', WORKER, JSON.stringify(life)]
    const child = spawn(command!, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, ...env } })
    return this.#follow(child, msMax)
  }

  /** One life from its start to its end. */
  async live(o?: LifeOptions): Promise<LifeEnd> {
    return (await this.start(o)).ended
  }

  /** A life without faults, which must bring everything to its end; then everybody's books are compared. */
  async settle(): Promise<void> {
    const life = await this.start()
    const how = await life.ended
    if (how !== 'finished') this.#fault(`the life after it ${how}: ${life.told.slice(-3).join(' | ')}`)
    else this.#audit()
  }

  /** Ends the outside, `kill`: as a crash would. */
  async close(kill = false): Promise<void> {
    await this.#outside.stop({ kill })
  }

  #fault(what: string): void {
    this.faults.push(what)
  }

  #follow(child: ChildProcess, msMax: number): Life {
    const told: string[] = []
    const waits: { readonly beginning: string; readonly resolve: (line: string | undefined) => void }[] = []
    const hear = lines((line) => {
      told.push(line)
      this.#take(line)
      for (const wait of waits) if (line.startsWith(wait.beginning)) wait.resolve(line)
    })
    child.stdout!.setEncoding('utf8').on('data', hear)
    child.stderr!.setEncoding('utf8').on('data', (chunk: string) => told.push(`stderr ${chunk.trim()}`))
    const ended = this.#ending(child, told, msMax)
    const hears = async (beginning: string): Promise<string | undefined> => {
      const known = told.find((line) => line.startsWith(beginning))
      if (known !== undefined) return known
      const coming = new Promise<string | undefined>((resolve) => void waits.push({ beginning, resolve }))
      return Promise.race([coming, ended.then(() => undefined)])
    }
    return { child, told, hears, ended }
  }

  async #ending(child: ChildProcess, told: readonly string[], msMax: number): Promise<LifeEnd> {
    let hangs = false
    const alarm = setTimeout(() => {
      hangs = true
      child.kill('SIGKILL')
    }, msMax)
    // `close`, not `exit`: all that it said is here then.
    await new Promise<void>((resolve) => child.once('close', () => resolve()))
    clearTimeout(alarm)
    const how = hangs ? 'hangs' : this.#howEnded(child, told)
    if (how === 'hangs' || how === 'fault')
      this.#fault(`life ${this.#lives} ${how}, exit code ${child.exitCode}: ${told.slice(-5).join(' | ')}`)
    return how
  }

  #howEnded({ exitCode, signalCode }: ChildProcess, told: readonly string[]): LifeEnd {
    if (signalCode === 'SIGKILL') return 'killed'
    if (exitCode === 0 && told.includes('finished')) return 'finished'
    if (exitCode === BROKEN && told.some((line) => /^broken \S/.test(line))) return 'broken'
    // An error that only tells a number, or that no code names, is nothing to go by.
    if (exitCode === REFUSED && told.some((line) => /^refused [A-Z][A-Z_]+ \S/.test(line))) return 'refused'
    return 'fault'
  }

  #take(line: string): void {
    const [word, id = '', more = ''] = line.split(' ')
    if (word === 'placed') this.placed.add(id)
    else if (word === 'nudged') this.nudged.add(id)
    else if (word === 'ended') this.#ended.set(id, more)
    else if (word === 'fault' || word === 'early') this.#fault(line)
  }

  /** Nothing that was acknowledged may be missing, and what the outside did must be what the errands say. */
  #audit(): void {
    for (const id of this.placed) if (!this.#ended.has(id)) this.#fault(`errand ${id} was acknowledged and never ended`)
    const db = new DatabaseSync(this.book, { readOnly: true })
    try {
      for (const { what } of db.prepare('select what from faults').all()) this.#fault(String(what))
      const rows = db.prepare('select subject, act, state from effects').all()
      const acts = new Map<string, string[]>()
      for (const { subject, act, state } of rows) {
        const of = `${String(subject)} ${String(act)}`
        acts.set(of, [...(acts.get(of) ?? []), String(state)])
      }
      for (const [of, states] of acts)
        if (states.length > 1) this.#fault(`one deed under ${states.length} keys: ${of} ${states.join(', ')}`)
      for (const [id, how] of this.#ended) {
        for (const act of ['warehouse.reserve', 'bank.charge', 'post.mail']) {
          const stands = acts.get(`${id} ${act}`)?.[0] === 'stands'
          if (stands !== (how === 'done'))
            this.#fault(`errand ${id} ended ${how}, and ${act} ${stands ? 'stands' : 'does not stand'}`)
        }
      }
    } finally {
      db.close()
    }
  }
}
