import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, machine } from 'pawl'
import { answers, explore, hangs, may, refuses, throws } from 'pawl/testing'
import { CancelOrder, order, PaymentCaptured, release, reserve } from './order.ts'

const messages = [PaymentCaptured({ orderId: 'explored', paymentId: 'p' }), CancelOrder({ reason: '' })]
const activities = [
  may(reserve, answers({ reservationId: 'r-1' }), refuses('OutOfStock'), throws()),
  may(release, answers({}), hangs()),
]

describe('explore', () => {
  test('finds that what is reserved is released or used, whatever happens', async () => {
    const { runs, complete, counterexample } = await explore(order, {
      data: { sku: 'mug' },
      messages,
      activities,
      bound: { steps: 4 },
      property: ({ state, data, calls }) =>
        state !== 'cancelled' ||
        data.reservationId === undefined ||
        calls.some((call) => call.name === 'warehouse.release'),
    })
    expect({ complete, counterexample }).toEqual({ complete: true, counterexample: undefined })
    expect(runs).toBeGreaterThan(200)
  })

  test('gives the shortest run that breaks a property, in words', async () => {
    const { counterexample } = await explore(order, {
      data: { sku: 'mug' },
      messages,
      activities,
      bound: { steps: 8 },
      property: ({ path }) => !path.includes('releasing'),
    })
    expect(counterexample).toEqual([
      'starts → reserving',
      'warehouse.reserve answers {"reservationId":"r-1"} → confirming',
      'order.cancel comes → releasing',
    ])
  })

  test('lets time pass, and attempts be lost', async () => {
    const { counterexample } = await explore(order, {
      data: { sku: 'mug' },
      activities: [may(reserve, answers({ reservationId: 'r-1' })), may(release, hangs())],
      bound: { steps: 8 },
      property: ({ calls }) => calls.every((call) => call.name !== 'warehouse.release' || call.attempts < 2),
    })
    expect(counterexample?.slice(2)).toEqual(['15 minutes pass → releasing', 'the worker crashes'])
  })

  test('finds the race that a definition forgets', async () => {
    const charge = activity('charge', {
      input: z.object({}),
      output: z.object({}),
      retry: { attempts: 2, first: '1 second' },
      timeout: '5 seconds',
    })
    const Cancel = command('cancel', { data: z.object({}) })
    const forgetful = machine('forgetful', {
      data: z.object({}),
      receives: [Cancel],
      initial: 'charging',
      states: {
        charging: { call: charge, input: () => ({}), done: 'paid', fail: 'unpaid' },
        paid: { on: { cancel: 'unpaid' }, after: { '1 day': 'kept' } },
        kept: { final: 'done' },
        unpaid: { final: 'failed' },
      },
    })
    const { counterexample } = await explore(forgetful, {
      data: {},
      messages: [Cancel({})],
      activities: [may(charge, answers({}), throws('reset'))],
      bound: { steps: 10 },
      property: ({ state, calls }) => state !== 'unpaid' || calls.every((call) => call.outcome === 'not done'),
    })
    expect(counterexample).toEqual(['starts → charging', 'charge answers {} → paid', 'cancel comes → unpaid'])
  })

  test('says when its runs were used up', async () => {
    const bound = { steps: 12, runs: 25 }
    const found = await explore(order, { data: { sku: 'mug' }, messages, activities, bound, property: () => true })
    expect(found).toEqual({ runs: 25, complete: false })
  })

  test('refuses an activity that has neither a body nor a choice', async () => {
    const bound = { steps: 3 }
    const found = explore(order, { data: { sku: 'mug' }, bound, property: () => true })
    await expect(found).rejects.toMatchObject({ code: 'NO_BODY' })
  })
})
