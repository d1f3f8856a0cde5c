// A subscription: monthly charges, dunning, change of plan with proration, pause and resume, cancel now or at the end of the period.
// Shows: timers computed from data (`at`, `in`, null for never), `now`, a group whose edges stay or leave, `'x': {}` for what comes too early,
// an idempotency key of its own, `ifSeq`.
import * as z from 'zod'
import { event, command, activity, machine, service, pawl } from './api.ts'

const Plan = z.enum(['basic', 'pro'])
const ChangePlan = command('subscription.change', { data: z.object({ plan: Plan, price: z.number() }) })
const Pause = command('subscription.pause', { data: z.object({ until: z.string().optional() }) })
const Resume = command('subscription.resume', { data: z.object({}) })
const Cancel = command('subscription.cancel', { data: z.object({ at: z.enum(['now', 'period-end']) }) })
const CardUpdated = command('card.updated', { data: z.object({ card: z.string() }) })
const Renewed = event('subscription.renewed', {
  data: z.object({ id: z.string(), cycle: z.number() }),
  key: (d) => d.id,
})
const Dunning = event('subscription.dunning', {
  data: z.object({ id: z.string(), attempt: z.number() }),
  key: (d) => d.id,
})
const Ended = event('subscription.ended', {
  data: z.object({ id: z.string(), why: z.enum(['cancelled', 'unpaid']) }),
  key: (d) => d.id,
})
const charge = activity('psp.charge', {
  input: z.object({ card: z.string(), amount: z.number(), invoice: z.string() }),
  output: z.object({ receipt: z.string() }),
  failures: ['Declined', 'CardExpired'],
  run: ({ card, invoice }, { fail }) => (card === '' ? fail('CardExpired') : { receipt: invoice }),
})

// The 31st becomes the last day of a shorter month.
function plusMonths(iso: string, n: number) {
  const d = new Date(iso),
    day = d.getUTCDate()
  d.setUTCDate(1)
  d.setUTCMonth(d.getUTCMonth() + n)
  d.setUTCDate(Math.min(day, new Date(Date.UTC(d.getUTCFullYear(), d.getUTCMonth() + 1, 0)).getUTCDate()))
  return d
}
// `months` counts from `anchor`, which moves when a pause ends; `cycle` counts all that was paid.
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
  why: z.enum(['cancelled', 'unpaid']).default('cancelled'),
  resumeAt: z.string().optional(),
})
const unused = (data: z.infer<typeof Subscription>, now: Date) => {
  const from = plusMonths(data.anchor, data.months - 1).getTime(),
    to = plusMonths(data.anchor, data.months).getTime()
  return Math.round(data.price * Math.max(0, (to - now.getTime()) / (to - from)))
}
const wait = ['1 day', '3 days', '6 days'] as const

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
        'card.updated': { set: { card: ({ message }) => message.card } }, // stays, so at once, even while charging
        'subscription.change': {
          set: ({ data, message, now }) => ({
            plan: message.plan,
            price: message.price,
            credit: data.credit + unused(data, now),
          }),
        },
        'subscription.cancel': [{ if: ({ message }) => message.at === 'now', to: 'ended' }, { set: { ending: true } }], // leaving waits for an open charge
        'subscription.resume': {}, // where nothing is paused it is dropped: it must not end the next pause
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
      key: ({ id, data }) => `${id}/${data.cycle}/${data.attempt}`, // any string: what is sent is a hash of it
      done: {
        to: 'active',
        set: ({ data }) => ({ cycle: data.cycle + 1, months: data.months + 1, attempt: 0, credit: 0 }),
        emit: { 'subscription.renewed': ({ id, data }) => ({ id, cycle: data.cycle }) },
      },
      fail: {
        // another attempt, and so another key, only if this one surely took no money
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
      on: { 'subscription.pause': { to: 'paused', set: { resumeAt: ({ message }) => message.until } } },
    },
    renewing: { always: [{ if: ({ data }) => data.ending, to: 'ended' }, { to: 'charging' }] },
    dunning: {
      emit: { 'subscription.dunning': ({ id, data }) => ({ id, attempt: data.attempt }) },
      always: [{ if: ({ data }) => data.attempt > wait.length, to: 'ended', set: { why: 'unpaid' } }],
      after: [{ name: 'try again', in: ({ data }) => wait[data.attempt - 1] ?? '1 hour', to: 'charging' }],
      on: { 'card.updated': { to: 'charging', set: { card: ({ message }) => message.card } } },
    },
    paused: {
      after: [{ name: 'resume', at: ({ data }) => data.resumeAt ?? null, to: 'resuming' }],
      on: { 'subscription.resume': 'resuming' },
    },
    resuming: {
      always: [{ to: 'active', set: { resumeAt: undefined, anchor: ({ now }) => now.toISOString(), months: 1 } }],
    },
    ended: { emit: { 'subscription.ended': ({ id, data }) => ({ id, why: data.why }) }, final: 'done' },
  },
})

export const app = pawl({
  store: 'sqlite:subscriptions.db',
  services: [service('billing', { machines: [subscription] })],
})
// The page showed a price; change the plan only if nothing has happened since. `seq` is what the page was made from (HTTP: If-Match).
export async function changePlan(id: string, plan: 'basic' | 'pro', price: number, seq: number, user: string) {
  const receipt = await app.send(subscription, id, ChangePlan({ plan, price }), { ifSeq: seq, by: user })
  if (receipt.outcome === 'refused')
    return new Response(`${receipt.state}, ${receipt.why}`, { status: receipt.why === 'seq' ? 412 : 409 })
  return new Response(receipt.outcome, { status: receipt.outcome === 'applied' ? 200 : 202 })
}
