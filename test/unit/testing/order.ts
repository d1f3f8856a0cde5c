// An order as a user writes it: reserve, wait for payment and kitchen, release what was reserved for nothing.
import * as z from 'zod'
import { activity, command, event, machine, service } from 'pawl'

export const OrderPlaced = event('order.placed', {
  data: z.object({ orderId: z.string(), sku: z.string() }),
  key: (d) => d.orderId,
})
export const PaymentCaptured = event('payment.captured', {
  data: z.object({ orderId: z.string(), paymentId: z.string() }),
  key: (d) => d.orderId,
})
export const OrderConfirmed = event('order.confirmed', {
  data: z.object({ orderId: z.string(), paymentId: z.string() }),
  key: (d) => d.orderId,
})
export const OrderRejected = event('order.rejected', {
  data: z.object({ orderId: z.string(), why: z.enum(['stock', 'cancelled']) }),
  key: (d) => d.orderId,
})
export const CancelOrder = command('order.cancel', { data: z.object({ reason: z.string() }) })

export const reserve = activity('warehouse.reserve', {
  input: z.object({ sku: z.string() }),
  output: z.object({ reservationId: z.string() }),
  failures: ['OutOfStock'],
  retry: { attempts: 8, first: '100 ms', max: '30 seconds' },
  timeout: '5 seconds',
})
export const release = activity('warehouse.release', {
  input: z.object({ reservationId: z.string() }),
  output: z.object({}),
  run: () => ({}),
})

const Order = z.object({
  sku: z.string(),
  reservationId: z.string().optional(),
  paymentId: z.string().optional(),
  status: z.enum(['open', 'closed']).default('open'),
})
export const order = machine('order', {
  data: Order,
  receives: [OrderPlaced, PaymentCaptured, CancelOrder],
  emits: [OrderConfirmed, OrderRejected],
  start: { 'order.placed': ({ sku }) => ({ sku }) },
  initial: 'reserving',
  cancel: [{ if: ({ data }) => data.reservationId !== undefined, to: 'releasing' }, { to: 'cancelled' }],
  states: {
    reserving: {
      call: reserve,
      input: ({ data }) => ({ sku: data.sku }),
      done: { to: 'confirming', set: ({ result }) => ({ reservationId: result.reservationId }) },
      fail: { OutOfStock: 'rejected' },
    },
    confirming: {
      on: {
        'payment.captured': { to: 'confirmed', set: { paymentId: ({ message }) => message.paymentId } },
        'order.cancel': 'releasing',
      },
      after: { '15 minutes': 'releasing' },
    },
    releasing: {
      call: release,
      input: ({ need }) => ({ reservationId: need('reservationId') }),
      done: { to: 'cancelled', set: { status: 'closed' } },
    },
    confirmed: {
      emit: { 'order.confirmed': ({ id, need }) => ({ orderId: id, paymentId: need('paymentId') }) },
      final: 'done',
    },
    cancelled: { emit: { 'order.rejected': ({ id }) => ({ orderId: id, why: 'cancelled' }) }, final: 'cancelled' },
    rejected: { emit: { 'order.rejected': ({ id }) => ({ orderId: id, why: 'stock' }) }, final: 'failed' },
  },
})
export const shop = service('shop', { machines: [order] })
