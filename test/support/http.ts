// A small shop behind its HTTP side, and a client of it.
import { activity, command, event, machine, saga, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { httpHandler } from '../../src/http/handler.ts'
import type { HttpOptions } from '../../src/machine/types-http.ts'
import { Hands } from './world.ts'
import * as z from 'zod'

/** A secret for tests: long enough. */
export const TOKEN = 'a-token-of-the-tests-0123456789'

export const Pay = command('pay', { data: z.object({ cents: z.int() }) })
export const Note = command('note', { data: z.object({ text: z.string() }) })
export const Bomb = command('bomb', { data: z.object({ text: z.string() }) })
export const Shipped = event('shipped', { data: z.object({ order: z.string() }), key: (data) => data.order })

const Item = z.object({ sku: z.string(), parent: z.string().optional() })

/** An order whose money is charged by hand. */
export function shop() {
  const hands = new Hands()
  const charge = activity('charge', {
    input: z.object({ cents: z.int() }),
    output: z.object({ payment: z.string() }),
    failures: ['Declined'],
    retry: { attempts: 1 },
    run: (input, attempt) => hands.run(input, attempt),
  })
  const order = machine('order', {
    data: Item.extend({ cents: z.int().default(0), note: z.string().optional() }),
    receives: [Pay, Note, Bomb, Shipped],
    cancel: 'withdrawing',
    initial: 'open',
    states: {
      open: {
        on: {
          pay: {
            to: 'charging',
            if: ({ message }) => message.cents > 0,
            set: ({ message }) => ({ cents: message.cents }),
          },
          note: { set: ({ message }) => ({ note: message.text }) },
          bomb: {
            set: ({ message }) => {
              throw new Error(`no ${message.text.length}`)
            },
          },
        },
      },
      charging: { call: charge, input: ({ data }) => ({ cents: data.cents }), done: 'paid' },
      paid: { on: { shipped: 'sent' } },
      withdrawing: { after: { '1 hour': 'withdrawn' } },
      sent: { final: 'done' },
      withdrawn: { final: 'cancelled' },
    },
  })
  const plain = machine('plain one', {
    data: z.object({}),
    initial: 'a',
    states: { a: { after: { '1 minute': 'b' } }, b: { final: 'failed' } },
  })
  const settle = saga('settle', { input: z.object({ cents: z.int() }) })
    .step('charge', { call: charge, input: ({ input }) => input })
    .done(({ results }) => ({ payment: results.charge.payment }))
  return { hands, order, plain, settle, services: [service('shop', { machines: [order, plain, settle] })] }
}

/** What came back. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: Record<string, unknown>
}
/** What is sent. */
export interface Sent {
  readonly body?: unknown
  /** Instead of `body`, as it is. */
  readonly raw?: string | Uint8Array | ReadableStream<Uint8Array>
  readonly headers?: Readonly<Record<string, string>>
}
/** Asks. */
export type Ask = (method: string, path: string, sent?: Sent) => Promise<Answer>

/** The request of a client that holds the token. */
export const requestOf = (method: string, path: string, { body, raw, headers = {} }: Sent = {}): Request =>
  new Request(`http://localhost${path}`, {
    method,
    headers: {
      authorization: `Bearer ${TOKEN}`,
      ...(body !== undefined && { 'content-type': 'application/json' }),
      ...headers,
    },
    ...(raw !== undefined ? { body: raw, duplex: 'half' } : body !== undefined && { body: JSON.stringify(body) }),
  } as RequestInit)

/** What came back, read. */
export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  return {
    status: response.status,
    headers: response.headers,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  }
}

/** A client that holds the token. */
export function client(app: App, o: HttpOptions = { token: TOKEN }): Ask {
  const fetch = httpHandler(app, o)
  return async (method, path, sent) => answerOf(await fetch(requestOf(method, path, sent)))
}
