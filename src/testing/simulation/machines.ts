// What the simulation runs: a small shop and a small cluster, which between them use every kind of edge.
//
// They are written so that the outside can tell at the end whether each promise was kept: a reservation's id names the key that
// made it, an account keeps the names of the invoices that it has heard, a counter those of its orders.
import { activity } from '../../machine/activity.ts'
import { machine } from '../../machine/machine.ts'
import { command, event } from '../../machine/message.ts'
import { saga } from '../../machine/saga.ts'
import { fields } from './schema.ts'

// ── messages ──
interface OfOrder {
  orderId: string
}
/** Starts an order. */
export const OrderPlaced = event('order.placed', {
  data: fields<OfOrder & { sku: string; account: string }>('orderId', 'sku', 'account'),
  key: (d) => d.orderId,
})
/** One of the two messages that an order waits for. */
export const PaymentCaptured = event('payment.captured', {
  data: fields<OfOrder & { paymentId: string }>('orderId', 'paymentId'),
  key: (d) => d.orderId,
})
/** The other one; a checkout waits for it too. */
export const KitchenAccepted = event('kitchen.accepted', {
  data: fields<OfOrder & { minutes: number }>('orderId', 'minutes'),
  key: (d) => d.orderId,
  keep: '15 seconds',
})
const OrderConfirmed = event('order.confirmed', {
  data: fields<OfOrder & { account: string }>('orderId', 'account'),
  key: (d) => d.orderId,
})
const OrderRejected = event('order.rejected', {
  data: fields<OfOrder & { why: string }>('orderId', 'why'),
  key: (d) => d.orderId,
})
const InvoicePaid = event('invoice.paid', {
  data: fields<{ invoice: string; account: string }>('invoice', 'account'),
  key: (d) => d.invoice,
})
/** In the order in which a counter has counted. */
export const Counted = event('counter.counted', {
  data: fields<{ counter: string; count: number }>('counter', 'count'),
  key: (d) => d.counter,
})
/** Nobody hears it: what it tells follows at once from what its machine has heard, in another partition. */
export const Noted = event('tally.noted', {
  data: fields<{ tally: string; count: number }>('tally', 'count'),
  key: (d) => d.tally,
})
/** To an order or a checkout. */
export const CancelOrder = command('order.cancel', { data: fields<{ reason: string }>('reason') })
/** To a counter: `id` is the sender's, and stays in the counter's data. */
export const Add = command('counter.add', { data: fields<{ id: string }>('id') })
/** Ends a counter. */
export const Close = command('counter.close', { data: fields<object>() })
/** To a pool: these nodes, and no others. */
export const Scale = command('pool.scale', { data: fields<{ nodes: string[] }>('nodes') })
/** Ends a pool with all its nodes. */
export const Drop = command('pool.drop', { data: fields<object>() })
const DeleteNode = command('node.delete', {
  data: fields<{ node: string }>('node'),
  to: 'node',
  key: (d) => d.node,
})

// ── activities ──
const quick = { timeout: '2 seconds', retry: { attempts: 5, first: '100 ms', max: '3 seconds' } } as const
const reserve = activity('warehouse.reserve', {
  ...quick,
  input: fields<{ sku: string }>('sku'),
  output: fields<{ reservationId: string }>('reservationId'),
  failures: ['OutOfStock'],
})
const release = activity('warehouse.release', {
  ...quick,
  input: fields<{ reservationId: string }>('reservationId'),
  output: fields<object>(),
})
const charge = activity('payments.charge', {
  ...quick,
  input: fields<{ for: string }>('for'),
  output: fields<{ paymentId: string }>('paymentId'),
  failures: ['Declined'],
})
const refund = activity('payments.refund', {
  ...quick,
  input: fields<{ key: string }>('key'),
  output: fields<object>(),
})
/** May bounce. */
export const mail = activity('mail.send', {
  ...quick,
  input: fields<{ to: string }>('to'),
  output: fields<{ id: string }>('id'),
  failures: ['Bounced'],
})
const boot = activity('node.boot', {
  ...quick,
  input: fields<{ node: string }>('node'),
  output: fields<{ address: string }>('address'),
  failures: ['NoCapacity'],
})
const probe = activity('node.probe', {
  ...quick,
  input: fields<{ node: string }>('node'),
  output: fields<{ ok: boolean }>('ok'),
  interruptible: true,
})
/** All activities, without bodies: each life of a worker implements them by the world. */
export const activities = [reserve, release, charge, refund, mail, boot, probe] as const

// ── machines ──
interface OrderData {
  sku: string
  account: string
  reservationId?: string
  paymentId?: string
  minutes?: number
}
/** Calls, joins, timers, a cancel edge. */
export const order = machine('order', {
  data: fields<OrderData>('sku', 'account', 'reservationId?', 'paymentId?', 'minutes?'),
  receives: [OrderPlaced, PaymentCaptured, KitchenAccepted, CancelOrder],
  emits: [OrderConfirmed, OrderRejected],
  start: { 'order.placed': ({ sku, account }) => ({ sku, account }) },
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
        'kitchen.accepted': ({ message }) => ({ minutes: message.minutes }),
      },
      done: {
        to: 'confirmed',
        emit: { 'order.confirmed': ({ id, data }) => ({ orderId: id, account: data.account }) },
      },
      on: { 'order.cancel': 'releasing' },
      after: { '20 seconds': 'releasing' },
    },
    releasing: {
      call: release,
      input: ({ need }) => ({ reservationId: need('reservationId') }),
      done: 'cancelled',
    },
    confirmed: { final: 'done' },
    cancelled: { emit: { 'order.rejected': ({ id }) => ({ orderId: id, why: 'cancelled' }) }, final: 'cancelled' },
    rejected: { emit: { 'order.rejected': ({ id }) => ({ orderId: id, why: 'stock' }) }, final: 'failed' },
  },
})

/** A saga: undos, a pivot, a wait, branches side by side. */
export const checkout = saga('checkout', {
  input: fields<{ sku: string; account: string }>('sku', 'account'),
  cancel: CancelOrder,
})
  .step('reserve', {
    call: reserve,
    input: ({ input }) => ({ sku: input.sku }),
    undo: {
      call: release,
      input: ({ step }) => ({ reservationId: step.result?.reservationId ?? `r-${step.key}` }),
    },
  })
  .parallel('pay', {
    goods: {
      call: charge,
      input: ({ id }) => ({ for: `goods of ${id}` }),
      within: '12 seconds',
      otherwise: 'undo',
      undo: { call: refund, input: ({ step }) => ({ key: step.key }) },
    },
    postage: {
      call: charge,
      input: ({ id }) => ({ for: `postage of ${id}` }),
      otherwise: 'undo',
      undo: { call: refund, input: ({ step }) => ({ key: step.key }) },
    },
  })
  .pivot()
  .wait('kitchen', {
    for: KitchenAccepted,
    within: '15 seconds',
    otherwise: { value: { orderId: '', minutes: 90 } },
  })
  .step('tell', { call: mail, input: ({ id }) => ({ to: id }), otherwise: { value: { id: 'none' } } })
  .emit(OrderConfirmed, ({ id, input }) => ({ orderId: id, account: input.account }))
  .failed(OrderRejected, ({ id, error }) => ({ orderId: id, why: error.code }))
  .done(({ results }) => ({ mail: results.tell.id }))

/** Started by an event of two other machines. */
export const invoice = machine('invoice', {
  data: fields<{ account: string }>('account'),
  receives: [OrderConfirmed],
  emits: [InvoicePaid],
  start: { 'order.confirmed': ({ account }) => ({ account }) },
  correlate: { 'order.confirmed': ({ orderId }) => `invoice-of-${orderId}` },
  initial: 'charging',
  states: {
    charging: { call: charge, input: ({ id }) => ({ for: id }), done: 'paid', fail: { Declined: 'reminding' } },
    reminding: {
      call: [mail],
      input: ({ id }) => ['first', 'second', 'third'].map((to) => ({ to: `${to} of ${id}` })),
      done: 'unpaid',
      fail: 'unpaid',
    },
    paid: { emit: { 'invoice.paid': ({ id, data }) => ({ invoice: id, account: data.account }) }, final: 'done' },
    unpaid: { final: 'failed' },
  },
})

/** Hears many instances of another machine, and never ends. */
export const account = machine('account', {
  data: fields<{ paid: string[] }>('paid'),
  receives: [InvoicePaid],
  start: { 'invoice.paid': ({ invoice }) => ({ paid: [invoice] }) },
  correlate: { 'invoice.paid': (m) => m.account },
  initial: 'open',
  states: {
    open: {
      on: { 'invoice.paid': { to: 'open', set: ({ data, message }) => ({ paid: [...data.paid, message.invoice] }) } },
    },
  },
})

/** What a counter tells of each number. */
export const counted = {
  'counter.counted': ({ id, data }: { readonly id: string; readonly data: { readonly ids: readonly string[] } }) => ({
    counter: id,
    count: data.ids.length,
  }),
}
/** Commands from outside, guards, `always`, a timer that is restarted, a group. */
export const counter = machine('counter', {
  data: fields<{ ids: string[]; rests: number }>('ids', 'rests'),
  receives: [Add, Close],
  emits: [Counted],
  initial: 'counting',
  groups: {
    open: { states: ['counting', 'resting'], on: { 'counter.close': 'closed' }, after: { '40 seconds': 'closed' } },
  },
  states: {
    counting: {
      on: {
        'counter.add': [
          {
            if: ({ data }) => data.ids.length % 3 === 2,
            to: 'counting',
            set: ({ data, message }) => ({ ids: [...data.ids, message.id] }),
            emit: counted,
          },
          { set: ({ data, message }) => ({ ids: [...data.ids, message.id] }), emit: counted },
        ],
      },
      always: [{ if: ({ data }) => data.ids.length >= 9, to: 'full' }],
      after: { '8 seconds': { to: 'resting', set: ({ data }) => ({ rests: data.rests + 1 }) } },
    },
    resting: { after: { '5 seconds': 'counting' } },
    full: { on: { 'counter.add': { if: () => false }, 'counter.close': 'closed' } },
    closed: { final: 'done' },
  },
})

/** What a tally tells of each number. */
export const noted = {
  'tally.noted': ({ id, message }: { readonly id: string; readonly message: { readonly count: number } }) => ({
    tally: id,
    count: message.count,
  }),
}
/** Hears one counter, in order, and lets it wait while a call is open or it looks away. */
export const tally = machine('tally', {
  data: fields<{ counts: number[] }>('counts'),
  receives: [Counted],
  emits: [Noted],
  start: { 'counter.counted': ({ count }) => ({ counts: [count] }) },
  correlate: { 'counter.counted': ({ counter: id }) => `tally-of-${id}` },
  initial: 'noting',
  states: {
    noting: {
      call: mail,
      input: ({ id, data }) => ({ to: `${id} at ${data.counts.length}` }),
      done: 'open',
      fail: 'open',
    },
    open: {
      on: {
        'counter.counted': {
          to: 'aside',
          set: ({ data, message }) => ({ counts: [...data.counts, message.count] }),
          emit: noted,
        },
      },
    },
    aside: {
      always: [{ if: ({ data }) => data.counts.length % 3 === 0, to: 'noting' }],
      after: { '500 ms': 'open' },
    },
  },
})

/** A child that breaks, is mended, and is told to go. */
export const node = machine('node', {
  data: fields<{ address?: string }>('address?'),
  receives: [DeleteNode],
  initial: 'booting',
  states: {
    booting: {
      call: boot,
      input: ({ id }) => ({ node: id }),
      done: { to: 'ready', set: ({ result }) => ({ address: result.address }) },
      fail: { NoCapacity: 'broken' },
    },
    ready: { on: { 'node.delete': 'gone' }, after: { '6 seconds': 'probing' } },
    probing: {
      call: probe,
      input: ({ id }) => ({ node: id }),
      done: 'steady',
      fail: { other: 'steady' },
      on: { 'node.delete': 'gone' },
    },
    steady: { on: { 'node.delete': 'gone' } },
    broken: { on: { 'node.delete': 'gone' }, after: { '5 seconds': 'booting' } },
    gone: { final: 'done' },
  },
})

const up = ['ready', 'probing', 'steady'] as const
/** A parent: spawns, follows, commands, gives an ended child a new life. */
export const pool = machine('pool', {
  data: fields<{ nodes: string[]; leaving: string[] }>('nodes', 'leaving'),
  receives: [Scale, Drop],
  emits: [DeleteNode],
  children: {
    nodes: {
      of: node,
      each: ({ data }) => data.nodes.map((id) => ({ id, data: {} })),
      restart: true,
      onCancel: 'keep',
    },
    leaving: { of: node, each: ({ data }) => data.leaving.map((id) => ({ id, data: {} })) },
  },
  initial: 'scaling',
  states: {
    scaling: {
      emit: { 'node.delete': ({ data }) => data.leaving.map((id) => ({ node: id })) },
      until: { nodes: { all: up, any: { gone: 'scaling' } }, leaving: { all: 'gone', spawn: false } },
      done: { to: 'steady', set: { leaving: [] } },
    },
    steady: {
      until: { nodes: { any: { gone: 'scaling' } } },
      on: {
        'pool.scale': {
          to: 'scaling',
          set: ({ data, message }) => ({
            nodes: message.nodes,
            leaving: data.nodes.filter((id) => !message.nodes.includes(id)),
          }),
        },
        'pool.drop': { to: 'dropping', set: ({ data }) => ({ nodes: [], leaving: data.nodes }) },
      },
    },
    dropping: {
      emit: { 'node.delete': ({ data }) => data.leaving.map((id) => ({ node: id })) },
      until: { leaving: { all: 'gone', spawn: false } },
      done: 'dropped',
    },
    dropped: { final: 'done' },
  },
})

/** All machines. */
export const machines = [order, checkout, invoice, account, counter, tally, node, pool] as const
