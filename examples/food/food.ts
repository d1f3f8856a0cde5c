// Food delivery without a conductor: order, payment and courier search only hear each other's events. A customer may cancel at any time
// before the meal is picked up, whatever the other two are doing at that moment.
import { activity, command, event, machine, service } from 'pawl'
import * as z from 'zod'

// ── what is said ────────────────────────────────────────────────────────────────────────────────────────────────

const OfOrder = z.object({ orderId: z.string() })
const byOrder = ({ orderId }: { orderId: string }) => orderId
const Place = z.object({ lat: z.number(), lon: z.number() })

export const OrderPlaced = event('order.placed', {
  data: OfOrder.extend({ customer: z.string(), restaurant: z.string(), items: z.array(z.string()), total: z.number() }),
  key: byOrder,
})
export const OrderCancelled = event('order.cancelled', { data: OfOrder.extend({ reason: z.string() }), key: byOrder })
export const PaymentCaptured = event('payment.captured', {
  data: OfOrder.extend({ paymentId: z.string() }),
  key: byOrder,
})
export const PaymentRefused = event('payment.refused', { data: OfOrder, key: byOrder })
export const Refunded = event('payment.refunded', { data: OfOrder, key: byOrder })
export const KitchenAccepted = event('kitchen.accepted', {
  data: OfOrder.extend({ minutes: z.number(), at: Place }),
  key: byOrder,
})
export const KitchenRefused = event('kitchen.refused', { data: OfOrder.extend({ reason: z.string() }), key: byOrder })
export const MealReady = event('meal.ready', { data: OfOrder, key: byOrder })
// What a courier hears and says is in order by courier …
const OfCourier = OfOrder.extend({ courier: z.string() })
const byCourier = ({ courier }: { courier: string }) => courier
export const CourierOffered = event('courier.offered', { data: OfCourier, key: byCourier })
export const CourierAccepted = event('courier.accepted', { data: OfCourier, key: byCourier })
export const CourierAssigned = event('courier.assigned', { data: OfCourier, key: byOrder })
export const CourierNotFound = event('courier.not-found', { data: OfOrder, key: byOrder })
export const PickedUp = event('meal.picked-up', { data: OfOrder, key: byOrder })
export const Delivered = event('meal.delivered', { data: OfOrder, key: byOrder })
export const CancelOrder = command('order.cancel', {
  data: OfOrder.extend({ reason: z.string() }),
  to: 'order',
  key: byOrder,
})

// ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────

const Order = z.object({
  customer: z.string(),
  restaurant: z.string(),
  total: z.number(),
  paymentId: z.string().optional(),
  courier: z.string().optional(),
  reason: z.string().default(''),
})
export const order = machine('order', {
  data: Order,
  receives: [
    OrderPlaced,
    PaymentCaptured,
    PaymentRefused,
    Refunded,
    KitchenAccepted,
    KitchenRefused,
    MealReady,
    CourierAssigned,
    CourierNotFound,
    PickedUp,
    Delivered,
    CancelOrder,
  ],
  emits: [OrderCancelled],
  start: { 'order.placed': ({ customer, restaurant, total }) => ({ customer, restaurant, total }) },
  initial: 'paying',
  // An operator may do it later than a customer.
  cancel: { to: 'cancelling', set: { reason: ({ why }) => why } },
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
        // The kitchen may have been quicker, and a courier is sought already: whoever is at work must hear of it.
        'payment.refused': {
          to: 'cancelled',
          set: { reason: 'not paid' },
          emit: { 'order.cancelled': ({ id, data }) => ({ orderId: id, reason: data.reason }) },
        },
      },
      after: { '15 minutes': { to: 'cancelling', set: { reason: 'payment timed out' } } },
    },
    // The kitchen may answer before the payment has: its word waits for this state.
    kitchen: {
      on: {
        'kitchen.accepted': 'cooking',
        'kitchen.refused': { to: 'cancelling', set: { reason: ({ message }) => message.reason } },
      },
      after: { '10 minutes': { to: 'cancelling', set: { reason: 'kitchen silent' } } },
    },
    // The meal and its courier, whichever is first.
    cooking: {
      join: { 'meal.ready': true, 'courier.assigned': ({ message }) => ({ courier: message.courier }) },
      done: 'pickup',
      on: { 'courier.not-found': { to: 'cancelling', set: { reason: 'no courier' } } },
    },
    pickup: { on: { 'meal.picked-up': 'underway' } },
    underway: { on: { 'meal.delivered': 'delivered' } },
    // The payment hears order.cancelled and refunds, or it was refused meanwhile: in any case it says so.
    cancelling: {
      emit: { 'order.cancelled': ({ id, data }) => ({ orderId: id, reason: data.reason }) },
      on: { 'payment.refunded': 'cancelled', 'payment.refused': 'cancelled' },
    },
    delivered: { final: 'done' },
    cancelled: { final: 'cancelled' },
  },
})

// ── payment ─────────────────────────────────────────────────────────────────────────────────────────────────────

export const charge = activity('psp.charge', {
  input: z.object({ amount: z.number(), reference: z.string() }),
  output: z.object({ paymentId: z.string() }),
  failures: ['Declined'],
  run: ({ amount, reference }, { fail }) =>
    amount > 1_000 ? fail('Declined', 'more than the card holds') : { paymentId: `p-${reference}` },
})
export const refund = activity('psp.refund', {
  input: z.object({ paymentId: z.string(), amount: z.number() }),
  output: z.object({}),
  run: () => ({}),
})

const Payment = z.object({ amount: z.number(), paymentId: z.string().optional() })
export const payment = machine('payment', {
  data: Payment,
  receives: [OrderPlaced, OrderCancelled],
  emits: [PaymentCaptured, PaymentRefused, Refunded],
  start: { 'order.placed': ({ total }) => ({ amount: total }) },
  initial: 'charging',
  states: {
    // order.cancelled waits here until the call has settled: money is never left behind.
    charging: {
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

// ── courier search ──────────────────────────────────────────────────────────────────────────────────────────────

/** Looking changes nothing in the world, so it may be given up at any moment. */
export const findCouriers = activity('couriers.find', {
  input: Place.extend({ km: z.number() }),
  output: z.object({ couriers: z.array(z.string()) }),
  interruptible: true,
  run: () => ({ couriers: ['ann', 'bo'] }),
})

const Search = z.object({
  at: Place,
  km: z.number().default(2),
  asked: z.array(z.string()).default([]),
  candidates: z.array(z.string()).default([]),
})
export const courierSearch = machine('courier-search', {
  data: Search,
  receives: [KitchenAccepted, CourierAccepted, OrderCancelled],
  emits: [CourierOffered, CourierAssigned, CourierNotFound],
  start: { 'kitchen.accepted': ({ at }) => ({ at }) },
  // … and heard by order.
  correlate: { 'courier.accepted': byOrder },
  initial: 'looking',
  groups: {
    searching: {
      // With `choosing`, though nothing stays there: whoever leaves a group and comes back starts its timers anew.
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
    // To all of them at once; the first one who accepts has it, and one who accepts an older offer has not.
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

/** Three services: each could be deployed alone. */
export const services = [
  service('orders', { machines: [order] }),
  service('payments', { machines: [payment] }),
  service('couriers', { machines: [courierSearch] }),
]
