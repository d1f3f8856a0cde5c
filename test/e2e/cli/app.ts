// An app for the tests of the command line: what it does hangs on the data of each order alone.
import { activity, command, event, machine, service } from 'pawl'
import * as z from 'zod'

export const charge = activity('bank.charge', {
  input: z.object({ cents: z.int() }),
  output: z.object({ payment: z.string() }),
  failures: ['Declined'],
  retry: { attempts: 1 },
  run: ({ cents }, { fail }) => {
    if (cents === 13) throw new Error('the bank is down')
    return cents > 1_000 ? fail('Declined') : { payment: `paid ${cents}` }
  },
})

export const Shipped = event('Shipped', { data: z.object({ order: z.string() }), key: ({ order }) => order })
export const Label = command('Label', { data: z.object({ text: z.string() }), to: 'order', key: () => 'none' })
export const Left = event('Left', { data: z.object({ order: z.string() }), key: ({ order }) => order })

export const order = machine('order', {
  data: z.object({ cents: z.int(), payment: z.string().optional(), label: z.string().optional() }),
  receives: [Shipped, Label],
  emits: [Left],
  initial: 'charging',
  cancel: 'cancelled',
  states: {
    charging: {
      call: charge,
      input: ({ data }) => ({ cents: data.cents }),
      done: { to: 'packing', set: ({ result }) => result },
      fail: { Declined: 'declined' },
    },
    packing: {
      on: {
        Shipped: 'shipped',
        Label: {
          set: ({ message }) => {
            if (message.text === 'bad') throw new Error('no such label')
            return { label: message.text }
          },
        },
      },
      after: { '5 days': 'late' },
    },
    late: { on: { Shipped: 'shipped' } },
    shipped: { final: 'done', emit: { Left: ({ id }) => ({ order: id }) } },
    declined: { final: 'failed' },
    cancelled: { final: 'cancelled' },
  },
})

export const shop = service('shop', { machines: [order] })
