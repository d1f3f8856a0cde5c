import { expect, test } from 'vitest'
import { client, shop, type Ask } from '../support/http.ts'
import { historyOf, onBothStores, type MakeWorld } from '../support/world.ts'

// What can be asked over HTTP, and what is answered. Doors are in http-doors, mistakes in http-bad-requests.

const ORDERS = '/machines/order/instances'

async function open(make: MakeWorld) {
  const world = make()
  const all = shop()
  const app = await world.start(all.services)
  const ask = client(app)
  return { world, app, ask, ...all }
}

const start = (ask: Ask, id: string) => ask('POST', ORDERS, { body: { id, data: { sku: 'mug' } } })
const send = (ask: Ask, id: string, type: string, data: unknown, headers: Record<string, string> = {}) =>
  ask('POST', `${ORDERS}/${id}/messages`, { body: { type, data }, headers })

onBothStores('http', (make) => {
  test('a start is 201, the same again 200, other data 422', async () => {
    const { ask } = await open(make)
    const first = await start(ask, 'o 1/é')
    expect([first.status, first.headers.get('location'), first.headers.get('etag')]).toEqual([
      201,
      `${ORDERS}/o%201%2F%C3%A9`,
      '"1"',
    ])
    expect(first.body).toMatchObject({ id: 'o 1/é', state: 'open', seq: 1, status: 'waiting', created: true })
    const again = await start(ask, 'o 1/é')
    expect([again.status, again.body['created']]).toEqual([200, false])
    const other = await ask('POST', ORDERS, { body: { id: 'o 1/é', data: { sku: 'cup' } } })
    expect([other.status, other.body['code']]).toEqual([422, 'ALREADY_STARTED_WITH_OTHER_INPUT'])
    expect((await ask('GET', first.headers.get('location')!)).body).toMatchObject({ id: 'o 1/é', data: { sku: 'mug' } })
  })

  test('without an id each start is another instance; an Idempotency-Key without an id is refused', async () => {
    const { ask } = await open(make)
    const [a, b] = [
      await ask('POST', ORDERS, { body: { data: { sku: 'mug' } } }),
      await ask('POST', ORDERS, { body: { data: { sku: 'mug' } } }),
    ]
    expect([a.status, b.status, a.body['id'] === b.body['id']]).toEqual([201, 201, false])
    const keyed = await ask('POST', ORDERS, { body: { data: { sku: 'mug' } }, headers: { 'idempotency-key': 'k' } })
    expect([keyed.status, keyed.body['code']]).toEqual([400, 'BAD_REQUEST'])
  })

  test('a thousand clients that start one id make one instance', async () => {
    const { app, ask } = await open(make)
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => start(ask, 'one')))
    expect(answers.filter(({ status }) => status === 201).length).toBe(1)
    expect(answers.filter(({ status }) => status === 200).length).toBe(999)
    expect((await app.counts()).instances['order']).toMatchObject({ started: 1 })
  })

  test('a message is 200 where it was looked at, 202 where it waits, 409 where it was refused, 404 without an instance', async () => {
    const { ask } = await open(make)
    await start(ask, 'o-1')
    const noted = await send(ask, 'o-1', 'note', { text: 'hi' })
    expect([noted.status, noted.body['outcome'], noted.headers.get('etag')]).toEqual([200, 'applied', '"2"'])
    const early = await send(ask, 'o-1', 'shipped', { order: 'o-1' })
    expect([early.status, early.body['outcome']]).toEqual([202, 'deferred'])
    const refused = await send(ask, 'o-1', 'pay', { cents: 0 })
    expect([refused.status, refused.headers.get('content-type')]).toEqual([
      409,
      'application/problem+json; charset=utf-8',
    ])
    expect(refused.body).toMatchObject({ code: 'REFUSED', why: 'if', state: 'open', status: 409 })
    const nobody = await send(ask, 'o-9', 'note', { text: 'hi' })
    expect([nobody.status, nobody.body['code']]).toEqual([404, 'UNKNOWN_INSTANCE'])
  })

  test('Idempotency-Key: applied once, and its present receipt is replayed', async () => {
    const { app, ask, order, hands, world } = await open(make)
    await start(ask, 'o-1')
    const key = { 'idempotency-key': 'ship-1' }
    const early = await send(ask, 'o-1', 'shipped', { order: 'o-1' }, key)
    expect([early.status, early.headers.get('idempotent-replayed')]).toEqual([202, null])
    const waits = await send(ask, 'o-1', 'shipped', { order: 'o-1' }, key)
    expect([waits.status, waits.headers.get('idempotent-replayed'), waits.body['became']]).toEqual([
      202,
      'true',
      'deferred',
    ])
    await send(ask, 'o-1', 'pay', { cents: 5 })
    await world.clock.settle()
    hands.at(0).answer({ payment: 'p' })
    await app.get(order, 'o-1').reaches('sent')
    const now = await send(ask, 'o-1', 'shipped', { order: 'o-1' }, key)
    expect([now.status, now.headers.get('idempotent-replayed'), now.body]).toMatchObject([
      200,
      'true',
      { became: 'applied', state: 'sent' },
    ])
    const other = await send(ask, 'o-1', 'shipped', { order: 'o-2' }, key)
    expect([other.status, other.body['code']]).toEqual([422, 'MESSAGE_ID_REUSED'])
    const rows = await historyOf(app, order, 'o-1')
    expect(rows.filter(({ cause }) => cause.name === 'shipped').length).toBe(1)
  })

  test('a refusal and a dead letter are replayed as what they were', async () => {
    const { ask } = await open(make)
    await start(ask, 'o-1')
    const told = async (type: string, data: unknown, headers: Record<string, string>) => {
      const { status, body, headers: got } = await send(ask, 'o-1', type, data, headers)
      return [status, body['code'], body['why'], got.get('idempotent-replayed')]
    }
    expect(await told('pay', { cents: 0 }, { 'idempotency-key': 'a' })).toEqual([409, 'REFUSED', 'if', null])
    expect(await told('pay', { cents: 0 }, { 'idempotency-key': 'a' })).toEqual([409, 'REFUSED', 'if', 'true'])
    const old = { 'idempotency-key': 'b', 'if-match': '"1"' }
    expect(await told('pay', { cents: 1 }, old)).toEqual([412, 'SEQ_DIFFERS', 'seq', null])
    expect(await told('pay', { cents: 1 }, old)).toEqual([412, 'SEQ_DIFFERS', 'seq', 'true'])
    expect((await told('bomb', { text: '' }, { 'idempotency-key': 'c' })).slice(0, 2)).toEqual([422, 'HANDLER_FAILED'])
    expect((await told('bomb', { text: '' }, { 'idempotency-key': 'c' })).slice(0, 2)).toEqual([422, 'HANDLER_FAILED'])
  })

  test('If-Match: applied at that seq, 412 at another', async () => {
    const { ask } = await open(make)
    await start(ask, 'o-1')
    const now = (await ask('GET', `${ORDERS}/o-1`)).headers.get('etag')!
    expect((await send(ask, 'o-1', 'note', { text: 'a' }, { 'if-match': now })).status).toBe(200)
    const late = await send(ask, 'o-1', 'note', { text: 'b' }, { 'if-match': now })
    expect([late.status, late.body['state'], late.body['code']]).toEqual([412, 'open', 'SEQ_DIFFERS'])
    expect((await send(ask, 'o-1', 'note', { text: 'b' }, { 'if-match': '*' })).status).toBe(200)
  })

  test('If-None-Match: 304 until something has happened', async () => {
    const { ask } = await open(make)
    await start(ask, 'o-1')
    const etag = (await ask('GET', `${ORDERS}/o-1`)).headers.get('etag')!
    const known = { headers: { 'if-none-match': `"77", W/${etag}` } }
    const same = await ask('GET', `${ORDERS}/o-1`, known)
    expect([same.status, same.headers.get('etag'), same.body]).toEqual([304, etag, {}])
    await send(ask, 'o-1', 'note', { text: 'a' })
    expect((await ask('GET', `${ORDERS}/o-1`, known)).status).toBe(200)
  })

  test('the result: 202 until it is there, then 200; `Prefer: wait` waits for it', async () => {
    const { world, ask, hands } = await open(make)
    await ask('POST', '/machines/settle/instances', { body: { id: 's', data: { cents: 3 } } })
    const path = '/machines/settle/instances/s/result'
    const early = await ask('GET', path)
    expect([early.status, early.body['status']]).toEqual([202, 'running'])
    const waiting = ask('GET', path, { headers: { prefer: 'respond-async, wait=10' } })
    await world.clock.settle()
    hands.at(0).answer({ payment: 'p-1' })
    const done = await waiting
    expect([done.status, done.body['result'], done.headers.get('preference-applied')]).toEqual([
      200,
      { payment: 'p-1' },
      'wait=10',
    ])
    expect((await ask('GET', path)).body['result']).toEqual({ payment: 'p-1' })
  })

  test('a wait that is over before the result is 202; what ended otherwise is 409 with its state', async () => {
    const { world, ask } = await open(make)
    await ask('POST', '/machines/plain%20one/instances', { body: { id: 'p', data: {} } })
    const path = '/machines/plain%20one/instances/p/result'
    const waiting = ask('GET', path, { headers: { prefer: 'wait=5' } })
    await world.clock.settle()
    await world.clock.advance(5_001)
    expect((await waiting).status).toBe(202)
    await world.clock.advance(60_000)
    const failed = await ask('GET', path)
    expect([failed.status, failed.body['code'], failed.body['details']]).toEqual([
      409,
      'INSTANCE_ENDED',
      { status: 'failed', state: 'b' },
    ])
  })

  test('a start that waits answers with the result', async () => {
    const { world, ask, hands } = await open(make)
    const asked = ask('POST', '/machines/settle/instances', {
      body: { id: 's', data: { cents: 3 } },
      headers: { prefer: 'wait=10' },
    })
    await world.clock.settle()
    hands.at(0).answer({ payment: 'p-1' })
    const { status, body } = await asked
    expect([status, body]).toMatchObject([201, { created: true, status: 'done', result: { payment: 'p-1' } }])
  })

  test('a delete cancels; a second one is 204 and does nothing, before and after the end', async () => {
    const { world, app, ask, order } = await open(make)
    await start(ask, 'o-1')
    const first = await ask('DELETE', `${ORDERS}/o-1?why=changed%20my%20mind`)
    expect([first.status, first.body['state']]).toEqual([200, 'withdrawing'])
    expect((await ask('DELETE', `${ORDERS}/o-1`)).status).toBe(204)
    await world.clock.advance(3_600_000)
    expect((await app.get(order, 'o-1').state()).status).toBe('cancelled')
    expect((await ask('DELETE', `${ORDERS}/o-1`)).status).toBe(204)
    const rows = await historyOf(app, order, 'o-1')
    expect(rows.map(({ to, why, by }) => [to, why, by])).toEqual([
      ['open', undefined, undefined],
      ['withdrawing', 'changed my mind', 'token'],
      ['withdrawn', undefined, undefined],
    ])
    expect((await ask('DELETE', `${ORDERS}/nobody`)).status).toBe(404)
  })

  test('a delete while a call is open is 202; of what is done 409', async () => {
    const { world, app, ask, order, hands } = await open(make)
    await start(ask, 'o-1')
    await send(ask, 'o-1', 'pay', { cents: 5 })
    await world.clock.settle()
    const held = await ask('DELETE', `${ORDERS}/o-1`)
    expect([held.status, held.body['outcome']]).toEqual([202, 'deferred'])
    hands.at(0).answer({ payment: 'p' })
    await app.get(order, 'o-1').reaches('withdrawing')
    await start(ask, 'o-2')
    await send(ask, 'o-2', 'pay', { cents: 5 })
    await world.clock.settle()
    hands.at(1).answer({ payment: 'p' })
    await send(ask, 'o-2', 'shipped', { order: 'o-2' })
    await app.get(order, 'o-2').reaches('sent')
    const late = await ask('DELETE', `${ORDERS}/o-2`)
    expect([late.status, late.body]).toMatchObject([409, { code: 'REFUSED', why: 'ended', state: 'sent' }])
  })

  test('history goes in pages, and names what is gone', async () => {
    const { ask } = await open(make)
    await start(ask, 'o-1')
    for (const text of ['a', 'b', 'c']) await send(ask, 'o-1', 'note', { text })
    const page = await ask('GET', `${ORDERS}/o-1/history?limit=2`)
    expect([(page.body['items'] as { seq: number }[]).map(({ seq }) => seq), page.body['next']]).toEqual([[1, 2], 2])
    const rest = await ask('GET', `${ORDERS}/o-1/history?limit=2&after=2`)
    expect((rest.body['items'] as object[]).map((row) => (row as { changed: unknown }).changed)).toEqual([
      { note: 'b' },
      { note: 'c' },
    ])
    expect(rest.body).not.toHaveProperty('next')
  })

  test('lists by state and status go in pages that stand still while more is started', async () => {
    const { ask } = await open(make)
    for (let n = 1; n <= 5; n++) await start(ask, `o-${n}`)
    await send(ask, 'o-3', 'pay', { cents: 1 })
    const ids = (body: Record<string, unknown>) => (body['items'] as { id: string }[]).map(({ id }) => id)
    const first = await ask('GET', `${ORDERS}?state=open&limit=2`)
    await start(ask, 'o-6')
    const second = await ask(
      'GET',
      `${ORDERS}?state=open&limit=10&after=${encodeURIComponent(String(first.body['next']))}`,
    )
    expect([...ids(first.body), ...ids(second.body)]).toEqual(['o-1', 'o-2', 'o-4', 'o-5', 'o-6'])
    expect(ids((await ask('GET', `${ORDERS}?status=running`)).body)).toEqual(['o-3'])
  })

  test('an event is told to whoever hears it, once under its key', async () => {
    const { world, ask, hands } = await open(make)
    await start(ask, 'o-1')
    await send(ask, 'o-1', 'pay', { cents: 5 })
    await world.clock.settle()
    hands.at(0).answer({ payment: 'p' })
    await world.clock.settle()
    const body = { type: 'shipped', data: { order: 'o-1' } }
    const first = await ask('POST', '/events', { body, headers: { 'idempotency-key': 'e' } })
    expect([first.status, first.body]).toMatchObject([
      200,
      { outcome: 'applied', heard: [{ machine: 'order', id: 'o-1', state: 'sent' }] },
    ])
    const again = await ask('POST', '/events', { body, headers: { 'idempotency-key': 'e' } })
    expect([again.status, again.headers.get('idempotent-replayed')]).toEqual([200, 'true'])
    expect((await ask('POST', '/events', { body, headers: { prefer: 'respond-async' } })).status).toBe(202)
  })

  test('operators retry, resolve, move and remove, and say why', async () => {
    const { world, app, ask, order, hands } = await open(make)
    for (const id of ['o-1', 'o-2', 'o-3']) {
      await start(ask, id)
      await send(ask, id, 'pay', { cents: 5 })
      await world.clock.settle()
      hands.at(-1).throw(new Error('no answer'))
      await world.clock.settle()
      expect((await ask('GET', `${ORDERS}/${id}`)).body).toMatchObject({ status: 'stalled' })
    }
    expect((await ask('POST', `${ORDERS}/o-1/retry`, { body: { why: 'the bank is back', newKey: true } })).status).toBe(
      200,
    )
    await world.clock.settle()
    hands.at(-1).answer({ payment: 'p' })
    await app.get(order, 'o-1').reaches('paid')
    const resolved = await ask('POST', `${ORDERS}/o-2/resolve`, { body: { why: 'told', result: { payment: 'q' } } })
    expect([resolved.status, resolved.body['state']]).toEqual([200, 'paid'])
    const moved = await ask('POST', `${ORDERS}/o-2/move`, {
      body: { why: 'by hand', to: 'sent', payload: { order: 'o-2' } },
    })
    expect([moved.status, moved.body['state']]).toEqual([200, 'sent'])
    expect((await ask('POST', `${ORDERS}/o-3/remove`, { body: { why: 'early' } })).body['code']).toBe(
      'INSTANCE_NOT_ENDED',
    )
    expect((await ask('POST', `${ORDERS}/o-2/remove`, { body: { why: 'asked for' } })).status).toBe(204)
    expect((await ask('GET', `${ORDERS}/o-2`)).status).toBe(404)
    const which = { state: 'charging', dryRun: true }
    const dry = await ask('POST', '/machines/order/retry', { body: { why: 'x', ...which } })
    expect([dry.status, dry.body]).toEqual([200, { matched: 1, done: 0, failed: [] }])
    const all = await ask('POST', '/machines/order/resolve', {
      body: { why: 'x', state: ['charging'], failure: 'other' },
    })
    expect([all.status, all.body['matched']]).toEqual([200, 1])
    expect((await ask('POST', '/machines/order/cancel', { body: { why: 'x', limit: 1 } })).body['matched']).toBe(1)
    const rows = await historyOf(app, order, 'o-1')
    expect(rows.find(({ cause }) => cause.kind === 'operator')).toMatchObject({ why: 'the bank is back', by: 'token' })
  })

  test('dead letters are listed, mended and sent again, or given up', async () => {
    const { ask } = await open(make)
    await start(ask, 'o-1')
    await send(ask, 'o-1', 'pay', { cents: 'five' })
    await send(ask, 'o-1', 'note', { text: 5 })
    const { body } = await ask('GET', '/dead-letters?machine=order')
    const letters = body['items'] as { id: string; error: { code: string }; message: { type: string } }[]
    expect(letters.map(({ error }) => error.code)).toEqual(['BAD_DATA', 'BAD_DATA'])
    const note = letters.find(({ message }) => message.type === 'note')!
    const pay = letters.find(({ message }) => message.type === 'pay')!
    const mended = await ask('POST', `/dead-letters/${note.id}/redrive`, {
      body: { why: 'a text', data: { text: '5' } },
    })
    expect([mended.status, mended.body['outcome']]).toEqual([200, 'applied'])
    expect((await ask('POST', `/dead-letters/${pay.id}/discard`, { body: { why: 'a test' } })).status).toBe(204)
    expect((await ask('POST', `/dead-letters/${pay.id}/discard`, { body: { why: 'a test' } })).status).toBe(404)
    expect((await ask('GET', '/dead-letters')).body['items']).toEqual([])
  })

  test('health, counts, machines and workers', async () => {
    const { world, app, ask } = await open(make)
    await start(ask, 'o-1')
    expect((await ask('GET', '/health')).body).toEqual({ ready: true, alive: true, store: 'ok', problems: [] })
    expect((await ask('GET', '/counts')).body).toMatchObject({ instances: { order: { started: 1, waiting: 1 } } })
    expect((await ask('GET', '/workers')).body['items']).toHaveLength(1)
    expect((await ask('GET', '/machines')).body['items']).toMatchObject([
      { name: 'order', receives: ['pay', 'note', 'bomb', 'shipped'] },
      { name: 'plain one' },
      { name: 'settle' },
    ])
    expect((await ask('GET', '/machines/order')).body).toMatchObject({ name: 'order', initial: 'open' })
    await world.stop(app)
    expect([(await ask('GET', '/health/alive')).status, (await ask('GET', '/health/ready')).status]).toEqual([503, 503])
    const late = await start(ask, 'o-2')
    expect([late.status, late.body['code'], late.headers.get('retry-after')]).toEqual([503, 'STOPPED', '1'])
  })

  test('app.fetch of an app that pawl() made lives under its base', async () => {
    const { app } = await open(make)
    const ask = client(app, { base: '/api/v1', token: 'x'.repeat(22) })
    const headers = { authorization: `Bearer ${'x'.repeat(22)}` }
    const made = await ask('POST', `/api/v1${ORDERS}`, { body: { id: 'o', data: { sku: 's' } }, headers })
    expect([made.status, made.headers.get('location')]).toEqual([201, `/api/v1${ORDERS}/o`])
    expect((await ask('GET', ORDERS, { headers })).status).toBe(404)
  })
})
