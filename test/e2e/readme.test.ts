// The code in README.md is run as it stands there.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
const read = (name: string): string => readFileSync(join(root, name), 'utf8')

let folder: string
beforeEach(() => {
  // Inside the repository, so that `import … from 'pawl'` finds the package itself.
  folder = mkdtempSync(join(root, '.pawl-readme-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

const snippet = (): string => {
  const found = /^```ts\n(.*?)^```$/ms.exec(read('README.md'))
  expect(found, 'README.md has an example in TypeScript').not.toBeNull()
  return found![1]!
}
const run = (): string => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['--conditions=pawl-source', 'example.ts'], {
    cwd: folder,
    encoding: 'utf8',
  })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout
}

test('the example runs; run again, it is the same order under the same key', () => {
  writeFileSync(join(folder, 'example.ts'), snippet())
  const first = run()
  expect(first).toMatch(/^paid under [a-z0-9]{26}-1-[a-z0-9]{8}\n$/)
  expect(run()).toBe(first)
  expect(existsSync(join(folder, 'orders.db'))).toBe(true)
})

test('the example has no type error', () => {
  writeFileSync(join(folder, 'example.ts'), snippet())
  writeFileSync(join(folder, 'tsconfig.json'), '{ "extends": "../tsconfig.json", "include": ["example.ts"] }')
  const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--checkers', '1'], { encoding: 'utf8' })
  expect(tsc.stdout).toBe('')
})

test.each(['README.md', 'ARCHITECTURE.md'])('what %s links to is there', (name) => {
  const links = [...read(name).matchAll(/\]\(([^)#]+)\)/g)].map(([, link]) => link!)
  const missing = links.filter((link) => !link.startsWith('http') && !existsSync(join(root, dirname(name), link)))
  expect(missing).toEqual([])
})
