import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { reference } from '../../../scripts/cli-reference.ts'
import { EXITS } from '../../../src/cli/exit.ts'
import { shellOf } from '../../../src/cli/program.ts'
import { cli } from './command-line.ts'

test('docs/reference/cli.md is what the help texts say; else run scripts/cli-reference.ts', () => {
  expect(readFileSync(new URL('../../../docs/reference/cli.md', import.meta.url), 'utf8')).toBe(reference())
})

const silent = { write: () => true }
const all = (command: Command): readonly Command[] =>
  command.commands.flatMap((one) => (one.commands.length > 0 ? all(one) : [one]))
const commands = all(shellOf({ out: silent, err: silent, env: {}, cwd: '/' }).program)
const pathOf = (command: Command): string[] =>
  command.parent === null ? [] : [...pathOf(command.parent), command.name()]

test.each(commands.map((command) => pathOf(command)))(
  'the help of %s %s has an example that names it',
  async (...path) => {
    const words = path.filter((word) => typeof word === 'string')
    const { exit, out, err } = await cli([...words, '--help'])
    expect({ exit, err }).toEqual({ exit: 0, err: '' })
    expect(out).toMatch(new RegExp(`\nExample:\n[^]*pawl ${words.join(' ')}`))
  },
)

test('the help tells every exit code, and --version the version', async () => {
  const { out } = await cli(['--help'])
  for (const [code, says] of Object.values(EXITS)) expect(out).toContain(`${code} ${says}`)
  expect((await cli(['--version'])).out).toMatch(/^\d+\.\d+\.\d+\n$/)
})
