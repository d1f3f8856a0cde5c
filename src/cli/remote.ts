// A running app over its HTTP API. The one place in the command line that knows paths and headers.
import { systemClock } from '../base/clock.ts'
import { PawlError } from '../base/errors.ts'
import type { MachineGraph } from '../machine/definition.ts'
import type { Counts } from '../machine/types-app.ts'
import type {
  Action,
  Connection,
  HistoryLine,
  InstanceLine,
  InstanceShown,
  LetterLine,
  Page,
  Query,
  ReceiptLine,
} from './connection.ts'

/** Sends a request: `fetch`, or that of an app in this process. */
export type Fetch = (request: Request) => Promise<Response>

interface Asked {
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: object
  readonly headers?: Readonly<Record<string, string>>
}

/** The longest that an answer is waited for: a server waits 5 s for a message to be looked at. */
const ANSWER_MS = 30_000
/** A page holds no more over HTTP. */
const PAGE_MAX = 1_000

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Speaks the HTTP API. */
export class Remote implements Connection {
  readonly #url: string
  readonly #token: string | undefined
  readonly #fetch: Fetch
  readonly #answerMs: number

  /** `url`: where the API lives, its `base` included. `answerMs`: how long an answer is waited for, default 30,000. */
  constructor(url: string, token: string | undefined, send: Fetch = (request) => fetch(request), answerMs = ANSWER_MS) {
    this.#answerMs = answerMs
    this.#url = url.replace(/\/+$/, '')
    this.#token = token
    this.#fetch = send
  }

  async machines(): Promise<readonly { readonly name: string; readonly version: number }[]> {
    const { items } = await this.#ask<Page<{ name: string; version: number }>>('GET', ['machines'])
    return items
  }

  graph(machine: string): Promise<MachineGraph> {
    return this.#ask('GET', ['machines', machine])
  }

  counts(): Promise<Counts> {
    return this.#ask('GET', ['counts'])
  }

  async list({ machine, code, limit, ...rest }: Query): Promise<Page<InstanceLine>> {
    const query = { ...rest, limit: Math.min(limit, PAGE_MAX) }
    const page = await this.#ask<Page<InstanceLine>>('GET', ['machines', machine, 'instances'], { query })
    // The API does not ask for codes: a page may hold fewer then than its limit, and its `next` still leads on.
    return code === undefined ? page : { ...page, items: page.items.filter(({ stalled }) => stalled?.code === code) }
  }

  show(machine: string, id: string): Promise<InstanceShown> {
    return this.#ask('GET', ['machines', machine, 'instances', id])
  }

  history(
    machine: string,
    id: string,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<{ readonly items: readonly HistoryLine[]; readonly next?: number }> {
    const query = { after, limit: Math.min(limit, PAGE_MAX) }
    return this.#ask('GET', ['machines', machine, 'instances', id, 'history'], { query })
  }

  async ready(): Promise<void> {
    // Whether anybody listens shows with the first request.
  }

  act(machine: string, id: string, action: Action): Promise<ReceiptLine> {
    const path = ['machines', machine, 'instances', id]
    if (action.do === 'cancel') return this.#cancel(path, action.why)
    if (action.do !== 'send') return this.#ask('POST', [...path, action.do], { body: action.body })
    const headers = {
      ...(action.id !== undefined && { 'idempotency-key': action.id }),
      ...(action.ifSeq !== undefined && { 'if-match': `"${action.ifSeq}"` }),
    }
    return this.#ask('POST', [...path, 'messages'], { body: action.body, headers })
  }

  async #cancel(path: readonly string[], why: string): Promise<ReceiptLine> {
    const receipt = await this.#ask<ReceiptLine | undefined>('DELETE', path, { query: { why } })
    // 204: a cancel was taken before.
    return receipt ?? { outcome: 'ignored', messageId: '' }
  }

  deadLetters(o: {
    readonly machine?: string | undefined
    readonly limit: number
    readonly after?: string | undefined
  }): Promise<Page<LetterLine>> {
    return this.#ask('GET', ['dead-letters'], { query: o })
  }

  redrive(id: string, body: object): Promise<ReceiptLine> {
    return this.#ask('POST', ['dead-letters', id, 'redrive'], { body })
  }

  discard(id: string, body: object): Promise<void> {
    return this.#ask('POST', ['dead-letters', id, 'discard'], { body })
  }

  async close(): Promise<void> {
    // A request leaves nothing open that would keep this process.
  }

  async #ask<T>(method: string, path: readonly string[], { query = {}, body, headers }: Asked = {}): Promise<T> {
    const url = new URL(`${this.#url}/${path.map((part) => encodeURIComponent(part)).join('/')}`)
    for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, `${value}`)
    const controller = new AbortController()
    const clear = systemClock.after(this.#answerMs, () => controller.abort())
    const request = new Request(url, {
      method,
      headers: {
        accept: 'application/json',
        ...(this.#token !== undefined && { authorization: `Bearer ${this.#token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      // The token is for this server alone.
      redirect: 'error',
      signal: controller.signal,
    })
    try {
      const [response, text] = await this.#send(request)
      const answer = this.#parsed(response, text)
      if (!response.ok) throw this.#refusal(response, answer)
      return answer as T
    } finally {
      clear()
    }
  }

  async #send(request: Request): Promise<readonly [response: Response, text: string]> {
    try {
      const response = await this.#fetch(request)
      return [response, await response.text()]
    } catch (cause) {
      const late = request.signal.aborted ? ` within ${this.#answerMs / 1_000} s` : ''
      throw new PawlError(
        'SERVER_UNREACHABLE',
        `nothing answers at ${this.#url}${late}: start the app, or give its --url`,
        { cause },
      )
    }
  }

  #parsed({ status }: Response, text: string): unknown {
    if (text === '') return undefined
    try {
      return JSON.parse(text) as unknown
    } catch {
      throw new PawlError(
        'BAD_ANSWER',
        `${this.#url} answers ${status} with something that is no JSON: is this the URL of a Pawl app?`,
      )
    }
  }

  #refusal(response: Response, answer: unknown): PawlError {
    if (!isObject(answer) || typeof answer['code'] !== 'string')
      return new PawlError('BAD_ANSWER', `${this.#url} answers ${response.status}: is this the URL of a Pawl app?`)
    const { code, detail, errorId, details } = answer as Readonly<Record<string, unknown>> & { code: string }
    const more = typeof errorId === 'string' ? ` (errorId ${errorId})` : ''
    return new PawlError(code, `${String(detail)}${more}`, isObject(details) ? { details } : {})
  }
}
