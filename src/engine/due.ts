// Wakes what falls due: timers, deadlines, retries beyond the lease, messages that were kept too long. The store's index of
// `dueAt` is the truth; in memory there is one alarm for the earliest, so waiting instances cost nothing here.
import type { Clock } from '../base/clock.ts'
import type { Input } from '../core/model.ts'
import type { Store, Target } from '../store/store.ts'
import type { Ownership } from './ownership.ts'
import { boxOf } from './route.ts'
import type { Alarm, Wheel } from './wheel.ts'

/** What it works with. `wake` posts a timer input; `again` looks once more at a message that waits for no instance of ours. */
export interface DuePorts {
  readonly store: Store
  readonly clock: Clock
  readonly wheel: Wheel
  readonly ownership: Ownership
  readonly storeNow: () => number
  /** Asks the store for its time, where nothing else does while this worker is quiet: a machine that slept wakes up late. */
  readonly hear: () => Promise<void>
  readonly wake: (target: Target, input: Input) => void
  readonly expire: (limit: number) => Promise<number>
  readonly onError: (error: unknown) => void
}

const PAGE = 500
/** Other workers' clocks, or rows that this one did not write: looked at that often at least. */
const LOOK_MS = 10_000

/** The due instances of one worker. */
export class Due {
  readonly #ports: DuePorts
  /** Woken, and not looked at since. */
  readonly #woken = new Set<string>()
  #alarm: Alarm | undefined
  #alarmAt = Infinity
  #scanning = false
  #stopped = false

  constructor(ports: DuePorts) {
    this.#ports = ports
  }

  /** Something falls due then (ms since 1970). */
  note(dueAt: number | null): void {
    if (dueAt === null || dueAt >= this.#alarmAt || this.#stopped) return
    this.#arm(dueAt)
  }

  /** A woken instance was looked at. */
  seen(box: string): void {
    this.#woken.delete(box)
  }

  /** What was woken may belong to somebody else now. */
  forget(): void {
    this.#woken.clear()
    this.look()
  }

  /** Looks now: after a start, a take-over, or a change of the clock. */
  look(): void {
    if (!this.#stopped) this.#arm(this.#ports.storeNow())
  }

  stop(): void {
    this.#stopped = true
    this.#ports.wheel.cancel(this.#alarm)
  }

  #arm(at: number): void {
    const { wheel, storeNow } = this.#ports
    wheel.cancel(this.#alarm)
    this.#alarmAt = at
    this.#alarm = wheel.set(Math.min(LOOK_MS, Math.max(0, at - storeNow())), () => void this.#scan())
  }

  async #scan(): Promise<void> {
    if (this.#scanning || this.#stopped) return
    this.#scanning = true
    this.#alarmAt = Infinity
    let next = this.#ports.storeNow() + LOOK_MS
    try {
      await this.#ports.hear()
      const more = await this.#wakeDue()
      const expired = await this.#ports.expire(PAGE)
      const known = await this.#ports.store.nextDue(this.#ports.ownership.ready)
      if (more || expired === PAGE) next = this.#ports.storeNow() + 1
      else if (known !== null) next = Math.min(next, Math.max(known, this.#ports.storeNow() + 1))
    } catch (error) {
      this.#ports.onError(error)
      next = this.#ports.storeNow() + 1_000
    }
    this.#scanning = false
    if (!this.#stopped) this.#arm(Math.min(next, this.#alarmAt))
  }

  /** True: there may be more than one page. */
  async #wakeDue(): Promise<boolean> {
    const { store, ownership, storeNow, wake } = this.#ports
    const now = storeNow()
    const due = await store.due(ownership.ready, now, PAGE + this.#woken.size)
    let woken = 0
    for (const { machine, id, dueAt } of due) {
      const box = boxOf({ machine, id })
      if (this.#woken.has(box)) continue
      this.#woken.add(box)
      woken += 1
      wake({ machine, id }, { kind: 'timer', id: `due-${dueAt}`, at: dueAt, correlation: '', stamp: 0 })
    }
    return woken >= PAGE
  }
}
