import { afterEach, describe, expect, test } from 'vitest'
import { ROUTES } from '../../src/http/handler.ts'
import { httpHandler } from '../../src/http/handler.ts'
import { serve } from '../../src/http/serve.ts'
import { PERMISSIONS } from '../../src/http/options.ts'
import { pawl } from '../../src/index.ts'
import type { Permission } from '../../src/machine/types-http.ts'
import { answerOf, client, requestOf, shop, TOKEN, type Sent } from '../support/http.ts'
import { World } from '../support/world.ts'

// Who may come in. Numbers are those of the usual list of what goes wrong with such doors.

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.end()
})

async function open() {
  const world = new World('memory', {})
  worlds.push(world)
  const all = shop()
  const app = await world.start(all.services)
  await app.run(all.order, { id: 'o-1', data: { sku: 'mug' } })
  return { world, app, ...all }
}

/** A request that its route could take, but for who asks. */
const BODIES: Readonly<Record<string, unknown>> = {
  start: { id: 'o-2', data: { sku: 'cup' } },
  send: { type: 'note', data: { text: 'x' } },
  emit: { type: 'shipped', data: { order: 'o-9' } },
}
const pathOf = (path: string): string => path.replace(':machine', 'order').replace(':id', 'o-1')
const sentOf = (name: string, method: string, headers: Record<string, string> = {}): Sent => ({
  headers,
  ...(method === 'POST' && { body: BODIES[name] ?? { why: 'a test' } }),
})
const closed = ROUTES.filter(({ may }) => may !== null)
const OPEN = ['alive', 'ready']

test('S02: every route asks who it is, but the two that say nothing but ok', async () => {
  const { app } = await open()
  expect(ROUTES.filter(({ may }) => may === null).map(({ name }) => name)).toEqual(OPEN)
  expect(closed.length).toBeGreaterThan(20)
  for (const { method, path, name } of closed) {
    const ask = client(app)
    for (const authorization of [
      '',
      'Bearer wrong',
      `Bearer ${TOKEN}x`,
      `Basic ${TOKEN}`,
      `Bearer ${TOKEN} x`,
      'Bearer ',
    ]) {
      const { status, body, headers } = await ask(method, pathOf(path), sentOf(name, method, { authorization }))
      expect([name, authorization, status, body['code']]).toEqual([name, authorization, 401, 'NOT_AUTHENTICATED'])
      expect(headers.get('www-authenticate')).toMatch(/^Bearer/)
    }
  }
  expect((await app.counts()).instances['order']).toMatchObject({ started: 1, cancelled: 0 })
})

test('S02: without `by` and `token` nobody comes in', async () => {
  const { app } = await open()
  const ask = client(app, {})
  for (const { method, path, name } of closed)
    expect((await ask(method, pathOf(path), sentOf(name, method))).status, name).toBe(401)
})

test('S30: what is open to all reveals nothing but ok', async () => {
  const { app } = await open()
  const ask = client(app)
  for (const path of ['/health/alive', '/health/ready']) {
    const { status, body } = await ask('GET', path, { headers: { authorization: '' } })
    expect([status, body]).toEqual([200, { ok: true }])
  }
})

test('S03: another host is 421, whatever is asked of it', async () => {
  const { app } = await open()
  const ask = client(app)
  for (const { method, path, name } of closed) {
    const { status, body } = await ask(method, pathOf(path), sentOf(name, method, { host: 'evil.test' }))
    expect([name, status, body['code']]).toEqual([name, 421, 'FOREIGN_HOST'])
  }
  for (const host of ['localhost', '127.0.0.1:4400', '[::1]:4400', 'LOCALHOST:1'])
    expect((await ask('GET', '/counts', { headers: { host } })).status, host).toBe(200)
  const named = client(app, { token: TOKEN, hosts: ['Shop.example'] })
  expect((await named('GET', '/counts', { headers: { host: 'shop.example:443' } })).status).toBe(200)
  expect((await named('GET', '/counts', { headers: { host: 'shop.example.evil.test' } })).status).toBe(421)
})

test('S03: a page of another origin is 403, the event stream too; a page of the same host comes in', async () => {
  const { app } = await open()
  const ask = client(app)
  for (const { method, path, name } of closed)
    for (const origin of [
      'https://evil.test',
      'null',
      'http://localhost:3000',
      'file://',
      'http://localhost.evil.test',
    ]) {
      const { status, body } = await ask(method, pathOf(path), sentOf(name, method, { origin, host: 'localhost:4400' }))
      expect([name, origin, status, body['code']]).toEqual([name, origin, 403, 'FOREIGN_ORIGIN'])
    }
  const own = { headers: { origin: 'http://localhost:4400', host: 'localhost:4400' } }
  expect((await ask('GET', '/counts', own)).status).toBe(200)
  const behind = client(app, { token: TOKEN, hosts: ['shop.example', 'inside'] })
  const proxied = { headers: { origin: 'https://shop.example', host: 'inside:8080' } }
  expect((await behind('GET', '/counts', proxied)).status).toBe(200)
})

test('S04: no form can ask, no answer allows a foreign page anything, no GET changes anything', async () => {
  const { app } = await open()
  const ask = client(app)
  for (const type of [
    'text/plain',
    'application/x-www-form-urlencoded',
    'multipart/form-data; boundary=x',
    '',
    'application/json2',
  ])
    for (const { method, path, name } of closed.filter(({ body }) => body !== undefined)) {
      const { status, body } = await ask(method, pathOf(path), {
        raw: '{"why":"x"}',
        headers: { 'content-type': type },
      })
      expect([name, type, status, body['code']]).toEqual([name, type, 415, 'BAD_CONTENT_TYPE'])
    }
  for (const { path } of closed) {
    const { headers } = await ask('OPTIONS', pathOf(path), { headers: { 'access-control-request-method': 'POST' } })
    expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([])
  }
  expect(closed.filter(({ method, may }) => method === 'GET' && may !== 'read')).toEqual([])
  expect(closed.filter(({ method, may }) => method !== 'GET' && may === 'read')).toEqual([])
})

describe('S05: each route takes its own permission', () => {
  const CUSTOMERS: readonly Permission[] = ['read', 'start', 'send', 'cancel']
  const roles: readonly (readonly [
    string,
    string | { name: string; may?: readonly Permission[] },
    readonly Permission[],
  ])[] = [
    ['a bare name', 'ann', CUSTOMERS],
    ['a principal that says nothing more', { name: 'ann' }, ['read']],
    ['one who may nothing', { name: 'ann', may: [] }, []],
    ...PERMISSIONS.map((may) => [`one who may ${may}`, { name: 'ann', may: [may] }, [may]] as const),
  ]
  test.each(roles)('%s', async (_, who, may) => {
    const { app } = await open()
    const ask = client(app, { by: () => who })
    for (const { method, path, name, may: needed } of closed) {
      if (name === 'changes') continue
      const { status, body } = await ask(method, pathOf(path), sentOf(name, method))
      const allowed = may.includes(needed!)
      expect([name, status === 403], name).toEqual([name, !allowed])
      if (!allowed) expect(body['code']).toBe('NOT_PERMITTED')
    }
  })
})

test('S13: bodies are limited, said beforehand or not, and none is unpacked', async () => {
  const { app } = await open()
  const ask = client(app)
  const json = { 'content-type': 'application/json' }
  const path = '/machines/order/instances'
  const big = JSON.stringify({ id: 'o', data: { sku: 'x'.repeat(10_000_000) } })
  const said = await ask('POST', path, { raw: big, headers: { ...json, 'content-length': `${big.length}` } })
  expect([said.status, said.body['code']]).toEqual([413, 'BODY_TOO_LARGE'])
  let given = 0
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      given += 65_536
      controller.enqueue(new Uint8Array(65_536).fill(32))
    },
  })
  const flood = await ask('POST', path, { raw: endless, headers: json })
  expect([flood.status, flood.body['code']]).toEqual([413, 'BODY_TOO_LARGE'])
  expect(given).toBeLessThan(3 * 1024 * 1024)
  const packed = await ask('POST', path, { raw: '{}', headers: { ...json, 'content-encoding': 'gzip' } })
  expect([packed.status, packed.body['code']]).toEqual([415, 'BAD_CONTENT_TYPE'])
  const deep = await ask('POST', path, {
    raw: `{"id":"o","data":${'['.repeat(500_000)}${']'.repeat(500_000)}}`,
    headers: json,
  })
  expect([deep.status, deep.body['code']]).toEqual([400, 'NOT_JSON'])
})

test('S08: an answer is data, never a page', async () => {
  const { app } = await open()
  const ask = client(app)
  const hostile = '<img src=x onerror=alert(1)>'
  await ask('POST', '/machines/order/instances/o-1/messages', { body: { type: 'note', data: { text: hostile } } })
  for (const path of [
    '/machines/order/instances/o-1',
    '/nope',
    `/machines/${encodeURIComponent(hostile)}`,
    '/counts',
  ]) {
    const { headers } = await ask('GET', path)
    expect(headers.get('content-type')).toMatch(/^application\/(problem\+)?json/)
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('content-security-policy')).toContain("default-src 'none'")
  }
})

test('S10: names of an object are names like any other', async () => {
  const { app, order } = await open()
  const ask = client(app)
  for (const name of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    expect((await ask('GET', `/machines/${name}`)).status, name).toBe(404)
    expect((await ask('GET', `/counts?${name}=1`)).status, name).toBe(400)
    const raw = `{"id":"o-7","data":{"sku":"x"},"${name}":{"polluted":true}}`
    const extra = await ask('POST', '/machines/order/instances', {
      raw,
      headers: { 'content-type': 'application/json' },
    })
    expect(extra.status, name).toBe(400)
    const type = await ask('POST', '/machines/order/instances/o-1/messages', { body: { type: name, data: {} } })
    expect([name, type.status, type.body['code']]).toEqual([name, 422, 'UNKNOWN_MESSAGE'])
  }
  const raw = '{"id":"o-8","data":{"sku":"x","__proto__":{"polluted":true}}}'
  await ask('POST', '/machines/order/instances', { raw, headers: { 'content-type': 'application/json' } })
  expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  expect(
    await app
      .get(order, 'o-8')
      .state()
      .catch(() => ({ data: {} })),
  ).not.toMatchObject({ data: { polluted: true } })
})

test('S19: a token is long, and weak ones are refused', () => {
  const app = pawl({ services: shop().services, store: 'memory:' })
  for (const token of ['', 'short', 'x'.repeat(21), `${'x'.repeat(30)} y`, `${'x'.repeat(30)}\n`])
    expect(() => httpHandler(app, { token }), token).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
  for (const o of [{ base: 'api' }, { base: '/api/' }, { hosts: 'x' }, { by: 'ann' }, { tokens: TOKEN }])
    expect(() => httpHandler(app, o as never)).toThrow(expect.objectContaining({ code: 'BAD_OPTION' }))
})

test('S21: what is our fault is told by an errorId alone, which stands in the log', async () => {
  const { app, world } = await open()
  world.faults.list = () => Promise.reject(new Error('postgres://ann:secret@db/shop is gone'))
  const { status, body } = await client(app)('GET', '/machines/order/instances')
  expect([status, body['code']]).toEqual([500, 'INTERNAL'])
  expect(JSON.stringify(body)).not.toContain('secret')
  const logged = world.logs.filter(({ text }) => text.includes(body['errorId'] as string))
  expect(logged.length).toBe(1)
  expect(world.logs.map(({ text }) => text).join()).not.toContain(TOKEN)
})

test('S21: broken JSON is not quoted back', async () => {
  const { app } = await open()
  const raw = '{"id":"o","data":{"card":"4111-1111"'
  const { body } = await client(app)('POST', '/machines/order/instances', {
    raw,
    headers: { 'content-type': 'application/json' },
  })
  expect(JSON.stringify(body)).not.toContain('4111')
})

test('S22: an Idempotency-Key is its sender’s own', async () => {
  const { app } = await open()
  const ask = client(app, { by: (request) => request.headers.get('x-user') })
  const note = (user: string, text: string) =>
    ask('POST', '/machines/order/instances/o-1/messages', {
      body: { type: 'note', data: { text } },
      headers: { 'x-user': user, 'idempotency-key': 'k' },
    })
  const [ann, bob] = [await note('ann', 'a'), await note('bob', 'b')]
  expect([ann.body['outcome'], bob.body['outcome']]).toEqual(['applied', 'applied'])
  expect((await note('bob', 'b')).headers.get('idempotent-replayed')).toBe('true')
  expect((await note('', 'b')).status).toBe(401)
})

test('S23: what is not there and what is no name of ours look the same but for the path', async () => {
  const { app } = await open()
  const ask = client(app)
  const [a, b] = [await ask('GET', '/machines/order/instances/x-1'), await ask('GET', '/machines/order/instances/x-2')]
  expect([a.status, JSON.stringify(a.body).replaceAll('x-1', 'x-2')]).toEqual([404, JSON.stringify(b.body)])
})

test('S28: after a hundred wrong tokens in a minute 429, and the right one still comes in', async () => {
  const { app, world } = await open()
  const ask = client(app)
  const guess = async () => (await ask('GET', '/counts', { headers: { authorization: 'Bearer guess' } })).status
  const statuses: number[] = []
  for (let n = 0; n < 1_000; n++) statuses.push(await guess())
  expect([statuses.indexOf(429), statuses.lastIndexOf(401)]).toEqual([100, 99])
  expect((await ask('GET', '/counts')).status).toBe(200)
  await world.clock.leap(60_001)
  expect(await guess()).toBe(401)
})

test('S29: what is redriven with other data is looked at as if it were new', async () => {
  const { app } = await open()
  const ask = client(app)
  await ask('POST', '/machines/order/instances/o-1/messages', { body: { type: 'note', data: { text: 5 } } })
  const letters = (await ask('GET', '/dead-letters')).body['items'] as { id: string }[]
  const redrive = (data: unknown) =>
    ask('POST', `/dead-letters/${letters[0]!.id}/redrive`, { body: { why: 'x', data } })
  expect((await redrive({ text: 'x'.repeat(300_000) })).status).toBe(413)
  expect([(await redrive({ text: 6 })).status, (await ask('GET', '/dead-letters')).body['items']]).toMatchObject([
    422,
    [{ error: { code: 'BAD_DATA' } }],
  ])
})

test('S34: a cursor that was tampered with is 400', async () => {
  const { app } = await open()
  const ask = client(app)
  for (const after of ['x', '1', '-1', '1:2:3:4', '0:0', '9'.repeat(400), '%00', "' or 1=1 --", '{"k":1}', 'null'])
    for (const path of ['/machines/order/instances', '/dead-letters']) {
      const { status } = await ask('GET', `${path}?after=${encodeURIComponent(after)}`)
      expect([path, after, status === 200 || status === 400]).toEqual([path, after, true])
    }
  expect((await ask('GET', '/machines/order/instances?after=x')).body['code']).toBe('BAD_CURSOR')
})

test('S01: an address that others reach needs somebody who says who may come in', async () => {
  const { app } = await open()
  for (const host of ['0.0.0.0', '::', '10.0.0.1'])
    await expect(serve(app, { host, port: 0 })).rejects.toMatchObject({ code: 'UNPROTECTED' })
  const served = await serve(app, { port: 0 })
  try {
    expect(served.url).toBe(`http://127.0.0.1:${served.port}`)
    expect(served.token).toMatch(/^[\w-]{43}$/)
    expect((await fetch(`${served.url}/counts`)).status).toBe(401)
    const told = await fetch(`${served.url}/counts`, { headers: { authorization: `Bearer ${served.token!}` } })
    expect(told.status).toBe(200)
  } finally {
    await served.close()
  }
})

test('a stranger learns nothing of paths and methods', async () => {
  const { app } = await open()
  const fetch = httpHandler(app, { token: TOKEN })
  for (const [method, path] of [
    ['GET', '/nope'],
    ['PUT', '/counts'],
    ['PATCH', '/machines/order'],
  ] as const) {
    const stranger = await answerOf(await fetch(requestOf(method, path, { headers: { authorization: '' } })))
    expect([path, stranger.status]).toEqual([path, 401])
  }
  expect((await fetch(requestOf('PUT', '/counts'))).headers.get('allow')).toBe('GET')
  expect((await fetch(requestOf('GET', '/nope'))).status).toBe(404)
})
