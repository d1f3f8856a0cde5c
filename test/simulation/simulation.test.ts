import { expect, test } from 'vitest'
import { systemClock } from '../../src/base/clock.ts'
import { runPlan, simulate } from '../../src/testing/simulation/run.ts'
import type { SimulationReport } from '../../src/testing/simulation/run.ts'
import { shrink } from './shrink.ts'
import { coverageTable, unmet } from './covered.ts'
import { readRegression, regressionNames, replayBroken } from './regressions.ts'
import { runSeeds, summary } from './seeds.ts'

const told = ({ seed, violations, story }: SimulationReport): string =>
  violations.length === 0
    ? ''
    : `seed ${seed}\n${violations.map((v) => `step ${v.step}: ${v.invariant}: ${v.text}`).join('\n')}\n${story}`

test('one seed is one run', async () => {
  for (const seed of [5, 6, 7, 8]) {
    const [one, again] = [await simulate({ seed }), await simulate({ seed })]
    expect(again).toEqual(one)
    expect((await simulate({ seed: seed + 10 })).hash).not.toBe(one.hash)
  }
})

/** What happens in the best of worlds: calls take their time, a hand-over leaves two attempts of a call. */
const HARMLESS: ReadonlySet<string> = new Set([
  'fault messages overtake each other',
  'fault an attempt of what is settled',
  'fault two attempts of one call at once',
])

test('where nothing goes wrong all comes to its end', async () => {
  for (const seed of [1, 2, 3]) {
    const report = await simulate({ seed, chaos: 'calm' })
    expect(told(report)).toBe('')
    expect(report.transitions).toBeGreaterThan(10)
    const faults = Object.keys(report.counts).filter((name) => name.startsWith('fault ') && !HARMLESS.has(name))
    expect(faults).toEqual([])
  }
})

/** In CI: as many of them as the time lets. */
const SEEDS = 20_000
const WITHIN_MS = 180_000

test(`up to ${SEEDS} seeds keep all promises while everything goes wrong`, { timeout: 900_000 }, async () => {
  const report = await runSeeds({ from: 1, seeds: SEEDS, jobs: 2, withinMs: WITHIN_MS })
  console.log(`${coverageTable(report.counts)}\n${summary(report)}`)
  expect(report.failures.map(({ text }) => text).join('\n\n')).toBe('')
  expect(unmet(report)).toEqual([])
})

test.each(regressionNames())('%s, which broke a promise once, keeps all', async (name) => {
  const { plan, check, mutant } = readRegression(name)
  expect(told(await runPlan(plan, { story: true }))).toBe('')
  // It breaks it still where the engine is broken as it was: else the run says nothing any more.
  if (mutant !== undefined)
    expect((await replayBroken(mutant, plan)).map(({ invariant }) => invariant)).toContain(check)
})

test('a failing run is made small, and breaks the same promise', async () => {
  const size = { orders: 3, checkouts: 0, counters: 0, pools: 0, deploys: false }
  const { plan } = await simulate({ seed: 3, chaos: 'calm', services: ['shop orders'], size, workers: 2 })
  const act = { worker: 0, ms: 100, which: 0 }
  // One of these crashes is for ever, and the other worker as well: what is asked then never comes to its end.
  const acts = [
    { ...act, atMs: 200, does: 'pause' },
    { ...act, atMs: 400, does: 'crash', ms: 1e9 },
    { ...act, atMs: 450, does: 'crash', ms: 1e9, worker: 1 },
    { ...act, atMs: 500, does: 'skew' },
  ] as const
  const failing = { ...plan, acts }
  const [violation] = (await runPlan(failing)).violations
  expect(violation!.invariant).toBe('liveness')
  const small = await shrink(failing, { violation: violation!, clock: systemClock })
  const { violations, story } = await runPlan(small, { story: true })
  expect(violations[0]!.invariant).toBe('liveness')
  expect(small.wishes).toHaveLength(1)
  expect([small.setting.workers, small.acts.map(({ does }) => does)]).toEqual([1, ['crash']])
  expect(small.drawn).toEqual([0, 0])
  expect(story.split('\n').length).toBeLessThan(20)
  expect(story).toMatch(/w1 +crashes/)
})
