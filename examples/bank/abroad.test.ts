// The transfer to another bank: what is done, not done and unknown, and what of it is undone.
import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, late, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { seen } from '../../test/support/seen.ts'
import {
  abroad,
  credit,
  debit,
  notice,
  Recall,
  reverse,
  SendAbroad,
  services,
  TransferDone,
  TransferFailed,
} from './bank.ts'

const begin = async (t: Harness, more: { amount?: number; to?: string } = {}) => {
  await t.app.send(abroad, 'x', SendAbroad({ transfer: 'x', from: 'ann', to: 'bob', amount: 30, ...more }))
  return t.path(abroad, 'x')
}
const recall = (t: Harness) => t.app.send(abroad, 'x', Recall({ transfer: 'x' }))
const path = (t: Harness) => t.path(abroad, 'x')
const failed = (t: Harness) => t.emitted(TransferFailed).map((m) => m.data.reason)
const reversed = (t: Harness) => t.calls(reverse).map(({ input }) => input)
const keyOf = (t: Harness, of: typeof debit | typeof credit) => t.calls<typeof debit | typeof credit>(of)[0]!.key

describe('a transfer to another bank', () => {
  test('debits here, credits there, and tells both', async () => {
    const t = harness({ services })
    expect(await begin(t)).toEqual(['debit', 'credit', 'notices', 'done'])
    expect(t.calls().map(({ name, input }) => [name, input])).toEqual([
      ['ledger.debit', { account: 'ann', amount: 30, transfer: 'x' }],
      ['ledger.credit', { account: 'bob', amount: 30, transfer: 'x' }],
      ['mail.notice', { template: 'sent', account: 'ann' }],
      ['mail.notice', { template: 'got', account: 'bob' }],
    ])
    expect(await t.app.get(abroad, 'x').result()).toEqual({ entry: 'c-x', mails: ['m-ann', 'm-bob'] })
    expect(t.emitted(TransferDone).map((m) => m.data)).toEqual([{ transfer: 'x' }])
    expect(failed(t)).toEqual([])
    await t.end()
  })

  test('of more than there is touches nothing', async () => {
    const t = harness({ services })
    expect(await begin(t, { amount: 100_001 })).toEqual(['debit', 'undone'])
    expect([failed(t), reversed(t)]).toEqual([['debit: Funds'], []])
    expect((await seen(t, abroad, 'x')).status).toBe('failed')
    await t.end()
  })

  test('to a closed account takes the debit back', async () => {
    const t = harness({ services })
    expect(await begin(t, { to: 'closed bob' })).toEqual(['debit', 'credit', 'undo debit', 'undone'])
    expect(reversed(t)).toEqual([{ key: keyOf(t, debit), entry: 'd-x' }])
    expect(failed(t)).toEqual(['credit: Closed'])
    await t.end()
  })

  test('that the other bank never answers takes both back after two days: the credit may have been made', async () => {
    const t = harness({ services })
    t.fake(credit, throws('no connection'))
    await begin(t)
    await t.advance('47 hours')
    expect(await path(t)).toEqual(['debit', 'credit'])
    await t.advance('1 hour')
    expect(await path(t)).toEqual(['debit', 'credit', 'undo credit', 'undo debit', 'undone'])
    expect(reversed(t)).toEqual([{ key: keyOf(t, credit) }, { key: keyOf(t, debit), entry: 'd-x' }])
    expect(failed(t)).toEqual(['credit: within'])
    expect(t.calls(credit)).toMatchObject([{ outcome: 'unknown' }])
    await t.end()
  })

  test('whose debit may have been made stands until somebody knows', async () => {
    const t = harness({ services })
    t.fake(debit, throws('no connection'))
    await begin(t)
    await t.advance('1 hour')
    expect(await seen(t, abroad, 'x')).toMatchObject({ state: 'debit', status: 'stalled' })
    await t.app.operate.resolve(abroad, 'x', { result: { entry: 'd-7' }, why: 'it is in the books' })
    expect(await path(t)).toEqual(['debit', 'credit', 'notices', 'done'])
    await t.end()
  })

  test('whose debit may have been made is reversed by its key when it is recalled', async () => {
    const t = harness({ services })
    t.fake(debit, throws('no connection'))
    await begin(t)
    await t.advance('1 hour')
    await t.app.get(abroad, 'x').cancel({ why: 'tell the customer to try again' })
    expect(await path(t)).toEqual(['debit', 'undo debit', 'undone'])
    expect(reversed(t)).toEqual([{ key: keyOf(t, debit) }])
    await t.end()
  })

  test('whose reversal fails is tried again, then stands, and never forgets', async () => {
    const t = harness({ services })
    t.fake(credit, refuses('Closed'))
    t.fake(reverse, throws('books are locked'))
    await begin(t)
    await t.advance('1 hour')
    expect(await seen(t, abroad, 'x')).toMatchObject({ state: 'undo debit', status: 'stalled' })
    t.fake(reverse, answers({}))
    await t.app.operate.retry(abroad, 'x', { why: 'books are open' })
    expect((await path(t)).at(-1)).toBe('undone')
    expect(new Set(t.calls(reverse).map(({ key }) => key)).size).toBe(1)
    await t.end()
  })
})

describe('letters', () => {
  test('that cannot be sent stop nobody’s money', async () => {
    const t = harness({ services })
    t.fake(notice, ({ template }) => {
      if (template === 'got') throw new Error('no printer')
      return { id: 'm' }
    })
    await begin(t)
    await t.advance('1 hour')
    expect(await t.app.get(abroad, 'x').result()).toEqual({ entry: 'c-x', mails: ['m', 'none'] })
    expect(t.emitted(TransferDone)).toHaveLength(1)
    expect(reversed(t)).toEqual([])
    await t.end()
  })

  test('that hang are waited for an hour, each', async () => {
    const t = harness({ services })
    t.fake(notice, ({ template }) => (template === 'sent' ? new Promise(() => undefined) : { id: 'm' }))
    await begin(t)
    await t.advance('1 hour')
    expect(await t.app.get(abroad, 'x').result()).toEqual({ entry: 'c-x', mails: ['none', 'm'] })
    await t.end()
  })
})

describe('a recall', () => {
  test('while the debit is made waits for it, and takes it back', async () => {
    const t = harness({ services })
    t.fake(debit, late('3 seconds', { entry: 'd-x' }))
    await begin(t)
    expect(await recall(t)).toMatchObject({ outcome: 'deferred' })
    await t.advance('3 seconds')
    // It comes before the next step has begun: nothing was asked of the other bank.
    expect(await path(t)).toEqual(['debit', 'credit', 'undo debit', 'undone'])
    expect(t.calls(credit)).toEqual([])
    expect(reversed(t)).toEqual([{ key: keyOf(t, debit), entry: 'd-x' }])
    expect(await seen(t, abroad, 'x')).toMatchObject({ status: 'cancelled' })
    expect(failed(t)).toEqual(['credit: cancel'])
    await t.end()
  })

  test('while the credit is made takes both back', async () => {
    const t = harness({ services })
    t.fake(credit, sequence(throws(), answers({ entry: 'c-x' })))
    await begin(t)
    await recall(t)
    await t.advance('1 second')
    expect(await path(t)).toEqual(['debit', 'credit', 'undo credit', 'undo debit', 'undone'])
    expect(reversed(t)).toEqual([{ key: keyOf(t, credit) }, { key: keyOf(t, debit), entry: 'd-x' }])
    expect(failed(t)).toEqual(['credit: cancel'])
    await t.end()
  })

  test('when the money is there is too late', async () => {
    const t = harness({ services })
    t.fake(notice, hangs())
    expect(await begin(t)).toEqual(['debit', 'credit', 'notices'])
    expect(await recall(t)).toMatchObject({ outcome: 'refused', why: 'pivot' })
    await t.advance('1 hour')
    expect((await seen(t, abroad, 'x')).status).toBe('done')
    expect(reversed(t)).toEqual([])
    await t.end()
  })
})

test('a crash at any commit neither pays twice nor forgets to take back', async () => {
  const one = async (n: number, applied: boolean): Promise<boolean> => {
    const t = harness({ services })
    t.fake(credit, refuses('Closed'))
    t.crashAt(n, { applied })
    const say = () =>
      t.app.send(abroad, 'x', SendAbroad({ transfer: 'x', from: 'a', to: 'b', amount: 30 }), { id: 'm' })
    await say().catch(say)
    await t.advance('1 minute')
    expect((await path(t)).slice(-2)).toEqual(['undo debit', 'undone'])
    expect(reversed(t).at(-1)).toEqual({ key: keyOf(t, debit), entry: 'd-x' })
    // Whether a credit that a crash interrupted was made is not known: then it is reversed by its key.
    expect([[], [{ key: keyOf(t, credit) }]]).toContainEqual(reversed(t).slice(0, -1))
    expect(failed(t)).toEqual(['credit: Closed'])
    // Rejects where the crash never came: then there are no more commits to crash at.
    return t.end().then(
      () => true,
      () => false,
    )
  }
  for (const applied of [true, false]) {
    let n = 1
    while (await one(n, applied)) n += 1
    expect(n).toBeGreaterThan(4)
  }
})
