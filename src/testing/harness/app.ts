// The app of a harness: each call goes to whichever worker lives, and what fails tells how its instance came to where it stands.
import { isPawlError } from '../../base/errors.ts'
import { definitionOf } from '../../machine/definition.ts'
import type { App, Handle, JournalRow, Lifecycle, Operate, Receipt, Started } from '../../machine/types-app.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'

/** What the app goes by. `ask` asks a worker that lives. */
export interface AppPorts {
  ask<T>(what: string, work: (app: App) => Promise<T>): Promise<T>
  listen(listener: (event: Lifecycle) => void): () => void
  /** How an instance came to where it stands. */
  story(machine: string, id: string): string
  start(): Promise<void>
  stop(): Promise<void>
}

type Instance = { readonly machine: string; readonly id: string }

/** An app whose workers come and go. */
export class HarnessApp implements App {
  readonly #ports: AppPorts
  readonly operate: Operate

  constructor(ports: AppPorts) {
    this.#ports = ports
    this.operate = this.#operate()
  }

  start = (): Promise<void> => this.#ports.start()
  stop = (): Promise<void> => this.#ports.stop()
  on = (listener: (event: Lifecycle) => void): (() => void) => this.#ports.listen(listener)
  emit: App['emit'] = (message, o) => this.#ask(`emit(${message.type})`, (app) => app.emit(message, o))
  transaction: App['transaction'] = (work) => this.#ask('transaction()', (app) => app.transaction(work))
  list: App['list'] = (machine, o) => this.#ask('list()', (app) => app.list(machine, o))
  counts: App['counts'] = () => this.#ask('counts()', (app) => app.counts())
  health: App['health'] = () => this.#ask('health()', (app) => app.health())
  workers: App['workers'] = () => this.#ask('workers()', (app) => app.workers())
  fetch: App['fetch'] = (request) => this.#ask('fetch()', (app) => app.fetch(request))
  backup: App['backup'] = (path) => this.#ask('backup()', (app) => app.backup(path))
  remove: App['remove'] = (machine, id, o) =>
    this.#ask('remove()', (app) => app.remove(machine, id, o), { machine: machine.name, id })
  send: App['send'] = (to, id, message, o) =>
    this.#ask(`send(${(message as { type?: string }).type ?? ''})`, (app) => app.send(to, id, message, o), {
      machine: to.name,
      id,
    })

  async run<M extends AnyMachine>(machine: M, o: Parameters<App['run']>[1]): Promise<Started<M>> {
    const of = typeof o.id === 'string' ? { machine: definitionOf(machine).name, id: o.id } : undefined
    const { id, created } = await this.#ask('run()', (app) => app.run(machine, o), of)
    return Object.assign(this.get(machine, id), { created })
  }

  get<M extends AnyMachine>(machine: M, id: string): Handle<M> {
    const of = { machine: definitionOf(machine).name, id }
    const asked =
      <A extends readonly unknown[], T>(name: string, work: (handle: Handle<M>, ...args: A) => Promise<T>) =>
      (...args: A): Promise<T> =>
        this.#ask(`${name}()`, (app) => work(app.get(machine, id), ...args), of)
    return {
      id,
      state: asked('state', (handle) => handle.state()),
      history: (o) => this.#history(machine, of, o),
      send: asked('send', (handle, message: M['~takes'], o?: Parameters<Handle<M>['send']>[1]) =>
        handle.send(message, o),
      ),
      reaches: asked('reaches', (handle, ...args: Parameters<Handle<M>['reaches']>) => handle.reaches(...args)),
      result: asked('result', (handle, ...args: Parameters<Handle<M>['result']>) => handle.result(...args)),
      cancel: asked('cancel', (handle, ...args: Parameters<Handle<M>['cancel']>) => handle.cancel(...args)),
    }
  }

  async *#history<M extends AnyMachine>(machine: M, of: Instance, o: Parameters<Handle<M>['history']>[0]) {
    const read = async (app: App): Promise<readonly JournalRow[]> => {
      const rows: JournalRow[] = []
      for await (const row of app.get(machine, of.id).history(o)) rows.push(row)
      return rows
    }
    yield* await this.#ask('history()', read, of)
  }

  #operate(): Operate {
    const asked = <M extends AnyMachine, T>(
      what: string,
      machine: M,
      id: string,
      work: (operate: Operate) => Promise<T>,
    ): Promise<T> => this.#ask(what, (app) => work(app.operate), { machine: definitionOf(machine).name, id })
    const plain = <T>(what: string, work: (operate: Operate) => Promise<T>): Promise<T> =>
      this.#ask(what, (app) => work(app.operate))
    return {
      retry: (machine, id, o) => asked('retry()', machine, id, (operate) => operate.retry(machine, id, o)),
      resolve: (machine, id, o) => asked('resolve()', machine, id, (operate) => operate.resolve(machine, id, o)),
      move: (machine, id, o) => asked('move()', machine, id, (operate) => operate.move(machine, id, o)),
      each: (machine, which, action) => plain('each()', (operate) => operate.each(machine, which, action)),
      deadLetters: {
        list: (o) => plain('deadLetters.list()', (operate) => operate.deadLetters.list(o)),
        redrive: (id, o): Promise<Receipt> =>
          plain('deadLetters.redrive()', (operate) => operate.deadLetters.redrive(id, o)),
        discard: (id, o) => plain('deadLetters.discard()', (operate) => operate.deadLetters.discard(id, o)),
      },
    }
  }

  async #ask<T>(what: string, work: (app: App) => Promise<T>, of?: Instance): Promise<T> {
    const whole = of === undefined ? what : `${what} of ${of.machine} "${of.id}"`
    try {
      return await this.#ports.ask(whole, work)
    } catch (error) {
      if (of !== undefined && isPawlError(error)) error.message += `\n  ${this.#ports.story(of.machine, of.id)}`
      throw error
    }
  }
}
