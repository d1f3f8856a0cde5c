// One run of the simulation: the engine that ships, two workers or more, a store, services and clients that all misbehave, and
// checks at every commit. First everything goes wrong (safety), then nothing more does and all must come to an end (liveness).
//
// One seed is one run: schedule, faults, workload and ids have streams of their own.
import { seededRandom } from '../../base/random.ts'
import type { SeededRandom } from '../../base/random.ts'
import type { MachineGraph } from '../../machine/definition.ts'
import { definitionOf } from '../../machine/definition.ts'
import { Space } from '../../store/memory/space.ts'
import { ModelStore } from '../../store/memory/store.ts'
import type { Build } from './builds.ts'
import { Chaos } from './chaos.ts'
import type { ChaosRates } from './chaos.ts'
import { Clients } from './clients.ts'
import type { WorkerDoor } from './clients.ts'
import { checkEnding } from './ending.ts'
import { Invariants } from './invariants.ts'
import { Network } from './network.ts'
import { Operators } from './operators.ts'
import { Scheduler } from './scheduler.ts'
import type { ServiceJudge, SimulatedService } from './service.ts'
import { shop } from './shop.ts'
import type { StoredEntry } from './stored.ts'
import { Truth } from './truth.ts'
import type { TruthOptions } from './truth.ts'
import { Violations } from './violation.ts'
import type { Violation } from './violation.ts'
import { SimulatedWorker } from './worker.ts'
import type { WorkerOptions } from './worker.ts'
import type { WorkloadSize } from './workload.ts'
import { World } from './world.ts'

/** A run. All but the seed is drawn from it where it is left out. */
export interface SimulateOptions {
  readonly seed: number
  /** Default: drawn. `calm`: nothing goes wrong. */
  readonly chaos?: 'calm' | 'drawn'
  readonly size?: Partial<WorkloadSize>
  /** Default 2 or 3. */
  readonly workers?: number
  readonly tuning?: WorkerOptions['engine']['tuning']
  readonly leaseMs?: number
  /** Steps that the trace keeps. Default 80. */
  readonly traceSteps?: number
  /** Steps after which a run has hung. Default 100,000. */
  readonly stepsMax?: number
}

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
  /** What went wrong on purpose, and how the clients fared. */
  readonly counts: Readonly<Record<string, number>>
  /** The last steps, one a line. */
  readonly trace: string
}

const START_MS = Date.UTC(2026, 0, 1)
const SIZE: WorkloadSize = { orders: 4, checkouts: 4, counters: 2, pools: 1, deploys: false, spanMs: 12_000 }
/** Once the faults have stopped all must be over in that time: the longest timers of the machines, several times. */
const CALM_MS = 5 * 60_000
const CHUNK_MS = 4_000
/** Longer than anybody goes on sending: what comes twice is known. */
const RECEIPTS_MS = 3_600_000
/** What is over stays over: so long the run goes on when it is. */
const AFTER_MS = 15_000

/** What is drawn from the seed. */
interface Setting {
  readonly leaseMs: number
  readonly partitions: number
  readonly workers: number
  /** The share of wishes that go by a worker's door. */
  readonly doors: number
  /** Mean time between two looks of an operator. */
  readonly operatorsEveryMs: number
  /** Whether there is a second build. */
  readonly deploys: boolean
  readonly retention: NonNullable<WorkerOptions['engine']['retention']>
  readonly tuning: NonNullable<WorkerOptions['engine']['tuning']>
  readonly rates: ChaosRates
}

function drawSetting(random: SeededRandom, o: SimulateOptions): Setting {
  const calm = o.chaos === 'calm'
  const rate = (most: number): number => (calm || random.chance(0.3) ? 0 : random.next() * most)
  const network = {
    lost: rate(0.05),
    unanswered: rate(0.05),
    late: rate(0.05),
    slow: rate(0.05),
    slowMs: random.pick([50, 800, 8_000]),
  }
  const courses = { broken: rate(0.2), unheard: rate(0.15), silent: rate(0.08), late: rate(0.05) }
  const everyMs = calm || random.chance(0.1) ? Infinity : random.pick([500, 1_500, 5_000])
  return {
    leaseMs: o.leaseMs ?? random.pick([600, 2_000, 6_000]),
    partitions: random.pick([2, 4, 8]),
    workers: o.workers ?? random.pick([2, 2, 3]),
    doors: random.pick([0, 0.5, 0.9]),
    operatorsEveryMs: calm ? Infinity : random.pick([Infinity, 400, 2_000]),
    deploys: random.chance(0.25),
    retention: {
      receiptsMs: RECEIPTS_MS,
      ...(random.chance(0.3) && { endedMs: random.pick([1_000, 6_000]), deadMs: 6_000 }),
    },
    tuning: o.tuning ?? {
      batchItems: random.pick([1, 3, 1_000]),
      cacheBytes: random.pick([0, 64 * 1024 * 1024]),
      allRemote: random.chance(0.25),
      pollMs: random.pick([100, 500, 2_000]),
    },
    rates: { network, courses, everyMs },
  }
}

/** What `result` gives for an instance of these services. */
function outputBy(services: readonly SimulatedService[]): TruthOptions['output'] {
  const definitions = new Map(
    services.flatMap(({ builds }) => builds.old.map((machine) => [definitionOf(machine).name, definitionOf(machine)])),
  )
  return (machine, id, data) => definitions.get(machine)!.output(id, data)
}

/** Runs one seed. Never throws for what the system under test does: that is in the report. */
export async function simulate(o: SimulateOptions): Promise<SimulationReport> {
  return await new Simulation(o).run()
}

class Simulation {
  readonly #o: SimulateOptions
  readonly #scheduler: Scheduler
  readonly #violations: Violations
  readonly #setting: Setting
  readonly #space: Space
  readonly #invariants: Invariants
  readonly #network: Network
  readonly #world: World
  readonly #workers: readonly SimulatedWorker[]
  readonly #clients: Clients
  readonly #chaos: Chaos
  readonly #operators: Operators
  readonly #deployment: SeededRandom
  readonly #services: readonly SimulatedService[]
  readonly #judges: readonly ServiceJudge[]
  #deployed = false
  /** The stream of what is left: which wishes are made and when. */
  readonly #workload: SeededRandom

  constructor(o: SimulateOptions) {
    this.#o = o
    const root = seededRandom(o.seed)
    const [schedule, faults, ids, outside] = [root.fork(), root.fork(), root.fork(), root.fork()]
    this.#workload = root.fork()
    this.#setting = drawSetting(root.fork(), o)
    this.#deployment = root.fork()
    const { leaseMs, partitions, tuning, rates, retention } = this.#setting
    const scheduler = new Scheduler({ random: schedule, startMs: START_MS, traceSteps: o.traceSteps ?? 80 })
    const violations = new Violations(() => scheduler.steps)
    const space = new Space({ clock: { now: () => scheduler.nowMs }, random: ids.fork() })
    const services = (this.#services = [shop])
    const built = services.flatMap(({ builds }) => [...builds.old, ...builds.new])
    const graphs: readonly MachineGraph[] = built.map((machine) => definitionOf(machine).graph)
    const invariants = new Invariants({ space, violations, graphs })
    const judges = (this.#judges = services.flatMap(({ judge }) => judge?.(violations) ?? []))
    const written: typeof invariants.written = (session, n, rows) => {
      invariants.written(session, n, rows)
      if (judges.length === 0) return
      const entries = rows.journal.map((row) => ({ k: row.k, entry: JSON.parse(row.text) as StoredEntry }))
      for (const judge of judges) judge.written(rows, entries)
    }
    const network = new Network({ server: scheduler.actor('server').life, random: faults.fork(), written })
    const isDurable = (key: string): boolean => invariants.isDurable(key)
    const deeds = services.flatMap((service) => service.deeds)
    const world = new World({ life: scheduler.actor('world').life, random: outside, violations, deeds, isDurable })
    const life = scheduler.actor('clients').life
    const truth = new Truth({ space, invariants, violations, output: outputBy(services) })
    const store = new ModelStore(space, { reach: network.reach(life) })
    const engine = { leaseMs, graceMs: 2_000, partitions, tuning, retention }
    const onError = (text: string): void => this.#engineError(text)
    const build = (): Build => this.#buildNow()
    const common = { scheduler, space, network, world, truth, engine, onError, build, services }
    const workers = Array.from({ length: this.#setting.workers }, (_, i) => {
      const skewMs = faults.int(2_000) - 1_000
      return new SimulatedWorker({ ...common, name: `w${i + 1}`, skewMs, random: ids.fork() })
    })
    const wishes = this.#workload.fork()
    const door = (): WorkerDoor | undefined => {
      const doors = workers.flatMap((worker) => (worker.door === undefined ? [] : [worker.door]))
      return doors.length === 0 ? undefined : (id, wish) => wishes.pick(doors).ask(id, wish)
    }
    this.#clients = new Clients({ life, random: wishes, store, partitions, worker: door, doors: this.#setting.doors })
    space.make(partitions)
    const chaosLife = scheduler.actor('chaos').life
    this.#chaos = new Chaos({ life: chaosLife, random: faults.fork(), network, world, space, workers, leaseMs, rates })
    const operatorsLife = scheduler.actor('operators').life
    this.#operators = new Operators({
      life: operatorsLife,
      random: wishes.fork(),
      space,
      world,
      clients: this.#clients,
      services,
      everyMs: this.#setting.operatorsEveryMs,
    })
    this.#scheduler = scheduler
    this.#violations = violations
    this.#space = space
    this.#invariants = invariants
    this.#network = network
    this.#world = world
    this.#workers = workers
  }

  /** An engine that has stopped, or that says so: it must never come to that. */
  #engineError(text: string): void {
    if (text.includes('has stopped')) this.#violations.add('engine', text)
  }

  async run(): Promise<SimulationReport> {
    // The id of a child that retention took rests as long as receipts do: its parent could not give it a new life.
    const pools = this.#setting.retention.endedMs === undefined ? SIZE.pools : 0
    const size = { ...SIZE, pools, deploys: this.#setting.deploys, ...this.#o.size }
    const { life } = this.#scheduler.actor('plan')
    for (const { atMs, id, wish } of this.#services.flatMap(({ plan }) => plan(this.#workload, size)))
      void life.wait(atMs, `asks ${id} ${wish.do}`).then(() => this.#clients.ask(id, wish))
    for (const worker of this.#workers) worker.start()
    await this.#until(START_MS + size.spanMs * 2)
    this.#chaos.stop()
    this.#operators.stop()
    if (this.#setting.deploys) this.#deployAll()
    const endMs = this.#scheduler.nowMs + CALM_MS
    while (this.#sound && this.#scheduler.nowMs < endMs && !this.#over()) await this.#calmly()
    await this.#until(this.#scheduler.nowMs + AFTER_MS)
    if (this.#sound) this.#judge(this.#violations)
    return this.#report()
  }

  /** From the middle of the bad time on a worker that starts may be of the new build; at the end all are. */
  #buildNow(): Build {
    if (!this.#setting.deploys || this.#scheduler.nowMs < START_MS + SIZE.spanMs) return 'old'
    return this.#deployed || this.#deployment.chance(0.5) ? 'new' : 'old'
  }

  #deployAll(): void {
    this.#deployed = true
    for (const worker of this.#workers) {
      if (worker.build === 'new') continue
      worker.crash()
      worker.start()
    }
  }

  get #sound(): boolean {
    return this.#violations.all.length === 0
  }

  /** Steps until that time, or the first violation. */
  async #until(ms: number): Promise<void> {
    const steps = (this.#o.stepsMax ?? 100_000) - this.#scheduler.steps
    const end = await this.#scheduler.run({ reached: () => !this.#sound, untilMs: ms, steps: Math.max(0, steps) })
    if (end === 'steps') this.#violations.add('liveness', `after ${this.#scheduler.steps} steps it is not over`)
    if (end === 'idle') this.#violations.add('liveness', 'nothing is left that could ever move')
  }

  /** A stretch of the time in which nothing goes wrong; an operator retries what has stalled. */
  async #calmly(): Promise<void> {
    this.#operators.retryAll()
    await this.#until(this.#scheduler.nowMs + CHUNK_MS)
  }

  /** Whether all has come to its end. */
  #over(): boolean {
    if (this.#clients.busy > 0) return false
    const trial = new Violations(() => 0)
    this.#judge(trial)
    return trial.all.length === 0
  }

  #judge(violations: Violations): void {
    const { added, started } = this.#clients
    const rows = [...this.#invariants.last.values()]
    checkEnding({ space: this.#space, rows, world: this.#world, violations, added, started })
    for (const judge of this.#judges) judge.ended(rows, this.#world, violations)
  }

  #report(): SimulationReport {
    const { steps, nowMs, hash, trace } = this.#scheduler
    const { commits, transitions } = this.#invariants
    return {
      seed: this.#o.seed,
      violations: this.#violations.all,
      hash,
      steps,
      virtualMs: nowMs - START_MS,
      commits,
      transitions,
      counts: { ...this.#chaos.counts, ...this.#network.counts, ...this.#clients.ends },
      trace,
    }
  }
}
