// A worker stops, or dies, and another one goes on: on the same file, or at the same store in memory.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { DAY, HOUR, MINUTE, SECOND } from '../support/hand-clock.ts'
import {
  Hands,
  historyOf,
  instancesOf,
  lastRow,
  messagesOf,
  onBothStores,
  stateOf,
  type World,
} from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Late = event('late', { data: z.object({ id: z.string(), n: z.number() }), key: (d) => d.id })

function jobOf(hands: Hands, other: Hands) {
  const io = { input: z.object({}), output: z.object({ n: z.number() }), timeout: '10 days' } as const
  const work = activity('work', { ...io, retry: { first: '1 hour', max: '1 hour', attempts: 20 }, run: hands.run })
  const also = activity('also', { ...io, run: other.run })
  return machine('job', {
    data: z.object({ n: z.number().default(0), seen: z.array(z.number()).default([]) }),
    receives: [Add, Late],
    initial: 'waiting',
    states: {
      waiting: {
        on: {
          add: [
            { if: ({ message }) => message.n === 1, to: 'calling' },
            { if: ({ message }) => message.n === 2, to: 'both' },
            { set: ({ data, message }) => ({ n: data.n + message.n }) },
          ],
        },
        after: { '2 hours': { to: 'rung', set: { n: 99 } } },
      },
      calling: { call: work, input: () => ({}), done: { to: 'told', set: ({ result }) => ({ n: result.n }) } },
      both: {
        call: { work, also },
        input: { work: () => ({}), also: () => ({}) },
        done: { to: 'told', set: ({ results }) => ({ n: results.work.n + results.also.n }) },
      },
      told: {
        on: { late: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) } },
        after: { '100 days': 'rung' },
      },
      rung: { final: 'done' },
    },
  })
}

onBothStores('after a restart', (make) => {
  async function scene() {
    const hands = new Hands()
    const other = new Hands()
    const job = jobOf(hands, other)
    const services = [service('s', { machines: [job] })]
    const world = make()
    const app = await world.start(services)
    await app.run(job, { id: 'i', data: {} })
    return { hands, other, job, services, world, app, clock: world.clock }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  async function calling(n = 1): Promise<Scene> {
    const s = await scene()
    await s.app.send(s.job, 'i', Add({ n }))
    await s.clock.settle()
    return s
  }
  const next = async ({ world, services, clock }: Scene, app: App, how: 'stop' | 'crash'): Promise<App> => {
    await world[how](app)
    const started = await (how === 'stop' ? world.start(services) : world.startAfterCrash(services))
    await clock.settle()
    return started
  }
  const callOf = async (world: World, app: App, name = 'work') =>
    (await world.engine(app).peek({ machine: 'job', id: 'i' }))?.calls?.[name]

  describe('an open call', () => {
    test('goes on under its key, as the next attempt, and the recovery is counted (F01)', async () => {
      const s = await calling()
      const app = await next(s, s.app, 'crash')
      expect(s.hands.calls).toHaveLength(2)
      expect(s.hands.at(1)).toMatchObject({ key: s.hands.at(0).key, attempt: 2, input: {} })
      expect(await callOf(s.world, app)).toMatchObject({ recoveries: 1, attempts: 1, unknown: true })
      s.hands.at(1).answer({ n: 5 })
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ state: 'told', data: { n: 5 } })
      expect((await historyOf(app, s.job, 'i')).map(({ to }) => to)).toEqual(['waiting', 'calling', 'told'])
    })
    test('is not counted after a graceful stop that its attempt outlived (F08)', async () => {
      const s = await calling()
      const app = await next(s, s.app, 'stop')
      expect(s.hands.at(0).signal.aborted).toBe(true)
      expect(s.hands.calls).toHaveLength(2)
      expect(s.hands.at(1).key).toBe(s.hands.at(0).key)
      // It may have happened all the same.
      expect(await callOf(s.world, app)).toMatchObject({ recoveries: 0, attempts: 1, unknown: true })
      s.hands.at(0).answer({ n: 1_000 })
      await s.clock.settle()
      s.hands.at(1).answer({ n: 5 })
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ data: { n: 5 } })
    })
    test('that was handed over gracefully, and whose next worker dies while it runs, is counted', async () => {
      const s = await calling()
      s.hands.at(0).throw(new Error('no answer'))
      await s.clock.settle()
      let app = await next(s, s.app, 'stop')
      await s.clock.advance(2 * HOUR)
      expect(s.hands.calls).toHaveLength(2)
      app = await next(s, app, 'crash')
      expect(await callOf(s.world, app)).toMatchObject({ recoveries: 1, attempts: 2, unknown: true })
      expect(s.hands.at(2)).toMatchObject({ attempt: 3 })
    })
    test('whose worker died between the commit that opened it and its start is started (F02)', async () => {
      const s = await scene()
      s.world.faults.commit = async (through, ...call) => {
        const result = await through(...call)
        if (call[2].instances.some(({ state }) => state === 'calling')) {
          delete s.world.faults.commit
          await s.world.crash(s.app)
        }
        return result
      }
      void s.app.send(s.job, 'i', Add({ n: 1 })).catch(() => 0)
      await s.clock.settle()
      const app = await s.world.startAfterCrash(s.services)
      await s.clock.settle()
      // Nobody can tell that from a worker that died while it ran.
      expect(await callOf(s.world, app)).toMatchObject({ recoveries: 1 })
      expect(s.hands.calls).toHaveLength(1)
    })
    test('is answered within the grace: that is kept (F08)', async () => {
      const s = await calling()
      const stopping = s.world.stop(s.app)
      await s.clock.settle()
      s.hands.at(0).answer({ n: 5 })
      await stopping
      const app = await s.world.start(s.services)
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ state: 'told', data: { n: 5 } })
      expect(s.hands.calls).toHaveLength(1)
    })
    test('what it answers after its worker died changes nothing, and breaks nothing', async () => {
      const s = await calling()
      const app = await next(s, s.app, 'crash')
      s.hands.at(0).answer({ n: 1_000 })
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ status: 'running' })
      s.hands.at(1).answer({ n: 5 })
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ data: { n: 5 } })
    })
    test('of several, those that were answered are not called again', async () => {
      const s = await calling(2)
      s.hands.at(0).answer({ n: 5 })
      await s.clock.settle()
      const app = await next(s, s.app, 'crash')
      expect([s.hands.calls.length, s.other.calls.length]).toEqual([1, 2])
      s.other.at(1).answer({ n: 6 })
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ data: { n: 11 } })
    })
    test('that waits for its next attempt keeps its time', async () => {
      const s = await calling()
      s.hands.at(0).throw(new Error('no answer'))
      await s.clock.settle()
      const before = await callOf(s.world, s.app)
      expect(before).toMatchObject({ attempts: 1, recoveries: 0 })
      const nextAt = before?.nextAt ?? 0
      expect(nextAt - s.clock.now()).toBeGreaterThan(MINUTE)
      let app = await next(s, s.app, 'crash')
      app = await next(s, app, 'stop')
      expect(await callOf(s.world, app)).toMatchObject({ attempts: 1, recoveries: 0, nextAt })
      await s.clock.advance(nextAt - s.clock.now() - SECOND)
      expect(s.hands.calls).toHaveLength(1)
      await s.clock.advance(2 * SECOND)
      expect(s.hands.calls).toHaveLength(2)
      expect(s.hands.at(1)).toMatchObject({ attempt: 2, key: s.hands.at(0).key })
    })
    test('whose time for the next attempt passed while nobody ran is tried at once', async () => {
      const s = await calling()
      s.hands.at(0).throw(new Error('no answer'))
      await s.clock.settle()
      await s.world.crash(s.app)
      await s.clock.leap(DAY)
      await s.world.startAfterCrash(s.services)
      await s.clock.advance(SECOND)
      expect(s.hands.calls).toHaveLength(2)
    })
  })

  describe('workers that die while it runs (F09, F10)', () => {
    async function dieTimes(s: Scene, app: App, times: number): Promise<App> {
      let current = app
      for (let n = 0; n < times; n++) current = await next(s, current, 'crash')
      return current
    }
    test('five in a row: WORKER_DIED, and it is not started again', async () => {
      const s = await calling()
      let app = await dieTimes(s, s.app, 4)
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ status: 'running' })
      expect(s.hands.calls).toHaveLength(5)
      app = await dieTimes(s, app, 1)
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ status: 'stalled', stalled: { code: 'WORKER_DIED' } })
      app = await dieTimes(s, app, 2)
      expect(s.hands.calls).toHaveLength(5)
      expect(await instancesOf(app, s.job)).toMatchObject({ stalled: 1, running: 0 })
      // Others go on meanwhile.
      await app.run(s.job, { id: 'j', data: {} })
      expect(await app.send(s.job, 'j', Add({ n: 3 }))).toMatchObject({ outcome: 'applied' })
    })
    test('an operator lets it be tried again: with all its lives', async () => {
      const s = await calling()
      let app = await dieTimes(s, s.app, 5)
      await app.operate.retry(s.job, 'i', { why: 'more memory', by: 'ann' })
      await s.clock.settle()
      expect(s.hands.calls).toHaveLength(6)
      app = await dieTimes(s, app, 4)
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ status: 'running' })
      s.hands.at(-1).answer({ n: 5 })
      await s.clock.settle()
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ state: 'told', data: { n: 5 } })
    })
    test('an attempt that settles begins the count anew', async () => {
      const s = await calling()
      let app = await dieTimes(s, s.app, 4)
      s.hands.at(-1).throw(new Error('no answer'))
      await s.clock.settle()
      expect((await callOf(s.world, app))?.recoveries).toBe(0)
      await s.clock.advance(HOUR)
      app = await dieTimes(s, app, 4)
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ status: 'running' })
    })
  })

  test.each(['stop', 'crash'] as const)(
    'timers fire, those that fell due meanwhile and those that do later: %s',
    async (how) => {
      const s = await scene()
      await s.clock.leap(HOUR)
      await s.app.run(s.job, { id: 'j', data: {} })
      await s.world[how](s.app)
      await s.clock.leap(90 * MINUTE)
      const app = await s.world.start(s.services)
      await s.clock.advance(SECOND)
      expect(await stateOf(app, s.job, 'i')).toMatchObject({ state: 'rung', status: 'done' })
      expect(await stateOf(app, s.job, 'j')).toMatchObject({ state: 'waiting' })
      await s.clock.leap(HOUR)
      expect(await stateOf(app, s.job, 'j')).toMatchObject({ state: 'rung' })
      expect(await lastRow(app, s.job, 'j')).toMatchObject({ cause: { kind: 'timer', name: '2 hours' } })
    },
  )

  test.each(['stop', 'crash'] as const)('messages that wait are still there, in their order: %s', async (how) => {
    const s = await calling()
    for (const n of [3, 1, 2]) await s.app.send(s.job, 'i', Late({ id: 'i', n }))
    await s.app.send(s.job, 'nobody', Late({ id: 'nobody', n: 7 }))
    const app = await next(s, s.app, how)
    expect(await messagesOf(app)).toEqual({ accepted: 5, applied: 1, waiting: 4 })
    s.hands.at(-1).answer({ n: 0 })
    await s.clock.settle()
    expect(await stateOf(app, s.job, 'i')).toMatchObject({ data: { seen: [3, 1, 2] } })
    await s.clock.leap(61 * MINUTE)
    expect(await messagesOf(app)).toEqual({ accepted: 5, applied: 4, unclaimed: 1 })
  })

  test('what a transaction has stored is picked up, though its worker died at once (F02)', async () => {
    const s = await scene()
    s.world.faults.inbox = () => new Promise(() => undefined)
    await s.app.transaction((tx) => {
      tx.send(s.job, 'i', Add({ n: 40 }))
      tx.send(s.job, 'i', Add({ n: 2 }), { id: 'own' })
    })
    expect(await messagesOf(s.app)).toEqual({ accepted: 2, pending: 2 })
    await s.world.crash(s.app)
    delete s.world.faults.inbox
    const app = await s.world.startAfterCrash(s.services)
    await s.clock.settle()
    expect(await stateOf(app, s.job, 'i')).toMatchObject({ state: 'both', data: { n: 40 } })
    expect(await messagesOf(app)).toEqual({ accepted: 2, applied: 2 })
  })

  test('what is stalled stays so, with why; what has ended stays ended', async () => {
    const s = await calling()
    for (let n = 0; n < 5; n++) s.app = await next(s, s.app, 'crash')
    const before = await stateOf(s.app, s.job, 'i')
    const app = await next(s, s.app, 'stop')
    expect(await stateOf(app, s.job, 'i')).toEqual(before)
    await app.get(s.job, 'i').cancel({ why: 'enough' })
    const last = await next(s, app, 'crash')
    expect(await stateOf(last, s.job, 'i')).toMatchObject({ status: 'cancelled' })
  })

  test('numbers go on: of the journal, of events, of instances', async () => {
    const s = await scene()
    await s.app.send(s.job, 'i', Add({ n: 5 }))
    const engine = s.world.engine(s.app)
    const before = await engine.peek({ machine: 'job', id: 'i' })
    const app = await next(s, s.app, 'crash')
    await app.send(s.job, 'i', Add({ n: 6 }))
    await app.run(s.job, { id: 'j', data: {} })
    const after = await s.world.engine(app).peek({ machine: 'job', id: 'i' })
    const other = await s.world.engine(app).peek({ machine: 'job', id: 'j' })
    expect(after).toMatchObject({ seq: 3, k: before?.k, incarnation: before?.incarnation, data: { n: 11 } })
    expect(other?.k).toBeGreaterThan(before?.k ?? 0)
  })

  test('many open calls are all found', async () => {
    const s = await scene()
    await Promise.all(
      Array.from({ length: 450 }, (_, n) =>
        s.app.run(s.job, { id: `m${n}`, data: {} }).then((h) => h.send(Add({ n: 1 }))),
      ),
    )
    await s.clock.settle()
    expect(s.hands.calls).toHaveLength(450)
    const app = await next(s, s.app, 'crash')
    await s.clock.advance(SECOND)
    expect(s.hands.calls).toHaveLength(900)
    for (const call of s.hands.calls.slice(450)) call.answer({ n: 1 })
    await s.clock.settle()
    expect((await instancesOf(app, s.job)).states).toEqual({ waiting: 1, told: 450 })
  })
})
