import * as fc from 'fast-check'
import { afterEach, expect, test } from 'vitest'
import { ROUTES } from '../../src/http/handler.ts'
import { answerOf, client, requestOf, shop, TOKEN, type Sent } from '../support/http.ts'
import { httpHandler } from '../../src/http/handler.ts'
import { World } from '../support/world.ts'

// Whatever is asked, the fault is not the server's: never 5xx, always a problem with a code.

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

const ORDERS = '/machines/order/instances'
const ONE = `${ORDERS}/o-1`
const MESSAGES = `${ONE}/messages`
const JSON_TYPE = { 'content-type': 'application/json' }
const note = { type: 'note', data: { text: 'x' } }

type Bad = readonly [what: string, method: string, path: string, sent: Sent, status: number, code: string]
const raw = (text: string | Uint8Array, headers: Record<string, string> = JSON_TYPE): Sent => ({ raw: text, headers })

const TABLE: readonly Bad[] = [
  ['no body', 'POST', ORDERS, { headers: JSON_TYPE }, 400, 'BAD_REQUEST'],
  ['an empty body', 'POST', ORDERS, raw(''), 400, 'BAD_REQUEST'],
  ['broken JSON', 'POST', ORDERS, raw('{"id":'), 400, 'BAD_REQUEST'],
  ['JSON and more', 'POST', ORDERS, raw('{} {}'), 400, 'BAD_REQUEST'],
  ['bytes that are no text', 'POST', ORDERS, raw(new Uint8Array([0x7b, 0xff, 0x7d])), 400, 'BAD_REQUEST'],
  ['a list', 'POST', ORDERS, raw('[]'), 400, 'BAD_REQUEST'],
  ['null', 'POST', ORDERS, raw('null'), 400, 'BAD_REQUEST'],
  ['a number', 'POST', ORDERS, raw('7'), 400, 'BAD_REQUEST'],
  ['no data', 'POST', ORDERS, { body: { id: 'o' } }, 400, 'BAD_REQUEST'],
  ['an id of another type', 'POST', ORDERS, { body: { id: 7, data: {} } }, 400, 'BAD_REQUEST'],
  ['an empty id', 'POST', ORDERS, { body: { id: '', data: { sku: 's' } } }, 400, 'BAD_ID'],
  ['a long id', 'POST', ORDERS, { body: { id: 'x'.repeat(256), data: { sku: 's' } } }, 400, 'BAD_ID'],
  ['an id with a control character', 'POST', ORDERS, { body: { id: 'a\nb', data: { sku: 's' } } }, 400, 'BAD_ID'],
  ['half a surrogate pair as id', 'POST', ORDERS, raw('{"id":"\\ud800","data":{"sku":"s"}}'), 400, 'BAD_ID'],
  ['half a surrogate pair as data', 'POST', ORDERS, raw('{"id":"o","data":{"sku":"\\ud800"}}'), 400, 'NOT_JSON'],
  ['a misspelt field', 'POST', ORDERS, { body: { ID: 'o', data: {} } }, 400, 'BAD_REQUEST'],
  ['data of another type', 'POST', ORDERS, { body: { id: 'o', data: 'mug' } }, 422, 'BAD_DATA'],
  ['data that miss a field', 'POST', ORDERS, { body: { id: 'o', data: {} } }, 422, 'BAD_DATA'],
  ['data null', 'POST', ORDERS, { body: { id: 'o', data: null } }, 422, 'BAD_DATA'],
  [
    'data that are too large',
    'POST',
    ORDERS,
    { body: { id: 'o', data: { sku: 'x'.repeat(300_000) } } },
    413,
    'TOO_LARGE',
  ],
  [
    'data that are too deep',
    'POST',
    ORDERS,
    raw(`{"id":"o","data":${'['.repeat(300)}${']'.repeat(300)}}`),
    400,
    'NOT_JSON',
  ],
  ['10 MB', 'POST', ORDERS, raw(`"${'x'.repeat(10_000_000)}"`), 413, 'BODY_TOO_LARGE'],
  ['no content type', 'POST', ORDERS, raw('{}', {}), 415, 'BAD_CONTENT_TYPE'],
  ['a compressed body', 'POST', ORDERS, raw('x', { ...JSON_TYPE, 'content-encoding': 'br' }), 415, 'BAD_CONTENT_TYPE'],
  ['an unknown machine', 'POST', '/machines/nope/instances', { body: { data: {} } }, 404, 'UNKNOWN_MACHINE'],
  ['an unknown instance', 'GET', `${ORDERS}/nope`, {}, 404, 'UNKNOWN_INSTANCE'],
  ['the history of nobody', 'GET', `${ORDERS}/nope/history`, {}, 404, 'UNKNOWN_INSTANCE'],
  ['the result of nobody', 'GET', `${ORDERS}/nope/result`, { headers: { prefer: 'wait=1' } }, 404, 'UNKNOWN_INSTANCE'],
  ['changes of nobody', 'GET', `${ORDERS}/nope/changes`, {}, 404, 'UNKNOWN_INSTANCE'],
  ['a message to nobody', 'POST', `${ORDERS}/nope/messages`, { body: note }, 404, 'UNKNOWN_INSTANCE'],
  ['a long id in the path', 'GET', `${ORDERS}/${'x'.repeat(300)}`, {}, 400, 'BAD_ID'],
  ['U+0000 in the path', 'GET', `${ORDERS}/a%00b`, {}, 400, 'BAD_ID'],
  ['half an escape in the path', 'GET', `${ORDERS}/%zz`, {}, 404, 'UNKNOWN_INSTANCE'],
  ['bytes that are no text in the path', 'GET', `${ORDERS}/%ff%fe`, {}, 404, 'UNKNOWN_INSTANCE'],
  ['an unknown message', 'POST', MESSAGES, { body: { type: 'nope', data: {} } }, 422, 'UNKNOWN_MESSAGE'],
  ['a payload of another type', 'POST', MESSAGES, { body: { type: 'note', data: 5 } }, 422, 'BAD_DATA'],
  ['a message without payload', 'POST', MESSAGES, { body: { type: 'note' } }, 400, 'BAD_REQUEST'],
  ['a type that is none', 'POST', MESSAGES, { body: { type: {}, data: {} } }, 400, 'BAD_REQUEST'],
  ['a handler that throws', 'POST', MESSAGES, { body: { type: 'bomb', data: { text: '' } } }, 422, 'HANDLER_FAILED'],
  ['an empty key', 'POST', MESSAGES, { body: note, headers: { 'idempotency-key': '' } }, 400, 'BAD_ID'],
  ['a long key', 'POST', MESSAGES, { body: note, headers: { 'idempotency-key': 'k'.repeat(300) } }, 400, 'BAD_ID'],
  ['If-Match of words', 'POST', MESSAGES, { body: note, headers: { 'if-match': '"one"' } }, 400, 'BAD_REQUEST'],
  ['If-Match that is weak', 'POST', MESSAGES, { body: note, headers: { 'if-match': 'W/"1"' } }, 400, 'BAD_REQUEST'],
  ['If-Match of several', 'POST', MESSAGES, { body: note, headers: { 'if-match': '"1", "2"' } }, 400, 'BAD_REQUEST'],
  ['an event that nobody knows', 'POST', '/events', { body: { type: 'nope', data: {} } }, 422, 'UNKNOWN_MESSAGE'],
  ['a command as an event', 'POST', '/events', { body: note }, 400, 'BAD_MESSAGE'],
  ['an event without its key', 'POST', '/events', { body: { type: 'shipped', data: {} } }, 422, 'BAD_DATA'],
  ['an unknown parameter', 'GET', `${ORDERS}?stat=open`, {}, 400, 'BAD_REQUEST'],
  ['a parameter twice', 'GET', `${ORDERS}?state=open&state=paid`, {}, 400, 'BAD_REQUEST'],
  ['an unknown state', 'GET', `${ORDERS}?state=nope`, {}, 422, 'UNKNOWN_STATE'],
  ['an unknown status', 'GET', `${ORDERS}?status=nope`, {}, 400, 'BAD_OPTION'],
  ['limit 0', 'GET', `${ORDERS}?limit=0`, {}, 400, 'BAD_LIMIT'],
  ['a limit below 0', 'GET', `${ORDERS}?limit=-1`, {}, 400, 'BAD_REQUEST'],
  ['a limit that is huge', 'GET', `${ORDERS}?limit=999999999999999`, {}, 400, 'BAD_LIMIT'],
  ['a limit of the history', 'GET', `${ONE}/history?limit=0`, {}, 400, 'BAD_LIMIT'],
  ['a cursor of our own making', 'GET', `${ORDERS}?after=x`, {}, 400, 'BAD_CURSOR'],
  ['Last-Event-ID of words', 'GET', `${ONE}/changes`, { headers: { 'last-event-id': 'x' } }, 400, 'BAD_REQUEST'],
  ['no reason', 'POST', `${ONE}/retry`, { body: {} }, 400, 'BAD_REQUEST'],
  ['an empty reason', 'POST', `${ONE}/retry`, { body: { why: ' ' } }, 400, 'NO_REASON'],
  ['a reason that is a book', 'POST', `${ONE}/retry`, { body: { why: 'x'.repeat(2_001) } }, 400, 'BAD_OPTION'],
  ['a retry of what has not stalled', 'POST', `${ONE}/retry`, { body: { why: 'x' } }, 409, 'REFUSED'],
  ['result and failure', 'POST', `${ONE}/resolve`, { body: { why: 'x', result: 1, failure: 'f' } }, 400, 'BAD_OPTION'],
  ['neither of them', 'POST', `${ONE}/resolve`, { body: { why: 'x' } }, 400, 'BAD_OPTION'],
  ['a move to nowhere', 'POST', `${ONE}/move`, { body: { why: 'x', to: 'nope' } }, 422, 'NO_SUCH_STATE'],
  ['a move without an edge', 'POST', `${ONE}/move`, { body: { why: 'x', to: 'sent' } }, 409, 'NO_SUCH_EDGE'],
  [
    'data of a move that are a text',
    'POST',
    `${ONE}/move`,
    { body: { why: 'x', to: 'sent', data: 'x' } },
    400,
    'BAD_REQUEST',
  ],
  ['removing what lives', 'POST', `${ONE}/remove`, { body: { why: 'x' } }, 409, 'INSTANCE_NOT_ENDED'],
  ['an unknown dead letter', 'POST', '/dead-letters/nope/redrive', { body: { why: 'x' } }, 404, 'UNKNOWN_DEAD_LETTER'],
  [
    'an unknown state of all',
    'POST',
    '/machines/order/retry',
    { body: { why: 'x', state: 'nope' } },
    422,
    'UNKNOWN_STATE',
  ],
  ['states of numbers', 'POST', '/machines/order/retry', { body: { why: 'x', state: [1] } }, 400, 'BAD_REQUEST'],
  [
    'a limit of all that no request lives to see',
    'POST',
    '/machines/order/cancel',
    { body: { why: 'x', limit: 1_001 } },
    400,
    'BAD_LIMIT',
  ],
  ['limit 0 of all', 'POST', '/machines/order/cancel', { body: { why: 'x', limit: 0 } }, 400, 'BAD_LIMIT'],
  ['a reason in the query that is a book', 'DELETE', `${ONE}?why=${'x'.repeat(2_001)}`, {}, 400, 'BAD_OPTION'],
  ['an empty reason in the query', 'DELETE', `${ONE}?why=`, {}, 400, 'NO_REASON'],
  ['a method that is none', 'PATCH', ONE, { body: {} }, 405, 'METHOD_NOT_ALLOWED'],
  ['a path that is none', 'GET', '/machines/order/instances/o-1/nope', {}, 404, 'UNKNOWN_ROUTE'],
  ['a slash at the end', 'GET', `${ORDERS}/`, {}, 404, 'UNKNOWN_ROUTE'],
]

test.each(TABLE)('%s', async (_, method, path, sent, status, code) => {
  const { app } = await open()
  const answer = await client(app)(method, path, sent)
  expect([answer.status, answer.body['code']]).toEqual([status, code])
  expect(answer.headers.get('content-type')).toBe('application/problem+json; charset=utf-8')
  expect(answer.body).toMatchObject({
    type: `urn:pawl:problem:${code}`,
    status,
    title: expect.any(String),
    detail: expect.any(String),
  })
})

test('no wish is too strange: what is preferred and cannot be read is passed over', async () => {
  const { app } = await open()
  for (const prefer of [
    '',
    'wait',
    'wait=',
    'wait=-1',
    'wait=1.5',
    'wait=x',
    'nowait=5',
    'return=minimal;wait',
    '"wait=1',
  ])
    expect((await client(app)('GET', `${ONE}/result`, { headers: { prefer } })).status, prefer).toBe(202)
})

/** Texts that have hurt others before. */
const HOSTILE = [
  '<img src=x onerror=alert(1)>',
  "'; drop table pawl_instances; --",
  '${7*7}{{7*7}}',
  '../../etc/passwd',
  '\u0000',
  '\u202Egnp.exe',
  '\r\nset-cookie: a=b',
  '𝕏'.repeat(64),
  '__proto__',
  'javascript:alert(1)',
  '%s%s%n',
  'NaN',
]

test('hostile texts in every place of every route are never 5xx, and never a header', async () => {
  const { app } = await open()
  const fetch = httpHandler(app, { token: TOKEN })
  for (const { method, path, name, query = {}, body } of ROUTES) {
    if (name === 'changes') continue
    for (const text of HOSTILE) {
      const at = path.replace(':machine', 'order').replace(':id', encodeURIComponent(text))
      const asked = Object.keys(query).map((field) => `${field}=${encodeURIComponent(text)}`)
      const fields = Object.keys(body ?? {}).map((field) => [field, text])
      const sent = body === undefined ? {} : { body: Object.fromEntries(fields) as unknown }
      for (const url of [
        at,
        `${at}?${asked.join('&')}`,
        path.replace(':machine', encodeURIComponent(text)).replace(':id', 'o-1'),
      ]) {
        const response = await fetch(requestOf(method, url, sent))
        expect(response.status, `${method} ${url}`).toBeLessThan(500)
        expect(response.headers.get('set-cookie')).toBeNull()
      }
    }
  }
})

test('S33: bodies, queries and headers of chance are never 5xx', async () => {
  const { app } = await open()
  const fetch = httpHandler(app, { token: TOKEN })
  const routes = ROUTES.filter(({ name }) => name !== 'changes')
  const value = fc.string().filter((text) => /^[\x20-\x7e]*$/.test(text))
  await fc.assert(
    fc.asyncProperty(
      fc.nat(routes.length - 1),
      fc.oneof(fc.constantFrom('o-1', '..', '.'), fc.string({ unit: 'binary', minLength: 1 })),
      fc.oneof(
        fc.json(),
        fc.string(),
        fc.jsonValue().map((data) => JSON.stringify({ why: 'x', type: 'note', to: 'sent', data })),
      ),
      fc.webQueryParameters(),
      fc.record(
        { 'if-match': value, prefer: value, 'if-none-match': value, 'last-event-id': value },
        { requiredKeys: [] },
      ),
      async (n, id, body, query, headers) => {
        const { method, path } = routes[n]!
        const url = path.replace(':machine', 'order').replace(':id', encodeURIComponent(id.toWellFormed()))
        const sent = { headers: { ...headers, ...JSON_TYPE }, ...(method === 'POST' && { raw: body }) }
        const { status, body: told } = await answerOf(await fetch(requestOf(method, `${url}?${query}`, sent)))
        expect(status).toBeLessThan(500)
        if (status >= 400) expect(told['code']).toEqual(expect.stringMatching(/^[A-Z_]+$/))
      },
    ),
    { numRuns: 1_000 },
  )
})
