// A store in a SQLite file. It is read past the engine, and without its lock: so a look changes nothing, runs none of the user's
// code, and works beside a running app. What changes something goes through an app that this process opens for it, and through
// that app's own HTTP side: one way to say it, whoever listens.
import { userInfo } from 'node:os'
import { PawlError } from '../base/errors.ts'
import type { Instance } from '../core/model.ts'
import { figures } from '../engine/figures.ts'
import { snapshotOf } from '../engine/receipt.ts'
import { PERMISSIONS } from '../http/options.ts'
import type { MachineGraph } from '../machine/definition.ts'
import type { App, Counts } from '../machine/types-app.ts'
import { pawl } from '../pawl.ts'
import type { DeadLetterRow, JournalRead, ListQuery } from '../store/store.ts'
import { loadApp } from './app-file.ts'
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
import { badUsage } from './exit.ts'
import { StoreFile } from './store-file.ts'
import { Remote } from './remote.ts'

const timeOf = (ms: number): string => new Date(ms).toISOString()

/** As the HTTP API gives it. */
function historyLine({ at, cause, changed, removed, ...row }: JournalRead): HistoryLine {
  return {
    ...row,
    at: timeOf(at),
    changed,
    ...(removed.length > 0 && { removed }),
    cause: { ...cause, at: timeOf(cause.at) },
  }
}

function letterLine({ id, machine, instance, at, code, message, input }: DeadLetterRow): LetterLine {
  return {
    id,
    machine,
    ...(instance !== '' && { instance }),
    at: timeOf(at),
    message: { type: input.kind === 'message' ? input.type : 'start', data: input.data },
    error: { code, message },
  }
}

const instanceLine = (instance: Instance): InstanceLine => snapshotOf(instance) as InstanceLine

/** What the HTTP API does not tell. */
function moreOf(instance: Instance): Readonly<Record<string, unknown>> {
  const { incarnation, version, partition, entry, enteredAt, startedAt, endedAt, dueAt, parent, calls, timers } =
    instance
  const due = Object.entries(timers ?? {}).map(([name, timer]) => [name, timeOf(timer.due)])
  return {
    version,
    incarnation,
    partition,
    entry,
    startedAt: timeOf(startedAt),
    enteredAt: timeOf(enteredAt),
    ...(endedAt !== null && { endedAt: timeOf(endedAt) }),
    ...(dueAt !== null && { dueAt: timeOf(dueAt) }),
    ...(parent !== null && { parent: { machine: parent.machine, id: parent.id } }),
    ...(calls !== null && { calls }),
    ...(due.length > 0 && { timers: Object.fromEntries(due) as unknown }),
  }
}

/** How a store is reached. `app`: the file whose services work on it; needed to change anything. */
export interface StoredOptions {
  readonly path: string
  readonly app: string | undefined
  readonly cwd: string
  /** Told what the app logs while it is open. */
  readonly warn: (text: string) => void
}

/** A SQLite store. */
export class Stored implements Connection {
  readonly #o: StoredOptions
  #reading: StoreFile | undefined
  #changing: Promise<{ readonly app: App; readonly remote: Remote }> | undefined

  constructor(o: StoredOptions) {
    this.#o = o
  }

  get #file(): StoreFile {
    return (this.#reading ??= new StoreFile(this.#o.path, ({ message }) => this.#o.warn(message)))
  }

  async machines(): Promise<readonly { readonly name: string; readonly version: number }[]> {
    return Promise.resolve(this.#file.reader.graphs())
  }

  async graph(machine: string): Promise<MachineGraph> {
    const row = this.#file.reader.graphs().findLast(({ name }) => name === machine)
    if (row === undefined) throw this.#unknown(machine)
    return Promise.resolve(row.graph)
  }

  #unknown(machine: string): PawlError {
    const names = [...new Set(this.#file.reader.graphs().map(({ name }) => name))]
    return new PawlError(
      'UNKNOWN_MACHINE',
      `no machine "${machine}" has run on this store; there are: ${names.join(', ') || 'none'}`,
    )
  }

  #check(machine: string): void {
    if (!this.#file.machines.has(machine)) throw this.#unknown(machine)
  }

  /** Of all versions that have run here. */
  #states(machine: string): ReadonlySet<string> {
    const graphs = this.#file.reader.graphs().filter(({ name }) => name === machine)
    return new Set(graphs.flatMap(({ graph }) => graph.states.map(({ name }) => name)))
  }

  async counts(): Promise<Counts> {
    return Promise.resolve(figures(this.#file.reader.counts(), this.#file.machines))
  }

  async list({ machine, state, status, code, limit, after }: Query): Promise<Page<InstanceLine>> {
    this.#check(machine)
    if (state !== undefined && !this.#states(machine).has(state))
      throw new PawlError(
        'UNKNOWN_STATE',
        `${machine} has no state "${state}"; there are: ${[...this.#states(machine)].join(', ')}`,
      )
    const page = this.#file.lister.list({
      machine,
      limit,
      ...(state !== undefined && { state }),
      ...(status !== undefined && { status: status as NonNullable<ListQuery['status']> }),
      ...(code !== undefined && { stallCode: code }),
      ...(after !== undefined && { after }),
    })
    return Promise.resolve({ ...page, items: page.items.map(instanceLine) })
  }

  #load(machine: string, id: string): NonNullable<ReturnType<StoreFile['reader']['load']>['loaded']> {
    this.#check(machine)
    const { loaded, corrupt } = this.#file.reader.load({ machine, id })
    if (corrupt !== undefined) throw corrupt
    if (loaded === null) throw new PawlError('UNKNOWN_INSTANCE', `there is no ${machine} "${id}"`)
    return loaded
  }

  async show(machine: string, id: string): Promise<InstanceShown> {
    const { instance, waiting, children } = this.#load(machine, id)
    const messages = waiting.map(({ waiting: { why, until, input } }) => ({
      type: input.kind === 'message' ? input.type : 'cancel',
      id: input.id,
      why,
      ...(until !== null && { until: timeOf(until) }),
    }))
    const more = {
      ...moreOf(instance),
      ...(messages.length > 0 && { waiting: messages }),
      ...(children.length > 0 && {
        children: children.map(({ machine: of, id: child, state, status, seq }) => ({
          machine: of,
          id: child,
          state,
          status,
          seq,
        })),
      }),
    }
    return Promise.resolve({ ...instanceLine(instance), more })
  }

  async history(
    machine: string,
    id: string,
    { after, limit }: { readonly after: number; readonly limit: number },
  ): Promise<{ readonly items: readonly HistoryLine[]; readonly next?: number }> {
    const { k } = this.#load(machine, id).instance
    const rows = this.#file.reader.journal(k, after, limit + 1)
    const items = rows.slice(0, limit).map(historyLine)
    return Promise.resolve({ items, ...(rows.length > limit && { next: items.at(-1)!.seq }) })
  }

  async ready(): Promise<void> {
    await this.#changer()
  }

  async act(machine: string, id: string, action: Action): Promise<ReceiptLine> {
    return (await this.#changer()).remote.act(machine, id, action)
  }

  async deadLetters(o: {
    readonly machine?: string | undefined
    readonly limit: number
    readonly after?: string | undefined
  }): Promise<Page<LetterLine>> {
    const { machine, limit, after } = o
    const page = this.#file.reader.deadLetters({
      limit,
      ...(machine !== undefined && { machine }),
      ...(after !== undefined && { after }),
    })
    return Promise.resolve({ ...page, items: page.items.map(letterLine) })
  }

  async redrive(id: string, body: object): Promise<ReceiptLine> {
    return (await this.#changer()).remote.redrive(id, body)
  }

  async discard(id: string, body: object): Promise<void> {
    return (await this.#changer()).remote.discard(id, body)
  }

  /** One for all that is changed, however much at once. */
  #changer(): Promise<{ readonly app: App; readonly remote: Remote }> {
    return (this.#changing ??= this.#open())
  }

  /** Opens the app: from now on this process is the store's worker, and does what is due there. */
  async #open(): Promise<{ readonly app: App; readonly remote: Remote }> {
    const { path, app: file, cwd, warn } = this.#o
    if (file === undefined)
      throw badUsage('to change something on a store, give the app that works on it too: --app app.ts')
    // A name that is mistyped must not make a new store. And who reads for long keeps the file from shrinking.
    this.#file.close()
    this.#reading = undefined
    const name = `cli:${userInfo().username}`
    const { services } = await loadApp(file, cwd)
    const app = pawl({
      services,
      store: `sqlite:${path}`,
      http: { by: () => ({ name, may: PERMISSIONS }) },
      log: ({ level, text }) => {
        if (level === 'warn' || level === 'error') warn(text)
      },
    })
    await app.start()
    return { app, remote: new Remote('http://localhost', undefined, (request) => app.fetch(request)) }
  }

  async close(): Promise<void> {
    this.#reading?.close()
    // One that could not be opened was told where it was asked for.
    const changing = await this.#changing?.catch(() => undefined)
    await changing?.app.stop()
  }
}
