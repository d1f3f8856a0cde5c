// The same commands, asked of a running app over HTTP.
import { join } from 'node:path'
import type { App } from 'pawl'
import { serve, type Served } from 'pawl/http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Remote } from '../../../src/cli/remote.ts'
import { cli, cliJson, Folder, lived } from './command-line.ts'

const token = 'a-token-of-the-tests-0123456789'
let folder: Folder
let app: App
let served: Served
let at: readonly string[]
beforeAll(async () => {
  folder = new Folder()
  app = await lived(join(folder.path, 'shop.db'))
  served = await serve(app, { port: 0, token, base: '/api' })
  at = ['--url', served.url, '--token', token]
})
afterAll(async () => {
  await served.close()
  await app.stop()
  folder.remove()
})

test('looks: ls, show, history, graph, dead letters', async () => {
  const counts = await cliJson<{ instances: { order: { started: number } } }>(['ls', ...at])
  expect(counts.instances.order.started).toBe(6)
  const list = async (...args: readonly string[]): Promise<readonly string[]> =>
    (await cliJson<{ items: { id: string }[] }>(['ls', 'order', ...args, ...at])).items.map(({ id }) => id)
  expect(await list('--status', 'stalled')).toEqual(['o-2', 'o-4'])
  expect(await list('--code', 'RETRIES_EXHAUSTED')).toEqual(['o-2', 'o-4'])
  expect(await list('--code', 'WORKER_DIED')).toEqual([])
  expect(await cliJson(['show', 'order', 'o-6', ...at])).toMatchObject({ state: 'shipped', status: 'done' })
  const rows = await cliJson<{ seq: number }[]>(['history', 'order', 'o-6', ...at])
  expect(rows.map(({ seq }) => seq)).toEqual([1, 2, 3])
  expect((await cli(['graph', 'order', ...at])).out).toMatch(/^stateDiagram-v2\n/)
  expect((await cli(['dead-letters', 'list', ...at])).out).toContain('HANDLER_FAILED')
})

test('a history of many pages comes whole', async () => {
  for (let i = 0; i < 3; i++)
    await cliJson(['send', 'order', 'o-1', '--type', 'Label', '--data', JSON.stringify({ text: `${i}` }), ...at])
  const whole = await cliJson<unknown[]>(['history', 'order', 'o-1', ...at])
  expect(await cliJson<unknown[]>(['history', 'order', 'o-1', '--limit', '4', ...at])).toEqual(whole.slice(0, 4))
})

test('changes: send, resolve, cancel, and all that match', async () => {
  const ship = ['send', 'order', 'o-5', '--type', 'Shipped', '--data', '{"order":"o-5"}', '--id', 'm-1', ...at]
  expect(await cliJson(ship)).toMatchObject({ outcome: 'applied', state: 'shipped' })
  expect(await cliJson(ship)).toMatchObject({ outcome: 'duplicate' })
  const resolved = ['resolve', 'order', '--all', '--failure', 'Declined', '--why', 'no', '--yes', ...at]
  expect(await cliJson(resolved)).toEqual({ matched: 2, done: 2, failed: [] })
  const cancel = ['cancel', 'order', 'o-1', '--why', 'called', ...at]
  expect(await cliJson(cancel)).toMatchObject({ outcome: 'applied', state: 'cancelled' })
  expect(await cliJson(cancel)).toMatchObject({ outcome: 'ignored' })
  expect(await cli(['cancel', 'order', 'o-3', '--why', 'x', ...at])).toMatchObject({ exit: 4, out: '' })
})

test('dead letters are discarded', async () => {
  const letters = await cliJson<{ items: { id: string }[] }>(['dead-letters', 'list', ...at])
  const { id } = letters.items[0]!
  expect((await cli(['dead-letters', 'discard', id, '--why', 'a test', ...at])).out).toBe(`discard ${id}: discarded\n`)
  expect((await cli(['dead-letters', 'discard', id, '--why', 'a test', ...at])).exit).toBe(3)
})

test('who has no token, or a wrong one, is refused', async () => {
  const without = await cli(['ls', '--url', served.url])
  expect(without).toMatchObject({ exit: 4, out: '' })
  expect(without.err).toContain('NOT_AUTHENTICATED')
  expect((await cli(['ls', '--url', served.url, '--token', 'wrong'])).exit).toBe(4)
  expect((await cli(['ls'], { env: { PAWL_URL: served.url, PAWL_TOKEN: token } })).exit).toBe(0)
  expect((await cli(['ls', '--url', 'ftp://x'])).exit).toBe(2)
})

test('what is no app of Pawl is told as that', async () => {
  const other = createServer((_, response) => response.end('<html>')).listen(0, '127.0.0.1')
  await new Promise((resolve) => other.once('listening', resolve))
  const { port } = other.address() as AddressInfo
  const ran = await cli(['ls', '--url', `http://127.0.0.1:${port}`])
  other.close()
  expect(ran).toMatchObject({ exit: 5, out: '' })
  expect(ran.err).toContain('BAD_ANSWER')
})

test('a server that does not answer, or not to its end, is given up', async () => {
  const given = (request: Request): Promise<never> =>
    new Promise((_, reject) => request.signal.addEventListener('abort', () => reject(request.signal.reason as Error)))
  const hangs = new Remote('http://127.0.0.1:1', undefined, given, 1)
  const unreachable = { code: 'SERVER_UNREACHABLE', message: expect.stringContaining('within 0.001 s') as string }
  await expect(hangs.counts()).rejects.toMatchObject(unreachable)
  const half = new Remote(
    'http://127.0.0.1:1',
    undefined,
    async (request) => ({ text: () => given(request) }) as never,
    1,
  )
  await expect(half.counts()).rejects.toMatchObject(unreachable)
})
