// The shop's whole process, in one file: what is said, what is done outside, and the three machines that work together.
//
//   order         a saga: reserve, charge, book a courier; from there only forward. Undone in reverse where business fails.
//   parcel        hears that an order is confirmed; packs, hands over, hears from the courier, says that it was delivered.
//   notification  hears how an order went, and tells the customer.
//
// Nobody calls parcel or notification: they listen. The order in turn waits for what the parcel says.
import { activity, command, event, machine, saga } from 'pawl'
import * as z from 'zod'

// ── what is said ────────────────────────────────────────────────────────────────────────────────────────────────

const OfOrder = z.object({ order: z.string() })
const byOrder = ({ order }: { order: string }) => order

/** All is paid and booked: from here the order will be fulfilled. */
export const OrderConfirmed = event('order.confirmed', { data: OfOrder, key: byOrder })

const Failed = OfOrder.extend({ why: z.enum(['stock', 'payment', 'courier', 'cancelled', 'trouble']) })
/** Nothing came of the order, and nothing is left of it. */
export const OrderFailed = event('order.failed', { data: Failed, key: byOrder })

/** The courier's word, from outside: it comes at least once, under one id. */
export const CourierDelivered = event('courier.delivered', { data: OfOrder, key: byOrder })

/** The parcel is with its customer. */
export const ParcelDelivered = event('parcel.delivered', { data: OfOrder, key: byOrder })

/** The customer changed their mind. Too late once the order is confirmed. */
export const CancelOrder = command('order.cancel', { data: z.object({ reason: z.string() }) })

// ── what is done outside ────────────────────────────────────────────────────────────────────────────────────────
// Declared here, so that the compiler knows what comes back and what may be refused; the bodies are in `bodies.ts`.
// Each of the other sides knows a call by its idempotency key, so an undo names the key, whatever became of the call.

const patient = {
  retry: { attempts: 20, first: '100 ms', max: '5 seconds' },
  timeout: '1 second',
} as const

const ByKey = z.object({ order: z.string(), key: z.string() })
const Nothing = z.object({})

export const reserve = activity('warehouse.reserve', {
  input: OfOrder.extend({ sku: z.string(), quantity: z.int() }),
  output: z.object({ shelf: z.string() }),
  failures: ['OutOfStock'],
  ...patient,
})
export const release = activity('warehouse.release', { input: ByKey, output: Nothing, ...patient })

export const charge = activity('bank.charge', {
  input: OfOrder.extend({ customer: z.string(), cents: z.int() }),
  output: z.object({ payment: z.string() }),
  failures: ['Declined'],
  ...patient,
})
export const refund = activity('bank.refund', { input: ByKey, output: Nothing, ...patient })

export const bookCourier = activity('courier.book', {
  input: OfOrder.extend({ customer: z.string() }),
  output: z.object({ courier: z.string() }),
  failures: ['NoCourier'],
  ...patient,
})
export const cancelCourier = activity('courier.cancel', { input: ByKey, output: Nothing, ...patient })

export const handOver = activity('courier.collect', {
  input: OfOrder,
  output: z.object({ tour: z.string() }),
  ...patient,
})

export const track = activity('courier.track', {
  input: OfOrder,
  output: z.object({ delivered: z.boolean() }),
  ...patient,
})

export const mail = activity('post.mail', {
  input: OfOrder.extend({ template: z.enum(['confirmed', 'failed']) }),
  output: z.object({ mail: z.string() }),
  ...patient,
})

// ── order ───────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a customer wants. Money in whole cents. */
export const Order = z.object({
  customer: z.string().min(1).max(100),
  sku: z.string().min(1).max(50),
  quantity: z.int().min(1).max(99),
  cents: z.int().min(0).max(100_000_000),
})

const FAILED_AT = { reserve: 'stock', charge: 'payment', book: 'courier' } as const

export const order = saga('order', { input: Order, cancel: CancelOrder })
  .step('reserve', {
    call: reserve,
    input: ({ id, input }) => ({ order: id, sku: input.sku, quantity: input.quantity }),
    undo: { call: release, input: ({ id, step }) => ({ order: id, key: step.key }) },
  })
  .step('charge', {
    call: charge,
    input: ({ id, input }) => ({ order: id, customer: input.customer, cents: input.cents }),
    // A bank that is silent for so long may have taken the money: all is undone, and the refund names the call's key.
    within: '8 seconds',
    otherwise: 'undo',
    undo: { call: refund, input: ({ id, step }) => ({ order: id, key: step.key }) },
  })
  .step('book', {
    call: bookCourier,
    input: ({ id, input }) => ({ order: id, customer: input.customer }),
    otherwise: 'undo',
    undo: { call: cancelCourier, input: ({ id, step }) => ({ order: id, key: step.key }) },
  })
  .pivot()
  .emit(OrderConfirmed, ({ id }) => ({ order: id }))
  .wait('delivery', { for: ParcelDelivered })
  .failed(OrderFailed, ({ id, error }) => {
    if (error.code === 'cancel') return { order: id, why: 'cancelled' }
    if (error.code === 'other' || error.code === 'within') return { order: id, why: 'trouble' }
    return { order: id, why: error.step === 'delivery' ? 'trouble' : FAILED_AT[error.step] }
  })
  .done(({ results }) => ({ payment: results.charge.payment, courier: results.book.courier }))

// ── parcel ──────────────────────────────────────────────────────────────────────────────────────────────────────

const Parcel = z.object({ tour: z.string().optional() })

export const parcel = machine('parcel', {
  data: Parcel,
  receives: [OrderConfirmed, CourierDelivered],
  emits: [ParcelDelivered],
  start: { 'order.confirmed': () => ({}) },
  initial: 'packing',
  states: {
    packing: { after: { '1 second': 'handing over' } },
    'handing over': {
      call: handOver,
      input: ({ id }) => ({ order: id }),
      done: { to: 'on the road', set: { tour: ({ result }) => result.tour } },
    },
    'on the road': {
      on: { 'courier.delivered': 'delivered' },
      after: { '20 seconds': 'asking' },
    },
    // The courier's word may be long in coming; then we ask.
    asking: {
      call: track,
      input: ({ id }) => ({ order: id }),
      done: [{ if: ({ result }) => result.delivered, to: 'delivered' }, { to: 'on the road' }],
    },
    delivered: { emit: { 'parcel.delivered': ({ id }) => ({ order: id }) }, final: 'done' },
  },
})

// ── notification ────────────────────────────────────────────────────────────────────────────────────────────────

const Notification = z.object({ template: z.enum(['confirmed', 'failed']) })

export const notification = machine('notification', {
  data: Notification,
  receives: [OrderConfirmed, OrderFailed],
  start: {
    'order.confirmed': () => ({ template: 'confirmed' }),
    'order.failed': () => ({ template: 'failed' }),
  },
  initial: 'telling',
  states: {
    telling: {
      call: mail,
      input: ({ id, data }) => ({ order: id, template: data.template }),
      done: 'told',
    },
    told: { final: 'done' },
  },
})
