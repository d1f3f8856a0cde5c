// What goes wrong while it goes wrong: crashes, pauses beyond the lease, deploys, clocks that jump, a store that is full for a
// while, rows that it refuses, a network that has bad minutes.
import type { SeededRandom } from '../../base/random.ts'
import type { Space } from '../../store/memory/space.ts'
import { CALM } from './network.ts'
import type { Network, NetworkFaults } from './network.ts'
import type { Life } from './scheduler.ts'
import type { SimulatedWorker } from './worker.ts'
import type { World } from './world.ts'

/** How bad a run is. All zero: nothing goes wrong. */
export interface ChaosRates {
  readonly network: NetworkFaults
  readonly courses: World['courses']
  /** Mean time between two acts, ms; Infinity: none. */
  readonly everyMs: number
}

/** What chaos acts on. */
export interface ChaosOptions {
  readonly life: Life
  readonly random: SeededRandom
  readonly network: Network
  readonly world: World
  readonly space: Space
  readonly workers: readonly SimulatedWorker[]
  readonly leaseMs: number
  readonly rates: ChaosRates
}

type Act = keyof Acts
interface Acts {
  crash: number
  pause: number
  deploy: number
  skew: number
  full: number
  readOnly: number
  badRow: number
}
/** How often each comes, against the others. */
const WEIGHTS: readonly (readonly [Act, number])[] = [
  ['crash', 5],
  ['pause', 4],
  ['deploy', 1],
  ['skew', 1],
  ['full', 1],
  ['readOnly', 1],
  ['badRow', 1],
]

/** Makes things go wrong until it is told to stop. */
export class Chaos {
  readonly #o: ChaosOptions
  #on = true
  /** Acts so far. */
  readonly counts: Acts = { crash: 0, pause: 0, deploy: 0, skew: 0, full: 0, readOnly: 0, badRow: 0 }

  constructor(o: ChaosOptions) {
    this.#o = o
    o.network.faults = o.rates.network
    o.world.courses = o.rates.courses
    if (o.rates.everyMs !== Infinity) void this.#run()
  }

  /** Everything is well from now on: nothing new goes wrong, and what went wrong is mended. */
  stop(): void {
    const { network, world, workers } = this.#o
    this.#on = false
    network.faults = CALM
    network.refuses = undefined
    network.badRows.clear()
    world.courses = {}
    for (const { actor } of workers) actor.life.pause(0)
  }

  async #run(): Promise<void> {
    const { life, random, rates } = this.#o
    while (this.#on) {
      await life.wait(random.int(2 * rates.everyMs), 'chaos')
      if (this.#on) this.#act(this.#draw())
    }
  }

  #draw(): Act {
    let left = this.#o.random.int(WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0))
    for (const [act, weight] of WEIGHTS) {
      left -= weight
      if (left < 0) return act
    }
    return 'crash'
  }

  #act(act: Act): void {
    const { random, network, workers, leaseMs } = this.#o
    const worker = random.pick(workers)
    this.counts[act]++
    if (act === 'crash') this.#again(worker, () => worker.crash())
    else if (act === 'deploy') this.#deploy(worker)
    else if (act === 'pause') worker.actor.life.pause(random.int(random.pick([200, 3 * leaseMs])))
    else if (act === 'skew') worker.actor.skewMs = random.int(4_000) - 2_000
    else if (act === 'badRow') this.#badRow()
    else {
      network.refuses = act === 'full' ? 'full' : 'read-only'
      void this.#later(random.int(5_000), 'the store takes writes again', () => (network.refuses = undefined))
    }
  }

  /** A crash, and a start after some time: sooner or later than the lease. */
  #again(worker: SimulatedWorker, end: () => void): void {
    const { random, leaseMs } = this.#o
    end()
    const { life } = worker.actor
    void this.#later(random.int(random.pick([50, 2 * leaseMs])), `${life.name} starts`, () => {
      if (worker.actor.life === life) worker.start()
    })
  }

  #deploy(worker: SimulatedWorker): void {
    if (worker.engine === undefined) return
    const { life } = worker.actor
    void worker.stop().then(() => {
      if (worker.actor.life === life) this.#again(worker, () => worker.crash())
    })
  }

  #badRow(): void {
    const { random, network, space } = this.#o
    const rows = [...space.instances.values()].filter((row) => row.endedAt === null)
    if (rows.length === 0) return
    const { id } = random.pick(rows)
    network.badRows.add(id)
    void this.#later(random.int(5_000), `the rows of ${id} are taken again`, () => network.badRows.delete(id))
  }

  async #later(ms: number, what: string, act: () => void): Promise<void> {
    await this.#o.life.wait(ms, what)
    act()
  }
}
