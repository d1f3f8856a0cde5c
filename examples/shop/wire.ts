// How the shop talks to the outside: lines of JSON over one TCP connection on this machine.
//
// The shop asks:       {"ask": 7, "act": "bank.charge", "key": "…", "input": {…}}
// the outside answers: {"ask": 7, "result": {…}}, or {"ask": 7, "failure": "Declined"}, or {"ask": 7, "trouble": "…"},
//                      late, or never.
// The outside tells:   {"tell": "d-o-1", "order": "o-1"}      (delivered: again and again, until the shop says that it has it)
// the shop answers:    {"told": "d-o-1"}
import { connect, type Socket } from 'node:net'
import type { Attempt } from 'pawl'

/** What the shop asks for. `key`: the same for every attempt of one call. */
export interface Ask {
  readonly ask: number
  readonly act: string
  readonly key: string
  readonly input: Readonly<Record<string, unknown>>
}

/** What comes back. `failure`: refused, and the other side says so; `trouble`: something went wrong on its way. */
export type Answer =
  | { readonly ask: number; readonly result: unknown; readonly failure?: undefined; readonly trouble?: undefined }
  | { readonly ask: number; readonly failure: string; readonly trouble?: undefined }
  | { readonly ask: number; readonly trouble: string; readonly failure?: undefined }

/** The outside's own word. */
export interface Tell {
  readonly tell: string
  readonly order: string
}

/** Cuts a stream of text into its lines. */
export const lines = (take: (line: string) => void): ((chunk: string) => void) => {
  let rest = ''
  return (chunk) => {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) if (part !== '') take(part)
  }
}

/** Gathers the lines of one turn into one write: a system call for each line would cost more than the line. */
export const writer = (socket: Socket): ((line: unknown) => void) => {
  let gathered = ''
  return (line) => {
    if (gathered === '') {
      setImmediate(() => {
        if (!socket.destroyed) socket.write(gathered)
        gathered = ''
      })
    }
    gathered += `${JSON.stringify(line)}\n`
  }
}

/** Where the outside listens on this machine, now; it may be another port after it was started again. */
export type Port = () => Promise<number>

interface Pending {
  readonly give: (answer: Answer) => void
  readonly lose: (why: Error) => void
}

/** The shop's end of the wire. Connects by itself, and again after a loss; what was asked and not answered then is lost. */
export class Outside {
  readonly #port: Port
  readonly #pending = new Map<number, Pending>()
  #socket: Promise<(line: unknown) => void> | undefined
  #end: (() => void) | undefined
  #asked = 0
  #listener: ((tell: Tell) => Promise<void>) | undefined
  #closed = false

  constructor(port: Port) {
    this.#port = port
  }

  /** One attempt of a call. Rejects when the wire breaks, and when the attempt is aborted: then nobody knows what became of it. */
  async ask<T, F extends string>(act: string, input: Ask['input'], attempt: Attempt<F>): Promise<T> {
    const send = await this.#connected()
    attempt.signal.throwIfAborted()
    const ask = ++this.#asked
    let abort = (): void => {}
    const answer = await new Promise<Answer>((give, lose) => {
      this.#pending.set(ask, { give, lose })
      abort = () => lose(new Error(`${act}: no answer in time`))
      attempt.signal.addEventListener('abort', abort)
      send({ ask, act, key: attempt.idempotencyKey, input } satisfies Ask)
    }).finally(() => {
      this.#pending.delete(ask)
      attempt.signal.removeEventListener('abort', abort)
    })
    if (answer.failure !== undefined) return attempt.fail(answer.failure as F)
    if (answer.trouble !== undefined) throw new Error(`${act}: ${answer.trouble}`)
    return answer.result as T
  }

  /** Who hears what the outside tells; it is told again until the promise resolves. Connects, and stays connected. */
  listen(listener: (tell: Tell) => Promise<void>): void {
    this.#listener = listener
    void this.#connected().catch(() => this.#reconnect())
  }

  close(): void {
    this.#closed = true
    this.#end?.()
  }

  #connected(): Promise<(line: unknown) => void> {
    this.#socket ??= this.#connect().catch((e: unknown) => {
      this.#socket = undefined
      throw e
    })
    return this.#socket
  }

  async #connect(): Promise<(line: unknown) => void> {
    const socket = connect({ host: '127.0.0.1', port: await this.#port() })
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
    socket.setNoDelay(true).setEncoding('utf8')
    const send = writer(socket)
    const take = lines((line) => this.#take(JSON.parse(line) as Answer | Tell, send))
    socket.on('data', (chunk) => take(String(chunk)))
    socket.on('error', () => {})
    socket.on('close', () => this.#lost())
    this.#end = () => socket.destroy()
    return send
  }

  #take(line: Answer | Tell, send: (line: unknown) => void): void {
    if ('ask' in line) this.#pending.get(line.ask)?.give(line)
    // What fails here is told again.
    else
      this.#listener?.(line).then(
        () => send({ told: line.tell }),
        () => {},
      )
  }

  #lost(): void {
    this.#socket = undefined
    for (const { lose } of this.#pending.values()) lose(new Error('the connection to the outside was lost'))
    this.#pending.clear()
    if (this.#listener !== undefined) this.#reconnect()
  }

  #reconnect(): void {
    if (this.#closed) return
    setTimeout(() => {
      if (!this.#closed) void this.#connected().catch(() => this.#reconnect())
    }, 200)
  }
}
