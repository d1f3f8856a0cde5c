// One worker of the simulation: the engine that ships, on a clock, a store and a world that the simulation owns. It is killed and
// started again as a process is: nothing of its memory survives.
import type { SeededRandom } from '../../base/random.ts'
import { EngineApp } from '../../engine/app.ts'
import { Engine } from '../../engine/engine.ts'
import type { EngineOptions } from '../../engine/host.ts'
import { serviceOf } from '../../machine/definition.ts'
import { implement } from '../../machine/activity.ts'
import { service } from '../../machine/service.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import type { TimedEvent } from '../../observe/lifecycle.ts'
import type { Space } from '../../store/memory/space.ts'
import { ModelStore } from '../../store/memory/store.ts'
import type { Build } from './builds.ts'
import type { Coverage } from './coverage.ts'
import { Door } from './door.ts'
import type { Network } from './network.ts'
import type { Actor, Life, Scheduler } from './scheduler.ts'
import type { SimulatedService } from './service.ts'
import type { Story } from './story.ts'
import type { Truth } from './truth.ts'
import type { World } from './world.ts'

/** What a worker needs. */
export interface WorkerOptions {
  readonly scheduler: Scheduler
  readonly space: Space
  readonly network: Network
  readonly world: World
  readonly truth: Truth
  readonly name: string
  readonly skewMs: number
  /** Ids and jitter; each life forks it. */
  readonly random: SeededRandom
  readonly engine: Pick<EngineOptions, 'leaseMs' | 'graceMs' | 'partitions' | 'tuning' | 'retention'>
  /** What runs on it. */
  readonly services: readonly SimulatedService[]
  /** What it is built of when it starts now. */
  readonly build: () => Build
  /** Told what an engine logs as an error, and what it rejects with. */
  readonly onError: (text: string) => void
  readonly coverage: Coverage
  readonly story: Story
}

/** A worker, whichever life it is in. */
export class SimulatedWorker {
  readonly #o: WorkerOptions
  readonly actor: Actor
  readonly name: string
  #engine: Engine | undefined
  #door: Door | undefined
  #ready = false
  #build: Build = 'old'

  constructor(o: WorkerOptions) {
    this.#o = o
    this.name = o.name
    this.actor = o.scheduler.actor(o.name, o.skewMs)
  }

  /** The engine of the present life, once it has started. */
  get engine(): Engine | undefined {
    return this.#ready ? this.#engine : undefined
  }

  /** What the present life is built of. */
  get build(): Build {
    return this.#build
  }

  /** Its public API, once it has started. */
  get door(): Door | undefined {
    return this.#ready ? this.#door : undefined
  }

  /** Starts, and starts again when the store lets it not. */
  start(): void {
    const { life } = this.actor
    const { space, network, random, engine, truth, coverage, story } = this.#o
    this.#build = this.#o.build()
    const machines = this.#o.services.flatMap(({ builds }) => builds[this.#build])
    const store = new ModelStore(space, { reach: network.reach(this.name, life) })
    const made = new Engine({
      ...engine,
      services: [this.#service(life, machines)],
      store,
      clock: life.clock,
      random: random.fork(),
      log: ({ level, text, error }) => this.#log(life, level, text, error),
    })
    this.#engine = made
    made.lifecycle.on((event) => this.#sees(life, event))
    this.#door = new Door({ app: new EngineApp(made), machines, truth, coverage })
    made.start().then(
      () => {
        if (!life.alive) return
        this.#ready = true
        coverage.add('worker started')
        story.tell(this.name, () => `has started (${this.#build} build)`)
      },
      (error: unknown) => {
        if (!life.alive) return
        coverage.add('worker could not start')
        this.#o.scheduler.note(life.name, () => `could not start: ${textOf(error)}`)
        this.crash()
        void this.actor.life.wait(1_000, 'starts again').then(() => this.start())
      },
    )
  }

  /** Dies. Whatever it waited for never comes. */
  crash(): void {
    this.#ready = false
    this.#engine = undefined
    this.actor.crash()
  }

  /** Stops as a deploy does, and answers when it has. */
  async stop(): Promise<void> {
    const { engine } = this
    this.#ready = false
    await engine?.stop()
    if (engine !== undefined) this.#o.coverage.add('worker stopped')
  }

  /** What this life tells of itself. */
  #sees(life: Life, event: TimedEvent): void {
    if (!life.alive) return
    const { coverage, story } = this.#o
    switch (event.kind) {
      case 'partition-acquired':
      case 'partition-lost':
        coverage.add(`session ${event.kind}`)
        return story.tell(this.name, () =>
          event.kind === 'partition-lost'
            ? `does not own partition ${event.partition} any more`
            : `takes partition ${event.partition} over`,
        )
      case 'attempt-succeeded':
        return coverage.add(`call done${event.attempt > 1 ? ' by a later attempt' : ''}`)
      case 'attempt-failed': {
        const end = event.nextAt === undefined ? '' : ', tried again'
        const { outcome, code } = event.error
        story.tell(
          this.name,
          () => `attempt ${event.attempt} of ${event.call} of ${event.machine} ${event.id}: ${code}`,
        )
        return coverage.add(`call ${outcome}${end}`)
      }
      case 'late-timer':
        return coverage.add('timer late')
      case 'attempt-started':
      case 'commit':
      case 'dead-letter':
      case 'stalled':
      case 'transition':
    }
  }

  #log(life: Life, level: string, text: string, error: unknown): void {
    if (!life.alive) return
    const line = (): string => `${level}: ${text}${error === undefined ? '' : `: ${textOf(error)}`}`
    this.#o.scheduler.note(life.name, line)
    if (text.startsWith('the store is ')) this.#o.coverage.add(`health ${text}`)
    if (level === 'error') this.#o.onError(`${life.name} ${line()}`)
  }

  /** The services of this life: their bodies call the world, and hear its answer only while this life lasts. */
  #service(life: Life, machines: readonly AnyMachine[]) {
    const activities = this.#o.services.flatMap((one) => one.activities)
    const bodies = activities.map((activity) =>
      implement(
        activity as never,
        ((input: never, attempt: never) => this.#o.world.attempt(life, activity.name, input, attempt)) as never,
      ),
    )
    return serviceOf(service('simulation', { machines, activities: bodies }))
  }
}

const textOf = (error: unknown): string => (error instanceof Error ? (error.stack ?? error.message) : String(error))
