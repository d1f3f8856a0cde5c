// Virtual time: it moves when a test says so. What waits for time waits in a set here, and what is ready runs by itself.
import type { Clock } from '../../base/clock.ts'
import { settled, systemClock } from '../../base/clock.ts'
import { PawlError } from '../../base/errors.ts'

interface Wait {
  readonly at: number
  readonly fire: () => void
}

/** Rounds after which something runs in a circle. */
const ROUNDS_MAX = 1_000_000
/** Rounds after which the process gets a turn, for what is not simulated: the signals and limits of whoever runs the tests. */
const BREATH_ROUNDS = 1_024

/** Time, as all workers of one harness share it. */
export class VirtualClock implements Clock {
  readonly startMs: number
  readonly #waits = new Set<Wait>()
  #passedMs = 0
  #turning = 0
  #turns = 0
  #advancing: Promise<void> = Promise.resolve()

  constructor(startMs: number) {
    this.startMs = startMs
  }

  now(): number {
    return this.startMs + this.#passedMs
  }

  monotonic(): number {
    return this.#passedMs
  }

  /** When the next thing falls due, in ms since the start; Infinity: nothing does. */
  get nextMs(): number {
    let next = Infinity
    for (const { at } of this.#waits) if (at < next) next = at
    return next
  }

  after(ms: number, fire: () => void): () => void {
    if (ms === Infinity) return () => undefined
    const wait = { at: this.#passedMs + Math.max(0, ms), fire }
    this.#waits.add(wait)
    return () => this.#waits.delete(wait)
  }

  /** Lets all promises go on that can. */
  async turn(): Promise<void> {
    this.#turning += 1
    this.#turns += 1
    await settled()
    this.#turning -= 1
  }

  /** Until nothing is ready. `rest` tells whether what is not seen here rests too, and may wait for it. */
  async settle(rest: () => boolean | Promise<boolean>): Promise<void> {
    for (let round = 1; ; round++) {
      if (round > ROUNDS_MAX)
        throw new PawlError(
          'RUNS_FOR_EVER',
          'it does not come to rest without time passing: something runs in a circle',
        )
      if (round % BREATH_ROUNDS === 0) await systemClock.turn()
      await settled()
      if (this.#turning > 0) continue
      // Ticks that were asked for together run together, and their promises after all of them: whether nothing goes on shows at the next.
      const turns = this.#turns
      await settled()
      if (this.#turns !== turns) continue
      const resting = rest()
      if (resting === true || (resting !== false && (await resting))) return
    }
  }

  /** Lets time pass, and runs what falls due on the way, in order. One after the other where several are asked for. */
  advance(ms: number, settle: () => Promise<void>): Promise<void> {
    const go = this.#advancing.then(() => this.#advance(ms, settle))
    this.#advancing = go.catch(() => undefined)
    return go
  }

  async #advance(ms: number, settle: () => Promise<void>): Promise<void> {
    await settle()
    const end = this.#passedMs + ms
    for (let next = this.nextMs; next <= end; next = this.nextMs) {
      this.#passedMs = Math.max(this.#passedMs, next)
      this.#fire()
      await settle()
    }
    this.#passedMs = end
  }

  #fire(): void {
    const due: Wait[] = []
    for (const wait of this.#waits) if (wait.at <= this.#passedMs) due.push(wait)
    if (due.length > 1) due.sort((one, other) => one.at - other.at)
    for (const wait of due) if (this.#waits.delete(wait)) wait.fire()
  }
}

/** The clock of one life of a worker: when it dies nothing that it waits for ever comes. */
export class LifeClock implements Clock {
  readonly #clock: Clock
  readonly #cancels = new Set<() => void>()
  #dead = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  now(): number {
    return this.#clock.now()
  }

  monotonic(): number {
    return this.#clock.monotonic()
  }

  /** How many wait for time. */
  get waits(): number {
    return this.#cancels.size
  }

  after(ms: number, fire: () => void): () => void {
    if (this.#dead) return () => undefined
    const cancel = (): void => {
      this.#cancels.delete(cancel)
      stop()
    }
    const stop = this.#clock.after(ms, () => {
      this.#cancels.delete(cancel)
      fire()
    })
    this.#cancels.add(cancel)
    return cancel
  }

  async turn(): Promise<void> {
    if (!this.#dead) await this.#clock.turn()
    if (this.#dead) await new Promise<never>(() => undefined)
  }

  die(): void {
    this.#dead = true
    for (const cancel of this.#cancels) cancel()
  }
}
