// What callers of plain JavaScript get wrong: told with the nearest right word, before anything is done.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { command, event, machine, pawl, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { bystanders, expectOthersGoOn } from '../support/bystander.ts'
import { historyOf, instancesOf, lastRow, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Begin = event('begin', { data: z.object({ id: z.string() }), key: (d) => d.id })
const job = machine('job', {
  data: z.object({ n: z.number().default(0) }),
  receives: [Add, Begin],
  start: { begin: () => ({}) },
  initial: 'a',
  states: {
    a: {
      on: {
        add: [
          { if: ({ message }) => message.n === 0, to: 'end' },
          { set: ({ data, message }) => ({ n: data.n + message.n }) },
        ],
      },
    },
    end: { final: 'done' },
  },
})

onBothStores('options of plain JavaScript', (make) => {
  async function scene(): Promise<App> {
    const app = await make().start([bystanders, service('s', { machines: [job] })])
    await app.run(job, { id: 'i', data: {} })
    return app
  }
  const why = 'x'
  const calls: readonly (readonly [string, (app: App, o: never) => unknown, object, string])[] = [
    ['run', (app, o) => app.run(job, o), { id: 'j', data: {}, bye: 'ann' }, 'by'],
    ['send', (app, o) => app.send(job, 'i', Add({ n: 1 }), o), { untill: 'stored' }, 'until'],
    ['send, by its handle', (app, o) => app.get(job, 'i').send(Add({ n: 1 }), o), { ifseq: 1 }, 'ifSeq'],
    ['emit', (app, o) => app.emit(Begin({ id: 'j' }), o), { withn: '1 second' }, 'within'],
    ['emit in a transaction', (app, o) => app.transaction((tx) => tx.emit(Begin({ id: 'j' }), o)), { Id: 'm' }, 'id'],
    [
      'send in a transaction',
      (app, o) => app.transaction((tx) => tx.send(job, 'i', Add({ n: 1 }), o)),
      { ids: 'm' },
      'id',
    ],
    ['list', (app, o) => app.list(job, o), { stat: 'a' }, 'state'],
    [
      'history',
      async (app, o) => {
        for await (const _ of app.get(job, 'i').history(o));
      },
      { limits: 1 },
      'limit',
    ],
    ['reaches', (app, o) => app.get(job, 'i').reaches('a', o), { withinn: '1 second' }, 'within'],
    ['result', (app, o) => app.get(job, 'i').result(o), { rejectOnStal: true }, 'rejectOnStall'],
    ['cancel', (app, o) => app.get(job, 'i').cancel(o), { why, bye: 'ann' }, 'by'],
    ['remove', (app, o) => app.remove(job, 'i', o), { why, yb: 'ann' }, 'by'],
    ['retry', (app, o) => app.operate.retry(job, 'i', o), { why, newkey: true }, 'newKey'],
    ['resolve', (app, o) => app.operate.resolve(job, 'i', o), { why, result: 1, cal: 'x' }, 'call'],
    ['move', (app, o) => app.operate.move(job, 'i', o), { why, to: 'a', paylod: 1 }, 'payload'],
    ['each, which', (app, o) => app.operate.each(job, o, { do: 'cancel', why }), { dryrun: true }, 'dryRun'],
    ['each, what', (app, o) => app.operate.each(job, {}, o), { do: 'cancel', why, bye: 'ann' }, 'by'],
    ['deadLetters.list', (app, o) => app.operate.deadLetters.list(o), { machin: 'job' }, 'machine'],
    ['redrive', (app, o) => app.operate.deadLetters.redrive('l', o), { why, dat: {} }, 'data'],
    ['discard', (app, o) => app.operate.deadLetters.discard('l', o), { why, bye: 'x' }, 'by'],
  ]
  test.each(calls)(
    'one that does not exist is named with the nearest, and nothing has happened: %s',
    async (_, call, o, near) => {
      const app = await scene()
      const told = { code: 'BAD_OPTION', message: expect.stringContaining(`did you mean "${near}"?`) as string }
      await expect((async () => call(app, o as never))()).rejects.toMatchObject(told)
      expect(await stateOf(app, job, 'i')).toMatchObject({ seq: 1, status: 'waiting' })
      expect(await instancesOf(app, job)).toMatchObject({ started: 1 })
      expect(await messagesOf(app)).toEqual({})
      await expectOthersGoOn(app)
    },
  )

  test.each([
    ['`by` is a number', { by: 7 }, 'BAD_ID'],
    ['`by` is empty', { by: '' }, 'BAD_ID'],
    ['`by` has 10 MB (F75)', { by: 'x'.repeat(10_000_000) }, 'BAD_ID'],
    ['`by` has U+0000 (F69)', { by: 'a\0' }, 'BAD_ID'],
    ['`by` has half a surrogate pair (F70)', { by: '\ud800' }, 'BAD_ID'],
    ['`why` is missing', { why: undefined }, 'NO_REASON'],
    ['`why` is blank', { why: ' ' }, 'NO_REASON'],
    ['`why` is a number', { why: 7 }, 'NO_REASON'],
    ['`why` has 10 MB (F75)', { why: 'x'.repeat(10_000_000) }, 'BAD_OPTION'],
    ['`why` has half a surrogate pair (F70)', { why: 'a\ud800' }, 'BAD_OPTION'],
  ])('who and why: %s', async (_, o, code) => {
    const app = await scene()
    const reason = { why: 'x', ...o } as never
    for (const call of [
      () => app.get(job, 'i').cancel(reason),
      () => app.operate.retry(job, 'i', reason),
      () => app.operate.move(job, 'i', Object.assign({ to: 'a' as const }, reason)),
      () => app.operate.each(job, {}, Object.assign({ do: 'cancel' as const }, reason)),
      () => app.operate.deadLetters.discard('l', reason),
      () => app.remove(job, 'i', reason),
    ])
      await expect(call()).rejects.toMatchObject({ code })
    if ('by' in o) {
      await expect(app.send(job, 'i', Add({ n: 1 }), o as never)).rejects.toMatchObject({ code })
      await expect(app.emit(Begin({ id: 'j' }), o as never)).rejects.toMatchObject({ code })
      await expect(app.run(job, { data: {}, ...o } as never)).rejects.toMatchObject({ code })
    }
    expect(await stateOf(app, job, 'i')).toMatchObject({ seq: 1 })
    expect(await messagesOf(app)).toEqual({})
  })
  test('`why` and `by` with U+0000 in `why`, quotes and line breaks are given back as they were (F69, F75)', async () => {
    const app = await scene()
    const odd = 'it\'s\n"so"; drop table pawl_instances; --\u0000\u202e👍🏽'
    await app.get(job, 'i').cancel({ why: odd, by: "o'brien; --" })
    expect(await lastRow(app, job, 'i')).toMatchObject({ cause: { kind: 'cancel', by: "o'brien; --" } })
    expect(await historyOf(app, job, 'i')).toHaveLength(2)
    await expectOthersGoOn(app)
  })

  test.each([
    ['`until`', { until: 'aplied' }],
    ['`until` is a number', { until: 1 }],
    ['`ifSeq` is a text', { ifSeq: '1' }],
    ['`ifSeq` is NaN (F72)', { ifSeq: Number.NaN }],
    ['`ifSeq` is a part', { ifSeq: 1.5 }],
    ['`ifSeq` is past 2^53 (F40, F72)', { ifSeq: 2 ** 53 }],
    ['null', null],
    ['a text', 'stored'],
  ])('a value that is none: %s', async (_, o) => {
    const app = await scene()
    await expect(app.send(job, 'i', Add({ n: 1 }), o as never)).rejects.toMatchObject({ code: 'BAD_OPTION' })
    expect(await messagesOf(app)).toEqual({})
  })

  describe('messages that are none, or not for here (F76)', () => {
    test.each([undefined, null, 7, 'add', [], {}, { type: 7 }, () => ({ type: 'add' })])('%j', async (message) => {
      const app = await scene()
      await expect(app.send(job, 'i', message as never)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
      await expect(app.emit(message as never)).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
      expect(await messagesOf(app)).toEqual({})
    })
    test.each(['unknown', '__proto__', 'constructor', 'toString', 'hasOwnProperty', ''])(
      'type "%s" (F71)',
      async (type) => {
        const app = await scene()
        const message = { type, data: {} } as never
        const unknown = { code: 'UNKNOWN_MESSAGE', message: expect.stringContaining(`"${type}"`) as string }
        await expect(app.send(job, 'i', message)).rejects.toMatchObject(unknown)
        await expect(app.emit(message)).rejects.toMatchObject(unknown)
        expect(await messagesOf(app)).toEqual({})
      },
    )
    test.each(['__proto__', 'constructor', 'toString', 'nowhere'])('state "%s" (F71)', async (state) => {
      const app = await scene()
      const handle = app.get(job, 'i')
      await expect(app.list(job, { state: state as never })).rejects.toMatchObject({ code: 'UNKNOWN_STATE' })
      await expect(handle.reaches(state as never)).rejects.toMatchObject({ code: 'UNKNOWN_STATE' })
      const moved = app.operate.move(job, 'i', { why, to: state as never })
      await expect(moved).rejects.toMatchObject({ code: 'NO_SUCH_STATE' })
    })
    test.each([0, -1, 1.5, Number.NaN, Infinity, 1e9, '7'])('limit %s', async (limit) => {
      const app = await scene()
      await expect(app.list(job, { limit: limit as never })).rejects.toMatchObject({ code: 'BAD_LIMIT' })
      await expect(app.operate.deadLetters.list({ limit: limit as never })).rejects.toMatchObject({ code: 'BAD_LIMIT' })
    })
    test.each(['', 'x', '-1', '1e9', '{}', '\u0000', 'x'.repeat(100_000)])(
      'a cursor that was made by hand: %j',
      async (after) => {
        const app = await scene()
        await expect(app.list(job, { after })).rejects.toMatchObject({ code: 'BAD_CURSOR' })
      },
    )
  })
})

test.each([
  ['an option of pawl()', { stroe: 'memory:' }, 'store'],
  ['a time of `retention`', { store: 'memory:', retention: { endet: '30 days' } }, 'ended'],
])('%s that does not exist is named with the nearest', (_, o, near) => {
  const services = [service('s', { machines: [job] })]
  expect(() => pawl({ services, ...o } as never)).toThrow(
    expect.objectContaining({
      code: 'BAD_DEFINITION',
      message: expect.stringContaining(`did you mean "${near}"?`) as string,
    }),
  )
})
