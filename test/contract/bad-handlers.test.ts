// What callbacks of a definition may do wrong: it is told with the place, it stays with its message or its instance, and the
// worker and everybody else go on. Of a message it makes a dead letter, of a timer or a start of one's own something else.
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { bystanders, expectOthersGoOn } from '../support/bystander.ts'
import { HOUR, MINUTE } from '../support/hand-clock.ts'
import { deadOf, messagesOf, onBothStores, stateOf, type World } from '../support/world.ts'

const Go = command('go', { data: z.object({}) })
const Fact = event('fact', { data: z.object({ id: z.string(), any: z.unknown().optional() }), key: (d) => d.id })
const Order = command('order', { data: z.object({ id: z.string() }), to: 'helper', key: (d) => d.id })

const hostile = {
  toString() {
    throw new Error('no text')
  },
  get message() {
    throw new Error('no message')
  },
}
/** Whatever is asked of it, it throws, but for what looks whether it is a promise. */
const trap: unknown = new Proxy([1], {
  get: (_, key) => {
    if (key === 'then') return undefined
    throw new Error(`asked for ${String(key)}`)
  },
  ownKeys: () => {
    throw new Error('asked for its keys')
  },
  getPrototypeOf: () => {
    throw new Error('asked for its prototype')
  },
})
const revoked = (): unknown => {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return proxy
}
const holes = (length: number): unknown[] => Object.assign([], { length })
const withGetter = (field: string): object =>
  Object.defineProperty({}, field, {
    enumerable: true,
    get: () => {
      throw new Error('got')
    },
  })
const throwing = (thrown: unknown) => (): never => {
  throw thrown
}

/** The same definition with one callback replaced; every callback that a machine may have is in it. */
type Callback = (given: never) => unknown
interface Callbacks {
  if?: Callback
  set?: Callback
  field?: Callback
  emit?: Callback
  order?: Callback
  input?: Callback
  inputs?: Callback
  named?: Callback
  key?: Callback
  in?: Callback
  at?: Callback
  each?: Callback
  holds?: Callback
  always?: Callback
  entering?: Callback
  fairBy?: Callback
}

const helper = machine('helper', {
  data: z.object({ n: z.number().default(0), any: z.unknown().optional() }),
  receives: [Order],
  initial: 'a',
  states: { a: { on: { order: 'b' } }, b: { final: 'done' } },
})

function victimOf(c: Callbacks) {
  const work = activity('work', { input: z.unknown(), output: z.object({}), run: () => ({}) })
  const definition = {
    data: z.object({ n: z.number().default(0), any: z.unknown().optional() }),
    receives: [Go],
    emits: [Fact, Order],
    children: { helpers: { of: helper, each: c.each ?? (() => []) } },
    initial: 'a',
    fairBy: c.fairBy ?? (() => 'all'),
    states: {
      a: {
        on: {
          go: [
            {
              if: c.if ?? (() => true),
              to: 'b',
              set: c.field === undefined ? (c.set ?? (() => ({}))) : { any: c.field },
              emit: { fact: c.emit ?? (() => null), order: c.order ?? (() => null) },
            },
            { to: 'end' },
          ],
        },
      },
      b: { always: [{ if: c.always ?? (() => true), to: 'c' }, { to: 'end' }] },
      c: { call: work, input: c.input ?? (() => ({})), key: c.key ?? (() => 'k'), done: 'd' },
      d: { call: [work], input: c.inputs ?? (() => []), done: 'e' },
      e: { call: { one: work }, input: { one: c.named ?? (() => ({})) }, done: 'f' },
      f: {
        emit: { fact: c.entering ?? (() => null) },
        until: { helpers: { all: 'b', if: c.holds ?? (() => true) } },
        done: 'end',
        after: [
          { name: 'one', in: c.in ?? (() => '1 hour'), to: 'end' },
          { name: 'two', at: c.at ?? (() => null), to: 'end' },
        ],
      },
      end: { final: 'done' },
    },
  }
  return machine('victim', definition as never)
}
type Victim = ReturnType<typeof victimOf>
const go = Go({}) as never

onBothStores('handlers that do wrong', (make) => {
  async function scene(c: Callbacks): Promise<{ world: World; app: App; victim: Victim }> {
    const victim = victimOf(c)
    const world = make()
    return { world, victim, app: await world.start([bystanders, service('s', { machines: [victim, helper] })]) }
  }
  const quiet = { code: 'HANDLER_FAILED' }

  test('the definition as it is runs to its end', async () => {
    const { app, victim, world } = await scene({
      emit: () => [{ id: 'x' }],
      order: () => null,
      inputs: () => [{}, {}],
      each: () => [{ id: 'h', data: {} }],
    })
    await app.run(victim, { id: 'i', data: {} as never })
    await app.send(victim, 'i', go)
    await world.clock.settle()
    expect(await stateOf(app, victim, 'i')).toMatchObject({ state: 'f' })
    expect(await app.send(helper, 'h', Order({ id: 'h' }))).toMatchObject({ outcome: 'applied' })
    await world.clock.settle()
    expect(await stateOf(app, victim, 'i')).toMatchObject({ state: 'end' })
  })

  describe('on a message: its sender is told, a dead letter is kept, the instance goes on', () => {
    const thrown: readonly (readonly [string, unknown])[] = [
      ['undefined', undefined],
      ['null', null],
      ['a symbol', Symbol('s')],
      ['an object whose getters throw', hostile],
      ['a proxy that throws whatever is asked', trap],
      ['a revoked proxy', revoked()],
      ['a frozen error', Object.freeze(new Error('frozen'))],
      ['an error of another realm', runInNewContext('new Error("elsewhere")')],
      ['an error whose text is 10 MB', new Error('x'.repeat(10_000_000))],
      ['a text with U+0000 and half a surrogate pair', 'a\0\ud800'],
    ]
    test.each(thrown)('`set` throws %s', async (_, error) => {
      const { app, victim } = await scene({ set: throwing(error) })
      await app.run(victim, { id: 'i', data: {} as never })
      await expect(app.send(victim, 'i', go, { id: 'm' })).rejects.toMatchObject(quiet)
      const [letter] = (await app.operate.deadLetters.list()).items
      expect(letter?.error.message.length).toBeLessThan(2_200)
      expect(letter?.error.message.isWellFormed()).toBe(true)
      expect(letter?.error.message).toContain('victim "i", state "a", set: ')
      expect(await stateOf(app, victim, 'i')).toMatchObject({ state: 'a', status: 'waiting', seq: 1 })
      expect(await messagesOf(app)).toEqual({ accepted: 1, dead: 1 })
      await expectOthersGoOn(app)
    })

    const returned: readonly (readonly [string, Callbacks])[] = [
      ['`if` throws', { if: throwing(trap) }],
      ['`if` gives a promise', { if: () => Promise.resolve(true) }],
      ['`if` gives a promise that rejects', { if: () => Promise.reject(new Error('later')) }],
      ['`set` gives nothing', { set: () => undefined }],
      ['`set` gives null', { set: () => null }],
      ['`set` gives a list', { set: () => [1] }],
      ['`set` gives a text', { set: () => 'n' }],
      ['`set` gives a promise', { set: async () => ({ n: await Promise.resolve(1) }) }],
      ['`set` gives a getter that throws', { set: () => withGetter('n') }],
      ['`set` gives a proxy that throws', { set: () => trap }],
      ['`set` gives a revoked proxy', { set: revoked }],
      ['`set` gives what its schema refuses', { set: () => ({ n: 'one' }) }],
      ['a field of `set` gives a function', { field: () => () => 1 }],
      ['a field of `set` gives a promise', { field: () => Promise.resolve(1) }],
      ['`emit` throws', { emit: throwing(undefined) }],
      ['`emit` gives undefined', { emit: () => undefined }],
      ['`emit` gives a text', { emit: () => 'x' }],
      ['`emit` gives a hole', { emit: () => holes(2) }],
      ['`emit` gives a proxy that throws', { emit: () => trap }],
      ['`emit` gives a list of proxies that throw', { emit: () => [trap] }],
      ['`emit` gives an empty key', { emit: () => ({ id: '' }) }],
      ['`emit` gives a key with U+0000 (F69)', { emit: () => ({ id: 'a\0b' }) }],
      ['`emit` gives a key of 256 bytes', { emit: () => ({ id: 'x'.repeat(256) }) }],
      ['`emit` gives a key of half a surrogate pair (F70)', { emit: () => ({ id: '\ud800' }) }],
      ['`emit` gives more than fits (F68)', { emit: () => ({ id: 'x', any: 'x'.repeat(300_000) }) }],
      ['`emit` gives a list of 1,000,000', { emit: () => Array.from({ length: 1_000_000 }, () => ({ id: 'x' })) }],
      ['`emit` gives a list of 400,000,000 holes', { emit: () => holes(400_000_000) }],
      ['a command has a bad key', { order: () => ({ id: 'a\nb' }) }],
      ['`always` throws', { always: throwing(null) }],
      ['`input` throws', { input: throwing(trap) }],
      ['`input` gives undefined in a field', { input: () => ({ any: [undefined] }) }],
      [
        '`input` gives a cycle',
        {
          input: () => {
            const o: Record<string, unknown> = {}
            o['o'] = o
            return o
          },
        },
      ],
      ['`input` gives more than fits (F68)', { input: () => ({ text: 'x'.repeat(300_000) }) }],
      ['`key` gives a number', { key: () => 7 }],
      ['`key` gives a proxy that throws', { key: () => trap }],
      [
        '`fairBy` throws',
        {
          fairBy: ((given: { data: { any?: unknown } }) => {
            if (given.data.any === 1) throw hostile
            return 'x'
          }) as never,
          set: () => ({ any: 1 }),
        },
      ],
      [
        '`fairBy` gives an object without a text',
        {
          fairBy: ((given: { data: { any?: unknown } }) =>
            given.data.any === 1 ? (Object.create(null) as unknown) : 'x') as never,
          set: () => ({ any: 1 }),
        },
      ],
      [
        '`fairBy` gives a hostile object',
        {
          fairBy: ((given: { data: { any?: unknown } }) => (given.data.any === 1 ? hostile : 'x')) as never,
          set: () => ({ any: 1 }),
        },
      ],
      [
        '`fairBy` gives 10 MB',
        {
          fairBy: ((given: { data: { any?: unknown } }) =>
            given.data.any === 1 ? 'x'.repeat(10_000_000) : 'x') as never,
          set: () => ({ any: 1 }),
        },
      ],
    ]
    test.each(returned)('%s', async (_, callbacks) => {
      const { app, victim } = await scene(callbacks)
      await app.run(victim, { id: 'i', data: {} as never })
      await expect(app.send(victim, 'i', go, { id: 'm' })).rejects.toMatchObject(quiet)
      expect(await deadOf(app)).toEqual([{ ...quiet, type: 'go', machine: 'victim', instance: 'i' }])
      expect(await stateOf(app, victim, 'i')).toMatchObject({ state: 'a', status: 'waiting', seq: 1, data: { n: 0 } })
      expect(await messagesOf(app)).toEqual({ accepted: 1, dead: 1 })
      await expectOthersGoOn(app)
    })
  })

  describe('on a result: the instance stalls with the place, and a retry after the mend goes on', () => {
    const broken: readonly (readonly [string, Callbacks])[] = [
      ['`input` of a list throws', { inputs: throwing(hostile) }],
      ['`input` of a list gives no list', { inputs: () => 'x' }],
      ['`input` of a list gives a proxy that throws', { inputs: () => trap }],
      ['`input` of a list gives 1,000,000', { inputs: () => Array.from({ length: 1_000_000 }, () => ({})) }],
      ['`input` of one of several throws', { named: throwing(Symbol('s')) }],
      ['`in` gives no duration', { in: () => 'soon' }],
      ['`in` gives a number', { in: () => 5 }],
      ['`in` gives a bigint', { in: () => 5n }],
      ['`in` gives a negative duration (F64)', { in: () => '-1 hour' }],
      ['`in` gives NaN (F64)', { in: () => Number.NaN }],
      ['`at` gives an invalid date (F64)', { at: () => new Date(Number.NaN) }],
      ['`at` gives a date after the year 275760 (F64)', { at: () => '+300000-01-01' }],
      ['`at` gives a time without a zone', { at: () => '2030-01-31T09:00:00' }],
      ['`at` gives a promise', { at: () => Promise.resolve(null) }],
      ['`at` gives an object that throws', { at: () => trap }],
      ['`each` throws', { each: throwing(trap) }],
      ['`each` gives no list', { each: () => ({}) }],
      ['`each` gives a list of null', { each: () => [null] }],
      ['`each` gives ids that are numbers', { each: () => [{ id: 7, data: {} }] }],
      ['`each` gives a proxy that throws', { each: () => trap }],
      [
        '`each` gives data that throw',
        {
          each: () => [
            {
              id: 'h',
              get data() {
                throw new Error('no data')
              },
            },
          ],
        },
      ],
      ['`each` gives data that are no JSON', { each: () => [{ id: 'h', data: { any: 1n } }] }],
      ['`each` gives more data than fit (F68)', { each: () => [{ id: 'h', data: { any: 'x'.repeat(300_000) } }] }],
      [
        '`each` gives 10,001 children',
        { each: () => Array.from({ length: 10_001 }, (_, n) => ({ id: `h${n}`, data: {} })) },
      ],
      ['`until.if` throws', { each: () => [{ id: 'h', data: {} }], holds: throwing(hostile) }],
      ['`emit` on entry throws', { entering: throwing(hostile) }],
    ]
    test.each(broken)('%s', async (what, callbacks) => {
      const { app, victim, world } = await scene(callbacks)
      await app.run(victim, { id: 'i', data: {} as never })
      await app.send(victim, 'i', go)
      await world.clock.settle()
      if (what.startsWith('`until.if`')) {
        await app.send(helper, 'h', Order({ id: 'h' }))
        await world.clock.settle()
      }
      const { status, stalled } = await stateOf(app, victim, 'i')
      expect(status).toBe('stalled')
      const child = what === '`each` gives more data than fit (F68)'
      expect(stalled?.code).toBe(child ? 'CHILD_REFUSED' : 'HANDLER_FAILED')
      if (!child) expect(stalled?.message).toMatch(/^victim "i", state "[a-f]", /)
      await expectOthersGoOn(app)
      await world.stop(app)
      const mended = victimOf({})
      const next = await world.start([bystanders, service('s', { machines: [mended, helper] })])
      await next.operate.retry(mended, 'i', { why: 'mended' })
      await world.clock.advance(HOUR + MINUTE)
      expect(await stateOf(next, mended, 'i')).toMatchObject({ status: 'done' })
    })
  })
})
