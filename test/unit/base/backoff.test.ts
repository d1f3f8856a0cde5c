import { expect, test } from 'vitest'
import fc from 'fast-check'
import { type Backoff, backoffMs } from '../../../src/base/backoff.ts'
import { type Random, seededRandom } from '../../../src/base/random.ts'

const usual: Backoff = { firstMs: 200, factor: 2, maxMs: 30_000 }
const fixed = (next: number): Random => ({ next: () => next, bytes: () => new Uint8Array() })
const almostOne = 1 - 2 ** -32

test.each([
  [1, 20, 200],
  [2, 40, 400],
  [3, 80, 800],
  [8, 200, 25_600],
  [9, 200, 30_000],
  [1_000_000_000, 200, 30_000],
])('retry %i waits between %i and %i ms', (attempt, floorMs, ceilingMs) => {
  expect(backoffMs(usual, attempt, fixed(0))).toBeCloseTo(floorMs, 5)
  expect(backoffMs(usual, attempt, fixed(almostOne))).toBeCloseTo(ceilingMs, 1)
})

test('never 0, never beyond the cap, never NaN', () => {
  const number = fc.double({ min: 0, max: 1e12, noNaN: true })
  const backoff = fc.record({ firstMs: number, factor: fc.double({ min: 0, max: 1e6, noNaN: true }), maxMs: number })
  fc.assert(
    fc.property(backoff, fc.integer({ min: 1, max: 1e9 }), fc.integer(), (b, attempt, seed) => {
      const ms = backoffMs(b, attempt, seededRandom(seed))
      return ms >= 1 && ms <= Math.max(1, b.maxMs)
    }),
  )
})
