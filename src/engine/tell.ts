// Lifecycle events of attempts.
import type { ResultInput } from '../core/model.ts'
import type { Lifecycle, OfAttempt } from '../observe/lifecycle.ts'
import type { AttemptOf } from './attempt-of.ts'

const told = ({ machine, id, seq, activity, call, key, attempt }: AttemptOf): OfAttempt => ({
  machine,
  id,
  seq,
  activity,
  call,
  key,
  attempt,
})

/** An attempt was started. */
export function attemptStarted(lifecycle: Lifecycle, at: number, of: AttemptOf): void {
  if (lifecycle.heard) lifecycle.tell(at, { kind: 'attempt-started', ...told(of) })
}

/** An attempt has answered, or was given up, and that is committed. `nextAt`: when its call is tried again, ms since 1970. */
export function attemptEnded(
  lifecycle: Lifecycle,
  at: number,
  of: AttemptOf,
  ms: number,
  outcome: ResultInput['outcome'],
  nextAt: number | undefined,
): void {
  const again = nextAt === undefined ? {} : { nextAt: new Date(nextAt) }
  if (outcome.kind === 'done') lifecycle.tell(at, { kind: 'attempt-succeeded', ...told(of), ms })
  else if (outcome.kind === 'failure')
    lifecycle.tell(at, {
      kind: 'attempt-failed',
      ...told(of),
      ms,
      error: { code: outcome.code, message: outcome.message, outcome: 'not done' },
      ...again,
    })
  else if (outcome.kind === 'unknown')
    lifecycle.tell(at, {
      kind: 'attempt-failed',
      ...told(of),
      ms,
      error: { code: 'other', message: outcome.message, outcome: 'unknown' },
      ...again,
    })
}
