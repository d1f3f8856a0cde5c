import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { drawingFaults } from '../../test/support/diagram.ts'
import { seen } from '../../test/support/seen.ts'
import {
  charge,
  CourierAccepted,
  CourierNotFound,
  CourierOffered,
  courierSearch,
  Delivered,
  findCouriers,
  KitchenAccepted,
  KitchenRefused,
  MealReady,
  order,
  OrderCancelled,
  OrderPlaced,
  payment,
  PickedUp,
  refund,
  services,
} from './food.ts'

const o = { orderId: 'o-1' }
const placed = OrderPlaced({ ...o, customer: 'kim', restaurant: 'luigi', items: ['pizza'], total: 12 })
const kitchenAccepts = KitchenAccepted({ ...o, minutes: 20, at: { lat: 52, lon: 13 } })
const accepts = (courier: string) => CourierAccepted({ ...o, courier })

const make = (): Harness => harness({ services })
const stateOf = async (t: Harness) => (await seen(t, order, 'o-1')).state
const reasons = (t: Harness) => t.emitted(OrderCancelled).map((m) => m.data.reason)
const refunds = (t: Harness) => t.calls(refund).map(({ input, outcome }) => [input, outcome])
const refunded = [[{ paymentId: 'p-o-1', amount: 12 }, 'done']]

/** An order whose meal is being cooked, and for which couriers were asked. */
async function cooking(t: Harness): Promise<void> {
  await t.app.emit(placed)
  await t.app.emit(kitchenAccepts)
  expect(await stateOf(t)).toBe('cooking')
}

test('the drawings in the README are those of the machines', () => {
  expect(drawingFaults(import.meta.dirname, [order, payment, courierSearch])).toEqual([])
})

describe('a meal', () => {
  test('is paid, cooked, picked up and delivered', async () => {
    const t = make()
    await cooking(t)
    await t.app.emit(accepts('bo'))
    await t.app.emit(MealReady(o))
    await t.app.emit(PickedUp(o))
    await t.app.emit(Delivered(o))
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'kitchen', 'cooking', 'pickup', 'underway', 'delivered'])
    expect(await t.path(courierSearch, 'o-1')).toEqual(['looking', 'choosing', 'offering', 'found'])
    expect(await seen(t, order, 'o-1')).toMatchObject({
      status: 'done',
      data: { customer: 'kim', restaurant: 'luigi', total: 12, paymentId: 'p-o-1', courier: 'bo' },
    })
    expect(await seen(t, courierSearch, 'o-1')).toMatchObject({ status: 'done' })
    // The payment stays where it is: whoever is paid waits for nothing.
    expect(await t.path(payment, 'o-1')).toEqual(['charging', 'captured'])
    expect(t.calls(charge).map(({ input }) => input)).toEqual([{ amount: 12, reference: 'o-1' }])
    expect(t.calls(findCouriers).map(({ input }) => input)).toEqual([{ lat: 52, lon: 13, km: 2 }])
    await t.end()
  })

  test('may be ready before its courier is found', async () => {
    const t = make()
    await cooking(t)
    await t.app.emit(MealReady(o))
    expect(await stateOf(t)).toBe('cooking')
    await t.app.emit(accepts('ann'))
    expect(await stateOf(t)).toBe('pickup')
    expect((await seen(t, order, 'o-1')).data.courier).toBe('ann')
    await t.end()
  })

  test('that the kitchen accepts before it is paid is cooked when it is', async () => {
    const t = make()
    t.fake(charge, sequence(throws(), answers({ paymentId: 'p-o-1' })))
    await t.app.emit(placed)
    await t.app.emit(kitchenAccepts)
    expect(await stateOf(t)).toBe('paying')
    await t.advance('1 second')
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'kitchen', 'cooking'])
    // Two attempts of one call: the other side knows them by one key.
    expect(t.calls(charge)).toMatchObject([{ attempts: 2, outcome: 'done' }])
    expect((await seen(t, payment, 'o-1')).data.paymentId).toBe('p-o-1')
    await t.app.emit(accepts('ann'))
    await t.end()
  })

  test('that is ordered twice under one id is cooked once', async () => {
    const t = make()
    await t.app.emit(placed, { id: 'place/o-1' })
    expect(await t.app.emit(placed, { id: 'place/o-1' })).toMatchObject({ outcome: 'duplicate' })
    expect(t.calls(charge)).toHaveLength(1)
    await t.app.emit(KitchenRefused({ ...o, reason: 'closed' }))
    await t.end()
  })
})

describe('what goes wrong', () => {
  test('a card that is declined ends all at once', async () => {
    const t = make()
    t.fake(charge, refuses('Declined'))
    await t.app.emit(placed)
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'cancelled'])
    expect(await t.path(payment, 'o-1')).toEqual(['charging', 'refused'])
    expect(await seen(t, order, 'o-1')).toMatchObject({ status: 'cancelled', data: { reason: 'not paid' } })
    expect((await seen(t, payment, 'o-1')).status).toBe('failed')
    expect(refunds(t)).toEqual([])
    await t.end()
  })

  test('a kitchen that was quicker than a declined card seeks no courier for it', async () => {
    const t = make()
    t.fake(charge, sequence(throws(), refuses('Declined')))
    await t.app.emit(placed)
    await t.app.emit(kitchenAccepts)
    expect((await seen(t, courierSearch, 'o-1')).state).toBe('offering')
    await t.advance('1 second')
    expect(await stateOf(t)).toBe('cancelled')
    expect(reasons(t)).toEqual(['not paid'])
    expect(await seen(t, courierSearch, 'o-1')).toMatchObject({ state: 'stopped', status: 'cancelled' })
    await t.end()
  })

  test('a bank that is silent: the order gives up, and the money comes back when the bank has spoken', async () => {
    const t = make()
    t.fake(charge, hangs())
    await t.app.emit(placed)
    await t.advance('15 minutes')
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'cancelling'])
    expect(reasons(t)).toEqual(['payment timed out'])
    // Whether it took money is not known: it waits for somebody who asks the bank, and so does order.cancelled.
    expect(await seen(t, payment, 'o-1')).toMatchObject({ state: 'charging', status: 'stalled' })
    await t.app.operate.resolve(payment, 'o-1', { result: { paymentId: 'p-o-1' }, why: 'the bank has it' })
    expect(await t.path(payment, 'o-1')).toEqual(['charging', 'captured', 'refunding', 'refunded'])
    expect(await stateOf(t)).toBe('cancelled')
    expect(refunds(t)).toEqual(refunded)
    await t.end()
  })

  test('a kitchen that is silent for ten minutes', async () => {
    const t = make()
    await t.app.emit(placed)
    await t.advance('9 minutes')
    expect(await stateOf(t)).toBe('kitchen')
    await t.advance('1 minute')
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'kitchen', 'cancelling', 'cancelled'])
    expect([reasons(t), refunds(t)]).toEqual([['kitchen silent'], refunded])
    await t.end()
  })

  test('a kitchen that refuses', async () => {
    const t = make()
    await t.app.emit(placed)
    await t.app.emit(KitchenRefused({ ...o, reason: 'oven broken' }))
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'kitchen', 'cancelling', 'cancelled'])
    expect([reasons(t), refunds(t)]).toEqual([['oven broken'], refunded])
    expect((await seen(t, payment, 'o-1')).status).toBe('cancelled')
    await t.end()
  })

  test('a refund that does not come through is tried until it does, under one key', async () => {
    const t = make()
    t.fake(refund, sequence(throws(), throws(), answers({})))
    await t.app.emit(placed)
    await t.app.emit(KitchenRefused({ ...o, reason: 'oven broken' }))
    await t.advance('10 seconds')
    expect(await stateOf(t)).toBe('cancelled')
    expect(t.calls(refund)).toMatchObject([{ attempts: 3, outcome: 'done' }])
    await t.end()
  })
})

describe('the search for a courier', () => {
  test('widens, more slowly when it is wide, and gives up at ten kilometres', async () => {
    const t = make()
    t.fake(findCouriers, answers({ couriers: [] }))
    await cooking(t)
    await t.advance('40 seconds')
    expect(t.calls(findCouriers).map(({ input }) => input.km)).toEqual([2, 4, 6])
    await t.advance('1 minute')
    expect(t.calls(findCouriers).map(({ input }) => input.km)).toEqual([2, 4, 6, 8])
    expect(await stateOf(t)).toBe('cooking')
    await t.advance('1 minute')
    expect(t.calls(findCouriers).map(({ input }) => input.km)).toEqual([2, 4, 6, 8, 10])
    expect(await seen(t, courierSearch, 'o-1')).toMatchObject({ state: 'notFound', status: 'failed' })
    expect(t.emitted(CourierNotFound)).toHaveLength(1)
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'kitchen', 'cooking', 'cancelling', 'cancelled'])
    expect([reasons(t), refunds(t)]).toEqual([['no courier'], refunded])
    await t.end()
  })

  test('asks five at once, and nobody twice', async () => {
    const t = make()
    t.fake(findCouriers, answers({ couriers: ['a', 'b', 'c', 'd', 'e', 'f'] }))
    await cooking(t)
    const offered = () => t.emitted(CourierOffered).map((m) => m.data.courier)
    expect(offered()).toEqual(['a', 'b', 'c', 'd', 'e'])
    await t.advance('2 minutes')
    expect(offered()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
    // One who thought too long: that offer is over.
    expect((await t.app.emit(accepts('a'))).heard).toMatchObject([{ outcome: 'refused', why: 'if' }])
    await t.app.emit(accepts('f'))
    expect((await seen(t, order, 'o-1')).data.courier).toBe('f')
    await t.end()
  })

  test('is won by the first of two who accept at once', async () => {
    const t = make()
    await cooking(t)
    const answersOf = await Promise.all([t.app.emit(accepts('bo')), t.app.emit(accepts('ann'))])
    expect(answersOf.map(({ heard }) => heard[0]?.outcome)).toEqual(['applied', 'ignored'])
    expect((await seen(t, order, 'o-1')).data.courier).toBe('bo')
    await t.end()
  })

  test('lasts twenty minutes at most, however many couriers there are', async () => {
    const t = make()
    let n = 0
    t.fake(findCouriers, () => ({ couriers: [`c${n++}`] }))
    await cooking(t)
    await t.advance('19 minutes')
    expect(await stateOf(t)).toBe('cooking')
    await t.advance('1 minute')
    expect((await seen(t, courierSearch, 'o-1')).state).toBe('notFound')
    expect(reasons(t)).toEqual(['no courier'])
    await t.end()
  })
})
