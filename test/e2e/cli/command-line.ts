// Runs command lines in this process, on a store that has been lived in.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { pawl, type App } from 'pawl'
import { run } from '../../../src/cli/program.ts'
import type { Environment } from '../../../src/cli/terminal.ts'
import { Label, order, Shipped, shop } from './app.ts'

export const appFile = fileURLToPath(new URL('app.ts', import.meta.url))

export interface Ran {
  readonly exit: number
  readonly out: string
  readonly err: string
}

export interface RunOptions {
  readonly env?: Environment
  readonly isTTY?: boolean
  readonly cwd?: string
}

/** One command line, as its words. */
export async function cli(
  args: readonly string[],
  { env = {}, isTTY = false, cwd = '/' }: RunOptions = {},
): Promise<Ran> {
  let [out, err] = ['', '']
  const exit = await run(args, {
    out: { isTTY, write: (text) => (out += text) },
    err: { isTTY, write: (text) => (err += text) },
    env,
    cwd,
  })
  return { exit, out, err }
}

/** The standard output as JSON; the command must have ended with `exit`. */
export async function cliJson<T = Record<string, unknown>>(args: readonly string[], exit = 0): Promise<T> {
  const ran = await cli([...args, '--json'])
  if (ran.exit !== exit) throw new Error(`${args.join(' ')} ended with ${ran.exit}, not ${exit}: ${ran.err}`)
  return JSON.parse(ran.out) as T
}

/** A folder that goes with the test. */
export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), 'pawl-cli-'))

  remove(): void {
    rmSync(this.path, { recursive: true })
  }
}

/** Resolves when so many have stalled since. */
const stalled = (app: App, count: number): Promise<void> => {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = count
  app.on(({ kind }) => {
    if (kind === 'stalled' && --left === 0) resolve()
  })
  return promise
}

/**
 * The orders of all tests. o-1: packing, with a dead letter. o-2, o-4: stalled, the bank was down. o-3: declined. o-5: packing. o-6:
 * shipped.
 */
export async function lived(path: string): Promise<App> {
  const app = pawl({ services: [shop], store: `sqlite:${path}`, http: { by: () => null } })
  await app.start()
  const bothStall = stalled(app, 2)
  const orders = { 'o-1': 5, 'o-2': 13, 'o-3': 2_000, 'o-4': 13, 'o-5': 7, 'o-6': 9 }
  for (const [id, cents] of Object.entries(orders)) await app.run(order, { id, data: { cents } })
  for (const id of ['o-1', 'o-5', 'o-6']) await app.get(order, id).reaches('packing')
  await app.get(order, 'o-3').reaches('declined')
  await app.emit(Shipped({ order: 'o-6' }))
  await app
    .get(order, 'o-1')
    .send(Label({ text: 'bad' }))
    .catch(() => undefined)
  await bothStall
  return app
}

/** The path of a store at rest, in a folder. */
export async function storeAtRest(folder: Folder): Promise<string> {
  const path = join(folder.path, 'shop.db')
  await (await lived(path)).stop()
  return path
}
