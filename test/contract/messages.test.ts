// What stands under the table of fates: how long a message waits and behind whom, and what comes twice.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../support/hand-clock.ts'
import { deadOf, Hands, historyOf, instancesOf, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const key = (d: { id: string }): string => d.id
const data = z.object({ id: z.string(), n: z.number().default(1) })
const Late = event('late', { data, key, keep: '10 minutes' })
const Open = command('open', { data: z.object({}) })
const Go = command('go', { data: z.object({}) })
const Add = command('add', { data: z.object({ n: z.number() }) })
const Placed = event('placed', { data, key })

/** a ──open──▶ calling ──done──▶ d ──go──▶ e (takes late); in all of them `add` adds, but one that adds 1 leaves. */
function slowOf(hands: Hands) {
  const work = activity('work', {
    input: z.object({}),
    output: z.object({}),
    timeout: '10 days',
    retry: { attempts: 1 },
    run: hands.run,
  })
  return machine('slow', {
    data: z.object({ seen: z.array(z.number()).default([]) }),
    receives: [Late, Open, Go, Add],
    initial: 'a',
    groups: {
      all: {
        states: ['a', 'calling', 'd', 'e'],
        on: {
          add: [
            {
              if: ({ message }) => message.n === 1,
              to: 'd',
              set: ({ data: d, message }) => ({ seen: [...d.seen, message.n] }),
            },
            { set: ({ data: d, message }) => ({ seen: [...d.seen, message.n] }) },
          ],
        },
      },
    },
    states: {
      a: { on: { open: 'calling' } },
      calling: { call: work, input: () => ({}), done: 'd' },
      d: { on: { go: 'e' } },
      e: { on: { late: { set: ({ data: d, message }) => ({ seen: [...d.seen, message.n] }) }, go: 'end' } },
      end: { final: 'done' },
    },
  })
}

onBothStores('messages that wait', (make) => {
  async function scene() {
    const hands = new Hands()
    const slow = slowOf(hands)
    const world = make()
    const app = await world.start([service('s', { machines: [slow] })])
    await app.run(slow, { id: 'i', data: {} })
    return { hands, slow, world, app, clock: world.clock }
  }

  test('`keep` does not run while an open call holds the message', async () => {
    const { hands, slow, app, clock } = await scene()
    await app.send(slow, 'i', Late({ id: 'i', n: 3 }))
    await clock.leap(4 * MINUTE)
    await app.send(slow, 'i', Open({}))
    await clock.leap(5 * HOUR)
    expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, waiting: 1 })
    hands.at(0).answer({})
    await clock.settle()
    expect(await stateOf(app, slow, 'i')).toMatchObject({ state: 'd' })
    // Six of its ten minutes are left.
    await clock.leap(6 * MINUTE - SECOND)
    expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, waiting: 1 })
    await clock.leap(2 * SECOND)
    expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, dead: 1 })
    expect(await deadOf(app)).toMatchObject([{ code: 'KEPT_TOO_LONG' }])
  })

  test('`keep` does not run while the instance is stalled', async () => {
    const { hands, slow, app, clock } = await scene()
    await app.send(slow, 'i', Late({ id: 'i', n: 3 }))
    await clock.leap(4 * MINUTE)
    await app.send(slow, 'i', Open({}))
    await clock.settle()
    hands.at(0).throw(new Error('no answer'))
    await clock.settle()
    expect(await stateOf(app, slow, 'i')).toMatchObject({ status: 'stalled' })
    await clock.leap(3 * DAY)
    await app.operate.resolve(slow, 'i', { result: {}, why: 'by phone' })
    await clock.leap(6 * MINUTE - SECOND)
    await app.send(slow, 'i', Go({}))
    expect(await stateOf(app, slow, 'i')).toMatchObject({ state: 'e', data: { seen: [3] } })
  })

  test('a message goes behind older waiting ones of its type, though it could be taken at once', async () => {
    const { hands, slow, app, clock } = await scene()
    await app.send(slow, 'i', Open({}))
    await clock.settle()
    expect(await app.send(slow, 'i', Add({ n: 5 }))).toMatchObject({ outcome: 'applied' })
    expect(await app.send(slow, 'i', Add({ n: 1 }))).toMatchObject({ outcome: 'deferred' }) // it would leave
    expect(await app.send(slow, 'i', Add({ n: 6 }))).toMatchObject({ outcome: 'deferred' }) // behind it
    hands.at(0).answer({})
    await clock.settle()
    expect(await stateOf(app, slow, 'i')).toMatchObject({ state: 'd', data: { seen: [5, 1, 6] } })
  })

  test('what waits is applied in the order in which it came', async () => {
    const { slow, app } = await scene()
    for (const n of [4, 2, 9]) await app.send(slow, 'i', Late({ id: 'i', n }))
    await app.send(slow, 'i', Add({ n: 1 }))
    await app.send(slow, 'i', Go({}))
    expect((await stateOf(app, slow, 'i')).data.seen).toEqual([1, 4, 2, 9])
  })
})

const counter = machine('counter', {
  data: z.object({ n: z.number().default(0) }),
  receives: [Add, Late, Placed],
  start: { placed: ({ n }) => ({ n }) },
  initial: 'a',
  states: {
    a: {
      on: {
        add: [
          { if: ({ message }) => message.n === 0, to: 'end' },
          {
            if: ({ message }) => message.n > 0,
            set: ({ data: d, message }) => {
              if (message.n === 13) throw new Error('thirteen')
              return { n: d.n + message.n }
            },
          },
        ],
        placed: {},
      },
      after: { '20 days': 'b' },
    },
    b: { on: { late: 'end' }, after: { '100 days': 'end' } },
    end: { final: 'done' },
  },
})
const other = machine('other', {
  data: z.object({}),
  receives: [Add],
  initial: 'a',
  states: { a: { on: { add: 'end' } }, end: { final: 'done' } },
})

onBothStores('what comes twice', (make) => {
  const services = [service('s', { machines: [counter, other] })]
  async function scene(options = {}) {
    const world = make(options)
    const app = await world.start(services)
    await app.run(counter, { id: 'i', data: {} })
    return { world, app, clock: world.clock }
  }

  describe('the same id and payload: a duplicate, which tells what became of the first (F45)', () => {
    test.each([
      ['applied', Add({ n: 2 })],
      ['refused', Add({ n: -1 })],
      ['ignored', Placed({ id: 'i' })],
      ['deferred', Late({ id: 'i' })],
    ] as const)('%s', async (became, message) => {
      const { app } = await scene()
      const first = await app.send(counter, 'i', message, { id: 'own' })
      expect(first.outcome).toBe(became)
      const before = await messagesOf(app)
      expect(await app.send(counter, 'i', message, { id: 'own' })).toMatchObject({
        outcome: 'duplicate',
        became,
        messageId: 'own',
        state: 'a',
        seq: first.seq,
      })
      expect(await messagesOf(app)).toEqual(before)
    })
    test('dead', async () => {
      const { app } = await scene()
      const send = () => app.send(counter, 'i', Add({ n: 13 }), { id: 'own' })
      await expect(send()).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
      expect(await send()).toMatchObject({ outcome: 'duplicate', became: 'dead' })
      expect(await messagesOf(app)).toEqual({ accepted: 1, dead: 1 })
    })
    test('unclaimed: an event that nobody came for', async () => {
      const { app, clock } = await scene()
      await app.send(counter, 'nobody', Late({ id: 'nobody' }), { id: 'own' })
      await clock.leap(11 * MINUTE)
      expect(await app.send(counter, 'nobody', Late({ id: 'nobody' }), { id: 'own' })).toMatchObject({
        outcome: 'duplicate',
        became: 'unclaimed',
      })
      expect(await messagesOf(app)).toEqual({ accepted: 1, unclaimed: 1 })
    })
    test('at the same time, in one batch (F48)', async () => {
      const { app } = await scene()
      const all = await Promise.all([1, 2, 3].map(() => app.send(counter, 'i', Add({ n: 5 }), { id: 'own' })))
      expect(all.map(({ outcome }) => outcome)).toEqual(['applied', 'duplicate', 'duplicate'])
      expect(await stateOf(app, counter, 'i')).toMatchObject({ data: { n: 5 } })
      expect(await messagesOf(app)).toEqual({ accepted: 1, applied: 1 })
    })
    test('an event of a broker that delivers twice (F45)', async () => {
      const { app } = await scene()
      expect(await app.emit(Placed({ id: 'new', n: 4 }), { id: 'own' })).toMatchObject({
        outcome: 'applied',
        heard: [{ machine: 'counter', id: 'new', outcome: 'applied' }],
      })
      expect(await app.emit(Placed({ id: 'new', n: 4 }), { id: 'own' })).toEqual({
        messageId: 'own',
        outcome: 'duplicate',
        heard: [],
      })
      expect(await messagesOf(app)).toEqual({ accepted: 1, applied: 1 })
      expect(await historyOf(app, counter, 'new')).toHaveLength(1)
    })
    test('in transactions of the caller', async () => {
      const { app, clock } = await scene()
      for (const n of [1, 2, 3])
        await app.transaction((tx) => void (n && tx.send(counter, 'i', Add({ n: 7 }), { id: 'own' })))
      await clock.settle()
      expect(await stateOf(app, counter, 'i')).toMatchObject({ data: { n: 7 } })
      expect(await messagesOf(app)).toEqual({ accepted: 1, applied: 1 })
    })
    test('after a restart, and after a crash', async () => {
      const { app, world } = await scene()
      await app.send(counter, 'i', Add({ n: 7 }), { id: 'own' })
      await world.stop(app)
      const second = await world.start(services)
      expect(await second.send(counter, 'i', Add({ n: 7 }), { id: 'own' })).toMatchObject({ became: 'applied' })
      await world.crash(second)
      const third = await world.startAfterCrash(services)
      expect(await third.send(counter, 'i', Add({ n: 7 }), { id: 'own' })).toMatchObject({ became: 'applied' })
      expect(await stateOf(third, counter, 'i')).toMatchObject({ data: { n: 7 } })
    })
  })

  test('the same id with another payload, or another type: MESSAGE_ID_REUSED, and nothing has happened (F77)', async () => {
    const { app } = await scene()
    await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })
    const reused = { code: 'MESSAGE_ID_REUSED', messageId: 'own' }
    await expect(app.send(counter, 'i', Add({ n: 3 }), { id: 'own' })).rejects.toMatchObject(reused)
    await expect(app.send(counter, 'i', Late({ id: 'i' }), { id: 'own' })).rejects.toMatchObject(reused)
    await expect(app.send(counter, 'i', Add({ n: 3 }), { id: 'own', until: 'stored' })).rejects.toMatchObject(reused)
    await app.emit(Placed({ id: 'new' }), { id: 'own' })
    await expect(app.emit(Placed({ id: 'new', n: 2 }), { id: 'own' })).rejects.toMatchObject(reused)
    expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 2 })
    expect(await stateOf(app, counter, 'i')).toMatchObject({ data: { n: 2 } })
  })

  test('one id to other targets is another message (F77)', async () => {
    const { app } = await scene()
    await app.run(counter, { id: 'j', data: {} })
    await app.run(other, { id: 'i', data: {} })
    for (const [to, id] of [
      [counter, 'i'],
      [counter, 'j'],
      [other, 'i'],
    ] as const)
      expect(await app.send(to as typeof counter, id, Add({ n: 2 }), { id: 'own' })).toMatchObject({
        outcome: 'applied',
      })
    expect(await app.emit(Placed({ id: 'i' }), { id: 'own' })).toMatchObject({ outcome: 'applied' })
    expect(await app.emit(Placed({ id: 'j' }), { id: 'own' })).toMatchObject({ outcome: 'applied' })
  })

  test('receipts go after their time; then the same id is a new message (F47)', async () => {
    const { app, clock } = await scene({ retention: { receiptsMs: 2 * DAY } })
    await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })
    await clock.leap(47 * HOUR)
    expect(await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })).toMatchObject({ outcome: 'duplicate' })
    // Buckets of an eighth are dropped whole.
    await clock.leap(8 * HOUR)
    expect(await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })).toMatchObject({ outcome: 'applied' })
    expect(await stateOf(app, counter, 'i')).toMatchObject({ data: { n: 4 } })
  })

  test('receipts that are kept for minutes go within minutes', async () => {
    const { app, clock } = await scene({ retention: { receiptsMs: 5 * MINUTE } })
    await clock.advance(10 * SECOND)
    await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })
    await clock.advance(5 * MINUTE - SECOND)
    expect(await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })).toMatchObject({ outcome: 'duplicate' })
    await clock.advance(MINUTE)
    expect(await app.send(counter, 'i', Add({ n: 2 }), { id: 'own' })).toMatchObject({ outcome: 'applied' })
  })

  test('redrive goes past the receipt; the id stays known after it', async () => {
    const { app } = await scene()
    await expect(app.send(counter, 'i', Add({ n: 13 }), { id: 'own' })).rejects.toMatchObject({
      code: 'HANDLER_FAILED',
    })
    const [letter] = (await app.operate.deadLetters.list()).items
    expect(
      await app.operate.deadLetters.redrive(letter?.id ?? '', { data: { n: 4 }, why: 'a typing error', by: 'ann' }),
    ).toMatchObject({ outcome: 'applied', messageId: 'own' })
    expect(await app.send(counter, 'i', Add({ n: 13 }), { id: 'own' })).toMatchObject({
      outcome: 'duplicate',
      became: 'applied',
    })
    expect(await messagesOf(app)).toEqual({ accepted: 1, applied: 1 })
    expect(await stateOf(app, counter, 'i')).toMatchObject({ data: { n: 4 } })
  })

  describe('`run`', () => {
    test('the same id and data: the same instance, by what the schema makes of the data', async () => {
      const { app } = await scene()
      const first = await app.run(counter, { id: 'r', data: {} })
      const again = await app.run(counter, { id: 'r', data: { n: 0 } })
      expect([first.created, again.created, again.id]).toEqual([true, false, 'r'])
      expect(await historyOf(app, counter, 'r')).toHaveLength(1)
    })
    test('other data: ALREADY_STARTED_WITH_OTHER_INPUT', async () => {
      const { app } = await scene()
      await app.run(counter, { id: 'r', data: {} })
      await app.send(counter, 'r', Add({ n: 4 }))
      await expect(app.run(counter, { id: 'r', data: { n: 4 } })).rejects.toMatchObject({
        code: 'ALREADY_STARTED_WITH_OTHER_INPUT',
      })
      expect((await app.run(counter, { id: 'r', data: { n: 0 } })).created).toBe(false)
    })
    test('at the same time: one creates it', async () => {
      const { app } = await scene()
      const all = await Promise.all([1, 2, 3].map(() => app.run(counter, { id: 'r', data: { n: 1 } })))
      expect(all.map(({ created }) => created)).toEqual([true, false, false])
      expect(await instancesOf(app, counter)).toMatchObject({ started: 2 })
    })
    test('one that has ended is known as long as receipts', async () => {
      const { app, clock } = await scene({ retention: { receiptsMs: 7 * DAY, endedMs: 7 * DAY } })
      await app.send(counter, 'i', Add({ n: 0 }))
      await clock.leap(6 * DAY)
      expect((await app.run(counter, { id: 'i', data: {} })).created).toBe(false)
      await clock.leap(2 * DAY)
      expect((await app.run(counter, { id: 'i', data: {} })).created).toBe(true)
      expect(await instancesOf(app, counter)).toMatchObject({ started: 2, waiting: 1, done: 0, removed: 1 })
    })
    test('without an id it gets a UUIDv7', async () => {
      const { app } = await scene()
      const { id, created } = await app.run(counter, { data: {} })
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
      expect(created).toBe(true)
      expect(await stateOf(app, counter, id)).toMatchObject({ state: 'a' })
    })
  })

  test('what its sender is told as an error was never accepted', async () => {
    const { app } = await scene()
    const codes: unknown[] = []
    for (const send of [
      () => app.send(counter, 'nobody', Add({ n: 1 })),
      () => app.send(counter, '', Add({ n: 1 })),
      () => app.send(counter, 'i', Add({ n: 1 }), { id: 'a\nb' }),
      () => app.send(other as never, 'i', Late({ id: 'i' })),
      () => app.send(counter, 'i', 'hello' as never),
      () => app.send(counter, 'i', { type: 'add', data: { n: 1n } } as never),
      () => app.emit(Add({ n: 1 })),
      () => app.emit({ type: 'never.heard.of', data: {} }),
      () => app.emit({ type: 'placed', data: {} }),
      () => app.send(counter, 'i', Add({ n: 1 }), { sql: {} as never }),
    ])
      codes.push(
        await send().then(
          (receipt) => receipt,
          (error: { code: string }) => error.code,
        ),
      )
    expect(codes).toEqual([
      'UNKNOWN_INSTANCE',
      'BAD_ID',
      'BAD_ID',
      'UNKNOWN_MESSAGE',
      'BAD_MESSAGE',
      'NOT_JSON',
      'BAD_MESSAGE',
      'UNKNOWN_MESSAGE',
      'BAD_DATA',
      'NOT_YET',
    ])
    expect(await messagesOf(app)).toEqual({})
    expect(await deadOf(app)).toEqual([])
  })
})
