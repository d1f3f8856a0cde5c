// The model in memory, which the simulation runs on, and the SQLite store, which users run on, answer alike whatever comes: so what
// the simulation proves of an engine holds for the engine that ships.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Fault, Part } from './agree/change.ts'
import { storeMutants, type StoreMutant } from './agree/mutants.ts'
import type { Command } from './agree/raw.ts'
import { rawProperty, runRaw, workedProperty } from './agree/run.ts'

/** How many sequences of commands: CI's, or as many as one likes. Lives of an engine are a quarter of that. */
const SEQUENCES = Number(process.env['PAWL_SEQUENCES'] ?? 300)
const LIVES = Math.ceil(SEQUENCES / 4)
const SEED = process.env['PAWL_SEED'] === undefined ? {} : { seed: Number(process.env['PAWL_SEED']) }

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
  { timeout: SEQUENCES * 1_000 + 60_000 },
  () => fc.assert(rawProperty(), { numRuns: SEQUENCES, ...SEED }),
)

test(
  `${LIVES} lives of an engine that works on both stores: all answers are the same, and at the end all tables`,
  { timeout: LIVES * 2_000 + 60_000 },
  () => fc.assert(workedProperty(), { numRuns: LIVES, ...SEED }),
)

/** Sequences that a break may take, from this seed. */
const TRIED = [200, 1] as const

/** What a process with a break in one of its stores has found. */
function hunt(mutant: StoreMutant): Promise<string> {
  const [child, preload] = ['agree/child.ts', '../mutants/mutate.ts'].map((path) => new URL(path, import.meta.url))
  const args = ['--conditions=pawl-source', '--import', preload!.href, fileURLToPath(child!), ...TRIED.map(String)]
  const run = spawn(process.execPath, args, { env: { ...process.env, PAWL_MUTANT: JSON.stringify(mutant) } })
  return new Promise((resolve, reject) => {
    let said = ''
    for (const stream of [run.stdout, run.stderr]) stream.on('data', (text: Buffer) => (said += text.toString()))
    run.on('error', reject)
    run.on('close', () => resolve(said))
  })
}

test('a break of either store is found', { timeout: 300_000 }, async () => {
  const left = [...storeMutants]
  const survivors: string[] = []
  const job = async (): Promise<void> => {
    for (let mutant = left.shift(); mutant !== undefined; mutant = left.shift()) {
      const said = await hunt(mutant)
      if (!said.startsWith('after ')) survivors.push(`${mutant.name}: ${said || 'nothing was found'}`)
    }
  }
  await Promise.all([job(), job()])
  expect(survivors).toEqual([])
})
