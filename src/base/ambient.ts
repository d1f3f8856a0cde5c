// What code may ask of the process without being given it: the time, chance, timers. Tests of definitions watch for that.
import { AsyncLocalStorage } from 'node:async_hooks'

type SetTimer = (fire: (...args: unknown[]) => void, ms?: number, ...args: unknown[]) => object

let asked: string | undefined
const systemRandom = Math.random
const watchedDate = new Proxy(Date, {
  construct(target, args, as) {
    if (args.length === 0) asked ??= 'the clock (new Date())'
    return Reflect.construct(target, args, as) as object
  },
  apply(target) {
    asked ??= 'the clock (Date())'
    return target()
  },
  get(target, name, receiver) {
    if (name === 'now') asked ??= 'the clock (Date.now())'
    return Reflect.get(target, name, receiver) as unknown
  },
})
const watchedRandom = (): number => {
  asked ??= 'chance (Math.random())'
  return systemRandom()
}

/** Runs synchronous work, and tells of what it asked: the clock or chance; undefined: of neither. What it throws is thrown. */
export function ambientAsked(work: () => void): string | undefined {
  const before = { date: globalThis.Date, random: Math.random, asked }
  globalThis.Date = watchedDate
  Math.random = watchedRandom
  asked = undefined
  try {
    work()
    return asked
  } finally {
    globalThis.Date = before.date
    Math.random = before.random
    asked = before.asked
  }
}

interface Owner {
  readonly open: Map<object, string>
  readonly name: string
}
const owners = new AsyncLocalStorage<Owner>()

/** A timer of Node that says who has set it, as long as it is pending. */
const watched =
  (kind: 'setTimeout' | 'setInterval', set: SetTimer): SetTimer =>
  (fire, ms, ...args) => {
    const owner = owners.getStore()
    if (owner === undefined) return set(fire, ms, ...args)
    const fired = (): void => {
      if (kind === 'setTimeout') owner.open.delete(timer)
      fire(...args)
    }
    const timer = set(fired, ms)
    owner.open.set(timer, `a ${kind} of ${ms ?? 0} ms that ${owner.name} has set`)
    cleared.set(timer, owner.open)
    return timer
  }

/** Where the timers that may be cleared are noted. */
const cleared = new WeakMap<object, Map<object, string>>()
const watchedClear =
  (clear: (timer: unknown) => void) =>
  (timer: unknown): void => {
    if (typeof timer === 'object' && timer !== null) cleared.get(timer)?.delete(timer)
    clear(timer)
  }

let installed = false
function install(): void {
  if (installed) return
  installed = true
  const here = globalThis as unknown as Record<string, (...args: never[]) => unknown>
  const replace = (name: string, by: object): void => {
    // What `promisify` looks for stays.
    here[name] = Object.defineProperties(by, Object.getOwnPropertyDescriptors(here[name]!)) as never
  }
  replace('setTimeout', watched('setTimeout', here['setTimeout'] as never))
  replace('setInterval', watched('setInterval', here['setInterval'] as never))
  for (const name of ['clearTimeout', 'clearInterval']) replace(name, watchedClear(here[name] as never))
}

/** Watches the timers of Node that some code sets, and all that follows from it. */
export class TimerWatch {
  readonly #open = new Map<object, string>()

  constructor() {
    install()
  }

  /** Runs work whose timers are noted under that name. */
  run<T>(name: string, work: () => T): T {
    return owners.run({ open: this.#open, name }, work)
  }

  /** Those that are pending, in words. */
  get open(): readonly string[] {
    return [...this.#open.values()]
  }
}
