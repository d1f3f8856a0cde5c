// Attempts beside each other: keys of the user's own, bodies that do not settle, turns at a limit, instances that stall.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, machine, service } from '../../src/index.ts'
import { SECOND } from '../support/hand-clock.ts'
import { Hands, onBothStores, stateOf } from '../support/world.ts'

const output = z.object({ n: z.number() })

onBothStores('attempts', (make, kind) => {
  describe('a `key` of the user’s own', () => {
    /** Asks until the answer is large enough, each time with the same key. */
    function pollerOf(hands: Hands, key: string | undefined, retry: { attempts?: number } = {}) {
      const probe = activity('probe', {
        input: z.object({}),
        output,
        retry: { first: '100 ms', ...retry },
        run: hands.run,
      })
      return machine('poller', {
        data: z.object({ n: z.number().default(0) }),
        initial: 'asking',
        states: {
          asking: {
            call: probe,
            key: ({ id }) => key ?? id,
            input: () => ({}),
            done: [
              { if: ({ result }) => result.n < 3, to: 'asking', set: ({ result }) => ({ n: result.n }) },
              { to: 'end', set: ({ result }) => ({ n: result.n }) },
            ],
          },
          end: { final: 'done' },
        },
      })
    }
    test('may be that of the entry before: a state that is entered again calls again', async () => {
      const hands = new Hands()
      const poller = pollerOf(hands, undefined)
      const world = make()
      const app = await world.start([service('s', { machines: [poller] })])
      await app.run(poller, { id: 'i', data: {} })
      await world.clock.settle()
      for (const n of [1, 2, 3]) {
        expect(hands.calls).toHaveLength(n)
        hands.at(-1).answer({ n })
        await world.clock.settle()
      }
      expect(new Set(hands.calls.map(({ key }) => key)).size).toBe(1)
      expect(await stateOf(app, poller, 'i')).toMatchObject({ status: 'done', data: { n: 3 } })
    })
    test('may be that of the entry before, which is not what an earlier attempt answers late', async () => {
      const hands = new Hands()
      const poller = pollerOf(hands, undefined)
      const world = make()
      const app = await world.start([service('s', { machines: [poller] })])
      await app.run(poller, { id: 'i', data: {} })
      await world.clock.advance(32 * SECOND)
      expect(hands.calls).toHaveLength(2)
      hands.at(1).answer({ n: 1 })
      await world.clock.settle()
      hands.at(0).answer({ n: 9 })
      await world.clock.advance(10 * SECOND)
      expect(await stateOf(app, poller, 'i')).toMatchObject({ state: 'asking', data: { n: 1 } })
      expect(hands.calls).toHaveLength(3)
      hands.at(2).answer({ n: 4 })
      await world.clock.settle()
      expect(await stateOf(app, poller, 'i')).toMatchObject({ status: 'done', data: { n: 4 } })
    })
    test('may be that of another instance: each has its own attempts', async () => {
      const hands = new Hands()
      const poller = pollerOf(hands, 'all')
      const world = make()
      const app = await world.start([service('s', { machines: [poller] })])
      for (const id of ['i', 'j']) await app.run(poller, { id, data: {} })
      await world.clock.settle()
      expect(hands.calls).toHaveLength(2)
      hands.at(0).answer({ n: 5 })
      await world.clock.settle()
      expect(hands.at(1).signal.aborted).toBe(false)
      hands.at(1).throw(new Error('no answer'))
      await world.clock.advance(SECOND)
      expect(hands.calls).toHaveLength(3)
      hands.at(2).answer({ n: 6 })
      await world.clock.settle()
      expect((await stateOf(app, poller, 'i')).data).toEqual({ n: 5 })
      expect((await stateOf(app, poller, 'j')).data).toEqual({ n: 6 })
    })
  })

  describe('an instance that stalls while its call runs', () => {
    const Note = command('note', { data: z.object({}) })
    function noterOf(hands: Hands) {
      const work = activity('work', { input: z.object({}), output, retry: { first: '100 ms' }, run: hands.run })
      return machine('noter', {
        data: z.object({ n: z.number().default(0), who: z.string().optional() }),
        receives: [Note],
        initial: 'calling',
        states: {
          calling: {
            call: work,
            input: () => ({}),
            done: { to: 'end', set: ({ result }) => ({ n: result.n }) },
            on: { note: { set: ({ need }) => ({ who: `${need('who')}!` }) } },
          },
          end: { final: 'done' },
        },
      })
    }
    async function stalled() {
      const hands = new Hands()
      const noter = noterOf(hands)
      const world = make()
      const app = await world.start([service('s', { machines: [noter] })])
      await app.run(noter, { id: 'i', data: {} })
      await world.clock.settle()
      const said = app.send(noter, 'i', Note({}))
      await world.clock.settle()
      await said
      const correct = () =>
        app.operate.move(noter, 'i', { to: 'calling', data: { who: 'ann' }, by: 'ann', why: 'asked her' })
      return { hands, noter, world, app, clock: world.clock, correct }
    }
    test('the attempt goes on, and its success counts when the instance does', async () => {
      const { hands, noter, app, clock, correct } = await stalled()
      expect((await stateOf(app, noter, 'i')).stalled?.code).toBe('FIELD_MISSING')
      expect(hands.at(0).signal.aborted).toBe(false)
      hands.at(0).answer({ n: 7 })
      await clock.settle()
      expect(await stateOf(app, noter, 'i')).toMatchObject({ status: 'stalled', state: 'calling' })
      await correct()
      await clock.settle()
      expect(await stateOf(app, noter, 'i')).toMatchObject({ status: 'done', data: { n: 7 } })
      expect(hands.calls).toHaveLength(1)
    })
    test('it goes on running when the instance goes on', async () => {
      const { hands, noter, app, clock, correct } = await stalled()
      await correct()
      await clock.settle()
      expect(await stateOf(app, noter, 'i')).toMatchObject({ status: 'running', data: { who: 'ann!' } })
      expect([hands.calls.length, hands.at(0).signal.aborted]).toEqual([1, false])
    })
    test('a failure is noted, and no other attempt starts before the instance goes on', async () => {
      const { hands, noter, app, clock, correct } = await stalled()
      hands.at(0).throw(new Error('no answer'))
      await clock.advance(10 * SECOND)
      expect(hands.calls).toHaveLength(1)
      await correct()
      await clock.advance(SECOND)
      expect(hands.calls.map(({ attempt }) => attempt)).toEqual([1, 2])
      hands.at(1).answer({ n: 8 })
      await clock.settle()
      expect(await stateOf(app, noter, 'i')).toMatchObject({ status: 'done', data: { n: 8 } })
    })
    test('a retry that waited for its time waits for the operator', async () => {
      const hands = new Hands()
      const noter = noterOf(hands)
      const world = make()
      const app = await world.start([service('s', { machines: [noter] })])
      await app.run(noter, { id: 'i', data: {} })
      await world.clock.settle()
      hands.at(0).throw(new Error('no answer'))
      await world.clock.settle()
      const said = app.send(noter, 'i', Note({}))
      await world.clock.settle()
      await said
      await world.clock.advance(10 * SECOND)
      expect((await stateOf(app, noter, 'i')).status).toBe('stalled')
      expect(hands.calls).toHaveLength(1)
      await app.operate.move(noter, 'i', { to: 'calling', data: { who: 'ann' }, by: 'ann', why: 'asked her' })
      await world.clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
    })
  })

  describe('turns at a limit', () => {
    const jobOf = (name: string, priority: number, work: ReturnType<typeof workOf>) =>
      machine(name, {
        data: z.object({ tenant: z.string() }),
        priority,
        fairBy: ({ data }) => data.tenant,
        initial: 'working',
        states: {
          working: { call: work, input: ({ id }) => ({ id }), done: 'end', fail: 'end' },
          end: { final: 'done' },
        },
      })
    const workOf = (hands: Hands) =>
      activity('work', { input: z.object({ id: z.string() }), output, concurrency: 1, run: hands.run })
    test.runIf(kind === 'memory')('a turn that comes when the lease runs out is not taken', async () => {
      const hands = new Hands()
      const plain = jobOf('plain', 0, workOf(hands))
      const world = make()
      const app = await world.start([service('s', { machines: [plain] })])
      for (const id of ['i', 'j']) await app.run(plain, { id, data: { tenant: 'a' } })
      await world.clock.settle()
      world.faults.renew = () => Promise.reject(new Error('no answer'))
      await world.clock.advance(9 * SECOND)
      hands.at(0).answer({ n: 1 })
      await world.clock.settle()
      expect((await stateOf(app, plain, 'i')).status).toBe('done')
      expect(hands.calls).toHaveLength(1)
      delete world.faults.renew
      await world.clock.advance(5 * SECOND)
      expect(hands.calls).toHaveLength(2)
    })
    test('fairness keys take turns, and a higher priority comes first', async () => {
      const hands = new Hands()
      const work = workOf(hands)
      const [plain, urgent] = [jobOf('plain', 0, work), jobOf('urgent', 10, work)]
      const world = make()
      const app = await world.start([service('s', { machines: [plain, urgent] })])
      for (let n = 0; n < 20; n++) await app.run(plain, { id: `a${n}`, data: { tenant: 'a' } })
      for (let n = 0; n < 3; n++) await app.run(plain, { id: `b${n}`, data: { tenant: 'b' } })
      await app.run(urgent, { id: 'u', data: { tenant: 'c' } })
      for (let n = 0; n < 24; n++) {
        await world.clock.settle()
        hands.at(n).answer({ n })
      }
      await world.clock.settle()
      const order = hands.calls.map(({ input }) => (input as { id: string }).id)
      expect(order.slice(0, 9)).toEqual(['a0', 'u', 'a1', 'b0', 'a2', 'b1', 'a3', 'b2', 'a4'])
      expect(order.slice(9)).toEqual(Array.from({ length: 15 }, (_, n) => `a${n + 5}`))
    })
  })
})
