import { globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const page = readFileSync(`${root}docs/reference/errors.md`, 'utf8')
/** Codes of one word; those of several are found by their shape. */
const SINGLE = ['STOPPED', 'OVERLOADED', 'ABORTED', 'ERROR', 'REFUSED', 'INTERNAL', 'UNPROTECTED']
/** Node's own. */
const NOT_OURS = ['ERR_SQLITE_ERROR']

const codes = new Set(
  globSync('src/**/*.ts', { cwd: root })
    .filter((path) => !path.startsWith('src/testing/'))
    .flatMap((path) => [...readFileSync(root + path, 'utf8').matchAll(/'([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)*)'/g)])
    .map((match) => match[1]!)
    .filter((code) => (code.includes('_') || SINGLE.includes(code)) && !NOT_OURS.includes(code)),
)
/** A row: code, meaning, what to do, whether again. */
const rows = [...page.matchAll(/^\| `([A-Z0-9_]+)` *\| *(.*?) *\| *(.*?) *\| *(.*?) *\|$/gm)].map((match) =>
  match.slice(1, 5),
)

test('the page of errors has a row for every code of the sources, and no other', () => {
  expect(codes.size).toBeGreaterThan(70)
  expect(new Set(rows.map(([code]) => code))).toEqual(codes)
})

test('each row says what it means, what to do, and whether the same call may succeed later', () => {
  for (const [code, meaning, advice, again] of rows) {
    expect(meaning!.length, code).toBeGreaterThan(10)
    expect(advice!.length, code).toBeGreaterThan(5)
    expect(['yes', 'id', 'after', 'no'], code).toContain(again)
  }
})
