// The store in memory and the workers that live and die on it: the engine that ships, in virtual time.
//
// L1  Of a life that has ended nothing is heard any more: no timer of it fires, no answer of the store reaches it, no commit of it counts.
// L2  At rest means: no promise can go on, no body of an activity is at work, no worker is starting.
import { systemClock } from '../../base/clock.ts'
import { errorText, PawlError } from '../../base/errors.ts'
import { seededRandom } from '../../base/random.ts'
import type { SeededRandom } from '../../base/random.ts'
import { EngineApp } from '../../engine/app.ts'
import { Engine } from '../../engine/engine.ts'
import type { EngineLog } from '../../engine/host.ts'
import type { ServiceDefinition } from '../../machine/definition.ts'
import type { App, Lifecycle } from '../../machine/types-app.ts'
import { Space } from '../../store/memory/space.ts'
import { ModelStore } from '../../store/memory/store.ts'
import { read } from '../../store/memory/rows.ts'
import type { Change, CommitResult, Store, WaitingRow } from '../../store/store.ts'
import { LifeClock, VirtualClock } from './clock.ts'
import { Questions } from './questions.ts'
import { Record } from './record.ts'

/** What lives are made of. */
export interface LivesOptions {
  readonly services: readonly ServiceDefinition[]
  readonly startMs: number
  readonly seed: number
  readonly workers: number
  /** How often chores look for work where there is none. Default an hour. */
  readonly choreMs?: number
}

/** A crash that is planned. */
interface PlannedCrash {
  /** Commits until then. */
  left: number
  readonly applied: boolean
}

/** One life of one worker. */
interface Life {
  readonly worker: number
  readonly app: App
  readonly engine: Engine
  readonly clock: LifeClock
  /** It was told to start. */
  started: boolean
  dead: boolean
}

/** Turns of the process that a body may take before it counts as one that hangs: files and sockets are quick, or not to be waited for. */
const BODY_TURNS_MAX = 200
/** Several workers look at what others stored that often. */
const POLL_MS = 10
/** Chores of a worker that is alone need not look for what nobody else can do. */
const CHORE_MS = 3_600_000
const PARTITIONS = 8
/** Until several workers have shared the partitions among them; a test's time begins behind it. */
const SHARING_MS = 20_000
/** So much time passes at most while a worker is asked what another one must answer. */
const ASKING_MS = 2_000

const never = new Promise<never>(() => undefined)

/** All lives on one store. */
export class Lives {
  readonly clock: VirtualClock
  readonly record = new Record()
  readonly logs: EngineLog[] = []
  readonly #o: LivesOptions
  readonly #space: Space
  readonly #random: SeededRandom
  readonly #lives: (Life | undefined)[]
  readonly #listeners = new Set<(event: Lifecycle) => void>()
  readonly #crashes: PlannedCrash[] = []
  readonly questions: Questions
  /** Bodies that are at work. */
  readonly #bodies = new Set<object>()
  #starting: Promise<void> | undefined
  /** Questions that wait for rest. */
  #entering = 0
  #over = false
  commits = 0
  /** How many lives have ended. */
  deaths = 0

  constructor(o: LivesOptions) {
    this.#o = o
    this.clock = new VirtualClock(this.alone ? o.startMs : o.startMs - SHARING_MS)
    this.questions = new Questions(() => this.clock.monotonic())
    this.#random = seededRandom(o.seed)
    this.#space = new Space({ clock: this.clock, random: this.#random.fork() })
    this.#lives = Array.from({ length: o.workers }, () => undefined)
  }

  get alone(): boolean {
    return this.#o.workers === 1
  }

  /** A worker that lives, started where none does. */
  async living(): Promise<Life> {
    if (this.#over) throw new PawlError('STOPPED', 'this harness has ended: make a new one')
    await this.start()
    return this.#lives[0]!
  }

  /** Starts every worker that does not live. */
  async start(): Promise<void> {
    while (this.#starting !== undefined) await this.#starting
    if (this.#over || this.#lives.every((life) => life?.started === true)) return
    this.#starting = this.#startAll().finally(() => (this.#starting = undefined))
    await this.#starting
  }

  async #startAll(): Promise<void> {
    for (let worker = 0; worker < this.#o.workers; worker++) {
      const life = this.#lives[worker] ?? this.#make(worker)
      if (life.started) continue
      life.started = true
      await life.engine.start()
    }
    if (this.alone || this.clock.monotonic() > 0) return
    await this.clock.advance(SHARING_MS, () => this.clock.settle(() => true))
  }

  #make(worker: number): Life {
    const clock = new LifeClock(this.clock)
    const { alone } = this
    const engine = new Engine({
      services: this.#o.services,
      store: this.#door(() => life),
      clock,
      random: this.#random.fork(),
      partitions: alone ? 1 : PARTITIONS,
      tuning: alone ? { choreMs: this.#o.choreMs ?? CHORE_MS, tickMs: 1 } : { pollMs: POLL_MS, tickMs: 1 },
      log: (log) => this.logs.push(log),
    })
    const life: Life = { worker, engine, clock, app: new EngineApp(engine), started: false, dead: false }
    engine.lifecycle.on((event) => {
      if (life.dead) return
      this.record.told(event)
      for (const listener of this.#listeners) listener(event as Lifecycle)
    })
    this.#lives[worker] = life
    return life
  }

  /** A listener of every life, those to come included. */
  listen(listener: (event: Lifecycle) => void): () => void {
    const own = (event: Lifecycle): void => listener(event)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** The store as one life sees it. */
  #door(of: () => Life): Store {
    const store = new ModelStore(this.#space)
    const door: globalThis.Record<string, unknown> = {
      features: { sessions: !this.alone, sql: false, backup: false },
    }
    for (const name of METHODS) {
      const method = (store[name] as (...args: unknown[]) => unknown).bind(store)
      door[name] = (...args: unknown[]) => (of().dead ? never : method(...args))
    }
    door['commit'] = (session: string, n: number, change: Change) => this.#commit(of(), store, session, n, change)
    return door as unknown as Store
  }

  async #commit(life: Life, store: ModelStore, session: string, n: number, change: Change): Promise<CommitResult> {
    if (life.dead) return never
    const crash = this.#crashes[0]
    if (crash !== undefined) crash.left -= 1
    const crashes = crash?.left === 0
    if (crashes) this.#crashes.shift()
    if (crashes && !crash.applied) return this.#die(life, session)
    const result = await store.commit(session, n, change)
    if (result.kind === 'applied') {
      this.commits += 1
      this.record.committed(change)
    }
    if (crashes) return this.#die(life, session)
    return life.dead ? never : result
  }

  #die(life: Life, session?: string): Promise<never> {
    if (life.dead) return never
    life.dead = true
    this.deaths += 1
    life.clock.die()
    this.#lives[life.worker] = undefined
    // Who is alone on a file takes it over at once; where there are others, a lease must run out.
    if (this.alone)
      for (const id of session === undefined ? [...this.#space.sessions.keys()] : [session]) this.#space.endSession(id)
    this.questions.died(life)
    if (!this.#over) void this.start().catch(() => undefined)
    return never
  }

  /** Ends the first worker's life and begins another. */
  async crash(): Promise<void> {
    const life = await this.living()
    void this.#die(life)
    await this.start()
  }

  /** Plans a crash at the n-th commit from now. */
  crashAt(n: number, applied: boolean): void {
    const before = this.#crashes.reduce((sum, { left }) => sum + left, 0)
    if (n <= before)
      throw new PawlError(
        'BAD_CRASH',
        `a crash is planned at commit ${before} from now already: plan the next one behind it`,
      )
    this.#crashes.push({ left: n - before, applied })
  }

  /** Messages that wait for a state, an instance or an operator: their types, and how long they may. */
  get waiting(): readonly string[] {
    return [...this.#space.waiting.values()].map((row) => {
      const { why, until, input } = read<WaitingRow>(row).waiting
      return `${input.kind === 'message' ? input.type : input.kind} ${why} ${until === null ? '' : until - this.clock.now()}`
    })
  }

  /** How many dead letters there are. */
  get dead(): number {
    return this.#space.dead.size
  }

  /** How many planned crashes have not come. */
  get crashesLeft(): number {
    return this.#crashes.length
  }

  /**
   * Like `ask`, once all that is ready has run, and answered when all that follows has: what a test says one after the other comes one after
   * the other, and it sees what came of it.
   */
  async askAtRest<T>(what: string, work: (app: App) => Promise<T>): Promise<T> {
    await this.living()
    this.#entering += 1
    try {
      await this.clock.settle(() => this.#restOfWork())
    } finally {
      this.#entering -= 1
    }
    try {
      return await this.ask(what, work)
    } finally {
      await this.clock.settle(() => this.#restOfWork())
    }
  }

  /** What a worker was asked; rejects with CRASHED where it dies before it has answered. */
  async ask<T>(what: string, work: (app: App) => Promise<T>): Promise<T> {
    const life = await this.living()
    let isOver = false
    const answer = this.questions.ask(life, what, () => work(life.app)).finally(() => (isOver = true))
    if (!this.alone) void this.#passTime(() => isOver)
    return await answer
  }

  /** What another worker must answer comes by a look at the store, which needs time. */
  async #passTime(isOver: () => boolean): Promise<void> {
    for (let ms = 0; ms < ASKING_MS; ms += POLL_MS) {
      await this.settle()
      if (isOver() || this.#over) return
      await this.advance(POLL_MS)
    }
  }

  /** A body begins; what it returns ends it. Until then nothing is at rest, unless it takes too long. */
  bodyBegins(): () => void {
    const body = {}
    this.#bodies.add(body)
    return () => this.#bodies.delete(body)
  }

  readonly #rest = (): boolean | Promise<boolean> => this.#entering === 0 && this.#restOfWork()

  #restOfWork(): boolean | Promise<boolean> {
    if (this.#bodies.size === 0 && this.#starting === undefined) return true
    return this.#restLater()
  }

  async #restLater(): Promise<boolean> {
    if (this.#starting !== undefined) {
      await this.#starting.catch(() => undefined)
      return false
    }
    const atWork = [...this.#bodies]
    for (let turn = 0; turn < BODY_TURNS_MAX; turn++) {
      await systemClock.turn()
      if (atWork.some((body) => !this.#bodies.has(body))) return false
    }
    // They wait for something that a test does not know: nobody waits for them any more.
    for (const body of atWork) this.#bodies.delete(body)
    return false
  }

  readonly settle = async (): Promise<void> => this.clock.settle(this.#rest)

  advance(ms: number): Promise<void> {
    return this.clock.advance(ms, this.settle)
  }

  /** Everything ends at once, and waits for nothing. */
  end(): void {
    this.#over = true
    this.questions.end()
    for (const life of this.#lives) if (life !== undefined) void this.#die(life)
  }

  /** What the engines had to say that a test should know. */
  get errors(): readonly string[] {
    return this.logs.flatMap(({ level, text, error }) =>
      level === 'error' ? [error === undefined ? text : `${text}: ${errorText(error)}`] : [],
    )
  }
}

const METHODS = Object.getOwnPropertyNames(ModelStore.prototype).filter(
  (name) => name !== 'constructor' && name !== 'store',
) as Exclude<keyof Store, 'features'>[]
