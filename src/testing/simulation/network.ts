// The way to the store, as the simulation makes it: calls and answers take their time, get lost, and are overtaken.
//
// The server is an actor of its own: what has reached it goes on when the worker that asked is dead. A worker's side of a call
// (sending it, learning the answer) hangs on the worker's life.
import type { SeededRandom } from '../../base/random.ts'
import type { Arrival, Reach, StoreCall } from '../../store/memory/reach.ts'
import type { Life } from './scheduler.ts'

/** How bad it is. Chances are for each call. */
export interface NetworkFaults {
  /** The call is lost before it took effect. */
  readonly lost: number
  /** It took effect and its answer is lost. */
  readonly unanswered: number
  /** The caller learns that nothing is known, and the commit goes its way for a while longer. */
  readonly late: number
  /** A step of a call takes up to `slowMs` instead of a few ms. */
  readonly slow: number
  readonly slowMs: number
}

/** Nothing goes wrong, though nothing is instantaneous. */
export const CALM: NetworkFaults = { lost: 0, unanswered: 0, late: 0, slow: 0, slowMs: 0 }

const QUICK_MS = 4

/** What a network needs. */
export interface NetworkOptions {
  readonly server: Life
  readonly random: SeededRandom
  /** Told of each commit in the instant in which it takes effect. */
  readonly written: Reach['written']
}

/** All ways to one store. */
export class Network {
  readonly #server: Life
  readonly #random: SeededRandom
  readonly #written: Reach['written']
  /** What goes wrong from now on. */
  faults: NetworkFaults = CALM
  /** What the store answers to every write: it is full, or takes none. */
  refuses: 'full' | 'read-only' | undefined
  /** Ids of instances whose rows the store refuses, unless they are stalled. */
  readonly badRows = new Set<string>()
  /** Steps that took a moment of their own, by what they were; for the report of a run. */
  readonly counts: Record<string, number> = {}

  constructor({ server, random, written }: NetworkOptions) {
    this.#server = server
    this.#random = random
    this.#written = written
  }

  /** The way of one life of a worker. */
  reach(life: Life): Reach {
    const late = new Set<StoreCall>()
    return {
      arrive: (call) => this.#arrive(life, call, late),
      seen: (call) => this.#travel(`${nameOf(call)} seen`, late.has(call)),
      locked: (call) => this.#travel(`${nameOf(call)} locked`, false),
      answer: (call) => this.#answer(life, call),
      written: this.#written,
      isBad: ({ id, status }) => status !== 'stalled' && this.badRows.has(id),
    }
  }

  async #arrive(life: Life, call: StoreCall, late: Set<StoreCall>): Promise<Arrival> {
    await this.#travel(`${nameOf(call)} arrives`, false)
    const arrival = this.#fateOf(call)
    if (arrival === 'ok') return arrival
    this.#count(arrival)
    if (arrival === 'late') late.add(call)
    await life.park(`${nameOf(call)}: ${arrival}`)
    return arrival
  }

  #fateOf(call: StoreCall): Arrival {
    const { faults } = this
    if (this.refuses !== undefined && WRITES.has(call.name)) return this.refuses
    if (this.#random.chance(faults.lost)) return 'transient'
    return call.name === 'commit' && this.#random.chance(faults.late) ? 'late' : 'ok'
  }

  async #answer(life: Life, call: StoreCall): Promise<'ok' | 'lost'> {
    const lost = this.#random.chance(this.faults.unanswered)
    if (lost) this.#count('unanswered')
    await life.wait(this.#takesMs(false), `${nameOf(call)}: ${lost ? 'no answer' : 'answer'}`)
    return lost ? 'lost' : 'ok'
  }

  /** A step on the server's side. What is late always takes long. */
  #travel(what: string, long: boolean): Promise<void> {
    return this.#server.wait(this.#takesMs(long), what)
  }

  #takesMs(long: boolean): number {
    const { slow, slowMs } = this.faults
    const slowly = long || this.#random.chance(slow)
    if (slowly) this.#count('slow')
    return this.#random.int(slowly ? Math.max(slowMs, QUICK_MS) : QUICK_MS)
  }

  #count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1
  }
}

const WRITES: ReadonlySet<StoreCall['name']> = new Set([
  'commit',
  'append',
  'allot',
  'openSession',
  'saveGraph',
  'retain',
  'remove',
] as const)

const nameOf = ({ name, n }: StoreCall): string => (n === undefined ? name : `${name} ${n}`)
