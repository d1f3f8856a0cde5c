// Who hears an event, in which order, and how far a chain of messages goes.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { MINUTE, SECOND } from '../support/hand-clock.ts'
import {
  deadOf,
  Hands,
  historyOf,
  instancesOf,
  lastRow,
  messagesOf,
  onBothStores,
  stateOf,
  type World,
} from '../support/world.ts'

const Paid = event('paid', {
  data: z.object({ id: z.string(), orders: z.array(z.string()).default([]), n: z.number().default(0) }),
  key: (d) => d.id,
})
const seen = z.object({ seen: z.array(z.number()).default([]) })

/** Hears by the event's key. */
const account = machine('account', {
  data: seen,
  receives: [Paid],
  initial: 'a',
  states: {
    a: {
      on: { paid: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) } },
      after: { '900 days': 'end' },
    },
    end: { final: 'done' },
  },
})
/** Hears by what `correlate` says: the orders; none where there are 99; it throws where there is an order "bad". */
const order = machine('order', {
  data: seen,
  receives: [Paid],
  correlate: {
    paid: ({ n, orders }) => {
      if (orders.includes('throws')) throw new Error('no orders')
      if (n === 99) return null
      return orders.length === 1 ? orders[0]! : orders
    },
  },
  initial: 'a',
  states: {
    a: {
      on: { paid: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) } },
      after: { '900 days': 'end' },
    },
    end: { final: 'done' },
  },
})
const Ping = command('ping', { data: z.object({}) })
const Nobody = event('nobody', { data: z.object({ id: z.string() }), key: (d) => d.id })
const Tick = event('tick', { data: z.object({ id: z.string(), n: z.number() }), key: (d) => d.id })
const Burst = command('burst', { data: z.object({ from: z.number(), count: z.number() }) })
const bell = machine('bell', {
  data: z.object({}),
  receives: [Ping, Burst],
  emits: [Nobody, Tick, Paid],
  initial: 'a',
  states: {
    a: {
      on: {
        ping: {
          emit: { nobody: ({ id }) => ({ id }), paid: ({ id }) => ({ id: 'acc', orders: ['o1', 'o2'], n: id.length }) },
        },
        burst: {
          emit: {
            tick: ({ message }) =>
              Array.from({ length: message.count }, (_, i) => ({ id: 'ear', n: message.from + i })),
          },
        },
      },
      after: { '900 days': 'end' },
    },
    end: { final: 'done' },
  },
})
const ear = machine('ear', {
  data: seen,
  receives: [Tick],
  initial: 'a',
  states: {
    a: {
      on: { tick: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) } },
      after: { '900 days': 'end' },
    },
    end: { final: 'done' },
  },
})
const Pass = command('pass', { data: z.object({ id: z.string(), left: z.number() }), to: 'runner', key: (d) => d.id })
/** Passes what is left to the next of ten, by a command. */
const runner = machine('runner', {
  data: z.object({ had: z.number().default(0) }),
  receives: [Pass],
  emits: [Pass],
  initial: 'a',
  states: {
    a: {
      on: {
        pass: {
          set: ({ data }) => ({ had: data.had + 1 }),
          emit: {
            pass: ({ id, message }) =>
              message.left === 0 ? null : { id: `r${(Number(id.slice(1)) + 1) % 10}`, left: message.left - 1 },
          },
        },
      },
      after: { '900 days': 'end' },
    },
    end: { final: 'done' },
  },
})
const services = [service('s', { machines: [account, order, bell, ear, runner] })]
const tunings = [
  ['as it ships', {}],
  ['everything by the inbox', { allRemote: true }],
  ['batches of one', { batchItems: 1 }],
  ['no cache', { cacheBytes: 0 }],
  ['all of that', { allRemote: true, batchItems: 1, cacheBytes: 0 }],
] as const

onBothStores('events', (make, kind) => {
  async function scene(tuning = {}): Promise<{ world: World; app: App }> {
    const world = make({ tuning })
    const app = await world.start(services)
    await app.run(account, { id: 'acc', data: {} })
    for (const id of ['o1', 'o2']) await app.run(order, { id, data: {} })
    return { world, app }
  }
  const seenBy = async (app: App, of: typeof order | typeof account | typeof ear, id: string) =>
    (await stateOf(app, of as typeof order, id)).data.seen

  describe('who hears it', () => {
    test.each([
      ['by its key alone', { id: 'acc', n: 99 }, ['account/acc']],
      ['one by `correlate`', { id: 'acc', orders: ['o1'] }, ['account/acc', 'order/o1']],
      ['several by `correlate`', { id: 'acc', orders: ['o2', 'o1'] }, ['account/acc', 'order/o1', 'order/o2']],
      ['each once, though it is named twice', { id: 'acc', orders: ['o1', 'o1'] }, ['account/acc', 'order/o1']],
    ] as const)('%s', async (_, data, heard) => {
      const { app } = await scene()
      const emission = await app.emit(Paid({ ...data, orders: [...('orders' in data ? data.orders : [])] }))
      expect(emission.outcome).toBe('applied')
      expect(emission.heard.map(({ machine: of, id }) => `${of}/${id}`).sort()).toEqual(heard)
      expect(emission.heard.every(({ outcome }) => outcome === 'applied')).toBe(true)
      expect(await messagesOf(app)).toEqual({ accepted: heard.length, applied: heard.length })
    })
    test('nobody: unclaimed', async () => {
      const { app } = await scene()
      expect(await app.emit(Nobody({ id: 'x' }))).toMatchObject({ outcome: 'applied', heard: [] })
      expect(await messagesOf(app)).toEqual({ accepted: 1, unclaimed: 1 })
    })
    test('of one that a machine emits, in the same commit', async () => {
      const { app } = await scene()
      await app.run(bell, { id: 'b', data: {} })
      expect(await app.send(bell, 'b', Ping({}))).toMatchObject({
        emitted: [{ type: 'nobody' }, { type: 'paid', data: { id: 'acc', orders: ['o1', 'o2'], n: 1 } }],
      })
      expect(
        await Promise.all([seenBy(app, account, 'acc'), seenBy(app, order, 'o1'), seenBy(app, order, 'o2')]),
      ).toEqual([[1], [1], [1]])
      expect(await messagesOf(app)).toEqual({ accepted: 5, applied: 4, unclaimed: 1 })
    })
    test('also over calls and other machines', async () => {
      const hands = new Hands()
      const work = activity('work', { input: z.object({}), output: z.object({}), run: hands.run })
      const Next = event('next', { data: z.object({ id: z.string() }), key: (d) => d.id })
      const first = machine('first', {
        data: z.object({}),
        emits: [Next],
        initial: 'working',
        states: {
          working: { call: work, input: () => ({}), done: { to: 'end', emit: { next: ({ id }) => ({ id }) } } },
          end: { final: 'done' },
        },
      })
      const second = machine('second', {
        data: z.object({}),
        receives: [Next],
        emits: [Tick],
        start: { next: () => ({}) },
        initial: 'working',
        states: {
          working: { call: work, input: () => ({}), done: { to: 'end', emit: { tick: ({ id }) => ({ id, n: 1 }) } } },
          end: { final: 'done' },
        },
      })
      const world = make()
      const app = await world.start([service('s', { machines: [first, second, ear] })])
      await app.run(ear, { id: 'i', data: {} })
      await app.run(first, { id: 'i', data: {} })
      for (const n of [0, 1]) {
        await world.clock.settle()
        hands.at(n).answer({})
      }
      await world.clock.settle()
      const told = (await historyOf(app, first, 'i'))[0]?.cause.correlation
      const rows = [...(await historyOf(app, first, 'i')), ...(await historyOf(app, second, 'i'))]
      rows.push(await lastRow(app, ear, 'i'))
      expect(rows.map(({ cause }) => cause.kind)).toEqual(['start', 'result', 'start', 'result', 'message'])
      expect(rows.map(({ cause }) => cause.correlation)).toEqual(rows.map(() => told))
      expect(told).toMatch(/./)
    })
    test('a cause, and what follows from it, have one correlation', async () => {
      const { app } = await scene()
      await app.run(bell, { id: 'b', data: {} })
      await app.send(bell, 'b', Ping({}), { id: 'first', by: 'ann' })
      const [cause, effect] = [(await historyOf(app, bell, 'b')).at(-1), (await historyOf(app, order, 'o1')).at(-1)]
      expect(cause?.cause).toMatchObject({ id: 'first', by: 'ann', correlation: 'first' })
      expect(effect?.cause.correlation).toBe('first')
      expect(effect?.cause.id).not.toBe('first')
    })
  })

  describe('`correlate` that is wrong is that machine’s dead letter; all others hear it (I10)', () => {
    test('it throws', async () => {
      const { app } = await scene()
      await expect(app.emit(Paid({ id: 'acc', orders: ['throws'], n: 3 }), { id: 'own' })).rejects.toMatchObject({
        code: 'HANDLER_FAILED',
        messageId: 'own',
      })
      expect(await seenBy(app, account, 'acc')).toEqual([3])
      expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, dead: 1 })
      expect(await deadOf(app)).toMatchObject([{ code: 'HANDLER_FAILED', machine: 'order', type: 'paid' }])
      const [letter] = (await app.operate.deadLetters.list()).items
      expect(letter?.error.message).toContain('no orders')
      await expect(app.operate.deadLetters.redrive(letter?.id ?? '', { why: 'x' })).rejects.toMatchObject({
        code: 'HANDLER_FAILED',
        message: expect.stringContaining('no orders') as string,
      })
      expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, dead: 1 })
      await app.operate.deadLetters.discard(letter?.id ?? '', { why: 'x' })
      expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, discarded: 1 })
    })
    describe('redriven: that machine is asked again, and what it names gets the event', () => {
      async function letterOf(orders: string[]) {
        const { world, app } = await scene()
        for (const id of ['o1', 'o2']) await app.run(order, { id, data: {} })
        await expect(app.emit(Paid({ id: 'acc', orders, n: 3 }))).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
        const [letter] = (await app.operate.deadLetters.list()).items
        const redrive = (data?: unknown) =>
          app.operate.deadLetters.redrive(letter!.id, { why: 'mended', ...(data !== undefined && { data }) })
        return { world, app, redrive }
      }
      const seenByAll = (app: App) =>
        Promise.all([seenBy(app, account, 'acc'), seenBy(app, order, 'o1'), seenBy(app, order, 'o2')])

      test('one: what became of it there; no other machine hears it again', async () => {
        const { app, redrive } = await letterOf(['throws'])
        expect(await redrive({ id: 'acc', orders: ['o1'], n: 4 })).toMatchObject({ outcome: 'applied', seq: 2 })
        expect(await seenByAll(app)).toEqual([[3], [4], []])
        expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 2 })
        expect((await lastRow(app, order, 'o1')).why).toBe('mended')
        await expect(redrive()).rejects.toMatchObject({ code: 'UNKNOWN_DEAD_LETTER' })
      })
      test('several', async () => {
        const { world, app, redrive } = await letterOf(['throws'])
        expect(await redrive({ id: 'acc', orders: ['o1', 'o2'], n: 4 })).toMatchObject({ outcome: 'stored' })
        await world.clock.settle()
        expect(await seenByAll(app)).toEqual([[3], [4], [4]])
        expect(await messagesOf(app)).toEqual({ accepted: 3, applied: 3 })
      })
      test('none: unclaimed', async () => {
        const { app, redrive } = await letterOf(['throws'])
        expect(await redrive({ id: 'acc', n: 99 })).toMatchObject({ outcome: 'stored' })
        expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, unclaimed: 1 })
      })
      test('whom it had named beside what is no id does not hear it twice', async () => {
        const { world, app, redrive } = await letterOf(['o1', ''])
        expect(await seenByAll(app)).toEqual([[3], [3], []])
        await redrive({ id: 'acc', orders: ['o1', 'o2'], n: 3 })
        await world.clock.settle()
        expect(await seenByAll(app)).toEqual([[3], [3], [3]])
        expect(await messagesOf(app)).toEqual({ accepted: 3, applied: 3 })
      })
      test('a payload that does not fit: told, and the letter stays', async () => {
        const { app, redrive } = await letterOf(['throws'])
        await expect(redrive({ id: 7 })).rejects.toMatchObject({ code: 'BAD_DATA' })
        expect(await messagesOf(app)).toMatchObject({ dead: 1 })
      })
      test('two operators at once: one of them is told that it is gone', async () => {
        const { app, redrive } = await letterOf(['throws'])
        const data = { id: 'acc', orders: ['o1'], n: 4 }
        const told = await Promise.allSettled([redrive(data), redrive(data)])
        expect(told.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
        expect(await seenByAll(app)).toEqual([[3], [4], []])
      })
    })
    test.each([
      ['an empty id', ''],
      ['a control character', 'a\nb'],
      ['too long', 'x'.repeat(256)],
    ])('it gives what is no id: %s', async (_, bad) => {
      const { app } = await scene()
      await app.emit(Paid({ id: 'acc', orders: [bad, 'o1'], n: 3 })).catch(() => 0)
      expect(await Promise.all([seenBy(app, account, 'acc'), seenBy(app, order, 'o1')])).toEqual([[3], [3]])
      expect(await messagesOf(app)).toEqual({ accepted: 3, applied: 2, dead: 1 })
      expect(await deadOf(app)).toMatchObject([{ code: 'HANDLER_FAILED', machine: 'order' }])
    })
    test('the two writings of one id are one instance', async () => {
      const { app } = await scene()
      await app.run(order, { id: 'caf\u00e9', data: {} })
      await app.emit(Paid({ id: 'acc', orders: ['cafe\u0301'], n: 3 }))
      expect(await seenBy(app, order, 'caf\u00e9')).toEqual([3])
    })
  })

  describe('it waits for its instance', () => {
    test('until that is there; for each machine on its own', async () => {
      const { world, app } = await scene()
      const emission = await app.emit(Paid({ id: 'acc', orders: ['o1', 'later'], n: 3 }))
      expect(emission.heard.map(({ machine: of, id }) => `${of}/${id}`).sort()).toEqual(['account/acc', 'order/o1'])
      expect(await messagesOf(app)).toEqual({ accepted: 3, applied: 2, waiting: 1 })
      await world.clock.leap(59 * MINUTE)
      await app.run(order, { id: 'later', data: {} })
      expect(await seenBy(app, order, 'later')).toEqual([3])
      expect((await historyOf(app, order, 'later')).map(({ cause }) => cause.kind)).toEqual(['start', 'message'])
      expect(await messagesOf(app)).toEqual({ accepted: 3, applied: 3 })
    })
    test('until its `keep` is over: unclaimed', async () => {
      const { world, app } = await scene()
      await app.emit(Paid({ id: 'acc', orders: ['later'], n: 3 }))
      await world.clock.leap(59 * MINUTE)
      expect(await messagesOf(app)).toMatchObject({ waiting: 1 })
      await world.clock.leap(2 * MINUTE)
      expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 1, unclaimed: 1 })
      await app.run(order, { id: 'later', data: {} })
      expect(await seenBy(app, order, 'later')).toEqual([])
    })
    test('several, in the order in which they came', async () => {
      const { world, app } = await scene()
      for (const n of [5, 3, 8]) await app.emit(Paid({ id: 'acc', orders: ['later'], n }))
      await world.stop(app)
      const next = await world.start(services)
      await next.run(order, { id: 'later', data: {} })
      expect(await seenBy(next, order, 'later')).toEqual([5, 3, 8])
    })
  })

  describe('`until` and `within`', () => {
    test('until stored: nobody has looked at it yet, and it is safe', async () => {
      const { world, app } = await scene()
      expect(await app.emit(Paid({ id: 'acc', n: 3 }), { until: 'stored' })).toMatchObject({
        outcome: 'stored',
        heard: [],
      })
      await world.crash(app)
      const next = await world.startAfterCrash(services)
      await world.clock.advance(SECOND)
      expect(await seenBy(next, account, 'acc')).toEqual([3])
    })
    test.each(['applied', 'stored'] as const)(
      'until %s, within: what is in memory alone when the time is over is not said to be stored',
      async (until) => {
        const { world, app } = await scene()
        world.faults.commit = () => Promise.resolve({ kind: 'full', error: new Error('injected') })
        const emission = expect(
          app.emit(Paid({ id: 'acc', n: 3 }), { within: '2 seconds', id: 'own', until }),
        ).rejects.toMatchObject({ code: 'WITHIN_ELAPSED', messageId: 'own' })
        await world.clock.advance(3 * SECOND)
        await emission
      },
    )
    test('within: `stored` when the time is over and it is in the log, though not all have looked at it', async () => {
      const { world, app } = await scene({ allRemote: true })
      let commits = 0
      world.faults.commit = (through, ...call) =>
        (commits += 1) === 1 ? through(...call) : Promise.resolve({ kind: 'full', error: new Error('injected') })
      const emission = app.emit(Paid({ id: 'acc', n: 3 }), { within: '2 seconds' })
      await world.clock.advance(3 * SECOND)
      expect(await emission).toMatchObject({ outcome: 'stored', heard: [] })
    })
    test('a `within` that is no duration: nothing has gone', async () => {
      const { world, app } = await scene()
      for (const until of ['applied', 'stored'] as const) {
        const o = { within: 'soon' as never, until }
        await expect(app.emit(Paid({ id: 'acc', n: 3 }), o)).rejects.toMatchObject({ code: 'BAD_DURATION' })
      }
      await world.clock.advance(SECOND)
      expect(await messagesOf(app)).toEqual({})
    })
  })

  describe.each(tunings)('order and length of chains: %s', (_, tuning) => {
    test('order per emitting instance (I7), and the log is dense', async () => {
      const { world, app } = await scene(tuning)
      await app.run(ear, { id: 'ear', data: {} })
      await app.run(bell, { id: 'b', data: {} })
      await Promise.all([0, 1, 2, 3, 4].map((n) => app.send(bell, 'b', Burst({ from: n * 7, count: 7 }))))
      await world.clock.advance(SECOND)
      expect(await seenBy(app, ear, 'ear')).toEqual(Array.from({ length: 35 }, (_, n) => n))
      const { store, parts } = world.engine(app)
      const partition = parts.router.partitionOf('b')
      const ticks = (await store.events(partition, 0, 100)).filter(({ type }) => type === 'tick')
      expect(ticks.map(({ data }) => (data as { n: number }).n)).toEqual(Array.from({ length: 35 }, (_, n) => n))
      expect(ticks.map(({ offset }) => offset)).toEqual(Array.from({ length: 35 }, (_, n) => n + 1))
      const stamps = ticks.map(({ stamp }) => stamp)
      expect(stamps).toEqual([...new Set(stamps)].sort((a, b) => a - b))
    })
    test('more than 100 hops: each once, in memory or by the inbox', async () => {
      const { world, app } = await scene(tuning)
      for (let n = 0; n < 10; n++) await app.run(runner, { id: `r${n}`, data: {} })
      await app.send(runner, 'r0', Pass({ id: 'r0', left: 359 }))
      await world.clock.advance(SECOND)
      const had = (await app.list(runner)).items.map(({ data }) => data.had)
      expect(had).toEqual(Array.from({ length: 10 }, () => 36))
      expect(await messagesOf(app)).toEqual({ accepted: 360, applied: 360 })
      expect(await instancesOf(app, runner)).toMatchObject({ started: 10, waiting: 10 })
    })
  })

  test('a chain goes on after a crash in the middle of it, and nothing is doubled (F02)', async () => {
    const { world, app } = await scene({ allRemote: true, batchItems: 1 })
    for (let n = 0; n < 10; n++) await app.run(runner, { id: `r${n}`, data: {} })
    let commits = 0
    let current = app
    world.faults.commit = async (through, ...call) => {
      commits += 1
      if (commits % 7 !== 0) return through(...call)
      // Every seventh commit is the last one of its worker: applied or not.
      const result = commits % 2 === 0 ? await through(...call) : undefined
      void world.crash(current)
      return result ?? new Promise<never>(() => undefined)
    }
    void app.send(runner, 'r0', Pass({ id: 'r0', left: 49 })).catch(() => 0)
    for (let life = 0; life < 30; life++) {
      await world.clock.advance(SECOND)
      if ((await world.apps[0]!.health()).ready && !world.isDead(current)) continue
      current = await world.startAfterCrash(services)
    }
    delete world.faults.commit
    await world.clock.advance(SECOND)
    const had = (await current.list(runner)).items.map(({ data }) => data.had)
    expect(had).toEqual(Array.from({ length: 10 }, () => 5))
    expect(commits).toBeGreaterThan(7)
  })

  if (kind === 'memory')
    test('two workers share a store: chains and events go over both, each once', async () => {
      const { world, app } = await scene()
      const other = await world.start(services)
      // They share as leases are renewed.
      await world.clock.advance(30 * SECOND)
      const workers = await app.workers()
      expect(workers.map(({ partitions }) => partitions)).toEqual([32, 32])
      for (let n = 0; n < 10; n++) {
        const started = (n % 2 === 0 ? app : other).run(runner, { id: `r${n}`, data: {} })
        await world.clock.advance(SECOND)
        expect((await started).created).toBe(true)
      }
      const sent = other.send(runner, 'r0', Pass({ id: 'r0', left: 99 }), { id: 'own' })
      const emitted = app.emit(Paid({ id: 'acc', orders: ['o1', 'o2'], n: 4 }))
      await world.clock.advance(30 * SECOND)
      expect(await sent).toMatchObject({ outcome: 'applied' })
      expect((await emitted).outcome).toBe('applied')
      expect((await app.list(runner)).items.map(({ data }) => data.had)).toEqual(Array.from({ length: 10 }, () => 10))
      expect(await Promise.all([seenBy(app, order, 'o1'), seenBy(other, order, 'o2')])).toEqual([[4], [4]])
      expect(await messagesOf(app)).toEqual({ accepted: 103, applied: 103 })
      const again = app.send(runner, 'r0', Pass({ id: 'r0', left: 99 }), { id: 'own' })
      await world.clock.advance(SECOND)
      expect(await again).toMatchObject({ outcome: 'duplicate', became: 'applied' })
    })
})
