// docs/reference/http.md: its tables are those of the sources, and its code is run as it stands there.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { ROUTES } from '../../src/http/handler.ts'
import { statusOf } from '../../src/http/problem.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/reference/http.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, code]) => code!)
const rows = (columns: number): string[][] =>
  page
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
    .filter((cells) => cells.length === columns)

let folder: string
let child: ChildProcess | undefined
beforeEach(() => {
  folder = mkdtempSync(join(root, '.pawl-http-docs-'))
})
afterEach(() => {
  child?.kill('SIGKILL')
  rmSync(folder, { recursive: true })
})

test('the routes and their permissions are those that are served', () => {
  const told = rows(4).filter(([, path]) => path?.startsWith('`/'))
  expect(told).toEqual(ROUTES.map(({ method, path, may, says }) => [method, `\`${path}\``, may ?? 'anybody', says]))
})

test('the codes and their statuses are those that are answered', () => {
  const source = readFileSync(join(root, 'src/http/problem.ts'), 'utf8')
  const codes = [...source.matchAll(/^ {2}([A-Z_]+): \d+,$/gm)].map(([, code]) => code!)
  const told = rows(2).flatMap(([status, cells]) =>
    /^\d{3}$/.test(status!)
      ? [...cells!.matchAll(/`([A-Z_]+)`/g)].map(([, code]) => [Number(status), code!] as const)
      : [],
  )
  expect(told.map(([, code]) => code).toSorted()).toEqual([...codes, 'INTERNAL'].toSorted())
  for (const [status, code] of told) expect([code, statusOf(code)]).toEqual([code, status])
})

test('the example serves, and each request is answered as it says', async () => {
  writeFileSync(join(folder, 'example.ts'), blocks('ts')[0]!)
  child = spawn(process.execPath, ['--conditions=pawl-source', 'example.ts'], { cwd: folder })
  const [url, token] = await new Promise<string[]>((resolve) =>
    child!.stdout!.setEncoding('utf8').once('data', (line: string) => resolve(line.trim().split(' '))),
  )
  const asked = [...blocks('sh')[0]!.matchAll(/^# (\d{3}):.*\n(curl (?:.*\\\n)*.*)$/gm)]
  expect(asked.length).toBe(blocks('sh')[0]!.split('\ncurl').length - 1)
  for (const [, status, command] of asked) {
    const { stdout, stderr } = spawnSync('sh', ['-c', `${command!} -s -o /dev/null -w '%{http_code}'`], {
      env: { ...process.env, URL: url, TOKEN: token },
      encoding: 'utf8',
    })
    expect([command, stdout, stderr]).toEqual([command, status, ''])
  }
})

test('its code has no type error', () => {
  for (const [n, code] of blocks('ts').entries()) writeFileSync(join(folder, `example-${n}.ts`), code)
  writeFileSync(join(folder, 'tsconfig.json'), '{ "extends": "../tsconfig.json", "include": ["*.ts"] }')
  const tsc = spawnSync(join(root, 'node_modules/.bin/tsc'), ['-p', folder, '--checkers', '1'], { encoding: 'utf8' })
  expect(tsc.stdout).toBe('')
})
