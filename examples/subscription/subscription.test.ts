import { describe, expect, test } from 'vitest'
import { answers, harness, late, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import {
  Cancel,
  CardUpdated,
  ChangePlan,
  charge,
  Dunning,
  Ended,
  Pause,
  plusMonths,
  Renewed,
  Resume,
  services,
  subscription,
} from './subscription.ts'

const paid = answers({ receipt: 'r' })
const at = (t: Harness) => seen(t, subscription, 's')
const tell = (t: Harness, message: Parameters<typeof t.app.send<(typeof subscription)['~takes'], string>>[2]) =>
  t.app.send(subscription, 's', message)
const amounts = (t: Harness) => t.calls(charge).map(({ input }) => input.amount)
const keys = (t: Harness) => new Set(t.calls(charge).map(({ key }) => key)).size
const path = (t: Harness) => t.path(subscription, 's')

/** A basic subscription for 30 a month from the 1st of January; its month has 31 days, February 28. */
async function begin(t: Harness): Promise<void> {
  const data = { plan: 'basic', price: 30, card: 'visa', anchor: t.now.toISOString() } as const
  await t.app.run(subscription, { id: 's', data })
}
async function active(): Promise<Harness> {
  const t = harness({ services })
  t.fake(charge, paid)
  await begin(t)
  expect((await at(t)).state).toBe('active')
  return t
}
/** A subscription whose first charge was declined. */
async function dunning(): Promise<Harness> {
  const t = harness({ services })
  t.fake(charge, refuses('Declined'))
  await begin(t)
  expect((await at(t)).state).toBe('dunning')
  return t
}
async function endNow(t: Harness): Promise<void> {
  await tell(t, Cancel({ at: 'now' }))
  expect(await at(t)).toMatchObject({ state: 'ended', status: 'done' })
  await t.end()
}

test('the drawing in the README is that of the machine', () => {
  expect(drawingFaults(import.meta.dirname, [subscription])).toEqual([])
})

test('the 31st becomes the last day of a shorter month', () => {
  const days = [0, 1, 2, 3, 13].map((n) => plusMonths('2026-01-31T10:00:00Z', n).toISOString().slice(0, 10))
  expect(days).toEqual(['2026-01-31', '2026-02-28', '2026-03-31', '2026-04-30', '2027-02-28'])
})

describe('a month', () => {
  test('is charged once, and then the next', async () => {
    const t = await active()
    expect(t.calls(charge)[0]?.input).toEqual({ card: 'visa', amount: 30, invoice: 's/0' })
    await t.advance('30 days')
    expect(t.calls(charge)).toHaveLength(1)
    await t.advance('1 day')
    expect(t.calls(charge).map(({ input }) => input.invoice)).toEqual(['s/0', 's/1'])
    await t.advance('28 days')
    expect(await path(t)).toEqual([
      'charging',
      'active',
      'renewing',
      'charging',
      'active',
      'renewing',
      'charging',
      'active',
    ])
    expect(t.emitted(Renewed).map((m) => m.data)).toEqual([1, 2, 3].map((cycle) => ({ id: 's', cycle })))
    expect([amounts(t), keys(t)]).toEqual([[30, 30, 30], 3])
    await endNow(t)
    expect(t.emitted(Ended).map((m) => m.data)).toEqual([{ id: 's', why: 'cancelled' }])
  })

  test('is charged once though the bank answers late, and the worker crashes', async () => {
    const t = harness({ services })
    t.fake(charge, late('10 seconds', { receipt: 'r' }))
    await begin(t)
    await t.advance('5 seconds')
    await t.crash()
    await t.advance('10 seconds')
    expect((await at(t)).state).toBe('active')
    expect(t.calls(charge)).toHaveLength(1)
    await endNow(t)
  })

  test('stands still where the bank does not answer, until an operator tries again', async () => {
    const t = harness({ services })
    t.fake(charge, throws('no connection'))
    await begin(t)
    await t.advance('1 hour')
    expect(await at(t)).toMatchObject({ state: 'charging', status: 'stalled' })
    t.fake(charge, paid)
    await t.app.operate.retry(subscription, 's', { why: 'the bank is back' })
    expect((await at(t)).state).toBe('active')
    expect(keys(t)).toBe(1)
    await endNow(t)
  })

  test('lasts for years', async () => {
    const t = await active()
    await t.advance('365 days')
    await t.advance('365 days')
    expect((await at(t)).data).toMatchObject({ cycle: 25, months: 25 })
    await endNow(t)
  })
})

describe('who does not pay', () => {
  test('is asked again after a day, three and six, each time under a new key, and then it ends', async () => {
    const t = await dunning()
    for (const [i, days] of [1, 3, 6].entries()) {
      await t.advance(`${days * 24 - 1} hours`)
      expect(t.calls(charge)).toHaveLength(i + 1)
      await t.advance('1 hour')
      expect(t.calls(charge)).toHaveLength(i + 2)
    }
    expect(await at(t)).toMatchObject({ state: 'ended', status: 'done', data: { why: 'unpaid' } })
    expect(t.emitted(Dunning).map((m) => m.data)).toEqual([1, 2, 3, 4].map((attempt) => ({ id: 's', attempt })))
    expect(t.emitted(Ended).map((m) => m.data.why)).toEqual(['unpaid'])
    expect(keys(t)).toBe(4)
    await t.end()
  })

  test('is charged at once when there is a new card', async () => {
    const t = await dunning()
    t.fake(charge, ({ card }) => ({ receipt: card }))
    await tell(t, CardUpdated({ card: 'amex' }))
    expect(await at(t)).toMatchObject({ state: 'active', data: { card: 'amex', attempt: 0 } })
    expect(t.calls(charge).map(({ input }) => input.card)).toEqual(['visa', 'amex'])
    await endNow(t)
  })

  test('has a card that is expired', async () => {
    const t = harness({ services })
    const data = { plan: 'basic', price: 30, card: 'expired visa', anchor: t.now.toISOString() } as const
    await t.app.run(subscription, { id: 's', data })
    expect(await at(t)).toMatchObject({ state: 'dunning', data: { attempt: 1 } })
    await tell(t, CardUpdated({ card: 'amex' }))
    expect((await at(t)).state).toBe('active')
    await endNow(t)
  })

  test.each(['Declined', 'CardExpired'] as const)(
    'and whose money may have been taken is asked under the same key (%s)',
    async (code) => {
      const t = harness({ services })
      t.fake(charge, sequence(throws('connection lost'), refuses(code), paid))
      await begin(t)
      await t.advance('1 minute')
      expect(await at(t)).toMatchObject({ state: 'dunning', data: { attempt: 0 } })
      await t.advance('1 hour')
      expect((await at(t)).state).toBe('active')
      expect([t.calls(charge).length, keys(t)]).toEqual([2, 1])
      await endNow(t)
    },
  )

  test('may take a cheaper plan, of which nothing is paid yet, and has nothing to resume', async () => {
    const t = await dunning()
    expect(await tell(t, Resume({}))).toMatchObject({ outcome: 'ignored' })
    await t.advance('12 hours')
    expect(await tell(t, ChangePlan({ plan: 'basic', price: 8 }))).toMatchObject({
      outcome: 'applied',
      state: 'dunning',
    })
    t.fake(charge, paid)
    await t.advance('12 hours')
    expect(amounts(t)).toEqual([30, 8])
    await endNow(t)
  })

  test('may not pause, and ends at once when it cancels for the end of the period', async () => {
    const t = await dunning()
    expect(await tell(t, Pause({}))).toMatchObject({ outcome: 'ignored' })
    await tell(t, Cancel({ at: 'period-end' }))
    expect(await path(t)).toEqual(['charging', 'dunning', 'ended'])
    expect(t.emitted(Ended).map((m) => m.data.why)).toEqual(['cancelled'])
    await t.end()
  })
})

describe('a change of plan', () => {
  test('in the middle of a month is paid with the next', async () => {
    const t = await active()
    await t.advance('372 hours') // half of January
    await tell(t, ChangePlan({ plan: 'pro', price: 90 }))
    expect((await at(t)).data).toMatchObject({ plan: 'pro', price: 90, credit: -30 })
    await t.advance('372 hours')
    await t.advance('28 days')
    expect(amounts(t)).toEqual([30, 120, 90])
    await endNow(t)
  })

  test('twice in a month is not given twice', async () => {
    const t = await active()
    await t.advance('372 hours')
    await tell(t, ChangePlan({ plan: 'pro', price: 90 }))
    await tell(t, ChangePlan({ plan: 'basic', price: 30 }))
    await t.advance('372 hours')
    expect(amounts(t)).toEqual([30, 30])
    await endNow(t)
  })

  test('to a cheaper one leaves a credit, which lasts until it is used up', async () => {
    const t = await active()
    await tell(t, ChangePlan({ plan: 'basic', price: 8 }))
    expect((await at(t)).data.credit).toBe(22)
    await t.advance('31 days')
    await t.advance('28 days')
    await t.advance('31 days')
    expect(amounts(t)).toEqual([30, 0, 0, 2])
    await endNow(t)
  })

  test('whose page is old is refused', async () => {
    const t = await active()
    const { seq } = await at(t)
    await tell(t, CardUpdated({ card: 'amex' }))
    const change = ChangePlan({ plan: 'pro', price: 90 })
    const old = await t.app.send(subscription, 's', change, { ifSeq: seq })
    expect(old).toMatchObject({ outcome: 'refused', why: 'seq' })
    expect(await t.app.send(subscription, 's', change, { ifSeq: old.seq ?? 0 })).toMatchObject({ outcome: 'applied' })
    expect((await at(t)).data.plan).toBe('pro')
    await endNow(t)
  })
})

describe('a pause', () => {
  test('ends when it was said to, and what was left of the month is taken off', async () => {
    const t = await active()
    await t.advance('372 hours')
    await tell(t, Pause({ until: plusMonths('2026-01-01T00:00:00Z', 3).toISOString() }))
    expect((await at(t)).data.credit).toBe(15)
    await t.advance('74 days')
    expect(await path(t)).toEqual(['charging', 'active', 'paused'])
    await t.advance('1 day')
    expect(await path(t)).toEqual(['charging', 'active', 'paused', 'resuming', 'charging', 'active'])
    expect(amounts(t)).toEqual([30, 15])
    expect((await at(t)).data).toMatchObject({ months: 1, cycle: 2, credit: 0 })
    expect((await at(t)).data.resumeAt).toBeUndefined()
    // A month from the end of the pause, not from the first of all.
    await t.advance('30 days')
    expect(amounts(t)).toEqual([30, 15, 30])
    await endNow(t)
  })

  test('without an end lasts until it is resumed', async () => {
    const t = await active()
    await tell(t, Pause({}))
    await t.advance('200 days')
    expect((await at(t)).state).toBe('paused')
    await tell(t, Resume({}))
    expect((await at(t)).state).toBe('active')
    await endNow(t)
  })

  test('is not ended by a resume that came before it', async () => {
    const t = await active()
    expect(await tell(t, Resume({}))).toMatchObject({ outcome: 'ignored' })
    await tell(t, Pause({}))
    expect((await at(t)).state).toBe('paused')
    await endNow(t)
  })

  test('is not begun again by a second click', async () => {
    const t = await active()
    await tell(t, Pause({}))
    expect(await tell(t, Pause({}))).toMatchObject({ outcome: 'ignored' })
    await tell(t, Resume({}))
    expect((await at(t)).state).toBe('active')
    await endNow(t)
  })

  test('that meets an open charge begins behind it', async () => {
    const t = harness({ services })
    t.fake(charge, late('3 seconds', { receipt: 'r' }))
    await begin(t)
    expect(await tell(t, Pause({}))).toMatchObject({ outcome: 'deferred' })
    await t.advance('3 seconds')
    expect(await path(t)).toEqual(['charging', 'active', 'paused'])
    await endNow(t)
  })

  test('may see another plan, of which nothing was used', async () => {
    const t = await active()
    await t.advance('372 hours')
    await tell(t, Pause({}))
    await tell(t, ChangePlan({ plan: 'pro', price: 90 }))
    expect((await at(t)).data).toMatchObject({ plan: 'pro', credit: 15 })
    await tell(t, Resume({}))
    await t.settle()
    expect(amounts(t)).toEqual([30, 75])
    await endNow(t)
  })

  test('takes another card, for the month that begins with its end', async () => {
    const t = await active()
    await tell(t, Pause({}))
    expect(await tell(t, CardUpdated({ card: 'amex' }))).toMatchObject({ outcome: 'applied', state: 'paused' })
    await tell(t, Resume({}))
    await t.settle()
    expect(t.calls(charge).at(-1)?.input.card).toBe('amex')
    await endNow(t)
  })

  test('ends at once with a cancel, whenever that was meant for', async () => {
    const t = await active()
    await tell(t, Pause({ until: '2026-02-01T00:00:00Z' }))
    await tell(t, Cancel({ at: 'period-end' }))
    expect(await path(t)).toEqual(['charging', 'active', 'paused', 'ended'])
    await t.end()
  })
})

describe('a cancel', () => {
  test('for the end of the period lets the month run out, and takes no pause any more', async () => {
    const t = await active()
    expect(await tell(t, Cancel({ at: 'period-end' }))).toMatchObject({ outcome: 'applied', state: 'active' })
    expect(await tell(t, Pause({}))).toMatchObject({ outcome: 'refused', why: 'if' })
    await t.advance('30 days')
    expect((await at(t)).state).toBe('active')
    await t.advance('1 day')
    expect(await path(t)).toEqual(['charging', 'active', 'renewing', 'ended'])
    expect(amounts(t)).toEqual([30])
    expect(t.emitted(Ended).map((m) => m.data.why)).toEqual(['cancelled'])
    await t.end()
  })

  test('that meets an open charge waits for it: what was charged is known', async () => {
    const t = harness({ services })
    t.fake(charge, late('3 seconds', { receipt: 'r' }))
    await begin(t)
    expect(await tell(t, Cancel({ at: 'now' }))).toMatchObject({ outcome: 'deferred' })
    expect(await path(t)).toEqual(['charging'])
    await t.advance('3 seconds')
    expect(await path(t)).toEqual(['charging', 'active', 'ended'])
    expect(t.emitted(Renewed)).toHaveLength(1)
    await t.end()
  })

  test('for the end of the period that meets a charge which is declined ends at once', async () => {
    const t = harness({ services })
    t.fake(charge, sequence(throws(), refuses('Declined')))
    await begin(t)
    expect(await tell(t, Cancel({ at: 'period-end' }))).toMatchObject({ outcome: 'applied', state: 'charging' })
    await t.advance('1 second')
    expect(await path(t)).toEqual(['charging', 'dunning', 'ended'])
    expect((await at(t)).data.why).toBe('cancelled')
    await t.end()
  })

  test('by an operator ends it in any state', async () => {
    const t = await active()
    await t.app.get(subscription, 's').cancel({ why: 'fraud', by: 'ann' })
    expect(await path(t)).toEqual(['charging', 'active', 'ended'])
    await t.end()
  })

  test('a card that comes while it is charged is kept for the next month', async () => {
    const t = harness({ services })
    t.fake(charge, late('3 seconds', { receipt: 'r' }))
    await begin(t)
    expect(await tell(t, CardUpdated({ card: 'amex' }))).toMatchObject({ outcome: 'applied', state: 'charging' })
    await t.advance('3 seconds')
    await t.advance('31 days')
    expect(t.calls(charge).map(({ input }) => input.card)).toEqual(['visa', 'amex'])
    await t.advance('3 seconds')
    await endNow(t)
  })
})
