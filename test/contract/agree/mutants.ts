// Breaks of either store that the comparison of the two must find, or it proves nothing of them without.
import type { Mutant } from '../../mutants/mutant.ts'

/** A break; which promise it breaks is no concern here. */
export type StoreMutant = Omit<Mutant, 'invariants' | 'by'>

/** Of the SQLite store, then of the model. */
export const storeMutants: readonly StoreMutant[] = [
  {
    name: 'an-update-forgets-when-it-is-due',
    file: 'src/store/sqlite/commit.ts',
    find: "i.status === 'live' && i.dueAt === null ? 'advance' : 'update'",
    replace: "i.status === 'live' ? 'advance' : 'update'",
    breaks: 'A timer that was set on the way is never found after a restart.',
  },
  {
    name: 'a-name-that-came-again-is-lost-in-bulk',
    file: 'src/store/sqlite/ids.ts',
    find: 'if (this.#recent.get(key) === k) this.#recent.delete(key)',
    replace: 'this.#recent.delete(key)',
    breaks: 'An instance that was removed and started again is not found by its name.',
  },
  {
    name: 'the-oldest-receipt-counts',
    file: 'src/store/sqlite/read.ts',
    find: "(row['at'] as number) > (newest['at'] as number)",
    replace: "(row['at'] as number) < (newest['at'] as number)",
    breaks: 'A sender is told for days that his message waits, when it was applied long ago.',
  },
  {
    name: 'one-time-has-two-buckets',
    file: 'src/store/sqlite/buckets.ts',
    find: 'at > this.#since ? this.#ms : this.#msBefore',
    replace: 'this.#ms',
    breaks: 'After a change of retention a receipt of the same ms hides the one that replaced it.',
  },
  {
    name: 'retention-carries-no-refusals',
    file: 'src/store/sqlite/retain.ts',
    find: "['applied', 'ignored', 'refused'] as const",
    replace: "['applied', 'ignored'] as const",
    breaks: 'The law of messages is out of balance after the first night of retention.',
  },
  {
    name: 'orphans-expire-a-ms-late',
    file: 'src/store/sqlite/read.ts',
    find: 'until is not null and until <= ? and',
    replace: 'until is not null and until < ? and',
    breaks: 'The worker wakes for a message that waits in vain, finds none, and wakes again, without rest.',
  },
  {
    name: 'a-page-of-the-ended-begins-with-the-last-of-the-page-before',
    file: 'src/store/sqlite/list.ts',
    find: '(ended_at < ?3 or k < ?4)',
    replace: '(ended_at < ?3 or k <= ?4)',
    breaks: 'Whoever goes through the pages of the ended never comes to their end.',
  },
  {
    name: 'places-begin-again-beside-what-waits',
    file: 'src/store/sqlite/numbers.ts',
    find: 'return { next: ceiling + 1, ceiling }',
    replace: 'return { next: 1, ceiling }',
    breaks: 'After a restart a number is given twice, and the row that had it is in the way.',
  },
  {
    name: 'the-model-forgets-what-a-change-decided',
    file: 'src/store/memory/write.ts',
    find: 'for (const n of rows.unwaiting) space.dropWaiting(n)',
    replace: '',
    breaks: 'The simulation sees messages that wait for ever.',
  },
  {
    name: 'the-model-lets-a-dead-session-commit',
    file: 'src/store/memory/space.ts',
    find: 'this.sessions.delete(id)\n',
    replace: '\n',
    breaks: 'The simulation sees no fence, and proves nothing of take-overs.',
  },
  {
    name: 'the-model-takes-a-row-twice',
    file: 'src/store/memory/write.ts',
    find: 'twice(rows.read) ?? ',
    replace: '',
    breaks: 'An engine that decides twice about one message passes the simulation, and stops on SQLite.',
  },
  {
    name: 'the-model-reads-the-inbox-by-place-alone',
    file: 'src/store/memory/inbox.ts',
    find: 'toSorted((a, b) => b - a)',
    replace: 'toSorted((a, b) => a - b)',
    breaks: 'The simulation tries no message that overtakes by its priority.',
  },
]
