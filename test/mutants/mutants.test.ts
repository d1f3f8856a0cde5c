import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { mutants } from './catalogue.ts'
import { control, huntAll, readHints } from './hunt.ts'
import type { Result } from './hunt.ts'
import { mutated } from './source.ts'

/** Seeds that a mutant may take; where it was caught last is tried first. */
const SEEDS = 400
const PROMISES = ['I1', 'I2', 'I3', 'I4', 'I5', 'I6', 'I7', 'I8', 'I9', 'I10', 'I11']
/** I9 is about consumers, which are not built: what is tested of it is the log that they will follow. */
const LEAST = 2

const [first] = mutants
const survivor = ({ mutant, broken, other, seeds }: Result): string =>
  broken ?? `${mutant.name} survives ${seeds} seeds: ${mutant.breaks} ${JSON.stringify(other ?? '')}`

test('every promise has mutants, each with a name of its own', () => {
  for (const promise of PROMISES) {
    const of = mutants.filter(({ invariants }) => invariants.includes(promise))
    expect(of.length, promise).toBeGreaterThanOrEqual(LEAST)
  }
  expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
})

test('a mutant whose text is not there, or there twice, is no mutant', () => {
  const path = fileURLToPath(new URL(`../../${first!.file}`, import.meta.url))
  expect(() => mutated({ ...first!, find: 'no such text' }, path)).toThrow('stands 0 times')
  expect(() => mutated({ ...first!, find: 'const ' }, path)).toThrow('not once')
  expect(mutated(first!, path)).toContain(first!.replace)
})

test('a break that is no program any more is not caught', { timeout: 60_000 }, async () => {
  const syntax = { ...first!, name: 'no-syntax', replace: 'for (' }
  const [result] = await huntAll({ mutants: [syntax], seeds: 1, jobs: 1, hints: {} })
  expect(result).toMatchObject({ broken: expect.stringContaining('SyntaxError') as unknown })
})

test(`the simulation catches every mutant within ${SEEDS} seeds, and nothing else`, { timeout: 900_000 }, async () => {
  const results = await huntAll({ mutants, seeds: SEEDS, jobs: 2, hints: readHints() })
  expect(results.filter(({ caught }) => caught === undefined).map(survivor)).toEqual([])
  const seeds = new Set(results.flatMap(({ caught }) => caught?.seed ?? []))
  expect(await control([...seeds], 2)).toEqual([])
})
