// The completion script of bash, asked as bash asks it.
import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import { cli } from './command-line.ts'

const { out: script } = await cli(['completion', 'bash'])
/** What bash would offer behind these words; the last one is being typed. */
const offered = (...words: readonly string[]): readonly string[] => {
  const asked = `${script}
    COMP_WORDS=(pawl ${words.map((word) => `'${word}'`).join(' ')}) COMP_CWORD=${words.length}
    _pawl && printf '%s\\n' "\${COMPREPLY[@]}"`
  const { stdout, stderr, status } = spawnSync('bash', ['--norc', '-c', asked], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  return stdout.split('\n').filter((word) => word !== '')
}

test('commands, those of a command, options, and what an option takes', () => {
  expect(offered('d')).toEqual(['dead-letters', 'doctor'])
  expect(offered('dead-letters', '')).toEqual(['list', 'redrive', 'discard', '--help'])
  expect(offered('dead-letters', 'redrive', '--d')).toEqual(['--data', '--dry-run'])
  expect(offered('ls', '--status', 's')).toEqual(['stalled'])
  expect(offered('retry', 'order', 'o-1', '--n')).toEqual(['--new-key'])
  expect(offered('completion', '')).toEqual(['bash', 'zsh'])
})

test('where a value is the user’s own, files are left to bash', () => {
  expect(offered('ls', '--store', '')).toEqual([])
  expect(script).toMatch(/^complete -o default -F _pawl pawl$/m)
})

test('both scripts know every command', async () => {
  const zsh = (await cli(['completion', 'zsh'])).out
  expect(zsh).toMatch(/^#compdef pawl\n/)
  for (const place of script.matchAll(/^ {4}'([a-z -]+)'\) next=/gm)) expect(zsh).toContain(`'${place[1]}') next=`)
  expect(await cli(['completion', 'fish'])).toMatchObject({ exit: 2, out: '' })
})
