// What runs must meet, all together: what is never met was never tried.
import type { SeedsReport } from './seeds.ts'

type Words = Readonly<Record<string, readonly string[]>>

/** Names of the coverage (src/testing/simulation/coverage.ts) that must not be zero, by kind. */
const COVERED: Words = {
  worker: ['started', 'stopped', 'could not start'],
  session: ['partition-acquired', 'partition-lost'],
  health: ['the store is ok', 'the store is full', 'the store is read-only', 'the store is unreachable'],
  instance: ['running', 'waiting', 'done', 'failed', 'cancelled'],
  cause: ['start', 'message', 'result', 'timer', 'child', 'always', 'cancel', 'operator', 'migrate'],
  fate: [
    'applied',
    'ignored',
    'refused',
    'unclaimed',
    'duplicate',
    'discarded',
    'redriven or discarded',
    'late result',
    'waits for state',
    'waits for call',
    'waits for stalled',
    'waits for instance',
    'waits for build',
  ],
  dead: ['BAD_DATA', 'UNKNOWN_INSTANCE', 'KEPT_TOO_LONG'],
  call: [
    'done',
    'done by a later attempt',
    'not done',
    'unknown',
    'unknown, tried again',
    'settled by within',
    'to undo',
    'given up',
    'heartbeat',
  ],
  stall: ['NO_EDGE_FOR_FAILURE', 'RETRIES_EXHAUSTED', 'STORE_REFUSED'],
  timer: ['late'],
  operator: [
    'asks to retry',
    'asks to resolve',
    'asks to move',
    'asks to cancel',
    'asks to redrive',
    'asks to discard',
    'retry applied',
    'retry refused',
    'resolve applied',
    'move applied',
    'discard applied',
  ],
  answer: ['start applied', 'command applied', 'command dead', 'event applied', 'cancel refused', 'remove stored'],
  fault: [
    'a call is lost',
    'a call is slow',
    'applied, and the answer is lost',
    'unknown now, applied later',
    'a take-over between read and lock',
    'a row is refused',
    'the store is full',
    'the store is read-only',
    'messages overtake each other',
    'a worker crashes',
    'a worker stands still',
    'a worker is stopped and started',
    "a worker's clock jumps",
    'the rows of an instance are refused',
    'the store becomes full',
    'the store becomes read-only',
    'activity fails',
    'activity does its work, and its answer is lost',
    'activity never answers',
    'activity answers late',
    'two attempts of one call at once',
    'an attempt of what is settled',
  ],
}

/** What only many runs meet. */
const RARE: Words = {
  stall: ['CHILD_REFUSED', 'CHILD_TAKEN', 'FIELD_MISSING', 'HANDLER_FAILED', 'WITHIN_ELAPSED'],
  dead: ['HANDLER_FAILED'],
}
const MANY = 5_000

const namesOf = (words: Words): readonly string[] =>
  Object.entries(words).flatMap(([kind, list]) => list.map((word) => `${kind} ${word}`))
const names = namesOf(COVERED)

/** Those that these runs had to meet and have not. */
export const unmet = ({ seeds, counts }: Pick<SeedsReport, 'seeds' | 'counts'>): readonly string[] =>
  [...names, ...(seeds < MANY ? [] : namesOf(RARE))].filter((name) => (counts[name] ?? 0) === 0)

/** All counts as lines, by kind; what must be met and was not is there with a zero. */
export function coverageTable(counts: Readonly<Record<string, number>>): string {
  const kinds = new Map<string, string[]>()
  for (const name of [...new Set([...names, ...namesOf(RARE), ...Object.keys(counts)])].toSorted()) {
    const space = name.indexOf(' ')
    const [kind, word] = space < 0 ? ['other', name] : [name.slice(0, space), name.slice(space + 1)]
    const line = `${word} ${counts[name] ?? 0}`
    const lines = kinds.get(kind)
    if (lines === undefined) kinds.set(kind, [line])
    else lines.push(line)
  }
  return Array.from(kinds, ([kind, lines]) => `${kind}: ${lines.join(', ')}`).join('\n')
}
