import { expect, test } from 'vitest'
import fc from 'fast-check'
import { type Duration, durationMs, isDuration } from '../../../src/base/duration.ts'

test.each<[Duration, number]>([
  ['1 ms', 1],
  ['0.5 ms', 0.5],
  ['1 second', 1_000],
  ['90 seconds', 90_000],
  ['15 minutes', 900_000],
  ['1.5 hours', 5_400_000],
  ['1 day', 86_400_000],
  ['36525 days', 36_525 * 86_400_000],
])('%s is %i ms', (text, ms) => {
  expect(durationMs(text)).toBe(ms)
  expect(durationMs(text)).toBe(ms)
  expect(isDuration(text)).toBe(true)
})

const bad = [
  '', '15', '15minutes', '15  minutes', ' 15 minutes', '15 minutes ', '-1 second', '+1 second', '0 ms', '0.0 hours',
  '1e3 ms', '.5 hours', '5. hours', 'Infinity days', 'NaN ms', '1 week', '1 Second', '1 mss', '15 minutes\n', '١ day',
  '36526 days', `${'9'.repeat(400)} days`, 15, null, undefined, {}, ['1 day'],
] // prettier-ignore

test.each(bad)('%o is none', (text) => {
  expect(isDuration(text)).toBe(false)
  expect(() => durationMs(text as Duration)).toThrow(expect.objectContaining({ code: 'BAD_DURATION' }))
})

test('says what to write instead', () => {
  expect(() => durationMs('15m' as Duration)).toThrow(/"15m".*'15 minutes'/)
})

test('whatever is taken is positive and finite', () => {
  const unit = fc.constantFrom('ms', 'second', 'minutes', 'hour', 'days')
  fc.assert(
    fc.property(fc.float({ noNaN: true }), unit, (n, u) => {
      const text = `${n} ${u}`
      return !isDuration(text) || (durationMs(text) > 0 && Number.isFinite(durationMs(text)))
    }),
  )
})
