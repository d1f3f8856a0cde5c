// What the runs with injected faults work on: small, quick, and with one of everything that a fault may tear.
//
//   errand   a saga: reserve, charge (either may be refused: then all is undone); tells `errand.paid`, and waits for `echoed`.
//   echo     hears it; rests for a while (a timer), waits for `nudged` from outside, then mails, tells `echoed`, and ends.
//   sleeper  sleeps for 30 days.
//
// The outside is the shop's: a process of its own, with a book of its own.
import { activity, event, implement, machine, pawl, saga, service, type App, type LogRecord } from 'pawl'
import * as z from 'zod'
import type { Outside } from '../../examples/shop/wire.ts'

const OfErrand = z.object({ errand: z.string() })
const byErrand = ({ errand: id }: { errand: string }) => id

const Paid = event('errand.paid', { data: OfErrand, key: byErrand })
const Echoed = event('echoed', { data: OfErrand, key: byErrand })
/** From outside: sent under an id of its own until it is acknowledged. */
export const Nudged = event('nudged', { data: OfErrand, key: byErrand })

const patient = { retry: { attempts: 40, first: '50 ms', max: '500 ms' }, timeout: '1 second' } as const
const ByKey = z.object({ order: z.string(), key: z.string() })
const Nothing = z.object({})
const Of = z.object({ order: z.string() })

const reserve = activity('warehouse.reserve', {
  input: Of.extend({ sku: z.string(), quantity: z.int() }),
  output: z.object({ shelf: z.string() }),
  failures: ['OutOfStock'],
  ...patient,
})
const release = activity('warehouse.release', { input: ByKey, output: Nothing, ...patient })
const charge = activity('bank.charge', {
  input: Of,
  output: z.object({ payment: z.string() }),
  failures: ['Declined'],
  ...patient,
})
const refund = activity('bank.refund', { input: ByKey, output: Nothing, ...patient })
const mail = activity('post.mail', { input: Of, output: z.object({ mail: z.string() }), ...patient })

/** Longer than an attempt may take; what stops a process for longer than that makes it undo. */
export const WITHIN_MS = 2_000

export const errand = saga('errand', { input: z.object({ sku: z.string() }) })
  .step('reserve', {
    call: reserve,
    input: ({ id, input }) => ({ order: id, sku: input.sku, quantity: 1 }),
    undo: { call: release, input: ({ id, step }) => ({ order: id, key: step.key }) },
  })
  .step('charge', {
    call: charge,
    input: ({ id }) => ({ order: id }),
    within: '2 seconds',
    otherwise: 'undo',
    undo: { call: refund, input: ({ id, step }) => ({ order: id, key: step.key }) },
  })
  .pivot()
  .emit(Paid, ({ id }) => ({ errand: id }))
  .wait('echo', { for: Echoed })
  .done(({ results }) => ({ payment: results.charge.payment }))

/** How long an echo rests; of one file always the same. */
export type Rest = '60 ms' | '1500 ms'

/** The machine that rests so long. */
export const echoOf = (rest: Rest) =>
  machine('echo', {
    data: z.object({}),
    receives: [Paid, Nudged],
    emits: [Echoed],
    start: { 'errand.paid': () => ({}) },
    initial: 'resting',
    states: {
      resting: { after: { [rest]: 'listening' } },
      listening: { on: { nudged: 'mailing' } },
      mailing: { call: mail, input: ({ id }) => ({ order: id }), done: 'echoed' },
      echoed: { emit: { echoed: ({ id }) => ({ errand: id }) }, final: 'done' },
    },
  })

export const sleeper = machine('sleeper', {
  data: z.object({}),
  initial: 'asleep',
  states: { asleep: { after: { '30 days': 'awake' } }, awake: { final: 'done' } },
})

/** How an app of errands is opened. */
export interface ErrandOptions {
  readonly db: string
  readonly outside: Outside
  readonly rest: Rest
  readonly log: (record: LogRecord) => void
}

/** The app, not started. Its lease is short, so that a stopped process outlives it soon. */
export function openErrands({ db, outside, rest, log }: ErrandOptions): App {
  const activities = [
    implement(reserve, (input, attempt) => outside.ask('warehouse.reserve', input, attempt)),
    implement(release, (input, attempt) => outside.ask('warehouse.release', input, attempt)),
    implement(charge, (input, attempt) => outside.ask('bank.charge', input, attempt)),
    implement(refund, (input, attempt) => outside.ask('bank.refund', input, attempt)),
    implement(mail, (input, attempt) => outside.ask('post.mail', input, attempt)),
  ]
  return pawl({
    services: [service('errands', { machines: [errand, echoOf(rest), sleeper], activities })],
    store: `sqlite:${db}`,
    lease: '2 seconds',
    grace: '2 seconds',
    log,
  })
}
