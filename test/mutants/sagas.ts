// I8 a saga that fails undoes what is done or may be, last first.
import type { Mutant } from './mutant.ts'

/** Breaks of the way back. */
export const sagas: readonly Mutant[] = [
  {
    name: 'undo-skips-the-unknown',
    invariants: ['I8'],
    file: 'src/machine/saga-data.ts',
    find: "error === undefined ? 'done' : error.outcome === 'unknown' ? 'unknown' : undefined",
    replace: "error === undefined ? 'done' : undefined",
    breaks: 'A charge whose answer was lost is not given back, though the customer gets nothing.',
  },
  {
    name: 'undo-asks-only-for-the-done',
    invariants: ['I8'],
    file: 'src/machine/saga-compile.ts',
    find: 'if (call.undo === undefined || tried === undefined) continue',
    replace: "if (call.undo === undefined || tried?.outcome !== 'done') continue",
    breaks: 'The saga comes to the undo of a step that may have happened, and leaves it out.',
  },
  {
    name: 'undo-forward',
    invariants: ['I8'],
    file: 'src/machine/saga-compile.ts',
    find: '    .toReversed()\n',
    replace: '\n',
    breaks: 'The goods are released while they are still paid for: first done is first undone.',
  },
  {
    name: 'undo-of-one-branch',
    invariants: ['I8'],
    file: 'src/machine/saga-compile.ts',
    find: 'for (const call of step.calls) {\n    const tried',
    replace: 'for (const call of step.calls.slice(0, 1)) {\n    const tried',
    breaks: 'Of two payments side by side one is given back.',
  },
  {
    name: 'cancel-forgets-the-present-step',
    invariants: ['I8'],
    file: 'src/machine/saga-compile.ts',
    find: 'return wayBack([...before, step], (given) => triedOf(step, given), set)',
    replace: 'return wayBack(before, (given) => dataOf(given).steps ?? {}, set)',
    breaks: 'Who cancels while the payment is under way is not paid back.',
  },
  {
    name: 'late-means-not-done',
    invariants: ['I8'],
    file: 'src/core/result.ts',
    find: "settledBy({ code: 'within', message, outcome: 'unknown' })",
    replace: "settledBy({ code: 'within', message, outcome: 'not done' })",
    breaks: 'A payment that took too long is believed not made, and is never given back.',
  },
  {
    name: 'undo-gives-up',
    invariants: ['I8'],
    file: 'src/machine/saga-compile.ts',
    find: "cancelRule: 'undoing',",
    replace:
      "cancelRule: 'undoing',\n    fail: new Map([['*', wayBack(before, (given) => dataOf(given).steps ?? {}, undefined)]]),",
    breaks: 'When the refund fails five times the saga ends as undone, and the money is gone.',
  },
]
