// What is asked of the app as a whole: health, counts, machines, events, the document.
import type { MachineDefinition } from '../machine/definition.ts'
import { preferred } from './asked.ts'
import type { Call, Route } from './call.ts'
import { document } from './openapi.ts'
import { json, problem } from './problem.ts'

const yes = (is: boolean): Response => json(is ? 200 : 503, { ok: is })

const alive = async ({ api }: Call): Promise<Response> => yes((await api.app.health()).alive)
const ready = async ({ api }: Call): Promise<Response> => yes((await api.app.health()).ready)
const health = async ({ api }: Call): Promise<Response> => json(200, await api.app.health())
const counts = async ({ api }: Call): Promise<Response> => json(200, await api.app.counts())
const workers = async ({ api }: Call): Promise<Response> => json(200, { items: await api.app.workers() })

const shortly = ({ name, version, states, receives }: MachineDefinition): unknown => ({
  name,
  version,
  states: [...states.keys()],
  receives: [...receives.keys()],
})
const machines = ({ api }: Call): Response =>
  json(200, { items: [...api.engine.registry.machines.values()].map(shortly) })
const machine = ({ api, at }: Call): Response => json(200, api.definition(at('machine')).graph)

async function emit({ api, request, body, visitor }: Call): Promise<Response> {
  const key = request.headers.get('idempotency-key')
  const emission = await api.sender(visitor).emit(body, {
    by: visitor.name,
    until: preferred(request).async ? 'stored' : 'applied',
    ...(key !== null && { id: key }),
  })
  const headers: Record<string, string> = emission.outcome === 'duplicate' ? { 'idempotent-replayed': 'true' } : {}
  return json(emission.outcome === 'stored' ? 202 : 200, emission, headers)
}

const get = (path: string, name: string, may: Route['may'], says: string, run: Route['run']): Route => ({
  method: 'GET',
  path,
  name,
  may,
  says,
  run,
})

/** Routes of the whole; `all` are those that the document describes. */
export const wholeRoutes = (all: () => readonly Route[]): readonly Route[] => [
  get('/health/alive', 'alive', null, '503: only a new process will help', alive),
  get('/health/ready', 'ready', null, '503: it takes no work now', ready),
  get('/health', 'health', 'read', 'How this worker is, in words', health),
  get('/counts', 'counts', 'read', 'How many instances and messages there are, by what became of them', counts),
  get('/workers', 'workers', 'read', 'Who works on this store', workers),
  get('/machines', 'machines', 'read', 'What runs here', machines),
  get('/machines/:machine', 'machine', 'read', 'The graph of a machine', machine),
  get('/openapi.json', 'openapi', 'read', 'This document', ({ api }) => json(200, document(api, all()))),
  {
    method: 'POST',
    path: '/events',
    name: 'emit',
    says: 'Tells an event to whoever hears it',
    may: 'send',
    body: { type: 'text!', data: 'data!' },
    run: emit,
  },
]

/** The answer to a path that nothing stands behind. */
export const unknownRoute = (): Response =>
  problem('UNKNOWN_ROUTE', 'there is nothing here: /openapi.json tells what is')
