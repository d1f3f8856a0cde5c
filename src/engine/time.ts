// The store's time, between two answers of the store: what it said last, plus what the monotonic clock has measured since
// that was received. A lower bound, so no timer fires early by it.
//
// A store of its own process keeps steady time itself (it is what a restart goes on by), and is followed. What a server says is a
// reading of a clock that may jump.
import type { Clock } from '../base/clock.ts'
import { SteadyTime } from '../base/steady.ts'

/** The store's time. */
export class StoreTime {
  readonly #clock: Clock
  readonly #embedded: boolean
  #steady: SteadyTime | undefined

  /** `embedded`: the store goes by `clock` itself, and its time is steady. */
  constructor(clock: Clock, embedded: boolean) {
    this.#clock = clock
    this.#embedded = embedded
  }

  /** What the store said its time is. */
  heard(now: number): void {
    const monotonic = this.#clock.monotonic()
    this.#steady ??= new SteadyTime(now, monotonic)
    if (this.#embedded) this.#steady.follow(now, this.#clock.now(), monotonic)
    else this.#steady.read(now, monotonic)
  }

  /** What is wrong with the clock, in words. */
  get problem(): string | undefined {
    return this.#steady?.problem
  }

  /** A jump of the clock is not believed yet: timers go by the old time. */
  get doubts(): boolean {
    return this.#steady?.doubts ?? false
  }

  /** The time now, ms since 1970; 0 before the store has said anything. */
  now(): number {
    return this.#steady?.at(this.#clock.monotonic()) ?? 0
  }
}
