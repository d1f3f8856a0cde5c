// The app file: a module of the user's whose exports are services, or machines with the bodies of their activities.
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isPawlError, PawlError } from '../base/errors.ts'
import { definitionOf, type MachineDefinition, serviceOf } from '../machine/definition.ts'
import { asBody, asMachine, asService } from '../machine/made.ts'
import { service } from '../machine/service.ts'
import type { Service } from '../machine/types-app.ts'

/** What an app file holds. */
export interface AppFile {
  readonly path: string
  readonly services: readonly Service[]
  /** Of all services. */
  readonly machines: readonly MachineDefinition[]
  /** The public objects of the machines, where the module exports them: warnings hang on those. */
  readonly exported: readonly object[]
}

const badFile = (path: string, why: string, cause?: unknown): PawlError =>
  new PawlError('BAD_APP', `${path}: ${why}`, { cause })

/** Exports, and what stands in exported lists. */
const things = (module: Readonly<Record<string, unknown>>): readonly unknown[] => [
  ...new Set(Object.values(module).flatMap((value) => (Array.isArray(value) ? (value as unknown[]) : [value]))),
]

/** Made by another copy of the package: it looks like one of ours, and is not known here. */
const isForeign = (value: unknown): boolean => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  const { kind } = value as { kind?: unknown }
  return (
    (kind === 'service' && asService(value) === undefined) || (kind === 'machine' && asMachine(value) === undefined)
  )
}

async function moduleOf(path: string): Promise<Readonly<Record<string, unknown>>> {
  if (!existsSync(path)) throw badFile(path, 'there is no such file')
  try {
    return (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    // What the definitions themselves say is wrong is the answer.
    if (isPawlError(cause)) throw cause
    throw badFile(path, `it cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause)
  }
}

/** Loads an app file. Rejects with BAD_APP, or with BAD_DEFINITION where its definitions do. */
export async function loadApp(file: string, cwd: string): Promise<AppFile> {
  const path = resolve(cwd, file)
  const found = things(await moduleOf(path))
  if (found.some(isForeign))
    throw badFile(path, 'it uses another copy of pawl than this command: run `npx pawl` in the folder of the project')
  const machines = found.filter((value): value is object => asMachine(value)?.kind === 'machine')
  const exported = found.filter((value): value is Service => asService(value) !== undefined)
  if (exported.length === 0 && machines.length === 0)
    throw badFile(path, 'it exports neither a service nor a machine: export what service() or machine() returned')
  const bodies = found.filter((value) => asBody(value) !== undefined)
  const services =
    exported.length > 0 ? exported : [service('app', { machines, activities: bodies } as Parameters<typeof service>[1])]
  const known = new Map(services.flatMap((one) => serviceOf(one).machines).map((one) => [one.name, one]))
  return {
    path,
    services,
    machines: [...known.values()],
    exported: machines.filter((one) => known.get(definitionOf(one).name) === definitionOf(one)),
  }
}
