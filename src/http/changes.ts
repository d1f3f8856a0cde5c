// What an instance does, as it does it: server-sent events whose ids are its seq, so that whoever comes back misses nothing.
//
//   from the journal, behind the last seq ─▶ written when the client takes it ─▶ wait until its seq is greater ─▶ again
//
// Nothing is gathered for a client: the next rows are read only when it has taken the last ones, so a slow one costs no memory, and one
// that takes nothing for a while is dropped.
import { isPawlError } from '../base/errors.ts'
import type { Handle } from '../machine/types-app.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import { lastEventId } from './asked.ts'
import type { Api, Call, Route } from './call.ts'
import { handleOf, rowJson } from './instances.ts'
import { HEADERS } from './problem.ts'

/** Silence after which a comment is sent: what stands between would close a silent connection, and a lost client shows. */
const SILENCE_MS = 15_000
/** A client that takes nothing for so long is dropped. */
const STUCK_MS = 30_000
/** Rows in one piece. */
const ROWS = 100

const utf8 = new TextEncoder()
const event = (name: string, id: number, data: unknown): string =>
  `event: ${name}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`

/** One client's way through the journal of an instance. */
class Changes {
  readonly #api: Api
  readonly #handle: Handle<AnyMachine>
  readonly #target: { readonly machine: string; readonly id: string }
  #after: number
  #greeting: string | undefined

  constructor(api: Api, machine: string, handle: Handle<AnyMachine>, after: number, greeting: string | undefined) {
    this.#api = api
    this.#handle = handle
    this.#target = { machine, id: handle.id }
    this.#after = after
    this.#greeting = greeting
  }

  /** The next piece; undefined: there will be no other. */
  async next(): Promise<string | undefined> {
    const greeting = this.#greeting
    this.#greeting = undefined
    if (greeting !== undefined) return greeting
    const rows = await this.#rows()
    if (rows !== '') return rows
    const after = this.#after
    try {
      const seen = await this.#api.client.watch(
        this.#target,
        ({ seq, status }) => (seq > after ? 'more' : status === 'live' || status === 'stalled' ? undefined : 'end'),
        SILENCE_MS,
      )
      return seen === 'end' ? undefined : await this.#rows()
    } catch (error) {
      if (isPawlError(error, 'WITHIN_ELAPSED')) return ': still here\n\n'
      // The worker stops, or the instance was erased: the client comes back and is told which.
      return undefined
    }
  }

  async #rows(): Promise<string> {
    let text = ''
    for await (const row of this.#handle.history({ after: this.#after, limit: ROWS })) {
      text += event('change', row.seq, rowJson(row))
      this.#after = row.seq
    }
    return text
  }
}

/** Bytes of what comes next, asked for only when the client has taken the last ones. */
function bytes(changes: Changes, api: Api, close: () => void): ReadableStream<Uint8Array> {
  let stuck = (): void => undefined
  const over = (): void => {
    stuck()
    close()
  }
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        stuck()
        const text = await changes.next()
        if (text === undefined) {
          over()
          controller.close()
          return
        }
        stuck = api.clock.after(
          STUCK_MS,
          () => {
            over()
            controller.error(new Error('the client takes nothing'))
          },
          { background: true },
        )
        controller.enqueue(utf8.encode(text))
      },
      cancel: over,
    },
    // Nothing is read ahead of the client.
    { highWaterMark: 0 },
  )
}

async function follow(call: Call): Promise<Response> {
  const { api, at, request } = call
  const handle = handleOf(call)
  const last = lastEventId(request)
  const snapshot = await handle.state()
  const isOver = ['done', 'failed', 'cancelled'].includes(snapshot.status)
  // By this a browser knows that it need not come back.
  if (last !== undefined && last >= snapshot.seq && isOver) return new Response(null, { status: 204, headers: HEADERS })
  const greeting = last === undefined ? event('state', snapshot.seq, snapshot) : undefined
  const changes = new Changes(api, at('machine'), handle, last ?? snapshot.seq, greeting)
  return new Response(bytes(changes, api, api.stream()), {
    headers: { ...HEADERS, 'content-type': 'text/event-stream; charset=utf-8', 'x-accel-buffering': 'no' },
  })
}

/** The route of changes. */
export const CHANGES: readonly Route[] = [
  {
    method: 'GET',
    path: '/machines/:machine/instances/:id/changes',
    name: 'changes',
    says: 'Server-sent events: how it stands, then each transition as it is committed; `Last-Event-ID` goes on behind that seq',
    may: 'read',
    run: follow,
  },
]
