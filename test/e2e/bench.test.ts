// npm run bench, short: what it prints, and what it says to a command line that it does not understand.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { optionsOf } from '../../bench/options.ts'
import { digestOf } from '../../bench/profile.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=pawl-source', 'bench/main.ts', ...args], { cwd: root, encoding: 'utf8' })

const rowsOf = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

/** Short, on a file of its own. */
function ask(question: string, ...args: string[]) {
  const path = join(tmpdir(), `pawl-bench-test-${process.pid}-${question}.db`)
  const flags = ['--json', '--store', `sqlite:${path}`, '--seconds', '0.3', '--preload', '1000', '--share', '0.001']
  const { stdout, status, stderr } = bench(question, ...flags, ...args)
  expect(status, stderr).toBe(0)
  expect(existsSync(path)).toBe(false)
  return rowsOf(stdout)
}

/** Figures of every row of a work, which are never 0. */
const ABOVE_ZERO = ['finishedPerSec', 'p50Ms', 'cpuMsPerProcess', 'rssMiB', 'rawPerSec', 'ratioToRaw']

test.each(['checkout', 'event-wait', 'compensation', 'pair'])('%s: one JSON object a line', (question) => {
  const inFlight = question === 'checkout' ? [1, 20] : [20]
  const rows = ask(question, '--in-flight', inFlight.join(','))
  expect(rows.map((row) => row['inFlight'])).toEqual(inFlight)
  for (const row of rows) {
    expect(row).toMatchObject({ question, work: question, store: 'sqlite', ids: 'uuid', preload: 1_000 })
    for (const name of ABOVE_ZERO) expect(row[name], name).toBeGreaterThan(0)
    for (const name of ['loopHeldP999Ms', 'loopStallMaxMs', 'checkpointHoldMaxMs'])
      expect(row[name], name).toBeGreaterThanOrEqual(0)
    // A few instances may find room in a page that is there.
    expect(row['storeBytesPerProcess']).toBeGreaterThanOrEqual(row['inFlight'] === 1 ? 0 : 1)
    expect(row['ratioToRaw']).toBeCloseTo((row['finishedPerSec'] as number) / (row['rawPerSec'] as number), 2)
    expect(row['p99Ms']).toBeGreaterThanOrEqual(row['p50Ms'] as number)
    expect(row['notes']).toEqual([expect.stringMatching(/^longest holds of the loop: [\d.]+ ms at /)])
  }
})

test('several runs: medians, with the least and the most; each aim with whether it is met', () => {
  const [row] = ask('empty', '--runs', '2')
  const spread = row?.['spread'] as { readonly finishedPerSec: readonly [number, number] } | undefined
  const [least, most] = spread?.finishedPerSec ?? [0, 0]
  expect(row?.['finishedPerSec']).toBe(most)
  expect(least).toBeLessThan(most)
  const met = most >= 10_000
  expect(row?.['aims']).toMatchObject({ finishedPerSec: { atLeast: 10_000, met } })
})

test('half load: processes come at half of the most, and are timed from when they were to come', () => {
  const [row] = ask('half-load')
  expect(row?.['offeredPerSec']).toBeCloseTo((row?.['maxPerSec'] as number) / 2, 0)
  expect(row?.['maxMs']).toBeGreaterThanOrEqual(row?.['p99Ms'] as number)
})

test('timers: none is early, and all have come', () => {
  const [row] = ask('timers')
  expect(row).toMatchObject({ waiting: 100, due: 10, early: 0 })
})

test('children and messages before their time: all are accounted for, and others go on beside them', () => {
  expect(ask('children').map((row) => row['children'])).toEqual([10, 10, 10])
  for (const row of ask('deferred')) {
    expect((row['deferred'] as number) + (row['dead'] as number)).toBe(row['messages'])
    expect(row['taken']).toBe(row['deferred'])
    expect(row['othersP99Ms']).toBeGreaterThan(0)
  }
})

test('a start after a kill: what was under way is recovered, then done', () => {
  const [row] = ask('startup')
  expect(row).toMatchObject({ running: 10 })
  expect(row?.['finishedMs']).toBeGreaterThanOrEqual(row?.['recoveredMs'] as number)
  expect(row?.['firstDoneMs']).toBeGreaterThan(row?.['startedMs'] as number)
})

test('retention: what is old is deleted beside the work', () => {
  const [row] = ask('retention', '--seconds', '8')
  expect(row?.['erasedPerSec']).toBeGreaterThan(0)
})

test('a digest of a profile: shares of what was not idle, of functions, of ours, and of parts', () => {
  const frame = (functionName: string, url: string) => ({
    functionName,
    url,
    scriptId: '0',
    lineNumber: 0,
    columnNumber: 0,
  })
  const ours = (path: string) => new URL(`../../${path}`, import.meta.url).href
  const {
    functions,
    ours: own,
    parts,
  } = digestOf({
    startTime: 0,
    endTime: 0,
    nodes: [
      { id: 1, callFrame: frame('(root)', ''), children: [2, 3, 5] },
      { id: 2, callFrame: frame('(idle)', '') },
      { id: 3, callFrame: frame('commit', ours('src/store/sqlite/store.ts')), children: [4] },
      { id: 4, callFrame: frame('run', '') },
      { id: 5, callFrame: frame('dispatch', ours('src/core/transition.ts')) },
    ],
    samples: [2, 4, 3, 5],
    timeDeltas: [1_000, 60, 10, 30],
  })
  expect(functions).toEqual([
    ['run', 0.6],
    ['dispatch src/core/transition.ts:1', 0.3],
    ['commit src/store/sqlite/store.ts:1', 0.1],
  ])
  expect(own.map(([, share]) => share)).toEqual([0.3, 0.1])
  expect(parts).toEqual([
    ['store', 0.7],
    ['transitions', 0.3],
  ])
})

test('the store in memory has no bytes, and a line for each figure is printed for people', () => {
  const { stdout, status, stderr } = bench('--store', 'memory', '--seconds', '0.3', '--in-flight', '1000')
  expect(status, stderr).toBe(0)
  expect(stdout).toContain('checkout: 1,000 in flight; memory')
  expect(stdout).toMatch(/finishedPerSec +[\d.,]+ +≥ 7,000 +(ok|short)\n/)
  expect(stdout).toMatch(/storeBytesPerProcess +–\n/)
})

test('a file that exists is not overwritten', () => {
  const path = fileURLToPath(import.meta.url)
  const before = readFileSync(path, 'utf8')
  const { status, stderr } = bench('--store', `sqlite:${path}`, '--preload', '1000')
  expect(status).toBe(2)
  expect(stderr).toContain('that file exists')
  expect(readFileSync(path, 'utf8')).toBe(before)
})

test.each([
  [['--wrok', 'pair'], "Unknown option '--wrok'"],
  [['pairs'], 'the question pairs: there are checkout, half-load, http, empty, event-wait'],
  [['startup', '--store', 'memory'], 'the question startup is about a file'],
  [['--runs', '0'], '--runs 0: write a whole number from 1'],
  [['--share', '2'], '--share 2: write a number from'],
  [['--store', 'postgres'], '--store postgres: there are sqlite'],
  [['--in-flight', '1,many'], '--in-flight many: write a whole number from 1'],
  [['--in-flight', '0'], '--in-flight 0: write a whole number from 1'],
  [['--seconds', '0'], '--seconds 0: write a number from 0.1'],
  [['--ids', 'ulid'], '--ids ulid: there are uuid, sequential'],
  [['--preload', '-1'], '--preload'],
])('%j is refused in words', (args, said) => {
  expect(() => optionsOf(args)).toThrow(said)
})

test('what is refused comes with the help, and nothing is measured', () => {
  const { status, stdout, stderr } = bench('pairs')
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain('the question pairs: there are')
  expect(stderr).toContain('npm run bench')
})
