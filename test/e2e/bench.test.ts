// npm run bench, short: what it prints, and what it says to a command line that it does not understand.
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { optionsOf } from '../../bench/options.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const bench = (...args: string[]) =>
  spawnSync(process.execPath, ['--conditions=pawl-source', 'bench/main.ts', ...args], { cwd: root, encoding: 'utf8' })

/** Every field, with what it is in every row. */
const FIELDS = {
  work: 'string',
  store: 'string',
  inFlight: 'number',
  ids: 'string',
  preload: 'number',
  finishedPerSec: 'number',
  p50Ms: 'number',
  p99Ms: 'number',
  cpuMsPerProcess: 'number',
  storeBytesPerProcess: 'number',
  rssMiB: 'number',
  rawPerSec: 'number',
  ratioToRaw: 'number',
  loopStallMaxMs: 'number',
}

const rowsOf = (stdout: string): Record<string, unknown>[] =>
  stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

test.each(['checkout', 'event-wait', 'compensation', 'pair', 'timers'])('%s: one JSON object a line', (work) => {
  const inFlight = work === 'checkout' ? [1, 20] : [20]
  const path = join(tmpdir(), `pawl-bench-test-${process.pid}-${work}.db`)
  const file = `sqlite:${path}`
  const flags = ['--json', '--work', work, '--store', file, '--seconds', '0.3', '--preload', '1000']
  const { stdout, status, stderr } = bench(...flags, '--in-flight', inFlight.join(','))
  expect(status, stderr).toBe(0)
  const rows = rowsOf(stdout)
  expect(rows.map((row) => row['inFlight'])).toEqual(inFlight)
  for (const row of rows) {
    expect(Object.fromEntries(Object.entries(row).map(([name, value]) => [name, typeof value]))).toEqual(FIELDS)
    expect(row).toMatchObject({ work, store: 'sqlite', ids: 'uuid', preload: 1_000 })
    for (const name of ['finishedPerSec', 'cpuMsPerProcess', 'rssMiB', 'rawPerSec'])
      expect(row[name], name).toBeGreaterThan(0)
    // A few instances may find room in a page that is there.
    expect(row['storeBytesPerProcess']).toBeGreaterThanOrEqual(row['inFlight'] === 1 ? 0 : 1)
    expect(row['ratioToRaw']).toBeCloseTo((row['finishedPerSec'] as number) / (row['rawPerSec'] as number), 2)
    expect(row['p99Ms']).toBeGreaterThanOrEqual(row['p50Ms'] as number)
  }
  expect(existsSync(path)).toBe(false)
})

test('the store in memory has no bytes, and a table is printed for people', () => {
  const { stdout, status, stderr } = bench('--store', 'memory', '--seconds', '0.3', '--in-flight', '5')
  expect(status, stderr).toBe(0)
  const [said, titles, row] = stdout.split('\n')
  expect(said).toContain('checkout on memory')
  expect(titles?.trim().split(/ {2,}/)).toContain('finished/s')
  expect(row?.trim().split(/ +/)[5]).toBe('–')
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
  [['--work', 'pairs'], '--work pairs: there are checkout, event-wait, compensation, pair, timers'],
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
  const { status, stdout, stderr } = bench('--work', 'pairs')
  expect({ status, stdout }).toEqual({ status: 2, stdout: '' })
  expect(stderr).toContain('--work pairs: there are')
  expect(stderr).toContain('npm run bench')
})
