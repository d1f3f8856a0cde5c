// The public App over one engine. It checks what callers give, and says in the public words what the engine did.
import { PawlError } from '../base/errors.ts'
import { hasEnded } from '../core/model.ts'
import { definitionOf } from '../machine/definition.ts'
import type {
  App,
  Asynchronous,
  Counts,
  Emission,
  EmitOptions,
  Handle,
  Health,
  Lifecycle,
  Operate,
  Page,
  Reason,
  Receipt,
  SendOptions,
  Snapshot,
  Started,
  Target,
  Transaction,
  WorkerInfo,
} from '../machine/types-app.ts'
import type { Give } from '../machine/types-data.ts'
import type { Message } from '../machine/types-message.ts'
import type { Status } from '../machine/types-state.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import { checkedData, checkedId, Client } from './client.ts'
import type { Engine } from './engine.ts'
import { figures } from './figures.ts'
import { InstanceHandle, reasonOf } from './handle.ts'
import { Operator } from './operate.ts'
import { checkLimit, checkOptions, checkStatus } from './options.ts'
import { snapshotOf } from './receipt.ts'
import type { Told } from './reply.ts'
import { Sender } from './send.ts'
import { transact } from './transact.ts'

const PAGE = 100

const engines = new WeakMap<object, Engine>()
/** The engine behind an app, for tests and tools. */
export function engineOf(app: App): Engine {
  const engine = engines.get(app)
  if (engine === undefined) throw new PawlError('BAD_APP', 'this is no app that pawl() made')
  return engine
}

/** Answers requests for an app. */
export type Fetch = (app: App, request: Request) => Promise<Response>
const noHttp: Fetch = () =>
  Promise.reject(
    new PawlError('NO_HTTP', 'this app has no HTTP side: give it one by `httpHandler(app, …)` of pawl/http'),
  )

/** An app over an engine. */
export class EngineApp implements App {
  readonly operate: Operate
  readonly #engine: Engine
  readonly #client: Client
  readonly #sender: Sender
  readonly #fetch: Fetch

  /** `fetch`: what answers over HTTP; left out, `fetch` rejects with NO_HTTP. */
  constructor(engine: Engine, fetch: Fetch = noHttp) {
    this.#engine = engine
    this.#fetch = fetch
    engines.set(this, engine)
    this.#client = new Client(engine)
    this.#sender = new Sender(this.#client)
    this.operate = new Operator(this.#client)
  }

  start(): Promise<void> {
    return this.#engine.start()
  }

  stop(): Promise<void> {
    return this.#engine.stop()
  }

  async run<M extends AnyMachine>(machine: M, o: { id?: string; data: Give<M>; by?: string }): Promise<Started<M>> {
    checkOptions(o, 'run')
    const definition = this.#client.machine(definitionOf(machine).name)
    const id = o.id === undefined ? this.#client.newId() : checkedId(o.id, `the id of a ${definition.name}`)
    const messageId = this.#client.newId()
    const data = checkedData(o.data, `the data of ${definition.name} "${id}"`)
    const target = { machine: definition.name, id }
    const told = await this.#client.submit(
      target,
      { kind: 'start', ...this.#client.base(messageId, o.by), data },
      o.id === undefined ? { isNew: true } : {},
    )
    const created = startedBy(told, target.machine, id)
    return Object.assign(new InstanceHandle<M>(this.#client, this.#sender, definition, id), { created })
  }

  get<M extends AnyMachine>(machine: M, id: string): Handle<M> {
    const definition = this.#client.machine(definitionOf(machine).name)
    return new InstanceHandle<M>(
      this.#client,
      this.#sender,
      definition,
      checkedId(id, `the id of a ${definition.name}`),
    )
  }

  async send<T, S>(to: Target<T, S>, id: string, message: NoInfer<T>, o?: SendOptions): Promise<Receipt<S>> {
    return this.#sender.send<S>(this.#client.machine(definitionOf(to).name), id, message, o)
  }

  emit(message: Message, o?: EmitOptions): Promise<Emission> {
    return this.#sender.emit(message, o)
  }

  transaction<T>(work: (tx: Transaction) => T extends PromiseLike<unknown> ? Asynchronous : T): Promise<T> {
    return transact<T>(this.#client, work as (tx: Transaction) => T)
  }

  async list<M extends AnyMachine>(
    machine: M,
    o: { state?: M['~states']; status?: Status; limit?: number; after?: string } = {},
  ): Promise<Page<Snapshot<M>>> {
    const definition = this.#client.machine(definitionOf(machine).name)
    checkOptions(o, 'list')
    const { state, status, limit = PAGE, after } = o
    if (state !== undefined && !definition.states.has(state as string))
      throw new PawlError('UNKNOWN_STATE', `${definition.name} has no state "${state as string}"`)
    checkLimit(limit, 10_000)
    checkStatus(status)
    this.#engine.check()
    const page = await this.#engine.store.list({
      machine: definition.name,
      limit,
      ...(state !== undefined && { state: state as string }),
      ...(status !== undefined && { status }),
      ...(after !== undefined && { after }),
    })
    return {
      items: page.items.map((instance) => snapshotOf<M>(instance)),
      ...(page.next !== undefined && { next: page.next }),
    }
  }

  async counts(): Promise<Counts> {
    this.#engine.check()
    return figures(await this.#engine.store.counts(), this.#engine.registry.machines.keys())
  }

  on(listener: (event: Lifecycle) => void): () => void {
    return this.#engine.lifecycle.on(listener)
  }

  async health(): Promise<Health> {
    return Promise.resolve(this.#engine.health())
  }

  async workers(): Promise<readonly WorkerInfo[]> {
    const { sessions } = this.#engine.check()
    const oldest = this.#engine.mailbox.oldest()
    const lagMs = oldest === undefined ? 0 : Math.max(0, this.#engine.clock.monotonic() - oldest)
    return (await this.#engine.store.sessions()).map(({ session, build, partitions, expiresAt }) => {
      const mine = session === sessions.id
      return {
        session,
        build,
        partitions,
        lagMs: mine ? lagMs : 0,
        busy: mine ? this.#engine.parts.lane.busy : 0,
        expiresAt: new Date(expiresAt),
      }
    })
  }

  async remove<M extends AnyMachine>(machine: M, id: string, o: Reason): Promise<void> {
    const definition = this.#client.machine(definitionOf(machine).name)
    const target = { machine: definition.name, id: checkedId(id, `the id of a ${definition.name}`) }
    const why = reasonOf(o, 'remove')
    const instance = await this.#client.instance(target)
    const { lane, sessions } = this.#engine.parts
    const stone = { target, at: this.#engine.time.now(), why, ...(o.by !== undefined && { by: o.by }) }
    const removed = await lane.between(() => this.#engine.store.remove(sessions.id, stone))
    // A batch of its owner may have it in hand.
    if (!removed && hasEnded(instance.status))
      throw new PawlError(
        'OWNED_ELSEWHERE',
        `${target.machine} "${target.id}" belongs to another worker now, or is gone: ask again, there or here`,
      )
    if (!removed)
      throw new PawlError(
        'INSTANCE_NOT_ENDED',
        `${target.machine} "${target.id}" stands in "${instance.state}": cancel it first, or let it end`,
      )
  }

  async backup(path: string): Promise<void> {
    this.#engine.check()
    await this.#engine.store.backup(path)
  }

  fetch(request: Request): Promise<Response> {
    return this.#fetch(this, request)
  }
}

/** What became of a start. */
function startedBy(told: Told, machine: string, id: string): boolean {
  const { fate, code, message } = told
  if (fate === 'applied') return true
  if (fate === 'exists') return false
  if (fate === 'conflict')
    throw new PawlError(
      'ALREADY_STARTED_WITH_OTHER_INPUT',
      `${machine} "${id}" was started with other data: use another id, or the same data`,
    )
  if (fate === 'removed')
    throw new PawlError(
      'INSTANCE_REMOVED',
      `${machine} "${id}" was erased, and its id rests as long as receipts are kept: use another id`,
    )
  if (fate === 'gone')
    throw new PawlError('STOPPED', 'this worker stopped before it started the instance: run it again under the same id')
  if (fate === 'build') throw new PawlError('NEWER_BUILD', `${machine} "${id}" is of a newer build than this worker`)
  throw new PawlError(code ?? 'HANDLER_FAILED', message ?? `${machine} "${id}" could not be started`)
}
