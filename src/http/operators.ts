// What operators do over HTTP: to one instance, to all that match, to dead letters.
import type { Reason, Settled } from '../machine/types-app.ts'
import type { Call, Route } from './call.ts'
import { HEADERS, json } from './problem.ts'
import { receiptResponse } from './receipts.ts'
import type { Shape } from './asked.ts'

const ONE = '/machines/:machine/instances/:id'
const WHICH: Shape = { state: 'texts', code: 'text', limit: 'limit', dryRun: 'flag' }
const SETTLED: Shape = { call: 'text', result: 'data', failure: 'text' }

/** What a body says of who and why; the engine checks the rest. */
const reason = <T>({ body, visitor }: Call): T & Reason => ({ ...body, by: visitor.name }) as T & Reason

const operate =
  (does: 'retry' | 'resolve' | 'move') =>
  async (call: Call): Promise<Response> => {
    const { api, at } = call
    const [machine, id] = [api.machine(at('machine')), at('id')]
    const { operate: operator } = api.app
    if (does === 'retry') return receiptResponse(await operator.retry(machine, id, reason(call)))
    if (does === 'move') return receiptResponse(await operator.move(machine, id, reason<{ to: string }>(call)))
    return receiptResponse(await operator.resolve(machine, id, reason<Settled>(call)))
  }

const each =
  (does: 'retry' | 'resolve' | 'cancel') =>
  async ({ api, at, body, visitor }: Call): Promise<Response> => {
    const parts = Object.entries(body)
    const which = Object.fromEntries(parts.filter(([name]) => Object.hasOwn(WHICH, name)))
    const action = Object.fromEntries(parts.filter(([name]) => !Object.hasOwn(WHICH, name)))
    const asked = { ...action, do: does, by: visitor.name } as unknown as Reason & { do: 'cancel' }
    return json(200, await api.app.operate.each(api.machine(at('machine')), which, asked))
  }

async function remove(call: Call): Promise<Response> {
  const { api, at } = call
  await api.app.remove(api.machine(at('machine')), at('id'), reason(call))
  return new Response(null, { status: 204, headers: HEADERS })
}

const letters = async ({ api, query }: Call): Promise<Response> =>
  json(200, await api.app.operate.deadLetters.list(query))

const redrive = async (call: Call): Promise<Response> =>
  receiptResponse(await call.api.app.operate.deadLetters.redrive(call.at('id'), reason(call)))

async function discard(call: Call): Promise<Response> {
  await call.api.app.operate.deadLetters.discard(call.at('id'), reason(call))
  return new Response(null, { status: 204, headers: HEADERS })
}

const post = (path: string, name: string, may: Route['may'], says: string, body: Shape, run: Route['run']): Route => ({
  method: 'POST',
  path,
  name,
  says,
  may,
  body: { why: 'text!', ...body },
  run,
})

/** Routes of operators. */
export const OPERATORS: readonly Route[] = [
  post(`${ONE}/retry`, 'retry', 'retry', 'Tries what stalled again', { newKey: 'flag' }, operate('retry')),
  post(
    `${ONE}/resolve`,
    'resolve',
    'resolve',
    'Says how a call ended: `result` or `failure`',
    SETTLED,
    operate('resolve'),
  ),
  post(
    `${ONE}/move`,
    'move',
    'move',
    'Moves it along a declared edge',
    { to: 'text!', payload: 'data', data: 'object' },
    operate('move'),
  ),
  post(`${ONE}/remove`, 'remove', 'remove', 'Erases an ended instance with its journal', {}, remove),
  post(
    '/machines/:machine/retry',
    'retryEach',
    'retry',
    'Retries all that match',
    { ...WHICH, newKey: 'flag' },
    each('retry'),
  ),
  post(
    '/machines/:machine/resolve',
    'resolveEach',
    'resolve',
    'Resolves all that match',
    { ...WHICH, ...SETTLED },
    each('resolve'),
  ),
  post('/machines/:machine/cancel', 'cancelEach', 'cancel', 'Cancels all that match', WHICH, each('cancel')),
  {
    method: 'GET',
    path: '/dead-letters',
    name: 'deadLetters',
    says: 'Messages that could not be applied',
    may: 'read',
    query: { machine: 'text', limit: 'limit', after: 'text' },
    run: letters,
  },
  post(
    '/dead-letters/:id/redrive',
    'redrive',
    'redrive',
    'Sends a dead letter again; `data` is its payload, mended',
    { data: 'data' },
    redrive,
  ),
  post('/dead-letters/:id/discard', 'discard', 'discard', 'Gives a dead letter up', {}, discard),
]
