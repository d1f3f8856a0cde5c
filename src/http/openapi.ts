// The API as an OpenAPI 3.1 document, made of the routes and of the definitions: one path for each machine, with its own data.
import type { AnySchema, MachineDefinition, MessageDefinition } from '../machine/definition.ts'
import { kindOf, LIMIT_MAX, type Kind, type Shape } from './asked.ts'
import type { Api, Route } from './call.ts'

/** JSON Schema, draft 2020-12. */
type JsonSchema = Readonly<Record<string, unknown>>

const TEXT: JsonSchema = { type: 'string' }
const ref = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` })
const object = (properties: Readonly<Record<string, JsonSchema>>, optional: readonly string[] = []): JsonSchema => ({
  type: 'object',
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
})
const page = (items: JsonSchema, next: JsonSchema = TEXT): JsonSchema =>
  object({ items: { type: 'array', items }, next }, ['next'])

const KINDS: Readonly<Record<Kind, JsonSchema>> = {
  text: TEXT,
  flag: { type: 'boolean' },
  count: { type: 'integer', minimum: 0, maximum: Number.MAX_SAFE_INTEGER },
  limit: { type: 'integer', minimum: 1, maximum: LIMIT_MAX },
  object: { type: 'object' },
  data: {},
  texts: { oneOf: [TEXT, { type: 'array', items: TEXT }] },
}
// Bytes are what is limited: of other letters there may be fewer.
const ID: JsonSchema = { type: 'string', minLength: 1, maxLength: 255, pattern: '^[^\\u0000-\\u001f\\u007f-\\u009f]+$' }

const STATUSES = ['running', 'waiting', 'stalled', 'done', 'failed', 'cancelled']

type Converter = { readonly [side in 'input' | 'output']?: (o: { target: string }) => Record<string, unknown> }

/**
 * What a schema takes or gives as JSON Schema, where its library can say so (Standard JSON Schema: zod, valibot, arktype); else
 * anything. References inside it stay inside: it gets an `$id` of its own.
 */
function jsonSchema(schema: AnySchema, side: 'input' | 'output', id: string): JsonSchema {
  const { jsonSchema: converter } = schema['~standard'] as unknown as { readonly jsonSchema?: Converter }
  try {
    const { $schema: _, ...made } = converter?.[side]?.({ target: 'draft-2020-12' }) ?? {}
    return JSON.stringify(made).includes('"$ref"')
      ? { $id: `urn:pawl:schema:${encodeURIComponent(id)}`, ...made }
      : made
  } catch {
    // A schema that cannot be written so, a custom check say, is no reason to have no document.
    return {}
  }
}

/** Fields that take less than their kind. */
const FIELDS: Readonly<Record<string, JsonSchema>> = {
  id: ID,
  why: { type: 'string', minLength: 1, maxLength: 2_000, pattern: '\\S' },
  status: { enum: STATUSES },
}

/** What a field takes; a state is one of the machine's. */
function fieldSchema(name: string, field: Shape[string], machine: MachineDefinition | undefined): JsonSchema {
  const [kind] = kindOf(field)
  const state: JsonSchema = { enum: [...(machine?.states.keys() ?? [])] }
  if (name === 'to' || name === 'state')
    return kind === 'texts' ? { oneOf: [state, { type: 'array', items: state }] } : state
  return Object.hasOwn(FIELDS, name) ? FIELDS[name]! : KINDS[kind]
}

const STATUS: JsonSchema = { enum: STATUSES }
const MESSAGE = object({ type: TEXT, data: {} })
const REASON = object({ code: TEXT, message: TEXT })
const SEQ: JsonSchema = { type: 'integer', minimum: 0 }

const SHARED: Readonly<Record<string, JsonSchema>> = {
  Problem: {
    ...object({ type: TEXT, title: TEXT, status: { type: 'integer' }, detail: TEXT, code: TEXT }),
    description: 'RFC 9457. `code` is stable; `detail` is for people, and may change.',
  },
  Receipt: object(
    {
      messageId: TEXT,
      outcome: { enum: ['applied', 'ignored', 'deferred', 'stored', 'duplicate'] },
      became: TEXT,
      state: TEXT,
      seq: SEQ,
      emitted: { type: 'array', items: MESSAGE },
    },
    ['became', 'state', 'seq', 'emitted'],
  ),
  Row: object(
    {
      seq: SEQ,
      at: { type: 'string', format: 'date-time' },
      from: { type: ['string', 'null'] },
      to: TEXT,
      changed: { type: 'object' },
      removed: { type: 'array', items: TEXT },
      emitted: { type: 'array', items: MESSAGE },
      cause: { type: 'object' },
      outcome: { enum: ['applied', 'ignored', 'refused', 'late'] },
      by: TEXT,
      why: TEXT,
    },
    ['removed', 'by', 'why'],
  ),
  Emission: object({
    messageId: TEXT,
    outcome: { enum: ['applied', 'stored', 'duplicate'] },
    heard: { type: 'array', items: { type: 'object' } },
  }),
  DeadLetter: object(
    {
      id: TEXT,
      machine: TEXT,
      instance: TEXT,
      message: MESSAGE,
      at: { type: 'string', format: 'date-time' },
      error: REASON,
    },
    ['instance'],
  ),
  Bulk: object({ matched: SEQ, done: SEQ, failed: { type: 'array', items: object({ id: TEXT, code: TEXT }) } }),
}

/** How an instance of it stands. */
const snapshot = ({ name, states, schema }: MachineDefinition): JsonSchema =>
  object(
    {
      id: ID,
      state: { type: 'string', description: [...states.keys()].join(', ') },
      data: jsonSchema(schema, 'output', `${name}:data`),
      seq: SEQ,
      status: STATUS,
      stalled: REASON,
      created: { type: 'boolean' },
      result: {},
    },
    ['stalled', 'created', 'result'],
  )

const messages = (list: Iterable<MessageDefinition>): JsonSchema => {
  const each = [...list].map(({ type, schema }) => ({
    ...object({ type: { const: type }, data: jsonSchema(schema, 'input', type) }),
    additionalProperties: false,
  }))
  // An empty `oneOf` is no schema.
  return each.length === 0 ? MESSAGE : { oneOf: each }
}

/** A shape of a body. */
const bodySchema = (shape: Shape, machine: MachineDefinition | undefined): JsonSchema => ({
  type: 'object',
  properties: Object.fromEntries(
    Object.entries(shape).map(([name, field]) => [name, fieldSchema(name, field, machine)]),
  ),
  required: Object.keys(shape).filter((name) => kindOf(shape[name]!)[1]),
  additionalProperties: false,
})

/** What goes in, where a definition says more than the route. */
function requestSchema(api: Api, { name, body = {} }: Route, machine: MachineDefinition | undefined): JsonSchema {
  if (name === 'emit') {
    const events = [...api.engine.registry.machines.values()].flatMap((one) => [...one.receives.values()])
    const unique = new Map(events.filter(({ kind }) => kind === 'event').map((one) => [one.type, one]))
    return messages(unique.values())
  }
  if (name === 'send' && machine !== undefined) return messages(machine.receives.values())
  if (name !== 'start' || machine === undefined) return bodySchema(body, machine)
  const data = machine.begin === undefined ? jsonSchema(machine.schema, 'input', `${machine.name}:given`) : {}
  return { ...object({ id: ID, data }, ['id']), additionalProperties: false }
}

type Answers = Readonly<Record<string, JsonSchema | null>>
const ANSWERS: Readonly<Record<string, (of: JsonSchema) => Answers>> = {
  start: (of) => ({ 200: of, 201: of }),
  list: (of) => ({ 200: page(of) }),
  read: (of) => ({ 200: of, 304: null }),
  result: (of) => ({ 200: of, 202: of }),
  history: () => ({ 200: page(ref('Row'), SEQ) }),
  cancel: () => ({ 200: ref('Receipt'), 202: ref('Receipt'), 204: null }),
  remove: () => ({ 204: null }),
  discard: () => ({ 204: null }),
  emit: () => ({ 200: ref('Emission'), 202: ref('Emission') }),
  deadLetters: () => ({ 200: page(ref('DeadLetter')) }),
  ...Object.fromEntries(['retryEach', 'resolveEach', 'cancelEach'].map((name) => [name, () => ({ 200: ref('Bulk') })])),
  ...Object.fromEntries(
    ['send', 'retry', 'resolve', 'move', 'redrive'].map((name) => [
      name,
      () => ({ 200: ref('Receipt'), 202: ref('Receipt') }),
    ]),
  ),
  ...Object.fromEntries(
    ['alive', 'ready'].map((name) => [
      name,
      () => ({ 200: object({ ok: { type: 'boolean' } }), 503: object({ ok: { type: 'boolean' } }) }),
    ]),
  ),
}
const WORDS: Readonly<Record<string, string>> = {
  200: 'As it is now',
  201: 'Started',
  202: 'Safe, and not over yet',
  204: 'Done, or nothing to do',
  304: 'As it was',
  503: 'Not now',
}

function responses({ name }: Route, of: JsonSchema): unknown {
  const answers = ANSWERS[name]?.(of) ?? { 200: { type: 'object' } }
  const media = name === 'changes' ? 'text/event-stream' : 'application/json'
  const told = Object.entries(answers).map(([status, schema]) => [
    status,
    {
      description: WORDS[status] ?? status,
      ...(schema !== null && { content: { [media]: { schema: name === 'changes' ? TEXT : schema } } }),
    },
  ])
  const problem = { description: 'A problem', content: { 'application/problem+json': { schema: ref('Problem') } } }
  return { ...Object.fromEntries(told), default: problem }
}

const header = (name: string, schema: JsonSchema, description: string): unknown => ({
  name,
  in: 'header',
  schema,
  description,
})
const KEY = header('Idempotency-Key', ID, 'The id of the message: sent twice under one it is applied once')
const WAIT = header('Prefer', TEXT, '`wait=10` waits that many seconds, 60 at most')
const HEADERS: Readonly<Record<string, readonly unknown[]>> = {
  start: [WAIT],
  result: [WAIT],
  emit: [KEY],
  send: [KEY, header('If-Match', TEXT, 'An ETag: only if nothing has happened since; else 412')],
  read: [header('If-None-Match', TEXT, 'An ETag: 304 if nothing has happened since')],
  changes: [header('Last-Event-ID', TEXT, 'The id of the last event that came')],
}

function parameters(route: Route, machine: MachineDefinition | undefined): unknown[] {
  const query = Object.entries(route.query ?? {}).map(([name, field]) => ({
    name,
    in: 'query',
    schema: fieldSchema(name, field, machine),
  }))
  const path = route.path.includes(':id') ? [{ name: 'id', in: 'path', required: true, schema: ID }] : []
  return [...path, ...query, ...(HEADERS[route.name] ?? [])]
}

function operation(api: Api, route: Route, machine: MachineDefinition | undefined): unknown {
  const { name, says, may, body } = route
  const of = machine === undefined ? {} : ref(`${schemaName(machine.name)}`)
  const given = parameters(route, machine)
  return {
    operationId: machine === undefined ? name : `${name}.${machine.name}`,
    summary: says,
    tags: [machine?.name ?? 'app'],
    ...(given.length > 0 && { parameters: given }),
    ...(body !== undefined && {
      requestBody: { required: true, content: { 'application/json': { schema: requestSchema(api, route, machine) } } },
    }),
    responses: responses(route, of),
    ...(may === null && { security: [] }),
  }
}

/** Names of components are of few characters; names of machines of many. */
const schemaName = (machine: string): string =>
  `machine.${machine.replaceAll(/[^\w.-]/g, (c) => `_${c.codePointAt(0)!.toString(16)}_`)}`

/** The document. */
export function document(api: Api, routes: readonly Route[]): unknown {
  const machines = [...api.engine.registry.machines.values()]
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes)
    for (const machine of route.path.includes(':machine') ? machines : [undefined]) {
      if (route.name === 'send' && machine?.receives.size === 0) continue
      const named = route.path.replace(':machine', encodeURIComponent(machine?.name ?? '')).replace(':id', '{id}')
      const path = (paths[`${api.base}${named}`] ??= {})
      path[route.method.toLowerCase()] = operation(api, route, machine)
    }
  return {
    openapi: '3.1.0',
    jsonSchemaDialect: 'https://json-schema.org/draft/2020-12/schema',
    info: {
      title: 'Pawl',
      version: api.engine.registry.build,
      description: 'State machines that survive what happens.',
    },
    security: [{ bearer: [] }],
    paths,
    components: {
      securitySchemes: { bearer: { type: 'http', scheme: 'bearer' } },
      schemas: { ...SHARED, ...Object.fromEntries(machines.map((one) => [schemaName(one.name), snapshot(one)])) },
    },
  }
}
