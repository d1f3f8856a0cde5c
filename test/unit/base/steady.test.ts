import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import { SteadyTime } from '../../../src/base/steady.ts'

const SECOND = 1_000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE
const START = Date.UTC(2026, 0, 1)

/** Steady time, with both clocks in the hands of a test. */
function scene() {
  const clocks = { wall: START, monotonic: 5_000.25 }
  const steady = new SteadyTime(clocks.wall, clocks.monotonic)
  const pass = (ms: number, everyMs = 10 * SECOND): number => {
    let read = steady.at(clocks.monotonic)
    for (let left = ms; left > 0; left -= everyMs) {
      const step = Math.min(left, everyMs)
      clocks.wall += step
      clocks.monotonic += step
      read = steady.read(clocks.wall, clocks.monotonic)
    }
    return read
  }
  return { clocks, steady, pass }
}

describe('steady time', () => {
  test('follows a clock that is right', () => {
    const { steady, pass, clocks } = scene()
    expect(pass(HOUR)).toBe(START + HOUR)
    expect(steady.at(clocks.monotonic + 7)).toBe(START + HOUR + 7)
    expect(steady.problem).toBe(undefined)
  })

  test('a small jump ahead is taken at once', () => {
    const { clocks, pass, steady } = scene()
    clocks.wall += HOUR - SECOND
    expect(pass(1)).toBe(clocks.wall)
    expect(steady.problem).toBe(undefined)
  })

  test('a jump of more than an hour is taken when it has stood for a minute', () => {
    const { clocks, pass, steady } = scene()
    clocks.wall += HOUR + SECOND
    expect(pass(50 * SECOND)).toBe(START + 50 * SECOND)
    expect(steady.doubts).toBe(true)
    expect(steady.problem).toContain('jumped')
    expect(pass(20 * SECOND)).toBe(clocks.wall)
    expect(steady.doubts).toBe(false)
  })

  test('one that goes away leaves no trace, and a later one has a minute of its own', () => {
    const { clocks, pass, steady } = scene()
    for (let n = 0; n < 3; n++) {
      clocks.wall += 24 * HOUR
      pass(45 * SECOND)
      clocks.wall -= 24 * HOUR
      expect(pass(15 * SECOND)).toBe(START + (n + 1) * MINUTE)
      expect(steady.problem).toBe(undefined)
    }
  })

  test('a jump on top of one begins its minute anew', () => {
    const { clocks, pass } = scene()
    clocks.wall += 24 * HOUR
    pass(50 * SECOND)
    clocks.wall += 300 * 24 * HOUR
    expect(pass(50 * SECOND)).toBe(START + 100 * SECOND)
    expect(pass(20 * SECOND)).toBe(clocks.wall)
  })

  test('behind: nine tenths of the pace until they meet', () => {
    const { clocks, pass, steady } = scene()
    clocks.wall -= 30 * MINUTE
    pass(10 * SECOND)
    expect(steady.problem).toContain('30 minutes behind')
    expect(pass(100 * SECOND)).toBe(START + 10 * SECOND + 90 * SECOND)
    pass(5 * HOUR)
    expect(steady.problem).toBe(undefined)
    expect(pass(SECOND)).toBe(clocks.wall)
  })

  test('what follows steady time goes exactly as that does', () => {
    const { clocks, steady } = scene()
    const follower = new SteadyTime(START, clocks.monotonic)
    clocks.wall -= 30 * MINUTE
    follower.follow(steady.read(clocks.wall, clocks.monotonic), clocks.wall, clocks.monotonic)
    for (const ms of [1, 500, 30_000, 3_600_000])
      expect(follower.at(clocks.monotonic + ms)).toBe(steady.at(clocks.monotonic + ms))
    expect(follower.problem).toBe(steady.problem)
    clocks.wall += 24 * HOUR
    follower.follow(steady.read(clocks.wall, clocks.monotonic), clocks.wall, clocks.monotonic)
    expect([follower.doubts, follower.problem]).toEqual([true, steady.problem])
  })

  test.each([1, 2, 3, 4, 5])(
    'whatever the clock does, it never goes back, and never stands still (seed %i)',
    (seed) => {
      const random = seededRandom(seed)
      const { clocks, steady } = scene()
      let last = START
      for (let n = 0; n < 5_000; n++) {
        const ms = random.pick([0, 0.3, 1, 17.5, 900, 10_000])
        clocks.monotonic += ms
        clocks.wall += Math.round(ms)
        if (random.chance(0.02))
          clocks.wall += (random.next() - 0.5) * random.pick([10, 10_000, 4 * HOUR, 9_000 * HOUR])
        const now = random.chance(0.5) ? steady.read(clocks.wall, clocks.monotonic) : steady.at(clocks.monotonic)
        expect(now).toBeGreaterThanOrEqual(last + Math.floor(0.9 * ms) - 1)
        expect(now).toBeGreaterThanOrEqual(last)
        last = now
      }
    },
  )
})
