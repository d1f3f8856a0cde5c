// What bodies of activities and schemas may do wrong: a call is tried again or settled, a message is refused, and nobody else notices.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, machine, saga, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { bystanders, expectOthersGoOn } from '../support/bystander.ts'
import { MINUTE, SECOND } from '../support/hand-clock.ts'
import { Hands, messagesOf, onBothStores, stateOf, type World } from '../support/world.ts'

const output = z.object({ n: z.number() })
type Body = (
  input: unknown,
  attempt: {
    fail(this: void, code: unknown, message?: unknown, details?: unknown): never
    heartbeat(this: void, progress?: unknown): void
    signal: AbortSignal
  },
) => unknown

function callerOf(run: Body) {
  const work = activity('work', {
    input: z.object({}),
    output,
    failures: ['No'],
    timeout: '10 seconds',
    retry: { attempts: 2, first: '1 second', max: '1 second' },
    run: run as never,
  })
  return machine('caller', {
    data: z.object({
      n: z.number().default(0),
      code: z.string().optional(),
      message: z.string().optional(),
      details: z.unknown().optional(),
    }),
    initial: 'calling',
    states: {
      calling: {
        call: work,
        input: () => ({}),
        done: { to: 'told', set: ({ result }) => ({ n: result.n }) },
        fail: {
          No: {
            to: 'failed',
            set: ({ error }) => ({ code: error.code, message: error.message, details: error.details }),
          },
          other: { to: 'failed', set: ({ error }) => ({ code: error.code, message: error.message }) },
        },
      },
      told: { final: 'done' },
      failed: { final: 'failed' },
    },
  })
}

const throwsWhenAsked = new Proxy(
  {},
  {
    get: () => {
      throw new Error('asked')
    },
    getPrototypeOf: () => {
      throw new Error('asked for its prototype')
    },
  },
)

const thenable = (then: (done: (value: unknown) => void) => void): object => {
  const object = {}
  Reflect.set(object, 'then', then)
  return object
}

onBothStores('bodies that do wrong', (make) => {
  async function scene(run: Body): Promise<{
    world: World
    app: App
    caller: ReturnType<typeof callerOf>
    end: () => Promise<{
      state: string
      data: { code?: string | undefined; message?: string | undefined; details?: unknown; n: number }
    }>
  }> {
    const caller = callerOf(run)
    const world = make()
    const app = await world.start([bystanders, service('s', { machines: [caller] })])
    await app.run(caller, { id: 'i', data: {} })
    const end = async () => {
      await world.clock.advance(MINUTE)
      await expectOthersGoOn(app)
      return stateOf(app, caller, 'i')
    }
    return { world, app, caller, end }
  }

  test.each<readonly [string, Body]>([
    [
      'throws a proxy that throws when asked',
      () => {
        throw throwsWhenAsked
      },
    ],
    ['rejects with a proxy that throws when asked', () => Promise.reject(throwsWhenAsked as Error)],
    ['rejects with nothing', () => Promise.reject(undefined as never)],
    ['fails with a symbol for a code', (_, { fail }) => fail(Symbol('s'))],
    ['fails with an object for a code', (_, { fail }) => fail({})],
    ['fails with nothing', (_, { fail }) => fail(undefined)],
    ['fails with a code of 10 MB', (_, { fail }) => fail('x'.repeat(10_000_000))],
    ['fails with `__proto__` (F71)', (_, { fail }) => fail('__proto__')],
    ['fails with `toString` (F71)', (_, { fail }) => fail('toString')],
    [
      'gives a thenable that throws',
      () =>
        thenable(() => {
          throw throwsWhenAsked
        }),
    ],
    [
      'gives a thenable that is resolved and throws',
      () =>
        thenable((done) => {
          done({ n: 'x' })
          throw new Error('after')
        }),
    ],
    ['gives a proxy that throws when asked', () => throwsWhenAsked],
    ['gives 10 MB (F68)', () => ({ n: 1, more: 'x'.repeat(10_000_000) })],
  ])('it %s: tried again, then `other`', async (_, run) => {
    let attempts = 0
    const { end } = await scene((input, attempt) => {
      attempts += 1
      return run(input, attempt)
    })
    const { state, data } = await end()
    expect([state, data.code, attempts]).toEqual(['failed', 'other', 2])
    expect(data.message?.length).toBeLessThan(2_200)
  })

  test('it never answers (F05): tried again, then `other`; health says that bodies were given up', async () => {
    const hands = new Hands()
    const { world, app, caller } = await scene(hands.run as Body)
    await world.clock.advance(MINUTE)
    expect(hands.calls.map(({ signal }) => signal.aborted)).toEqual([true, true])
    expect(await stateOf(app, caller, 'i')).toMatchObject({ state: 'failed', data: { code: 'other' } })
    await expectOthersGoOn(app, [expect.stringContaining('2 ')])
  })

  test.each<readonly [string, unknown, RegExp]>([
    ['of 10 MB: cut', 'x'.repeat(10_000_000), /^x{1999}…$/],
    ['with U+0000 and half a surrogate pair: shown as U+FFFD (F69, F70)', 'a\0\ud800b', /^a\ufffd\ufffdb$/],
    ['that is a number', 7, /^7$/],
    ['that is a symbol', Symbol('s'), /^Symbol\(s\)$/],
    ['that throws when asked', throwsWhenAsked, /cannot be shown/],
    ['that is null', null, /^No$/],
  ])('a declared failure with a message %s', async (_, message, shown) => {
    const { end } = await scene((_input, { fail }) => fail('No', message))
    const { state, data } = await end()
    expect([state, data.code]).toEqual(['failed', 'No'])
    expect(data.message).toMatch(shown)
  })

  test.each<readonly [string, unknown]>([
    ['of 10 MB (F68)', 'x'.repeat(10_000_000)],
    ['of 200,000 levels (F73)', Array.from({ length: 200_000 }).reduce<unknown>((inner) => [inner], 1)],
    ['that throw when asked', throwsWhenAsked],
    ['that are a function', () => 1],
  ])('a declared failure with details %s: they are left out, which is said', async (_, details) => {
    const { end } = await scene((_input, { fail }) => fail('No', 'there is none', details))
    const { state, data } = await end()
    expect([state, data.code, data.details]).toEqual(['failed', 'No', undefined])
    expect(data.message).toMatch(/^there is none \(its details are left out: /)
  })

  test('it answers long after its timeout, and once more after that (F06): the first counts once', async () => {
    const hands = new Hands()
    const { world, app, caller } = await scene(hands.run as Body)
    await world.clock.advance(11 * SECOND)
    expect(hands.calls).toHaveLength(2)
    hands.at(0).answer({ n: 1 })
    hands.at(1).answer({ n: 2 })
    await world.clock.settle()
    expect(await stateOf(app, caller, 'i')).toMatchObject({ state: 'told', data: { n: 1 }, status: 'done', seq: 3 })
    await expectOthersGoOn(app)
  })

  describe('the loop is blocked (F04)', () => {
    test('past the timeout of one that has answered meanwhile: its success counts, and nothing is done twice', async () => {
      const hands = new Hands()
      const { world, app, caller } = await scene(hands.run as Body)
      await world.clock.settle()
      hands.at(0).answer({ n: 1 })
      await world.clock.leap(60 * SECOND)
      await world.clock.advance(MINUTE)
      expect(await stateOf(app, caller, 'i')).toMatchObject({ state: 'told', data: { n: 1 }, status: 'done' })
      expect(new Set(hands.calls.map(({ key }) => key)).size).toBe(1)
      await expectOthersGoOn(app)
    })
    test('past the timeout of one that has not answered: it is given up, and tried again once', async () => {
      const hands = new Hands()
      const { world, app, caller } = await scene(hands.run as Body)
      await world.clock.settle()
      await world.clock.leap(60 * SECOND)
      await world.clock.advance(2 * SECOND)
      expect(hands.calls).toHaveLength(2)
      expect(hands.at(0).signal.aborted).toBe(true)
      hands.at(1).answer({ n: 2 })
      await world.clock.settle()
      expect(await stateOf(app, caller, 'i')).toMatchObject({ state: 'told', data: { n: 2 } })
      await expectOthersGoOn(app)
    })
  })

  test('the output of a saga throws: whoever asks for it is told, and the saga is done', async () => {
    const work = activity('ok', { input: z.object({}), output, run: () => ({ n: 1 }) })
    const odd = saga('odd', { input: z.object({}) })
      .step('one', { call: work, input: () => ({}) })
      .done((): { n: number } => {
        throw throwsWhenAsked
      })
    const world = make()
    const app = await world.start([bystanders, service('s', { machines: [odd] })])
    const handle = await app.run(odd, { id: 'i', data: {} })
    await world.clock.settle()
    await expect(handle.result()).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
    expect(await handle.state()).toMatchObject({ status: 'done' })
    await expectOthersGoOn(app)
  })

  const schema = (validate: (value: unknown) => unknown) =>
    ({ '~standard': { version: 1 as const, vendor: 'odd', validate } }) as unknown as z.ZodType<{ n: number }>
  describe('schemas', () => {
    let parses = 0
    test.each<readonly [string, (value: unknown) => unknown]>([
      [
        'throws',
        () => {
          throw throwsWhenAsked
        },
      ],
      ['answers later', (value) => Promise.resolve({ value })],
      ['answers later, and rejects', () => Promise.reject(new Error('later'))],
      ['answers nothing', () => undefined],
      ['answers null', () => null],
      ['answers a text', () => 'yes'],
      ['answers neither a value nor issues', () => ({})],
      ['gives issues that are no list', () => ({ issues: 7 })],
      ['gives issues that throw when asked', () => ({ issues: [throwsWhenAsked] })],
      ['gives an issue of 10 MB', () => ({ issues: [{ message: 'x'.repeat(10_000_000) }] })],
      [
        'gives an issue with an odd path',
        () => ({ issues: [{ message: 'no', path: [Symbol('s'), { key: '__proto__' }, null, 7] }] }),
      ],
      ['makes what is no JSON', () => ({ value: { n: 1n } })],
      [
        'makes 200,000 levels (F73)',
        () => ({ value: Array.from({ length: 200_000 }).reduce<unknown>((inner) => [inner], 1) }),
      ],
    ])('of a message %s: refused, a dead letter with a text that can be kept', async (_, validate) => {
      const Odd = command('odd', { data: schema(validate) })
      const taker = machine('taker', {
        data: output,
        receives: [Odd],
        initial: 'a',
        states: { a: { on: { odd: 'b' } }, b: { final: 'done' } },
      })
      const app = await make().start([bystanders, service('s', { machines: [taker] })])
      await app.run(taker, { id: 'i', data: { n: 1 } })
      await expect(app.send(taker, 'i', Odd({ n: 1 }), { id: 'm' })).rejects.toMatchObject({ code: 'BAD_DATA' })
      expect((await app.operate.deadLetters.list()).items[0]?.error.message.length).toBeLessThan(2_200)
      expect(await stateOf(app, taker, 'i')).toMatchObject({ state: 'a', seq: 1 })
      expect(await messagesOf(app)).toEqual({ accepted: 1, dead: 1 })
      await expectOthersGoOn(app)
    })
    test('of the data makes something else each time: what was kept stays, the same start is refused as another, and nothing breaks', async () => {
      const drifting = machine('drifting', {
        data: schema(() => ({ value: { n: ++parses } })),
        initial: 'a',
        states: { a: { after: { '1 second': { to: 'b', set: {} } } }, b: { final: 'done' } },
      })
      const world = make()
      const app = await world.start([bystanders, service('s', { machines: [drifting] })])
      await app.run(drifting, { id: 'i', data: { n: 0 } })
      const { n } = (await stateOf(app, drifting, 'i')).data
      await expect(app.run(drifting, { id: 'i', data: { n: 0 } })).rejects.toMatchObject({
        code: 'ALREADY_STARTED_WITH_OTHER_INPUT',
      })
      expect((await stateOf(app, drifting, 'i')).data).toEqual({ n })
      await world.clock.advance(2 * SECOND)
      expect(await stateOf(app, drifting, 'i')).toMatchObject({ status: 'done' })
      await expectOthersGoOn(app)
    })
  })
})
