// The HTTP side of an app: a web-standard handler. Every request takes the same way:
//
//   place (host, origin) ─▶ who asks ─▶ route ─▶ may they ─▶ query, body ─▶ the engine ─▶ an answer, or a problem
//
// A stranger learns nothing, not even which paths there are. What goes wrong is told by `problem.ts`, in one place.
import { Hono } from 'hono'
import { systemRandom } from '../base/random.ts'
import { uuidv7 } from '../base/id.ts'
import type { App } from '../machine/types-app.ts'
import type { HttpOptions } from '../machine/types-http.ts'
import { bodyOf, queried, shaped } from './asked.ts'
import { Api, type Route } from './call.ts'
import { CHANGES } from './changes.ts'
import { checkMay, Guard, type Visitor } from './guard.ts'
import { INSTANCES } from './instances.ts'
import { OPERATORS } from './operators.ts'
import { checkHttp } from './options.ts'
import { problem, problemOf } from './problem.ts'
import { unknownRoute, wholeRoutes } from './whole.ts'

/** All that can be asked. */
export const ROUTES: readonly Route[] = [...wholeRoutes(() => ROUTES), ...INSTANCES, ...CHANGES, ...OPERATORS]

/** Whoever asks for what is open to all. */
const ANYBODY: Visitor = { name: 'anybody', may: new Set() }
const NOTHING = {}
type At = (name: 'machine' | 'id') => string

/** One HTTP side. */
class Side {
  readonly #api: Api
  readonly #guard: Guard

  constructor(api: Api, o: HttpOptions) {
    this.#api = api
    this.#guard = new Guard(o, api.clock)
  }

  /** Never rejects. */
  async answer(request: Request, route: Route, at: At): Promise<Response> {
    try {
      const visitor = route.may === null ? ANYBODY : await this.#enter(request)
      if (route.may !== null) checkMay(visitor, route.may)
      const query = queried(new URL(request.url), route.query ?? NOTHING)
      const body = route.body === undefined ? NOTHING : shaped(await bodyOf(request), route.body, 'the body')
      return await route.run({ api: this.#api, visitor, request, at, query, body })
    } catch (error) {
      return this.#problem(error, request, route.name)
    }
  }

  /** To whoever may come in: nothing stands there, or not for that method. */
  async nothing(request: Request, methods: readonly string[]): Promise<Response> {
    try {
      await this.#enter(request)
      if (methods.length === 0) return unknownRoute()
      return problem('METHOD_NOT_ALLOWED', `here is ${methods.join(', ')} only`, {}, { allow: methods.join(', ') })
    } catch (error) {
      return this.#problem(error, request, 'nothing')
    }
  }

  async #enter(request: Request): Promise<Visitor> {
    this.#guard.checkPlace(request)
    return this.#guard.visitor(request)
  }

  #problem(error: unknown, request: Request, name: string): Response {
    const answer = problemOf(error, (fault) => {
      const errorId = uuidv7(this.#api.clock, systemRandom)
      this.#api.engine.log({
        level: 'error',
        text: `HTTP ${request.method} ${name} failed, errorId ${errorId}`,
        error: fault,
      })
      return errorId
    })
    if (answer.status === 401) answer.headers.set('www-authenticate', 'Bearer realm="pawl"')
    return answer
  }
}

/**
 * A handler for any web-standard server, of an app that may still be stopped. Throws BAD_OPTION for options that would leave a door open;
 * the handler itself never rejects.
 */
export function httpHandler(app: App, o: HttpOptions = {}): (request: Request) => Promise<Response> {
  checkHttp(o)
  const base = o.base ?? ''
  const side = new Side(new Api(app, base), o)
  const hono = new Hono()
  const methods = new Map<string, string[]>()
  for (const route of ROUTES) {
    const path = `${base}${route.path}`
    methods.set(path, [...(methods.get(path) ?? []), route.method])
    hono.on(route.method, [path], (c) => side.answer(c.req.raw, route, (name) => c.req.param(name) ?? ''))
  }
  for (const [path, allowed] of methods) hono.all(path, (c) => side.nothing(c.req.raw, allowed))
  hono.notFound((c) => side.nothing(c.req.raw, []))
  return async (request) => hono.fetch(request)
}
