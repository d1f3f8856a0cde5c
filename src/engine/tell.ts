// Lifecycle events of attempts.
import type { ResultInput } from '../core/model.ts'
import type { CallFailure } from '../machine/definition.ts'
import type { Lifecycle, OfAttempt } from '../observe/lifecycle.ts'
import type { AttemptOf } from './attempt-of.ts'
import type { Booked } from './mailbox.ts'

const told = <K extends string>(kind: K, of: AttemptOf): OfAttempt & { readonly kind: K } => {
  const { machine, id, seq, activity, call, key, attempt } = of
  return { kind, machine, id, seq, activity, call, key, attempt }
}

/** An attempt was started. */
export function attemptStarted(lifecycle: Lifecycle, at: number, of: AttemptOf): void {
  if (lifecycle.heard) lifecycle.tell(at, told('attempt-started', of))
}

/** How an attempt failed that counts for nothing: it was not the newest, or its call is settled. */
function failureOf(outcome: ResultInput['outcome']): CallFailure | undefined {
  if (outcome.kind === 'unknown') return { code: 'other', message: outcome.message, outcome: 'unknown' }
  if (outcome.kind !== 'failure') return undefined
  const { kind: _, ...failure } = outcome
  return { ...failure, outcome: 'not done' }
}

/** An attempt has answered, or was given up, and that is committed: it is told as it was booked. A success is a failure there where its output does not fit. */
export function attemptEnded(
  lifecycle: Lifecycle,
  at: number,
  of: AttemptOf,
  ms: number,
  outcome: ResultInput['outcome'],
  { nextAt, failed }: Booked,
): void {
  const error = failed ?? failureOf(outcome)
  if (error !== undefined) {
    const again = nextAt === undefined ? {} : { nextAt: new Date(nextAt) }
    lifecycle.tell(at, { ...told('attempt-failed', of), ms, error, ...again })
  } else if (outcome.kind === 'done') lifecycle.tell(at, { ...told('attempt-succeeded', of), ms })
}
