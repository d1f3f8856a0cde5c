import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import { Wheel, type Alarm } from '../../../src/engine/wheel.ts'
import { HandClock, HOUR, SECOND } from '../../support/hand-clock.ts'

describe('the wheel', () => {
  test('fires each alarm once, never early, at most a tick late, and none that was cancelled', async () => {
    const clock = new HandClock()
    const wheel = new Wheel(clock)
    const random = seededRandom(7)
    const fired = new Map<number, number>()
    const alarms: { readonly at: number; readonly alarm: Alarm }[] = []
    const cancelled = new Set<number>()
    for (let n = 0; n < 2_000; n++) {
      const ms = Math.floor(random.next() * 3_000)
      const at = clock.monotonic() + ms
      alarms.push({
        at,
        alarm: wheel.set(ms, () => {
          fired.set(n, (fired.get(n) ?? 0) + 1)
          expect(clock.monotonic() - at).toBeGreaterThanOrEqual(0)
          expect(clock.monotonic() - at).toBeLessThanOrEqual(5)
        }),
      })
      if (random.next() < 0.8) {
        const other = Math.floor(random.next() * alarms.length)
        if (!fired.has(other)) cancelled.add(other)
        wheel.cancel(alarms[other]?.alarm)
      }
      if (n % 100 === 0) await clock.advance(50)
    }
    await clock.advance(4 * SECOND)
    expect([...fired.values()].every((times) => times === 1)).toBe(true)
    expect([...fired.keys()].filter((n) => cancelled.has(n))).toEqual([])
    expect(fired.size + cancelled.size).toBe(2_000)
  })
  test('what was cancelled takes no memory until it would have fired', async () => {
    const clock = new HandClock()
    const wheel = new Wheel(clock)
    const running: Alarm[] = []
    let most = 0
    for (let n = 0; n < 5_000; n++) {
      running.push(wheel.set(HOUR, () => expect.unreachable()))
      if (running.length > 10) wheel.cancel(running.shift())
      most = Math.max(most, wheel.places)
      if (n % 10 === 0) await clock.leap(10)
    }
    expect(most).toBeLessThan(200)
    wheel.stop()
  })
})
