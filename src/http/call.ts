// What a route is given: the app, who asks, and what was asked.
import type { Clock } from '../base/clock.ts'
import { PawlError } from '../base/errors.ts'
import { Client } from '../engine/client.ts'
import { engineOf } from '../engine/app.ts'
import type { Engine } from '../engine/engine.ts'
import { Sender } from '../engine/send.ts'
import { define, type MachineDefinition } from '../machine/definition.ts'
import type { App } from '../machine/types-app.ts'
import type { Permission } from '../machine/types-http.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import type { Asked, Shape } from './asked.ts'
import type { Visitor } from './guard.ts'

/** How many event streams may be open at once. */
const STREAMS_MAX = 1_000

/** What all calls of one HTTP side share. */
export class Api {
  readonly app: App
  readonly engine: Engine
  readonly client: Client
  readonly base: string
  readonly #machines = new Map<string, AnyMachine>()
  #streams = 0

  constructor(app: App, base: string) {
    this.app = app
    this.base = base
    this.engine = engineOf(app)
    this.client = new Client(this.engine)
    for (const definition of this.engine.registry.machines.values()) {
      const named = { kind: 'machine', name: definition.name } as unknown as AnyMachine
      this.#machines.set(definition.name, define(named, definition))
    }
  }

  get clock(): Clock {
    return this.engine.clock
  }

  /** UNKNOWN_MACHINE. */
  machine(name: string): AnyMachine {
    const machine = this.#machines.get(name)
    if (machine === undefined) throw new PawlError('UNKNOWN_MACHINE', `there is no such machine here`)
    return machine
  }

  /** UNKNOWN_MACHINE. */
  definition(name: string): MachineDefinition {
    return this.client.machine(this.machine(name).name)
  }

  /** Sends under ids that are this visitor's own. */
  sender({ name }: Visitor): Sender {
    return new Sender(this.client, `http:${name}`)
  }

  /** Counts a stream; returns what counts it off again. TOO_MANY_STREAMS. */
  stream(): () => void {
    if (this.#streams >= STREAMS_MAX)
      throw new PawlError('TOO_MANY_STREAMS', `${STREAMS_MAX} event streams are open: come again later`)
    this.#streams++
    let open = true
    return () => {
      if (open) this.#streams--
      open = false
    }
  }
}

/** One request that may come in. */
export interface Call {
  readonly api: Api
  readonly visitor: Visitor
  readonly request: Request
  /** A part of the path, decoded. */
  readonly at: (name: 'machine' | 'id') => string
  /** The query, read against the route's `query`. */
  readonly query: Asked
  /** The body, read against the route's `body`; empty where there is none. */
  readonly body: Asked
}

/** One thing that can be asked. The document and the tests go by this table too. */
export interface Route {
  readonly method: 'GET' | 'POST' | 'DELETE'
  /** With `:machine` and `:id`. */
  readonly path: string
  /** The operation's name in the document. */
  readonly name: string
  /** What it does, in a line. */
  readonly says: string
  /** Null: anybody may ask. */
  readonly may: Permission | null
  readonly query?: Shape
  readonly body?: Shape
  readonly run: (call: Call) => Promise<Response> | Response
}
