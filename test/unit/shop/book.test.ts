import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { Book, LIMITED, readBook } from '../../../examples/shop/book.ts'

let folder: string
let path: string
let now: number
let draw: number
let book: Book

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-book-'))
  path = join(folder, 'book.db')
  now = 1_000_000
  draw = 0.5
  book = new Book(
    path,
    () => now,
    () => draw,
  )
})
afterEach(() => {
  book.close()
  rmSync(folder, { recursive: true })
})

const ask = (act: string, key: string, input: Record<string, unknown> = {}) =>
  book.apply({ ask: 1, act, key, input: { order: 'o-1', ...input } })
const standing = () => {
  book.commit()
  return Object.fromEntries(readBook(path).standing.get('o-1') ?? [])
}

test('one key is one effect, and always the same answer', () => {
  const first = ask('bank.charge', 'k', { cents: 5 })
  draw = 0
  expect(ask('bank.charge', 'k', { cents: 5 })).toEqual(first)
  expect(standing()).toEqual({ 'bank.charge': 1 })
  ask('bank.charge', 'other', { cents: 5 })
  expect(standing()).toEqual({ 'bank.charge': 1 })
})

test('a refusal stays a refusal, and is no effect', () => {
  draw = 0
  expect(ask('bank.charge', 'k')).toEqual({ ask: 1, failure: 'Declined' })
  draw = 0.5
  expect(ask('bank.charge', 'k')).toEqual({ ask: 1, failure: 'Declined' })
  expect(standing()).toEqual({})
})

test('an undo takes its effect back; again is no harm', () => {
  ask('courier.book', 'k')
  expect(ask('courier.cancel', 'u', { key: 'k' })).toEqual({ ask: 1, result: {} })
  expect(ask('courier.cancel', 'u', { key: 'k' })).toEqual({ ask: 1, result: {} })
  expect(standing()).toEqual({})
})

test('a key that was undone before it came never comes to effect', () => {
  ask('bank.refund', 'u', { key: 'k' })
  expect(ask('bank.charge', 'k')).toHaveProperty('trouble')
  expect(standing()).toEqual({})
})

test('one key for two things is refused and written down', () => {
  ask('bank.charge', 'k', { cents: 5 })
  expect(ask('bank.charge', 'k', { cents: 6 })).toHaveProperty('trouble')
  book.commit()
  expect(readBook(path).faults).toEqual([expect.stringContaining('key k was for bank.charge')])
})

test('what is limited runs out, and comes back by an undo', () => {
  const reserve = (key: string) => ask('warehouse.reserve', key, { sku: LIMITED.sku, quantity: LIMITED.pieces })
  expect(reserve('a')).toHaveProperty('result')
  expect(reserve('b')).toEqual({ ask: 1, failure: 'OutOfStock' })
  ask('warehouse.release', 'u', { key: 'a' })
  expect(reserve('c')).toHaveProperty('result')
})

test('what was handed over is delivered later, and told until somebody has it', () => {
  ask('courier.collect', 'k')
  const delivered = () => (ask('courier.track', 't') as { result: { delivered: boolean } }).result.delivered
  expect([book.due(9), delivered()]).toEqual([[], false])
  now += 3_001
  expect([book.due(9), delivered()]).toEqual([[{ id: 'd-o-1', subject: 'o-1' }], true])
  book.postpone('d-o-1', 100)
  expect(book.due(9)).toEqual([])
  now += 101
  expect(book.due(9)).toHaveLength(1)
  book.told('d-o-1')
  now += 1_000_000
  expect([book.due(9), delivered()]).toEqual([[], true])
})

test('what was not committed is gone, what was is there', () => {
  ask('post.mail', 'a')
  book.commit()
  ask('post.mail', 'b')
  expect(Object.fromEntries(readBook(path).standing.get('o-1') ?? [])).toEqual({ 'post.mail': 1 })
})

test('old effects are forgotten; what was not told is not', () => {
  ask('courier.collect', 'k')
  now += 10_000
  ask('post.mail', 'm')
  book.forget(5_000)
  expect(standing()).toEqual({ 'post.mail': 1 })
  expect(book.due(9)).toHaveLength(1)
})
