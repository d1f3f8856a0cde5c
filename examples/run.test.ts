import { spawnSync } from 'node:child_process'
import { existsSync, globSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test } from 'vitest'

const here = import.meta.dirname
const run = (...args: readonly string[]) =>
  spawnSync(process.execPath, [join(here, 'run.mjs'), ...args], { encoding: 'utf8', timeout: 25_000 })

// The shop runs until it is told to stop, and has a test of its own.
const names = globSync('*/main.ts', { cwd: here })
  .map(dirname)
  .filter((name) => name !== 'shop')

test.each(names)('%s runs alone and ends by itself', (name) => {
  const { status, stdout, stderr } = run(name)
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toContain(' → ')
  expect(stdout).not.toContain('stalled')
})

test.each(names)('%s says in a README what it shows', (name) => {
  expect(existsSync(join(here, name, 'README.md'))).toBe(true)
})

test('without a name it tells which there are; one that is not there fails', () => {
  const list = run()
  expect(list.status).toBe(0)
  for (const name of names) expect(list.stdout).toMatch(new RegExp(`^  ${name} +\\S`, 'm'))
  expect(run('nothing')).toMatchObject({ status: 1, stderr: 'there is no example "nothing"\n' })
})
