// One store with the workers that live and die on it, in virtual time: the engine that ships, through its public API.
//
// After each test the books are closed: both laws are recounted and compared with the counters, every journal is numbered
// without a gap, and a worker that has stopped leaves nothing that waits for time.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { EngineApp } from '../../src/engine/app.ts'
import { Engine } from '../../src/engine/engine.ts'
import type { EngineLog, EngineOptions } from '../../src/engine/host.ts'
import type { App, Counts, JournalRow, Service, Snapshot } from '../../src/index.ts'
import { checkApp } from '../../src/machine/check-app.ts'
import type { AnyMachine } from '../../src/machine/types-machine.ts'
import { memoryStore, type ModelStore } from '../../src/store/memory/store.ts'
import { sqliteStore } from '../../src/store/sqlite/store.ts'
import type { Store } from '../../src/store/store.ts'
import { recountOf } from '../../src/testing/recount.ts'
import { LifeClock } from '../../src/testing/harness/clock.ts'
import { HandClock } from './hand-clock.ts'

/** In memory where there is such a place: what a disk does to a file has tests of its own, and syncing is most of the time here. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()

/** Which store. */
export type Kind = 'memory' | 'sqlite'
type Method<K extends keyof Store> = Store[K] extends (...args: infer A) => infer R
  ? (through: (...args: A) => R, ...args: A) => R
  : never
/** Stands before a method of the store: may let the call through, or answer something else. */
export type Faults = { [K in Exclude<keyof Store, 'features'>]?: Method<K> }
type Options = Partial<Omit<EngineOptions, 'services' | 'store' | 'clock'>>

/** One life of a worker. */
interface Life {
  readonly app: App
  readonly engine: Engine
  readonly clock: LifeClock
  readonly store: Store
  dead: boolean
}

/** A store, time, and the workers. */
export class World {
  readonly kind: Kind
  readonly clock = new HandClock()
  readonly logs: EngineLog[] = []
  readonly faults: Faults = {}
  readonly folder: string
  readonly #memory: ModelStore | undefined
  readonly #options: Options
  readonly #lives: Life[] = []
  #seed = 1

  constructor(kind: Kind, options: Options) {
    this.kind = kind
    this.#options = options
    this.folder = mkdtempSync(join(FOLDER, 'pawl-world-'))
    this.#memory = kind === 'memory' ? memoryStore({ clock: this.clock, random: seededRandom(1) }) : undefined
  }

  /** A new door to the store. */
  door(path = join(this.folder, 'world.db')): Store {
    if (this.#memory !== undefined) return this.#memory.store()
    // A thread would answer in a time that the hand does not turn.
    return sqliteStore(path, { clock: this.clock, random: seededRandom(this.#seed++), large: Infinity })
  }

  /** A worker that is not started. */
  make(services: readonly Service[], options: Options = {}): App {
    const clock = new LifeClock(this.clock)
    const store = this.door()
    const life = { clock, store, dead: false }
    const engine = new Engine({
      random: seededRandom(this.#seed++),
      log: (record) => this.logs.push(record),
      ...this.#options,
      ...options,
      services: checkApp(services, { services, store: 'memory:' }),
      store: this.#mortal(store, () => lived.dead),
      clock,
    })
    const lived: Life = { ...life, engine, app: new EngineApp(engine) }
    this.#lives.push(lived)
    return lived.app
  }

  /** A worker. */
  async start(services: readonly Service[], options: Options = {}): Promise<App> {
    const app = this.make(services, options)
    await app.start()
    return app
  }

  #life(app: App): Life {
    const life = this.#lives.find((one) => one.app === app)
    if (life === undefined) throw new Error('that app is of another world')
    return life
  }

  /** All apps that were made here, the newest first. */
  get apps(): readonly App[] {
    return this.#lives.map(({ app }) => app).reverse()
  }

  /** Whether it crashed, or was stopped. */
  isDead(app: App): boolean {
    return this.#life(app).dead
  }

  /** What a test may look into. */
  engine(app: App): Engine {
    return this.#life(app).engine
  }

  /** A graceful end. What it waits for may need time. */
  async stop(app: App, graceMs = 20_000): Promise<void> {
    const life = this.#life(app)
    let over = false
    const stopping = app.stop().finally(() => (over = true))
    await this.clock.settle()
    if (!over) await this.clock.advance(graceMs)
    await stopping
    life.dead = true
    expect(life.clock.waits, 'a worker that has stopped waits for nothing').toBe(0)
  }

  /** A sudden end: of what is under way nothing is heard any more. */
  async crash(app: App): Promise<void> {
    const life = this.#life(app)
    life.dead = true
    life.clock.die()
    await life.store.close()
  }

  /** After a crash another worker has to wait for the lease, where several share a store. */
  async startAfterCrash(services: readonly Service[], options: Options = {}): Promise<App> {
    if (this.kind === 'memory') await this.clock.leap(30_000)
    return this.start(services, options)
  }

  /** Calls go through `faults`; of a worker that is dead none arrives, and none is answered. */
  #mortal(store: Store, isDead: () => boolean): Store {
    const never = new Promise<never>(() => undefined)
    return new Proxy(store, {
      get: (of, name) => {
        const value = Reflect.get(of, name) as unknown
        if (typeof value !== 'function') return value
        return (...args: unknown[]) => {
          if (isDead()) return never
          const through = (...given: unknown[]): unknown => (value as (...a: unknown[]) => unknown).apply(of, given)
          const fault = this.faults[name as keyof Faults] as ((...a: unknown[]) => unknown) | undefined
          const answer = fault === undefined ? through(...args) : fault(through, ...args)
          return name === 'commit' && answer instanceof Promise
            ? answer.then((result: unknown) => (isDead() ? never : result))
            : answer
        }
      },
    })
  }

  /** The books of all workers that live, then their end. */
  async end(): Promise<void> {
    for (const name of Object.keys(this.faults)) delete this.faults[name as keyof Faults]
    await this.clock.settle()
    for (const life of this.#lives) {
      if (life.dead) continue
      const health = await life.app.health()
      if (health.alive && health.ready) await this.#books(life)
      await this.stop(life.app).catch(() => this.crash(life.app))
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #books({ app, engine }: Life): Promise<void> {
    await expectLaws(app)
    for (const name of engine.registry.machines.keys()) {
      const { items } = await engine.store.list({ machine: name, limit: 50 })
      for (const { k, seq } of items) {
        const rows = await engine.store.journal(k, 0, 1_000)
        expect(
          rows.map((row) => row.seq),
          `the journal of ${name} has no gap`,
        ).toEqual(Array.from({ length: Math.min(seq, 1_000) }, (_, index) => index + 1))
      }
    }
  }
}

const FIGURES = ['started', 'running', 'waiting', 'stalled', 'done', 'failed', 'cancelled', 'removed'] as const
const none = { ...Object.fromEntries(FIGURES.map((figure) => [figure, 0])), states: {} }

/** Both laws, recounted from the tables, against the counters. */
export async function expectLaws(app: App): Promise<void> {
  const counts = await app.counts()
  const recount = await recountOf(app)
  const machines = new Set([...Object.keys(counts.instances), ...Object.keys(recount.instances)])
  for (const name of machines) {
    const of = { ...none, ...counts.instances[name] } as (typeof counts.instances)[string]
    expect(of, `instances of ${name}`).toEqual({ ...none, ...recount.instances[name] })
    const { started, running, waiting, stalled, done, failed, cancelled, removed } = of
    expect(running + waiting + stalled + done + failed + cancelled + removed, `the law of ${name}`).toBe(started)
  }
  const { messages } = counts
  expect(messages, 'messages').toEqual(recount.messages)
  const { accepted, ...rest } = messages
  expect(
    Object.values(rest).reduce((sum, one) => sum + one, 0),
    'the law of messages',
  ).toBe(accepted)
}

/** Makes worlds for the tests of a suite. */
export type MakeWorld = (options?: Options) => World

/** Runs a suite on the store in memory and on SQLite. */
export function onBothStores(name: string, suite: (make: MakeWorld, kind: Kind) => void): void {
  for (const kind of ['memory', 'sqlite'] as const)
    describe(`${name} (${kind}:)`, () => {
      const worlds: World[] = []
      afterEach(async () => {
        for (const world of worlds.splice(0)) await world.end()
      })
      suite((options = {}) => {
        const world = new World(kind, options)
        worlds.push(world)
        return world
      }, kind)
    })
}

/** The journal of an instance. */
export async function historyOf<M extends AnyMachine>(app: App, machine: M, id: string): Promise<JournalRow[]> {
  const rows: JournalRow[] = []
  for await (const row of app.get(machine, id).history()) rows.push(row)
  return rows
}

/** Its newest row. */
export async function lastRow<M extends AnyMachine>(app: App, machine: M, id: string): Promise<JournalRow> {
  const row = (await historyOf(app, machine, id)).at(-1)
  if (row === undefined) throw new Error(`${machine.name} "${id}" has no journal`)
  return row
}

/** The figures of messages that are not zero. */
export async function messagesOf(app: App): Promise<Partial<Counts['messages']>> {
  const all = (await app.counts()).messages
  return Object.fromEntries(Object.entries(all).filter(([, count]) => count !== 0))
}

/** The figures of a machine. */
export async function instancesOf(app: App, machine: AnyMachine): Promise<Counts['instances'][string]> {
  const of = (await app.counts()).instances[machine.name]
  if (of === undefined) throw new Error(`no figures of ${machine.name}`)
  return of
}

/** The dead letters, short. */
export async function deadOf(app: App) {
  return (await app.operate.deadLetters.list()).items.map(({ error, message, machine, instance }) => ({
    code: error.code,
    type: message.type,
    machine,
    instance,
  }))
}

/** How it stands. */
export const stateOf = <M extends AnyMachine>(app: App, machine: M, id: string): Promise<Snapshot<M>> =>
  app.get(machine, id).state()

/** One attempt of an activity whose body is the test. */
export interface Handled<I = unknown> {
  readonly input: I
  readonly key: string
  readonly attempt: number
  readonly signal: AbortSignal
  readonly lastProgress: unknown
  readonly heartbeat: (progress?: unknown) => void
  answer(output: unknown): void
  fail(code: string, message?: string, details?: unknown): void
  throw(error: unknown): void
}

/** Bodies of activities that wait for the test to answer. */
export class Hands {
  readonly calls: Handled[] = []

  /** For `activity`'s `run`. */
  readonly run = (input: unknown, attempt: BodyAttempt): Promise<never> =>
    new Promise((resolve, reject) => {
      this.calls.push({
        input,
        key: attempt.idempotencyKey,
        attempt: attempt.attempt,
        signal: attempt.signal,
        lastProgress: attempt.lastProgress,
        heartbeat: attempt.heartbeat,
        answer: (output) => resolve(output as never),
        fail: (code, message, details) => {
          try {
            attempt.fail(code as never, message, details)
          } catch (error) {
            reject(error as Error)
          }
        },
        throw: (error) => reject(error as Error),
      })
    })

  /** The n-th that was started, from 0; -1: the newest. */
  at(n: number): Handled {
    const call = this.calls.at(n)
    if (call === undefined) throw new Error(`there is no attempt ${n}: ${this.calls.length} were started`)
    return call
  }
}
interface BodyAttempt {
  readonly idempotencyKey: string
  readonly attempt: number
  readonly signal: AbortSignal
  readonly lastProgress?: unknown
  heartbeat(this: void, progress?: unknown): void
  fail(this: void, code: never, message?: string, details?: unknown): never
}
