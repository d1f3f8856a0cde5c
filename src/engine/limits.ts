// How many attempts of an activity may run at once, and how many may start in a stretch of time. Who has no turn waits, and
// that is no attempt: no timeout runs. Turns go by priority, then by fairness key, as in the mailbox: many calls of one tenant, or
// of little weight, must not keep others from an activity that is scarce.
import type { Clock } from '../base/clock.ts'
import type { ActivityDefinition } from '../machine/definition.ts'
import { Turns, type Standing } from './turns.ts'
import type { Wheel } from './wheel.ts'

/** Who waits for a turn. `cancelled`, which may change meanwhile: it needs none any more. */
export interface Entrant extends Standing {
  readonly cancelled: boolean
}

interface Waiting {
  readonly who: Entrant
  readonly start: Start
}

/** Starts an attempt; false: none was started, and whoever waited will ask again. */
export type Start = () => boolean

class Limit {
  readonly #concurrency: number
  readonly #rate: { readonly count: number; readonly perMs: number } | undefined
  readonly #clock: Clock
  readonly #wheel: Wheel
  #running = 0
  #started: number[] = []
  readonly #waiting = new Turns<Waiting>()
  #armed = false

  constructor(activity: ActivityDefinition, clock: Clock, wheel: Wheel) {
    this.#concurrency = activity.concurrency ?? Infinity
    this.#rate = activity.rate
    this.#clock = clock
    this.#wheel = wheel
  }

  enter(who: Entrant, start: Start): void {
    this.#waiting.add(who, { who, start })
    this.#pump()
  }

  leave(): void {
    this.#running -= 1
    this.#pump()
  }

  #pump(): void {
    while (this.#waiting.size > 0 && this.#running < this.#concurrency && this.#mayStart()) {
      const next = this.#waiting.take()
      if (next === undefined || next.who.cancelled) continue
      this.#running += 1
      if (this.#rate !== undefined) this.#started.push(this.#clock.monotonic())
      if (next.start()) continue
      this.#running -= 1
      this.#started.pop()
    }
  }

  /** Whether the rate lets one more start now; else a look is set for when it will. */
  #mayStart(): boolean {
    if (this.#rate === undefined) return true
    const now = this.#clock.monotonic()
    const { count, perMs } = this.#rate
    while (this.#started[0] !== undefined && this.#started[0] <= now - perMs) this.#started.shift()
    if (this.#started.length < count) return true
    if (!this.#armed) {
      this.#armed = true
      this.#wheel.set((this.#started[0] ?? now) + perMs - now, () => {
        this.#armed = false
        this.#pump()
      })
    }
    return false
  }
}

/** Limits of all activities of one worker. */
export class Limits {
  readonly #limits = new Map<string, Limit>()
  readonly #clock: Clock
  readonly #wheel: Wheel

  constructor(clock: Clock, wheel: Wheel) {
    this.#clock = clock
    this.#wheel = wheel
  }

  /** Calls `start` when it is its turn, at once where the activity has no limits; never where it is cancelled before. Whoever
   *  started must `leave`. */
  enter(activity: ActivityDefinition, who: Entrant, start: Start): void {
    if (activity.concurrency === undefined && activity.rate === undefined) {
      start()
      return
    }
    let limit = this.#limits.get(activity.name)
    if (limit === undefined) {
      limit = new Limit(activity, this.#clock, this.#wheel)
      this.#limits.set(activity.name, limit)
    }
    limit.enter(who, start)
  }

  leave(activity: ActivityDefinition): void {
    this.#limits.get(activity.name)?.leave()
  }
}
