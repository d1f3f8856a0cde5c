import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import fc from 'fast-check'
import { errorText, isPawlError, PawlError } from '../../../src/base/errors.ts'

const throws = (): never => {
  throw new Error('no')
}

test('carries code, message, message id, details and cause', () => {
  const cause = new Error('below')
  const e = new PawlError('NOT_JSON', 'say what to do', { messageId: 'm1', details: { path: '/a' }, cause })
  expect(e).toMatchObject({ name: 'PawlError', code: 'NOT_JSON', message: 'say what to do', messageId: 'm1' })
  expect(e.details).toEqual({ path: '/a' })
  expect(e.cause).toBe(cause)
  expect(String(e)).toBe('PawlError: say what to do')
})

test('has no empty fields', () => {
  expect(Object.keys(new PawlError('X', 'x'))).not.toContain('messageId')
  expect('cause' in new PawlError('X', 'x')).toBe(false)
})

test('is recognised by shape, after a round through JSON and from another copy of the class', () => {
  const e = new PawlError('BAD_ID', 'no')
  const stored: unknown = JSON.parse(JSON.stringify({ name: e.name, code: e.code, message: e.message }))
  expect([isPawlError(e), isPawlError(stored), isPawlError(e, 'BAD_ID'), isPawlError(stored, 'BAD_ID')]).toEqual(
    Array.from({ length: 4 }, () => true),
  )
  expect(isPawlError(e, 'OTHER')).toBe(false)
})

test('takes nothing else for one', () => {
  const system = Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })
  const hostile = new Proxy({}, { get: throws })
  for (const e of [undefined, null, 'BAD_ID', 7, {}, new Error('x'), system, hostile, { code: 'BAD_ID' }]) {
    expect(isPawlError(e)).toBe(false)
  }
})

test.each([
  [new Error('boom'), 'boom'],
  [new TypeError(''), 'TypeError'],
  ['text', 'text'],
  [42, '42'],
  [undefined, 'undefined'],
  [null, 'null'],
  [Symbol('s'), 'Symbol(s)'],
  [{ message: 'told' }, 'told'],
  [{ status: 503 }, '{"status":503}'],
  [Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
  [[1, 2], '1,2'],
  [new URL('http://a/b'), 'http://a/b'],
  [function broken() {}, 'function broken'],
  [runInNewContext('new Error("elsewhere")'), 'elsewhere'],
  ['a\0b', 'a\uFFFDb'],
  ['a\uD800b', 'a\uFFFDb'],
])('the text of %o', (thrown, text) => {
  expect(errorText(thrown)).toBe(text)
})

test('the text of hostile objects', () => {
  const hostile: object[] = [
    { toString: throws, message: 7 },
    Object.defineProperty({}, 'message', { get: throws }),
    new Proxy({}, { get: throws }),
    { toString: () => ({}) },
    { toJSON: throws },
    Object.defineProperty(() => 1, 'name', { get: throws }),
    { toJSON: () => undefined },
  ]
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  for (const e of [...hostile, cyclic]) expect(errorText(e)).toEqual(expect.stringMatching(/./))
})

test('the text is short, well formed and without U+0000, whatever was thrown', () => {
  expect(errorText('x'.repeat(5_000))).toHaveLength(2_000)
  expect(errorText('x'.repeat(1_998) + '💶💶').isWellFormed()).toBe(true)
  fc.assert(
    fc.property(fc.oneof(fc.anything(), fc.string({ unit: 'binary' })), (thrown) => {
      const text = errorText(thrown)
      return text.length <= 2_000 && text.isWellFormed() && !text.includes('\0')
    }),
  )
})
