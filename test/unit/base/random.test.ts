import { expect, test } from 'vitest'
import fc from 'fast-check'
import { seededRandom, systemRandom } from '../../../src/base/random.ts'

const draw = (seed: number, n: number): number[] => {
  const random = seededRandom(seed)
  return Array.from({ length: n }, () => random.next())
}

// A seed in a bug report must give the same run for ever.
test('golden draws', () => {
  expect(draw(1, 4).map((x) => x * 2 ** 32)).toEqual([1130556604, 2591592147, 3014952990, 960850752])
  expect(draw(2 ** 40 + 7, 2).map((x) => x * 2 ** 32)).toEqual([285306256, 1500662112])
})

test('neighbouring seeds have nothing in common', () => {
  const first = new Set(Array.from({ length: 1_000 }, (_, seed) => draw(seed, 1)[0]))
  expect(first.size).toBe(1_000)
  const mean = Array.from({ length: 10_000 }, (_, seed) => draw(seed, 1)[0]!).reduce((a, b) => a + b) / 10_000
  expect(mean).toBeCloseTo(0.5, 1)
})

test('int and pick stay within and reach all', () => {
  const random = seededRandom(3)
  const seen = new Set(Array.from({ length: 200 }, () => random.int(6)))
  expect(seen).toEqual(new Set([0, 1, 2, 3, 4, 5]))
  expect(new Set(Array.from({ length: 100 }, () => random.pick(['a', 'b'])))).toEqual(new Set(['a', 'b']))
  expect(() => random.pick([])).toThrow('empty')
  fc.assert(
    fc.property(fc.integer(), fc.integer({ min: 1, max: 2 ** 32 }), (seed, below) => {
      const n = seededRandom(seed).int(below)
      return Number.isInteger(n) && n >= 0 && n < below
    }),
  )
})

test('chance 0 never, chance 1 always, chance 0.3 about that often', () => {
  const random = seededRandom(4)
  const count = (p: number): number => Array.from({ length: 10_000 }, () => random.chance(p)).filter(Boolean).length
  expect(count(0)).toBe(0)
  expect(count(1)).toBe(10_000)
  expect(Math.abs(count(0.3) - 3_000)).toBeLessThan(200)
})

test('draws from a fork do not shift the stream it came from', () => {
  const [a, b] = [seededRandom(5), seededRandom(5)]
  const [forkA, forkB] = [a.fork(), b.fork()]
  for (let i = 0; i < 100; i++) forkA.next()
  expect(a.next()).toBe(b.next())
  expect(forkB.next()).not.toBe(b.next())
  expect(a.fork().next()).not.toBe(a.fork().next())
})

test('seeded bytes repeat and spread', () => {
  expect(seededRandom(6).bytes(32)).toEqual(seededRandom(6).bytes(32))
  expect(new Set(seededRandom(6).bytes(4_096)).size).toBe(256)
})

test('system bytes are fresh, of the length asked, and stay as they were handed out', () => {
  const bytes = systemRandom.bytes(16)
  const copy = [...bytes]
  const all = new Set(Array.from({ length: 5_000 }, () => systemRandom.bytes(16).join()))
  expect(all.size).toBe(5_000)
  expect([...bytes]).toEqual(copy)
  expect(systemRandom.bytes(40_000)).toHaveLength(40_000)
  expect(systemRandom.bytes(0)).toHaveLength(0)
  expect(systemRandom.next()).toBeLessThan(1)
})
