// The store's time, between two answers of the store: what it said last, plus what the monotonic clock has measured since
// that was received. A lower bound, so no timer fires early by it.
//
// A jump of more than an hour against the monotonic clock is not believed until it has persisted for a minute: an NTP
// accident must not fire a year of timers.
import type { Clock } from '../base/clock.ts'

const JUMP_MS = 3_600_000
const BELIEVED_AFTER_MS = 60_000

/** The store's time. */
export class StoreTime {
  readonly #clock: Clock
  #said = 0
  #heardAt = 0
  #known = false
  #jump: { readonly since: number } | undefined

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What the store said its time is. */
  heard(now: number): void {
    const { monotonic } = { monotonic: this.#clock.monotonic() }
    const expected = this.#said + (monotonic - this.#heardAt)
    if (this.#known && Math.abs(now - expected) > JUMP_MS) {
      this.#jump ??= { since: monotonic }
      if (monotonic - this.#jump.since < BELIEVED_AFTER_MS) return
    }
    this.#jump = undefined
    this.#known = true
    this.#said = now
    this.#heardAt = monotonic
  }

  /** A jump that is not believed yet, in words. */
  get problem(): string | undefined {
    return this.#jump === undefined
      ? undefined
      : 'the clock jumped by more than an hour; timers go on by the old time until it has persisted for a minute'
  }

  /** The time now, ms since 1970. */
  now(): number {
    return Math.floor(this.#said + (this.#clock.monotonic() - this.#heardAt))
  }
}
