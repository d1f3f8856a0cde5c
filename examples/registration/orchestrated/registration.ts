// One machine that conducts: it checks, mails a code, waits for it, and welcomes. The whole process is on one page, and so is its every race.
import { machine, service } from 'pawl'
import * as z from 'zod'
import {
  checkRisk,
  CodeEntered,
  sendCode,
  SignedUp,
  UserRegistered,
  UserRejected,
  welcome,
  Why,
  Withdrawn,
  WRONG_CODES_MAX,
} from '../messages.ts'

const Registration = z.object({
  email: z.string(),
  country: z.string(),
  code: z.string().optional(),
  wrong: z.int().default(0),
  why: Why.optional(),
})
export const user = machine('user', {
  data: Registration,
  receives: [SignedUp, CodeEntered, Withdrawn],
  emits: [UserRegistered, UserRejected],
  start: { 'user.signed-up': ({ email, country }) => ({ email, country }) },
  initial: 'checking',
  cancel: { to: 'rejected', set: { why: 'withdrawn' } },
  groups: {
    // A call is never left open: who withdraws while a mail is sent is out when it is.
    open: {
      states: ['checking', 'mailing', 'confirming'],
      on: { 'user.withdrawn': { to: 'rejected', set: { why: 'withdrawn' } } },
    },
  },
  states: {
    checking: {
      call: checkRisk,
      input: ({ data }) => ({ email: data.email, country: data.country }),
      done: [{ if: ({ result }) => result.risk > 80, to: 'rejected', set: { why: 'blocked' } }, { to: 'mailing' }],
      fail: { Blocked: { to: 'rejected', set: { why: 'blocked' } } },
    },
    // A code that is typed in before we know which one was sent waits for the next state.
    mailing: {
      call: sendCode,
      input: ({ data }) => ({ email: data.email }),
      done: { to: 'confirming', set: ({ result }) => ({ code: result.code }) },
    },
    confirming: {
      on: {
        'code.entered': [
          { if: ({ data, message }) => message.code === data.code, to: 'welcoming' },
          { if: ({ data }) => data.wrong + 1 >= WRONG_CODES_MAX, to: 'rejected', set: { why: 'not confirmed' } },
          { set: { wrong: ({ data }) => data.wrong + 1 } },
        ],
      },
      after: { '1 day': { to: 'rejected', set: { why: 'not confirmed' } } },
    },
    // A welcome that bounces makes nobody less of a user.
    welcoming: {
      emit: { 'user.registered': ({ id }) => ({ userId: id }) },
      call: welcome,
      input: ({ data }) => ({ email: data.email }),
      done: 'registered',
      fail: 'registered',
    },
    registered: { final: 'done' },
    rejected: {
      emit: { 'user.rejected': ({ id, need }) => ({ userId: id, why: need('why') }) },
      final: 'failed',
    },
  },
})

export const services = [service('registration', { machines: [user] })]
