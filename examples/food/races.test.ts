// A cancel that meets something else: each race that the comments in food.ts name.
import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, refuses, sequence, throws, type Harness } from 'pawl/testing'
import { seen } from '../../test/support/seen.ts'
import {
  CancelOrder,
  charge,
  CourierAccepted,
  courierSearch,
  findCouriers,
  KitchenAccepted,
  MealReady,
  order,
  OrderCancelled,
  OrderPlaced,
  payment,
  PickedUp,
  Delivered,
  refund,
  services,
} from './food.ts'

const o = { orderId: 'o-1' }
const placed = OrderPlaced({ ...o, customer: 'kim', restaurant: 'luigi', items: ['pizza'], total: 12 })
const kitchenAccepts = KitchenAccepted({ ...o, minutes: 20, at: { lat: 52, lon: 13 } })
const annAccepts = CourierAccepted({ ...o, courier: 'ann' })
const make = (): Harness => harness({ services })
const cancel = (t: Harness) => t.app.send(order, 'o-1', CancelOrder({ ...o, reason: 'not hungry' }))

/** All is over, and the money is where it was. */
async function expectUndone(t: Harness): Promise<void> {
  expect(await seen(t, order, 'o-1')).toMatchObject({ state: 'cancelled', data: { reason: 'not hungry' } })
  expect(await t.path(payment, 'o-1')).toEqual(['charging', 'captured', 'refunding', 'refunded'])
  expect(t.calls(refund).map(({ input, outcome }) => [input, outcome])).toEqual([
    [{ paymentId: 'p-o-1', amount: 12 }, 'done'],
  ])
  expect(t.emitted(OrderCancelled).map((m) => m.data.reason)).toEqual(['not hungry'])
}

describe('a customer cancels', () => {
  test('while the card is being charged: the charge ends, and is refunded', async () => {
    const t = make()
    t.fake(charge, sequence(throws(), answers({ paymentId: 'p-o-1' })))
    await t.app.emit(placed)
    expect(await cancel(t)).toMatchObject({ outcome: 'applied', state: 'cancelling' })
    expect(await t.path(payment, 'o-1')).toEqual(['charging'])
    await t.advance('1 second')
    await expectUndone(t)
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'cancelling', 'cancelled'])
    await t.end()
  })

  test('while the card is being declined: there is nothing to refund', async () => {
    const t = make()
    t.fake(charge, sequence(throws(), refuses('Declined')))
    await t.app.emit(placed)
    await cancel(t)
    await t.advance('1 second')
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'cancelling', 'cancelled'])
    expect(await t.path(payment, 'o-1')).toEqual(['charging', 'refused'])
    expect(t.calls(refund)).toEqual([])
    await t.end()
  })

  test('before the kitchen has answered: the search that its answer starts is stopped at once', async () => {
    const t = make()
    t.fake(findCouriers, hangs())
    await t.app.emit(placed)
    await cancel(t)
    await t.app.emit(kitchenAccepts)
    await expectUndone(t)
    expect(await t.path(courierSearch, 'o-1')).toEqual(['looking', 'stopped'])
    await t.end()
  })

  test.each([
    ['looking', hangs(), ['looking', 'stopped']],
    ['offering', answers({ couriers: ['ann'] }), ['looking', 'choosing', 'offering', 'stopped']],
    ['pausing', answers({ couriers: [] }), ['looking', 'choosing', 'pausing', 'stopped']],
  ] as const)('while its courier is sought (%s)', async (state, found, path) => {
    const t = make()
    t.fake(findCouriers, found)
    await t.app.emit(placed)
    await t.app.emit(kitchenAccepts)
    expect((await seen(t, courierSearch, 'o-1')).state).toBe(state)
    await cancel(t)
    await expectUndone(t)
    expect(await t.path(courierSearch, 'o-1')).toEqual(path)
    expect((await seen(t, courierSearch, 'o-1')).status).toBe('cancelled')
    await t.end()
  })

  test('as a courier accepts: whoever comes first, the order is cancelled', async () => {
    const t = make()
    await t.app.emit(placed)
    await t.app.emit(kitchenAccepts)
    await Promise.all([t.app.emit(annAccepts), cancel(t)])
    await expectUndone(t)
    await t.end()
  })

  test('while the meal waits for its courier', async () => {
    const t = make()
    await t.app.emit(placed)
    await t.app.emit(kitchenAccepts)
    await t.app.emit(annAccepts)
    await t.app.emit(MealReady(o))
    expect((await seen(t, order, 'o-1')).state).toBe('pickup')
    expect(await cancel(t)).toMatchObject({ outcome: 'applied' })
    await expectUndone(t)
    await t.end()
  })

  test('too late, when it is picked up; an operator still can', async () => {
    const t = make()
    await t.app.emit(placed)
    await t.app.emit(kitchenAccepts)
    await t.app.emit(annAccepts)
    await t.app.emit(MealReady(o))
    await t.app.emit(PickedUp(o))
    expect(await cancel(t)).toMatchObject({ outcome: 'ignored', state: 'underway' })
    await t.app.get(order, 'o-1').cancel({ why: 'not hungry', by: 'support' })
    await expectUndone(t)
    await t.end()
  })
})

describe('a worker that crashes at any commit', () => {
  /** The same good end, however the worker dies on the way. */
  async function deliveredWithCrashAt(n: number, applied: boolean): Promise<boolean> {
    const t = make()
    t.crashAt(n, { applied })
    for (const [i, message] of [
      placed,
      kitchenAccepts,
      annAccepts,
      MealReady(o),
      PickedUp(o),
      Delivered(o),
    ].entries()) {
      const say = () => t.app.emit(message, { id: `m${i}` })
      // Who got no answer asks again, under the same id.
      await say().catch(say)
      await t.advance('1 second')
    }
    expect(await t.path(order, 'o-1')).toEqual(['paying', 'kitchen', 'cooking', 'pickup', 'underway', 'delivered'])
    expect(await t.path(payment, 'o-1')).toEqual(['charging', 'captured'])
    expect(t.calls(charge)).toHaveLength(1)
    // Rejects where the crash never came: then there are no more commits to crash at.
    return t.end().then(
      () => true,
      () => false,
    )
  }

  test.each([true, false])('changes nothing (applied: %s)', async (applied) => {
    let n = 1
    while (await deliveredWithCrashAt(n, applied)) n += 1
    expect(n).toBeGreaterThan(6)
  })
})
