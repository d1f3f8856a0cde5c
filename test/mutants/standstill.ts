// I10 nothing blocks anything else: what is broken stops only itself, and all the rest comes to its end.
import type { Mutant } from './mutant.ts'

/** Breaks that let one thing stop another, or itself without a word. */
export const standstill: readonly Mutant[] = [
  {
    name: 'a-bad-row-ends-the-worker',
    invariants: ['I10'],
    file: 'src/engine/flight.ts',
    find: "if (result.kind === 'rejected') await this.#narrower(flight.batch, result.error)",
    replace: "if (result.kind === 'rejected') this.#ports.broken(result.error)",
    breaks: 'One row that the database refuses ends one worker after another.',
    by: ['I10', 'engine'],
  },
  {
    name: 'poison-stalls-its-instance',
    invariants: ['I10'],
    file: 'src/core/transition.ts',
    find: 'if (!stalls(error)) return dead',
    replace: 'if (stalls(error) && dead === undefined) return dead',
    breaks: 'One message without a field stops the account that it was sent to, and all that comes after.',
  },
  {
    name: 'an-ended-child-is-not-told',
    invariants: ['I10'],
    file: 'src/engine/book.ts',
    find: 'if (instance === null || instance.parent === null) return\n',
    replace: "if (instance === null || instance.parent === null || instance.status === 'done') return\n",
    breaks: 'A cluster waits for ever for a node that was deleted long ago.',
    by: ['I10', 'liveness'],
  },
  {
    name: 'a-full-disk-ends-the-worker',
    invariants: ['I10'],
    file: 'src/engine/commit.ts',
    find: "case 'full':\n        case 'read-only':\n          onStore(result.kind, result.error)\n          break",
    replace: "case 'full':\n        case 'read-only':\n          return { kind: 'broken', error: result.error }",
    breaks: 'A disk that is full for a minute ends all workers, instead of stopping them for that minute.',
    by: ['engine'],
  },
  {
    name: 'a-body-that-never-ends-holds-the-undo',
    invariants: ['I8', 'I10'],
    file: 'src/engine/given-up.ts',
    find: 'this.#overdueNow(body)\n        resolve(false)',
    replace: 'this.#overdueNow(body)',
    breaks: 'A service that never answers keeps a saga from being undone.',
    by: ['liveness'],
  },
  {
    name: 'a-bad-row-is-tried-for-ever',
    invariants: ['I10'],
    file: 'src/engine/flight.ts',
    find: 'if (!alone || only === undefined) return',
    replace: 'if (!alone || only !== undefined) return',
    breaks: 'One row that the database refuses stops every instance of its worker.',
    by: ['I10', 'liveness'],
  },
]
