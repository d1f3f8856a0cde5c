import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

test('the page of lifecycle events has a row for every kind, and no other', () => {
  const page = readFileSync(new URL('../docs/reference/lifecycle-events.md', import.meta.url), 'utf8')
  const types = readFileSync(new URL('../src/observe/lifecycle.ts', import.meta.url), 'utf8')
  const told = [...page.matchAll(/^\| `([a-z-]+)`/gm)].map((match) => match[1])
  const kinds = [...types.matchAll(/readonly kind: ((?:'[a-z-]+'(?: \| )?)+)/g)].flatMap((match) =>
    [...(match[1] ?? '').matchAll(/'([a-z-]+)'/g)].map((kind) => kind[1]),
  )
  expect(kinds.length).toBeGreaterThan(8)
  expect(new Set(told)).toEqual(new Set(kinds))
})
