import { expect, test } from 'vitest'
import { simulate } from '../../src/testing/simulation/run.ts'
import type { SimulationReport } from '../../src/testing/simulation/run.ts'
import { runSeeds, summary } from './seeds.ts'

const told = ({ seed, violations, trace }: SimulationReport): string =>
  violations.length === 0
    ? ''
    : `seed ${seed}\n${violations.map((v) => `step ${v.step}: ${v.invariant}: ${v.text}`).join('\n')}\n${trace}`

test('one seed is one run', async () => {
  for (const seed of [5, 6, 7, 8]) {
    const [one, again] = [await simulate({ seed }), await simulate({ seed })]
    expect(again).toEqual(one)
    expect((await simulate({ seed: seed + 10 })).hash).not.toBe(one.hash)
  }
})

test('where nothing goes wrong all comes to its end', async () => {
  for (const seed of [1, 2, 3]) {
    const report = await simulate({ seed, chaos: 'calm' })
    expect(told(report)).toBe('')
    expect(report.transitions).toBeGreaterThan(60)
    expect(report.counts).toMatchObject({ crash: 0, pause: 0 })
  }
})

const SEEDS = 2_000
const FAULTS = [
  'crash',
  'pause',
  'deploy',
  'skew',
  'full',
  'readOnly',
  'badRow',
  'transient',
  'unanswered',
  'late',
  'slow',
]
const ENDS = [
  'event applied',
  'start applied',
  'command applied',
  'command refused',
  'command ignored',
  'command dead',
  'cancel stored',
  'cancel refused',
  'await applied',
  'await ignored',
  'retry stored',
  'retry refused',
  'resolve stored',
  'move stored',
  'redrive stored',
  'redrive dead',
  'discard stored',
  'discard dead',
]
/** Seeds that have found what the first ones did not: each broke a promise once, in a workload like this one. */
const FOUND = [34, 543, 564, 1262, 1362, 1961, 3061, 3658]

test(`${SEEDS} seeds keep all promises while everything goes wrong`, { timeout: 900_000 }, async () => {
  const report = await runSeeds({ from: 1, seeds: SEEDS, jobs: 2 })
  console.log(summary(report))
  expect(report.failures.map(({ text }) => text).join('\n\n')).toBe('')
  for (const name of [...FAULTS, ...ENDS]) expect(report.counts[name] ?? 0, name).toBeGreaterThan(0)
})

test.each(FOUND)('seed %i, which has found something before, keeps all promises', async (seed) => {
  expect(told(await simulate({ seed }))).toBe('')
})
