// A bank: accounts, a transfer between two of them as a machine that listens, a transfer to another bank as a saga, and a bill that is charged
// exactly once. Money in whole cents.
import { activity, command, event, machine, saga, service } from 'pawl'
import * as z from 'zod'

// ── account: the only one who knows its balance ─────────────────────────────────────────────────────────────────

const Entry = z.object({ account: z.string(), amount: z.int().positive(), transfer: z.string() })
const byAccount = ({ account }: { account: string }) => account
export const Opened = event('account.opened', {
  data: z.object({ account: z.string(), owner: z.string() }),
  key: byAccount,
})
export const Debited = event('account.debited', { data: Entry, key: byAccount })
export const Credited = event('account.credited', { data: Entry, key: byAccount })
export const Refused = event('account.refused', {
  data: Entry.extend({ reason: z.enum(['funds', 'closed']) }),
  key: byAccount,
})
export const Open = command('account.open', {
  data: z.object({ account: z.string(), owner: z.string() }),
  to: 'account',
  key: byAccount,
})
export const Close = command('account.close', {
  data: z.object({ account: z.string() }),
  to: 'account',
  key: byAccount,
})
export const Debit = command('account.debit', { data: Entry, to: 'account', key: byAccount })
export const Credit = command('account.credit', { data: Entry, to: 'account', key: byAccount })

const Account = z.object({ owner: z.string(), balance: z.int().nonnegative().default(0) })
export const account = machine('account', {
  data: Account,
  receives: [Open, Close, Debit, Credit],
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
        'account.open': {},
        'account.close': { if: ({ data }) => data.balance === 0, to: 'closed' },
        // A refusal is a fact too, which whoever asked waits for.
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
    },
    // Not final: what is sent here must be answered for ever.
    closed: {
      on: {
        'account.open': { to: 'opening', set: ({ message }) => ({ owner: message.owner }) },
        'account.close': {},
        'account.debit': { emit: { 'account.refused': ({ message }) => ({ ...message, reason: 'closed' }) } },
        'account.credit': { emit: { 'account.refused': ({ message }) => ({ ...message, reason: 'closed' }) } },
      },
    },
  },
})

// ── transfer: between accounts here; it sends commands, and hears the accounts' events by `transfer` ────────────

const byTransfer = ({ transfer }: { transfer: string }) => transfer
export const TransferDone = event('transfer.done', { data: z.object({ transfer: z.string() }), key: byTransfer })
export const TransferFailed = event('transfer.failed', {
  data: z.object({ transfer: z.string(), reason: z.string() }),
  key: byTransfer,
})
const Order = z.object({ transfer: z.string(), from: z.string(), to: z.string(), amount: z.int().positive() })
export const StartTransfer = command('transfer.start', { data: Order, to: 'transfer', key: byTransfer })

const Transfer = z.object({
  from: z.string(),
  to: z.string(),
  amount: z.int().positive(),
  reason: z.string().default(''),
})
export const transfer = machine('transfer', {
  data: Transfer,
  receives: [StartTransfer, Debited, Credited, Refused],
  emits: [Debit, Credit, TransferDone, TransferFailed],
  start: { 'transfer.start': ({ from, to, amount }) => ({ from, to, amount }) },
  correlate: { 'account.debited': byTransfer, 'account.credited': byTransfer, 'account.refused': byTransfer },
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
      on: { 'account.credited': 'refused', 'account.refused': 'held' },
    },
    // Whose money it is has closed the account meanwhile: the money is kept here, and offered again every day.
    held: { after: { '1 day': 'returning' } },
    done: { final: 'done' },
    refused: {
      emit: { 'transfer.failed': ({ id, data }) => ({ transfer: id, reason: data.reason }) },
      final: 'failed',
    },
  },
})

// ── abroad: a transfer to another bank; calls, and undos where a call is done or may be ─────────────────────────

export const debit = activity('ledger.debit', {
  input: Entry,
  output: z.object({ entry: z.string() }),
  failures: ['Funds'],
  run: ({ amount, transfer }, { fail }) => (amount > 100_000 ? fail('Funds') : { entry: `d-${transfer}` }),
})
/** The other bank may be away for days. */
export const credit = activity('ledger.credit', {
  input: Entry,
  output: z.object({ entry: z.string() }),
  failures: ['Closed'],
  retry: { attempts: 1_000, max: '1 hour' },
  run: ({ account, transfer }, { fail }) =>
    account.startsWith('closed') ? fail('Closed') : { entry: `c-${transfer}` },
})
/** The entry that was made under this key, if there is one. */
export const reverse = activity('ledger.reverse', {
  input: z.object({ key: z.string(), entry: z.string().optional() }),
  output: z.object({}),
  run: () => ({}),
})
export const notice = activity('mail.notice', {
  input: z.object({ template: z.enum(['sent', 'got']), account: z.string() }),
  output: z.object({ id: z.string() }),
  run: ({ account }) => ({ id: `m-${account}` }),
})
export const SendAbroad = command('abroad.start', { data: Order, to: 'abroad', key: byTransfer })
export const Recall = command('abroad.recall', {
  data: z.object({ transfer: z.string() }),
  to: 'abroad',
  key: byTransfer,
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
  // A letter that does not arrive stops nobody's money.
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
  .done(({ results }) => ({
    entry: results.credit.entry,
    mails: [results.notices.sent.id, results.notices.got.id],
  }))

// ── invoice: one key for one charge, whatever happens on the way ────────────────────────────────────────────────

export const UsageReported = event('usage.reported', {
  data: z.object({ customer: z.string(), month: z.string(), units: z.int().positive() }),
  key: ({ customer }) => customer,
})
export const InvoicePaid = event('invoice.paid', {
  data: z.object({ invoice: z.string() }),
  key: ({ invoice }) => invoice,
})
export const chargeCard = activity('psp.charge', {
  input: z.object({ customer: z.string(), amount: z.int() }),
  output: z.object({ receipt: z.string() }),
  failures: ['Declined'],
  retry: { attempts: 5 },
  run: (_, { idempotencyKey }) => ({ receipt: idempotencyKey }),
})

const Invoice = z.object({ customer: z.string(), units: z.int(), declined: z.int().default(0) })
export const invoice = machine('invoice', {
  data: Invoice,
  receives: [UsageReported],
  emits: [InvoicePaid],
  start: { 'usage.reported': ({ customer, units }) => ({ customer, units }) },
  correlate: { 'usage.reported': ({ customer, month }) => `${customer}/${month}` },
  initial: 'charging',
  states: {
    charging: {
      call: chargeCard,
      input: ({ data }) => ({ customer: data.customer, amount: data.units * 3 }),
      // New only after a charge that surely was not made.
      key: ({ id, data }) => `${id}/${data.declined}`,
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

export const services = [
  service('accounts', { machines: [account, transfer] }),
  service('abroad', { machines: [abroad] }),
  service('billing', { machines: [invoice] }),
]
