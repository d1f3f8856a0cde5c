// A loan: two checks at once, a person's decision, a signature, the payment; and version 2 of it while loans of version 1 are alive.
import { activity, command, contract, implement, machine, service, type App } from 'pawl'
import * as z from 'zod'

// ── what is said ─────────────────────────────────────────────────────────────────────────────────────────────────

export const Sign = command('loan.sign', { data: z.object({ by: z.string() }) })
export const Decide = command('loan.decide', { data: z.object({ ok: z.boolean(), by: z.string() }) })

// ── what is done outside ─────────────────────────────────────────────────────────────────────────────────────────

export const bureau = activity('bureau.score', {
  input: z.object({ person: z.string() }),
  output: z.object({ score: z.number() }),
  failures: ['Unknown'],
})
export const fraud = activity('fraud.check', {
  input: z.object({ person: z.string(), cents: z.number() }),
  output: z.object({ risk: z.number() }),
  failures: ['Blocked'],
})
export const pay = activity('bank.pay', {
  input: z.object({ person: z.string(), cents: z.number() }),
  output: z.object({ transfer: z.string() }),
  retry: { attempts: 4, first: '1 second', factor: 4, within: '10 minutes' },
})
export const bodies = [
  implement(bureau, ({ person }, { fail }) => (person === 'nobody' ? fail('Unknown') : { score: 700 })),
  implement(fraud, ({ cents }) => ({ risk: cents > 10_000_00 ? 0.5 : 0.1 })),
  implement(pay, (_, { idempotencyKey }) => ({ transfer: idempotencyKey })),
]

// ── version 2 ────────────────────────────────────────────────────────────────────────────────────────────────────

/** Version 1 as it was: this is all that has to be kept of it. */
const loan1 = contract('loan', {
  version: 1,
  data: z.object({ person: z.string(), amount: z.number(), score: z.number().optional() }),
  states: ['scoring', 'review', 'signing', 'paying', 'paid', 'refused'],
  finals: ['paid', 'refused'],
})
const Loan = z.object({
  person: z.string(),
  cents: z.number(),
  score: z.number().optional(),
  risk: z.number().default(1),
  refusal: z.enum(['unknown', 'fraud', 'declined', 'withdrawn', 'unsigned']).optional(),
  transfer: z.string().optional(),
})
export const loan = machine('loan', {
  version: 2,
  data: Loan,
  receives: [Sign, Decide],
  initial: 'assessing',
  // While it is being paid, this waits, and then comes too late.
  cancel: { to: 'refused', set: { refusal: 'withdrawn' } },
  states: {
    assessing: {
      call: { bureau, fraud },
      input: {
        bureau: ({ data }) => ({ person: data.person }),
        fraud: ({ data }) => ({ person: data.person, cents: data.cents }),
      },
      done: { to: 'routing', set: ({ results }) => ({ score: results.bureau.score, risk: results.fraud.risk }) },
      fail: {
        Unknown: {
          to: 'refused',
          set: ({ results, errors }) => ({
            refusal: errors.fraud?.code === 'Blocked' ? 'fraud' : 'unknown',
            risk: results.fraud?.risk ?? 1,
          }),
        },
        Blocked: { to: 'refused', set: { refusal: 'fraud' } },
        // One of them does not answer: a person decides, unless the other has said enough.
        other: [
          { if: ({ errors }) => errors.fraud?.code === 'Blocked', to: 'refused', set: { refusal: 'fraud' } },
          { to: 'underwriting', set: ({ results }) => ({ risk: results.fraud?.risk ?? 1 }) },
        ],
      },
    },
    routing: {
      always: [{ if: ({ data }) => data.cents < 100_000_00 && data.risk < 0.2, to: 'signing' }, { to: 'underwriting' }],
    },
    underwriting: {
      on: {
        'loan.decide': [
          { if: ({ message }) => message.ok, to: 'signing' },
          { to: 'refused', set: { refusal: 'declined' } },
        ],
      },
    },
    signing: {
      on: { 'loan.sign': { if: ({ data, message }) => message.by === data.person, to: 'paying' } },
      after: { '30 days': { to: 'refused', set: { refusal: 'unsigned' } } },
    },
    // Retries used up: it stalls here, for whether it was paid is not known.
    paying: {
      call: pay,
      input: ({ data }) => ({ person: data.person, cents: data.cents }),
      done: { to: 'paid', set: { transfer: ({ result }) => result.transfer } },
    },
    paid: { final: 'done' },
    refused: { final: 'failed' },
  },
  migrate: {
    1: {
      from: loan1,
      // A score that is being asked for is asked for again, with the fraud check. A payment on its way is kept, with its key.
      to: ({ state, data, calls }) => ({
        state: state === 'scoring' ? 'assessing' : state === 'review' ? 'underwriting' : state,
        data: { person: data.person, cents: data.amount * 100, score: data.score, risk: 1 },
        calls: calls.includes('bureau.score') ? 'drop' : 'keep',
      }),
    },
  },
})

export const services = [service('loans', { machines: [loan], activities: bodies })]

// ── operators ────────────────────────────────────────────────────────────────────────────────────────────────────

/** The payment's outcome is unknown, so nobody guesses: the bank is asked, and its answer settles the call. */
export async function settleStalledPayments(
  app: App,
  askBank: (person: string) => Promise<string | null>,
  by: string,
): Promise<void> {
  for (const { id, data } of (await app.list(loan, { state: 'paying', status: 'stalled' })).items) {
    const transfer = await askBank(data.person)
    if (transfer === null) await app.operate.retry(loan, id, { why: 'the bank knows nothing of it', by, newKey: true })
    else await app.operate.resolve(loan, id, { result: { transfer }, why: 'the bank has paid it', by })
  }
}

/** A line for each thing that has happened to a loan, whatever version it had then. */
export async function audit(app: App, id: string): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const { seq, from, to, cause, changed, by, why } of app.get(loan, id).history())
    lines.push([seq, `${from ?? ''} → ${to}`, cause.kind, cause.name, JSON.stringify(changed), by, why].join(' '))
  return lines
}
