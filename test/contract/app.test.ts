// The app as its users hold it: lists, history, waiting for something, removing, transactions, listeners, its life, bad input.
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, pawl, service } from '../../src/index.ts'
import type { App, Lifecycle } from '../../src/index.ts'
import { sqliteStore } from '../../src/store/sqlite/store.ts'
import { DAY, type HandClock, MINUTE, SECOND } from '../support/hand-clock.ts'
import { deadOf, Hands, historyOf, instancesOf, lastRow, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Begin = event('begin', { data: z.object({ id: z.string(), any: z.unknown().optional() }), key: (d) => d.id })

function jobOf(hands: Hands) {
  const work = activity('work', {
    input: z.object({}),
    output: z.object({ n: z.number() }),
    timeout: '10 days',
    retry: { attempts: 1 },
    run: hands.run,
  })
  return machine('job', {
    data: z.object({ n: z.number().default(0), any: z.unknown().optional() }),
    receives: [Add, Begin],
    start: { begin: ({ any }) => ({ any }) },
    initial: 'a',
    states: {
      a: {
        on: {
          add: [
            { if: ({ message }) => message.n === 0, to: 'end' },
            { if: ({ message }) => message.n === -1, to: 'bad' },
            { if: ({ message }) => message.n === 50, to: 'calling' },
            { set: ({ data, message }) => ({ n: data.n + message.n }) },
          ],
        },
      },
      calling: { call: work, input: () => ({}), done: { to: 'b', set: ({ result }) => ({ n: result.n }) } },
      b: { on: { add: 'end' }, after: { '1 hour': 'end' } },
      end: { final: 'done' },
      bad: { final: 'failed' },
    },
  })
}

/** What another worker is asked for needs time. */
async function within<T>(clock: HandClock, work: Promise<T>): Promise<T> {
  let over = false
  void work.finally(() => (over = true)).catch(() => 0)
  for (let n = 0; n < 100 && !over; n++) await clock.advance(SECOND / 10)
  return work
}

onBothStores('the app', (make, kind) => {
  async function scene() {
    const hands = new Hands()
    const job = jobOf(hands)
    const services = [service('s', { machines: [job] })]
    const world = make()
    const app = await world.start(services)
    return { hands, job, services, world, app, clock: world.clock }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  const runs = ({ app, job }: Scene, count: number) =>
    Promise.all(Array.from({ length: count }, (_, n) => app.run(job, { id: `i${n}`, data: { n } })))

  describe('list', () => {
    async function some() {
      const s = await scene()
      await runs(s, 12)
      for (const n of [0, 1]) await s.app.send(s.job, `i${n}`, Add({ n: 0 }))
      await s.app.send(s.job, 'i2', Add({ n: -1 }))
      for (const n of [3, 4]) await s.app.send(s.job, `i${n}`, Add({ n: 50 }))
      await s.clock.settle()
      s.hands.at(0).throw(new Error('no answer'))
      await s.app.get(s.job, 'i5').cancel({ why: 'enough' })
      await s.clock.settle()
      const ids = async (o: object) => (await s.app.list(s.job, o)).items.map(({ id }) => id).sort()
      return { ...s, ids }
    }
    test('by state and status', async () => {
      const { ids } = await some()
      expect(await ids({ state: 'end' })).toEqual(['i0', 'i1'])
      expect(await ids({ status: 'done' })).toEqual(['i0', 'i1'])
      expect(await ids({ status: 'failed' })).toEqual(['i2'])
      expect(await ids({ status: 'cancelled' })).toEqual(['i5'])
      expect(await ids({ status: 'stalled' })).toEqual(['i3'])
      expect(await ids({ status: 'running' })).toEqual(['i4'])
      expect(await ids({ state: 'calling' })).toEqual(['i3', 'i4'])
      expect(await ids({ state: 'calling', status: 'stalled' })).toEqual(['i3'])
      expect(await ids({ status: 'waiting' })).toEqual(['i10', 'i11', 'i6', 'i7', 'i8', 'i9'])
      expect(await ids({})).toHaveLength(12)
    })
    test.each([1, 5, 100])('page by page, of %i: each once, to the end', async (limit) => {
      const { app, job } = await some()
      for (const o of [{}, { status: 'waiting' }, { state: 'calling' }, { status: 'done' }] as const) {
        const all = (await app.list(job, { ...o, limit: 1_000 })).items.map(({ id }) => id)
        const seen: string[] = []
        for (let after: string | undefined; seen.length <= 12;) {
          const page = await app.list(job, { ...o, limit, ...(after !== undefined && { after }) })
          expect(page.items.length).toBeLessThanOrEqual(limit)
          seen.push(...page.items.map(({ id }) => id))
          after = page.next
          if (after === undefined) break
        }
        expect([...seen].sort()).toEqual([...all].sort())
        expect(new Set(seen).size).toBe(all.length)
      }
    })
    test('what does not exist is told', async () => {
      const { app, job } = await some()
      await expect(app.list(job, { state: 'nowhere' as never })).rejects.toMatchObject({ code: 'UNKNOWN_STATE' })
      for (const limit of [0, -1, 1.5, 1e9, Number.NaN])
        await expect(app.list(job, { limit })).rejects.toMatchObject({ code: 'BAD_LIMIT' })
    })
    test('counts agree with it', async () => {
      const { app, job } = await some()
      expect(await instancesOf(app, job)).toEqual({
        started: 12,
        running: 1,
        waiting: 6,
        stalled: 1,
        done: 2,
        failed: 1,
        cancelled: 1,
        removed: 0,
        states: { a: 6, calling: 2 },
      })
    })
  })

  describe('history', () => {
    test('oldest first, over pages, from behind a number, so many', async () => {
      const s = await scene()
      await runs(s, 1)
      await Promise.all(Array.from({ length: 449 }, () => s.app.send(s.job, 'i0', Add({ n: 1 }))))
      const seqs = async (o?: { after?: number; limit?: number }) => {
        const found: number[] = []
        for await (const { seq } of s.app.get(s.job, 'i0').history(o)) found.push(seq)
        return found
      }
      expect(await seqs()).toEqual(Array.from({ length: 450 }, (_, n) => n + 1))
      expect(await seqs({ after: 447 })).toEqual([448, 449, 450])
      expect(await seqs({ after: 10, limit: 3 })).toEqual([11, 12, 13])
      expect(await seqs({ limit: 250 })).toHaveLength(250)
      expect(await seqs({ after: 450 })).toEqual([])
      expect(await seqs({ limit: 0 })).toEqual([])
    })
    test('of nobody: UNKNOWN_INSTANCE', async () => {
      const { app, job } = await scene()
      await expect(historyOf(app, job, 'nobody')).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    })
  })

  describe('reaches', () => {
    test('already there; comes there', async () => {
      const { app, job } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      expect(await handle.reaches('a')).toMatchObject({ state: 'a', seq: 1 })
      const reached = handle.reaches(['b', 'end'])
      await handle.send(Add({ n: 0 }))
      expect(await reached).toMatchObject({ state: 'end', status: 'done' })
    })
    test('comes there by the result of a call', async () => {
      const { app, job, hands, clock } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      const reached = handle.reaches('b')
      await handle.send(Add({ n: 50 }))
      await clock.settle()
      hands.at(0).answer({ n: 1 })
      expect(await reached).toMatchObject({ state: 'b', data: { n: 1 } })
    })
    test('passes through within one transaction: it has been there, and the snapshot is of now', async () => {
      const { app, job, hands, clock } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      await handle.send(Add({ n: 50 }))
      await clock.settle()
      expect(await handle.send(Add({ n: 1 }))).toMatchObject({ outcome: 'deferred' })
      const reached = handle.reaches('b')
      hands.at(0).answer({ n: 1 })
      expect(await reached).toMatchObject({ state: 'end', status: 'done', data: { n: 1 } })
    })
    test('passes through between two looks at the instance of another worker', async ({ skip }) => {
      const { app, job, hands, clock, world, services } = await scene()
      skip(kind !== 'memory', 'one worker alone')
      const other = await world.start(services)
      await clock.leap(MINUTE)
      // One of many is the other's.
      const ids = Array.from({ length: 8 }, (_, n) => `i${n}`)
      const handles = ids.map((id) => app.get(job, id))
      for (const id of ids) await other.get(job, (await within(clock, other.run(job, { id, data: {} }))).id).state()
      for (const handle of handles) await within(clock, handle.send(Add({ n: 50 })))
      for (const handle of handles) await within(clock, handle.send(Add({ n: 1 })))
      const reached = Promise.all(handles.map((handle) => handle.reaches('b')))
      await clock.advance(SECOND)
      for (const call of hands.calls) call.answer({ n: 1 })
      expect(await within(clock, reached)).toMatchObject(ids.map(() => ({ state: 'end' })))
    })
    test('ended elsewhere: INSTANCE_ENDED, at once or later', async () => {
      const { app, job } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      const waited = handle.reaches('b')
      waited.catch(() => 0)
      await handle.send(Add({ n: 0 }))
      await expect(waited).rejects.toMatchObject({ code: 'INSTANCE_ENDED', details: { state: 'end', status: 'done' } })
      await expect(handle.reaches('b')).rejects.toMatchObject({ code: 'INSTANCE_ENDED' })
    })
    test('within: WITHIN_ELAPSED, and it goes its way', async () => {
      const { app, job, clock } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      const waited = handle.reaches('b', { within: '2 seconds' })
      waited.catch(() => 0)
      await clock.advance(1.9 * SECOND)
      await clock.advance(0.2 * SECOND)
      await expect(waited).rejects.toMatchObject({ code: 'WITHIN_ELAPSED' })
      expect(await handle.state()).toMatchObject({ state: 'a' })
    })
    test('a state that does not exist; an instance that does not', async () => {
      const { app, job } = await scene()
      await expect(app.get(job, 'i').reaches('nowhere' as never)).rejects.toMatchObject({ code: 'UNKNOWN_STATE' })
      await expect(app.get(job, 'i').reaches('a')).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    })
  })

  describe('result', () => {
    test('a machine’s data', async () => {
      const { app, job } = await scene()
      const handle = await app.run(job, { id: 'i', data: { n: 5 } })
      const result = handle.result()
      await handle.send(Add({ n: 0 }))
      expect(await result).toEqual({ n: 5 })
      expect(await app.get(job, 'i').result()).toEqual({ n: 5 })
    })
    test('failed or cancelled: INSTANCE_ENDED', async () => {
      const { app, job } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      const result = handle.result()
      result.catch(() => 0)
      await handle.send(Add({ n: -1 }))
      await expect(result).rejects.toMatchObject({
        code: 'INSTANCE_ENDED',
        details: { state: 'bad', status: 'failed' },
      })
    })
    test('stalled: waits on, or INSTANCE_STALLED where that is asked for', async () => {
      const { app, job, hands, clock } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      const patient = handle.result({ within: '1 day' })
      const hasty = handle.result({ rejectOnStall: true })
      hasty.catch(() => 0)
      await handle.send(Add({ n: 50 }))
      await clock.settle()
      hands.at(0).throw(new Error('no answer'))
      await expect(hasty).rejects.toMatchObject({ code: 'INSTANCE_STALLED', details: { code: 'RETRIES_EXHAUSTED' } })
      await app.operate.resolve(job, 'i', { result: { n: 9 }, why: 'by phone' })
      await handle.send(Add({ n: 1 }))
      expect(await patient).toEqual({ n: 9 })
    })
    test('within: WITHIN_ELAPSED', async () => {
      const { app, job, clock } = await scene()
      const handle = await app.run(job, { id: 'i', data: {} })
      const result = handle.result({ within: '1 minute' })
      result.catch(() => 0)
      await clock.advance(61 * SECOND)
      await expect(result).rejects.toMatchObject({ code: 'WITHIN_ELAPSED' })
    })
  })

  describe('remove', () => {
    const by = { why: 'asked to be forgotten', by: 'ann' }
    async function ended() {
      const s = await scene()
      await s.app.emit(Begin({ id: 'i' }), { id: 'own' })
      await s.app.send(s.job, 'i', Add({ n: 0 }))
      return s
    }
    test('an ended instance is gone with its journal, and counted', async () => {
      const { app, job } = await ended()
      await app.remove(job, 'i', by)
      await expect(app.get(job, 'i').state()).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
      await expect(historyOf(app, job, 'i')).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
      expect(await instancesOf(app, job)).toMatchObject({ started: 1, done: 0, removed: 1 })
      await expect(app.remove(job, 'i', by)).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    })
    test('one that lives is not: INSTANCE_NOT_ENDED', async () => {
      const { app, job } = await scene()
      await app.run(job, { id: 'i', data: {} })
      await expect(app.remove(job, 'i', by)).rejects.toMatchObject({ code: 'INSTANCE_NOT_ENDED' })
      expect(await stateOf(app, job, 'i')).toMatchObject({ state: 'a' })
    })
    test('a late message does not start it again, `run` is told, and a command finds nobody', async () => {
      const { app, job, clock } = await ended()
      await app.remove(job, 'i', by)
      await app.emit(Begin({ id: 'i' }))
      await app.transaction((tx) => void tx.send(job, 'i', Begin({ id: 'i' })))
      await clock.settle()
      await expect(app.run(job, { id: 'i', data: {} })).rejects.toMatchObject({ code: 'INSTANCE_REMOVED' })
      await expect(app.send(job, 'i', Add({ n: 1 }))).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
      expect(await instancesOf(app, job)).toMatchObject({ started: 1, removed: 1 })
      expect(await messagesOf(app)).toEqual({ accepted: 4, applied: 2, unclaimed: 2 })
    })
    test('a late command of which nobody hears is a dead letter; sent again it is one anew', async () => {
      const { app, job, clock } = await ended()
      await app.remove(job, 'i', by)
      await app.send(job, 'i', Add({ n: 1 }), { until: 'stored' })
      await app.transaction((tx) => void tx.send(job, 'i', Add({ n: 2 }), { id: 'own-2' }))
      await clock.settle()
      expect(await deadOf(app)).toMatchObject([{ code: 'UNKNOWN_INSTANCE' }, { code: 'UNKNOWN_INSTANCE' }])
      expect(await messagesOf(app)).toEqual({ accepted: 4, applied: 2, dead: 2 })
      expect(await app.send(job, 'i', Add({ n: 2 }), { id: 'own-2' })).toMatchObject({
        outcome: 'duplicate',
        became: 'dead',
      })
      const [letter] = (await app.operate.deadLetters.list()).items
      await expect(app.operate.deadLetters.redrive(letter!.id, { why: 'x' })).rejects.toMatchObject({
        code: 'UNKNOWN_INSTANCE',
      })
      expect(await messagesOf(app)).toEqual({ accepted: 4, applied: 2, dead: 2 })
    })
    test('after receipts of that time are gone its id is free', async () => {
      const { app, job, clock } = await ended()
      await app.remove(job, 'i', by)
      await clock.leap(9 * DAY)
      await clock.advance(MINUTE)
      expect((await app.run(job, { id: 'i', data: {} })).created).toBe(true)
    })
  })

  describe('transaction', () => {
    test('what the work throws undoes all of it, and is what the caller gets', async () => {
      const { app, job, clock } = await scene()
      await app.run(job, { id: 'i', data: {} })
      const own = new Error('my own')
      await expect(
        app.transaction((tx) => {
          tx.send(job, 'i', Add({ n: 1 }))
          tx.emit(Begin({ id: 'new' }))
          throw own
        }),
      ).rejects.toBe(own)
      await clock.settle()
      expect(await messagesOf(app)).toEqual({})
      expect(await stateOf(app, job, 'i')).toMatchObject({ seq: 1 })
    })
    test('its messages come together, in order, and their ids are given', async () => {
      const { app, job, clock } = await scene()
      const ids = await app.transaction((tx) => [
        tx.emit(Begin({ id: 'new' }), { id: 'own', by: 'ann' }),
        tx.send(job, 'new', Add({ n: 1 })),
        tx.send(job, 'new', Add({ n: 2 })),
      ])
      await clock.settle()
      expect(ids[0]).toBe('own')
      expect(ids[1]).toMatch(/^[0-9a-f-]{36}$/)
      const rows = await historyOf(app, job, 'new')
      expect(rows.map(({ cause }) => cause.kind)).toEqual(['start', 'message', 'message'])
      expect(rows[0]?.cause).toMatchObject({ id: 'own', by: 'ann' })
      expect(rows[1]?.cause.id).toBe(ids[1])
      expect(await stateOf(app, job, 'new')).toMatchObject({ data: { n: 3 } })
    })
    test('asynchronous work is refused', async () => {
      const { app, job, clock } = await scene()
      await app.run(job, { id: 'i', data: {} })
      const work = async (tx: { send: (...given: never[]) => unknown }) => {
        tx.send(job as never, 'i' as never, Add({ n: 1 }) as never)
        await Promise.reject(new Error('nobody hears this'))
      }
      await expect(app.transaction(work as never)).rejects.toMatchObject({ code: 'ASYNC_TRANSACTION' })
      await clock.settle()
      expect(await messagesOf(app)).toEqual({})
    })
    test('it cannot be used after it is over', async () => {
      const { app, job } = await scene()
      let kept: { send(to: typeof job, id: string, message: ReturnType<typeof Add>): string } | undefined
      await app.transaction((tx) => void (kept = tx))
      expect(() => kept?.send(job, 'i', Add({ n: 1 }))).toThrow(expect.objectContaining({ code: 'TRANSACTION_OVER' }))
    })
    test('bad messages are told inside it', async () => {
      const { app, job } = await scene()
      await expect(app.transaction((tx) => void tx.send(job, '', Add({ n: 1 })))).rejects.toMatchObject({
        code: 'BAD_ID',
      })
      await expect(app.transaction((tx) => void tx.emit({ type: 'begin', data: {} }))).rejects.toMatchObject({
        code: 'BAD_DATA',
      })
      await expect(app.transaction((tx) => void tx.emit(Add({ n: 1 })))).rejects.toMatchObject({ code: 'BAD_MESSAGE' })
    })
    if (kind === 'memory')
      test('rows of one’s own: NO_SQL, and messages go all the same', async () => {
        const { app, job } = await scene()
        await expect(app.transaction((tx) => tx.sql('select 1'))).rejects.toMatchObject({ code: 'NO_SQL' })
        await expect(
          app.transaction((tx) => {
            tx.send(job, 'nobody', Begin({ id: 'nobody' }))
            return 7
          }),
        ).resolves.toBe(7)
      })
    else
      test('rows of one’s own, in the same commit', async () => {
        const { app, job, clock } = await scene()
        await app.transaction((tx) => void tx.sql('create table carts (id text primary key, n integer)'))
        await app.transaction((tx) => {
          tx.sql('insert into carts values (?, ?)', ['o-1', 3])
          tx.emit(Begin({ id: 'o-1' }))
        })
        await expect(
          app.transaction((tx) => {
            tx.emit(Begin({ id: 'o-2' }))
            tx.sql('insert into carts values (?, ?)', ['o-1', 4])
          }),
        ).rejects.toThrow(/UNIQUE/)
        await clock.settle()
        expect(await app.transaction((tx) => tx.sql('select * from carts'))).toEqual([{ id: 'o-1', n: 3 }])
        expect((await app.list(job)).items.map(({ id }) => id)).toEqual(['o-1'])
        expect(await messagesOf(app)).toEqual({ accepted: 1, applied: 1 })
      })
  })

  describe('listeners', () => {
    test('one that throws is logged, and changes nothing; the others hear it', async () => {
      const { app, job, world } = await scene()
      const heard: Lifecycle[] = []
      app.on(() => {
        throw new Error('a bad listener')
      })
      app.on((e) => void heard.push(e))
      await app.run(job, { id: 'i', data: {} })
      expect(heard.map(({ kind: of }) => of)).toEqual(['transition', 'commit'])
      expect(world.logs.some(({ text }) => text.includes('a bad listener'))).toBe(true)
      expect(await app.health()).toMatchObject({ ready: true })
    })
    test('what `on` returns ends that one alone, and may be called twice', async () => {
      const { app, job } = await scene()
      let heard = 0
      const listener = () => void (heard += 1)
      const off = app.on(listener)
      app.on(listener)
      await app.run(job, { id: 'i', data: {} })
      expect(heard).toBe(4)
      off()
      off()
      await app.run(job, { id: 'j', data: {} })
      expect(heard).toBe(6)
    })
    test('a transition is told after it is durable, with what it was', async () => {
      const { app, job, world } = await scene()
      await app.run(job, { id: 'i', data: {} })
      const heard: Lifecycle[] = []
      app.on((e) => void heard.push(e))
      let durable = false
      world.faults.commit = async (through, ...call) => {
        const result = await through(...call)
        expect(heard).toEqual([])
        durable = true
        return result
      }
      await app.send(job, 'i', Add({ n: 2 }), { by: 'ann' })
      expect(durable).toBe(true)
      expect(heard).toMatchObject([
        {
          kind: 'transition',
          machine: 'job',
          id: 'i',
          seq: 2,
          from: 'a',
          to: 'a',
          outcome: 'applied',
          cause: { kind: 'message', name: 'add', by: 'ann' },
        },
        { kind: 'commit', size: 1, ms: expect.any(Number) as number },
      ])
      expect(heard.every(({ at }) => at instanceof Date)).toBe(true)
    })
  })

  describe('its life', () => {
    const calls = (app: App, job: Scene['job']) =>
      [
        () => app.run(job, { data: {} }),
        () => app.send(job, 'i', Add({ n: 1 })),
        () => app.emit(Begin({ id: 'i' })),
        () => app.get(job, 'i').state(),
        () => app.get(job, 'i').result(),
        () => app.list(job),
        () => app.counts(),
        () => app.workers(),
        () => app.transaction(() => 0),
        () => app.operate.retry(job, 'i', { why: 'x' }),
        () => app.operate.deadLetters.list(),
        () => app.operate.each(job, {}, { do: 'retry', why: 'x' }),
        () => app.remove(job, 'i', { why: 'x' }),
        () => app.backup('/nowhere'),
      ] as const
    test('before `start`: NOT_STARTED', async () => {
      const { services, world, job } = await scene()
      const app = world.make(services)
      for (const call of calls(app, job)) await expect(call()).rejects.toMatchObject({ code: 'NOT_STARTED' })
      expect(await app.health()).toMatchObject({
        ready: false,
        alive: true,
        problems: [expect.stringContaining('not started') as string],
      })
      await app.stop()
    })
    test('after `stop`: STOPPED; a second stop is nothing', async () => {
      const { app, job, world } = await scene()
      await world.stop(app)
      for (const call of calls(app, job)) await expect(call()).rejects.toMatchObject({ code: 'STOPPED' })
      expect(await app.health()).toMatchObject({ ready: false, alive: false })
      await app.stop()
    })
    test('started twice: ALREADY_STARTED', async () => {
      const { app } = await scene()
      await expect(app.start()).rejects.toMatchObject({ code: 'ALREADY_STARTED' })
      expect(await app.health()).toMatchObject({ ready: true })
    })
    test('stopped while it is busy: what was accepted is answered, or its sender is told', async () => {
      const { app, job, world, services } = await scene()
      const sent = Array.from({ length: 300 }, (_, n) =>
        app.run(job, { id: `i${n}`, data: {} }).then(
          () => n,
          (error: { code: string }) => error.code,
        ),
      )
      await world.stop(app)
      const told = await Promise.all(sent)
      const done = told.filter((one) => typeof one === 'number').length
      expect(told.filter((one) => typeof one === 'string' && one !== 'STOPPED')).toEqual([])
      const next = await world.start(services)
      expect((await next.counts()).instances['job']?.started).toBe(done)
    })
    test('two stops at once are one', async () => {
      const { app, hands, job, clock } = await scene()
      await app.run(job, { id: 'i', data: {} })
      await app.send(job, 'i', Add({ n: 50 }))
      await clock.settle()
      const both = Promise.all([app.stop(), app.stop()])
      await clock.settle()
      hands.at(0).answer({ n: 1 })
      await clock.advance(20 * SECOND)
      await both
      expect(await app.health()).toMatchObject({ alive: false })
    })
    test('health and workers', async () => {
      const { app, world } = await scene()
      expect(await app.health()).toEqual({ ready: true, alive: true, store: 'ok', problems: [] })
      const [worker] = await app.workers()
      expect(worker).toMatchObject({ partitions: 64, lagMs: 0, session: world.engine(app).parts.sessions.id })
      expect(worker?.build).toMatch(/.{10,}/)
      expect(worker?.expiresAt).toBeInstanceOf(Date)
      expect(worker?.busy).toBeGreaterThanOrEqual(0)
    })
    if (kind === 'sqlite') {
      test('two apps on one file (F33): the second is refused, the first goes on', async () => {
        const { app, services, world, job } = await scene()
        const second = world.make(services)
        await expect(second.start()).rejects.toMatchObject({ code: 'STORE_IN_USE' })
        expect((await app.run(job, { id: 'i', data: {} })).created).toBe(true)
        await world.stop(app)
        const third = await world.start(services)
        expect(await stateOf(third, job, 'i')).toMatchObject({ state: 'a' })
      })
      test('backup, while it runs: a whole copy', async () => {
        const s = await scene()
        await runs(s, 20)
        const path = join(s.world.folder, 'copy.db')
        await s.app.backup(path)
        await s.app.run(s.job, { id: 'later', data: {} })
        const store = sqliteStore(path, { clock: s.clock })
        await store.open({})
        const { items } = await store.list({ machine: 'job', limit: 100 })
        expect(items).toHaveLength(20)
        expect((await store.recount()).instances['job']).toMatchObject({ started: 20, waiting: 20 })
        await store.close()
        await expect(s.app.backup(path)).rejects.toMatchObject({ code: expect.any(String) as string })
      })
    } else
      test('no backup of what is in memory', async () => {
        const { app } = await scene()
        await expect(app.backup('/nowhere')).rejects.toMatchObject({ code: 'NO_BACKUP' })
      })
  })

  describe('bad input', () => {
    test('a machine of another app', async () => {
      const { app } = await scene()
      const stranger = machine('stranger', {
        data: z.object({}),
        receives: [Add],
        initial: 'a',
        states: { a: { on: { add: 'b' } }, b: { final: 'done' } },
      })
      const unknown = { code: 'UNKNOWN_MACHINE', message: expect.stringContaining('job') as string }
      await expect(app.run(stranger, { data: {} })).rejects.toMatchObject(unknown)
      await expect(app.send(stranger, 'i', Add({ n: 1 }))).rejects.toMatchObject(unknown)
      await expect(app.list(stranger)).rejects.toMatchObject(unknown)
      await expect(app.operate.retry(stranger, 'i', { why: 'x' })).rejects.toMatchObject(unknown)
      await expect(app.operate.each(stranger, {}, { do: 'retry', why: 'x' })).rejects.toMatchObject(unknown)
      expect(() => app.get(stranger, 'i')).toThrow(expect.objectContaining({ code: 'UNKNOWN_MACHINE' }))
      await expect(app.run({ name: 'job' } as never, { data: {} as never })).rejects.toMatchObject({
        code: 'BAD_DEFINITION',
      })
    })
    test('options that only plain JavaScript can get wrong are told before anything is done', async () => {
      const { app, job } = await scene()
      const bad = { code: 'BAD_OPTION' }
      await expect(app.run(job, undefined as never)).rejects.toMatchObject(bad)
      await expect(app.list(job, { status: 'zz' as never })).rejects.toMatchObject(bad)
      const both = { result: {}, failure: 'No', why: 'x' } as never
      await expect(app.operate.resolve(job, 'i', both)).rejects.toMatchObject(bad)
      await expect(app.operate.resolve(job, 'i', { why: 'x' } as never)).rejects.toMatchObject(bad)
      const few = { code: 'BAD_LIMIT' }
      await expect(app.operate.each(job, { limit: -1 }, { do: 'retry', why: 'x' })).rejects.toMatchObject(few)
      expect(await instancesOf(app, job)).toMatchObject({ started: 0 })
    })
    test.each([
      ['empty', ''],
      ['256 bytes', 'x'.repeat(256)],
      ['of 128 two-byte characters', 'é'.repeat(128)],
      ['a newline', 'a\nb'],
      ['NUL (F69)', 'a\u0000b'],
      ['half a surrogate pair', 'a\ud800'],
      ['a number', 7],
      ['null', null],
      ['an object', {}],
    ])('an id that is none: %s (F75)', async (_, id) => {
      const { app, job } = await scene()
      const bad = { code: 'BAD_ID' }
      await expect(app.run(job, { id: id as string, data: {} })).rejects.toMatchObject(bad)
      await expect(app.send(job, id as string, Add({ n: 1 }))).rejects.toMatchObject(bad)
      await expect(app.send(job, 'i', Add({ n: 1 }), { id: id as string })).rejects.toMatchObject(bad)
      await expect(app.operate.retry(job, id as string, { why: 'x' })).rejects.toMatchObject(bad)
      expect(() => app.get(job, id as string)).toThrow(expect.objectContaining(bad))
      expect(await instancesOf(app, job)).toMatchObject({ started: 0 })
    })
    test.each([
      "'; drop table pawl_instances; --",
      '$1',
      '%',
      '..',
      '__proto__',
      'constructor',
      '👍🏽',
      '\u202egnp.exe',
      'x'.repeat(255),
      ' ',
      'a/b',
    ])('an id like any other: %s (F75)', async (id) => {
      const { app, job, world, services } = await scene()
      expect((await app.run(job, { id, data: {} })).id).toBe(id)
      expect(await app.send(job, id, Add({ n: 2 }), { id })).toMatchObject({ outcome: 'applied' })
      await world.stop(app)
      const next = await world.start(services)
      expect(await stateOf(next, job, id)).toMatchObject({ id, data: { n: 2 } })
      expect((await next.list(job)).items.map((one) => one.id)).toEqual([id])
    })
    test('two writings of one id are one instance (F75)', async () => {
      const { app, job } = await scene()
      await app.run(job, { id: 'caf\u00e9', data: {} })
      expect((await app.run(job, { id: 'cafe\u0301', data: {} })).created).toBe(false)
      expect(await app.send(job, 'cafe\u0301', Add({ n: 2 }))).toMatchObject({ outcome: 'applied' })
      expect(await stateOf(app, job, 'caf\u00e9')).toMatchObject({ id: 'caf\u00e9', data: { n: 2 } })
    })
    test.each([
      ['a bigint', 1n],
      ['a date', new Date(0)],
      ['a map', new Map()],
      ['a function', () => 1],
      ['undefined in a list', [undefined]],
      ['NaN', Number.NaN],
      ['Infinity', Number.POSITIVE_INFINITY],
      ['half a surrogate pair (F70)', '\ud800'],
    ])('data that are no JSON: %s (F72)', async (_, any) => {
      const { app, job } = await scene()
      await expect(app.run(job, { id: 'i', data: { any } })).rejects.toMatchObject({ code: 'NOT_JSON' })
      await expect(app.send(job, 'i', { type: 'add', data: { n: any } } as never)).rejects.toMatchObject({
        code: 'NOT_JSON',
      })
      await expect(app.emit({ type: 'begin', data: { id: 'i', any } })).rejects.toMatchObject({ code: 'NOT_JSON' })
      expect(await messagesOf(app)).toEqual({})
    })
    test('data that are odd JSON come back as they were (F69, F71)', async () => {
      const { app, job, world, services } = await scene()
      const any = JSON.parse(
        '{"__proto__":{"x":1},"constructor":{"prototype":1},"nul":"a\\u0000b","deep":[[[{}]]],"big":9007199254740991,"small":-1.5e-300,"text":"👍🏽 \\u2028"}',
      ) as unknown
      await app.run(job, { id: 'i', data: { any } })
      await app.emit(Begin({ id: 'j', any }))
      await world.stop(app)
      const next = await world.start(services)
      for (const id of ['i', 'j'])
        expect(JSON.stringify((await stateOf(next, job, id)).data.any)).toBe(JSON.stringify(any))
      expect(({} as Record<string, unknown>)['x']).toBeUndefined()
    })
    test('more data than fit: told with the limit (F68)', async () => {
      const { app, job } = await scene()
      await expect(app.run(job, { id: 'i', data: { any: 'x'.repeat(300_000) } })).rejects.toMatchObject({
        message: expect.stringContaining('262144') as string,
      })
      expect(await instancesOf(app, job)).toMatchObject({ started: 0 })
    })
    test('what is given stays the caller’s, to change at will; what has come in does not change with it', async () => {
      const { app, job, hands, clock } = await scene()
      const data = { any: { list: [1] } }
      const started = app.run(job, { id: 'i', data })
      data.any.list.push(2)
      await started
      const { data: kept } = await stateOf(app, job, 'i')
      expect(kept.any).toEqual({ list: [1] })
      expect(() => (kept.any as { list: number[] }).list.push(3)).toThrow(TypeError)
      const payload = { id: 'j', any: { list: [1] } }
      const emitted = app.emit(Begin(payload))
      payload.any.list.push(2)
      await emitted
      expect((await stateOf(app, job, 'j')).data.any).toEqual({ list: [1] })
      const added = { n: 5 }
      const sent = app.send(job, 'j', Add(added))
      added.n = 50
      await sent
      expect((await stateOf(app, job, 'j')).data.n).toBe(5)
      await app.send(job, 'i', Add({ n: 50 }))
      await clock.settle()
      const output = { n: 1 }
      hands.at(0).answer(output)
      await clock.settle()
      output.n = 2
      expect((await stateOf(app, job, 'i')).data.n).toBe(1)
    })
    test('what a definition holds and returns stays as free as it was', async () => {
      const cached = { list: [1] }
      const holder = machine('holder', {
        data: z.object({ any: z.unknown().optional() }),
        receives: [Begin],
        start: { begin: () => ({}) },
        initial: 'a',
        states: { a: { on: { begin: { to: 'b', set: () => ({ any: cached }) } } }, b: { final: 'done' } },
      })
      const app = await make().start([service('h', { machines: [holder] })])
      for (const id of ['i', 'j']) {
        await app.run(holder, { id, data: {} })
        await app.emit(Begin({ id }))
        expect((await stateOf(app, holder, id)).data.any).toEqual(cached)
        cached.list.push(2)
      }
      expect((await stateOf(app, holder, 'i')).data.any).toEqual({ list: [1] })
    })
    test('durations that are none', async () => {
      const { app, job } = await scene()
      await app.run(job, { id: 'i', data: {} })
      for (const within of ['soon', '5', '-1 seconds', '0 seconds', '999999 days'])
        await expect(app.get(job, 'i').result({ within: within as never })).rejects.toMatchObject({
          code: 'BAD_DURATION',
        })
    })
  })
})

test('what `pawl` is given is checked, all at once', () => {
  const empty = machine('empty', {
    data: z.object({}),
    initial: 'a',
    states: { a: { after: { '1 day': 'b' } }, b: { final: 'done' } },
  })
  const services = [service('s', { machines: [empty] })]
  for (const o of [
    { services, store: 'mongodb://x' },
    { services, store: 'sqlite:' },
    { services },
    { services, store: 'memory:', partitions: 0 },
    { services, store: 'memory:', lease: 'soon' },
    { services, store: 'memory:', retention: { ended: '1 day' } },
    { services, store: 'memory:', http: { base: 'api' } },
    { services: [services[0], services[0]], store: 'memory:' },
    { services: [{}], store: 'memory:' },
  ])
    expect(() => pawl(o as never), JSON.stringify(o)).toThrow(
      expect.objectContaining({ code: expect.stringMatching(/^BAD_/) as string }),
    )
})

test('a worker in real time: `pawl` itself, on memory:', async () => {
  const quick = machine('quick', {
    data: z.object({}),
    initial: 'a',
    states: { a: { after: { '20 ms': 'b' } }, b: { final: 'done' } },
  })
  const app = pawl({ services: [service('s', { machines: [quick] })], store: 'memory:' })
  await app.start()
  const handle = await app.run(quick, { data: {} })
  expect(await handle.result({ within: '5 seconds' })).toEqual({})
  expect(await lastRow(app, quick, handle.id)).toMatchObject({ cause: { kind: 'timer' } })
  await app.stop()
})
