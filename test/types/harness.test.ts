import { describe, expectTypeOf, test } from 'vitest'
import { answers, explore, harness, late, may, refuses, sequence, throws } from 'pawl/testing'
import type { Harness } from 'pawl/testing'
import { order, OrderPlaced, OrderRejected, PaymentCaptured, release, reserve } from '../unit/testing/order.ts'

// Checked by tsc; at run time these do nothing: the harness is made, and nothing is asked of it.
describe('inference of the harness', () => {
  test('what was called has the input of its activity, what was emitted the payload of its type', () => {
    expectTypeOf<ReturnType<typeof calls>[number]['input']>().toEqualTypeOf<{ sku: string }>()
    expectTypeOf<ReturnType<typeof emitted>[number]['data']['why']>().toEqualTypeOf<'stock' | 'cancelled'>()
    expectTypeOf<ReturnType<typeof calls>[number]['outcome']>().toEqualTypeOf<
      'open' | 'done' | 'not done' | 'unknown'
    >()
  })

  test('fakes are of the activity’s own types, without annotations', () => {
    expectTypeOf(fine).returns.toEqualTypeOf<void>()
    expectTypeOf(mistakes).toBeFunction()
  })

  test('a property sees the machine’s states and data', () => {
    expectTypeOf(explored).returns.resolves.toHaveProperty('runs')
  })
})

const calls = (t: Harness) => t.calls(reserve)
const emitted = (t: Harness) => t.emitted(OrderRejected)

const fine = (t: Harness): void => {
  t.fake(reserve, answers({ reservationId: 'r-1' }))
  t.fake(reserve, sequence(throws('reset'), refuses('OutOfStock', 'none left'), answers({ reservationId: 'r-1' })))
  t.fake(reserve, late('3 seconds', { reservationId: 'r-1' }))
  t.fake(reserve, async ({ sku }, { attempt, key }) => ({ reservationId: `${sku.length} ${attempt.toFixed()} ${key}` }))
  t.fake(release, () => ({}))
}

const explored = () =>
  explore(order, {
    data: { sku: 'mug' },
    messages: [PaymentCaptured({ orderId: 'explored', paymentId: 'p' })],
    activities: [may(reserve, answers({ reservationId: 'r-1' }), refuses('OutOfStock')), may(release, answers({}))],
    bound: { steps: 3 },
    property: ({ state, data, path, emitted: told }) =>
      state !== 'cancelled' || data.status === 'closed' || path.length > 2 || told.length === 0,
  })

const mistakes = (t: Harness): void => {
  // @ts-expect-error a fake answers what the activity may answer
  t.fake(reserve, answers({ id: 'r-1' }))
  // @ts-expect-error and so does a function
  t.fake(reserve, ({ sku }) => ({ reservationId: sku.length }))
  // @ts-expect-error it refuses with a failure that is declared
  t.fake(reserve, sequence(throws(), refuses('OutOfStok')))
  // @ts-expect-error one that declares none does not refuse
  t.fake(release, refuses('OutOfStock'))
  // @ts-expect-error a choice is of what the activity may do
  may(reserve, answers({ reservationId: 1 }))
  // @ts-expect-error a duration is a number and a unit
  void t.advance('15 mins')
  // @ts-expect-error a message that this machine does not receive
  void explore(order, { data: { sku: '' }, messages: [OrderRejected({ orderId: '1', why: 'stock' })], bound: { steps: 9 }, property: () => true }) // prettier-ignore
  // @ts-expect-error no such state
  void explore(order, { data: { sku: '' }, bound: { steps: 9 }, property: ({ state }) => state === 'canceled' })
  // @ts-expect-error data that the machine does not have
  void explore(order, { data: { skew: '' }, bound: { steps: 9 }, property: () => true })
  // @ts-expect-error a harness is of services
  harness({ machines: [order] })
  // @ts-expect-error whether the commit is stored is said
  t.crashAt(2)
  void OrderPlaced
}
