import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite/store.ts'
import type { Store } from '../../src/store/store.ts'
import { changeOf, receiptOf } from '../../src/testing/store/fixture.ts'
import { DAY, HandClock, HOUR, MINUTE, SECOND } from '../support/hand-clock.ts'

// How receipts lie in the file: in how many buckets, and when those go.

let folder: string
let clock: HandClock
let store: Store
let session: string
let n: number

async function open(): Promise<void> {
  store = sqliteStore(join(folder, 'shop.db'), { clock })
  await store.open({})
  session = (await store.openSession({ build: 'b', leaseMs: 1_000 })).session
  n = 0
}
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-receipts-'))
  clock = new HandClock()
  await open()
})
afterEach(async () => {
  await store.close()
  rmSync(folder, { recursive: true })
})

const write = async (id: string, outcome: 'applied' | 'deferred' = 'applied'): Promise<void> => {
  const receipts = [receiptOf(id, { at: await store.now(), outcome })]
  expect(await store.commit(session, ++n, changeOf({ receipts }))).toMatchObject({ kind: 'applied' })
}
/** Passes a time with a receipt and a cut of retention every now and then; the greatest number of buckets on the way. */
async function pass(ms: number, everyMs: number, keptMs: number): Promise<number> {
  let most = 0
  for (let passed = 0; passed < ms; passed += everyMs) {
    await clock.advance(everyMs)
    await write(`at-${await store.now()}`)
    await retain(keptMs)
    const [row] = await store.transaction((tx) => tx.sql('select count(distinct bucket) n from pawl_receipts'))
    most = Math.max(most, Number(row!['n']))
  }
  return most
}
const retain = async (keptMs: number): Promise<void> => {
  while ((await store.retain(session, { receiptsBefore: (await store.now()) - keptMs, limit: 50 })) > 0);
}
const outcomeOf = async (id: string): Promise<string | undefined> =>
  (await store.receipts([{ target: 'order\0o-1', source: 'http', id }]))[0]?.outcome
const oldest = async (): Promise<number> => {
  const [row] = await store.transaction((tx) => tx.sql('select min(at) at from pawl_receipts'))
  return (await store.now()) - Number(row!['at'])
}

test.each([
  ['a minute', MINUTE, SECOND],
  ['5 minutes', 5 * MINUTE, 5 * SECOND],
  ['7 days', 7 * DAY, 2 * HOUR],
])('kept for %s: at least that long, an eighth longer at most, in ten buckets', async (_, keptMs, everyMs) => {
  await retain(keptMs)
  await pass(keptMs * 1.2, everyMs, keptMs)
  const most = await pass(keptMs * 1.5, everyMs, keptMs)
  expect(most).toBeLessThanOrEqual(10)
  expect(await oldest()).toBeGreaterThanOrEqual(keptMs - everyMs)
  expect(await oldest()).toBeLessThanOrEqual(keptMs * 1.13)
})

test('another retention makes other buckets: what is there already stays and is found, the newest first, and goes in its time', async () => {
  await retain(7 * DAY)
  await write('a', 'deferred')
  await clock.advance(MINUTE)
  await retain(5 * MINUTE)
  await write('a', 'applied')
  expect(await outcomeOf('a')).toBe('applied')
  await store.close()
  await open()
  await clock.advance(SECOND)
  await write('b')
  expect([await outcomeOf('a'), await outcomeOf('b')]).toEqual(['applied', 'applied'])
  await clock.advance(7 * MINUTE)
  await retain(5 * MINUTE)
  expect(await outcomeOf('b')).toBe(undefined)
  await clock.advance(DAY)
  await retain(5 * MINUTE)
  expect(await outcomeOf('a')).toBe(undefined)
})
