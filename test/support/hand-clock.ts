// Time that moves when a test says so. Nothing sleeps: what waits for time waits in a list here, and what is ready runs by
// itself between two macrotask turns.
import type { Clock } from '../../src/base/clock.ts'

/** Where time begins: a round time, so that what is due can be read. */
export const START_MS = Date.UTC(2026, 0, 1)
export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const DAY = 24 * HOUR

interface Wait {
  readonly at: number
  readonly fire: () => void
}

const macrotask = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** Turns without work after which what ran is taken to be at rest: an answer of a store takes microtasks alone. */
const QUIET_TURNS = 4
/** Turns after which something runs in a circle. */
const TURNS_MAX = 200_000

/** A clock in the hands of a test. */
export class HandClock implements Clock {
  /** How far the wall clock is ahead of the monotonic one. */
  wall = START_MS
  #monotonic = 0
  #turning = 0
  readonly #waits = new Set<Wait>()

  now(): number {
    return this.wall + this.#monotonic
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, fire: () => void): () => void {
    const wait = { at: this.#monotonic + Math.max(0, ms), fire }
    if (ms !== Infinity) this.#waits.add(wait)
    return () => this.#waits.delete(wait)
  }

  async turn(): Promise<void> {
    this.#turning += 1
    await macrotask()
    this.#turning -= 1
  }

  /** How many wait for time. */
  get waits(): number {
    return this.#waits.size
  }

  /** Until nothing is ready any more: what is left waits for time, or for the test. */
  async settle(): Promise<void> {
    for (let quiet = 0, turns = 0; quiet < QUIET_TURNS; turns++) {
      if (turns > TURNS_MAX) throw new Error('it does not come to rest: something runs in a circle')
      await macrotask()
      quiet = this.#turning === 0 ? quiet + 1 : 0
    }
  }

  /** Lets time pass, and runs all that falls due on the way, in order. */
  async advance(ms: number): Promise<void> {
    const end = this.#monotonic + ms
    for (;;) {
      await this.settle()
      let next = Infinity
      for (const { at } of this.#waits) next = Math.min(next, at)
      if (next > end) break
      this.#monotonic = Math.max(this.#monotonic, next)
      this.#fire()
    }
    this.#monotonic = end
  }

  /** Lets time pass at one stroke, as for a process that slept: what fell due meanwhile runs late, once. */
  async leap(ms: number): Promise<void> {
    await this.settle()
    this.#monotonic += ms
    this.#fire()
    await this.advance(0)
  }

  #fire(): void {
    const due = [...this.#waits].filter(({ at }) => at <= this.#monotonic)
    due.sort((a, b) => a.at - b.at)
    for (const wait of due) if (this.#waits.delete(wait)) wait.fire()
  }
}
