// A bank: accounts, the same transfer as a machine that listens and as a saga, and a bill that is charged exactly once.
// Shows: refusals, commands to other instances, `correlate`, a saga with pivot, `parallel`, `otherwise` and undo by key,
// `key` and the three outcomes of a call, rows and messages in one commit.
import * as z from 'zod'
import { event, command, activity, machine, saga, service, pawl } from './api.ts'

const entry = z.object({ account: z.string(), amount: z.number(), transfer: z.string() })
const Opened = event('account.opened', {
  data: z.object({ account: z.string(), owner: z.string() }),
  key: (d) => d.account,
})
const Debited = event('account.debited', { data: entry, key: (d) => d.account })
const Credited = event('account.credited', { data: entry, key: (d) => d.account })
const Refused = event('account.refused', {
  data: entry.extend({ reason: z.enum(['funds', 'closed']) }),
  key: (d) => d.account,
})
const Open = command('account.open', {
  data: z.object({ account: z.string(), owner: z.string() }),
  to: 'account',
  key: (d) => d.account,
})
const Debit = command('account.debit', { data: entry, to: 'account', key: (d) => d.account })
const Credit = command('account.credit', { data: entry, to: 'account', key: (d) => d.account })

export const account = machine('account', {
  data: z.object({ owner: z.string(), balance: z.number().default(0) }),
  receives: [Open, Debit, Credit],
  emits: [Opened, Debited, Credited, Refused],
  start: { 'account.open': ({ owner }) => ({ owner }) },
  initial: 'opening',
  states: {
    opening: {
      emit: { 'account.opened': ({ id, data }) => ({ account: id, owner: data.owner }) },
      always: [{ to: 'open' }],
    },
    open: {
      on: {
        'account.debit': [
          {
            if: ({ data, message }) => data.balance >= message.amount,
            set: { balance: ({ data, message }) => data.balance - message.amount },
            emit: { 'account.debited': ({ message }) => message },
          },
          { emit: { 'account.refused': ({ message }) => ({ ...message, reason: 'funds' }) } },
        ],
        'account.credit': {
          set: { balance: ({ data, message }) => data.balance + message.amount },
          emit: { 'account.credited': ({ message }) => message },
        },
      },
      after: { '36500 days': 'closed' },
    },
    closed: { final: 'done' },
  },
})

// ── a transfer between accounts here: it sends commands, and hears the accounts' events by `transfer` ──
const TransferDone = event('transfer.done', { data: z.object({ transfer: z.string() }), key: (d) => d.transfer })
const TransferFailed = event('transfer.failed', {
  data: z.object({ transfer: z.string(), reason: z.string() }),
  key: (d) => d.transfer,
})
const Order = z.object({ transfer: z.string(), from: z.string(), to: z.string(), amount: z.number() })
const StartTransfer = command('transfer.start', { data: Order, to: 'transfer', key: (d) => d.transfer })
export const transfer = machine('transfer', {
  data: z.object({ from: z.string(), to: z.string(), amount: z.number(), reason: z.string().default('') }),
  receives: [StartTransfer, Debited, Credited, Refused],
  emits: [Debit, Credit, TransferDone, TransferFailed],
  start: { 'transfer.start': ({ from, to, amount }) => ({ from, to, amount }) },
  correlate: {
    'account.debited': (m) => m.transfer,
    'account.credited': (m) => m.transfer,
    'account.refused': (m) => m.transfer,
  },
  initial: 'debiting',
  states: {
    debiting: {
      emit: { 'account.debit': ({ id, data }) => ({ account: data.from, amount: data.amount, transfer: id }) },
      on: {
        'account.debited': 'crediting',
        'account.refused': { to: 'refused', set: { reason: ({ message }) => message.reason } },
      },
    },
    crediting: {
      emit: { 'account.credit': ({ id, data }) => ({ account: data.to, amount: data.amount, transfer: id }) },
      on: {
        'account.credited': { to: 'done', emit: { 'transfer.done': ({ id }) => ({ transfer: id }) } },
        'account.refused': { to: 'returning', set: { reason: ({ message }) => message.reason } },
      },
    },
    returning: {
      emit: { 'account.credit': ({ id, data }) => ({ account: data.from, amount: data.amount, transfer: id }) },
      on: { 'account.credited': 'refused' },
    },
    done: { final: 'done' },
    refused: {
      emit: { 'transfer.failed': ({ id, data }) => ({ transfer: id, reason: data.reason }) },
      final: 'failed',
    },
  },
})

// ── a transfer to another bank: calls, and undos where a call is done or may be ──
const debit = activity('ledger.debit', {
  input: entry,
  output: z.object({ entry: z.string() }),
  failures: ['Funds'],
  run: ({ transfer }) => ({ entry: `d-${transfer}` }),
})
const credit = activity('ledger.credit', {
  input: entry,
  output: z.object({ entry: z.string() }),
  failures: ['Closed'],
  run: ({ transfer }) => ({ entry: `c-${transfer}` }),
})
const reverse = activity('ledger.reverse', {
  input: z.object({ key: z.string(), entry: z.string().optional() }),
  output: z.object({}),
  run: () => ({}),
}) // the entry made under this key, if there is one
const notice = activity('mail.notice', {
  input: z.object({ template: z.enum(['sent', 'got']), account: z.string() }),
  output: z.object({ id: z.string() }),
  run: ({ account }) => ({ id: `m-${account}` }),
})
const SendAbroad = command('abroad.start', { data: Order, to: 'abroad', key: (d) => d.transfer })
const Recall = command('abroad.recall', {
  data: z.object({ transfer: z.string() }),
  to: 'abroad',
  key: (d) => d.transfer,
})
export const abroad = saga('abroad', { input: Order, start: SendAbroad, cancel: Recall })
  .step('debit', {
    call: debit,
    input: ({ id, input }) => ({ account: input.from, amount: input.amount, transfer: id }),
    undo: { call: reverse, input: ({ step }) => ({ key: step.key, entry: step.result?.entry }) },
  })
  .step('credit', {
    call: credit,
    input: ({ id, input }) => ({ account: input.to, amount: input.amount, transfer: id }),
    within: '2 days',
    otherwise: 'undo',
    undo: { call: reverse, input: ({ step }) => ({ key: step.key }) },
  })
  .pivot()
  .parallel('notices', {
    sent: {
      call: notice,
      input: ({ input }) => ({ template: 'sent', account: input.from }),
      within: '1 hour',
      otherwise: { value: { id: 'none' } },
    },
    got: {
      call: notice,
      input: ({ input }) => ({ template: 'got', account: input.to }),
      within: '1 hour',
      otherwise: { value: { id: 'none' } },
    },
  })
  .emit(TransferDone, ({ id }) => ({ transfer: id }))
  .failed(TransferFailed, ({ id, error }) => ({ transfer: id, reason: `${error.step}: ${error.code}` }))
  .done(({ results }) => ({ entry: results.credit.entry, mail: results.notices.sent.id }))

// ── exactly-once billing: one key for one charge, whatever happens on the way ──
const UsageReported = event('usage.reported', {
  data: z.object({ customer: z.string(), month: z.string(), units: z.number() }),
  key: (d) => d.customer,
})
const InvoicePaid = event('invoice.paid', { data: z.object({ invoice: z.string() }), key: (d) => d.invoice })
const chargeCard = activity('psp.charge', {
  input: z.object({ customer: z.string(), amount: z.number() }),
  output: z.object({ receipt: z.string() }),
  failures: ['Declined'],
  retry: { attempts: 5 },
  run: (_, { idempotencyKey }) => ({ receipt: idempotencyKey }),
})
export const invoice = machine('invoice', {
  data: z.object({ customer: z.string(), units: z.number(), declined: z.number().default(0) }),
  receives: [UsageReported],
  emits: [InvoicePaid],
  start: { 'usage.reported': ({ customer, units }) => ({ customer, units }) },
  correlate: { 'usage.reported': (m) => `${m.customer}/${m.month}` },
  initial: 'charging',
  states: {
    charging: {
      call: chargeCard,
      input: ({ data }) => ({ customer: data.customer, amount: data.units * 3 }),
      key: ({ id, data }) => `${id}/${data.declined}`, // new only after a charge that surely was not made
      done: { to: 'paid', emit: { 'invoice.paid': ({ id }) => ({ invoice: id }) } },
      fail: {
        Declined: {
          to: 'waiting',
          set: { declined: ({ data, error }) => data.declined + (error.outcome === 'not done' ? 1 : 0) },
        },
        other: 'waiting',
      },
    },
    waiting: { after: { '3 days': 'charging' } },
    paid: { final: 'done' },
  },
})

export const app = pawl({
  store: 'sqlite:bank.db',
  services: [service('bank', { machines: [account, transfer, abroad, invoice] })],
})
// The bank's own table and the command commit together.
export const openAccount = (name: string, owner: string) =>
  app.transaction((tx) => {
    if (tx.sql('select 1 from customers where owner = ?', [owner]).length === 0)
      tx.sql('insert into customers values (?)', [owner])
    return tx.send(account, name, Open({ account: name, owner }), { id: `open/${name}`, by: owner })
  })
export async function pay(from: string, amount: number, slip: string) {
  const receipt = await app.send(account, from, Debit({ account: from, amount, transfer: 'atm' }), { id: slip })
  return receipt.outcome === 'applied' && receipt.emitted.some((m) => m.type === 'account.debited')
}
