// What goes wrong while it goes wrong: crashes, pauses beyond the lease, deploys, clocks that jump, a store that is full for a
// while, rows that it refuses, a network that has bad minutes.
import type { SeededRandom } from '../../base/random.ts'
import type { Space } from '../../store/memory/space.ts'
import type { Coverage } from './coverage.ts'
import { CALM } from './network.ts'
import type { Network, NetworkFaults } from './network.ts'
import type { Life } from './scheduler.ts'
import type { Story } from './story.ts'
import type { SimulatedWorker } from './worker.ts'
import type { World } from './world.ts'

/** How bad a run is. All zero: nothing goes wrong. */
export interface ChaosRates {
  readonly network: NetworkFaults
  readonly courses: World['courses']
}

/** What can be done to a run. */
export type Trouble = 'crash' | 'pause' | 'deploy' | 'skew' | 'full' | 'readOnly' | 'badRow'

/** One act of chaos, at that time from the start. */
export interface Act {
  readonly atMs: number
  readonly does: Trouble
  /** Whom it hits, by number from 0. */
  readonly worker: number
  /** How long it lasts; of a jump: to how far from the truth. */
  readonly ms: number
  /** Which of those that are there then, 0 to 1. */
  readonly which: number
}

/** What chaos acts on. */
export interface ChaosOptions {
  readonly life: Life
  readonly network: Network
  readonly world: World
  readonly space: Space
  readonly workers: readonly SimulatedWorker[]
  readonly rates: ChaosRates
  readonly acts: readonly Act[]
  readonly coverage: Coverage
  readonly story: Story
}

/** How often each comes, against the others. */
const WEIGHTS: readonly (readonly [Trouble, number])[] = [
  ['crash', 5],
  ['pause', 4],
  ['deploy', 2],
  ['skew', 1],
  ['full', 1],
  ['readOnly', 1],
  ['badRow', 2],
]

/** Draws what happens within `spanMs`. `everyMs`: mean time between two acts; Infinity: none. */
export function drawActs(
  random: SeededRandom,
  o: { readonly everyMs: number; readonly spanMs: number; readonly workers: number; readonly leaseMs: number },
): readonly Act[] {
  const acts: Act[] = []
  if (o.everyMs === Infinity) return acts
  for (let atMs = random.int(2 * o.everyMs); atMs < o.spanMs; atMs += 1 + random.int(2 * o.everyMs)) {
    const does = drawTrouble(random)
    const ms = drawMs(random, does, o.leaseMs)
    acts.push({ atMs, does, worker: random.int(o.workers), ms, which: random.next() })
  }
  return acts
}

function drawTrouble(random: SeededRandom): Trouble {
  let left = random.int(WEIGHTS.reduce((sum, [, weight]) => sum + weight, 0))
  for (const [trouble, weight] of WEIGHTS) {
    left -= weight
    if (left < 0) return trouble
  }
  return 'crash'
}

function drawMs(random: SeededRandom, does: Trouble, leaseMs: number): number {
  switch (does) {
    // Sooner or later than the lease.
    case 'crash':
    case 'deploy':
      return random.int(random.pick([50, 2 * leaseMs]))
    case 'pause':
      return random.int(random.pick([200, 3 * leaseMs]))
    case 'skew':
      return random.int(4_000) - 2_000
    case 'full':
    case 'readOnly':
    case 'badRow':
      return random.int(5_000)
  }
}

/** Makes things go wrong until it is told to stop. */
export class Chaos {
  readonly #o: ChaosOptions
  #on = true

  constructor(o: ChaosOptions) {
    this.#o = o
    o.network.faults = o.rates.network
    o.world.courses = o.rates.courses
    for (const act of o.acts)
      void o.life.wait(act.atMs, 'chaos').then(() => {
        if (this.#on) this.#act(act)
      })
  }

  /** Everything is well from now on: nothing new goes wrong, and what went wrong is mended. */
  stop(): void {
    const { network, world, workers, story } = this.#o
    this.#on = false
    network.faults = CALM
    network.refuses = undefined
    network.badRows.clear()
    world.courses = {}
    for (const { actor } of workers) actor.life.pause(0)
    story.tell('all', () => 'from now on nothing more goes wrong')
  }

  #act(act: Act): void {
    const worker = this.#o.workers[act.worker % this.#o.workers.length]!
    switch (act.does) {
      case 'crash':
        return this.#again(worker, act, 'crashes')
      case 'deploy':
        return this.#deploy(worker, act)
      case 'pause':
        this.#tell(worker.name, act, `stands still for ${act.ms} ms`)
        return worker.actor.life.pause(act.ms)
      case 'skew':
        this.#tell(worker.name, act, `its clock jumps to ${act.ms} ms from the truth`)
        worker.actor.skewMs = act.ms
        return
      case 'badRow':
        return this.#badRow(act)
      case 'full':
      case 'readOnly':
        return this.#refuse(act)
    }
  }

  #tell(who: string, { does }: Act, what: string): void {
    this.#o.coverage.add(`fault ${NAMES[does]}`)
    this.#o.story.tell(who, () => what)
  }

  #refuse(act: Act): void {
    const { network } = this.#o
    this.#tell('store', act, `takes no writes for ${act.ms} ms: it is ${act.does === 'full' ? 'full' : 'read-only'}`)
    network.refuses = act.does === 'full' ? 'full' : 'read-only'
    void this.#later(act.ms, 'the store takes writes again', () => (network.refuses = undefined))
  }

  /** A crash, and a start after some time. */
  #again(worker: SimulatedWorker, act: Act, what: string): void {
    this.#tell(worker.name, act, what)
    worker.crash()
    const { life } = worker.actor
    void this.#later(act.ms, 'starts', () => {
      if (worker.actor.life === life) worker.start()
    })
  }

  #deploy(worker: SimulatedWorker, act: Act): void {
    if (worker.engine === undefined) return
    const { life } = worker.actor
    this.#o.story.tell(worker.name, () => 'is told to stop')
    void worker.stop().then(() => {
      if (worker.actor.life === life) this.#again(worker, act, 'has stopped')
    })
  }

  #badRow(act: Act): void {
    const { network, space } = this.#o
    const rows = [...space.instances.values()].filter((row) => row.endedAt === null)
    const row = rows[Math.floor(act.which * rows.length)]
    if (row === undefined) return
    this.#tell('store', act, `refuses the rows of ${row.machine} ${row.id} for ${act.ms} ms`)
    network.badRows.add(row.id)
    void this.#later(act.ms, 'rows are taken again', () => network.badRows.delete(row.id))
  }

  async #later(ms: number, what: string, act: () => void): Promise<void> {
    await this.#o.life.wait(ms, what)
    act()
  }
}

/** Troubles in the words of whoever reads them. */
const NAMES: Readonly<Record<Trouble, string>> = {
  crash: 'a worker crashes',
  pause: 'a worker stands still',
  deploy: 'a worker is stopped and started',
  skew: "a worker's clock jumps",
  full: 'the store becomes full',
  readOnly: 'the store becomes read-only',
  badRow: 'the rows of an instance are refused',
}
