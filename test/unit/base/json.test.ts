import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { canonicalJson, freezeJson, freezeOwnJson, jsonHash } from '../../../src/base/json.ts'

const isFrozenWhole = (value: unknown): boolean =>
  typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(isFrozenWhole))

test('what was made for this alone is taken as it is, and frozen whole', () => {
  fc.assert(
    fc.property(fc.jsonValue({ stringUnit: 'binary' }), (generated) => {
      const text = JSON.stringify(generated)
      const value: unknown = JSON.parse(text)
      fc.pre(!text.includes('-0') && text.isWellFormed() && !/\\ud[89a-f]/i.test(text))
      const kept = freezeOwnJson(value, 'it')
      return kept === value && isFrozenWhole(kept) && JSON.stringify(kept) === text && freezeJson(kept, 'it') === kept
    }),
  )
})

test('what is somebody’s is copied whole, and stays as it is and as free as it was', () => {
  const isFree = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (!Object.isFrozen(value) && Object.values(value).every(isFree))
  fc.assert(
    fc.property(fc.jsonValue(), (generated) => {
      const value = structuredClone(generated)
      const kept = freezeJson(value, 'it')
      expect(isFrozenWhole(kept) && isFree(value)).toBe(true)
      expect(JSON.stringify(kept)).toBe(JSON.stringify(value))
      expect(freezeJson(kept, 'it')).toBe(kept)
    }),
  )
  const half = { a: { b: [1] }, c: NaN }
  expect(() => freezeJson(half, 'it')).toThrow()
  expect(isFree(half)).toBe(true)
})

test('whatever is taken equals what its text is read back as', () => {
  fc.assert(
    fc.property(fc.anything({ withNullPrototype: true, withSparseArray: true, withBigInt: true }), (value) => {
      let kept: unknown
      try {
        kept = freezeJson(value, 'it')
      } catch (e) {
        expect(e).toMatchObject({ code: 'NOT_JSON' })
        return
      }
      expect(JSON.parse(JSON.stringify(kept))).toEqual(kept)
      expect(isFrozenWhole(kept)).toBe(true)
    }),
    { numRuns: 500 },
  )
})

class Money {
  amount = 1
}
class List extends Array<number> {}
const cyclic: Record<string, unknown> = {}
cyclic['next'] = cyclic

test.each<[string, unknown, string, RegExp]>([
  ['undefined', undefined, '', /undefined/],
  ['undefined in a list', { a: [1, undefined] }, '/a/1', /null instead/],
  // eslint-disable-next-line no-sparse-arrays -- it is what is tested
  ['a hole', [[1, , 2]], '/0/1', /hole/],
  ['NaN', { a: { b: NaN } }, '/a/b', /NaN/],
  ['Infinity', [Infinity], '/0', /finite/],
  ['a bigint', { n: 1n }, '/n', /String/],
  ['a function', { f: () => 1 }, '/f', /function/],
  ['a symbol', { s: Symbol('x') }, '/s', /symbol/],
  ['a symbol as key', { a: { [Symbol('x')]: 1 } }, '/a', /symbol/],
  ['a Date', { at: new Date(0) }, '/at', /toISOString/],
  ['a Map', { m: new Map() }, '/m', /entries/],
  ['a promise', { p: Promise.resolve(1) }, '/p', /await/],
  ['an Error', { e: new Error('x') }, '/e', /message/],
  ['binary', { b: Buffer.from('x') }, '/b', /base64/],
  ['an instance', { money: new Money() }, '/money', /class Money/],
  ['a class of lists', { list: new List() }, '/list', /class List/],
  ['an object above an object', { o: Object.create({ a: 1 }) as unknown }, '/o', /plain object/],
  ['half a surrogate pair', { t: 'a\uD800' }, '/t', /surrogate/],
  ['half a surrogate pair in a key', { '\uDC00': 1 }, '/\uFFFD', /surrogate/],
  ['a pointer with / and ~', { 'a/b': { '~c': NaN } }, '/a~1b/~0c', /NaN/],
])('refuses %s and names the place', (_, value, path, why) => {
  const where = path === '' ? 'the data of order' : `the data of order at ${path}`
  expect(() => freezeJson(value, 'the data of order')).toThrow(
    expect.objectContaining({ code: 'NOT_JSON', details: { path }, message: expect.stringMatching(why) as string }),
  )
  expect(() => freezeJson(value, 'the data of order')).toThrow(where)
})

test('asks a getter once, and keeps what it gave', () => {
  let asked = 0
  const given = {
    get total(): number {
      return (asked += 1)
    },
  }
  const kept = freezeJson(given, 'it')
  expect([kept.total, kept.total, asked]).toEqual([1, 1, 1])
  expect(Object.getOwnPropertyDescriptor(kept, 'total')).toMatchObject({ value: 1, writable: false })
})

test('refuses cycles with a short message', () => {
  expect(() => freezeJson(cyclic, 'it')).toThrow(/^it at \/next\/.*….*contains itself$/)
})

const nested = (levels: number): unknown => {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = { value }
  return value
}

test('takes 200 levels and no more, also when they come one at a time', () => {
  expect(() => freezeJson(nested(200), 'it')).not.toThrow()
  expect(() => freezeJson(nested(201), 'it')).toThrow('200')
  let value = freezeJson<unknown>({}, 'it')
  for (let i = 1; i < 200; i++) value = freezeJson({ value }, 'it')
  expect(() => freezeJson({ value }, 'it')).toThrow('200')
  expect(() => freezeJson([value], 'it')).toThrow('200')
})

test('leaves undefined fields out, in a copy', () => {
  const value = { a: 1, b: undefined, c: { d: undefined }, e: { f: 1 } }
  const kept = freezeJson(value, 'it')
  expect(kept).not.toBe(value)
  expect(Object.keys(kept)).toEqual(['a', 'c', 'e'])
  expect(Object.keys(kept.c)).toEqual([])
  expect(freezeOwnJson(value, 'it').e).toBe(value.e)
  expect(Object.isFrozen(value)).toBe(false)
})

test('-0 becomes 0, in a copy', () => {
  const kept = freezeJson({ a: -0, b: [1, -0, 2] }, 'it')
  expect(kept).toStrictEqual({ a: 0, b: [1, 0, 2] })
  expect(Object.is(freezeJson(-0, 'it'), 0)).toBe(true)
})

test('keeps __proto__, constructor and prototype as data, also in a copy', () => {
  const text = '{"__proto__":{"admin":true},"constructor":1,"prototype":2}'
  const kept = freezeJson(JSON.parse(text) as Record<string, unknown>, 'it')
  const copied = freezeJson({ ...(JSON.parse(text) as Record<string, unknown>), gone: undefined }, 'it')
  for (const value of [kept, copied]) {
    expect(JSON.stringify(value)).toBe(text)
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect('admin' in value).toBe(false)
  }
})

test('keeps numbers beyond 2^53, U+0000, emoji, and objects of other realms and without prototype', () => {
  for (const value of [2 ** 60, 5e-324, 'a\0b', '💶', { '💶': 1 }]) expect(freezeJson(value, 'it')).toEqual(value)
  expect(freezeJson(runInNewContext('({ a: [1] })'), 'it')).toEqual({ a: [1] })
  expect(freezeJson({ __proto__: null, a: 1 } as unknown, 'it')).toEqual({ a: 1 })
})

test('what was frozen already is copied once, and its parts are checked', () => {
  const value = Object.freeze({ list: Object.freeze([1, 2]) })
  const kept = freezeJson(value, 'it')
  expect(kept).toEqual(value)
  expect(freezeJson(kept, 'it')).toBe(kept)
  expect(() => freezeJson(Object.freeze({ at: new Date(0) }), 'it')).toThrow(/Date/)
})

test('shared parts stay the same object', () => {
  const shared = freezeJson({ items: [{ sku: 'a' }] }, 'it')
  expect(freezeJson({ ...shared, total: 1 }, 'it').items).toBe(shared.items)
})

test('canonical text does not depend on the order of keys', () => {
  expect(canonicalJson({ b: true, a: [1, 'x', null] })).toBe('{"a":[1,"x",null],"b":true}')
  expect(canonicalJson({ a: { c: 1, b: undefined, '10': 1, '9': 1 } })).toBe('{"a":{"10":1,"9":1,"c":1}}')
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (value) => {
      const turned = Object.fromEntries(Object.entries(value).toReversed())
      expect(canonicalJson(turned)).toBe(canonicalJson(value))
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
})

// Stored, and compared by other versions: must never change.
test('golden hash', () => {
  expect(jsonHash({ b: true, a: [1, 'x', null] })).toBe('TXso0IYU-muVwwdWwOuxYw')
  expect(jsonHash({ a: 1 })).not.toBe(jsonHash({ a: '1' }))
})
