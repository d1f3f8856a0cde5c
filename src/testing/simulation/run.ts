// One run of the simulation: the engine that ships, two workers or more, a store, services and clients that all misbehave, and
// checks at every commit. First everything goes wrong (safety), then nothing more does and all must come to an end (liveness).
//
// One seed is one run: what it decides by chance is its plan (plan.ts), and what it draws as it goes comes of streams of their own.
import type { SeededRandom } from '../../base/random.ts'
import type { Build } from './builds.ts'
import type { Coverage } from './coverage.ts'
import { checkEnding } from './ending.ts'
import { drawPlan } from './plan.ts'
import type { Plan, PlanOptions } from './plan.ts'
import { LONG_REST_MS } from './setting.ts'
import type { PollSkip } from './scheduler.ts'
import { makeActors, makeGround, START_MS } from './stage.ts'
import type { Actors, Ground } from './stage.ts'
import { Violations } from './violation.ts'
import type { Violation } from './violation.ts'

/** How a run is looked at. */
export interface RunOptions {
  /** Steps that the trace keeps. Default 0. */
  readonly traceSteps?: number
  /** Whether the report tells the run as a story. Default false. */
  readonly story?: boolean
  /** Steps after which a run has hung. Default 100,000. */
  readonly stepsMax?: number
}

/** A run of a seed. */
export interface SimulateOptions extends PlanOptions, RunOptions {}

/** What a run has shown. */
export interface SimulationReport {
  readonly seed: number
  readonly violations: readonly Violation[]
  /** Of all steps; the same for the same seed. */
  readonly hash: string
  readonly steps: number
  readonly virtualMs: number
  readonly commits: number
  readonly transitions: number
  /** What it has met (coverage.ts). */
  readonly counts: Readonly<Record<string, number>>
  /** The plan that it was, with what was drawn as it went. */
  readonly plan: Plan
  /** The last steps, one a line; empty where none was kept. */
  readonly trace: string
  /** What happened, one a line; empty where nobody asked for it. */
  readonly story: string
}

/** Once the faults have stopped all must be over in that time: the longest timers of the machines, several times. */
const CALM_MS = 5 * 60_000
const CHUNK_MS = 4_000
/** What is broken draws more after it: the story tells the first. */
const BROKEN_MAX = 4

/** Runs one seed. Never throws for what the system under test does: that is in the report. */
export async function simulate(o: SimulateOptions): Promise<SimulationReport> {
  return await runPlan(drawPlan(o), o)
}

/** Runs one plan, as `simulate` does. */
export async function runPlan(plan: Plan, o: RunOptions = {}): Promise<SimulationReport> {
  return await new Simulation(plan, o).run()
}

class Simulation {
  readonly #plan: Plan
  readonly #stepsMax: number
  readonly #ground: Ground
  readonly #actors: Actors
  readonly #deployment: SeededRandom
  #deployed = false
  /** Wishes whose time has not come. */
  #unasked = 0

  constructor(plan: Plan, o: RunOptions) {
    this.#plan = plan
    this.#stepsMax = o.stepsMax ?? 100_000
    this.#ground = makeGround(plan, { traceSteps: o.traceSteps ?? 0, told: o.story === true })
    this.#deployment = this.#ground.random.fork()
    this.#actors = makeActors(this.#ground, {
      build: () => this.#buildNow(),
      onError: (text) => this.#engineError(text),
    })
  }

  /** An engine that has stopped, or that says so: it must never come to that. */
  #engineError(text: string): void {
    if (text.includes('has stopped')) this.#ground.violations.add('engine', text)
  }

  async run(): Promise<SimulationReport> {
    const { scheduler, violations, story, invariants } = this.#ground
    const { setting, wishes } = this.#plan
    const { clients, workers, chaos, operators } = this.#actors
    const { life } = scheduler.actor('plan')
    this.#unasked = wishes.length
    for (const { atMs, id, wish } of wishes)
      void life.wait(atMs, wish.do).then(() => {
        this.#unasked--
        clients.ask(id, wish)
      })
    for (const worker of workers) worker.start()
    await this.#until(START_MS + setting.size.spanMs * 2)
    chaos.stop()
    operators.stop()
    if (setting.size.deploys) this.#deployAll()
    if (setting.afterMs < LONG_REST_MS) scheduler.skip = this.#skip
    const endMs = scheduler.nowMs + CALM_MS
    await this.#calmUntil(endMs)
    await this.#until(scheduler.nowMs + setting.afterMs)
    // A service that was slow may have answered just now.
    await this.#calmUntil(endMs)
    if (this.#sound) {
      invariants.laws()
      this.#judge(violations)
    }
    for (const { invariant, text } of violations.all.slice(0, BROKEN_MAX))
      story.tell('broken', () => `${invariant}: ${text}`)
    return this.#report()
  }

  /** All workers are up, each knows that its lease is good, and nobody has stored anything for another. */
  get #skip(): PollSkip {
    const { space } = this.#ground
    const { workers } = this.#actors
    const { partitions, sessions, inbox } = space
    return {
      vain: () =>
        inbox.size === 0 &&
        sessions.size === workers.length &&
        workers.every(({ engine }) => engine !== undefined) &&
        partitions.every(({ session }) => session !== null),
      skipped: (ms) => space.prolong(ms),
    }
  }

  /** From the middle of the bad time on a worker that starts may be of the new build; at the end all are. */
  #buildNow(): Build {
    const { deploys, spanMs } = this.#plan.setting.size
    if (!deploys || this.#ground.scheduler.sinceMs < spanMs) return 'old'
    const { coverage } = this.#ground
    const wasNew = this.#actors.workers.some(({ build }) => build === 'new')
    const build = this.#deployed || this.#deployment.chance(0.5) ? 'new' : 'old'
    coverage.add(wasNew && build === 'old' ? 'deploy back to the older build' : `deploy of the ${build} build`)
    return build
  }

  #deployAll(): void {
    this.#deployed = true
    for (const worker of this.#actors.workers) {
      if (worker.build === 'new') continue
      worker.crash()
      worker.start()
    }
  }

  get #sound(): boolean {
    return this.#ground.violations.all.length === 0
  }

  /** Steps until that time, or the first violation. */
  async #until(ms: number): Promise<void> {
    const { scheduler, violations } = this.#ground
    const steps = Math.max(0, this.#stepsMax - scheduler.steps)
    const end = await scheduler.run({ reached: () => !this.#sound, untilMs: ms, steps })
    if (end === 'steps') violations.add('liveness', `after ${scheduler.steps} steps it is not over`)
    if (end === 'idle') violations.add('liveness', 'nothing is left that could ever move')
  }

  /** Until all has come to its end, or that time. */
  async #calmUntil(endMs: number): Promise<void> {
    while (this.#sound && this.#ground.scheduler.nowMs < endMs && !this.#over()) await this.#calmly()
  }

  /** A stretch of the time in which nothing goes wrong; an operator retries what has stalled. */
  async #calmly(): Promise<void> {
    this.#actors.operators.retryAll()
    await this.#until(this.#ground.scheduler.nowMs + CHUNK_MS)
  }

  /** Whether all has come to its end. */
  #over(): boolean {
    if (this.#actors.clients.busy > 0 || this.#unasked > 0) return false
    const trial = new Violations(() => 0)
    this.#judge(trial)
    return trial.all.length === 0
  }

  #judge(violations: Violations): void {
    const { space, world, invariants, judges } = this.#ground
    const { added, started } = this.#actors.clients
    const rows = [...invariants.last.values()]
    checkEnding({ space, rows, world, violations, added, started })
    for (const judge of judges) judge.ended(rows, world, violations)
  }

  /** What was met, by the run and by the judges. */
  #counts(coverage: Coverage): Readonly<Record<string, number>> {
    for (const judge of this.#ground.judges)
      for (const [name, by] of Object.entries(judge.counts)) coverage.add(name, by)
    for (const { uses = {} } of this.#ground.services)
      for (const [name, by] of Object.entries(uses)) coverage.add(name, by)
    return coverage.counts
  }

  #report(): SimulationReport {
    const { scheduler, violations, invariants, coverage, network, world, story } = this.#ground
    const { steps, sinceMs, hash, trace } = scheduler
    return {
      seed: this.#plan.seed,
      violations: violations.all,
      hash,
      steps,
      virtualMs: sinceMs,
      commits: invariants.commits,
      transitions: invariants.transitions,
      counts: this.#counts(coverage),
      plan: { ...this.#plan, faults: network.happened, courses: world.happened },
      trace,
      story: story.text,
    }
  }
}
