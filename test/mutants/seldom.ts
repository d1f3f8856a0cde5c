// Breaks that one run in thousands meets: a hunt would take too long, so each has a run that is kept (test/simulation/regressions).
import type { Mutant } from './mutant.ts'

/** Caught by a kept run, not by a hunt. */
export const seldom: readonly Mutant[] = [
  {
    name: 'a-refused-answer-is-left-with-nobody',
    invariants: ['I10'],
    file: 'src/engine/unwritable.ts',
    find: 'await drops(ports, item, instance, message)',
    replace: 'await drops(ports, live === undefined ? { ...item, booked: undefined } : item, live, message)',
    breaks:
      'An activity whose answer the database refuses is never called again: its instance runs for ever with nobody at it.',
    by: ['I10', 'liveness'],
  },
]
