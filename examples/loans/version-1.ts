// The loan before version 2: no fraud check, whole euros, and a person who looks at each. Nothing of it is needed any more; it is here so that
// there are loans of it to be migrated.
import { machine } from 'pawl'
import * as z from 'zod'
import { bureau, Decide, pay, Sign } from './loans.ts'

export const firstLoan = machine('loan', {
  version: 1,
  data: z.object({ person: z.string(), amount: z.number(), score: z.number().optional() }),
  receives: [Sign, Decide],
  initial: 'scoring',
  states: {
    scoring: {
      call: bureau,
      input: ({ data }) => ({ person: data.person }),
      done: { to: 'review', set: ({ result }) => result },
      fail: { Unknown: 'refused' },
    },
    review: { on: { 'loan.decide': [{ if: ({ message }) => message.ok, to: 'signing' }, { to: 'refused' }] } },
    signing: { on: { 'loan.sign': 'paying' }, after: { '30 days': 'refused' } },
    paying: {
      call: pay,
      input: ({ data }) => ({ person: data.person, cents: data.amount * 100 }),
      done: 'paid',
    },
    paid: { final: 'done' },
    refused: { final: 'failed' },
  },
})
