// Odd values on every way in and out: kept and given back as they were, or refused with the place, and never changed in silence.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { bystanders, expectOthersGoOn } from '../support/bystander.ts'
import { SECOND } from '../support/hand-clock.ts'
import { Hands, historyOf, messagesOf, onBothStores, stateOf, type World } from '../support/world.ts'

const any = z.object({ any: z.unknown() })
const Put = command('put', { data: any })
const Work = command('work', { data: any })
const Raise = command('raise', { data: any })
const Later = command('later', { data: any })
const Told = event('told', { data: z.object({ id: z.string(), any: z.unknown() }), key: (d) => d.id })

const child = machine('child', {
  data: any,
  receives: [Put],
  initial: 'a',
  states: { a: { on: { put: { to: 'b', set: ({ message }) => ({ any: message.any }) } } }, b: { final: 'done' } },
})

function keeperOf(hands: Hands) {
  const work = activity('work', { input: any, output: any, failures: ['No'], timeout: '10 days', run: hands.run })
  return machine('keeper', {
    data: z.object({ any: z.unknown().optional(), code: z.string().optional(), message: z.string().optional() }),
    receives: [Put, Work, Raise, Later, Told],
    emits: [Told],
    children: { ones: { of: child, each: ({ data }) => [{ id: 'c', data: { any: data.any } }] } },
    initial: 'a',
    states: {
      a: {
        on: {
          put: {
            set: ({ message }) => ({ any: message.any }),
            emit: { told: ({ id, data }) => ({ id, any: data.any }) },
          },
          told: { set: ({ message }) => ({ any: message.any }) },
          work: { to: 'working', set: ({ message }) => ({ any: message.any }) },
          raise: { to: 'raising', set: ({ message }) => ({ any: message.any }) },
        },
      },
      working: {
        call: work,
        input: ({ data }) => ({ any: data.any }),
        done: { to: 'later', set: ({ result }) => ({ any: result.any }) },
        fail: {
          No: { to: 'later', set: ({ error }) => ({ any: error.details, message: error.message }) },
          other: { to: 'later', set: ({ error }) => ({ code: error.code, message: error.message }) },
        },
      },
      raising: {
        until: { ones: { all: 'b' } },
        done: { to: 'later', set: ({ children }) => ({ any: children.ones[0]?.data.any }) },
      },
      later: { on: { later: { to: 'end', set: ({ message }) => ({ any: message.any }) } } },
      end: { final: 'done' },
    },
  })
}

/** `levels` of lists. */
const nested = (levels: number): unknown => {
  let value: unknown = 1
  for (let n = 0; n < levels; n++) value = [value]
  return value
}
const fromJson = (text: string): unknown => JSON.parse(text) as unknown

onBothStores('odd values', (make) => {
  async function scene(): Promise<{
    world: World
    app: App
    hands: Hands
    keeper: ReturnType<typeof keeperOf>
    again: () => Promise<App>
  }> {
    const hands = new Hands()
    const keeper = keeperOf(hands)
    const services = [bystanders, service('s', { machines: [keeper, child] })]
    const world = make()
    const app = await world.start(services)
    const again = async (): Promise<App> => {
      await world.crash(world.apps[0]!)
      return world.startAfterCrash(services)
    }
    return { world, app, hands, keeper, again }
  }

  describe('what is JSON is given back as it was: data, payload, event, input, output, details, progress, a child, a dead letter', () => {
    test.each([
      ['U+0000 (F69)', 'a\0b\0'],
      ['U+0000 as a key (F69)', { '\0': 1, 'a\0': { '\0': '\0' } }],
      ['all control characters', Array.from({ length: 32 }, (_, n) => String.fromCharCode(n)).join('')],
      ['U+2028, U+FEFF, U+FFFE, U+10FFFF', '\u2028\ufeff\ufffe\u{10ffff}'],
      [
        '`__proto__` and its like as keys (F71)',
        fromJson(
          '{"__proto__":{"isAdmin":true},"constructor":{"prototype":{"x":1}},"toString":"t","hasOwnProperty":1,"then":2,"length":-1}',
        ),
      ],
      ['`__proto__` deep within (F71)', [fromJson('{"a":[{"__proto__":null}]}')]],
      ['unsafe integers, 1e308, 5e-324 (F72)', [2 ** 53, 2 ** 53 + 2, -(2 ** 60), 1e308, 5e-324, 0.1 + 0.2]],
      ['keys that are numbers', fromJson('{"b":1,"2":2,"1":3,"":4}')],
      ['both ways to write é', ['caf\u00e9', 'cafe\u0301']],
      ['as deep as it goes (F73)', nested(199)],
      ['200,000 characters (F68)', 'x'.repeat(200_000)],
      ['20,000 keys (F74)', Object.fromEntries(Array.from({ length: 20_000 }, (_, n) => [`k${n}`, 1]))],
      ['nothing', null],
    ])('%s', async (_, value) => {
      const { world, app, hands, keeper, again } = await scene()
      const same = async (of: App, id = 'i') =>
        expect(JSON.stringify((await stateOf(of, keeper, id)).data.any)).toBe(JSON.stringify(value))
      await app.run(keeper, { id: 'i', data: { any: value } })
      await same(app)
      await app.send(keeper, 'i', Put({ any: value }), { id: 'm' })
      await world.clock.settle()
      await same(app)
      await app.send(keeper, 'i', Work({ any: value }))
      await world.clock.settle()
      expect(JSON.stringify(hands.at(0).input)).toBe(JSON.stringify({ any: value }))
      hands.at(0).heartbeat(value)
      await world.clock.settle()
      const second = await again()
      await world.clock.advance(60 * SECOND)
      expect(JSON.stringify(hands.at(-1).input)).toBe(JSON.stringify({ any: value }))
      if (value !== null) expect(JSON.stringify(hands.at(-1).lastProgress)).toBe(JSON.stringify(value))
      await second.send(keeper, 'i', Later({ any: value }))
      hands.at(-1).answer({ any: value })
      await world.clock.settle()
      const third = await again()
      expect(await stateOf(third, keeper, 'i')).toMatchObject({ state: 'end' })
      await same(third)
      const rows = await historyOf(third, keeper, 'i')
      const told = rows.flatMap(({ emitted }) => emitted)
      expect(JSON.stringify(told)).toBe(JSON.stringify([{ type: 'told', data: { id: 'i', any: value } }]))
      expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined()
      await expectOthersGoOn(third)
    })
    test.each([
      ['U+0000 (F69)', 'a\0b'],
      ['`__proto__` (F71)', fromJson('{"__proto__":{"x":1}}')],
      ['as deep as it goes (F73)', nested(199)],
    ])('as details of a failure, and in a child: %s', async (_, value) => {
      const { world, app, hands, keeper, again } = await scene()
      await app.run(keeper, { id: 'i', data: {} })
      await app.send(keeper, 'i', Work({ any: 1 }))
      await world.clock.settle()
      hands.at(0).fail('No', 'none', value)
      await app.run(keeper, { id: 'j', data: {} })
      await app.send(keeper, 'j', Raise({ any: value }))
      await world.clock.settle()
      const second = await again()
      await world.clock.advance(SECOND)
      await second.send(child, 'c', Put({ any: value }))
      await world.clock.settle()
      for (const id of ['i', 'j']) {
        const { state, data } = await stateOf(second, keeper, id)
        expect(state).toBe('later')
        expect(JSON.stringify(data.any)).toBe(JSON.stringify(value))
      }
    })
  })

  const cycle: Record<string, unknown> = {}
  cycle['self'] = cycle
  describe('what is no JSON is refused on every way in, with the place, and nothing has happened', () => {
    test.each<readonly [string, unknown, string]>([
      ['half a surrogate pair (F70)', ['\ud800'], 'NOT_JSON'],
      ['half a surrogate pair as a key (F70)', { '\udfff': 1 }, 'NOT_JSON'],
      ['NaN (F72)', { n: Number.NaN }, 'NOT_JSON'],
      ['-Infinity, as of 1e400 (F72)', fromJson('-1e400'), 'NOT_JSON'],
      ['a bigint (F72)', [1n], 'NOT_JSON'],
      ['a date (F72)', new Date(0), 'NOT_JSON'],
      ['a map (F72)', new Map([[1, 2]]), 'NOT_JSON'],
      ['a set (F72)', new Set([1]), 'NOT_JSON'],
      ['bytes (F72)', new Uint8Array(2), 'NOT_JSON'],
      ['a function (F72)', () => 1, 'NOT_JSON'],
      ['a symbol (F72)', Symbol('s'), 'NOT_JSON'],
      ['a symbol as a key (F72)', { [Symbol('s')]: 1 }, 'NOT_JSON'],
      ['a promise (F72)', Promise.resolve(1), 'NOT_JSON'],
      ['an error (F72)', new Error('e'), 'NOT_JSON'],
      [
        'an instance of a class (F72)',
        new (class Money {
          n = 1
        })(),
        'NOT_JSON',
      ],
      [
        'an instance with toJSON (F72)',
        new (class Money {
          toJSON() {
            return 1
          }
        })(),
        'NOT_JSON',
      ],
      ['a cycle (F72)', cycle, 'NOT_JSON'],
      ['a list with a hole (F72)', Object.assign([], { length: 2 }), 'NOT_JSON'],
      ['200,000 levels (F73)', nested(200_000), 'NOT_JSON'],
      ['10 MB (F68)', 'x'.repeat(10_000_000), 'TOO_LARGE'],
      ['1,000,000 numbers (F74)', Array.from({ length: 1_000_000 }, () => 1), 'TOO_LARGE'],
    ])('%s', async (_, value, code) => {
      const { app, hands, keeper, world } = await scene()
      const refused = { code, message: expect.stringMatching(code === 'NOT_JSON' ? /\/any/ : /262144/) as string }
      await app.run(keeper, { id: 'i', data: {} })
      await expect(app.run(keeper, { id: 'j', data: { any: value } })).rejects.toMatchObject(refused)
      await expect(app.send(keeper, 'i', Put({ any: value }))).rejects.toMatchObject(refused)
      await expect(app.emit(Told({ id: 'i', any: value }))).rejects.toMatchObject(refused)
      const within = app.transaction((tx) => tx.send(keeper, 'i', Put({ any: value })))
      await expect(within).rejects.toMatchObject(refused)
      const data = { any: value }
      await expect(app.operate.move(keeper, 'i', { why: 'x', to: 'a', data })).rejects.toMatchObject(refused)
      await expect(app.operate.resolve(keeper, 'i', { why: 'x', result: data })).rejects.toMatchObject(refused)
      expect(await messagesOf(app)).toEqual({})
      await app.send(keeper, 'i', Work({ any: 1 }))
      await world.clock.settle()
      expect(() => hands.at(0).heartbeat({ any: value })).toThrow(expect.objectContaining({ code }))
      hands.at(0).answer({ any: value })
      await world.clock.advance(10 * SECOND)
      expect(hands.calls.length).toBeGreaterThan(1)
      hands.at(-1).fail('No', 'no', { any: value })
      await world.clock.settle()
      const { state, data: kept } = await stateOf(app, keeper, 'i')
      expect([state, kept.any]).toEqual(['later', undefined])
      expect(kept.message).toContain('its details are left out')
      expect(kept.message?.length).toBeLessThan(2_500)
      await expectOthersGoOn(app)
    })
  })

  test('-0 becomes 0, a field that is undefined goes, and that is all that changes (F72)', async () => {
    const { app, keeper } = await scene()
    await app.run(keeper, { id: 'i', data: { any: { minus: -0, none: undefined, list: [-0], kept: null } } })
    const { data } = await stateOf(app, keeper, 'i')
    expect(data.any).toStrictEqual({ minus: 0, list: [0], kept: null })
  })
})
