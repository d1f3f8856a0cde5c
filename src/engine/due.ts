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
  /** The table is looked at that often at least. Default 10,000: for other workers' clocks, and rows that this one did not write. */
  readonly lookMs?: number | undefined
}

const PAGE = 500
const LOOK_MS = 10_000

/** An instance that was woken in vain, of a newer build or of a machine that is not here, is woken again after that long. */
const IN_VAIN_MS = 60_000

/** The due instances of one worker. */
export class Due {
  readonly #ports: DuePorts
  readonly #lookMs: number
  /** Woken, and not looked at since: boxes, with when they were due. */
  readonly #woken = new Map<string, number>()
  /** Woken in vain: they are due still. */
  readonly #inVain = new Map<string, { readonly dueAt: number; readonly until: number }>()
  #alarm: Alarm | undefined
  #alarmAt = Infinity
  #scanning = false
  #stopped = false

  constructor(ports: DuePorts) {
    this.#ports = ports
    this.#lookMs = ports.lookMs ?? LOOK_MS
  }

  /** Something falls due then (ms since 1970). */
  note(dueAt: number | null): void {
    if (dueAt === null || dueAt >= this.#alarmAt || this.#stopped) return
    this.#arm(dueAt)
  }

  /** A woken instance was looked at. `dueAt`: when it is due now; undefined: nobody here can tell. */
  seen(box: string, dueAt: number | null | undefined): void {
    const was = this.#woken.get(box)
    this.#woken.delete(box)
    if (was === undefined || (dueAt !== undefined && dueAt !== was)) this.#inVain.delete(box)
    else this.#inVain.set(box, { dueAt: was, until: this.#ports.storeNow() + IN_VAIN_MS })
  }

  /** It was given up before it was looked at. */
  lost(box: string): void {
    this.#woken.delete(box)
  }

  /** What was woken may belong to somebody else now. */
  forget(): void {
    this.#woken.clear()
    this.#inVain.clear()
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
    this.#alarm = wheel.set(Math.min(this.#lookMs, Math.max(0, at - storeNow())), () => void this.#scan())
  }

  async #scan(): Promise<void> {
    if (this.#scanning || this.#stopped) return
    this.#scanning = true
    this.#alarmAt = Infinity
    let next = this.#ports.storeNow() + this.#lookMs
    try {
      await this.#ports.hear()
      const more = await this.#wakeDue()
      const expired = await this.#ports.expire(PAGE)
      if (more || expired === PAGE) next = this.#ports.storeNow()
      else next = Math.min(next, Math.max(await this.#nextDue(), this.#ports.storeNow() + 1))
    } catch (error) {
      this.#ports.onError(error)
      next = this.#ports.storeNow() + 1_000
    }
    this.#scanning = false
    if (!this.#stopped) this.#arm(Math.min(next, this.#alarmAt))
  }

  /** When something falls due that was not woken; Infinity: nothing that is known. */
  async #nextDue(): Promise<number> {
    const { store, ownership, storeNow } = this.#ports
    const next = await store.nextDue(ownership.ready)
    if (next === null || next > storeNow()) return next ?? Infinity
    // Those are at the head of the index: what comes behind them is asked for by itself.
    const limit = this.#woken.size + this.#inVain.size + 1
    const rows = await store.due(ownership.ready, storeNow() + this.#lookMs, limit)
    return rows.find((row) => !this.#isKnown(boxOf(row), row.dueAt))?.dueAt ?? Infinity
  }

  /** It is in the boxes, or was woken in vain a short while ago. */
  #isKnown(box: string, dueAt: number): boolean {
    if (this.#woken.has(box)) return true
    const inVain = this.#inVain.get(box)
    if (inVain === undefined) return false
    if (inVain.dueAt === dueAt && inVain.until > this.#ports.storeNow()) return true
    this.#inVain.delete(box)
    return false
  }

  /** True: there may be more than one page. */
  async #wakeDue(): Promise<boolean> {
    const { store, ownership, storeNow, wake } = this.#ports
    const now = storeNow()
    const due = await store.due(ownership.ready, now, PAGE + this.#woken.size + this.#inVain.size)
    let woken = 0
    for (const { machine, id, dueAt } of due) {
      const box = boxOf({ machine, id })
      if (this.#isKnown(box, dueAt)) continue
      this.#woken.set(box, dueAt)
      woken += 1
      wake({ machine, id }, { kind: 'timer', id: `due-${dueAt}`, at: dueAt, correlation: '', stamp: 0 })
    }
    return woken >= PAGE
  }
}
