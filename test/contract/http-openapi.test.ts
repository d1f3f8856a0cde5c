import { Validator } from '@seriousme/openapi-schema-validator'
import { afterEach, expect, test } from 'vitest'
import { ROUTES } from '../../src/http/handler.ts'
import { contract, machine, pawl, service } from '../../src/index.ts'
import { client, shop, TOKEN } from '../support/http.ts'
import { World } from '../support/world.ts'
import * as z from 'zod'

// The document says what is true, in the words of the standard.

const worlds: World[] = []
afterEach(async () => {
  for (const world of worlds.splice(0)) await world.end()
})

type Node = Record<string, unknown>
const deep = (of: unknown, ...path: readonly string[]): Node =>
  path.reduce<Node>((node, name) => (node[name] ?? {}) as Node, of as Node)

async function documentOf(...machines: Parameters<typeof service>[1]['machines'] & {}): Promise<Node> {
  const app = pawl({ services: [service('s', { machines })], store: 'memory:' })
  return (await client(app)('GET', '/openapi.json')).body
}

test('an official validator takes it, as 3.1', async () => {
  const world = new World('memory', {})
  worlds.push(world)
  const { body } = await client(await world.start(shop().services), { token: TOKEN, base: '/api' })(
    'GET',
    '/api/openapi.json',
  )
  const validator = new Validator()
  expect(await validator.validate(body)).toEqual({ valid: true })
  expect(validator.version).toBe('3.1')
  const checked = await new Validator().validate({ ...body, paths: { 'no-slash': {} } })
  expect(checked.valid, 'and it refuses what is wrong').toBe(false)
})

test('every route is in it, for each machine, with its own data', async () => {
  const { order, plain, settle } = shop()
  const body = await documentOf(order, plain, settle)
  const operations = Object.values(body['paths'] as Node).flatMap((path) => Object.values(path as Node)) as Node[]
  const ids = operations.map((operation) => operation['operationId'] as string)
  for (const { name, path } of ROUTES)
    expect(ids.filter((id) => id === name || id.startsWith(`${name}.`)).length, name).toBe(
      name === 'send' ? 1 : path.includes(':machine') ? 3 : 1,
    )
  expect(new Set(ids).size).toBe(ids.length)
  const start = deep(
    body,
    'paths',
    '/machines/order/instances',
    'post',
    'requestBody',
    'content',
    'application/json',
    'schema',
  )
  expect(deep(start, 'properties', 'data')).toMatchObject({ required: ['sku'], properties: { cents: { default: 0 } } })
  expect(deep(body, 'components', 'schemas', 'machine.order', 'properties', 'data')).toMatchObject({
    required: ['sku', 'cents'],
  })
  const send = deep(
    body,
    'paths',
    '/machines/order/instances/{id}/messages',
    'post',
    'requestBody',
    'content',
    'application/json',
  )
  const each = deep(send, 'schema')['oneOf'] as Node[]
  expect(each.map((one) => deep(one, 'properties', 'type')['const'])).toEqual(['pay', 'note', 'bomb', 'shipped'])
  expect(deep(body, 'paths', '/health/ready', 'get')['security']).toEqual([])
})

test('schemas that refer to themselves, or cannot be written down, do no harm', async () => {
  const tree: z.ZodType<{ name: string; kids: unknown[] }> = z.object({
    name: z.string(),
    kids: z.array(z.lazy(() => tree)),
  })
  const states = { a: { after: { '1 day': 'b' } }, b: { final: 'done' } } as const
  const family = machine('family', { data: tree as z.ZodType<Node>, initial: 'a', states })
  const plain = contract('elsewhere', { data: z.object({}), states: ['up'] })
  expect(plain.name).toBe('elsewhere')
  // A schema of a library that knows no JSON Schema.
  const bare = {
    '~standard': { version: 1, vendor: 'own', validate: (value: unknown) => ({ value: value as Node }) },
  } as const
  const own = machine('own', { data: bare, initial: 'a', states })
  const body = await documentOf(family, own)
  expect(await new Validator().validate(body)).toEqual({ valid: true })
  const data = deep(body, 'components', 'schemas', 'machine.family', 'properties', 'data')
  expect(data['$id']).toBe('urn:pawl:schema:family%3Adata')
  expect(deep(body, 'components', 'schemas', 'machine.own', 'properties')['data']).toEqual({})
})
