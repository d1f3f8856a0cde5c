// The composition root: makes an app of services and a store.
import { systemClock } from './base/clock.ts'
import { durationMs } from './base/duration.ts'
import { PawlError } from './base/errors.ts'
import { systemRandom } from './base/random.ts'
import { EngineApp, type Fetch } from './engine/app.ts'
import { Engine } from './engine/engine.ts'
import type { EngineLog, EngineOptions } from './engine/host.ts'
import { checkHttp } from './http/options.ts'
import { checkApp } from './machine/check-app.ts'
import type { App, LogRecord, PawlOptions } from './machine/types-app.ts'
import { memoryStore } from './store/memory/store.ts'
import { sqliteStore } from './store/sqlite/store.ts'
import type { Store } from './store/store.ts'

const ms = <K extends string>(key: K, text: Parameters<typeof durationMs>[0] | undefined): { [key in K]?: number } =>
  (text === undefined ? {} : { [key]: durationMs(text) }) as { [key in K]?: number }

function storeOf(store: PawlOptions['store']): Store {
  const ports = { clock: systemClock, random: systemRandom }
  if (store === 'memory:') return memoryStore(ports)
  if (typeof store === 'string' && store.startsWith('sqlite:') && store.length > 'sqlite:'.length)
    return sqliteStore(store.slice('sqlite:'.length), ports)
  if (typeof store === 'string' && /^postgres(ql)?:/.test(store))
    throw new PawlError('NOT_YET', 'PostgreSQL comes in a later version: use "sqlite:path" or "memory:"')
  throw new PawlError(
    'BAD_STORE',
    `the store ${typeof store === 'string' ? `"${store}"` : 'object'} is not known: write "sqlite:path/of/a/file.db", or "memory:" in tests`,
  )
}

function retentionOf(o: PawlOptions): NonNullable<EngineOptions['retention']> {
  const { ended, receipts = '7 days', deadLetters } = o.retention ?? {}
  return { ...ms('endedMs', ended), receiptsMs: durationMs(receipts), ...ms('deadMs', deadLetters) }
}

/** The HTTP side is loaded by the first request: whoever never asks pays nothing for it. */
function fetchOf(http: PawlOptions['http']): Fetch {
  let handler: Promise<(request: Request) => Promise<Response>> | undefined
  return async (app, request) => {
    handler ??= import('./http/handler.ts').then(({ httpHandler }) => httpHandler(app, http))
    return (await handler)(request)
  }
}

/**
 * Makes an app: services over a store. Checks that all fits together and throws BAD_DEFINITION with every problem at once; opens nothing
 * before `start()`.
 */
export function pawl(o: PawlOptions): App {
  const services = checkApp(o.services, o)
  if (o.http !== undefined) checkHttp(o.http)
  const { log } = o
  const told = (record: EngineLog): void => log?.({ at: new Date(systemClock.now()), ...record } satisfies LogRecord)
  return new EngineApp(
    new Engine({
      services,
      store: storeOf(o.store),
      clock: systemClock,
      random: systemRandom,
      retention: retentionOf(o),
      ...(log !== undefined && { log: told }),
      ...(o.partitions !== undefined && { partitions: o.partitions }),
      ...ms('leaseMs', o.lease),
      ...ms('graceMs', o.grace),
    }),
    fetchOf(o.http),
  )
}
