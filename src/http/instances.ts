// Instances over HTTP: start, list, read, wait, history, send, cancel.
import { isPawlError, PawlError } from '../base/errors.ts'
import { checkId } from '../base/id.ts'
import { outputOf, reasonOf } from '../engine/handle.ts'
import { snapshotOf } from '../engine/receipt.ts'
import type { Handle, JournalRow, Snapshot, Started } from '../machine/types-app.ts'
import type { Give } from '../machine/types-data.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import { ifMatch, isKnown, preferred } from './asked.ts'
import type { Api, Call, Route } from './call.ts'
import { badRequest, HEADERS, json } from './problem.ts'
import { receiptResponse } from './receipts.ts'

const ENDED = ['done', 'failed', 'cancelled']
const HISTORY = 100

type Instance = Awaited<ReturnType<Api['client']['instance']>>
type Target = Parameters<Api['client']['instance']>[0]

/** The instance that the path names. Nothing is read yet. */
export const handleOf = ({ api, at }: Call): Handle<AnyMachine> => api.app.get(api.machine(at('machine')), at('id'))

/** A row of the journal as JSON: fields that are gone are named, since JSON has no undefined. */
export function rowJson(row: JournalRow): Record<string, unknown> {
  const removed = Object.keys(row.changed).filter((field) => row.changed[field] === undefined)
  return { ...row, ...(removed.length > 0 && { removed }) }
}

const where = ({ api, at }: Call, id: string): string =>
  `${api.base}/machines/${encodeURIComponent(at('machine'))}/instances/${encodeURIComponent(id)}`

/** How it stands, with what came of it where it is done; `waitSeconds`: after its end, or after that time. Read once: most are asked for often. */
async function standing({ api, at }: Call, id: string, waitSeconds: number): Promise<Record<string, unknown>> {
  const definition = api.definition(at('machine'))
  const target = { machine: definition.name, id }
  const instance = await (waitSeconds === 0 ? api.client.instance(target) : ended(api, target, waitSeconds))
  const snapshot = snapshotOf<AnyMachine>(instance)
  return { ...snapshot, ...(snapshot.status === 'done' && { result: outputOf(definition, instance) }) }
}

async function ended({ client }: Api, target: Target, waitSeconds: number): Promise<Instance> {
  const look = (instance: Instance): Instance | undefined => (ENDED.includes(instance.status) ? instance : undefined)
  try {
    return await client.watch(target, look, waitSeconds * 1_000)
  } catch (error) {
    if (isPawlError(error, 'WITHIN_ELAPSED')) return client.instance(target)
    throw error
  }
}

const applied = (waitSeconds: number): Record<string, string> =>
  waitSeconds === 0 ? {} : { 'preference-applied': `wait=${waitSeconds}` }

async function start(call: Call): Promise<Response> {
  const { api, request, body, visitor, at } = call
  const id = body['id'] as string | undefined
  if (request.headers.has('idempotency-key') && id === undefined)
    throw badRequest('give the instance an `id` of yours: the same id and data are the same instance')
  const handle = await api.app.run(api.machine(at('machine')), {
    data: body['data'] as Give<AnyMachine>,
    by: visitor.name,
    ...(id !== undefined && { id }),
  })
  return started(call, handle)
}

async function started(call: Call, handle: Started<AnyMachine>): Promise<Response> {
  const { waitSeconds } = preferred(call.request)
  const stands = await standing(call, handle.id, waitSeconds)
  return json(
    handle.created ? 201 : 200,
    { ...stands, created: handle.created },
    { location: where(call, handle.id), etag: `"${Number(stands['seq'])}"`, ...applied(waitSeconds) },
  )
}

async function list({ api, at, query }: Call): Promise<Response> {
  return json(200, await api.app.list(api.machine(at('machine')), query))
}

async function read(call: Call): Promise<Response> {
  const snapshot: Snapshot<AnyMachine> = await handleOf(call).state()
  const etag = `"${snapshot.seq}"`
  // 'no-store' would keep a client from having anything to compare with.
  const headers = { etag, 'cache-control': 'private, no-cache' }
  if (isKnown(call.request, snapshot.seq))
    return new Response(null, { status: 304, headers: { ...HEADERS, ...headers } })
  return json(200, snapshot, headers)
}

async function history(call: Call): Promise<Response> {
  const { after = 0, limit = HISTORY } = call.query as { after?: number; limit?: number }
  const items: Record<string, unknown>[] = []
  // One more than is given: where it is there, there is a next page.
  let more = false
  for await (const row of handleOf(call).history({ after, limit: limit + 1 }))
    if (items.length < limit) items.push(rowJson(row))
    else more = true
  return json(200, { items, ...(more && { next: Number(items.at(-1)?.['seq']) }) })
}

async function result(call: Call): Promise<Response> {
  const { waitSeconds } = preferred(call.request)
  const stands = await standing(call, checkId(call.at('id'), 'the id'), waitSeconds)
  const status = stands['status'] as string
  if (status === 'failed' || status === 'cancelled')
    throw new PawlError('INSTANCE_ENDED', `it ended ${status} in "${String(stands['state'])}"`, {
      details: { status, state: stands['state'] },
    })
  return json(status === 'done' ? 200 : 202, stands, {
    etag: `"${Number(stands['seq'])}"`,
    ...applied(waitSeconds),
    ...(status !== 'done' && { 'retry-after': '1' }),
  })
}

async function send(call: Call): Promise<Response> {
  const { api, request, body, visitor, at } = call
  const key = request.headers.get('idempotency-key')
  const ifSeq = ifMatch(request)
  const receipt = await api.sender(visitor).send<string>(api.definition(at('machine')), at('id'), body, {
    by: visitor.name,
    until: preferred(request).async ? 'stored' : 'applied',
    ...(key !== null && { id: key }),
    ...(ifSeq !== undefined && { ifSeq }),
  })
  return receiptResponse(receipt)
}

/** Whether the newest of its cancels was taken, and no operator has moved it since: a second cancel of the same would undo twice. */
async function isCancelled(handle: Handle<AnyMachine>): Promise<boolean> {
  let is = false
  for await (const { cause, outcome } of handle.history())
    if (outcome === 'applied' && (cause.kind === 'cancel' || cause.kind === 'operator')) is = cause.kind === 'cancel'
  return is
}

async function cancel(call: Call): Promise<Response> {
  const handle = handleOf(call)
  const why = (call.query['why'] as string | undefined) ?? 'deleted over HTTP'
  // Before it is known whether there is anything to do: what is wrong is wrong in any case.
  reasonOf({ why }, 'cancel')
  if (await isCancelled(handle)) return new Response(null, { status: 204, headers: HEADERS })
  return receiptResponse(await handle.cancel({ why, by: call.visitor.name }))
}

const ONE = '/machines/:machine/instances/:id'

/** Routes of instances. */
export const INSTANCES: readonly Route[] = [
  {
    method: 'POST',
    path: '/machines/:machine/instances',
    name: 'start',
    says: 'Starts an instance; the same id and data are the same instance',
    may: 'start',
    body: { id: 'text', data: 'data!' },
    run: start,
  },
  {
    method: 'GET',
    path: '/machines/:machine/instances',
    name: 'list',
    says: 'Instances: the ended newest first, the others oldest first',
    may: 'read',
    query: { state: 'text', status: 'text', limit: 'limit', after: 'text' },
    run: list,
  },
  { method: 'GET', path: ONE, name: 'read', says: 'How an instance stands', may: 'read', run: read },
  {
    method: 'DELETE',
    path: ONE,
    name: 'cancel',
    says: 'Cancels an instance; one that is cancelled already is left as it is',
    may: 'cancel',
    query: { why: 'text' },
    run: cancel,
  },
  {
    method: 'GET',
    path: `${ONE}/history`,
    name: 'history',
    says: 'Its transitions, oldest first',
    may: 'read',
    query: { after: 'count', limit: 'limit' },
    run: history,
  },
  {
    method: 'GET',
    path: `${ONE}/result`,
    name: 'result',
    says: 'What came of it; `Prefer: wait=10` waits for that',
    may: 'read',
    run: result,
  },
  {
    method: 'POST',
    path: `${ONE}/messages`,
    name: 'send',
    says: 'Sends it a message',
    may: 'send',
    body: { type: 'text!', data: 'data!' },
    run: send,
  },
]
