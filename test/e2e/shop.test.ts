// `npm start`, as a user runs it: a process, its output, its exit code, and kill -9.
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'

const MAIN = fileURLToPath(new URL('../../examples/shop/main.ts', import.meta.url))

let folder: string
const children: ChildProcess[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-shop-'))
})
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, maxRetries: 5, retryDelay: 100 })
})

interface Started {
  readonly child: ChildProcess
  /** Resolves when that was printed, on either stream. */
  says(what: RegExp): Promise<void>
  /** The same, with what was found. */
  finds(what: RegExp): Promise<RegExpExecArray>
  readonly ended: Promise<{ code: number | null; out: string; err: string }>
}

function start(...args: string[]): Started {
  const child = spawn(process.execPath, ['--conditions=pawl-source', MAIN, ...args], { cwd: folder })
  children.push(child)
  const printed = { out: '', err: '' }
  const looking = new Set<() => void>()
  const take = (stream: 'out' | 'err') => (text: string) => {
    printed[stream] += text
    for (const look of looking) look()
  }
  child.stdout.setEncoding('utf8').on('data', take('out'))
  child.stderr.setEncoding('utf8').on('data', take('err'))
  const finds = (what: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (): void => {
        const found = what.exec(printed.out + printed.err)
        if (found !== null) resolve(found)
      }
      looking.add(look)
      child.once('close', () => reject(new Error(`it ended without saying ${what}: ${printed.out}${printed.err}`)))
      look()
    })
  return {
    child,
    says: async (what) => void (await finds(what)),
    finds,
    ended: new Promise((resolve) => child.once('close', (code) => resolve({ code, ...printed }))),
  }
}

test('200 orders: the report is printed and the books balance', async () => {
  const { code, out, err } = await start('--orders', '200', '--exit', '--db', 'shop.db').ended
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).toMatch(/orders +200 started, 1\d\d done, \d+ failed and undone, \d+ cancelled and undone/)
  expect(out).toMatch(/start–finish +p50 [\d.]+ s, p99 [\d.]+ s/)
  expect(out).toMatch(/instances +[\d,]+ = /)
  expect(out).toMatch(/messages +[\d,]+ = /)
  expect(out).toContain('200 ended orders compared with its book')
  expect(out).toContain('The books balance.')
  expect(existsSync(join(folder, 'shop.db'))).toBe(true)
})

test('a fifth of all calls in trouble: it takes longer, and the books balance', async () => {
  const { code, out } = await start('--orders', '60', '--exit', '--fail', '0.2').ended
  expect(code, out).toBe(0)
  expect(Number(/(\d+) retries/.exec(out)?.[1])).toBeGreaterThan(0)
  expect(out).toContain('The books balance.')
})

test('orders from a file; bad lines are refused by their numbers, and stop nobody', async () => {
  const good = (id: string, cents = 1_200) => JSON.stringify({ id, customer: 'Ada', sku: 'mug', quantity: 1, cents })
  const file = [
    good('a'),
    '{"id": "b"',
    good('c'),
    good('a'),
    '',
    '{"id":"d","customer":"Ada","sku":"mug","quantity":0,"cents":1}',
    good('e'),
  ]
  writeFileSync(join(folder, 'orders.jsonl'), file.join('\n'))
  const { code, out, err } = await start('--file', 'orders.jsonl', '--exit', '--db', 'file.db').ended
  expect(code, out + err).toBe(0)
  const lines = err.trim().split('\n')
  expect(lines).toHaveLength(3)
  expect(lines[0]).toMatch(/^orders\.jsonl: line 2 is no JSON/)
  expect(lines[1]).toBe('orders.jsonl: line 4 has the id a of line 1')
  expect(lines[2]).toMatch(/^orders\.jsonl: line 6 is no order: quantity/)
  expect(out).toMatch(/refused +3 lines/)
  expect(out).toMatch(/orders +3 started/)

  // The same ids with other data, in the same shop: refused; the others are there already.
  writeFileSync(join(folder, 'orders.jsonl'), [good('a'), good('c', 7)].join('\n'))
  const again = await start('--file', 'orders.jsonl', '--exit', '--db', 'file.db').ended
  expect(again.err).toContain('order c is in file.db already, with other data')
  expect(again.out).toMatch(/orders +3 started/)
  expect(again.code).toBe(0)
})

test('a file that is not there, and one that is in use, are told in a line', async () => {
  const missing = await start('--file', 'nope.jsonl', '--exit').ended
  expect(missing.code).toBe(1)
  expect(missing.err).toMatch(/^ENOENT: .*nope\.jsonl/)
  const first = start('--db', 'used.db')
  await first.says(/orders [1-9]/)
  const second = await start('--db', 'used.db').ended
  expect(second.code).toBe(1)
  expect(second.err).toMatch(/^STORE_IN_USE: /)
})

test('a command line that means nothing is refused with code 2', async () => {
  const unknown = await start('--nope').ended
  expect(unknown.code).toBe(2)
  expect(unknown.err).toContain("Unknown option '--nope'")
  const bad = await start('--orders', 'many').ended
  expect(bad.code).toBe(2)
  expect(bad.err).toContain('--orders takes a whole number')
  const help = await start('--help').ended
  expect(help.code).toBe(0)
  expect(help.out).toContain('--file <file>')
})

test('without a terminal it prints a line every few seconds, and Ctrl-C ends it with a report', async () => {
  const shop = start('--rate', '20')
  await shop.says(/orders [1-9]\d* started.*instances balance, messages balance(.|\n)*orders [1-9]/)
  shop.child.kill('SIGINT')
  const { code, out, err } = await shop.ended
  expect({ code, err }).toEqual({ code: 0, err: '' })
  expect(out).not.toContain('\x1b')
  expect(out).toContain('The books balance.')
  expect(out).toContain(join('.pawl', 'shop.db'))
})

test('killed with -9 and started again, every order goes on to its end', async () => {
  const args = ['--orders', '300', '--exit', '--db', 'killed.db', '--rate', '150', '--fail', '0']
  const first = start(...args)
  await first.says(/orders [1-9]\d* started, [1-9]/)
  first.child.kill('SIGKILL')
  expect((await first.ended).code).toBe(null)
  const { code, out, err } = await start(...args).ended
  expect(code, out + err).toBe(0)
  expect(out).toMatch(/orders +300 started/)
  expect(out).toContain('300 ended orders compared with its book')
  expect(out).toContain('The books balance.')
})

test('the shop serves HTTP, under a token that is the same after kill -9 and is for its owner alone', async () => {
  const door = /(http:\/\/127\.0\.0\.1:\d+) {2}Bearer ([\w-]{43})/
  const open = async () => {
    const shop = start('--db', 'shop.db', '--port', '0')
    const [, url, token] = await shop.finds(door)
    return { ...shop, url: url!, token: token! }
  }
  const first = await open()
  expect(statSync(join(folder, 'shop.token')).mode & 0o777).toBe(0o600)
  expect((await fetch(`${first.url}/counts`)).status).toBe(401)
  first.child.kill('SIGKILL')
  await first.ended
  const second = await open()
  expect(second.token).toBe(first.token)
  const headers = { authorization: `Bearer ${second.token}` }
  const counts = await fetch(`${second.url}/counts`, { headers })
  expect([counts.status, await counts.json()]).toMatchObject([200, { instances: { order: {} } }])
  second.child.kill('SIGINT')
  expect((await second.ended).out).toContain(second.url)
})
