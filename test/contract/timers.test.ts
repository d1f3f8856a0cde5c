// Timers: never early, at least once, in the order in which they fall due, and honest about being late (I6).
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { command, machine, service } from '../../src/index.ts'
import type { Lifecycle } from '../../src/index.ts'
import { DAY, HOUR, MINUTE, SECOND, START_MS } from '../support/hand-clock.ts'
import { historyOf, instancesOf, lastRow, onBothStores, stateOf } from '../support/world.ts'

const Touch = command('touch', { data: z.object({}) })
const Again = command('again', { data: z.object({}) })

const bell = machine('bell', {
  data: z.object({ at: z.string().optional(), rung: z.array(z.string()).default([]) }),
  receives: [Touch, Again],
  initial: 'waiting',
  groups: {
    all: {
      states: ['waiting', 'other'],
      after: { '10 days': { set: ({ data }) => ({ rung: [...data.rung, 'group'] }) } },
    },
  },
  states: {
    waiting: {
      on: { touch: { set: ({ data }) => ({ rung: data.rung }) }, again: 'waiting' },
      after: [
        { name: 'at', at: ({ data }) => data.at ?? null, set: ({ data }) => ({ rung: [...data.rung, 'at'] }) },
        { name: 'hour', in: () => '1 hour', set: ({ data }) => ({ rung: [...data.rung, 'hour'] }) },
        { name: 'sixty', in: () => '60 days', to: 'other' },
      ],
    },
    other: { after: { '365 days': 'end' } },
    end: { final: 'done' },
  },
})
const services = [service('s', { machines: [bell] })]

onBothStores('timers', (make, kind) => {
  async function scene(data: { at?: string } = {}) {
    const world = make()
    const app = await world.start(services)
    await app.run(bell, { id: 'i', data })
    const events: Lifecycle[] = []
    app.on((e) => void events.push(e))
    return { world, app, clock: world.clock, events }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  const rung = async (app: Awaited<ReturnType<typeof scene>>['app'], id = 'i') =>
    (await stateOf(app, bell, id)).data.rung

  test('not a moment early, and soon after', async () => {
    const { app, clock } = await scene()
    await clock.advance(HOUR - 1)
    expect(await rung(app)).toEqual([])
    await clock.advance(11)
    expect(await rung(app)).toEqual(['hour'])
    const row = await lastRow(app, bell, 'i')
    expect(row.cause).toMatchObject({ kind: 'timer', name: 'hour', at: new Date(START_MS + HOUR) })
    expect(row.at.getTime()).toBeGreaterThanOrEqual(START_MS + HOUR)
  })
  test('beyond 24.8 days (F63): sixty days', async () => {
    const { app, clock } = await scene()
    for (let day = 0; day < 59; day++) await clock.leap(DAY)
    await clock.leap(DAY - SECOND)
    expect(await stateOf(app, bell, 'i')).toMatchObject({ state: 'waiting' })
    await clock.advance(2 * SECOND)
    expect(await stateOf(app, bell, 'i')).toMatchObject({ state: 'other' })
  })
  test('once each, and no more', async () => {
    const { app, clock } = await scene({ at: new Date(START_MS + MINUTE).toISOString() })
    await clock.leap(9 * DAY)
    for (let n = 0; n < 5; n++) await clock.advance(MINUTE)
    expect(await rung(app)).toEqual(['at', 'hour'])
  })
  test('one that was due before it was set fires at once; one that is never due does not', async () => {
    const { app, clock } = await scene({ at: '2020-01-01T00:00:00Z' })
    await clock.settle()
    await clock.advance(20)
    expect(await rung(app)).toEqual(['at'])
    await app.run(bell, { id: 'never', data: {} })
    await clock.leap(HOUR + SECOND)
    expect(await rung(app, 'never')).toEqual(['hour'])
  })
  test('staying keeps them, entering again restarts them, those of a group run on', async () => {
    const { app, clock } = await scene()
    await clock.leap(30 * MINUTE)
    await app.send(bell, 'i', Touch({}))
    await clock.leap(29 * MINUTE)
    await app.send(bell, 'i', Again({}))
    await clock.leap(59 * MINUTE)
    expect(await rung(app)).toEqual([])
    await clock.leap(2 * MINUTE)
    expect(await rung(app)).toEqual(['hour'])
    await clock.leap(10 * DAY - 2 * HOUR - MINUTE)
    expect(await rung(app)).toEqual(['hour'])
    await clock.leap(2 * MINUTE)
    expect(await rung(app)).toEqual(['hour', 'group'])
  })
  test('in the order in which they fall due, over instances, and within one', async () => {
    const { app, clock, events } = await scene({ at: new Date(START_MS + 2 * HOUR).toISOString() })
    for (const [n, minutes] of [50, 30, 40, 20].entries())
      await app.run(bell, { id: `j${n}`, data: { at: new Date(START_MS + minutes * MINUTE).toISOString() } })
    events.length = 0
    await clock.leap(3 * HOUR)
    const fired = events.flatMap((e) => (e.kind === 'transition' && e.cause.name === 'at' ? [e.id] : []))
    expect(fired).toEqual(['j3', 'j1', 'j2', 'j0', 'i'])
    expect(await rung(app)).toEqual(['hour', 'at'])
    const causes = (await historyOf(app, bell, 'j0')).map(({ cause }) => cause.at.getTime())
    expect(causes).toEqual([...causes].sort((a, b) => a - b))
  })
  test('one that fired over a second late is told, with how late', async () => {
    const { clock, events } = await scene()
    await clock.advance(HOUR + 10)
    expect(events.filter(({ kind }) => kind === 'late-timer')).toEqual([])
    const { app, clock: other, events: told } = await scene()
    await other.leap(HOUR + 5 * MINUTE)
    expect(told.filter(({ kind }) => kind === 'late-timer')).toMatchObject([
      { machine: 'bell', id: 'i', timer: 'hour', lateMs: expect.closeTo(5 * MINUTE, -2) as number, seq: 2 },
    ])
    expect(await rung(app)).toEqual(['hour'])
  })
  test('10,000 due at one moment: each fires once (F14)', async () => {
    const { app, clock, events } = await scene()
    await Promise.all(Array.from({ length: 10_000 }, (_, n) => app.run(bell, { id: `m${n}`, data: {} })))
    events.length = 0
    await clock.advance(0)
    await clock.leap(HOUR + SECOND)
    await clock.advance(SECOND)
    const fired = new Map<string, number>()
    for (const e of events) if (e.kind === 'transition') fired.set(e.id, (fired.get(e.id) ?? 0) + 1)
    expect(fired.size).toBe(10_001)
    expect([...fired.values()].every((count) => count === 1)).toBe(true)
    // In bounded batches.
    expect(Math.max(...events.map((e) => (e.kind === 'commit' ? e.size : 0)))).toBeLessThanOrEqual(1_000)
    expect(await instancesOf(app, bell)).toMatchObject({ waiting: 10_001 })
  })

  describe('the wall clock jumps', () => {
    test('forward by more than an hour: timers pause, health says so; after a minute it is believed (F61)', async () => {
      const { world, app, clock } = await scene()
      clock.wall += 5 * HOUR
      await clock.advance(30 * SECOND)
      expect(await rung(app)).toEqual([])
      const { ready, alive, problems } = await app.health()
      expect({ ready, alive }).toEqual({ ready: false, alive: true })
      expect(problems.join()).toContain('jumped')
      // Messages go on meanwhile.
      expect(await app.send(bell, 'i', Touch({}))).toMatchObject({ outcome: 'applied' })
      await clock.advance(60 * SECOND)
      expect(await rung(app)).toEqual(['hour'])
      expect(await app.health()).toMatchObject({ ready: true, problems: [] })
      expect(world.logs.filter(({ level }) => level === 'error')).toEqual([])
    })
    test('forward, and back within the minute: nothing has fired', async () => {
      const { app, clock } = await scene()
      clock.wall += 5 * HOUR
      await clock.advance(30 * SECOND)
      clock.wall -= 5 * HOUR
      await clock.advance(5 * MINUTE)
      expect(await rung(app)).toEqual([])
      expect(await app.health()).toMatchObject({ ready: true, problems: [] })
    })
    test('forward by less: it is believed at once', async () => {
      const { app, clock } = await scene()
      await clock.advance(10 * MINUTE)
      clock.wall += 55 * MINUTE
      await clock.advance(20 * SECOND)
      expect(await rung(app)).toEqual(['hour'])
      expect(await app.health()).toMatchObject({ ready: true })
    })
    test('back: time goes on, a tenth more slowly until they meet, and health says so (F62)', async () => {
      const { app, clock } = await scene()
      await clock.advance(MINUTE)
      clock.wall -= 30 * MINUTE
      await clock.advance(MINUTE)
      const health = await app.health()
      expect(health).toMatchObject({ ready: true, alive: true })
      expect(health.problems.join()).toContain('the clock went back: it is 30 minutes behind')
      await app.send(bell, 'i', Touch({}))
      await clock.advance(57 * MINUTE)
      expect(await rung(app)).toEqual([])
      await clock.advance(9 * MINUTE)
      expect(await rung(app)).toEqual(['hour'])
      const rows = await historyOf(app, bell, 'i')
      const times = rows.map(({ at }) => at.getTime())
      expect(times).toEqual(times.toSorted((a, b) => a - b))
      expect(times[2]).toBeGreaterThanOrEqual(START_MS + HOUR)
      await clock.advance(4 * HOUR)
      expect((await app.health()).problems).toEqual([])
    })
    /** A new instance's timer of one hour fires in its time. */
    const rings = async (app: Scene['app'], clock: Scene['clock'], id: string, slow = false): Promise<void> => {
      await app.run(bell, { id, data: {} })
      await clock.advance(59 * MINUTE)
      expect(await rung(app, id), `${id}: not early`).toEqual([])
      await clock.advance(slow ? 8 * MINUTE : MINUTE + SECOND)
      expect(await rung(app, id), `${id}: not late`).toEqual(['hour'])
    }
    test('a year ahead for 15 seconds, and right again: no timer knows of it, then or later', async () => {
      const { app, clock } = await scene()
      clock.wall += 365 * DAY
      await clock.advance(12 * SECOND)
      await app.send(bell, 'i', Touch({}))
      await clock.advance(3 * SECOND)
      clock.wall -= 365 * DAY
      await clock.advance(5 * MINUTE)
      expect(await stateOf(app, bell, 'i')).toMatchObject({ state: 'waiting', data: { rung: [] } })
      expect(await app.health()).toMatchObject({ ready: true, problems: [] })
      await rings(app, clock, 'j')
    })
    test('back by a day: timers fire in their time, a tenth later', async () => {
      const { app, clock } = await scene()
      clock.wall -= DAY
      await clock.advance(MINUTE)
      expect((await app.health()).problems.join()).toContain('24 hours behind')
      await rings(app, clock, 'j', true)
    })
    test('ahead by a year, and it stays: believed after a minute, and timers go on from there', async () => {
      const { app, clock } = await scene()
      clock.wall += 365 * DAY
      await clock.advance(50 * SECOND)
      expect(await rung(app)).toEqual([])
      await clock.advance(40 * SECOND)
      expect(await stateOf(app, bell, 'i')).toMatchObject({ state: 'other', data: { rung: ['hour', 'group'] } })
      await rings(app, clock, 'j')
    })
    // What a store in memory knows ends with it.
    test.skipIf(kind === 'memory').each([
      ['a year ahead and right again', 365 * DAY, 15 * SECOND, -365 * DAY, false],
      ['back by half an hour', -30 * MINUTE, MINUTE, 0, true],
      ['back by a day', -DAY, MINUTE, 0, true],
      ['a year ahead for good', 365 * DAY, 2 * MINUTE, 0, false],
      ['a year ahead for two minutes', 365 * DAY, 2 * MINUTE, -365 * DAY, true],
    ])('after a restart too: %s', async (_, jump, during, back, slow) => {
      const { world, app, clock } = await scene()
      clock.wall += jump
      await clock.advance(during)
      await app.send(bell, 'i', Touch({}))
      clock.wall += back
      await world.stop(app)
      const next = await world.start(services)
      await rings(next, clock, 'j', slow)
    })
  })
})
