// An app as `pawl()` makes it, over a store that the bench has in its hand: with retention on, and a listener that counts as metrics do.
import { systemClock, type Clock } from '../src/base/clock.ts'
import { systemRandom, type Random } from '../src/base/random.ts'
import { EngineApp } from '../src/engine/app.ts'
import { Engine } from '../src/engine/engine.ts'
import { service, type App, type Lifecycle } from '../src/index.ts'
import { checkApp } from '../src/machine/check-app.ts'
import type { Store } from '../src/store/store.ts'
import type { Work } from './works.ts'

const DAY_MS = 86_400_000
/** Retention looks, and finds nothing old enough. */
export const KEPT_MS = 3_650 * DAY_MS

/** What the bench gives an engine, unless it is told otherwise. */
export interface Outside {
  readonly clock: Clock
  readonly random: Random
  /** Ended instances are kept that long. */
  readonly endedMs: number
}
/** The machine's own clock and chance. */
export const outside: Outside = { clock: systemClock, random: systemRandom, endedMs: KEPT_MS }

/** An app that runs a work. Whatever it logs above `info` is on stderr. */
export function appOver(store: Store, machines: Work['machines'], given: Partial<Outside> = {}): App {
  const { clock, random, endedMs } = { ...outside, ...given }
  const services = checkApp([service('bench', { machines })], { services: [], store: 'memory:' })
  const app = new EngineApp(
    new Engine({
      services,
      store,
      clock,
      random,
      retention: { endedMs, receiptsMs: 7 * DAY_MS, deadMs: 30 * DAY_MS },
      log: ({ level, text, error }) => {
        if (level === 'warn' || level === 'error') console.error(level, text, error ?? '')
      },
    }),
  )
  const told = new Map<Lifecycle['kind'], number>()
  app.on(({ kind }) => void told.set(kind, (told.get(kind) ?? 0) + 1))
  return app
}

/** Does it while an app runs on the store, and stops the app. */
export async function withApp<T>(app: App, work: (app: App) => Promise<T>): Promise<T> {
  await app.start()
  try {
    return await work(app)
  } finally {
    await app.stop()
  }
}
