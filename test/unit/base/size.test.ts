import { expect, test } from 'vitest'
import { jsonSize } from '../../../src/base/size.ts'

test.each([
  ['a text', 'x'.repeat(1_000)],
  ['numbers', Array.from({ length: 100 }, (_, n) => n * 1_000)],
  ['an object', { id: 'o-1', total: 12_345, paid: true, note: null, lines: [{ sku: 'a', pieces: 3 }] }],
  ['nothing', null],
])('about the length of the JSON: %s', (_, value) => {
  const { length } = JSON.stringify(value)
  expect(jsonSize(value)).toBeGreaterThanOrEqual(length)
  expect(jsonSize(value)).toBeLessThanOrEqual(length * 1.5 + 2)
})
