// `pawl new`, `pawl check`, and the executable itself, as processes of their own.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { appFile, cli, cliJson, Folder, storeAtRest } from './command-line.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))
let folder: Folder
beforeEach(() => {
  folder = new Folder()
})
afterEach(() => folder.remove())

const node = (
  args: readonly string[],
  cwd: string,
): ReturnType<typeof spawnSync> & { stdout: string; stderr: string } =>
  spawnSync(process.execPath, ['--conditions=pawl-source', ...args], { cwd, encoding: 'utf8' }) as never
const main = join(root, 'src/cli/main.ts')

/** What npm would install, as links to what is installed here. */
function link(project: string): void {
  const modules = join(project, 'node_modules')
  mkdirSync(join(modules, '@types'), { recursive: true })
  symlinkSync(root, join(modules, 'pawl'))
  for (const name of ['zod', '@types/node']) symlinkSync(join(root, 'node_modules', name), join(modules, name))
}

test('a new project passes its own test, has no type error, and its app file is well', async () => {
  const made = await cliJson<{ folder: string; files: string[] }>(['new', join(folder.path, 'my-shop')])
  const { folder: project, files } = made
  expect(files).toEqual(expect.arrayContaining(['package.json', '.gitignore', 'src/order.ts', 'test/order.test.ts']))
  for (const file of files) expect(existsSync(join(project, file)), file).toBe(true)
  expect(readFileSync(join(project, 'README.md'), 'utf8')).toMatch(/^# my-shop\n/)
  const { name, scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    name: string
    scripts: Record<string, string>
  }
  expect(name).toBe('my-shop')
  link(project)
  expect(scripts['test']).toBe('node --test')
  const tested = node(['--test'], project)
  expect(tested.status, tested.stdout).toBe(0)
  expect(tested.stdout).toContain('pass 4')
  const checked = node([main, 'check', 'src/app.ts'], project)
  expect(checked).toMatchObject({ status: 0, stderr: '' })
  expect(checked.stdout).toBe('ok  order (version 1, 6 states)\n')
  const types = spawnSync(
    join(root, 'node_modules/.bin/tsc'),
    ['--checkers', '1', '--customConditions', 'pawl-source'],
    {
      cwd: project,
      encoding: 'utf8',
    },
  )
  expect(types.stdout).toBe('')
})

test('new overwrites nothing, and takes names of packages only', async () => {
  writeFileSync(join(folder.path, 'kept.txt'), 'mine')
  expect(await cli(['new', '.'], { cwd: folder.path })).toMatchObject({ exit: 2, out: '' })
  mkdirSync(join(folder.path, 'full'))
  writeFileSync(join(folder.path, 'full', 'kept.txt'), 'mine')
  const ran = await cli(['new', 'full'], { cwd: folder.path })
  expect(ran.err).toContain('FOLDER_NOT_EMPTY')
  expect(existsSync(join(folder.path, 'full', 'package.json'))).toBe(false)
})

test('check lists the problems of definitions, and what a deploy would break', async () => {
  const bad = join(root, `.pawl-cli-bad-${process.pid}.ts`)
  const text = readFileSync(appFile, 'utf8')
  try {
    writeFileSync(bad, text.replace("shipped: { final: 'done', ", 'shipped: { '))
    const ran = node([main, 'check', bad, '--json'], root)
    expect(ran.status, ran.stderr).toBe(1)
    const { problems } = JSON.parse(ran.stdout) as { problems: string[] }
    expect(problems.join('\n')).toContain('no-way-out')
    const store = await storeAtRest(folder)
    expect(node([main, 'check', appFile, '--store', `sqlite:${store}`], root).status).toBe(0)
    writeFileSync(bad, text.replaceAll(/\bpacking\b/g, 'boxing'))
    const broken = node([main, 'check', bad, '--store', `sqlite:${store}`], root)
    expect(broken.status).toBe(1)
    expect(broken.stdout).toContain('2 instances stand in "packing", which is gone')
  } finally {
    spawnSync('rm', ['-f', bad])
  }
})

test('the executable: results alone in a pipe, no colours there, its exit codes', async () => {
  const store = `sqlite:${await storeAtRest(folder)}`
  const ran = node([main, 'ls', 'order', '--store', store], root)
  expect(ran).toMatchObject({ status: 0, stderr: '' })
  expect(ran.stdout).toContain('o-2')
  expect(ran.stdout).not.toContain('\u001b')
  expect(node([main, 'show', 'order', 'o-99', '--store', store], root)).toMatchObject({ status: 3, stdout: '' })
  expect(node([main, 'no-such'], root).status).toBe(2)
  expect(node([main, 'ls', '--store', 'sqlite:/nowhere.db'], root).status).toBe(5)
})

test('package.json names the executable and ships the template', () => {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { bin: object; files: string[] }
  expect(own.bin).toEqual({ pawl: './dist/cli/main.js' })
  expect(own.files).toContain('template')
})
