import { performance } from 'node:perf_hooks'

/** Settings of one wait. */
export interface AfterOptions {
  /** True: the process may end while this waits. For chores that nobody misses, such as metrics. Default false. */
  background?: boolean
  /** True: it looks whether something has come, and again for ever. A clock that is made up may leave out such looks while nothing can come. Default false. */
  poll?: boolean
}

/** Time, as the engine sees it. Everything that asks for the time or waits gets one, so that tests and simulation can bring their own. */
export interface Clock {
  /** Wall clock, ms since 1970. May jump, also backwards. */
  now(): number
  /** Never goes back, ms from an arbitrary start. For leases and timeouts within this process. */
  monotonic(): number
  /**
   * Calls `fire` once after `ms` (0 and less mean as soon as possible; of any length, `Infinity` never fires); what it returns cancels that, and may be called
   * again or too late without harm. Keeps the process alive unless `background`. An error from `fire` is the process's: catch inside.
   */
  after(ms: number, fire: () => void, options?: AfterOptions): () => void
  /** Resolves in a later macrotask turn (setImmediate), so that what has come in meanwhile gathers. */
  turn(): Promise<void>
}

/** The longest wait that a timer of Node takes; a longer one would fire at once. */
const TIMER_MS_MAX = 2 ** 31 - 1

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, fire, options) {
    if (Number.isNaN(ms)) throw new RangeError('clock.after: the number of milliseconds is NaN')
    const background = options?.background === true
    let timer: NodeJS.Timeout
    // Counted down chunk by chunk, not from a due time: a wall clock that jumps must not move a wait.
    const wait = (leftMs: number): void => {
      const chunkMs = Math.min(leftMs, TIMER_MS_MAX)
      timer = setTimeout(() => (leftMs > chunkMs ? wait(leftMs - chunkMs) : fire()), chunkMs)
      if (background) timer.unref()
    }
    wait(Math.max(0, ms))
    return () => clearTimeout(timer)
  },
  turn: () => new Promise((resolve) => setImmediate(resolve)),
}

/**
 * Resolves when every promise that can go on by itself has: all microtasks have run. Unlike a turn it lets no I/O in. For what drives others
 * step by step; it takes a tenth of a turn's time.
 */
export const settled = (): Promise<void> => new Promise((resolve) => process.nextTick(resolve))
