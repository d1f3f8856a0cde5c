// The server itself, over real sockets: what no handler sees.
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { pawl, type App } from 'pawl'
import { serve, type Served, type ServeOptions } from 'pawl/http'
import { shop, TOKEN } from '../support/http.ts'

const open: { app: App; served: Served }[] = []
const sockets: Socket[] = []
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  for (const { app, served } of open.splice(0)) {
    await served.close()
    await app.stop()
  }
})

async function start(o: ServeOptions = { port: 0 }) {
  const all = shop()
  const app = pawl({ services: all.services, store: 'memory:' })
  await app.start()
  const served = await serve(app, { token: TOKEN, ...o })
  open.push({ app, served })
  const ask = (path: string, init: Omit<RequestInit, 'headers'> & { headers?: Record<string, string> } = {}) =>
    fetch(`${served.url}${path}`, { ...init, headers: { authorization: `Bearer ${TOKEN}`, ...init.headers } })
  return { ...all, app, served, ask }
}

const post = (body: unknown) => ({
  method: 'POST',
  body: JSON.stringify(body),
  headers: { 'content-type': 'application/json', authorization: `Bearer ${TOKEN}` },
})

/** A client that says what it likes, and hears all until it is cut off. */
function raw({ port }: Served, text: string) {
  const socket = connect(port, '127.0.0.1')
  sockets.push(socket)
  let heard = ''
  const cut = new Promise<string>((resolve) => {
    socket.on('data', (part) => (heard += part.toString()))
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(heard))
  })
  socket.write(text)
  return { socket, cut }
}
const HEAD = `Host: 127.0.0.1\r\nAuthorization: Bearer ${TOKEN}\r\n`

test('S13: a client that sends its headers drop by drop is cut off', async () => {
  const { served } = await start({ port: 0, requestTimeout: '300 ms' })
  expect(await raw(served, 'GET /counts HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Slow: ').cut).toMatch(/^HTTP\/1\.1 408/)
})

test('S13: a client that never sends the rest of its body is cut off, and nothing is started', async () => {
  const { served, app } = await start({ port: 0, requestTimeout: '300 ms' })
  const head = `POST /machines/order/instances HTTP/1.1\r\n${HEAD}Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n`
  expect(await raw(served, `${head}{"id":"o-1",`).cut).not.toMatch(/^HTTP\/1\.1 2/)
  expect((await app.counts()).instances['order']).toMatchObject({ started: 0 })
})

test('S13: headers of more than 16 KiB are 431', async () => {
  const { served } = await start()
  expect(await raw(served, `GET /counts HTTP/1.1\r\n${HEAD}X: ${'x'.repeat(20_000)}\r\n\r\n`).cut).toMatch(
    /^HTTP\/1\.1 431/,
  )
})

test('what is no HTTP is 400, and the server goes on', async () => {
  const { served, ask } = await start()
  expect(await raw(served, 'HELO there\r\n\r\n').cut).toMatch(/^HTTP\/1\.1 400/)
  const smuggled = `POST /counts HTTP/1.1\r\n${HEAD}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`
  expect(await raw(served, smuggled).cut).toMatch(/^HTTP\/1\.1 400/)
  const hostless = `GET /counts HTTP/1.1\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`
  expect(await raw(served, hostless).cut).toMatch(/^HTTP\/1\.1 400/)
  expect((await ask('/counts')).status).toBe(200)
})

test('S03: over the socket too, another Host is 421', async () => {
  const { served } = await start()
  const evil = `GET /counts HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`
  expect(await raw(served, evil).cut).toMatch(/^HTTP\/1\.1 421/)
})

test('a thousand starts of one id over sockets make one instance', async () => {
  const { ask, app } = await start()
  const statuses = await Promise.all(
    Array.from({ length: 1_000 }, async () => {
      const response = await ask('/machines/order/instances', post({ id: 'one', data: { sku: 'mug' } }))
      await response.arrayBuffer()
      return response.status
    }),
  )
  expect([
    statuses.filter((status) => status === 201).length,
    statuses.filter((status) => status === 200).length,
  ]).toEqual([1, 999])
  expect((await app.counts()).instances['order']).toMatchObject({ started: 1 })
})

test('changes come over a socket as they happen, until the client goes away', async () => {
  const { ask, app, order } = await start()
  const handle = await app.run(order, { id: 'o-1', data: { sku: 'mug' } })
  const gone = new AbortController()
  const response = await ask('/machines/order/instances/o-1/changes', { signal: gone.signal })
  const from = (response.body as ReadableStream<Uint8Array>).getReader()
  const text = async () => new TextDecoder().decode((await from.read()).value)
  expect(await text()).toMatch(/^event: state\nid: 1\n/)
  await handle.send({ type: 'note', data: { text: 'a' } })
  expect(await text()).toMatch(/^event: change\nid: 2\n/)
  gone.abort()
  await expect(from.read()).rejects.toThrow()
})

test('a request that waits for a result holds nobody else up, and is told when the app stops', async () => {
  const { ask, app, order } = await start()
  await app.run(order, { id: 'o-1', data: { sku: 'mug' } })
  const waiting = Array.from({ length: 200 }, () =>
    ask('/machines/order/instances/o-1/result', { headers: { prefer: 'wait=60' } }),
  )
  expect((await ask('/counts')).status).toBe(200)
  await app.stop()
  for (const response of await Promise.all(waiting)) expect([202, 503]).toContain(response.status)
})

test('a port that is taken: the given one is refused, the default one is passed over', async () => {
  const { served, app } = await start()
  await expect(serve(app, { port: served.port })).rejects.toMatchObject({ code: 'PORT_TAKEN' })
  const [one, two] = [await serve(app), await serve(app)]
  expect([one.port >= 4400, two.port > one.port, one.token === two.token]).toEqual([true, true, false])
  await Promise.all([one.close(), two.close()])
  await expect(serve(app, { host: 'no.such.host.invalid', token: TOKEN })).rejects.toMatchObject({
    code: 'CANNOT_LISTEN',
  })
})

test('S01: on an address that others reach, under a token, and for the names that are given', async () => {
  const { served } = await start({ port: 0, host: '0.0.0.0', hosts: ['shop.example'] })
  const asked = (host: string) =>
    raw(served, `GET /counts HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`)
      .cut
  expect(await asked('shop.example')).toMatch(/^HTTP\/1\.1 200/)
  expect(await asked('other.example')).toMatch(/^HTTP\/1\.1 421/)
})
