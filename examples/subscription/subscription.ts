// A subscription: monthly charges, dunning, change of plan with proration, pause and resume, cancel now or at the end of the period.
import { activity, command, event, machine, service } from 'pawl'
import * as z from 'zod'

// ── what is said ────────────────────────────────────────────────────────────────────────────────────────────────

const Plan = z.enum(['basic', 'pro'])
export const ChangePlan = command('subscription.change', { data: z.object({ plan: Plan, price: z.number() }) })
export const Pause = command('subscription.pause', { data: z.object({ until: z.iso.datetime().optional() }) })
export const Resume = command('subscription.resume', { data: z.object({}) })
export const Cancel = command('subscription.cancel', { data: z.object({ at: z.enum(['now', 'period-end']) }) })
export const CardUpdated = command('card.updated', { data: z.object({ card: z.string() }) })

const byId = ({ id }: { id: string }) => id
export const Renewed = event('subscription.renewed', {
  data: z.object({ id: z.string(), cycle: z.number() }),
  key: byId,
})
export const Dunning = event('subscription.dunning', {
  data: z.object({ id: z.string(), attempt: z.number() }),
  key: byId,
})
const Why = z.enum(['cancelled', 'unpaid'])
export const Ended = event('subscription.ended', { data: z.object({ id: z.string(), why: Why }), key: byId })

// ── what is done outside ────────────────────────────────────────────────────────────────────────────────────────

export const charge = activity('psp.charge', {
  input: z.object({ card: z.string(), amount: z.number(), invoice: z.string() }),
  output: z.object({ receipt: z.string() }),
  failures: ['Declined', 'CardExpired'],
  run: ({ card, invoice }, { fail }) => (card.startsWith('expired') ? fail('CardExpired') : { receipt: invoice }),
})

// ── time ────────────────────────────────────────────────────────────────────────────────────────────────────────

/** The 31st becomes the last day of a shorter month. */
export function plusMonths(iso: string, n: number): Date {
  const date = new Date(iso)
  const day = date.getUTCDate()
  date.setUTCDate(1)
  date.setUTCMonth(date.getUTCMonth() + n)
  const lastDay = new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0)).getUTCDate()
  date.setUTCDate(Math.min(day, lastDay))
  return date
}

/** The share of the month that is paid and not used yet: 0 when it is over. */
const unused = ({ anchor, months }: { anchor: string; months: number }, now: Date): number => {
  const from = plusMonths(anchor, months - 1).getTime()
  const to = plusMonths(anchor, months).getTime()
  return Math.max(0, (to - now.getTime()) / (to - from))
}

const PATIENCE = ['1 day', '3 days', '6 days'] as const

// ── subscription ────────────────────────────────────────────────────────────────────────────────────────────────

// `months` counts from `anchor`, which moves when a pause ends; `cycle` counts all that was paid. `credit` is taken off the next charge; where it
// is negative, a better plan was used before it was paid for.
const Subscription = z.object({
  plan: Plan,
  price: z.number(),
  card: z.string(),
  anchor: z.string(),
  months: z.number().default(0),
  cycle: z.number().default(0),
  attempt: z.number().default(0),
  credit: z.number().default(0),
  ending: z.boolean().default(false),
  why: Why.default('cancelled'),
  resumeAt: z.string().optional(),
})
export const subscription = machine('subscription', {
  data: Subscription,
  receives: [ChangePlan, Pause, Resume, Cancel, CardUpdated],
  emits: [Renewed, Dunning, Ended],
  initial: 'charging',
  cancel: 'ended',
  groups: {
    living: {
      states: ['charging', 'active', 'dunning', 'paused'],
      on: {
        // Stays, so at once, even while charging.
        'card.updated': { set: { card: ({ message }) => message.card } },
        'subscription.change': {
          set: ({ data, message, now }) => ({
            plan: message.plan,
            price: message.price,
            credit: data.credit + Math.round((data.price - message.price) * unused(data, now)),
          }),
        },
        // Leaving waits for an open charge.
        'subscription.cancel': [{ if: ({ message }) => message.at === 'now', to: 'ended' }, { set: { ending: true } }],
        // Where nothing is paused it is dropped: it must not end the next pause.
        'subscription.resume': {},
      },
    },
  },
  states: {
    charging: {
      call: charge,
      input: ({ id, data }) => ({
        card: data.card,
        amount: Math.max(0, data.price - data.credit),
        invoice: `${id}/${data.cycle}`,
      }),
      // Any string: what is sent is a hash of it.
      key: ({ id, data }) => `${id}/${data.cycle}/${data.attempt}`,
      done: {
        to: 'active',
        set: ({ data }) => ({
          cycle: data.cycle + 1,
          months: data.months + 1,
          attempt: 0,
          credit: Math.max(0, data.credit - data.price),
        }),
        emit: { 'subscription.renewed': ({ id, data }) => ({ id, cycle: data.cycle }) },
      },
      fail: {
        // Another attempt, and so another key, only if this one surely took no money.
        Declined: {
          to: 'dunning',
          set: { attempt: ({ data, error }) => data.attempt + (error.outcome === 'not done' ? 1 : 0) },
        },
        CardExpired: {
          to: 'dunning',
          set: { attempt: ({ data, error }) => data.attempt + (error.outcome === 'not done' ? 1 : 0) },
        },
      },
    },
    active: {
      after: [{ name: 'renew', at: ({ data }) => plusMonths(data.anchor, data.months), to: 'renewing' }],
      on: {
        'subscription.pause': {
          if: ({ data }) => !data.ending,
          to: 'paused',
          set: ({ data, message, now }) => ({
            resumeAt: message.until,
            credit: data.credit + Math.round(data.price * unused(data, now)),
          }),
        },
      },
    },
    renewing: { always: [{ if: ({ data }) => data.ending, to: 'ended' }, { to: 'charging' }] },
    dunning: {
      emit: { 'subscription.dunning': ({ id, data }) => ({ id, attempt: data.attempt }) },
      always: [
        { if: ({ data }) => data.ending, to: 'ended' },
        { if: ({ data }) => data.attempt > PATIENCE.length, to: 'ended', set: { why: 'unpaid' } },
      ],
      after: [{ name: 'try again', in: ({ data }) => PATIENCE[data.attempt - 1] ?? '1 hour', to: 'charging' }],
      on: {
        'card.updated': { to: 'charging', set: { card: ({ message }) => message.card } },
        // Nothing is paid for: there is no period to wait for the end of, and none to pause.
        'subscription.cancel': 'ended',
        'subscription.pause': {},
      },
    },
    paused: {
      after: [{ name: 'resume', at: ({ data }) => data.resumeAt ?? null, to: 'resuming' }],
      on: {
        'subscription.resume': 'resuming',
        'subscription.change': { set: ({ message }) => ({ plan: message.plan, price: message.price }) },
        'subscription.cancel': 'ended',
        // Who clicks twice does not pause what is resumed later.
        'subscription.pause': {},
      },
    },
    // A new month begins, less what was left of the one in which it was paused.
    resuming: {
      always: [{ to: 'charging', set: { resumeAt: undefined, anchor: ({ now }) => now.toISOString(), months: 0 } }],
    },
    ended: { emit: { 'subscription.ended': ({ id, data }) => ({ id, why: data.why }) }, final: 'done' },
  },
})

export const services = [service('billing', { machines: [subscription] })]
