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

/** An attempt has answered, or was given up. */
export function attemptEnded(
  lifecycle: Lifecycle,
  at: number,
  of: AttemptOf,
  ms: number,
  outcome: ResultInput['outcome'],
): void {
  if (!lifecycle.heard) return
  if (outcome.kind === 'done') lifecycle.tell(at, { kind: 'attempt-succeeded', ...told(of), ms })
  else if (outcome.kind === 'failure')
    lifecycle.tell(at, {
      kind: 'attempt-failed',
      ...told(of),
      ms,
      error: { code: outcome.code, message: outcome.message, outcome: 'not done' },
    })
  else if (outcome.kind === 'unknown')
    lifecycle.tell(at, {
      kind: 'attempt-failed',
      ...told(of),
      ms,
      error: { code: 'other', message: outcome.message, outcome: 'unknown' },
    })
}
