import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { PAGE, pageOf } from './guarantees/page.ts'
import { promises } from './guarantees/promises.ts'
import { readRecords } from './guarantees/records.ts'
import { mutants as catalogue } from './mutants/catalogue.ts'
import { root } from './support/source.ts'

const records = readRecords()
const LEAST = 2

test('docs/guarantees.md is what `npm run guarantees` makes of the records', async () => {
  expect(readFileSync(PAGE, 'utf8')).toBe(await pageOf(records))
})

test('the record of the mutants is of the present catalogue: else run `npm run mutants -- --json docs/evidence/mutants.json`', () => {
  const texts = (
    of: readonly { readonly name: string; readonly breaks: string; readonly invariants: readonly string[] }[],
  ) => of.map(({ name, breaks, invariants }) => `${name} [${invariants.join()}] ${breaks}`).toSorted()
  expect(texts(records.mutants.mutants)).toEqual(texts(catalogue))
})

test.each(promises)('$id is checked, and its checks are proven by two mutants at least', ({ id, checks }) => {
  expect(checks.length).toBeGreaterThan(0)
  for (const [file] of checks) expect(existsSync(join(root, file)), `${file} is there`).toBe(true)
  const caught = records.mutants.mutants.filter(({ invariants, seed }) => invariants.includes(id) && seed !== undefined)
  expect(caught.length, `mutants of ${id} that are caught`).toBeGreaterThanOrEqual(LEAST)
})

// Which mutants survive is for the suite of the mutants to refuse; the page names them.
test('the runs that are shown broke no promise', () => {
  const { simulation, mutants, crash } = records
  expect(simulation.failed).toEqual([])
  expect(mutants.accused).toBe(0)
  expect(crash.outcomes.flatMap(({ faults }) => faults)).toEqual([])
  for (const { at, commit, command, node, machine } of Object.values(records))
    for (const said of [at, commit, command, node, machine]) expect(said).not.toBe('')
})

test('every promise of ARCHITECTURE.md is among them, in its words', () => {
  const text = readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8').replaceAll(/\s+/g, ' ')
  const ids = [...text.matchAll(/- \*\*(I\d+)\*\*/g)].map(([, id]) => id)
  expect(promises.map(({ id }) => id)).toEqual(expect.arrayContaining(ids))
  const first = (words: string): string => /^[^.;:]*/.exec(words)![0]
  for (const { id, words } of promises.filter((one) => ids.includes(one.id)))
    expect(text).toContain(`- **${id}** ${first(words)}`)
})
