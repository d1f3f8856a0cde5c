import { afterEach, expect, test } from 'vitest'
import { httpHandler } from '../../src/http/handler.ts'
import { requestOf, shop, Note, TOKEN } from '../support/http.ts'
import { World } from '../support/world.ts'

// Event streams: nothing is missed, nothing is gathered, and who takes nothing is dropped.

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.end()
})

async function open(kind: 'memory' | 'sqlite' = 'sqlite') {
  const world = new World(kind, {})
  worlds.push(world)
  const all = shop()
  const app = await world.start(all.services)
  const handle = await app.run(all.order, { id: 'o-1', data: { sku: 'mug' } })
  const fetch = httpHandler(app, { token: TOKEN })
  const changes = (last?: string): Promise<Response> =>
    fetch(
      requestOf('GET', '/machines/order/instances/o-1/changes', {
        headers: last === undefined ? {} : { 'last-event-id': last },
      }),
    )
  return { world, app, handle, fetch, changes, ...all }
}

/** The events of one piece. */
const read = (text: string): readonly (readonly [name: string, id: string, data: Record<string, unknown>])[] =>
  text
    .split('\n\n')
    .filter((part) => part.startsWith('event:'))
    .map((part) => {
      const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(part)?.[1] ?? ''
      return [field('event'), field('id'), JSON.parse(field('data')) as Record<string, unknown>]
    })

/** A client that takes one piece at a time. */
function reader(response: Response) {
  const from = (response.body as ReadableStream<Uint8Array>).getReader()
  return {
    next: async (): Promise<string> => new TextDecoder().decode((await from.read()).value),
    cancel: () => from.cancel(),
  }
}

for (const kind of ['memory', 'sqlite'] as const)
  test(`how it stands first, then each transition under its seq (${kind}:)`, async () => {
    const { world, handle, changes, hands } = await open(kind)
    const response = await changes()
    expect([response.status, response.headers.get('content-type')]).toEqual([200, 'text/event-stream; charset=utf-8'])
    const stream = reader(response)
    expect(read(await stream.next())).toMatchObject([['state', '1', { state: 'open', seq: 1 }]])
    const next = stream.next()
    await handle.send(Note({ text: 'a' }))
    await world.clock.settle()
    expect(read(await next)).toMatchObject([['change', '2', { to: 'open', changed: { note: 'a' } }]])
    await handle.send({ type: 'pay', data: { cents: 5 } })
    await world.clock.settle()
    hands.at(0).answer({ payment: 'p' })
    await handle.reaches('paid')
    const rows = [...read(await stream.next())]
    while (rows.at(-1)?.[1] !== '4') rows.push(...read(await stream.next()))
    expect(rows.map(([, id, { to }]) => [id, to])).toEqual([
      ['3', 'charging'],
      ['4', 'paid'],
    ])
    await stream.cancel()
  })

test('Last-Event-ID goes on behind that seq, and the stream ends with the instance', async () => {
  const { world, handle, changes, hands } = await open()
  await handle.send(Note({ text: 'a' }))
  await handle.send(Note({ text: 'b' }))
  const stream = reader(await changes('1'))
  expect(read(await stream.next()).map(([, id]) => id)).toEqual(['2', '3'])
  await handle.send({ type: 'pay', data: { cents: 5 } })
  await world.clock.settle()
  hands.at(0).answer({ payment: 'p' })
  await handle.reaches('paid')
  await handle.send({ type: 'shipped', data: { order: 'o-1' } })
  const rows: string[] = []
  for (let text = await stream.next(); text !== ''; text = await stream.next())
    rows.push(...read(text).map(([, id]) => id))
  expect(rows).toEqual(['4', '5', '6'])
  // By 204 a browser knows that it need not come back.
  expect((await changes('6')).status).toBe(204)
  expect((await changes('5')).status).toBe(200)
})

test('in silence a comment is sent', async () => {
  const { world, changes } = await open()
  const stream = reader(await changes('1'))
  const next = stream.next()
  await world.clock.settle()
  await world.clock.advance(15_000)
  expect(await next).toBe(': still here\n\n')
  await stream.cancel()
})

test('nothing is read ahead of a client, and one that takes nothing for 30 seconds is dropped', async () => {
  const { world, handle, changes } = await open()
  const response = await changes()
  const from = (response.body as ReadableStream<Uint8Array>).getReader()
  await from.read()
  let journals = 0
  world.faults.journal = (through, ...args) => {
    journals++
    return through(...args)
  }
  for (let n = 0; n < 50; n++) await handle.send(Note({ text: `${n}` }))
  expect(journals).toBe(0)
  await world.clock.advance(30_001)
  await expect(from.read()).rejects.toThrow('takes nothing')
})

test('a stream whose client went away, and one that only looked, leave nothing', async () => {
  const { world, app, changes, fetch } = await open()
  const before = world.clock.waits
  const watching = () => world.engine(app).watchers.size
  const gone = new AbortController()
  const request = new Request(requestOf('GET', '/machines/order/instances/o-1/changes'), { signal: gone.signal })
  const aborted = reader(await fetch(request))
  await aborted.next()
  gone.abort()
  const stream = reader(await changes())
  await stream.next()
  await stream.cancel()
  const head = await fetch(requestOf('HEAD', '/machines/order/instances/o-1/changes'))
  expect([head.status, head.headers.get('content-type'), head.body]).toEqual([
    200,
    'text/event-stream; charset=utf-8',
    null,
  ])
  await world.clock.advance(30_001)
  expect([world.clock.waits, watching()]).toEqual([before, 0])
})

test('so many streams and no more; each that ends makes room', async () => {
  const { changes } = await open('memory')
  const open1000 = await Promise.all(Array.from({ length: 1_000 }, () => changes()))
  const more = await changes()
  expect([more.status, ((await more.json()) as { code: string }).code]).toEqual([503, 'TOO_MANY_STREAMS'])
  await open1000[0]!.body!.cancel()
  expect((await changes()).status).toBe(200)
  await Promise.all(open1000.slice(1).map((one) => one.body!.cancel()))
})

test('when the worker stops the stream ends', async () => {
  const { world, app, changes } = await open()
  const stream = reader(await changes('1'))
  const next = stream.next()
  await world.clock.settle()
  await world.stop(app)
  expect(await next).toBe('')
})
