// Four machines that only listen to one another: nobody conducts, and each could be another team's.
//
//   user          waits for both, security and confirmation, and says how it went
//   security      hears that somebody signed up; says that they are cleared, or blocked
//   confirmation  hears that they are cleared; mails a code, and says whether it came back
//   notification  hears that there is a user, and welcomes them
import { machine, service } from 'pawl'
import * as z from 'zod'
import {
  checkRisk,
  CodeEntered,
  ConfirmationFailed,
  EmailConfirmed,
  sendCode,
  SignedUp,
  UserBlocked,
  UserCleared,
  UserRegistered,
  UserRejected,
  welcome,
  Why,
  Withdrawn,
  WRONG_CODES_MAX,
} from '../messages.ts'

// ── user ────────────────────────────────────────────────────────────────────────────────────────────────────────

const User = z.object({ why: Why.optional() })
export const user = machine('user', {
  data: User,
  receives: [SignedUp, UserBlocked, EmailConfirmed, ConfirmationFailed, Withdrawn],
  emits: [UserRegistered, UserRejected],
  start: { 'user.signed-up': () => ({}) },
  initial: 'open',
  cancel: { to: 'rejected', set: { why: 'withdrawn' } },
  states: {
    // Whichever is heard first is how it ends: what comes later meets an end, and is ignored.
    open: {
      on: {
        'confirmation.confirmed': 'registered',
        'security.blocked': { to: 'rejected', set: { why: 'blocked' } },
        'confirmation.failed': { to: 'rejected', set: { why: 'not confirmed' } },
        'user.withdrawn': { to: 'rejected', set: { why: 'withdrawn' } },
      },
    },
    registered: { emit: { 'user.registered': ({ id }) => ({ userId: id }) }, final: 'done' },
    rejected: {
      emit: { 'user.rejected': ({ id, need }) => ({ userId: id, why: need('why') }) },
      final: 'failed',
    },
  },
})

// ── security ────────────────────────────────────────────────────────────────────────────────────────────────────

const Security = z.object({ email: z.string(), country: z.string() })
export const security = machine('security', {
  data: Security,
  receives: [SignedUp],
  emits: [UserCleared, UserBlocked],
  start: { 'user.signed-up': ({ email, country }) => ({ email, country }) },
  initial: 'checking',
  states: {
    checking: {
      call: checkRisk,
      input: ({ data }) => ({ email: data.email, country: data.country }),
      done: [{ if: ({ result }) => result.risk > 80, to: 'blocked' }, { to: 'cleared' }],
      fail: { Blocked: 'blocked' },
    },
    cleared: { emit: { 'security.cleared': ({ id }) => ({ userId: id }) }, final: 'done' },
    blocked: { emit: { 'security.blocked': ({ id }) => ({ userId: id }) }, final: 'failed' },
  },
})

// ── confirmation ────────────────────────────────────────────────────────────────────────────────────────────────

const Confirmation = z.object({ email: z.string(), code: z.string().optional(), wrong: z.int().default(0) })
export const confirmation = machine('confirmation', {
  data: Confirmation,
  receives: [SignedUp, UserCleared, UserRejected, CodeEntered],
  emits: [EmailConfirmed, ConfirmationFailed],
  start: { 'user.signed-up': ({ email }) => ({ email }) },
  initial: 'waiting',
  groups: {
    // Whoever is rejected needs no code any more; one that is being mailed is waited for.
    open: { states: ['waiting', 'mailing', 'confirming'], on: { 'user.rejected': 'stopped' } },
  },
  states: {
    waiting: { on: { 'security.cleared': 'mailing' } },
    // A code that is typed in before we know which one was sent waits for the next state.
    mailing: {
      call: sendCode,
      input: ({ data }) => ({ email: data.email }),
      done: { to: 'confirming', set: ({ result }) => ({ code: result.code }) },
    },
    confirming: {
      on: {
        'code.entered': [
          { if: ({ data, message }) => message.code === data.code, to: 'confirmed' },
          { if: ({ data }) => data.wrong + 1 >= WRONG_CODES_MAX, to: 'failed' },
          { set: { wrong: ({ data }) => data.wrong + 1 } },
        ],
      },
      after: { '1 day': 'failed' },
    },
    confirmed: { emit: { 'confirmation.confirmed': ({ id }) => ({ userId: id }) }, final: 'done' },
    failed: { emit: { 'confirmation.failed': ({ id }) => ({ userId: id }) }, final: 'failed' },
    stopped: { final: 'cancelled' },
  },
})

// ── notification ────────────────────────────────────────────────────────────────────────────────────────────────

const Notification = z.object({ email: z.string() })
export const notification = machine('notification', {
  data: Notification,
  receives: [SignedUp, UserRegistered, UserRejected],
  start: { 'user.signed-up': ({ email }) => ({ email }) },
  initial: 'listening',
  states: {
    listening: { on: { 'user.registered': 'welcoming', 'user.rejected': 'silent' } },
    // A welcome that bounces makes nobody less of a user.
    welcoming: { call: welcome, input: ({ data }) => ({ email: data.email }), done: 'told', fail: 'untold' },
    told: { final: 'done' },
    untold: { final: 'failed' },
    silent: { final: 'cancelled' },
  },
})

/** Four services: each could be deployed alone. */
export const services = [
  service('users', { machines: [user] }),
  service('security', { machines: [security] }),
  service('confirmations', { machines: [confirmation] }),
  service('notifications', { machines: [notification] }),
]
