// The definitions of the API's sketch: a machine, a saga, a hierarchy, named timers, and what one does with a running app.
import * as z from 'zod'
import { activity, command, contract, event, implement, machine, pawl, saga, service } from './api.ts'

const OrderPlaced = event('order.placed', {
  data: z.object({ orderId: z.string(), sku: z.string(), total: z.number() }),
  key: (d) => d.orderId,
})
const PaymentCaptured = event('payment.captured', {
  data: z.object({ orderId: z.string(), paymentId: z.string() }),
  key: (d) => d.orderId,
})
const KitchenAccepted = event('kitchen.accepted', {
  data: z.object({ orderId: z.string(), minutes: z.number(), mood: z.enum(['calm', 'busy']) }),
  key: (d) => d.orderId,
  keep: '10 minutes',
  version: 2,
  upcast: {
    1: (old: { orderId: string; seconds: number }) => ({
      orderId: old.orderId,
      minutes: old.seconds / 60,
      mood: 'calm',
    }),
  },
})
const OrderConfirmed = event('order.confirmed', {
  data: z.object({ orderId: z.string(), minutes: z.number() }),
  key: (d) => d.orderId,
})
const OrderRejected = event('order.rejected', {
  data: z.object({ orderId: z.string(), why: z.enum(['stock', 'payment', 'cancelled']) }),
  key: (d) => d.orderId,
})
const CancelOrder = command('order.cancel', { data: z.object({ reason: z.string() }) })
const Buy = command('checkout.buy', {
  data: z.object({ orderId: z.string(), sku: z.string(), total: z.number() }),
  to: 'checkout',
  key: (d) => d.orderId,
})

const reserve = activity('warehouse.reserve', {
  input: z.object({ sku: z.string() }),
  output: z.object({ reservationId: z.string() }),
  failures: ['OutOfStock'],
  retry: { attempts: 8, first: '100 ms', max: '30 seconds' },
  timeout: '5 seconds',
  run: async ({ sku }, { idempotencyKey, fail }) =>
    sku === 'gone' ? fail('OutOfStock') : { reservationId: `r-${idempotencyKey}` },
})
const release = activity('warehouse.release', {
  input: z.object({ reservationId: z.string() }),
  output: z.object({}),
  run: () => ({}),
})
const charge = activity('payments.charge', {
  input: z.object({ amount: z.number(), currency: z.enum(['EUR', 'USD']).default('EUR') }),
  output: z.object({ paymentId: z.string() }),
  failures: ['Declined'],
  run: () => ({ paymentId: 'p' }),
})
const refund = activity('payments.refund', {
  input: z.object({ key: z.string(), paymentId: z.string().optional() }),
  output: z.object({}),
  run: () => ({}),
})
const mail = activity('mail.send', {
  input: z.object({ order: z.string(), template: z.enum(['confirmed', 'rejected']) }),
  output: z.object({ id: z.string() }),
  failures: ['Bounced'],
})

// A machine: the whole process, visible. Its schema stands above it: then literals stay narrow even inside a nested call such as `map`.
const Order = z.object({
  sku: z.string(),
  reservationId: z.string().optional(),
  paymentId: z.string().optional(),
  minutes: z.number().default(0),
  status: z.enum(['open', 'late', 'closed']).default('open'),
})
export const order = machine('order', {
  data: Order,
  receives: [OrderPlaced, PaymentCaptured, KitchenAccepted, CancelOrder],
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
      join: {
        'payment.captured': ({ message }) => ({ paymentId: message.paymentId }),
        'kitchen.accepted': ({ message }) => ({
          minutes: message.minutes,
          status: message.minutes > 60 ? 'late' : 'open',
        }),
      },
      done: {
        to: 'confirmed',
        emit: { 'order.confirmed': ({ id, data }) => ({ orderId: id, minutes: data.minutes }) },
      },
      on: { 'order.cancel': 'releasing' },
      after: { '15 minutes': 'releasing' },
    },
    releasing: {
      call: release,
      input: ({ need }) => ({ reservationId: need('reservationId') }),
      done: { to: 'cancelled', set: { status: 'closed' } },
    },
    confirmed: { final: 'done' },
    cancelled: { emit: { 'order.rejected': ({ id }) => ({ orderId: id, why: 'cancelled' }) }, final: 'cancelled' },
    rejected: { emit: { 'order.rejected': ({ id }) => ({ orderId: id, why: 'stock' }) }, final: 'failed' },
  },
})

// A saga: the same engine, for a straight line with undos. An undo must know what to do when the step only may have happened.
export const checkout = saga('checkout', {
  input: z.object({ orderId: z.string(), sku: z.string(), total: z.number() }),
  start: Buy,
  cancel: CancelOrder,
})
  .step('reserve', {
    call: reserve,
    input: ({ input }) => ({ sku: input.sku }),
    undo: { call: release, input: ({ step }) => ({ reservationId: step.result?.reservationId ?? `r-${step.key}` }) },
  })
  .step('charge', {
    call: charge,
    input: ({ input }) => ({ amount: input.total, currency: 'EUR' }),
    within: '15 minutes',
    otherwise: 'undo',
    undo: {
      call: refund,
      input: ({ step }) =>
        step.outcome === 'done' ? { key: step.key, paymentId: step.result.paymentId } : { key: step.key },
    },
  })
  .pivot()
  .wait('kitchen', {
    for: KitchenAccepted,
    within: '30 minutes',
    otherwise: { value: { orderId: '', minutes: 90, mood: 'busy' } },
  })
  .parallel('tell', {
    customer: {
      call: mail,
      input: ({ id }) => ({ order: id, template: 'confirmed' }),
      otherwise: { value: { id: 'none' } },
    },
    owner: {
      call: mail,
      input: ({ id, results }) => ({ order: `${id} in ${results.kitchen.minutes} minutes`, template: 'confirmed' }),
      within: '1 hour',
    },
  })
  .emit(OrderConfirmed, ({ id, results }) => ({ orderId: id, minutes: results.kitchen.minutes }))
  .failed(OrderRejected, ({ id, error }) => ({
    orderId: id,
    why: error.code === 'cancel' ? 'cancelled' : error.step === 'charge' ? 'payment' : 'stock',
  }))
  .done(({ results }) => ({ paymentId: results.charge.paymentId, mail: results.tell.customer.id }))

// A hierarchy: a parent says who its children are, commands them and follows their states; a broken one is repaired and the parent goes on.
const DeleteNode = command('node.delete', { data: z.object({ node: z.string() }), to: 'node', key: (d) => d.node })
const node = contract('node', {
  data: z.object({ size: z.enum(['s', 'm', 'l']), zone: z.string().default('a') }),
  states: ['booting', 'ready', 'broken', 'gone'],
  finals: ['gone'],
  receives: [DeleteNode],
}) // lives in another service
const Scale = command('pool.scale', { data: z.object({ nodes: z.array(z.string()) }) })
const Pool = z.object({
  nodes: z.array(z.string()),
  leaving: z.array(z.string()).default([]),
  zones: z.array(z.string()).default([]),
})
export const pool = machine('pool', {
  data: Pool,
  receives: [Scale],
  emits: [DeleteNode],
  children: {
    nodes: {
      of: node,
      each: ({ data }) => data.nodes.map((id) => ({ id, data: { size: 'm' } })),
      restart: true,
      onCancel: 'cancel',
    },
    leaving: { of: node, each: ({ data }) => data.leaving.map((id) => ({ id, data: { size: 'm' } })) },
  },
  initial: 'scaling',
  states: {
    scaling: {
      emit: { 'node.delete': ({ data }) => data.leaving.map((node) => ({ node })) },
      until: { nodes: { all: 'ready', any: { broken: 'degraded', gone: 'scaling' } }, leaving: { all: 'gone' } },
      done: { to: 'ready', set: { leaving: [], zones: ({ children }) => children.nodes.map((n) => n.data.zone) } },
    },
    ready: {
      until: { nodes: { any: { broken: 'degraded', gone: 'scaling' } } },
      on: {
        'pool.scale': {
          to: 'scaling',
          set: ({ data, message }) => ({
            nodes: message.nodes,
            leaving: data.nodes.filter((n) => !message.nodes.includes(n)),
          }),
        },
      },
    },
    degraded: {
      until: { nodes: { all: 'ready', if: ({ child }) => child.status !== 'stalled', any: { gone: 'scaling' } } },
      done: 'scaling',
    },
  },
})

// What holds in several states; named timers; a message that is keyed by somebody else.
const CourierAccepted = event('courier.accepted', {
  data: z.object({ courier: z.string(), orderId: z.string() }),
  key: (d) => d.courier,
})
const PickedUp = event('meal.picked-up', { data: z.object({ orderId: z.string() }), key: (d) => d.orderId })
export const delivery = machine('delivery', {
  data: z.object({ courier: z.string().optional(), radius: z.number().default(2), bookedFor: z.string().optional() }),
  receives: [KitchenAccepted, CourierAccepted, PickedUp, CancelOrder],
  start: { 'kitchen.accepted': () => ({}) },
  correlate: { 'courier.accepted': (m) => m.orderId },
  initial: 'searching',
  groups: {
    beforePickup: {
      states: ['searching', 'waiting'],
      on: { 'order.cancel': 'cancelled' },
      after: { '1 hour': 'cancelled' },
    },
  },
  states: {
    searching: {
      on: { 'courier.accepted': { to: 'waiting', set: { courier: ({ message }) => message.courier } } },
      after: [
        {
          name: 'widen',
          in: ({ data }) => (data.radius < 6 ? '2 minutes' : '10 minutes'),
          to: 'searching',
          set: { radius: ({ data }) => data.radius + 2 },
        },
        { name: 'too late', at: ({ data }) => data.bookedFor ?? null, to: 'cancelled' },
      ],
    },
    waiting: { on: { 'meal.picked-up': 'done' } },
    done: { final: 'done' },
    cancelled: { final: 'cancelled' },
  },
})

const sendIt = implement(mail, async ({ template }, { fail }) =>
  template === 'rejected' ? fail('Bounced') : { id: 'm' },
)
// The nodes are on the same store here: there is no way to another service yet.
const nodes = machine('node', {
  data: z.object({ size: z.enum(['s', 'm', 'l']), zone: z.string().default('a') }),
  receives: [DeleteNode],
  initial: 'booting',
  states: {
    booting: { after: { '1 minute': 'ready' } },
    ready: { on: { 'node.delete': 'gone' }, after: { '90 days': 'broken' } },
    broken: { on: { 'node.delete': 'gone' } },
    gone: { final: 'done' },
  },
})
const shop = service('shop', { machines: [order, checkout, pool, delivery, nodes], activities: [sendIt] })
const app = pawl({
  services: [shop],
  store: 'sqlite:shop.db',
  retention: { ended: '90 days' },
  log: (record) => console.log(record.level, record.text),
})
export async function main() {
  await app.start()
  const handle = await app.run(checkout, { id: 'o-1', data: { orderId: 'o-1', sku: 'mug', total: 12 } })
  console.log(handle.created, (await handle.result({ within: '1 minute', rejectOnStall: true })).paymentId)
  for await (const { seq, from, to, cause, by, why } of handle.history({ after: 3 }))
    console.log(seq, from, to, cause.name, by, why)
  await app.get(pool, 'p-1').reaches('ready', { within: '30 minutes' })
  await app.transaction((tx) => {
    tx.sql('insert into carts values (?)', ['o-3'])
    tx.emit(OrderPlaced({ orderId: 'o-3', sku: 'cup', total: 8 }))
  })
  console.log((await app.list(order, { state: 'releasing', status: 'stalled' })).items, await app.counts())
  await app.operate.retry(order, 'o-9', { why: 'the warehouse is back', by: 'ann', newKey: true })
  await app.operate.resolve(order, 'o-8', { result: { reservationId: 'r-8' }, why: 'told by phone', by: 'ann' })
  const { matched, done, failed } = await app.operate.each(
    order,
    { state: 'releasing', code: 'WORKER_DIED', limit: 50 },
    { do: 'retry', why: 'more memory', by: 'ann' },
  )
  app.on((e) => {
    if (e.kind === 'stalled') console.warn(e.machine, e.id, e.error.code, matched, done, failed.length)
  })
  await app.operate.move(order, 'o-7', {
    to: 'cancelled',
    data: { status: 'closed' },
    why: 'released by hand',
    by: 'ann',
  })
  for (const dead of (await app.operate.deadLetters.list({ machine: 'order' })).items)
    await app.operate.deadLetters.redrive(dead.id, { why: `mended: ${dead.error.code}` })
}
// What an HTTP handler answers.
export async function cancelOrder(id: string, request: Request) {
  const receipt = await app.send(order, id, CancelOrder({ reason: 'changed my mind' }), {
    id: request.headers.get('idempotency-key') ?? crypto.randomUUID(),
  })
  switch (receipt.outcome) {
    case 'applied':
      return new Response(receipt.state)
    case 'ignored':
    case 'refused':
      return new Response(`too late: ${receipt.state}`, { status: 409 })
    case 'deferred':
    case 'stored':
    case 'duplicate':
      return new Response(receipt.messageId, { status: 202 })
  }
}

export {
  app,
  CancelOrder,
  DeleteNode,
  KitchenAccepted,
  mail,
  node,
  OrderConfirmed,
  PaymentCaptured,
  PickedUp,
  release,
  reserve,
  shop,
}
