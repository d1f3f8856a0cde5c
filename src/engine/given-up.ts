// Bodies of attempts that nobody waits for any more, and that have not settled yet.
//
//   given up ──settles──▶ gone
//       └──grace──▶ overdue: told in the log and the health ──settles──▶ gone
//
// G1  Other calls of the instance wait for such a body, at most one grace: an undo does not run beside its step.
// G2  Its place at a limit goes back when it settles, and after the grace at the latest: a body that never settles stops itself alone.
// G3  From then on it is told until it settles.
import { isSameCall, type AttemptOf } from './attempt-of.ts'
import type { Wheel } from './wheel.ts'

/** A body that was given up. */
export interface GivenUpBody {
  readonly of: AttemptOf
  /** Nobody needs to wait for it. */
  readonly interruptible: boolean
  /** Resolves when it has settled, however late. */
  readonly settled: Promise<void>
  /** Gives its place at a limit back, if it has one still. */
  readonly leave: () => void
}

/** What they need, and whom they tell. */
export interface GivenUpPorts {
  readonly wheel: Wheel
  readonly graceMs: number
  readonly warn: (text: string, of: AttemptOf) => void
}

interface Lingering {
  readonly of: AttemptOf
  /** Whether it has settled within the grace. */
  readonly over: Promise<boolean>
}

/** The bodies of one worker. */
export class GivenUp {
  readonly #ports: GivenUpPorts
  /** Those that others wait for, by box. */
  readonly #lingering = new Map<string, Set<Lingering>>()
  readonly #overdue = new Set<AttemptOf>()

  constructor(ports: GivenUpPorts) {
    this.#ports = ports
  }

  /** From now on nobody waits for its answer. */
  add(body: GivenUpBody): void {
    const { of, interruptible, settled } = body
    const over = new Promise<boolean>((resolve) => {
      const alarm = this.#ports.wheel.set(this.#ports.graceMs, () => {
        this.#overdueNow(body)
        resolve(false)
      })
      void settled.then(() => {
        this.#ports.wheel.cancel(alarm)
        this.#overdue.delete(of)
        resolve(true)
      })
    })
    if (!interruptible) this.#linger(of, over)
  }

  #linger(of: AttemptOf, over: Promise<boolean>): void {
    const lingering = this.#lingering.get(of.box) ?? new Set()
    const one = { of, over }
    lingering.add(one)
    this.#lingering.set(of.box, lingering)
    void over.then(() => {
      lingering.delete(one)
      if (lingering.size === 0 && this.#lingering.get(of.box) === lingering) this.#lingering.delete(of.box)
    })
  }

  #overdueNow({ of, leave }: GivenUpBody): void {
    this.#overdue.add(of)
    const since = `${this.#ports.graceMs} ms after it was given up`
    this.#ports.warn(
      `attempt ${of.attempt} of activity "${of.activity}" has not settled ${since}: nothing waits for it any more, and a place that it had at a limit is free again; let its body end when its signal is aborted`,
      of,
    )
    leave()
  }

  /**
   * Undefined: a call of this instance may start now. Else resolves when it may: its other attempts that were given up have settled, or
   * had their grace. A retry need not wait for an attempt of its own call: both have one key.
   */
  wait(mine: AttemptOf): Promise<void> | undefined {
    const lingering = this.#lingering.get(mine.box)
    if (lingering === undefined) return undefined
    const others = [...lingering].filter(({ of }) => !isSameCall(of, mine))
    if (others.length === 0) return undefined
    return Promise.all(others.map(({ over }) => over)).then((settled) => {
      for (const [n, { of }] of others.entries())
        if (settled[n] === false)
          this.#ports.warn(
            `"${mine.activity}" goes on although attempt ${of.attempt} of "${of.activity}" may still be running`,
            of,
          )
    })
  }

  /** In words, for the health: which activities have bodies that do not settle. */
  get problems(): readonly string[] {
    const counts = new Map<string, number>()
    for (const { activity } of this.#overdue) counts.set(activity, (counts.get(activity) ?? 0) + 1)
    return [...counts].map(
      ([activity, count]) =>
        `activity "${activity}": ${count} attempt${count === 1 ? '' : 's'} given up and still not settled, beside those that its limits count`,
    )
  }
}
