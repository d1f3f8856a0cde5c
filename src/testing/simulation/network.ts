// The way to the store, as the simulation makes it: calls and answers take their time, get lost, and are overtaken.
//
// The server is an actor of its own: what has reached it goes on when the worker that asked is dead. A worker's side of a call
// (sending it, learning the answer) hangs on the worker's life.
//
// What goes wrong with a call is drawn from a stream of who calls, and remembered by who called what for the how-manieth time: so a
// run can be repeated with some of its faults alone.
import { seededRandom } from '../../base/random.ts'
import type { SeededRandom } from '../../base/random.ts'
import type { Arrival, Reach, StoreCall } from '../../store/memory/reach.ts'
import type { Space } from '../../store/memory/space.ts'
import type { Coverage } from './coverage.ts'
import type { Life } from './scheduler.ts'
import type { Story } from './story.ts'

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

/** The id of instances whose rows the store refuses from first to last: nothing of them is ever there, and nobody else may suffer by it. */
export const OUTCAST = 'outcast'

/** Nothing goes wrong, though nothing is instantaneous. */
export const CALM: NetworkFaults = { lost: 0, unanswered: 0, late: 0, slow: 0, slowMs: 0 }

/** What went wrong with one call. */
export interface NetworkFault {
  /** Who called what, for the how-manieth time: `w1 commit 12`. */
  readonly call: string
  readonly what: 'transient' | 'late' | 'unanswered' | 'slow'
  /** Of what was slow: at which point, and how long it took. */
  readonly point?: Point
  readonly ms?: number
}
type Point = 'arrives' | 'seen' | 'locked' | 'answer'

const QUICK_MS = 4

/** What a network needs. */
export interface NetworkOptions {
  readonly server: Life
  readonly seed: number
  readonly space: Space
  readonly coverage: Coverage
  readonly story: Story
  /** Told of each commit in the instant in which it takes effect. */
  readonly written: Reach['written']
  /** What goes wrong; undefined: it is drawn. */
  readonly only?: readonly NetworkFault[] | undefined
}

/** One caller, over all its lives. */
interface Caller {
  readonly name: string
  readonly random: SeededRandom
  readonly counts: Record<string, number>
}

/** All ways to one store. */
export class Network {
  readonly #o: NetworkOptions
  readonly #callers = new Map<string, Caller>()
  readonly #only: ReadonlyMap<string, NetworkFault> | undefined
  /** What goes wrong from now on. */
  faults: NetworkFaults = CALM
  /** What the store answers to every write: it is full, or takes none. */
  refuses: 'full' | 'read-only' | undefined
  /** Ids of instances whose rows the store refuses, unless they are stalled. */
  readonly badRows = new Set<string>()
  /** Who called, by session. */
  readonly sessions = new Map<string, string>()
  /** What went wrong so far. */
  readonly happened: NetworkFault[] = []

  constructor(o: NetworkOptions) {
    this.#o = o
    this.#only = o.only && new Map(o.only.map((fault) => [keyOf(fault), fault]))
  }

  /** The way of one life of a caller. */
  reach(name: string, life: Life): Reach {
    const way = new Way(this, this.#callerOf(name), life)
    return {
      arrive: (call) => way.arrive(call),
      seen: (call) => way.seen(call),
      locked: (call) => way.travel(call, 'locked'),
      answer: (call) => way.answer(call),
      written: this.#o.written,
      isBad: ({ id, status }) => {
        const bad = status !== 'stalled' && (id === OUTCAST || this.badRows.has(id))
        if (bad) this.#o.coverage.add('fault a row is refused')
        return bad
      },
    }
  }

  get server(): Life {
    return this.#o.server
  }

  /** Whether the session of a call is gone by now. */
  lacks({ session }: StoreCall): boolean {
    return session !== undefined && !this.#o.space.sessions.has(session)
  }

  /** Whether something goes wrong with this call: by the plan where there is one, else by chance. Answers with how long, where it is slow. */
  meets(caller: Caller, call: string, what: NetworkFault['what'], chance: number, point?: Point): number | undefined {
    // Drawn in any case, and only once: with a plan the stream is the same as without.
    const draw = caller.random.next()
    if (this.#only === undefined ? draw >= chance : this.#only.size === 0) return undefined
    const tag = `${caller.name} ${call}`
    const planned = this.#only?.get(`${tag} ${what} ${point ?? ''}`)
    if (this.#only !== undefined && planned === undefined) return undefined
    const ms = planned?.ms ?? Math.floor((draw / chance) * Math.max(this.faults.slowMs, QUICK_MS))
    this.happened.push(point === undefined ? { call: tag, what } : { call: tag, what, point, ms })
    this.tell(caller.name, what, call)
    return ms
  }

  /** Counts something that went wrong. */
  tell(who: string, what: NetworkFault['what'] | 'full' | 'read-only' | 'overtaken', call: string): void {
    this.#o.coverage.add(`fault ${TOLD[what]}`)
    if (what !== 'slow') this.#o.story.tell(who, () => `${call}: ${TOLD[what]}`)
  }

  #callerOf(name: string): Caller {
    let caller = this.#callers.get(name)
    if (caller === undefined) {
      const seed = this.#o.seed + this.#callers.size * 0x9e3779b1
      this.#callers.set(name, (caller = { name, random: seededRandom(seed), counts: Object.create(null) as never }))
    }
    return caller
  }
}

const keyOf = ({ call, what, point }: NetworkFault): string => `${call} ${what} ${point ?? ''}`

/** Faults in the words of whoever reads them. */
const TOLD = {
  transient: 'a call is lost',
  late: 'unknown now, applied later',
  unanswered: 'applied, and the answer is lost',
  slow: 'a call is slow',
  full: 'the store is full',
  'read-only': 'the store is read-only',
  overtaken: 'a take-over between read and lock',
} as const

/** Of one life of a caller. */
class Way {
  readonly #network: Network
  readonly #caller: Caller
  readonly #life: Life
  readonly #tags = new WeakMap<StoreCall, string>()
  readonly #late = new WeakSet<StoreCall>()

  constructor(network: Network, caller: Caller, life: Life) {
    this.#network = network
    this.#caller = caller
    this.#life = life
  }

  async arrive(call: StoreCall): Promise<Arrival> {
    const { counts } = this.#caller
    const count = (counts[call.name] = (counts[call.name] ?? 0) + 1)
    this.#tags.set(call, `${call.name} ${count}`)
    if (call.name === 'commit') this.#network.sessions.set(call.session!, this.#caller.name)
    await this.travel(call, 'arrives')
    const arrival = this.#fateOf(call)
    if (arrival === 'ok') return arrival
    if (arrival === 'late') this.#late.add(call)
    await this.#life.park(arrival)
    return arrival
  }

  async seen(call: StoreCall): Promise<void> {
    await this.travel(call, 'seen')
    if (this.#network.lacks(call)) this.#network.tell(this.#caller.name, 'overtaken', this.#tagOf(call))
  }

  async answer(call: StoreCall): Promise<'ok' | 'lost'> {
    const lost = this.#meets(call, 'unanswered', this.#network.faults.unanswered) !== undefined
    await this.#life.wait(this.#takesMs(call, 'answer'), ANSWERED[call.name] ?? 'answer')
    return lost ? 'lost' : 'ok'
  }

  /** A step on the server's side. */
  travel(call: StoreCall, point: Point): Promise<void> {
    return this.#network.server.wait(this.#takesMs(call, point), call.name)
  }

  #fateOf(call: StoreCall): Arrival {
    const { refuses, faults } = this.#network
    if (refuses !== undefined && WRITES.has(call.name)) {
      this.#network.tell(this.#caller.name, refuses, this.#tagOf(call))
      return refuses
    }
    if (this.#meets(call, 'transient', faults.lost) !== undefined) return 'transient'
    return call.name === 'commit' && this.#meets(call, 'late', faults.late) !== undefined ? 'late' : 'ok'
  }

  #takesMs(call: StoreCall, point: Point): number {
    const { slow, slowMs } = this.#network.faults
    // What is late always takes long.
    const chance = point === 'seen' && this.#late.has(call) ? 1 : slow
    const quickMs = this.#caller.random.int(QUICK_MS)
    if (slowMs === 0) return quickMs
    return this.#meets(call, 'slow', chance, point) ?? quickMs
  }

  #meets(call: StoreCall, what: NetworkFault['what'], chance: number, point?: Point): number | undefined {
    return this.#network.meets(this.#caller, this.#tagOf(call), what, chance, point)
  }

  #tagOf(call: StoreCall): string {
    return this.#tags.get(call) ?? call.name
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

const ANSWERED: Readonly<Partial<Record<StoreCall['name'], string>>> = {
  commit: 'commit answered',
  append: 'append answered',
  load: 'load answered',
}
