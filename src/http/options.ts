// How the HTTP side is opened, checked before anything is served.
import { PawlError } from '../base/errors.ts'
import { isToken } from '../base/token.ts'
import type { HttpOptions, Permission } from '../machine/types-http.ts'

/** Everything that can be allowed, one for each thing that changes something. */
export const PERMISSIONS: readonly Permission[] = [
  'read',
  'start',
  'send',
  'cancel',
  'retry',
  'resolve',
  'move',
  'remove',
  'redrive',
  'discard',
]
/** What somebody may do of whom only the name is told: use the machines, not operate them. */
export const CUSTOMER: readonly Permission[] = ['read', 'start', 'send', 'cancel']

/** Names by which a machine knows itself. */
export const LOOPBACK: readonly string[] = ['localhost', '127.0.0.1', '[::1]']

const KNOWN = ['base', 'by', 'token', 'hosts']

/** Throws BAD_OPTION for what would leave a door open, or never work. */
export function checkHttp(o: HttpOptions): void {
  for (const name of Object.keys(o))
    if (!KNOWN.includes(name))
      throw new PawlError('BAD_OPTION', `http: there is no option "${name}"; there are ${KNOWN.join(', ')}`)
  const { base, by, token, hosts } = o
  if (base !== undefined && !/^(\/[\w.~-]+)*$/.test(base))
    throw new PawlError('BAD_OPTION', `http: base "${base}": write a path such as '/api', without a slash at its end`)
  if (by !== undefined && typeof by !== 'function')
    throw new PawlError('BAD_OPTION', 'http: `by` is a function of the request')
  if (token !== undefined && !isToken(token))
    throw new PawlError(
      'BAD_OPTION',
      'http: a token has at least 22 characters, ASCII without spaces: `openssl rand -hex 32` makes one',
    )
  if (hosts !== undefined && !(Array.isArray(hosts) && hosts.every((host) => typeof host === 'string' && host !== '')))
    throw new PawlError('BAD_OPTION', "http: `hosts` is a list of names, such as ['shop.example']")
}
