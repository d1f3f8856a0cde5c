// What both ways of registering a user have in common: what a person says, what is done outside, and what the world is told.
import { activity, event } from 'pawl'
import * as z from 'zod'

const OfUser = z.object({ userId: z.string() })
const byUser = ({ userId }: { userId: string }) => userId

// ── what a person says ──────────────────────────────────────────────────────────────────────────────────────────

/** Somebody wants to be a user. */
export const SignedUp = event('user.signed-up', {
  data: OfUser.extend({ email: z.email(), country: z.string() }),
  key: byUser,
})
/** The code of the mail was typed in: rightly, or not. */
export const CodeEntered = event('code.entered', { data: OfUser.extend({ code: z.string() }), key: byUser })
/** They changed their mind before it was done. */
export const Withdrawn = event('user.withdrawn', { data: OfUser, key: byUser })

// ── what the world is told ──────────────────────────────────────────────────────────────────────────────────────

export const UserRegistered = event('user.registered', { data: OfUser, key: byUser })
export const Why = z.enum(['blocked', 'not confirmed', 'withdrawn'])
export const UserRejected = event('user.rejected', { data: OfUser.extend({ why: Why }), key: byUser })

// ── what is done outside ────────────────────────────────────────────────────────────────────────────────────────

export const checkRisk = activity('security.check', {
  input: z.object({ email: z.string(), country: z.string() }),
  output: z.object({ risk: z.number() }),
  failures: ['Blocked'],
  run: ({ email }, { fail }) => (email.endsWith('@spam.test') ? fail('Blocked') : { risk: 1 }),
})
/** Mails a code and answers which; under the same key it is the same one. */
export const sendCode = activity('mail.send-code', {
  input: z.object({ email: z.string() }),
  output: z.object({ code: z.string() }),
  run: (_, { idempotencyKey }) => ({ code: idempotencyKey.slice(0, 6) }),
})
export const welcome = activity('mail.welcome', {
  input: z.object({ email: z.string() }),
  output: z.object({ mail: z.string() }),
  failures: ['Bounced'],
  run: ({ email }) => ({ mail: `welcome-${email}` }),
})

// ── what machines say to one another where nobody conducts ──────────────────────────────────────────────────────

export const UserCleared = event('security.cleared', { data: OfUser, key: byUser })
export const UserBlocked = event('security.blocked', { data: OfUser, key: byUser })
export const EmailConfirmed = event('confirmation.confirmed', { data: OfUser, key: byUser })
export const ConfirmationFailed = event('confirmation.failed', { data: OfUser, key: byUser })

/** Wrong codes, after which nobody believes any more. */
export const WRONG_CODES_MAX = 3
