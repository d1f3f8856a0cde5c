// Who may come in. Closed by default: without `by` and `token` nobody may.
//
// Three doors, one behind the other: the name that the request is for (a page of a foreign site that has its name point here, DNS
// rebinding), the page that it comes from (`Origin`), and who asks. No answer ever allows a foreign page anything (no CORS).
import type { Clock } from '../base/clock.ts'
import { PawlError } from '../base/errors.ts'
import { tokenCheck } from '../base/token.ts'
import type { HttpOptions, Permission, Principal } from '../machine/types-http.ts'
import { CUSTOMER, LOOPBACK, PERMISSIONS } from './options.ts'

/** So many wrong guesses in a minute, and further ones are not even looked at as such: 429. Who knows the secret comes in all the same. */
const GUESSES_MAX = 100
const MINUTE_MS = 60_000

/** Who is in, and what for. */
export interface Visitor {
  readonly name: string
  readonly may: ReadonlySet<Permission>
}

const nameOf = (host: string): string => host.replace(/:\d*$/, '').toLowerCase()

/** The host of an origin; undefined for one that is none, such as `null` of a sandboxed page. */
function hostOf(origin: string): string | undefined {
  try {
    return new URL(origin).host.toLowerCase()
  } catch {
    return undefined
  }
}

/** One HTTP side's doors. */
export class Guard {
  readonly #by: HttpOptions['by']
  readonly #isToken: ((given: string) => boolean) | undefined
  readonly #hosts: ReadonlySet<string> | undefined
  readonly #clock: Clock
  #guesses = 0
  #since = -Infinity

  constructor(o: HttpOptions, clock: Clock) {
    this.#by = o.by
    this.#isToken = o.token === undefined ? undefined : tokenCheck(o.token)
    const hosts = o.hosts ?? (o.by === undefined ? [] : undefined)
    this.#hosts = hosts && new Set([...LOOPBACK, ...hosts.map((host) => host.toLowerCase())])
    this.#clock = clock
  }

  /** FOREIGN_HOST and FOREIGN_ORIGIN. A program that is no browser sends no origin. */
  checkPlace(request: Request): void {
    const host = (request.headers.get('host') ?? new URL(request.url).host).toLowerCase()
    if (this.#hosts?.has(nameOf(host)) === false)
      throw new PawlError('FOREIGN_HOST', 'this is not the host that you ask for: name it in `hosts`, if it is')
    const origin = request.headers.get('origin')
    if (origin === null) return
    const from = hostOf(origin)
    if (from === undefined || (from !== host && this.#hosts?.has(nameOf(from)) !== true))
      throw new PawlError('FOREIGN_ORIGIN', 'pages of other sites have no access')
    // Another port of this machine is another site, and anybody may open one.
    if (from !== host && LOOPBACK.includes(nameOf(from)))
      throw new PawlError('FOREIGN_ORIGIN', 'pages of other ports have no access')
  }

  /** NOT_AUTHENTICATED, or TOO_MANY_GUESSES. */
  async visitor(request: Request): Promise<Visitor> {
    const authorization = request.headers.get('authorization')
    const bearer = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (bearer !== undefined && this.#isToken?.(bearer) === true) return { name: 'token', may: new Set(PERMISSIONS) }
    const known = await this.#ask(request)
    if (known !== undefined) return known
    if (authorization !== null && this.#guessed() > GUESSES_MAX)
      throw new PawlError('TOO_MANY_GUESSES', 'too many wrong tokens came in the last minute: wait')
    throw new PawlError('NOT_AUTHENTICATED', 'say who you are: send `Authorization: Bearer <token>`')
  }

  async #ask(request: Request): Promise<Visitor | undefined> {
    const given = await this.#by?.(request)
    if (given === null || given === undefined || given === '') return undefined
    const { name, may = ['read'] }: Principal = typeof given === 'string' ? { name: given, may: CUSTOMER } : given
    return { name, may: new Set(may) }
  }

  #guessed(): number {
    const now = this.#clock.monotonic()
    if (now - this.#since > MINUTE_MS) {
      this.#since = now
      this.#guesses = 0
    }
    return ++this.#guesses
  }
}

/** NOT_PERMITTED. */
export function checkMay(visitor: Visitor, permission: Permission): void {
  if (!visitor.may.has(permission))
    throw new PawlError('NOT_PERMITTED', `${visitor.name} may not do this: it takes the permission '${permission}'`)
}
