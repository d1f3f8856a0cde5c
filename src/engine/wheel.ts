// One timer for everything that a worker waits for in memory: timeouts of attempts, retries, waits of callers. Setting and
// cancelling cost a Set operation each, which matters where every attempt has a timeout that nearly never fires.
//
// Times are of the worker's monotonic clock. An entry fires at the end of its tick, so never early, and at most one tick late.
//
// What was cancelled takes no memory until it would have fired: 200 calls a second whose timeout is an hour, answered at once, would
// leave 720,000 empty ticks. A tick goes with its last entry; its place in the heap goes when more than half of the heap is such places.
import type { Clock } from '../base/clock.ts'

/** What `set` returns, for `cancel`. */
export interface Alarm {
  readonly tick: number
  readonly fire: () => void
}

const TICK_MS = 5
/** A heap of fewer places is not swept. */
const SWEEP_MIN = 64

/** Alarms in ticks of 5 ms, unless it is made otherwise. */
export class Wheel {
  readonly #clock: Clock
  readonly #tickMs: number
  readonly #ticks = new Map<number, Set<Alarm>>()
  /** A heap of the ticks that have entries, the earliest first; and of some that have none any more. */
  #heap: number[] = []
  #armed: { readonly tick: number; readonly cancel: () => void } | undefined
  #stopped = false

  constructor(clock: Clock, tickMs: number = TICK_MS) {
    this.#clock = clock
    this.#tickMs = tickMs
  }

  /** Calls `fire` once, not before `ms` from now. */
  set(ms: number, fire: () => void): Alarm {
    const tick = Math.ceil((this.#clock.monotonic() + Math.max(0, ms)) / this.#tickMs)
    const alarm: Alarm = { tick, fire }
    const entries = this.#ticks.get(tick)
    if (entries !== undefined) entries.add(alarm)
    else {
      this.#ticks.set(tick, new Set([alarm]))
      this.#push(tick)
      this.#arm()
    }
    return alarm
  }

  /** Too late or twice is no harm. */
  cancel(alarm: Alarm | undefined): void {
    if (alarm === undefined) return
    const entries = this.#ticks.get(alarm.tick)
    if (entries?.delete(alarm) !== true || entries.size > 0) return
    this.#ticks.delete(alarm.tick)
    // A sorted list is a heap.
    if (this.#heap.length > SWEEP_MIN + 2 * this.#ticks.size)
      this.#heap = [...this.#ticks.keys()].sort((one, other) => one - other)
  }

  /** Places in memory: for tests. */
  get places(): number {
    return this.#heap.length + this.#ticks.size
  }

  /** Nothing fires any more. */
  stop(): void {
    this.#stopped = true
    this.#armed?.cancel()
    this.#ticks.clear()
    this.#heap.length = 0
  }

  #arm(): void {
    const first = this.#heap[0]
    if (first === undefined || this.#stopped || (this.#armed !== undefined && this.#armed.tick <= first)) return
    this.#armed?.cancel()
    const cancel = this.#clock.after(first * this.#tickMs - this.#clock.monotonic(), () => this.#turn())
    this.#armed = { tick: first, cancel }
  }

  #turn(): void {
    this.#armed = undefined
    const now = this.#clock.monotonic()
    for (let tick = this.#heap[0]; tick !== undefined && tick * this.#tickMs <= now; tick = this.#heap[0]) {
      this.#pop()
      const entries = this.#ticks.get(tick)
      this.#ticks.delete(tick)
      for (const alarm of entries ?? []) if (!this.#stopped) alarm.fire()
    }
    this.#arm()
  }

  #push(tick: number): void {
    const heap = this.#heap
    let at = heap.push(tick) - 1
    while (at > 0) {
      const up = (at - 1) >> 1
      if ((heap[up] ?? 0) <= tick) break
      heap[at] = heap[up] ?? tick
      at = up
    }
    heap[at] = tick
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= heap.length) break
      const least = left + 1 < heap.length && (heap[left + 1] ?? 0) < (heap[left] ?? 0) ? left + 1 : left
      if ((heap[least] ?? 0) >= last) break
      heap[at] = heap[least] ?? last
      at = least
    }
    heap[at] = last
  }
}
