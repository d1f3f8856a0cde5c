// What is over goes after its time, in small batches beside the work, and the laws stay balanced all the while.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { command, event, machine, service } from '../../src/index.ts'
import { DAY, HOUR, MINUTE } from '../support/hand-clock.ts'
import { deadOf, expectLaws, historyOf, instancesOf, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Begin = event('begin', { data: z.object({ id: z.string() }), key: (d) => d.id })
const Told = event('told', { data: z.object({ id: z.string() }), key: (d) => `told-${d.id}` })
const job = machine('job', {
  data: z.object({ n: z.number().default(0) }),
  receives: [Add, Begin],
  emits: [Told],
  start: { begin: () => ({}) },
  initial: 'a',
  states: {
    a: {
      on: {
        add: [
          { if: ({ message }) => message.n === 0, to: 'end', emit: { told: ({ id }) => ({ id }) } },
          { if: ({ message }) => message.n < 0, to: 'bad' },
          {
            set: ({ data, message }) => {
              if (message.n === 13) throw new Error('thirteen')
              return { n: data.n + message.n }
            },
          },
        ],
      },
      after: { '900 days': 'end' },
    },
    end: { final: 'done' },
    bad: { final: 'failed' },
  },
})
const services = [service('s', { machines: [job] })]
const retention = { endedMs: 3 * DAY, receiptsMs: 2 * DAY, deadMs: DAY }

onBothStores('retention', (make) => {
  async function scene(settings: Partial<typeof retention> = retention) {
    const world = make({ retention: { receiptsMs: 2 * DAY, ...settings } })
    const app = await world.start(services)
    const ended = (ids: readonly string[], n = 0) =>
      Promise.all(
        ids.map(async (id) => {
          await app.run(job, { id, data: {} })
          await app.send(job, id, Add({ n: 1 }))
          await app.send(job, id, Add({ n }), { id: `end-${id}` })
        }),
      )
    return { world, app, clock: world.clock, ended }
  }
  const ids = (count: number, prefix = 'e') => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

  test('ended instances go with their journal; those that live stay', async () => {
    const { app, clock, ended } = await scene()
    await ended(ids(3))
    await ended(ids(2, 'f'), -1)
    await app.get(job, 'e0').state()
    await app.run(job, { id: 'live', data: {} })
    await clock.leap(3 * DAY - HOUR)
    expect(await instancesOf(app, job)).toMatchObject({ started: 6, done: 3, failed: 2, waiting: 1, removed: 0 })
    await clock.leap(2 * HOUR)
    await clock.advance(MINUTE)
    expect(await instancesOf(app, job)).toMatchObject({ started: 6, done: 0, failed: 0, waiting: 1, removed: 5 })
    expect((await app.list(job)).items.map(({ id }) => id)).toEqual(['live'])
    await expect(historyOf(app, job, 'e0')).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    // What was decided about their messages is not forgotten.
    expect(await messagesOf(app)).toEqual({ accepted: 13, applied: 10, unclaimed: 3 })
    await expectLaws(app)
  })
  test('in small batches, beside the work, and the laws hold after each', async () => {
    const { world, app, clock, ended } = await scene()
    await ended(ids(400))
    await app.run(job, { id: 'live', data: {} })
    const batches: number[] = []
    world.faults.retain = async (through, session, cut) => {
      const rows = await through(session, cut)
      expect(cut.limit).toBeLessThanOrEqual(1_000)
      batches.push(rows)
      return rows
    }
    await clock.leap(3 * DAY + HOUR)
    let sent = 0
    for (let n = 0; n < 200 && (batches.length === 0 || batches.at(-1) !== 0); n++) {
      await clock.advance(25)
      await app.send(job, 'live', Add({ n: 1 }))
      sent += 1
      if (n % 5 === 0) await expectLaws(app)
    }
    expect(batches.at(-1)).toBe(0)
    expect(batches.length).toBeGreaterThan(5)
    expect(Math.max(...batches)).toBeLessThan(1_000)
    expect(await instancesOf(app, job)).toMatchObject({ removed: 400, waiting: 1 })
    expect(await stateOf(app, job, 'live')).toMatchObject({ data: { n: sent } })
    // Then it is quiet.
    const before = batches.length
    await clock.advance(MINUTE)
    expect(batches.length - before).toBeLessThan(20)
  })
  test('dead letters go, counted as discarded', async () => {
    const { app, clock } = await scene()
    await app.run(job, { id: 'i', data: {} })
    for (let n = 0; n < 5; n++) await app.send(job, 'i', Add({ n: 13 })).catch(() => 0)
    await clock.leap(DAY - HOUR)
    expect(await messagesOf(app)).toEqual({ accepted: 5, dead: 5 })
    await clock.leap(2 * HOUR)
    await clock.advance(MINUTE)
    expect(await messagesOf(app)).toEqual({ accepted: 5, discarded: 5 })
    expect(await deadOf(app)).toEqual([])
  })
  test('without settings, what is over stays: instances, journals, dead letters', async () => {
    const world = make()
    const app = await world.start(services)
    await app.run(job, { id: 'i', data: {} })
    await app.send(job, 'i', Add({ n: 13 })).catch(() => 0)
    await app.send(job, 'i', Add({ n: 0 }))
    for (let n = 0; n < 5; n++) await world.clock.leap(200 * DAY)
    expect(await historyOf(app, job, 'i')).toHaveLength(2)
    expect(await deadOf(app)).toHaveLength(1)
  })

  describe('a late copy of the message that started it does not start it again', () => {
    test('as long as receipts are kept', async () => {
      const { app, clock } = await scene({ endedMs: 2 * DAY, receiptsMs: 2 * DAY })
      await app.emit(Begin({ id: 'i' }), { id: 'own' })
      await clock.leap(DAY)
      await app.send(job, 'i', Add({ n: 0 }))
      await clock.leap(DAY + HOUR)
      await clock.advance(MINUTE)
      // It lives as long as what ended it.
      expect(await app.emit(Begin({ id: 'i' }), { id: 'own' }).then(({ outcome }) => outcome)).toMatch(
        /duplicate|applied/,
      )
      expect(await instancesOf(app, job)).toMatchObject({ started: 1 })
    })
    test('after that the id is free again', async () => {
      const { app, clock } = await scene()
      await app.emit(Begin({ id: 'i' }), { id: 'own' })
      await app.send(job, 'i', Add({ n: 0 }))
      await clock.leap(4 * DAY)
      await clock.advance(MINUTE)
      await clock.leap(4 * DAY)
      await clock.advance(MINUTE)
      expect(await app.emit(Begin({ id: 'i' }), { id: 'own' })).toMatchObject({
        heard: [{ outcome: 'applied', seq: 1 }],
      })
      expect(await instancesOf(app, job)).toMatchObject({ started: 2, removed: 1, waiting: 1 })
    })
  })

  test('a store that fails while it deletes: told, tried again, nothing is lost or counted twice (F41)', async () => {
    const { world, app, clock, ended } = await scene()
    await ended(ids(50))
    let left = 3
    world.faults.retain = async (through, ...call) => {
      if (left-- > 0) throw new Error('injected')
      return through(...call)
    }
    await clock.leap(4 * DAY)
    await clock.advance(MINUTE)
    expect(await instancesOf(app, job)).toMatchObject({ removed: 50 })
    expect(world.logs.some(({ level, text }) => level === 'warn' && text.includes('deleted'))).toBe(true)
  })
  test('a crash in the middle of it (F41): the next worker goes on', async () => {
    const { world, app, clock, ended } = await scene()
    await ended(ids(300))
    let batches = 0
    let crashed: Promise<void> | undefined
    world.faults.retain = async (through, ...call) => {
      const rows = await through(...call)
      if (++batches === 2) crashed = world.crash(app)
      return rows
    }
    await clock.leap(4 * DAY)
    await clock.advance(MINUTE)
    delete world.faults.retain
    await crashed
    const next = await world.startAfterCrash(services)
    await expectLaws(next)
    const { removed } = await instancesOf(next, job)
    expect(removed).toBeGreaterThan(0)
    expect(removed).toBeLessThan(300)
    await clock.advance(MINUTE)
    expect(await instancesOf(next, job)).toMatchObject({ started: 300, removed: 300 })
  })
  test('a worker that has broken deletes nothing more, and does not end the process that it is in', async () => {
    const { world, app, clock } = await scene()
    const unheard: unknown[] = []
    const hear = (error: unknown): void => void unheard.push(error)
    process.on('unhandledRejection', hear)
    try {
      world.engine(app).onBroken(new Error('EIO'))
      await clock.advance(MINUTE)
      await clock.settle()
    } finally {
      process.off('unhandledRejection', hear)
    }
    expect(unheard).toEqual([])
    await world.crash(app)
  })
  test('events of the log go with who emitted them, and offsets never begin again', async () => {
    const { world, app, clock, ended } = await scene()
    await ended(['i'])
    const { store, parts } = world.engine(app)
    const partition = parts.router.partitionOf('i')
    expect((await store.events(partition, 0, 10)).map(({ offset }) => offset)).toEqual([1])
    await clock.leap(4 * DAY)
    await clock.advance(MINUTE)
    expect(await store.events(partition, 0, 10)).toEqual([])
    await world.stop(app)
    const next = await world.start(services)
    await next.run(job, { id: 'i', data: {} })
    await next.send(job, 'i', Add({ n: 0 }))
    expect((await world.engine(next).store.events(partition, 0, 10)).map(({ offset }) => offset)).toEqual([2])
  })
})
