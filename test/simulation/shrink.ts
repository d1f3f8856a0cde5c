// Makes a failing run small: takes away wishes, faults, deeds, workers and chance, as long as the same promise is still broken.
//
// By delta debugging over the plan: halves first, then quarters, and so on down to single parts; again from the start until nothing
// more can be taken away, or the time is over. What is left need not be the smallest run of all, and reads like a story.
import type { Clock } from '../../src/base/clock.ts'
import type { Plan } from '../../src/testing/simulation/plan.ts'
import { runPlan } from '../../src/testing/simulation/run.ts'
import type { Setting } from '../../src/testing/simulation/setting.ts'
import type { Violation } from '../../src/testing/simulation/violation.ts'

/** How to shrink. */
export interface ShrinkOptions {
  /** What is broken: a smaller run must break the same promise in the same words, whoever and whatever numbers it names. */
  readonly violation: Violation
  readonly clock: Clock
  /** Default 60,000. */
  readonly withinMs?: number
  /** Told of each smaller plan. */
  readonly onSmaller?: (plan: Plan) => void
}

/** A step that makes a plan simpler; undefined: it is so already. */
type Simpler = (plan: Plan) => Plan | undefined

/** Parts of a plan that are taken away one by one, those first that take the most with them. */
const LISTS = ['wishes', 'acts', 'looks', 'faults', 'courses'] as const

/** A smaller plan that breaks the same promise. Answers the plan itself where it breaks none. */
export async function shrink(plan: Plan, o: ShrinkOptions): Promise<Plan> {
  return await new Shrinking(plan, o).run()
}

class Shrinking {
  readonly #o: ShrinkOptions
  readonly #endMs: number
  #best: Plan

  constructor(plan: Plan, o: ShrinkOptions) {
    this.#o = o
    this.#best = plan
    this.#endMs = o.clock.monotonic() + (o.withinMs ?? 60_000)
  }

  async run(): Promise<Plan> {
    // What was drawn as the run went becomes part of the plan: then each of it can be taken away for itself.
    const { plan } = await runPlan(this.#best)
    await this.#try(plan)
    for (let before: Plan | undefined; before !== this.#best && !this.#late;) {
      before = this.#best
      await this.#drawLess()
      for (const list of LISTS) await this.#fewer(list)
      for (const simpler of SIMPLER) await this.#try(simpler(this.#best))
    }
    return this.#best
  }

  get #late(): boolean {
    return this.#o.clock.monotonic() > this.#endMs
  }

  /** Whether a candidate still breaks the same promise: then it is the best one. */
  async #try(candidate: Plan | undefined): Promise<boolean> {
    if (candidate === undefined || this.#late) return false
    const { violations } = await runPlan(candidate, { stepsMax: STEPS_MAX })
    if (!violations.some((one) => isLike(one, this.#o.violation))) return false
    this.#best = candidate
    this.#o.onSmaller?.(candidate)
    return true
  }

  /** Takes parts of a list away. */
  async #fewer(list: (typeof LISTS)[number]): Promise<void> {
    const size = (): number => this.#best[list]?.length ?? 0
    for (let chunk = size(); chunk >= 1 && !this.#late; chunk = Math.floor(chunk / 2))
      for (let at = 0; at < size() && !this.#late;) {
        const items: readonly unknown[] = this.#best[list] ?? []
        const candidate = { ...this.#best, [list]: items.filter((_, i) => i < at || i >= at + chunk) }
        if (!(await this.#try(candidate))) at += chunk
      }
  }

  /** Narrows the steps in which what moves next is drawn: in all others it is what was ready first. */
  async #drawLess(): Promise<void> {
    if (await this.#try(drawnIn(this.#best, 0, 0))) return
    const [from, to] = this.#best.drawn ?? [0, STEPS_MAX]
    for (let low = from, high = to; high - low > 8 && !this.#late;) {
      const middle = Math.floor((low + high) / 2)
      if (await this.#try(drawnIn(this.#best, from, middle))) high = middle
      else low = middle
    }
    const end = this.#best.drawn?.[1] ?? to
    for (let low = from, high = end; high - low > 8 && !this.#late;) {
      const middle = Math.floor((low + high) / 2)
      if (await this.#try(drawnIn(this.#best, middle, end))) low = middle
      else high = middle
    }
  }
}

/** A message that nobody ever hears breaks liveness too, in other words than a worker that never comes back. */
const isLike = (one: Violation, other: Violation): boolean =>
  one.invariant === other.invariant && wordsOf(one) === wordsOf(other)
const wordsOf = ({ text }: Violation): string =>
  text
    .split(/[:{(]/, 1)
    .join('')
    .split(' ')
    .filter((word) => !/\d/.test(word))
    .join(' ')

/** A run that takes longer than this has hung for a reason of its own. */
const STEPS_MAX = 60_000

function drawnIn(plan: Plan, from: number, to: number): Plan | undefined {
  const [was, end] = plan.drawn ?? [0, Infinity]
  return was >= from && end <= to ? undefined : { ...plan, drawn: [from, to] }
}

const withSetting =
  (change: (setting: Setting) => Setting): Simpler =>
  (plan) => {
    const setting = change(plan.setting)
    return JSON.stringify(setting) === JSON.stringify(plan.setting) ? undefined : { ...plan, setting }
  }

const SIMPLER: readonly Simpler[] = [
  (plan) => (plan.services.length > 1 ? { ...plan, services: plan.services.slice(0, 1) } : undefined),
  (plan) => (plan.services.length > 1 ? { ...plan, services: plan.services.slice(1) } : undefined),
  withSetting((setting) => ({ ...setting, workers: Math.max(1, setting.workers - 1) })),
  withSetting((setting) => ({ ...setting, partitions: Math.min(setting.partitions, 2) })),
  withSetting((setting) => ({ ...setting, size: { ...setting.size, deploys: false } })),
  withSetting((setting) => ({ ...setting, tuning: { ...setting.tuning, batchItems: 1_000 } })),
  withSetting((setting) => ({ ...setting, tuning: { ...setting.tuning, cacheBytes: 64 * 1024 * 1024 } })),
  withSetting((setting) => ({ ...setting, tuning: { ...setting.tuning, allRemote: false } })),
  withSetting((setting) => ({ ...setting, retention: { receiptsMs: setting.retention.receiptsMs } })),
  withSetting((setting) => ({ ...setting, rates: { ...setting.rates, courses: {} } })),
  withSetting(({ rates, ...setting }) => ({
    ...setting,
    rates: { ...rates, network: { lost: 0, unanswered: 0, late: 0, slow: 0, slowMs: 0 } },
  })),
  withSetting((setting) => ({ ...setting, afterMs: 0 })),
]
