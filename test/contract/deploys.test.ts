// New code over old instances: what is accepted, what is refused before it runs, what is brought along, what waits.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, contract, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { HOUR, MINUTE, SECOND } from '../support/hand-clock.ts'
import { Hands, historyOf, instancesOf, lastRow, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const Go = command('go', { data: z.object({}) })
const Late = event('late', { data: z.object({ id: z.string() }), key: (d) => d.id })
const ofOne = z.object({ n: z.number().default(0) })
const io = { input: z.object({}), output: z.object({ n: z.number() }), timeout: '10 days' } as const

/** Version 1: a ──go──▶ calling ──▶ b ──go──▶ end. */
function first(hands: Hands) {
  const work = activity('work', { ...io, run: hands.run })
  return machine('job', {
    data: ofOne,
    receives: [Go, Late],
    initial: 'a',
    states: {
      a: { on: { go: 'calling' }, after: { '2 hours': { to: 'b', set: { n: 2 } } } },
      calling: { call: work, input: () => ({}), done: { to: 'b', set: ({ result }) => ({ n: result.n }) } },
      b: { on: { go: 'end', late: { set: ({ data }) => ({ n: data.n + 100 }) } } },
      end: { final: 'done' },
    },
  })
}
const one = contract('job', { version: 1, data: ofOne, states: ['a', 'calling', 'b', 'end'], finals: ['end'] })
/** Version 2: other data, `b` is called `c`; what stood in `calling` goes on calling. */
function second(hands: Hands, calls?: 'keep' | 'drop') {
  const work = activity('work', { ...io, run: hands.run })
  return machine('job', {
    version: 2,
    data: z.object({ count: z.number(), from: z.number().optional() }),
    receives: [Go, Late],
    migrate: {
      1: {
        from: one,
        to: ({ state, data, calls: open }) => ({
          state: state === 'b' ? 'c' : state === 'calling' && calls !== undefined ? 'c' : (state as 'a'),
          data: { count: data.n, from: open.length },
          ...(calls !== undefined && { calls }),
        }),
      },
    },
    initial: 'a',
    states: {
      a: { on: { go: 'calling' }, after: { '2 hours': { to: 'c', set: { count: 22 } } } },
      calling: { call: work, input: () => ({}), done: { to: 'c', set: ({ result }) => ({ count: result.n * 10 }) } },
      c: {
        on: { go: 'end', late: { set: ({ data }) => ({ count: data.count + 1_000 }) } },
      },
      end: { final: 'done' },
    },
  })
}
/** Version 1 without the state `b`. */
const broken = machine('job', {
  data: ofOne,
  receives: [Go, Late],
  initial: 'a',
  states: { a: { on: { go: 'end', late: 'end' } }, end: { final: 'done' } },
})
const of = (job: ReturnType<typeof first> | ReturnType<typeof second> | typeof broken) => [
  service('s', { machines: [job] }),
]

onBothStores('deploys', (make) => {
  async function scene() {
    const hands = new Hands()
    const v1 = first(hands)
    const world = make()
    const app = await world.start(of(v1))
    return { hands, v1, world, app, clock: world.clock }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  async function deploy<M extends Parameters<typeof of>[0]>({ world }: Scene, app: App, job: M): Promise<App> {
    await world.stop(app)
    const next = await world.start(of(job))
    await world.clock.settle()
    return next
  }

  test('graphs are remembered', async () => {
    const { world, app, v1 } = await scene()
    const graphs = await world.engine(app).store.graphs()
    expect(graphs).toMatchObject([{ name: 'job', version: 1, graph: { initial: 'a' } }])
    await world.stop(app)
    const next = await world.start(of(v1))
    expect(await world.engine(next).store.graphs()).toEqual(graphs)
    expect(world.logs.filter(({ text }) => text.includes('graph'))).toEqual([])
  })
  test('additions under the same number are accepted, and told', async () => {
    const s = await scene()
    await s.app.run(s.v1, { id: 'i', data: {} })
    const more = machine('job', {
      data: z.object({ n: z.number().default(0), why: z.string().default('x') }),
      receives: [Go, Late],
      initial: 'a',
      states: {
        a: { on: { go: 'more' } },
        calling: { after: { '1 day': 'b' } },
        more: { on: { go: 'b' } },
        b: { on: { go: 'end', late: 'calling' } },
        end: { final: 'done' },
      },
    })
    await s.world.stop(s.app)
    const app = await s.world.start([service('s', { machines: [more] })])
    expect(s.world.logs.some(({ level, text }) => level === 'warn' && text.includes('job'))).toBe(true)
    expect(await app.send(more, 'i', Go({}))).toMatchObject({ outcome: 'applied', state: 'more' })
  })
  describe('living instances that no code here can move are told, in the log and by health, and refuse nothing', () => {
    test('a machine that was taken out', async () => {
      const s = await scene()
      for (const id of ['i', 'j', 'k']) await s.app.run(s.v1, { id, data: {} })
      for (let n = 0; n < 2; n++) {
        await s.app.send(s.v1, 'k', Go({}))
        await s.clock.settle()
        if (n === 0) s.hands.at(-1).answer({ n: 1 })
        await s.clock.settle()
      }
      expect(await stateOf(s.app, s.v1, 'k')).toMatchObject({ status: 'done' })
      await s.world.stop(s.app)
      const other = machine('other', {
        data: z.object({}),
        initial: 'a',
        states: { a: { after: { '1 day': 'b' } }, b: { final: 'done' } },
      })
      const services = [service('s', { machines: [other] })]
      const app = await s.world.start(services)
      const line = expect.stringMatching(/^2 living instances of job,/) as string
      expect(await app.health()).toMatchObject({ ready: true, alive: true, problems: [line] })
      expect(s.world.logs).toContainEqual({ level: 'warn', text: line })
      // Given to a service again, they go on, and nobody speaks of them any more.
      await s.world.stop(app)
      const next = await s.world.start(of(s.v1))
      expect(await next.health()).toMatchObject({ ready: true, problems: [] })
      expect(await next.send(s.v1, 'i', Go({}))).toMatchObject({ outcome: 'applied' })
    })
    test('a newer version', async () => {
      const s = await scene()
      const v2 = second(s.hands)
      const app = await deploy(s, s.app, v2)
      await app.run(v2, { id: 'new', data: { count: 1 } })
      const back = await deploy(s, app, s.v1)
      const { ready, problems } = await back.health()
      expect([ready, problems]).toEqual([true, [expect.stringMatching(/^1 living instances of job are of version 2,/)]])
    })
    test('what another build does meanwhile is seen within a minute or so', async ({ skip }) => {
      const s = await scene()
      skip(s.world.kind !== 'memory', 'one worker alone')
      const v2 = second(s.hands)
      const newer = await s.world.start(of(v2))
      await s.clock.leap(MINUTE)
      // The older one gives its half away at its next renewal, and the newer takes it at the one after that.
      await s.clock.advance(10 * SECOND)
      // Those of the older build's partitions it starts by its own lights, or not at all.
      const runs = [1, 2, 3, 4, 5, 6, 7, 8].map((n) => newer.run(v2, { id: `i${n}`, data: { count: n } }))
      void Promise.allSettled(runs)
      await s.clock.advance(SECOND)
      await s.app.health()
      await s.clock.leap(MINUTE)
      await s.app.health()
      await s.clock.settle()
      expect((await s.app.health()).problems).toEqual([expect.stringContaining('version 2')])
    })
  })
  describe('what breaks a living instance is refused before it runs, with the list (F83)', () => {
    test('BREAKS_INSTANCES', async () => {
      const s = await scene()
      for (const id of ['i', 'j']) {
        await s.app.run(s.v1, { id, data: {} })
        await s.app.send(s.v1, id, Go({}))
        await s.clock.settle()
        s.hands.at(-1).answer({ n: 1 })
        await s.clock.settle()
      }
      await s.world.stop(s.app)
      const refused = s.world.make(of(broken))
      await expect(refused.start()).rejects.toMatchObject({
        code: 'BREAKS_INSTANCES',
        message: expect.stringMatching(/job.*version 1.*2 instances.*"b"/s) as string,
        details: { problems: [expect.stringContaining('"b"')] },
      })
      // Nothing has changed: the old code goes on.
      const app = await s.world.start(of(s.v1))
      expect(await app.send(s.v1, 'i', Go({}))).toMatchObject({ outcome: 'applied', state: 'end' })
    })
    test('not where nobody stands there, or those who do have ended', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.app.run(s.v1, { id: 'j', data: {} })
      await s.clock.leap(3 * HOUR)
      for (const id of ['i', 'j']) await s.app.send(s.v1, id, Go({}))
      const app = await deploy(s, s.app, broken)
      expect(await app.health()).toMatchObject({ ready: true })
      expect((await app.run(broken, { id: 'k', data: {} })).created).toBe(true)
    })
    test('one that is stalled lives', async () => {
      const s = await scene()
      const text = 'a state that is gone'
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.app.send(s.v1, 'i', Go({}))
      await s.clock.settle()
      for (let n = 0; n < 10; n++) {
        s.hands.at(-1).throw(new Error(text))
        await s.clock.advance(MINUTE)
      }
      expect(await stateOf(s.app, s.v1, 'i')).toMatchObject({ status: 'stalled', state: 'calling' })
      await s.world.stop(s.app)
      await expect(s.world.make(of(broken)).start()).rejects.toMatchObject({ code: 'BREAKS_INSTANCES' })
    })
  })

  describe('an activity that is gone while a call of it is open: the instance stalls, and operators may act', () => {
    const caller = (hands: Hands, name: 'one' | 'two', more: { version?: 2; calls?: 'keep' | 'drop' } = {}) => {
      const { version = 1, calls } = more
      return machine('caller', {
        version,
        data: ofOne,
        cancel: { to: 'stopped' },
        ...(version === 2 && {
          migrate: {
            1: {
              from: contract('caller', { version: 1, data: ofOne, states: ['calling', 'done', 'stopped'], finals: [] }),
              to: ({ data }: { data: { n: number } }) => ({
                state: 'calling' as const,
                data,
                ...(calls !== undefined && { calls }),
              }),
            },
          },
        }),
        initial: 'calling',
        states: {
          calling: {
            call: activity(name, { ...io, failures: ['No'], run: hands.run }),
            input: () => ({}),
            done: { to: 'done', set: ({ result }) => ({ n: result.n }) },
            fail: { No: { to: 'stopped' } },
          },
          done: { final: 'done' },
          stopped: { final: 'cancelled' },
        },
      })
    }
    async function replaced(more: Parameters<typeof caller>[2] = {}) {
      const hands = new Hands()
      const world = make()
      const old = caller(hands, 'one')
      const before = await world.start([service('s', { machines: [old] })])
      await before.run(old, { id: 'i', data: {} })
      await world.clock.settle()
      await world.stop(before)
      const job = caller(hands, 'two', more)
      const app = await world.start([service('s', { machines: [job] })])
      await world.clock.settle()
      return { world, app, job, hands, clock: world.clock }
    }
    test('under the same version: told at the start, and by the instance', async () => {
      const { world, app, job } = await replaced()
      const warned = world.logs.find(({ level, text }) => level === 'warn' && text.includes('graph of caller'))
      expect(warned?.text).toMatch(/1 instances stand in "calling", which called one.*ACTIVITY_GONE/)
      const { status, stalled } = await stateOf(app, job, 'i')
      expect(status).toBe('stalled')
      expect(stalled).toMatchObject({ code: 'ACTIVITY_GONE', message: expect.stringContaining('"one"') as string })
      expect(await instancesOf(app, job)).toMatchObject({ running: 0, stalled: 1 })
    })
    test('resolved: the result is taken as it is', async () => {
      const { app, job } = await replaced()
      expect(await app.operate.resolve(job, 'i', { why: 'seen', result: { n: 7 } })).toMatchObject({ state: 'done' })
      expect((await stateOf(app, job, 'i')).data).toEqual({ n: 7 })
    })
    test('resolved as a failure that its state has an edge for', async () => {
      const { app, job } = await replaced()
      expect(await app.operate.resolve(job, 'i', { why: 'seen', failure: 'No' })).toMatchObject({ state: 'stopped' })
    })
    test('moved', async () => {
      const { app, job } = await replaced()
      const moved = app.operate.move(job, 'i', { why: 'by hand', to: 'done', payload: { n: 3 } })
      expect(await moved).toMatchObject({ state: 'done' })
    })
    test('cancelled at once', async () => {
      const { app, job } = await replaced()
      expect(await app.get(job, 'i').cancel({ why: 'no more' })).toMatchObject({ outcome: 'applied' })
      expect(await stateOf(app, job, 'i')).toMatchObject({ state: 'stopped', status: 'cancelled' })
    })
    test('a retry finds it gone still; once it is back the call goes on under its key', async () => {
      const { world, app, job, hands } = await replaced()
      await app.operate.retry(job, 'i', { why: 'perhaps' })
      expect(await stateOf(app, job, 'i')).toMatchObject({ stalled: { code: 'ACTIVITY_GONE' } })
      await world.stop(app)
      const old = caller(hands, 'one')
      const back = await world.start([service('s', { machines: [old] })])
      await back.operate.retry(old, 'i', { why: 'it is back' })
      await world.clock.settle()
      expect(hands.at(-1).key).toBe(hands.at(0).key)
      hands.at(-1).answer({ n: 5 })
      await world.clock.settle()
      expect(await stateOf(back, old, 'i')).toMatchObject({ state: 'done', data: { n: 5 } })
    })
    test('a migration to a state of the same name has to say what becomes of the call', async () => {
      const { world, app, job, hands } = await replaced({ version: 2 })
      const { stalled } = await stateOf(app, job, 'i')
      expect(stalled).toMatchObject({
        code: 'MIGRATION_WITH_OPEN_CALL',
        message: expect.stringContaining('"one"') as string,
      })
      await world.stop(app)
      const said = caller(hands, 'two', { version: 2, calls: 'drop' })
      const next = await world.start([service('s', { machines: [said] })])
      await next.operate.retry(said, 'i', { why: 'said' })
      await world.clock.settle()
      hands.at(-1).answer({ n: 4 })
      await world.clock.settle()
      expect(hands.calls).toHaveLength(2)
      expect(await stateOf(next, said, 'i')).toMatchObject({ state: 'done', data: { n: 4 } })
    })
    test('a migration that keeps such a call: ACTIVITY_GONE', async () => {
      const { app, job } = await replaced({ version: 2, calls: 'keep' })
      expect(await stateOf(app, job, 'i')).toMatchObject({ stalled: { code: 'ACTIVITY_GONE' } })
      expect((await lastRow(app, job, 'i')).cause).toMatchObject({ kind: 'migrate' })
      expect(await app.operate.resolve(job, 'i', { why: 'seen', result: { n: 7 } })).toMatchObject({ state: 'done' })
    })
  })

  describe('migrate: before the message that touches it, as a row of its own', () => {
    test('data and state', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: { n: 5 } })
      const v2 = second(s.hands)
      const app = await deploy(s, s.app, v2)
      expect(await app.send(v2, 'i', Go({}))).toMatchObject({ outcome: 'applied', state: 'calling', seq: 3 })
      expect(await historyOf(app, v2, 'i')).toMatchObject([
        { seq: 1, cause: { kind: 'start' } },
        {
          seq: 2,
          cause: { kind: 'migrate', name: '1 to 2' },
          from: 'a',
          to: 'a',
          changed: { count: 5, from: 0, n: undefined },
        },
        { seq: 3, cause: { kind: 'message', name: 'go' }, from: 'a', to: 'calling' },
      ])
      expect((await stateOf(app, v2, 'i')).data).toEqual({ count: 5, from: 0 })
    })
    test('a timer of a state of the same name keeps its time', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.clock.leap(HOUR)
      const v2 = second(s.hands)
      const app = await deploy(s, s.app, v2)
      await s.clock.leap(HOUR - SECOND)
      expect((await stateOf(app, v2, 'i')).state).toBe('a')
      await s.clock.advance(2 * SECOND)
      expect(await stateOf(app, v2, 'i')).toMatchObject({ state: 'c', data: { count: 22 } })
    })
    test('an open call of a state of the same name goes on, under its key', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.app.send(s.v1, 'i', Go({}))
      await s.clock.settle()
      const v2 = second(s.hands)
      const app = await deploy(s, s.app, v2)
      expect(s.hands.at(-1).key).toBe(s.hands.at(0).key)
      s.hands.at(-1).answer({ n: 3 })
      await s.clock.settle()
      expect(await stateOf(app, v2, 'i')).toMatchObject({ state: 'c', data: { count: 30, from: 1 } })
      expect((await historyOf(app, v2, 'i')).map(({ cause }) => cause.kind)).toEqual([
        'start',
        'message',
        'migrate',
        'result',
      ])
    })
    test('messages that wait are kept, and taken where the new state takes them', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.app.send(s.v1, 'i', Late({ id: 'i' }))
      const v2 = second(s.hands)
      const app = await deploy(s, s.app, v2)
      expect(await messagesOf(app)).toEqual({ accepted: 1, waiting: 1 })
      await s.clock.leap(30 * MINUTE)
      await app.send(v2, 'i', Go({}))
      await s.clock.settle()
      s.hands.at(-1).answer({ n: 1 })
      await s.clock.settle()
      expect(await stateOf(app, v2, 'i')).toMatchObject({ state: 'c', data: { count: 1_010 } })
    })
    test.each([
      ['keep', 30],
      ['drop', 0],
    ] as const)('into another state with an open call: calls %s', async (calls, count) => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.app.send(s.v1, 'i', Go({}))
      await s.clock.settle()
      const v2 = second(s.hands, calls)
      const app = await deploy(s, s.app, v2)
      await app.send(v2, 'i', Late({ id: 'i' })).catch(() => 0)
      s.hands.at(-1).answer({ n: 3 })
      await s.clock.settle()
      const { state, status } = await stateOf(app, v2, 'i')
      expect(state).toBe('c')
      if (calls === 'drop') {
        expect(status).toBe('waiting')
        expect((await stateOf(app, v2, 'i')).data.count).toBe(1_000 + count)
      }
    })
    test('a state that is gone without a migration stalls, and nothing is lost (F84)', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      await s.clock.leap(3 * HOUR)
      expect((await stateOf(s.app, s.v1, 'i')).state).toBe('b')
      const gone = machine('job', {
        version: 2,
        data: ofOne,
        receives: [Go, Late],
        initial: 'a',
        states: { a: { on: { go: 'end', late: 'end' } }, end: { final: 'done' } },
      })
      await s.world.stop(s.app)
      const app = await s.world.start([service('s', { machines: [gone] })])
      expect(await app.send(gone, 'i', Go({}))).toMatchObject({ outcome: 'deferred' })
      expect(await stateOf(app, gone, 'i')).toMatchObject({ status: 'stalled', stalled: { code: 'STATE_GONE' } })
      expect(await messagesOf(app)).toEqual({ accepted: 1, waiting: 1 })
      await s.world.stop(app)
      const v2 = second(s.hands)
      const mended = await s.world.start(of(v2))
      await mended.operate.retry(v2, 'i', { why: 'migrated' }).catch(() => 0)
      await s.clock.settle()
      expect(await stateOf(mended, v2, 'i')).toMatchObject({ state: 'end', status: 'done' })
      expect(await messagesOf(mended)).toEqual({ accepted: 1, applied: 1 })
    })
  })

  describe('what this build does not know waits for one that does, and never dies (F52, F84, F88)', () => {
    test('an instance of a newer build', async () => {
      const s = await scene()
      const v2 = second(s.hands)
      const newer = await deploy(s, s.app, v2)
      await newer.run(v2, { id: 'i', data: { count: 1 } })
      const old = await deploy(s, newer, s.v1)
      await expect(old.send(s.v1, 'i', Go({})))
        .resolves.toMatchObject({ outcome: 'deferred' })
        .catch(async () => {
          await expect(old.send(s.v1, 'i', Go({}))).rejects.toMatchObject({ code: 'NEWER_BUILD' })
        })
      await expect(old.run(s.v1, { id: 'i', data: {} })).rejects.toMatchObject({ code: 'NEWER_BUILD' })
      expect(await instancesOf(old, s.v1)).toMatchObject({ started: 1, stalled: 0 })
      const again = await deploy(s, old, v2)
      await s.clock.leap(2 * MINUTE)
      expect(await stateOf(again, v2, 'i')).toMatchObject({ state: 'calling' })
      expect(await messagesOf(again)).not.toHaveProperty('dead')
    })
    test('its timers fire when a build comes that knows it, and this one does not spin on them', async () => {
      const s = await scene()
      const v2 = second(s.hands)
      const newer = await deploy(s, s.app, v2)
      await newer.run(v2, { id: 'i', data: { count: 1 } })
      const old = await deploy(s, newer, s.v1)
      let scans = 0
      s.world.faults.due = (through, ...call) => {
        scans += 1
        return through(...call)
      }
      await s.clock.leap(3 * HOUR)
      await s.clock.advance(MINUTE)
      expect(scans).toBeLessThan(100)
      expect((await old.health()).ready).toBe(true)
      const again = await deploy(s, old, v2)
      await s.clock.advance(SECOND)
      expect(await stateOf(again, v2, 'i')).toMatchObject({ state: 'c', data: { count: 22 } })
    })
    test('a message of a newer version', async () => {
      const Note = event('note', {
        data: z.object({ id: z.string(), text: z.string() }),
        key: (d) => d.id,
        version: 2,
        upcast: { 1: (old: { id: string }) => ({ id: old.id, text: 'old' }) },
      })
      const OldNote = event('note', { data: z.object({ id: z.string() }), key: (d) => d.id })
      const book = (note: typeof Note | typeof OldNote) =>
        machine('book', {
          data: z.object({ text: z.string().default('') }),
          receives: [note as typeof Note],
          initial: 'a',
          states: {
            a: { on: { note: { to: 'b', set: ({ message }) => ({ text: message.text ?? 'none' }) } } },
            b: { final: 'done' },
          },
        })
      const world = make()
      const [newer, older] = [book(Note), book(OldNote)]
      const app = await world.start([service('s', { machines: [newer] })])
      world.faults.inbox = () => new Promise(() => undefined)
      await app.transaction((tx) => void tx.send(newer, 'i', Note({ id: 'i', text: 'new' })))
      await world.crash(app)
      delete world.faults.inbox
      const old = await world.startAfterCrash([service('s', { machines: [older] })])
      await old.run(older, { id: 'i', data: {} })
      await world.clock.settle()
      expect(await messagesOf(old)).toEqual({ accepted: 1, waiting: 1 })
      expect(await stateOf(old, older, 'i')).toMatchObject({ state: 'a' })
      await world.clock.leap(3 * HOUR)
      expect(await messagesOf(old)).toEqual({ accepted: 1, waiting: 1 })
      await world.stop(old)
      const last = await world.start([service('s', { machines: [newer] })])
      await world.clock.leap(2 * MINUTE)
      await world.clock.settle()
      expect(await stateOf(last, newer, 'i')).toMatchObject({ state: 'b', data: { text: 'new' } })
    })
    test('an older message is made into the present one', async () => {
      const OldNote = event('note', { data: z.object({ id: z.string() }), key: (d) => d.id })
      const Note = event('note', {
        data: z.object({ id: z.string(), text: z.string() }),
        key: (d) => d.id,
        version: 2,
        upcast: { 1: (old: { id: string }) => ({ id: old.id, text: 'old' }) },
      })
      const states = { end: { final: 'done' } } as const
      const older = machine('book', {
        data: z.object({ text: z.string().default('') }),
        receives: [OldNote],
        initial: 'a',
        states: { a: { after: { '9 hours': 'b' } }, b: { on: { note: 'end' } }, ...states },
      })
      const newer = machine('book', {
        data: z.object({ text: z.string().default('') }),
        receives: [Note],
        initial: 'a',
        states: {
          a: { after: { '9 hours': 'b' } },
          b: { on: { note: { to: 'end', set: ({ message }) => ({ text: message.text }) } } },
          ...states,
        },
      })
      const world = make()
      const app = await world.start([service('s', { machines: [older] })])
      await app.run(older, { id: 'i', data: {} })
      await world.clock.leap(8.5 * HOUR)
      await app.emit(OldNote({ id: 'i' }))
      expect(await messagesOf(app)).toEqual({ accepted: 1, waiting: 1 })
      await world.stop(app)
      const next = await world.start([service('s', { machines: [newer] })])
      await world.clock.leap(40 * MINUTE)
      expect(await stateOf(next, newer, 'i')).toMatchObject({ state: 'end', data: { text: 'old' } })
      expect(await lastRow(next, newer, 'i')).toMatchObject({ cause: { name: 'note' } })
    })
    test('a machine: its messages and its instances', async () => {
      const s = await scene()
      await s.app.run(s.v1, { id: 'i', data: {} })
      s.world.faults.inbox = () => new Promise(() => undefined)
      await s.app.transaction((tx) => {
        tx.send(s.v1, 'i', Go({}))
        tx.send(s.v1, 'nobody', Late({ id: 'nobody' }))
      })
      await s.world.crash(s.app)
      delete s.world.faults.inbox
      const other = machine('other', {
        data: z.object({}),
        initial: 'a',
        states: { a: { after: { '1 day': 'b' } }, b: { final: 'done' } },
      })
      const without = await s.world.startAfterCrash([service('s', { machines: [other] })])
      await s.clock.settle()
      expect(await messagesOf(without)).toEqual({ accepted: 2, waiting: 2 })
      let scans = 0
      s.world.faults.due = (through, ...call) => {
        scans += 1
        return through(...call)
      }
      await s.clock.leap(3 * HOUR)
      await s.clock.advance(MINUTE)
      expect(scans).toBeLessThan(100)
      expect(await messagesOf(without)).toEqual({ accepted: 2, waiting: 2 })
      expect(await without.health()).toMatchObject({ ready: true })
      await s.world.stop(without)
      const app = await s.world.start(of(s.v1))
      await s.clock.leap(2 * MINUTE)
      await s.clock.settle()
      const { state } = await stateOf(app, s.v1, 'i')
      expect(['calling', 'end']).toContain(state)
      expect((await messagesOf(app)).dead).toBeUndefined()
    })
  })
})
