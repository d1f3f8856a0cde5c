import { describe, expect, test } from 'vitest'
import { simulate } from '../../src/testing/simulation/run.ts'
import type { SimulationReport } from '../../src/testing/simulation/run.ts'

const told = ({ seed, violations, trace }: SimulationReport): string =>
  violations.length === 0
    ? ''
    : `seed ${seed}\n${violations.map((v) => `step ${v.step}: ${v.invariant}: ${v.text}`).join('\n')}\n${trace}`

test('one seed is one run', async () => {
  const [one, again] = [await simulate({ seed: 5 }), await simulate({ seed: 5 })]
  expect(again).toEqual(one)
  const other = await simulate({ seed: 9 })
  expect(other.hash).not.toBe(one.hash)
})

test('where nothing goes wrong all comes to its end', async () => {
  for (const seed of [1, 2, 3]) {
    const report = await simulate({ seed, chaos: 'calm' })
    expect(told(report)).toBe('')
    expect(report.transitions).toBeGreaterThan(60)
    expect(report.counts).toMatchObject({ crash: 0, pause: 0 })
  }
})

describe('where everything goes wrong', () => {
  const seen: Record<string, number> = {}
  test.each(Array.from({ length: 10 }, (_, i) => i + 1))('seed %i keeps all promises', async (seed) => {
    const report = await simulate({ seed })
    expect(told(report)).toBe('')
    for (const [name, count] of Object.entries(report.counts)) seen[name] = (seen[name] ?? 0) + count
  })

  test('and it did go wrong, in every way', () => {
    for (const name of [
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
    ])
      expect(seen[name] ?? 0, name).toBeGreaterThan(0)
    for (const name of ['event applied', 'command applied', 'command refused', 'start applied'])
      expect(seen[name] ?? 0, name).toBeGreaterThan(0)
  })
})
