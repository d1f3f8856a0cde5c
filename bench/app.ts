// An app as `pawl()` makes it, over a store that the bench has in its hand.
import { systemClock, type Clock } from '../src/base/clock.ts'
import { systemRandom, type Random } from '../src/base/random.ts'
import { EngineApp } from '../src/engine/app.ts'
import { Engine } from '../src/engine/engine.ts'
import { service, type App } from '../src/index.ts'
import { checkApp } from '../src/machine/check-app.ts'
import type { Store } from '../src/store/store.ts'
import type { Work } from './works.ts'

/** What the machine of the bench gives, unless it is told otherwise. */
export interface Outside {
  readonly clock: Clock
  readonly random: Random
}
/** The machine's own clock and chance. */
export const outside: Outside = { clock: systemClock, random: systemRandom }

/** An app that runs a work. Whatever it logs above `info` is on stderr. */
export function appOver(store: Store, machines: Work['machines'], { clock, random }: Outside = outside): App {
  const services = checkApp([service('bench', { machines })], { services: [], store: 'memory:' })
  return new EngineApp(
    new Engine({
      services,
      store,
      clock,
      random,
      log: ({ level, text, error }) => {
        if (level === 'warn' || level === 'error') console.error(level, text, error ?? '')
      },
    }),
  )
}
