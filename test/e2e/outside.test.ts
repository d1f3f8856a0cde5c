// The shop's end of the wire against the real outside process.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Attempt } from 'pawl'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readBook } from '../../examples/shop/book.ts'
import { startOutside, type StartedOutside } from '../../examples/shop/start-outside.ts'
import { Outside } from '../../examples/shop/wire.ts'

let folder: string
let book: string
let started: StartedOutside
let outside: Outside

const begin = (fail: number): void => {
  started = startOutside({ book, fail })
  outside = new Outside(() => started.port())
}
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-outside-'))
  book = join(folder, 'book.db')
})
afterEach(async () => {
  outside.close()
  await started.stop()
  rmSync(folder, { recursive: true })
})

class Refused extends Error {}
const attempt = (key: string, signal: AbortSignal = AbortSignal.timeout(20_000)): Attempt<string> => ({
  idempotencyKey: key,
  attempt: 1,
  signal,
  heartbeat: () => {},
  fail: (code) => {
    throw new Refused(code)
  },
})

test('many calls at once are answered each, and stand in the book once', async () => {
  begin(0)
  const ids = Array.from({ length: 300 }, (_, i) => `o-${i}`)
  const ask = (order: string) => outside.ask<{ mail: string }, string>('post.mail', { order }, attempt(`k-${order}`))
  const answers = await Promise.all([...ids, ...ids].map(ask))
  expect(answers.map((answer) => answer.mail)).toEqual([...ids, ...ids].map((id) => `m-k-${id}`))
  const { standing } = readBook(book)
  expect([...standing.values()].map((acts) => acts.get('post.mail'))).toEqual(ids.map(() => 1))
})

test('a refusal is a declared failure; an abort and a lost wire are not', async () => {
  begin(0)
  const reserve = { order: 'o', sku: 'signed-print', quantity: 99 }
  await expect(outside.ask('warehouse.reserve', reserve, attempt('k'))).rejects.toThrow(Refused)
  await expect(
    outside.ask('post.mail', { order: 'o' }, attempt('m', AbortSignal.abort(new Error('left')))),
  ).rejects.toThrow('left')
})

test('with trouble, what was done was done once, whatever the answer was', async () => {
  begin(0.9)
  const ids = Array.from({ length: 40 }, (_, i) => `o-${i}`)
  const bookCourier = async (order: string): Promise<string> => {
    for (let tries = 0; tries < 200; tries++) {
      try {
        await outside.ask('courier.book', { order, customer: 'Ada' }, attempt(`k-${order}`, AbortSignal.timeout(60)))
        return 'done'
      } catch (e) {
        if (e instanceof Refused) return 'refused'
      }
    }
    return 'never'
  }
  const ends = await Promise.all(ids.map(bookCourier))
  expect(ends).not.toContain('never')
  const { standing, faults } = readBook(book)
  expect(faults).toEqual([])
  ids.forEach((id, i) => expect(standing.get(id)?.get('courier.book') ?? 0).toBe(ends[i] === 'done' ? 1 : 0))
})

test('what is told comes again until it was heard', async () => {
  begin(0)
  let heard = 0
  const second = new Promise<string>((resolve) =>
    outside.listen(async ({ tell }) => {
      heard++
      if (heard === 1) throw new Error('not now')
      resolve(tell)
    }),
  )
  await outside.ask('courier.collect', { order: 'o-7' }, attempt('k'))
  expect(await second).toBe('d-o-7')
})
