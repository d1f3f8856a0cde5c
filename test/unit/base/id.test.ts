import { expect, test } from 'vitest'
import fc from 'fast-check'
import { callKey, checkId, customKey, incarnation, partitionOf, uuidv7 } from '../../../src/base/id.ts'
import { type Random, seededRandom, systemRandom } from '../../../src/base/random.ts'

// The example of RFC 9562, appendix A.6.
const rfcClock = { now: () => 1_645_557_742_000 }
const rfcRandom: Random = { next: () => 0, bytes: () => Buffer.from('fcc3d8c4dc0c0c07398f', 'hex') }

test('golden UUIDv7 and incarnation', () => {
  expect(uuidv7(rfcClock, rfcRandom)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
  expect(incarnation(rfcClock, rfcRandom)).toBe('01fwhe4ydgfk1shh6w1g60eecf')
})

test('UUIDv7 and incarnation are well formed, unlike, and sort by time', () => {
  const time = fc.integer({ min: 0, max: 2 ** 48 - 1 })
  fc.assert(
    fc.property(time, time, fc.integer(), (a, b, seed) => {
      const random = seededRandom(seed)
      const [first, second] = [a, b].map((now) => uuidv7({ now: () => now }, random)) as [string, string]
      const [one, two] = [a, b].map((now) => incarnation({ now: () => now }, random)) as [string, string]
      expect(first).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(one).toMatch(/^[0-7][0-9a-hjkmnp-tv-z]{25}$/)
      if (a !== b) expect([first < second, one < two]).toEqual([a < b, a < b])
    }),
  )
  expect(new Set(Array.from({ length: 10_000 }, () => incarnation(rfcClock, systemRandom))).size).toBe(10_000)
})

test('a fraction of a ms does no harm', () => {
  expect(uuidv7({ now: () => 1_645_557_742_000.75 }, rfcRandom)).toBe('017f22e2-79b0-7cc3-98c4-dc0c0c07398f')
})

// Stored data depends on these: must never change. The first three are FNV's own test vectors.
test.each([
  ['', 0x811c9dc5],
  ['a', 0xe40c292c],
  ['foobar', 0xbf9cf968],
  ['order-4711', 2607517725],
  ['café', 2821410889],
  ['cafe\u0301', 2821410889],
  ['заказ-1', 3416829269],
  ['💶', 965870064],
  ['0198c7e2-7b3a-7000-8000-0123456789ab', 4252341822],
])('golden partition of %s', (id, sum) => {
  expect(partitionOf(id, 2 ** 32)).toBe(sum)
  expect(partitionOf(id, 64)).toBe(sum % 64)
})

test('every id has a partition, and many ids spread', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.integer({ min: 1, max: 1_024 }), (id, partitions) => {
      const partition = partitionOf(id, partitions)
      return Number.isInteger(partition) && partition >= 0 && partition < partitions
    }),
  )
  const counts = Array.from({ length: 16 }, () => 0)
  for (let i = 0; i < 16_000; i++) counts[partitionOf(`order-${i}`, 16)]! += 1
  for (const count of counts) expect(Math.abs(count - 1_000)).toBeLessThan(200)
})

// Other services remember these: must never change.
test('golden call keys', () => {
  const life = '01fwhe4ydgfk1shh6w1g60eecf'
  expect(callKey(life, 3, 'reserveStock')).toBe(`${life}-3-xd5r4ga0`)
  expect(callKey(life, 3, 'charge')).toBe(`${life}-3-jx48zenk`)
  expect(callKey(life, Number.MAX_SAFE_INTEGER, 'resize/17')).toBe(`${life}-9007199254740991-y2ysh6gv`)
  expect(customKey('order', 'o-1', 'charge')).toBe('k-kvhfg5z9ht0gdggrg24xwr45gppa1w2n912r6pc4kqsjqwvzan8g')
  expect(customKey('a', 'bc', 'd')).toBe('k-g17399yjvxtj5dvys4sz5r5h83qzn6yszwtwx842aw74vn0rmtp0')
})

test('keys are at most 64 of [a-z0-9-], and no two parts run into each other', () => {
  const text = fc.string({ unit: 'grapheme' })
  fc.assert(
    fc.property(text, text, text, (a, b, c) => {
      expect(customKey(a, b, c)).toMatch(/^k-[0-9a-z]{52}$/)
      if (b !== '') expect(customKey(a + b, c, c)).not.toBe(customKey(a, b + c, c))
      expect(callKey('0'.repeat(26), 2 ** 53, a)).toMatch(/^[0-9a-z-]{1,64}$/)
    }),
  )
})

test('a call is named the same when thousands of others came between', () => {
  const first = callKey('x', 1, 'charge')
  for (let i = 0; i < 20_000; i++) callKey('x', 1, `many/${i}`)
  expect(callKey('x', 1, 'charge')).toBe(first)
})

test.each([
  ['o-1', 'o-1'],
  [' ', ' '],
  ['cafe\u0301', 'café'],
  ['💶', '💶'],
  ['x'.repeat(255), 'x'.repeat(255)],
  ['é'.repeat(127), 'é'.repeat(127)],
  ['e\u0301'.repeat(127), 'é'.repeat(127)],
])('takes the id %o', (id, kept) => {
  expect(checkId(id, 'the id')).toBe(kept)
})

test.each([
  ['', /empty/],
  [7, /type number/],
  [null, /null/],
  [undefined, /undefined/],
  ['a\0', /control/],
  ['a\n', /control/],
  ['a\u0085', /control/],
  ['\uD800', /surrogate/],
  ['x'.repeat(256), /256 bytes/],
  ['é'.repeat(128), /256 bytes/],
])('refuses the id %o', (id, why) => {
  expect(() => checkId(id, 'the id of order')).toThrow(
    expect.objectContaining({ code: 'BAD_ID', message: expect.stringMatching(why) as string }),
  )
})
