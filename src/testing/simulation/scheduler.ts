// The scheduler of the simulation: virtual time, several actors, and one thing at a time.
//
// Whatever an actor waits for (a timer, a turn, an answer of the store) is a parked continuation. A step is: wait until nothing
// moves any more, pick one of the continuations that are ready, by the seed, and let it go. Where none is ready the clock jumps
// to the next timer. Nothing else moves time or resolves anything, so one seed gives one run.
//
// S1  Between two steps nothing of the simulated system is running: all its promises hang on parked continuations.
// S2  A crashed life never moves again: what it parked is dropped, what it parks later is never ready.
// S3  Real time, the order of real timers and the load of the machine have no influence.
import { settled, systemClock } from '../../base/clock.ts'
import type { Clock } from '../../base/clock.ts'
import type { SeededRandom } from '../../base/random.ts'
import { Heap } from './heap.ts'
import { Trace } from './trace.ts'

/** Settings of a scheduler. */
export interface SchedulerOptions {
  /** Picks what moves next. */
  readonly random: SeededRandom
  /** The first moment, ms since 1970. */
  readonly startMs: number
  /** Steps that the trace remembers. Default 80. */
  readonly traceSteps?: number
  /** Steps in which what moves next is drawn, from the first and before the second; in others it is what was ready first. Default: all. */
  readonly drawn?: readonly [from: number, to: number]
}

interface Parked {
  readonly life: Life
  readonly what: string
  readonly go: () => void
  cancelled: boolean
}

interface Timer extends Parked {
  dueMs: number
  /** It only looks whether something has come. */
  readonly poll: boolean
  /** Order of arming, for what is due in the same ms. */
  readonly order: number
}

/** Leaves out looks at which nothing would be found. */
export interface PollSkip {
  /** Whether no poll would find anything as long as nothing else moves. Asked only where nothing else can move now. */
  readonly vain: () => boolean
  /** Told of each stretch that was left out: leases, say, are renewed in it. */
  readonly skipped: (ms: number) => void
}

/** Why `run` came back. */
export type RunEnd = 'reached' | 'idle' | 'time' | 'steps'

/** 32 well-mixed bits for one step (splitmix32). */
function drawOf(key: number, step: number): number {
  let z = (key + Math.imul(step + 1, 0x9e3779b9)) | 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return (z ^ (z >>> 15)) >>> 0
}

/** So long before something else moves they poll again: what they know is fresh then. */
const FRESH_MS = 50

/** Steps after which the process gets a turn for what is not simulated (a signal, a message to a parent). */
const BREATH_STEPS = 4_096

/** Picks what moves next, and owns the time. */
export class Scheduler {
  readonly #key: number
  readonly #drawn: readonly [number, number]
  readonly #ready: Parked[] = []
  readonly #timers = new Heap<Timer>((a, b) => a.dueMs - b.dueMs || a.order - b.order)
  readonly #trace: Trace
  readonly #startMs: number
  #order = 0
  #nowMs: number
  #steps = 0
  /** Absent: all polls are made. */
  skip: PollSkip | undefined

  constructor(o: SchedulerOptions) {
    this.#key = o.random.int(2 ** 32)
    this.#drawn = o.drawn ?? [0, Infinity]
    this.#startMs = o.startMs
    this.#nowMs = o.startMs
    this.#trace = new Trace(o.traceSteps ?? 80)
  }

  /** The true time, which is also the store's. */
  get nowMs(): number {
    return this.#nowMs
  }
  /** Steps so far. */
  get steps(): number {
    return this.#steps
  }
  /** Ms since the start. */
  get sinceMs(): number {
    return this.#nowMs - this.#startMs
  }
  /** Of all steps so far; two runs of one seed must agree in it. */
  get hash(): string {
    return this.#trace.hash
  }
  /** The last steps, one a line. */
  get trace(): string {
    return this.#trace.text
  }

  /** A new actor. `skewMs`: how far its wall clock is from the truth. */
  actor(name: string, skewMs = 0): Actor {
    return new Actor(this, name, skewMs)
  }

  /** Writes a line into the trace, if there is one. */
  note(actor: string, what: () => string): void {
    if (this.#trace.kept) this.#trace.keep(this.#steps, this.#nowMs, actor, what())
  }

  /** Makes a continuation ready. */
  park(life: Life, what: string, go: () => void): void {
    if (life.alive) this.#ready.push({ life, what, go, cancelled: false })
  }

  /** Makes a continuation ready once that much time has passed; returns what cancels it. */
  wait(life: Life, ms: number, what: string, go: () => void, poll = false): () => void {
    if (!life.alive || ms === Infinity) return () => {}
    // Whole, as a wall clock's ms are; a wait is never shorter than it was asked for.
    const dueMs = Math.ceil(this.#nowMs + Math.max(0, ms))
    const timer: Timer = { life, what, go, dueMs, order: this.#order++, cancelled: false, poll }
    this.#timers.push(timer)
    return () => (timer.cancelled = true)
  }

  /**
   * Steps until `reached` holds (asked before each step), nothing is left that could ever move (`idle`), time has come to `untilMs`, or
   * `steps` more steps are made.
   */
  async run(o: { readonly reached: () => boolean; readonly untilMs: number; readonly steps: number }): Promise<RunEnd> {
    for (let left = o.steps; left > 0; left--) {
      await (this.#steps % BREATH_STEPS === 0 ? systemClock.turn() : settled())
      if (o.reached()) return 'reached'
      const parked = this.#next(o.untilMs)
      if (typeof parked === 'string') return parked
      this.#steps++
      this.#trace.add(this.#steps, this.#nowMs, parked.life.name, parked.what)
      parked.go()
    }
    return 'steps'
  }

  /** The next one to move, with time moved to where it can. */
  #next(untilMs: number): Parked | 'idle' | 'time' {
    // Of each step for itself: what a step draws does not hang on how many went before, nor on what they drew.
    const draw = drawOf(this.#key, this.#steps)
    // On average eight steps pass within one ms: enough for races inside it, and a busy system still gets older.
    if ((draw & 7) === 0) this.#nowMs++
    for (;;) {
      this.#fireDue()
      const parked = this.#pick(draw >>> 3)
      if (parked !== undefined) return parked
      if (this.skip !== undefined && this.#ready.length === 0) this.#skipPolls(this.skip, untilMs)
      const nextMs = this.#wakesAt()
      if (nextMs === Infinity) return 'idle'
      if (nextMs > untilMs) {
        this.#nowMs = Math.max(this.#nowMs, untilMs)
        return 'time'
      }
      this.#nowMs = nextMs
    }
  }

  /** Where only polls come next, and would find nothing: they come when something else is about to move. */
  #skipPolls({ vain, skipped }: PollSkip, untilMs: number): void {
    const timers = this.#timers
    const { top } = timers
    if (top?.poll !== true || !vain()) return
    let movesMs = untilMs
    for (const { poll, cancelled, life, dueMs } of timers.all)
      if (!poll && !cancelled && life.alive) movesMs = Math.min(movesMs, dueMs)
    const ms = movesMs - FRESH_MS - top.dueMs
    if (ms <= 0) return
    for (const timer of timers.drain()) {
      if (timer.poll) timer.dueMs += ms
      if (!timer.cancelled && timer.life.alive) timers.push(timer)
    }
    skipped(ms)
  }

  /** Timers that are due become ready, and compete with what is ready already. */
  #fireDue(): void {
    for (let top = this.#timers.top; top !== undefined && top.dueMs <= this.#nowMs; top = this.#timers.top) {
      this.#timers.pop()
      if (!top.cancelled && top.life.alive) this.#ready.push(top)
    }
  }

  /** One of those that can move now, by chance; the others keep their order. */
  #pick(draw: number): Parked | undefined {
    const ready = this.#ready
    let kept = 0
    let awake = 0
    for (const parked of ready) {
      // A timer may be cancelled between falling due and being picked.
      if (!parked.life.alive || parked.cancelled) continue
      ready[kept++] = parked
      if (parked.life.awakeAtMs <= this.#nowMs) awake++
    }
    ready.length = kept
    if (awake === 0) return undefined
    const [from, to] = this.#drawn
    let left = this.#steps >= from && this.#steps < to ? draw % awake : 0
    for (let at = 0; ; at++) {
      const parked = ready[at]!
      if (parked.life.awakeAtMs > this.#nowMs || left-- > 0) continue
      ready.copyWithin(at, at + 1)
      ready.length--
      return parked
    }
  }

  /** When something could move that cannot now: the next timer, or the end of a pause. */
  #wakesAt(): number {
    const timer = this.#timers.top?.dueMs ?? Infinity
    let earliest = timer
    for (const { life } of this.#ready) earliest = Math.min(earliest, life.awakeAtMs)
    return earliest
  }
}

/** One life of an actor: from its start to its crash. */
export class Life {
  readonly name: string
  readonly #scheduler: Scheduler
  readonly #skewMs: () => number
  readonly #bornMs: number
  #alive = true
  #awakeAtMs = 0

  constructor(scheduler: Scheduler, name: string, skewMs: () => number) {
    this.#scheduler = scheduler
    this.name = name
    this.#skewMs = skewMs
    this.#bornMs = scheduler.nowMs
  }

  /** False after its crash. */
  get alive(): boolean {
    return this.#alive
  }
  /** Until then it does not move. */
  get awakeAtMs(): number {
    return this.#awakeAtMs
  }

  /** Its continuations are gone, and those to come are never ready. */
  end(): void {
    this.#alive = false
  }
  /** It stands still for that long, while time and the others go on. */
  pause(ms: number): void {
    this.#awakeAtMs = this.#scheduler.nowMs + ms
  }

  /** Resolves when it is picked. */
  park(what: string): Promise<void> {
    return new Promise((resolve) => this.#scheduler.park(this, what, resolve))
  }
  /** Resolves when it is picked after that much time. */
  wait(ms: number, what: string): Promise<void> {
    return new Promise((resolve) => void this.#scheduler.wait(this, ms, what, resolve))
  }

  /** Its own clock: the wall clock is skewed, the monotonic one starts with the life. */
  readonly clock: Clock = {
    now: () => this.#scheduler.nowMs + this.#skewMs(),
    monotonic: () => this.#scheduler.nowMs - this.#bornMs,
    after: (ms, fire, o) => this.#scheduler.wait(this, ms, 'timer', fire, o?.poll),
    turn: () => this.park('turn'),
  }
}

/** Something that acts, crashes and starts again: a worker, the store's server, the world outside. */
export class Actor {
  readonly name: string
  /** How far its wall clock is from the truth; may be changed, as wall clocks are. */
  skewMs: number
  readonly #scheduler: Scheduler
  #lives = 0
  #life: Life

  constructor(scheduler: Scheduler, name: string, skewMs: number) {
    this.#scheduler = scheduler
    this.name = name
    this.skewMs = skewMs
    this.#life = this.#born()
  }

  /** The present life. */
  get life(): Life {
    return this.#life
  }

  /** Ends the present life and begins another. */
  crash(): Life {
    this.#life.end()
    this.#scheduler.note(this.#life.name, () => 'crash')
    this.#life = this.#born()
    return this.#life
  }

  #born(): Life {
    return new Life(this.#scheduler, `${this.name}#${++this.#lives}`, () => this.skewMs)
  }
}
