// What a dispatch answers.
import type { Before, Draft } from './draft.ts'
import { heldByCall } from './draft.ts'
import type { ChildRecord, Fate, Instance, JournalEntry, RefusedWhy, Waiting } from './model.ts'
import type { CallFailure } from '../machine/definition.ts'
import type { Decided } from './waiting.ts'

/** What became of an input. */
export interface Ended {
  /** `noted`: nothing to tell (a result of several, a notice, a wake-up); `late`: nobody waited for it; `exists`, `conflict`,
   *  `taken`: a start met an instance (with the same input, with another, of another parent); `unknown`: a command to nobody;
   *  `absent`: an event for an instance that may still come; `build`: this build does not know the machine, type or version;
   *  `bad`: an operator's action that cannot be done. */
  readonly fate: Fate | 'noted' | 'late' | 'exists' | 'conflict' | 'taken' | 'unknown' | 'absent' | 'build' | 'bad'
  readonly why?: RefusedWhy
  /** Of `dead` and `bad`. */
  readonly code?: string
  readonly message?: string
  /** What the input waits for, where its fate is `deferred`. */
  readonly waitsFor?: Waiting['why']
}

/** What one input did. */
export interface Outcome extends Ended {
  readonly instance: Instance | null
  /** It was not there before, or it got a new life. */
  readonly created: boolean
  readonly journal: readonly JournalEntry[]
  /** How many of these rows, the first ones, the input itself made; the others were made by what had waited. */
  readonly own: number
  /** What waits now: rows that are gone were decided about, rows may have changed. */
  readonly waiting: readonly Waiting[]
  readonly decided: readonly Decided[]
  readonly children: ReadonlyMap<string, ChildRecord>
  /** Keys of the calls that were opened since the last commit: nobody has started them. */
  readonly fresh: readonly string[]
  /** Of a result: how its attempt failed, as it is booked. Absent: it succeeded, or it counts for nothing. */
  readonly failed?: CallFailure
}

const UNCHANGED = { created: false, journal: [], own: 0, decided: [] } as const
/** Nothing has changed. */
export const nothing = (before: Before, ended: Ended): Outcome => ({ ...before, ...UNCHANGED, ...ended })

/** When something falls due that only the store remembers. What an open call holds back is found again by that call. */
function dueAt(draft: Draft): number | null {
  const { now, leaseMs } = draft.context
  const { status, timers, calls } = draft.next
  if (status !== 'live') return null
  let due = Infinity
  if (timers !== null) {
    const held = heldByCall(draft)
    for (const timer of Object.values(timers)) if (!(held && timer.due <= now)) due = Math.min(due, timer.due)
  }
  for (const name in calls) {
    const { settled, deadlineAt = Infinity, nextAt = -Infinity } = calls[name]!
    if (settled === undefined) due = Math.min(due, deadlineAt, nextAt - now >= leaseMs ? nextAt : Infinity)
  }
  for (const { until } of draft.waiting) due = Math.min(due, until ?? Infinity)
  return due === Infinity ? null : due
}

/** The next snapshot; the one of before where nothing has changed. */
function snapshot(draft: Draft): Instance {
  const { base, next } = draft
  next.dueAt = dueAt(draft)
  // A draft ends here, so `next` is nobody's any more.
  return next.seq === base.seq && isSame(next, base) ? base : Object.freeze(next)
}

function isSame(next: Instance, base: Instance): boolean {
  for (const field in base) if (next[field as keyof Instance] !== base[field as keyof Instance]) return false
  return true
}

/** What has become of a draft. */
export function outcomeOf(
  draft: Draft,
  ended: Ended,
  own: number,
  decided: readonly Decided[],
  created: boolean,
): Outcome {
  const { journal, waiting, children, fresh, failed } = draft
  const instance = snapshot(draft)
  const outcome = { ...ended, instance, created, journal, own, waiting, decided, children, fresh }
  return failed === undefined ? outcome : { ...outcome, failed }
}
