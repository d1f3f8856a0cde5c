import { describe, expect, test } from 'vitest'
import { answers, harness, refuses, seededRandom, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import {
  abroad,
  account,
  chargeCard,
  Close,
  Credit,
  Credited,
  Debit,
  Debited,
  invoice,
  InvoicePaid,
  Open,
  Opened,
  Refused,
  services,
  StartTransfer,
  transfer,
  TransferDone,
  TransferFailed,
  UsageReported,
} from './bank.ts'

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, [account, transfer, abroad, invoice])).toEqual([])
})

const balance = async (t: Harness, id: string) => (await seen(t, account, id)).data.balance
const open = (t: Harness, id: string) =>
  t.app.send(account, id, Open({ account: id, owner: id }), { id: `open/${id}`, by: id })
const close = (t: Harness, id: string) => t.app.send(account, id, Close({ account: id }))
const order = (id: string, from: string, to: string, amount: number) =>
  StartTransfer({ transfer: id, from, to, amount })
const send = async (t: Harness, from: string, to: string, amount: number) => {
  await t.app.send(transfer, 't', order('t', from, to, amount))
  return t.path(transfer, 't')
}

/** Two accounts: ann has 100, bob nothing. */
async function bank(): Promise<Harness> {
  const t = harness({ services })
  for (const id of ['ann', 'bob']) await open(t, id)
  await t.app.send(account, 'ann', Credit({ account: 'ann', amount: 100, transfer: 'cash' }))
  return t
}

describe('an account', () => {
  test('is opened once, whoever asks twice', async () => {
    const t = await bank()
    expect(await open(t, 'ann')).toMatchObject({ outcome: 'duplicate' })
    const again = await t.app.send(account, 'ann', Open({ account: 'ann', owner: 'mallory' }))
    expect(again).toMatchObject({ outcome: 'ignored' })
    expect(await seen(t, account, 'ann')).toMatchObject({ state: 'open', data: { owner: 'ann', balance: 100 } })
    expect(t.emitted(Opened).map((m) => m.data)).toEqual([
      { account: 'ann', owner: 'ann' },
      { account: 'bob', owner: 'bob' },
    ])
    await t.end()
  })

  test('gives what it has, to the last cent and no more; and each slip once', async () => {
    const t = await bank()
    const slip = (amount: number) => Debit({ account: 'ann', amount, transfer: 'atm' })
    const took = async (id: string, amount: number) => {
      const receipt = await t.app.send(account, 'ann', slip(amount), { id })
      return receipt.emitted?.map((m) => m.type) ?? receipt.outcome
    }
    expect(await took('slip 1', 60)).toEqual(['account.debited'])
    // The answer of a duplicate tells what became of the first: nothing more is taken.
    await t.app.send(account, 'ann', slip(60), { id: 'slip 1' })
    expect(await balance(t, 'ann')).toBe(40)
    expect(await took('slip 2', 41)).toEqual(['account.refused'])
    expect(await took('slip 3', 40)).toEqual(['account.debited'])
    expect(await balance(t, 'ann')).toBe(0)
    expect(t.emitted(Debited).map((m) => m.data.amount)).toEqual([60, 40])
    expect(t.emitted(Refused).map((m) => m.data.reason)).toEqual(['funds'])
    await t.end()
  })

  test('is closed only when it is empty, and then refuses', async () => {
    const t = await bank()
    expect(await close(t, 'ann')).toMatchObject({ outcome: 'refused', why: 'if' })
    expect(await close(t, 'bob')).toMatchObject({ outcome: 'applied', state: 'closed' })
    expect(await close(t, 'bob')).toMatchObject({ outcome: 'ignored' })
    await t.app.send(account, 'bob', Debit({ account: 'bob', amount: 1, transfer: 'atm' }))
    await t.app.send(account, 'bob', Credit({ account: 'bob', amount: 1, transfer: 'atm' }))
    expect(t.emitted(Refused).map((m) => m.data.reason)).toEqual(['closed', 'closed'])
    await t.app.send(account, 'bob', Open({ account: 'bob', owner: 'robert' }))
    expect(await seen(t, account, 'bob')).toMatchObject({ state: 'open', data: { owner: 'robert', balance: 0 } })
    await t.end()
  })
})

describe('a transfer', () => {
  test('takes here and gives there', async () => {
    const t = await bank()
    expect(await send(t, 'ann', 'bob', 30)).toEqual(['debiting', 'crediting', 'done'])
    expect([await balance(t, 'ann'), await balance(t, 'bob')]).toEqual([70, 30])
    expect(t.emitted(TransferDone).map((m) => m.data)).toEqual([{ transfer: 't' }])
    expect(t.emitted(Debited).map((m) => m.data)).toEqual([{ account: 'ann', amount: 30, transfer: 't' }])
    await t.end()
  })

  test('of more than there is is refused', async () => {
    const t = await bank()
    expect(await send(t, 'ann', 'bob', 101)).toEqual(['debiting', 'refused'])
    expect([await balance(t, 'ann'), await balance(t, 'bob')]).toEqual([100, 0])
    expect(t.emitted(TransferFailed).map((m) => m.data)).toEqual([{ transfer: 't', reason: 'funds' }])
    expect((await seen(t, transfer, 't')).status).toBe('failed')
    await t.end()
  })

  test('to a closed account comes back', async () => {
    const t = await bank()
    await close(t, 'bob')
    expect(await send(t, 'ann', 'bob', 30)).toEqual(['debiting', 'crediting', 'returning', 'refused'])
    expect(await balance(t, 'ann')).toBe(100)
    expect(t.emitted(TransferFailed).map((m) => m.data.reason)).toEqual(['closed'])
    await t.end()
  })

  test('that comes back to an account that was closed meanwhile is held, until there is one again', async () => {
    const t = await bank()
    // Nobody knows carl yet: the credit is a dead letter, and the transfer waits.
    expect(await send(t, 'ann', 'carl', 100)).toEqual(['debiting', 'crediting'])
    const [letter] = (await t.app.operate.deadLetters.list()).items
    await close(t, 'ann')
    await open(t, 'carl')
    await close(t, 'carl')
    await t.app.operate.deadLetters.redrive(letter!.id, { why: 'carl is known now' })
    expect(await t.path(transfer, 't')).toEqual(['debiting', 'crediting', 'returning', 'held'])
    await t.advance('1 day')
    expect((await seen(t, transfer, 't')).state).toBe('held')
    await t.app.send(account, 'ann', Open({ account: 'ann', owner: 'ann' }))
    await t.advance('1 day')
    expect((await seen(t, transfer, 't')).state).toBe('refused')
    expect(await balance(t, 'ann')).toBe(100)
    await t.end()
  })

  test('from an account that nobody knows stands, and an operator ends it', async () => {
    const t = await bank()
    expect(await send(t, 'nobody', 'bob', 30)).toEqual(['debiting'])
    const [letter] = (await t.app.operate.deadLetters.list()).items
    expect(letter).toMatchObject({ machine: 'account', instance: 'nobody', error: { code: 'UNKNOWN_INSTANCE' } })
    await t.app.operate.deadLetters.discard(letter!.id, { why: 'there is no such account' })
    await t.app.operate.move(transfer, 't', {
      to: 'refused',
      payload: { account: 'nobody', amount: 30, transfer: 't', reason: 'closed' },
      why: 'there is no such account',
    })
    expect(t.emitted(TransferFailed).map((m) => m.data.reason)).toEqual(['closed'])
    await t.end()
  })

  test('never makes or loses money: a hundred at once, and the worker crashes again and again', async () => {
    const t = harness({ services, seed: 3 })
    const names = ['a', 'b', 'c', 'd']
    for (const id of names) await open(t, id)
    for (const id of names) await t.app.send(account, id, Credit({ account: id, amount: 100, transfer: 'cash' }))
    await t.settle()
    const random = seededRandom(7)
    const one = () => names[Math.floor(random.next() * names.length)]!
    const begin = async (i: number) => {
      const message = order(`t${i}`, one(), one(), 1 + Math.floor(random.next() * 120))
      const say = () => t.app.send(transfer, `t${i}`, message, { id: `say/t${i}` })
      // Who got no answer asks again, under the same id.
      await say().catch(say)
    }
    for (let round = 0; round < 10; round++) {
      t.crashAt(1, { applied: round % 2 === 0 })
      await Promise.all(Array.from({ length: 10 }, (_, i) => begin(round * 10 + i)))
      await t.settle()
    }
    await t.advance('1 minute')
    const balances = await Promise.all(names.map((id) => balance(t, id)))
    expect(balances.reduce((sum, one) => sum + one, 0)).toBe(400)
    const { instances } = await t.app.counts()
    expect(instances['transfer']).toMatchObject({ started: 100, waiting: 0, running: 0, stalled: 0 })
    expect(t.emitted(TransferDone).length + t.emitted(TransferFailed).length).toBe(100)
    expect(t.emitted(Credited).length).toBe(4 + t.emitted(TransferDone).length)
    await t.end()
  })
})

describe('an invoice', () => {
  const used = UsageReported({ customer: 'kim', month: '2026-01', units: 7 })
  const keys = (t: Harness) => new Set(t.calls(chargeCard).map(({ key }) => key)).size
  const path = (t: Harness) => t.path(invoice, 'kim/2026-01')

  test('is charged once, and known by customer and month', async () => {
    const t = harness({ services })
    await t.app.emit(used, { id: 'report' })
    await t.app.emit(used, { id: 'report' })
    await t.app.emit(used)
    expect(await path(t)).toEqual(['charging', 'paid'])
    expect(t.calls(chargeCard).map(({ input }) => input)).toEqual([{ customer: 'kim', amount: 21 }])
    expect(t.emitted(InvoicePaid).map((m) => m.data)).toEqual([{ invoice: 'kim/2026-01' }])
    await t.end()
  })

  test('that was surely not charged is charged under a new key', async () => {
    const t = harness({ services })
    t.fake(chargeCard, sequence(refuses('Declined'), answers({ receipt: 'r' })))
    await t.app.emit(used)
    expect(await path(t)).toEqual(['charging', 'waiting'])
    await t.advance('3 days')
    expect(await path(t)).toEqual(['charging', 'waiting', 'charging', 'paid'])
    expect(keys(t)).toBe(2)
    await t.end()
  })

  test('that may have been charged is charged under the same key', async () => {
    const t = harness({ services })
    t.fake(chargeCard, throws('connection lost'))
    await t.app.emit(used)
    await t.advance('2 minutes')
    expect(await path(t)).toEqual(['charging', 'waiting'])
    t.fake(chargeCard, sequence(throws(), refuses('Declined')))
    await t.advance('3 days')
    t.fake(chargeCard, ({ customer }) => ({ receipt: customer }))
    await t.advance('3 days')
    await t.advance('3 days')
    expect((await path(t)).at(-1)).toBe('paid')
    expect([t.calls(chargeCard).length, keys(t)]).toEqual([3, 1])
    await t.end()
  })
})
