// Food delivery without a conductor: order, payment and courier search only hear each other's events; a cancel at any time before pickup.
// Shows: choreography, `correlate` (a message keyed by somebody else), groups, `join`, offers to many, named timers, an interruptible call,
// receipts turned into HTTP answers.
import * as z from 'zod'
import { event, command, activity, machine, service, pawl } from './api.ts'

const order = z.object({ orderId: z.string() })
const place = z.object({ lat: z.number(), lon: z.number() })
export const OrderPlaced = event('order.placed', {
  data: order.extend({ customer: z.string(), restaurant: z.string(), items: z.array(z.string()), total: z.number() }),
  key: (d) => d.orderId,
})
export const OrderCancelled = event('order.cancelled', {
  data: order.extend({ reason: z.string() }),
  key: (d) => d.orderId,
})
export const PaymentCaptured = event('payment.captured', {
  data: order.extend({ paymentId: z.string() }),
  key: (d) => d.orderId,
})
export const PaymentRefused = event('payment.refused', { data: order, key: (d) => d.orderId })
export const Refunded = event('payment.refunded', { data: order, key: (d) => d.orderId })
export const KitchenAccepted = event('kitchen.accepted', {
  data: order.extend({ minutes: z.number(), at: place }),
  key: (d) => d.orderId,
})
export const KitchenRefused = event('kitchen.refused', {
  data: order.extend({ reason: z.string() }),
  key: (d) => d.orderId,
})
export const MealReady = event('meal.ready', { data: order, key: (d) => d.orderId })
export const CourierOffered = event('courier.offered', {
  data: order.extend({ courier: z.string() }),
  key: (d) => d.courier,
})
export const CourierAccepted = event('courier.accepted', {
  data: order.extend({ courier: z.string() }),
  key: (d) => d.courier,
}) // ordered by courier …
export const CourierAssigned = event('courier.assigned', {
  data: order.extend({ courier: z.string() }),
  key: (d) => d.orderId,
})
export const CourierNotFound = event('courier.not-found', { data: order, key: (d) => d.orderId })
export const PickedUp = event('meal.picked-up', { data: order, key: (d) => d.orderId })
export const Delivered = event('meal.delivered', { data: order, key: (d) => d.orderId })
export const CancelOrder = command('order.cancel', {
  data: order.extend({ reason: z.string() }),
  to: 'order',
  key: (d) => d.orderId,
})

export const orderMachine = machine('order', {
  data: z.object({
    customer: z.string(),
    restaurant: z.string(),
    total: z.number(),
    paymentId: z.string().optional(),
    courier: z.string().optional(),
    reason: z.string().default(''),
  }),
  receives: [
    OrderPlaced,
    PaymentCaptured,
    PaymentRefused,
    KitchenAccepted,
    KitchenRefused,
    MealReady,
    CourierAssigned,
    CourierNotFound,
    PickedUp,
    Delivered,
    CancelOrder,
    Refunded,
  ],
  emits: [OrderCancelled],
  start: { 'order.placed': ({ customer, restaurant, total }) => ({ customer, restaurant, total }) },
  initial: 'paying',
  cancel: { to: 'cancelling', set: { reason: ({ why }) => why } }, // an operator may do it later than a customer
  groups: {
    beforePickup: {
      states: ['paying', 'kitchen', 'cooking', 'pickup'],
      on: { 'order.cancel': { to: 'cancelling', set: { reason: ({ message }) => message.reason } } },
    },
  },
  states: {
    paying: {
      on: {
        'payment.captured': { to: 'kitchen', set: { paymentId: ({ message }) => message.paymentId } },
        'payment.refused': { to: 'cancelled', set: { reason: 'not paid' } },
      },
      after: { '15 minutes': { to: 'cancelling', set: { reason: 'payment timed out' } } },
    },
    kitchen: {
      on: {
        'kitchen.accepted': 'cooking',
        'kitchen.refused': { to: 'cancelling', set: { reason: ({ message }) => message.reason } },
      },
      after: { '10 minutes': { to: 'cancelling', set: { reason: 'kitchen silent' } } },
    },
    cooking: {
      join: { 'meal.ready': true, 'courier.assigned': ({ message }) => ({ courier: message.courier }) },
      done: 'pickup',
      on: { 'courier.not-found': { to: 'cancelling', set: { reason: 'no courier' } } },
    },
    pickup: { on: { 'meal.picked-up': 'underway' } },
    underway: { on: { 'meal.delivered': 'delivered' } },
    // The payment hears order.cancelled and refunds, or never captures.
    cancelling: {
      emit: { 'order.cancelled': ({ id, data }) => ({ orderId: id, reason: data.reason }) },
      on: { 'payment.refunded': 'cancelled', 'payment.refused': 'cancelled' },
    },
    delivered: { final: 'done' },
    cancelled: { final: 'cancelled' },
  },
})

export const charge = activity('psp.charge', {
  input: z.object({ amount: z.number(), reference: z.string() }),
  output: z.object({ paymentId: z.string() }),
  failures: ['Declined'],
  run: ({ reference }) => ({ paymentId: `p-${reference}` }),
})
export const refund = activity('psp.refund', {
  input: z.object({ paymentId: z.string(), amount: z.number() }),
  output: z.object({}),
  run: () => ({}),
})
export const payment = machine('payment', {
  data: z.object({ amount: z.number(), paymentId: z.string().optional() }),
  receives: [OrderPlaced, OrderCancelled],
  emits: [PaymentCaptured, PaymentRefused, Refunded],
  start: { 'order.placed': ({ total }) => ({ amount: total }) },
  initial: 'charging',
  states: {
    charging: {
      // order.cancelled waits here until the call has settled: money is never left behind
      call: charge,
      input: ({ id, data }) => ({ amount: data.amount, reference: id }),
      done: {
        to: 'captured',
        set: ({ result }) => result,
        emit: { 'payment.captured': ({ id, result }) => ({ orderId: id, paymentId: result.paymentId }) },
      },
      fail: { Declined: { to: 'refused', emit: { 'payment.refused': ({ id }) => ({ orderId: id }) } } },
    },
    captured: { on: { 'order.cancelled': 'refunding' } },
    refunding: {
      call: refund,
      input: ({ data, need }) => ({ paymentId: need('paymentId'), amount: data.amount }),
      done: { to: 'refunded', emit: { 'payment.refunded': ({ id }) => ({ orderId: id }) } },
    },
    refused: { final: 'failed' },
    refunded: { final: 'cancelled' },
  },
})

// Looking changes nothing in the world, so it may be given up at any moment.
export const findCouriers = activity('couriers.find', {
  input: place.extend({ km: z.number() }),
  output: z.object({ couriers: z.array(z.string()) }),
  interruptible: true,
  run: ({ km }) => ({ couriers: km > 4 ? ['ann', 'bo'] : [] }),
})
export const courierSearch = machine('courier-search', {
  data: z.object({
    at: place,
    km: z.number().default(2),
    asked: z.array(z.string()).default([]),
    candidates: z.array(z.string()).default([]),
  }),
  receives: [KitchenAccepted, CourierAccepted, OrderCancelled],
  emits: [CourierOffered, CourierAssigned, CourierNotFound],
  start: { 'kitchen.accepted': ({ at }) => ({ at }) },
  correlate: { 'courier.accepted': (m) => m.orderId }, // … and heard by order
  initial: 'looking',
  groups: {
    searching: {
      states: ['looking', 'choosing', 'offering', 'pausing'],
      on: { 'order.cancelled': 'stopped' },
      after: { '20 minutes': 'notFound' },
    },
  },
  states: {
    looking: {
      call: findCouriers,
      input: ({ data }) => ({ ...data.at, km: data.km }),
      done: {
        to: 'choosing',
        set: ({ result, data }) => ({ candidates: result.couriers.filter((c) => !data.asked.includes(c)).slice(0, 5) }),
      },
    },
    choosing: {
      always: [
        { if: ({ data }) => data.candidates.length > 0, to: 'offering' },
        { if: ({ data }) => data.km >= 10, to: 'notFound' },
        { to: 'pausing', set: { km: ({ data }) => data.km + 2 } },
      ],
    },
    offering: {
      emit: { 'courier.offered': ({ id, data }) => data.candidates.map((courier) => ({ orderId: id, courier })) },
      on: {
        'courier.accepted': {
          if: ({ data, message }) => data.candidates.includes(message.courier),
          to: 'found',
          emit: { 'courier.assigned': ({ id, message }) => ({ orderId: id, courier: message.courier }) },
        },
      },
      after: { '2 minutes': { to: 'looking', set: { asked: ({ data }) => [...data.asked, ...data.candidates] } } },
    },
    pausing: {
      after: [{ name: 'look again', in: ({ data }) => (data.km > 6 ? '1 minute' : '20 seconds'), to: 'looking' }],
    },
    found: { final: 'done' },
    notFound: { emit: { 'courier.not-found': ({ id }) => ({ orderId: id }) }, final: 'failed' },
    stopped: { final: 'cancelled' },
  },
})

export const app = pawl({
  store: 'sqlite:food.db',
  services: [
    service('orders', { machines: [orderMachine] }),
    service('payments', { machines: [payment] }),
    service('couriers', { machines: [courierSearch] }),
  ],
})
// The caller's id makes a repeated request harmless. `heard` names the order and the payment that this event has started.
export async function placeOrder(body: {
  orderId: string
  customer: string
  restaurant: string
  items: string[]
  total: number
}) {
  const { outcome, heard } = await app.emit(OrderPlaced(body), {
    id: `place/${body.orderId}`,
    by: body.customer,
    within: '2 seconds',
  })
  return Response.json(
    { outcome, started: heard.map((h) => `${h.machine}/${h.id}`) },
    { status: outcome === 'applied' ? 201 : 202 },
  )
}
export async function cancel(orderId: string, reason: string) {
  const { outcome, state } = await app.send(orderMachine, orderId, CancelOrder({ orderId, reason }))
  return outcome === 'ignored' || outcome === 'refused'
    ? new Response(`too late: ${state}`, { status: 409 })
    : new Response(outcome, { status: 202 })
}
