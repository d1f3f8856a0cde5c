// The questions that the bench answers: the rows of each, and what their figures are to be.
import { KEPT_MS } from './app.ts'
import type { Aims, Row } from './row.ts'

/** What the rows of all questions are measured with. */
export interface Sizes {
  /** `sqlite` is a file in the folder for temporary files, `sqlite:<path>` one on a disk of your choice, `memory` no file. */
  readonly store: string
  /** Processes under way at once: one row for each number. Default: what the question says. */
  readonly inFlight?: readonly number[]
  /** How long each row is measured, after a second of warming up. */
  readonly seconds: number
  readonly ids: 'uuid' | 'sequential'
  /** Finished instances that are in the store before. */
  readonly preload: number
  /** Of the numbers that a question names by itself (children, messages, …): 1 is all. */
  readonly share: number
}

/** One question. */
export interface Question {
  /** What it asks, for the help. */
  readonly asks: string
  readonly rows: (o: Sizes) => readonly Asked[]
}

/** A row, and the aims of its figures. */
export interface Asked {
  readonly row: Row
  readonly aims: Aims
}

const MONTH_MS = 30 * 86_400_000
const RUNNING = 10_000
const WAITING = 100_000
const FAMILIES = [1_000, 3_000, 10_000]
const MESSAGES = [1_000, 5_000, 20_000]
const HISTORIES = [0, 100_000, 1_000_000, 5_000_000]
const IN_FLIGHT = [1, 100, 1_000]
const FULL = 1_000

const number = (n: number): string => n.toLocaleString('en')

function rowOf(o: Sizes, row: Partial<Row> & Pick<Row, 'label'>): Row {
  const store = o.store === 'memory' ? 'memory' : 'sqlite'
  const { seconds, ids, preload } = o
  const base = {
    kind: 'closed',
    work: 'checkout',
    store,
    inFlight: FULL,
    count: 0,
    endedMs: KEPT_MS,
    path: '',
  } as const
  return { ...base, seconds, ids, preload, ...row }
}

const scaled = (o: Sizes, count: number): number => Math.max(10, Math.round(count * o.share))

const loop: Aims = { loopHeldP999Ms: { atMost: 100 }, loopStallMaxMs: { atMost: 1_000 } }
const cost: Aims = { rssMiB: { atMost: 250 }, storeBytesPerProcess: { atMost: 2_500 }, ...loop }
/** Of checkouts beside a million others, by how many are in flight. */
const checkoutAims: Readonly<Record<number, Aims>> = {
  1: { p50Ms: { atMost: 1.5 }, p99Ms: { atMost: 8 }, storeBytesPerProcess: { atMost: 2_500 } },
  100: { finishedPerSec: { atLeast: 5_000 }, ...cost },
  1_000: { finishedPerSec: { atLeast: 7_000 }, ratioToRaw: { atLeast: 0.65 }, ...cost },
}
const startAims: Aims = { firstDoneMs: { atMost: 2_000 }, recoveredMs: { atMost: 2_000 } }
const timerAims: Aims = {
  drainedMs: { atMost: 1_500 },
  p99LateMs: { atMost: 1_500 },
  early: { atMost: 0 },
  // The newest names, however many wait.
  aliveMiBOfWaiting: { atMost: 16 },
  ...loop,
}

const checkouts = (o: Sizes, preload = o.preload): readonly Asked[] =>
  (o.inFlight ?? IN_FLIGHT).map((inFlight) => ({
    row: rowOf(o, { inFlight, preload, label: `${number(inFlight)} in flight` }),
    aims: checkoutAims[inFlight] ?? {},
  }))

/** A work with as many callers as are asked for, 1,000 by default. */
const driven =
  (work: string, aims: Aims) =>
  (o: Sizes): readonly Asked[] =>
    (o.inFlight ?? [FULL]).map((inFlight) => ({
      row: rowOf(o, { work, inFlight, label: `${number(inFlight)} in flight` }),
      aims: { ...aims, ...loop },
    }))

/** One row for each number. */
const counted = (o: Sizes, counts: readonly number[], row: (count: number) => Row, aims: Aims): readonly Asked[] =>
  counts.map((count) => ({ row: row(scaled(o, count)), aims }))

/** By the name that is given on the command line. */
export const questions: Readonly<Record<string, Question>> = {
  checkout: { asks: 'a saga of three steps: how many a second, and what each costs', rows: checkouts },
  'half-load': {
    asks: 'how long a checkout takes at half of the most, where they come by themselves',
    rows: (o) => [
      { row: rowOf(o, { kind: 'half-load', label: 'half load' }), aims: { p99Ms: { atMost: 25 }, ...loop } },
    ],
  },
  http: {
    asks: 'checkouts that another process asks for over HTTP, each waiting for its result',
    rows: (o) =>
      (o.inFlight ?? [1, 256]).map((inFlight) => ({
        row: rowOf(o, { kind: 'http', inFlight, preload: 0, label: `${number(inFlight)} connections` }),
        aims: inFlight === 1 ? { p50Ms: { atMost: 3 } } : { finishedPerSec: { atLeast: 3_000 } },
      })),
  },
  empty: {
    asks: 'checkouts in a file that was empty',
    rows: (o) => [
      { row: rowOf(o, { preload: 0, label: 'empty file' }), aims: { finishedPerSec: { atLeast: 10_000 }, ...loop } },
    ],
  },
  'event-wait': {
    asks: 'start, wait for an event from outside, finish',
    rows: driven('event-wait', { finishedPerSec: { atLeast: 7_000 } }),
  },
  compensation: {
    asks: 'a saga whose third step is refused: two steps are undone',
    rows: driven('compensation', { finishedPerSec: { atLeast: 4_000 } }),
  },
  pair: {
    asks: 'two machines that talk by events',
    rows: driven('pair', { messagesPerSec: { atLeast: 15_000 } }),
  },
  timers: {
    asks: 'many wait, a tenth of them fall due at one moment',
    rows: (o) =>
      counted(
        o,
        [WAITING],
        (count) => rowOf(o, { kind: 'timers', count, label: `${number(count)} waiting` }),
        timerAims,
      ),
  },
  children: {
    asks: 'a parent of many children',
    rows: (o) =>
      counted(o, FAMILIES, (count) => rowOf(o, { kind: 'children', count, label: `${number(count)} children` }), loop),
  },
  deferred: {
    asks: 'messages that come before their time',
    rows: (o) =>
      ['one instance', 'many instances'].flatMap((to) =>
        counted(o, MESSAGES, (count) => rowOf(o, { kind: 'deferred', count, label: `${to}, ${number(count)}` }), loop),
      ),
  },
  startup: {
    asks: 'a start after a kill, with many checkouts under way',
    rows: (o) =>
      counted(
        o,
        [RUNNING],
        (count) => rowOf(o, { kind: 'startup', count, label: `${number(count)} running` }),
        startAims,
      ),
  },
  retention: {
    asks: 'checkouts while the finished ones are deleted',
    rows: (o) => [{ row: rowOf(o, { endedMs: MONTH_MS, label: 'while it deletes' }), aims: loop }],
  },
  scaling: {
    asks: 'the same checkouts beside ever more finished ones',
    rows: (o) =>
      HISTORIES.map((count) => Math.round(count * o.share)).flatMap((preload) =>
        checkouts(o, preload).map(({ row, aims }) => ({
          row: { ...row, label: `${number(preload)} finished, ${row.label}` },
          aims,
        })),
      ),
  },
  profile: {
    asks: 'where the time goes at full speed; the digest is written to bench/profile.md',
    rows: (o) => [
      { row: rowOf(o, { kind: 'profile', label: 'profile' }), aims: { ownFunctionMaxPercent: { atMost: 15 } } },
    ],
  },
  transition: {
    asks: 'what the pure transition costs, without a store',
    rows: (o) => [{ row: rowOf(o, { kind: 'core', label: 'transition' }), aims: { transitionMicros: { atMost: 3 } } }],
  },
}
