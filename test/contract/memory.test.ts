import { describe, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { seededRandom } from '../../src/base/random.ts'
import type { Reach } from '../../src/store/memory/reach.ts'
import { Space } from '../../src/store/memory/space.ts'
import { ModelStore, memoryStore } from '../../src/store/memory/store.ts'
import { storeSuite, type StoreFixture } from '../../src/testing/store-suite.ts'

const features = { sessions: true, sql: false, backup: false } as const
const common = { features, durable: false, describe, test }

const movable = () => {
  const clock = { at: 10_000, now: () => clock.at }
  return clock
}
const fixtureOf = (clock: { at: number }, connect: StoreFixture['connect']): StoreFixture => ({
  durable: false,
  connect,
  pass: async (ms) => void (clock.at += ms),
  end: async () => {},
})

storeSuite({
  name: 'memory',
  async make() {
    const clock = movable()
    const first = memoryStore({ clock, random: seededRandom(1) })
    return fixtureOf(clock, () => first.store())
  },
  ...common,
})

/** Each step of a call takes up to three turns. */
const slowReach = (seed: number): Reach => {
  const random = seededRandom(seed)
  const turns = async () => {
    for (let left = random.int(4); left > 0; left--) await systemClock.turn()
  }
  return {
    arrive: () => turns().then(() => 'ok' as const),
    seen: turns,
    locked: turns,
    answer: () => turns().then(() => 'ok' as const),
    written: () => {},
    isBad: () => false,
  }
}

storeSuite({
  name: 'the model in memory, with delays',
  async make() {
    const clock = movable()
    const space = new Space({ clock, random: seededRandom(1) })
    let seed = 0
    return fixtureOf(clock, () => new ModelStore(space, { reach: slowReach(++seed) }))
  },
  ...common,
})
