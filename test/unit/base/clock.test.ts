import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { systemClock } from '../../../src/base/clock.ts'

beforeEach(() => {
  vi.useFakeTimers()
})
afterEach(() => {
  vi.useRealTimers()
})

test('fires once, after the time', () => {
  const fire = vi.fn()
  systemClock.after(1_000, fire)
  vi.advanceTimersByTime(999)
  expect(fire).not.toHaveBeenCalled()
  vi.advanceTimersByTime(5_000)
  expect(fire).toHaveBeenCalledTimes(1)
})

test.each([0, -5])('%i ms fires in the next turn, not at once', (ms) => {
  const fire = vi.fn()
  systemClock.after(ms, fire)
  expect(fire).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(fire).toHaveBeenCalledTimes(1)
})

test('waits longer than a timer of Node can', () => {
  const fire = vi.fn()
  const longMs = 3 * 2 ** 31
  systemClock.after(longMs, fire)
  vi.advanceTimersByTime(longMs - 1)
  expect(fire).not.toHaveBeenCalled()
  vi.advanceTimersByTime(1)
  expect(fire).toHaveBeenCalledTimes(1)
  expect(vi.getTimerCount()).toBe(0)
})

test('is cancelled, in a later chunk too, twice, and too late', () => {
  const fire = vi.fn()
  const cancel = systemClock.after(2 ** 32, fire)
  vi.advanceTimersByTime(2 ** 31)
  cancel()
  cancel()
  expect(vi.getTimerCount()).toBe(0)
  const late = systemClock.after(1, fire)
  vi.advanceTimersByTime(1)
  late()
  expect(fire).toHaveBeenCalledTimes(1)
})

test('refuses NaN, which Node would take for 1 ms', () => {
  expect(() => systemClock.after(NaN, () => {})).toThrow('NaN')
})

test('a wait that never ends can be cancelled', () => {
  const cancel = systemClock.after(Infinity, () => expect.fail('fired'))
  vi.advanceTimersByTime(2 ** 33)
  cancel()
  expect(vi.getTimerCount()).toBe(0)
})

test('a background wait does not keep the process alive', () => {
  vi.useRealTimers()
  const active = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length
  const before = active()
  const cancels = [systemClock.after(60_000, () => {}, { background: true })]
  expect(active()).toBe(before)
  cancels.push(systemClock.after(60_000, () => {}))
  expect(active()).toBe(before + 1)
  for (const cancel of cancels) cancel()
})

test('a turn comes after everything that was waiting for this one', async () => {
  vi.useRealTimers()
  const seen: string[] = []
  const turn = systemClock.turn().then(() => seen.push('turn'))
  process.nextTick(() => seen.push('tick'))
  await Promise.resolve().then(() => seen.push('microtask'))
  await turn
  expect(seen.at(-1)).toBe('turn')
  expect(seen).toHaveLength(3)
})

test('tells the time', () => {
  vi.useRealTimers()
  expect(Math.abs(systemClock.now() - Date.now())).toBeLessThan(1_000)
  expect(systemClock.monotonic()).toBeLessThanOrEqual(systemClock.monotonic())
})
