// The code of docs/how-to/test-a-machine.md is run as it stands there, by node:test. The comment at its top says which file it is part of.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/how-to/test-a-machine.md'), 'utf8')
const parts = [...page.matchAll(/^```ts\n(\/\/ (\S+)\n.*?)^```$/gms)].map(([, code, name]) => ({
  code: code!,
  name: name!,
}))
const files = Map.groupBy(parts, ({ name }) => name)
const tests = [...page.matchAll(/^\s*test\(/gm)].length + 3 // one stands in two loops of two

let folder: string
beforeEach(() => {
  // Inside the repository, so that `import … from 'pawl'` finds the package itself.
  folder = mkdtempSync(join(root, '.pawl-how-to-'))
  for (const [name, of] of files) writeFileSync(join(folder, name), of.map(({ code }) => code).join('\n'))
})
afterEach(() => rmSync(folder, { recursive: true }))

test('all code of the page is in a file', () => {
  expect([...files.keys()]).toEqual(['order.ts', 'order.test.ts'])
  expect(parts).toHaveLength([...page.matchAll(/^```ts$/gm)].length)
})

test('every test of the page passes', () => {
  // Without what this runner has told its own processes.
  const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env
  const args = ['--conditions=pawl-source', '--test', '--test-reporter=tap', 'order.test.ts']
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8', env })
  expect(`${stdout}${stderr}`).toMatch(new RegExp(`^# pass ${tests}$`, 'm'))
  expect(stdout).toMatch(/^# fail 0$/m)
})

test('the code of the page has no type error', () => {
  writeFileSync(join(folder, 'tsconfig.json'), '{ "extends": "../tsconfig.json", "include": ["*.ts"] }')
  const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--checkers', '1'], { encoding: 'utf8' })
  expect(tsc.stdout).toBe('')
})
