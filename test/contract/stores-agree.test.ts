// The model in memory, which the simulation runs on, and the SQLite store, which users run on, answer alike whatever comes: so what
// the simulation proves of an engine holds for the engine that ships.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, test } from 'vitest'
import type { Fault, Part } from './agree/change.ts'
import { compareAll } from './agree/dump.ts'
import { Place } from './agree/place.ts'
import { deed, setting, WorkedRun, type Deed, type Setting } from './agree/worked.ts'
import { HandClock } from '../support/hand-clock.ts'
import { command, movable, RawRun, type Command } from './agree/raw.ts'

/** In memory where there is such a place: syncing is most of the time here. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
/** How many sequences of each kind: CI's, or as many as one likes. */
const SEQUENCES = Number(process.env['PAWL_SEQUENCES'] ?? 400)
const ENGINES = Math.ceil(SEQUENCES / 4)
const SEED = process.env['PAWL_SEED'] === undefined ? {} : { seed: Number(process.env['PAWL_SEED']) }
const COMMANDS = 40

let folder: string
beforeAll(() => void (folder = mkdtempSync(join(FOLDER, 'pawl-agree-'))))
afterAll(() => rmSync(folder, { recursive: true }))

async function runRaw(commands: readonly Command[], idsInMemory: number): Promise<void> {
  const own = mkdtempSync(join(folder, 'run-'))
  const clock = movable()
  const place = new Place({ path: join(own, 'a.db'), clock, idsInMemory })
  const run = new RawRun(place, clock)
  try {
    await run.begin()
    for (const one of commands) await run.run(one)
    await compareAll(run.pair)
    place.check()
  } finally {
    await run.end().catch(() => {})
    rmSync(own, { recursive: true })
  }
}

/** Sequences that have found something, as they were shrunk. */
const put = (more: Partial<Extract<Part, { do: 'put' }>> = {}): Part =>
  ({ do: 'put', name: 0, status: 0, state: 0, shape: 0, dueMs: null, rows: 0, events: 0, again: false, ...more }) // prettier-ignore
const write = (...parts: readonly Part[]): Command => ({ do: 'write', parts, how: 'once' })
const wrong = (fault: Fault, ...parts: readonly Part[]): Command => ({ do: 'write', parts, how: 'once', fault })
const wait: Part = { do: 'wait', name: 0, unit: false, untilMs: null, size: 0 }

const FOUND: readonly (readonly [title: string, commands: readonly Command[]])[] = [
  [
    'the model let a change take one row of the inbox twice',
    [write({ do: 'letter', name: 0, priority: 0, unit: true }), wrong('read twice')],
  ],
  ['the model let a change create one k twice', [wrong('created twice at once')]],
  ['the model let a change give one name to two instances', [wrong('name taken at once')]],
  ['the model let a change end one wait twice', [write(wait), wrong('unwaited twice')]],
  ['the model let a change make one wait twice', [wrong('waits twice at once')]],
  ['the model let a change write to the journal of nobody', [wrong('journal of nobody')]],
  [
    'the model let a change redrive one dead letter twice',
    [write({ do: 'dead', id: 0, name: 0, unit: true }), wrong('undead twice')],
  ],
  [
    'SQLite showed the older of two receipts of one ms between which retention had changed',
    [
      write({ do: 'receipt', id: 7, outcome: 0 }),
      { do: 'retain', endedMs: null, receiptsMs: 999, deadMs: null, limit: 1 },
      write({ do: 'receipt', id: 7, outcome: 1 }),
      { do: 'look', partitions: 0, limit: 1, aheadMs: 0 },
    ],
  ],
  [
    'SQLite listed running instances where stalled ones of a code were asked for',
    [
      write(put({ shape: 2 })),
      { do: 'list', machine: 0, pages: 0, query: { limit: 1, status: 'running', stallCode: 'A' } },
    ],
  ],
]
test.each(FOUND)('found before: %s', (_, commands) => runRaw(commands, 1))

test(
  `${SEQUENCES} sequences of commands at the port: all answers are the same, and at the end all tables`,
  { timeout: SEQUENCES * 500 + 30_000 },
  async () => {
    const sequences = fc.array(command, { minLength: 1, maxLength: COMMANDS, size: 'max' })
    await fc.assert(fc.asyncProperty(sequences, fc.constantFrom(1, 2, 5), runRaw), { numRuns: SEQUENCES, ...SEED })
  },
)

async function runWorked(deeds: readonly Deed[], o: Setting): Promise<void> {
  const own = mkdtempSync(join(folder, 'run-'))
  const clock = new HandClock()
  // A wall clock has whole ms; this one runs by timers with parts of them.
  const whole = { ...movable(), now: () => Math.floor(clock.now()), monotonic: () => Math.floor(clock.monotonic()) }
  const place = new Place({ path: join(own, 'a.db'), clock: whole, idsInMemory: 3 })
  const run = new WorkedRun(place, clock, o)
  try {
    await run.begin()
    for (const one of deeds) await run.run(one)
    await compareAll(run.pair)
    place.check()
  } finally {
    await run.end('crash').catch(() => {})
    rmSync(own, { recursive: true })
  }
}

test(
  `${ENGINES} lives of an engine that works on both stores: all answers are the same, and at the end all tables`,
  { timeout: ENGINES * 1_000 + 30_000 },
  async () => {
    const lives = fc.array(deed, { minLength: 1, maxLength: COMMANDS, size: 'max' })
    await fc.assert(fc.asyncProperty(lives, setting, runWorked), { numRuns: ENGINES, ...SEED })
  },
)
