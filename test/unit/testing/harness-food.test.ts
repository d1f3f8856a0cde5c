// Food delivery, choreography of three machines that only hear one another: its good path, every failure path, and the races that its
// comments name.
import { describe, expect, test } from 'vitest'
import { service } from 'pawl'
import { answers, harness, late, refuses, sequence, throws } from 'pawl/testing'
import type { Harness } from 'pawl/testing'
import {
  CancelOrder,
  charge,
  CourierAccepted,
  CourierOffered,
  courierSearch,
  Delivered,
  findCouriers,
  KitchenAccepted,
  KitchenRefused,
  MealReady,
  order as orderMachine,
  OrderCancelled,
  OrderPlaced,
  payment,
  PickedUp,
  refund,
} from '../../../examples/food/food.ts'

const services = [
  service('orders', { machines: [orderMachine] }),
  service('payments', { machines: [payment] }),
  service('couriers', { machines: [courierSearch] }),
]
const orderId = 'o-1'
const meal = { orderId, customer: 'ann', restaurant: 'luigi', items: ['pizza'], total: 12 }
const kitchen = KitchenAccepted({ orderId, minutes: 20, at: { lat: 1, lon: 2 } })
const accepts = (courier: string) => CourierAccepted({ orderId, courier })

async function placed(before: (t: Harness) => void = () => undefined): Promise<Harness> {
  const t = harness({ services })
  t.fake(charge, answers({ paymentId: 'p-1' }))
  t.fake(findCouriers, answers({ couriers: ['ann', 'bo'] }))
  before(t)
  await t.app.emit(OrderPlaced(meal))
  return t
}
const path = (t: Harness) => t.path(orderMachine, orderId)
const reasons = (t: Harness) => t.emitted(OrderCancelled).map((m) => m.data.reason)
const cancel = (t: Harness) => t.app.send(orderMachine, orderId, CancelOrder({ orderId, reason: 'not hungry' }))
const asked = (t: Harness) => t.emitted(CourierOffered).map((m) => m.data.courier)

describe('a meal', () => {
  test('is paid, cooked, picked up and delivered', async () => {
    const t = await placed()
    await t.app.emit(kitchen)
    expect(asked(t)).toEqual(['ann', 'bo'])
    await t.app.emit(accepts('bo'))
    await t.app.emit(MealReady({ orderId }))
    await t.app.emit(PickedUp({ orderId }))
    await t.app.emit(Delivered({ orderId }))
    expect(await path(t)).toEqual(['paying', 'kitchen', 'cooking', 'pickup', 'underway', 'delivered'])
    expect((await t.app.get(orderMachine, orderId).state()).data.courier).toBe('bo')
    expect(await t.path(courierSearch, orderId)).toEqual(['looking', 'choosing', 'offering', 'found'])
    await t.end()
  })

  test('may be ready before a courier is found', async () => {
    const t = await placed()
    await t.app.emit(kitchen)
    await t.app.emit(MealReady({ orderId }))
    expect((await path(t)).at(-1)).toBe('cooking')
    await t.app.emit(accepts('ann'))
    expect((await path(t)).at(-1)).toBe('pickup')
    await t.app.emit(PickedUp({ orderId }))
    await t.app.emit(Delivered({ orderId }))
    await t.end()
  })
})

describe('a payment', () => {
  test('that is declined ends the order, and nothing is given back', async () => {
    const t = await placed((w) => w.fake(charge, refuses('Declined')))
    expect(await path(t)).toEqual(['paying', 'cancelled'])
    expect([await t.path(payment, orderId), t.calls(refund)]).toEqual([['charging', 'refused'], []])
    await t.end()
  })

  test('that comes too late is given back', async () => {
    const t = await placed((w) => w.fake(charge, sequence(throws('reset'), late('20 seconds', { paymentId: 'p-1' }))))
    expect(await cancel(t)).toMatchObject({ outcome: 'applied', state: 'cancelling' })
    expect(await t.path(payment, orderId)).toEqual(['charging'])
    await t.advance('1 minute')
    expect(await t.path(payment, orderId)).toEqual(['charging', 'captured', 'refunding', 'refunded'])
    expect(await path(t)).toEqual(['paying', 'cancelling', 'cancelled'])
    await t.end()
  })

  test('that never comes is not waited for longer than 15 minutes', async () => {
    const t = await placed((w) => w.fake(charge, throws('bank is down')))
    await t.advance('15 minutes')
    expect([(await path(t)).at(-1), reasons(t)]).toEqual(['cancelling', ['payment timed out']])
    expect(await t.app.get(payment, orderId).state()).toMatchObject({ state: 'charging', status: 'stalled' })
    t.fake(charge, refuses('Declined'))
    await t.app.operate.retry(payment, orderId, { why: 'the bank is back' })
    expect((await path(t)).at(-1)).toBe('cancelled')
    await t.end()
  })
})

describe('a kitchen', () => {
  test('that refuses: the money is given back', async () => {
    const t = await placed()
    await t.app.emit(KitchenRefused({ orderId, reason: 'no dough' }))
    expect(await path(t)).toEqual(['paying', 'kitchen', 'cancelling', 'cancelled'])
    expect([reasons(t), t.calls(refund).map(({ input }) => input)]).toEqual([
      ['no dough'],
      [{ paymentId: 'p-1', amount: 12 }],
    ])
    await t.end()
  })

  test('that is silent: after 10 minutes the money is given back', async () => {
    const t = await placed()
    await t.advance('10 minutes')
    expect([await path(t), reasons(t)]).toEqual([['paying', 'kitchen', 'cancelling', 'cancelled'], ['kitchen silent']])
    await t.end()
  })

  test('that accepts before the payment is heard of is not forgotten', async () => {
    const t = await placed((w) => w.fake(charge, late('5 seconds', { paymentId: 'p-1' })))
    await t.app.emit(kitchen)
    await t.advance('5 seconds')
    expect(await path(t)).toEqual(['paying', 'kitchen', 'cooking'])
    await cancel(t)
    expect((await path(t)).at(-1)).toBe('cancelled')
    await t.end()
  })
})

describe('couriers', () => {
  test('who do not answer are not asked again, and the search widens', async () => {
    const t = await placed((w) => {
      w.fake(findCouriers, ({ km }) => ({ couriers: km > 2 ? ['ann', 'bo', 'cy'] : ['ann'] }))
    })
    await t.app.emit(kitchen)
    await t.advance('4 minutes')
    expect(asked(t)).toEqual(['ann', 'bo', 'cy'])
    expect((await t.path(courierSearch, orderId)).slice(0, 6)).toEqual([
      'looking',
      'choosing',
      'offering',
      'looking',
      'choosing',
      'pausing',
    ])
    await t.app.emit(accepts('cy'))
    expect((await t.path(courierSearch, orderId)).at(-1)).toBe('found')
    await cancel(t)
    await t.end()
  })

  test('of whom there are none: the order is cancelled, and the money given back', async () => {
    const t = await placed((w) => w.fake(findCouriers, answers({ couriers: [] })))
    await t.app.emit(kitchen)
    await t.advance('10 minutes')
    expect((await t.path(courierSearch, orderId)).at(-1)).toBe('notFound')
    expect([reasons(t), (await path(t)).at(-1)]).toEqual([['no courier'], 'cancelled'])
    await t.end()
  })

  test('who never answer, however many there are, are asked for 20 minutes', async () => {
    let count = 0
    const t = await placed((w) => w.fake(findCouriers, () => ({ couriers: [`c-${++count}`] })))
    await t.app.emit(kitchen)
    await t.advance('19 minutes')
    expect((await t.path(courierSearch, orderId)).at(-1)).toBe('offering')
    await t.advance('1 minute')
    expect((await t.path(courierSearch, orderId)).at(-1)).toBe('notFound')
    expect([asked(t).length, reasons(t)]).toEqual([10, ['no courier']])
    await t.end()
  })

  test('whom nobody offered it to may not take it', async () => {
    const t = await placed()
    await t.app.emit(kitchen)
    await t.app.emit(accepts('zoe'))
    expect((await t.path(courierSearch, orderId)).at(-1)).toBe('offering')
    await cancel(t)
    await t.end()
  })

  test('are not looked for any more once the order is cancelled, be it in the midst of a call', async () => {
    const t = await placed((w) => w.fake(findCouriers, late('10 seconds', { couriers: ['ann'] })))
    await t.app.emit(kitchen)
    await cancel(t)
    expect(await t.path(courierSearch, orderId)).toEqual(['looking', 'stopped'])
    await t.advance('1 minute')
    expect(asked(t)).toEqual([])
    await t.end()
  })
})

describe('a cancel', () => {
  test.for([
    ['kitchen', []],
    ['cooking', [kitchen]],
    ['pickup', [kitchen, accepts('ann'), MealReady({ orderId })]],
  ] as const)('in %s is applied, and the money given back', async ([state, messages]) => {
    const t = await placed()
    for (const message of messages) await t.app.emit(message)
    expect((await path(t)).at(-1)).toBe(state)
    expect((await cancel(t)).outcome).toBe('applied')
    expect((await path(t)).at(-1)).toBe('cancelled')
    expect(t.calls(refund)).toMatchObject([{ outcome: 'done' }])
    await t.end()
  })

  test('after pickup is too late for a customer, not for an operator', async () => {
    const t = await placed()
    for (const message of [kitchen, accepts('ann'), MealReady({ orderId }), PickedUp({ orderId })])
      await t.app.emit(message)
    expect(await cancel(t)).toMatchObject({ outcome: 'ignored', state: 'underway' })
    await t.app.get(orderMachine, orderId).cancel({ why: 'fell off the bike' })
    expect([reasons(t), (await path(t)).at(-1)]).toEqual([['fell off the bike'], 'cancelled'])
    await t.end()
  })
})

test.for([1, 2, 3, 4, 5, 6])('a crash at commit %i changes nothing', async (n) => {
  const t = harness({ services })
  t.fake(charge, answers({ paymentId: 'p-1' }))
  t.fake(findCouriers, answers({ couriers: ['ann'] }))
  t.crashAt(n, { applied: n % 2 === 0 })
  const tell = async (message: Parameters<typeof t.app.emit>[0]): Promise<unknown> => {
    const emit = (): Promise<unknown> => t.app.emit(message, { id: message.type })
    return await emit().catch(emit)
  }
  for (const message of [OrderPlaced(meal), kitchen, accepts('ann'), MealReady({ orderId }), PickedUp({ orderId })])
    await tell(message)
  await tell(Delivered({ orderId }))
  expect(await path(t)).toEqual(['paying', 'kitchen', 'cooking', 'pickup', 'underway', 'delivered'])
  expect(asked(t)).toEqual(['ann'])
  await t.end()
})
