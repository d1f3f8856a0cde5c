// Listening ourselves: a server of Node with the handler behind it, on this machine alone unless told otherwise.
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createAdaptorServer } from '@hono/node-server'
import { durationMs, type Duration } from '../base/duration.ts'
import { PawlError } from '../base/errors.ts'
import { systemRandom } from '../base/random.ts'
import { newToken } from '../base/token.ts'
import type { App } from '../machine/types-app.ts'
import type { HttpOptions } from '../machine/types-http.ts'
import { httpHandler } from './handler.ts'

const PORT = 4400
/** Ports that are tried where one is taken. */
const PORTS = 100
const HEADER_BYTES_MAX = 16 * 1024
const CONNECTIONS_MAX = 4_096
/** How often connections are looked at for those that are too slow. */
const LOOK_EVERY_MS = 1_000

/** How to listen. */
export interface ServeOptions extends HttpOptions {
  /** Default 4400, or the next one that is free; one that is given is taken, or the error PORT_TAKEN. 0: any. */
  port?: number
  /** Default '127.0.0.1'. Another address is refused with UNPROTECTED unless `by` or `token` is given. */
  host?: string
  /** The longest that a client may take to send a whole request, default '30 seconds'; for the headers a third of it. After that it is cut off. */
  requestTimeout?: Duration
}
/** A server that listens. */
export interface Served {
  /** With `base`, without a slash at its end. */
  readonly url: string
  readonly port: number
  /** What opens it, where neither `by` nor `token` was given: made anew by each call of `serve`. */
  readonly token?: string
  /** Takes nothing new, and cuts off what is open. The app goes on. */
  close(this: void): Promise<void>
}

const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || host.startsWith('127.')

const listening = (server: Server, host: string, port: number): Promise<boolean> =>
  new Promise((resolve, reject) => {
    const onError = (error: NodeJS.ErrnoException): void => {
      if (error.code === 'EADDRINUSE') resolve(false)
      else reject(new PawlError('CANNOT_LISTEN', `${host}:${port}: ${error.message}`, { cause: error }))
    }
    server.once('error', onError)
    server.listen(port, host, () => {
      server.off('error', onError)
      resolve(true)
    })
  })

/** Listens on the port that was given, or on the first free one. */
async function listen(server: Server, host: string, given: number | undefined): Promise<number> {
  const first = given ?? PORT
  const last = given === undefined ? PORT + PORTS : given
  for (let port = first; port <= last; port++)
    if (await listening(server, host, port)) return (server.address() as AddressInfo).port
  throw new PawlError(
    'PORT_TAKEN',
    `port ${first}${last > first ? ` to ${last}` : ''} of ${host} is taken: give another \`port\``,
  )
}

/** UNPROTECTED: others than this machine could come in, and nothing says who may. */
function protectedBy(o: HttpOptions, host: string): HttpOptions & { readonly made?: string } {
  if (o.by !== undefined || o.token !== undefined) return { ...o, hosts: o.hosts ?? [host] }
  if (!isLoopback(host))
    throw new PawlError(
      'UNPROTECTED',
      `${host} is reached by others: say who may come in by \`by\` or \`token\`, or listen on 127.0.0.1`,
    )
  const made = newToken(systemRandom)
  return { ...o, token: made, made }
}

/**
 * Serves an app over HTTP, for as long as `close` is not called. Rejects with UNPROTECTED, PORT_TAKEN, CANNOT_LISTEN, or BAD_OPTION.
 */
export async function serve(app: App, o: ServeOptions = {}): Promise<Served> {
  const { port: asked, host = '127.0.0.1', requestTimeout = '30 seconds', ...opened } = o
  const timeoutMs = durationMs(requestTimeout)
  const { made, ...http } = protectedBy(opened, host)
  const server = createAdaptorServer({
    fetch: httpHandler(app, http),
    overrideGlobalObjects: false,
    serverOptions: {
      requestTimeout: timeoutMs,
      headersTimeout: Math.ceil(timeoutMs / 3),
      connectionsCheckingInterval: Math.min(LOOK_EVERY_MS, timeoutMs),
      maxHeaderSize: HEADER_BYTES_MAX,
    },
  }) as Server
  server.maxConnections = CONNECTIONS_MAX
  const port = await listen(server, host, asked)
  const name = host.includes(':') ? `[${host}]` : host
  return {
    url: `http://${name}:${port}${o.base ?? ''}`,
    port,
    ...(made !== undefined && { token: made }),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}
