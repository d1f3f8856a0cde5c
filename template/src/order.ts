import { activity, event, machine } from 'pawl'
import * as z from 'zod'

export const charge = activity('bank.charge', {
  input: z.object({ cents: z.int() }),
  output: z.object({ payment: z.string() }),
  failures: ['Declined'],
  // Your bank's client goes here. It may be called again after a crash: the key is the same then, so the bank charges once.
  run: ({ cents }, { idempotencyKey, fail }) =>
    cents > 100_000 ? fail('Declined', 'too much') : { payment: `paid-${idempotencyKey}` },
})

export const Delivered = event('Delivered', { data: z.object({ order: z.string() }), key: ({ order }) => order })

export const order = machine('order', {
  data: z.object({ cents: z.int(), payment: z.string().optional(), reminders: z.int().default(0) }),
  receives: [Delivered],
  initial: 'charging',
  states: {
    charging: {
      call: charge,
      input: ({ data }) => ({ cents: data.cents }),
      done: { to: 'shipping', set: ({ result }) => result },
      fail: { Declined: 'declined' },
    },
    shipping: {
      on: { Delivered: 'delivered' },
      after: { '3 days': { to: 'overdue', set: ({ data }) => ({ reminders: data.reminders + 1 }) } },
    },
    overdue: { on: { Delivered: 'delivered' }, after: { '30 days': 'lost' } },
    delivered: { final: 'done' },
    declined: { final: 'failed' },
    lost: { final: 'failed' },
  },
})
