// Commands to an engine that works on both stores at once: the changes are those that engines make, of machines that use every kind
// of edge, with crashes, lost answers and refusals between them.
import fc from 'fast-check'
import { isPawlError } from '../../../src/base/errors.ts'
import { seededRandom, type SeededRandom } from '../../../src/base/random.ts'
import { EngineApp } from '../../../src/engine/app.ts'
import { Engine } from '../../../src/engine/engine.ts'
import { implement } from '../../../src/machine/activity.ts'
import type { AttemptContext } from '../../../src/machine/definition.ts'
import { serviceOf } from '../../../src/machine/definition.ts'
import { service } from '../../../src/machine/service.ts'
import type { AnyMachine } from '../../../src/machine/types-machine.ts'
import { deeds } from '../../../src/testing/simulation/deeds.ts'
import { activities, checkout, counter, machines, order, pool } from '../../../src/testing/simulation/machines.ts'
import type { CommitResult, Store } from '../../../src/store/store.ts'
import { LifeClock } from '../../../src/testing/harness/clock.ts'
import { type HandClock } from '../../support/hand-clock.ts'
import type { Pair, Place } from './place.ts'

/** What happens to an engine. `n` names an instance, `x` is what is said. */
export type Deed =
  | { readonly do: 'order' | 'paid' | 'accepted' | 'checkout' | 'count' | 'add' | 'scale'; readonly n: number; readonly x: number }
  | { readonly do: 'cancel' | 'retry' | 'move' | 'remove' | 'redrive' | 'discard' | 'list'; readonly n: number }
  | { readonly do: 'pass'; readonly ms: number }
  /** The next commit is applied, and its answer lost; or it is refused for now. */
  | { readonly do: 'trouble'; readonly how: 'lost' | 'full' | 'transient' }
  | { readonly do: 'end'; readonly how: 'crash' | 'stop' } // prettier-ignore

const n = fc.nat({ max: 3 })
const x = fc.nat({ max: 5 })

/** One deed. */
export const deed: fc.Arbitrary<Deed> = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constantFrom('order', 'paid', 'accepted', 'checkout', 'count', 'add', 'add', 'add', 'scale'), n, x }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constantFrom('cancel', 'retry', 'move', 'remove', 'redrive', 'discard', 'list'), n }) },
  { weight: 7, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(0, 1, 90, 900, 4_000, 21_000, 3_700_000) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trouble' as const), how: fc.constantFrom('lost', 'full', 'transient') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('end' as const), how: fc.constantFrom('crash', 'stop') }) },
) as fc.Arbitrary<Deed> // prettier-ignore

/** How an engine is set. */
export interface Setting {
  readonly seed: number
  readonly batchItems: number
  readonly cacheBytes: number
  readonly allRemote: boolean
  readonly endedMs: number | null
}
/** One setting. */
export const setting: fc.Arbitrary<Setting> = fc.record({
  seed: fc.nat({ max: 1_000_000 }),
  batchItems: fc.constantFrom(1, 3, 1_000),
  cacheBytes: fc.constantFrom(0, 1_000_000),
  allRemote: fc.boolean(),
  endedMs: fc.constantFrom(null, 1_000, 60_000),
})
const RECEIPTS_MS = 3_600_000
const PARTITIONS = 4

/** An engine on a place, through all its lives. */
export class WorkedRun {
  readonly clock: HandClock
  readonly #place: Place
  readonly #setting: Setting
  readonly #random: SeededRandom
  #pair!: Pair
  #app!: EngineApp
  #life!: LifeClock
  #trouble: CommitResult['kind'] | 'lost' | undefined
  #ids = 0

  constructor(place: Place, clock: HandClock, o: Setting) {
    this.#place = place
    this.clock = clock
    this.#setting = o
    this.#random = seededRandom(o.seed)
  }

  get pair(): Pair {
    return this.#pair
  }

  async begin(): Promise<void> {
    this.#pair = this.#place.connect()
    this.#life = new LifeClock(this.clock)
    const { seed, endedMs, ...tuning } = this.#setting
    const engine = new Engine({
      services: [this.#service(this.#life)],
      store: this.#troubled(this.#pair),
      clock: this.#life,
      random: seededRandom(seed),
      partitions: PARTITIONS,
      retention: { receiptsMs: RECEIPTS_MS, deadMs: 60_000, ...(endedMs !== null && { endedMs }) },
      tuning: { ...tuning, pollMs: 500 },
      log: ({ level, text, error }) => {
        if (level === 'error' && text.includes('has stopped')) this.#place.found ??= new Error(text, { cause: error })
      },
    })
    this.#app = new EngineApp(engine)
    await this.#app.start()
    await this.clock.settle()
  }

  /** What the outside answers is drawn: mostly the right thing, at times a failure, an error, or nothing. */
  #service(life: LifeClock) {
    const bodies = activities.map((activity) => {
      const { answer, failures = [] } = deeds.find((one) => one.activity === activity.name)!
      const body = async (input: Readonly<Record<string, unknown>>, attempt: AttemptContext): Promise<unknown> => {
        const fate = this.#random.next()
        if (fate < 0.1) throw new Error('connection reset')
        if (fate < 0.13) return new Promise<never>(() => undefined)
        if (fate < 0.2) await new Promise<void>((resolve) => life.after(this.#random.int(3_000), resolve))
        if (fate > 0.85 && failures[0] !== undefined) attempt.fail(failures[0].code)
        return answer(input, attempt.idempotencyKey)
      }
      return implement(activity as never, body as never)
    })
    return serviceOf(service('agree', { machines, activities: bodies }))
  }

  #troubled(pair: Pair): Store {
    const commit: Store['commit'] = async (session, n, change) => {
      const trouble = this.#trouble
      this.#trouble = undefined
      const error = new Error('trouble')
      if (trouble === 'full' || trouble === 'transient') return { kind: trouble, error }
      const result = await pair.commit(session, n, change)
      return trouble === 'lost' ? { kind: 'transient', error } : result
    }
    return new Proxy(pair, {
      get: (of, name) => {
        if (name === 'commit') return commit
        const value = Reflect.get(of, name) as unknown
        return typeof value === 'function' ? (value as (...a: unknown[]) => unknown).bind(of) : value
      },
    })
  }

  async end(how: 'crash' | 'stop'): Promise<void> {
    if (how === 'stop') {
      const stopping = this.#app.stop()
      await this.clock.advance(20_000)
      await stopping
      return
    }
    this.#life.die()
    await this.clock.settle()
    await this.#pair.close()
  }

  /** Does one, and lets what it asks for happen. What it is told is no concern here. */
  async run(one: Deed): Promise<void> {
    if (one.do === 'pass') await this.clock.advance(one.ms)
    else if (one.do === 'trouble') this.#trouble = one.how
    else if (one.do === 'end') {
      await this.end(one.how)
      await this.begin()
    } else {
      void this.#ask(one).catch((error: unknown) => {
        if (!isPawlError(error)) this.#place.found ??= error as Error
      })
      await this.clock.settle()
    }
    this.#place.check()
  }

  async #ask(one: Exclude<Deed, { do: 'pass' | 'trouble' | 'end' }>): Promise<unknown> {
    const app = this.#app
    const id = `i-${one.n}`
    const message = (type: string, data: unknown) => ({ type, data }) as never
    switch (one.do) {
      case 'order':
        return app.emit(message('order.placed', { orderId: id, sku: 'mug', account: `a-${one.x}` }), { id: `placed ${one.x}` }) // prettier-ignore
      case 'paid':
        return app.emit(message('payment.captured', { orderId: id, paymentId: `p-${one.x}` }))
      case 'accepted':
        return app.emit(message('kitchen.accepted', { orderId: id, minutes: one.x }))
      case 'checkout':
        return app.run(checkout, { id, data: { sku: 'cup', account: 'a-1' } })
      case 'count':
        return app.run(counter, { id, data: { ids: [], rests: 0 } })
      case 'add':
        return app.send(counter, id, message('counter.add', one.x === 5 ? {} : { id: `${++this.#ids}` }), one.x < 2 ? { id: `add ${one.x}`, within: '1 second' } : { within: '1 second' }) // prettier-ignore
      case 'scale':
        return one.x === 0 ? app.run(pool, { id, data: { nodes: [`${id}.a`, `${id}.b`], leaving: [] } }) : app.send(pool, id, message('pool.scale', { nodes: [`${id}.${one.x}`, `${id}.b`] })) // prettier-ignore
      case 'cancel':
      case 'retry':
      case 'move':
      case 'remove':
      case 'redrive':
      case 'discard':
      case 'list':
        return this.#operate(one.do, one.n, id)
    }
  }

  async #operate(what: 'cancel' | 'retry' | 'move' | 'remove' | 'redrive' | 'discard' | 'list', n: number, id: string) {
    const app = this.#app
    const reason = { why: 'mended', by: 'ann' }
    const machine: AnyMachine = [order, checkout, counter, pool][n]!
    switch (what) {
      case 'cancel':
        return app.get(machine, id).cancel(reason)
      case 'retry':
        return app.operate.each(machine, {}, { ...reason, do: 'retry' })
      case 'move':
        return app.operate.move(order, id, { ...reason, to: 'releasing' })
      case 'remove':
        return app.remove(machine, id, reason)
      case 'list':
        return this.#list(machine)
      case 'redrive':
      case 'discard': {
        const { items } = await app.operate.deadLetters.list({ limit: 5 })
        const letter = items[n % Math.max(1, items.length)]
        return letter && app.operate.deadLetters[what](letter.id, reason)
      }
    }
  }

  async #list(machine: AnyMachine): Promise<void> {
    let after: string | undefined
    do ({ next: after } = await this.#app.list(machine, { limit: 2, ...(after !== undefined && { after }) }))
    while (after !== undefined)
    await this.#app.operate.deadLetters.list({ limit: 1 })
  }
}
