// The shop's door over HTTP: on this machine alone, and for whoever has the token.
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import type { App } from 'pawl'
import { serve, type Served } from 'pawl/http'

/** What the screen says of the door. */
export interface Door {
  readonly url: string
  readonly token: string
}

/** The token stands beside the shop's file, for its owner alone to read: so it is the same after kill -9. */
export const tokenFileOf = (db: string): string => `${db.replace(/\.db$/, '')}.token`

/** Opens it. `port` undefined: 4400, or the next one that is free. Throws a PawlError where it cannot be opened. */
export async function openDoor(app: App, db: string, port: number | undefined): Promise<Served & Door> {
  const file = tokenFileOf(db)
  const kept = existsSync(file) ? readFileSync(file, 'utf8').trim() : undefined
  const served = await serve(app, { ...(port !== undefined && { port }), ...(kept !== undefined && { token: kept }) })
  const token = kept ?? served.token!
  if (kept === undefined) {
    // A file that is there already keeps its mode when it is written.
    writeFileSync(file, `${token}\n`, { mode: 0o600 })
    chmodSync(file, 0o600)
  }
  return { ...served, token }
}
