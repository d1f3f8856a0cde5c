// I5 calls: one key, after the commit, closed by a success · I6 timers: never early, at least once.
import type { Mutant } from './mutant.ts'

/** Breaks of calls and timers. */
export const calls: readonly Mutant[] = [
  {
    name: 'attempt-number-in-the-key',
    invariants: ['I5'],
    file: 'src/engine/attempt.ts',
    find: 'this.idempotencyKey = of.key',
    replace: 'this.idempotencyKey = of.attempt === 1 ? of.key : `${of.key}-${of.attempt}`',
    breaks: 'A payment whose answer was lost is made again: the provider cannot know that it is the same.',
  },
  {
    name: 'a-retry-has-another-key',
    invariants: ['I5'],
    file: 'src/core/result.ts',
    find: '{ ...failed, nextAt, runner: session }',
    replace: '{ ...failed, nextAt, runner: session, key: `${call.key}x` }',
    breaks: 'A payment whose answer was lost is made again under a key that the provider has never seen.',
    by: ['I5', 'I8'],
  },
  {
    name: 'open-calls-are-forgotten-after-a-crash',
    invariants: ['I5'],
    file: 'src/engine/parts.ts',
    find: 'void recover(ports, fresh)',
    replace: 'void ports',
    breaks: 'The worker dies, another one takes over, and what was being called is never called again.',
    by: ['liveness'],
  },
  {
    name: 'a-failure-of-an-older-attempt-counts',
    invariants: ['I5'],
    file: 'src/core/result.ts',
    find: "if (attempt !== call.attempts + 1) return 'ignored'\n",
    replace: '\n',
    breaks:
      'An attempt that was given up long ago says no, and the order is cancelled while the newer one has succeeded.',
  },
  {
    name: 'unknown-is-forgotten',
    invariants: ['I5', 'I8'],
    file: 'src/core/result.ts',
    find: "outcome: call.unknown ? 'unknown' : 'not done' }",
    replace: "outcome: 'not done' }",
    breaks:
      'After a lost answer a refusal is believed to mean that nothing was done: the first charge is never given back.',
  },
  {
    name: 'a-take-over-forgets-what-may-run',
    invariants: ['I5', 'I8'],
    file: 'src/core/result.ts',
    find: 'attempts: input.attempt, unknown: true, recoveries, runner })',
    replace: 'attempts: input.attempt, recoveries, runner })',
    breaks:
      'The worker dies while a charge is under way; the next refusal is believed, and the charge is never given back.',
  },
  {
    name: 'no-timeout',
    invariants: ['I5', 'I10'],
    file: 'src/engine/attempts.ts',
    find: 'view.timeout = wheel.set(activity.timeoutMs, () => this.#lost(running, `no answer within ${activity.timeoutMs} ms`))',
    replace: '',
    breaks: 'A service that never answers holds its order for ever.',
    by: ['liveness'],
  },
  {
    name: 'timers-a-second-early',
    invariants: ['I6'],
    file: 'src/core/waiting.ts',
    find: 'timer.due <= draft.context.now)',
    replace: 'timer.due <= draft.context.now + 1_000)',
    breaks: 'A reservation that holds for 15 minutes is given up before they are over.',
  },
  {
    name: 'timers-by-the-clock-of-the-worker',
    invariants: ['I6'],
    file: 'src/engine/time.ts',
    find: 'return this.#steady?.at(this.#clock.monotonic()) ?? 0',
    replace: 'return this.#clock.now()',
    breaks: 'A worker whose clock runs ahead fires timers of all that it owns too early.',
  },
  {
    name: 'timer-of-a-group-starts-anew',
    invariants: ['I6'],
    file: 'src/core/entry.ts',
    find: 'if (from === null || !group.states.has(from)) startTimers',
    replace: 'if (from !== undefined) startTimers',
    breaks: 'The deadline of a phase begins anew with each step within it, and never comes.',
    by: ['I6', 'liveness'],
  },
]
