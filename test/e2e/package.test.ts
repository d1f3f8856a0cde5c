// The package as it is published: built by tsc alone, and used as an installed one, without any condition of ours.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'

const root = fileURLToPath(new URL('../..', import.meta.url))
let folder: string
const modules = (): string => join(folder, 'node_modules')
const run = (
  command: string,
  args: readonly string[],
  cwd: string,
): { status: number | null; stdout: string; stderr: string } => {
  const env = { ...process.env, NODE_OPTIONS: '' }
  const { status, stdout, stderr } = spawnSync(command, args, { cwd, encoding: 'utf8', env })
  return { status, stdout, stderr }
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-package-'))
  mkdirSync(join(modules(), 'pawl'), { recursive: true })
  // What npm would install beside it.
  for (const name of readdirSync(join(root, 'node_modules')))
    if (!name.startsWith('.')) symlinkSync(join(root, 'node_modules', name), join(modules(), name))
  copyFileSync(join(root, 'package.json'), join(modules(), 'pawl', 'package.json'))
  cpSync(join(root, 'template'), join(modules(), 'pawl', 'template'), { recursive: true })
})
afterAll(() => rmSync(folder, { recursive: true }))

test(
  'it is built without an error, and its command makes a project that passes its tests and serves',
  { timeout: 180_000 },
  async () => {
    const own = join(modules(), 'pawl')
    const tsc = ['-p', 'tsconfig.build.json', '--checkers', '1', '--outDir', join(own, 'dist')]
    expect(run(join(root, 'node_modules/.bin/tsc'), tsc, root)).toEqual({ status: 0, stdout: '', stderr: '' })
    const main = join(own, 'dist/cli/main.js')
    expect(run(process.execPath, [main, 'new', 'my-shop'], folder)).toMatchObject({ status: 0, stderr: '' })
    const project = join(folder, 'my-shop')
    const tested = run(process.execPath, ['--test'], project)
    expect(tested.status, tested.stdout).toBe(0)
    expect(run(process.execPath, [main, 'check', 'src/app.ts'], project)).toMatchObject({ status: 0, stderr: '' })
    const types = run(join(root, 'node_modules/.bin/tsc'), ['--checkers', '1'], project)
    expect(types).toEqual({ status: 0, stdout: '', stderr: '' })
    await serves(project, main)
  },
)

/** Runs the project, asks it by its URL, and stops it. */
async function serves(project: string, main: string): Promise<void> {
  const server = spawn(process.execPath, ['src/main.ts'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(server.stdout.setEncoding('utf8'), 'data')) as [string]
  const [, url, token] = /^(http:\S+), Authorization: Bearer (\S+)\n$/.exec(line) ?? []
  const asked = run(process.execPath, [main, 'ls', '--url', url!, '--token', token!], project)
  expect(asked).toMatchObject({ status: 0, stderr: '' })
  expect(asked.stdout).toMatch(/^machine +started/)
  server.kill('SIGTERM')
  expect(await once(server, 'exit')).toEqual([0, null])
  const at = ['--store', 'sqlite:orders.db']
  expect(run(process.execPath, [main, 'doctor', ...at], project)).toMatchObject({ status: 0, stderr: '' })
}
