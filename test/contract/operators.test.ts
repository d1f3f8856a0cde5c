// What an operator does: retry, resolve, move, cancel, one by one or for many; dead letters. Journalled with who and why.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import { HOUR, SECOND } from '../support/hand-clock.ts'
import { deadOf, Hands, historyOf, instancesOf, lastRow, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Begin = event('begin', { data: z.object({ id: z.string(), n: z.number() }), key: (d) => d.id })
const by = { by: 'ann', why: 'told by phone' }

function jobOf(hands: Hands) {
  const one = activity('one', {
    input: z.object({}),
    output: z.object({ n: z.number() }),
    failures: ['No'],
    retry: { attempts: 2, first: '1 second' },
    run: hands.run,
  })
  const two = activity('two', {
    input: z.object({}),
    output: z.object({ n: z.number() }),
    retry: { attempts: 1 },
    run: hands.run,
  })
  return machine('job', {
    data: z.object({ n: z.number().default(0), why: z.string().optional() }),
    receives: [Add, Begin],
    start: {
      begin: ({ n }) => {
        if (n === 13) throw new Error('thirteen')
        return { n }
      },
    },
    cancel: { to: 'given up', set: ({ why }) => ({ why }) },
    initial: 'calling',
    states: {
      calling: {
        call: one,
        input: () => ({}),
        done: { to: 'open', set: ({ result }) => ({ n: result.n }) },
        fail: { No: 'open' },
      },
      open: {
        on: {
          add: [
            { if: ({ message }) => message.n === 99, to: 'both' },
            { if: ({ message }) => message.n === 50, to: 'done' },
            {
              set: ({ data, message }) => {
                if (message.n === 13) throw new Error('thirteen')
                return { n: data.n + message.n }
              },
            },
          ],
        },
        after: { '1 hour': { to: 'done', set: ({ data }) => ({ n: data.n === 7 ? ('seven' as never) : 1 }) } },
      },
      both: {
        call: { one, two },
        input: { one: () => ({}), two: () => ({}) },
        done: { to: 'open', set: ({ results }) => ({ n: results.one.n + results.two.n }) },
      },
      done: { final: 'done' },
      'given up': { final: 'cancelled' },
    },
  })
}

onBothStores('operators', (make) => {
  async function scene() {
    const hands = new Hands()
    const job = jobOf(hands)
    const services = [service('s', { machines: [job] })]
    const world = make()
    const app = await world.start(services)
    return { hands, job, world, app, services, clock: world.clock }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  /** Uses up the retries of `one`. */
  async function stall({ app, job, hands, clock }: Scene, id: string): Promise<void> {
    await app.run(job, { id, data: {} })
    for (let attempt = 0; attempt < 2; attempt++) {
      await clock.advance(5 * SECOND)
      hands.at(-1).throw(new Error('no answer'))
      await clock.settle()
    }
    expect(await stateOf(app, job, id)).toMatchObject({ status: 'stalled', stalled: { code: 'RETRIES_EXHAUSTED' } })
  }
  /** In `open`. */
  async function opened(s: Scene, id: string, n = 0): Promise<void> {
    await s.app.run(s.job, { id, data: {} })
    await s.clock.settle()
    s.hands.at(-1).answer({ n })
    await s.clock.settle()
    expect(await stateOf(s.app, s.job, id)).toMatchObject({ state: 'open' })
  }
  async function stalled(): Promise<Scene> {
    const s = await scene()
    await stall(s, 'i')
    return s
  }

  describe('retry', () => {
    test('the call is tried again, with all its attempts, under its key', async () => {
      const s = await stalled()
      expect(await s.app.operate.retry(s.job, 'i', by)).toMatchObject({ outcome: 'applied', state: 'calling' })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({
        cause: { kind: 'operator', name: 'retry', by: 'ann' },
        outcome: 'applied',
        ...by,
      })
      await s.clock.settle()
      expect(s.hands.calls).toHaveLength(3)
      expect(new Set(s.hands.calls.map(({ key }) => key)).size).toBe(1)
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'running' })
      s.hands.at(-1).throw(new Error('again'))
      await s.clock.advance(5 * SECOND)
      expect(s.hands.calls).toHaveLength(4)
      s.hands.at(-1).answer({ n: 3 })
      await s.clock.settle()
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'open', data: { n: 3 } })
    })
    test('newKey: under a new key', async () => {
      const s = await stalled()
      await s.app.operate.retry(s.job, 'i', { ...by, newKey: true })
      await s.clock.settle()
      const keys = s.hands.calls.map(({ key }) => key)
      expect(keys[2]).not.toBe(keys[0])
      expect(keys[2]).toMatch(/^[a-z0-9]{26}-\d+-[a-z0-9]{8}$/)
      s.hands.at(-1).answer({ n: 3 })
      await s.clock.settle()
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'open' })
    })
    test('newKey: a late success under the old key does not count', async () => {
      const s = await stalled()
      await s.app.operate.retry(s.job, 'i', { ...by, newKey: true })
      await s.clock.settle()
      s.hands.at(0).answer({ n: 1_000 })
      await s.clock.settle()
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'calling', status: 'running' })
    })
    test('what a handler threw on is tried again', async () => {
      const s = await scene()
      await opened(s, 'i', 7)
      await s.clock.leap(2 * HOUR)
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'stalled', stalled: { code: 'HANDLER_FAILED' } })
      await s.app.operate.retry(s.job, 'i', by)
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'stalled' })
      expect(await instancesOf(s.app, s.job)).toMatchObject({ stalled: 1, waiting: 0 })
    })
    test('what is not stalled, or has ended: refused, and journalled (F89)', async () => {
      const s = await scene()
      await opened(s, 'i')
      expect(await s.app.operate.retry(s.job, 'i', by)).toMatchObject({ outcome: 'refused', why: 'not-stalled' })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ outcome: 'refused', ...by, cause: { kind: 'operator' } })
      await s.app.send(s.job, 'i', Add({ n: 50 }))
      expect(await s.app.operate.retry(s.job, 'i', by)).toMatchObject({ outcome: 'refused', why: 'ended' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, applied: 1 })
    })
    test('twice at once: the second is told (F89)', async () => {
      const s = await stalled()
      const both = await Promise.all([s.app.operate.retry(s.job, 'i', by), s.app.operate.retry(s.job, 'i', by)])
      expect(both).toMatchObject([{ outcome: 'applied' }, { outcome: 'refused', why: 'not-stalled' }])
      await s.clock.settle()
      expect(s.hands.calls).toHaveLength(3)
    })
  })

  describe('resolve', () => {
    test('a result', async () => {
      const s = await stalled()
      expect(await s.app.operate.resolve(s.job, 'i', { ...by, result: { n: 8 } })).toMatchObject({
        outcome: 'applied',
        state: 'open',
      })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'open', data: { n: 8 }, status: 'waiting' })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ ...by, cause: { kind: 'operator', name: 'resolve' } })
    })
    test('a declared failure', async () => {
      const s = await stalled()
      await s.app.operate.resolve(s.job, 'i', { ...by, failure: 'No' })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'open', data: { n: 0 } })
    })
    test.each([
      ['a result that does not fit', { result: { n: 'x' } }, 'BAD_DATA'],
      ['a result that is no JSON', { result: { n: 1n } }, 'NOT_JSON'],
      ['a failure that is not declared', { failure: 'Nope' }, 'NO_SUCH_FAILURE'],
      ['a call that is not open', { call: 'three', result: { n: 1 } }, 'NO_SUCH_CALL'],
    ])('%s is told, and nothing has happened', async (_, settled, code) => {
      const s = await stalled()
      const before = await historyOf(s.app, s.job, 'i')
      await expect(s.app.operate.resolve(s.job, 'i', { ...by, ...settled } as never)).rejects.toMatchObject({ code })
      expect(await historyOf(s.app, s.job, 'i')).toEqual(before)
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'stalled' })
    })
    test('one of several calls, by its name', async () => {
      const s = await scene()
      await opened(s, 'i')
      await s.app.send(s.job, 'i', Add({ n: 99 }))
      await s.clock.settle()
      const [one, two] = s.hands.calls.slice(-2)
      two?.throw(new Error('no answer'))
      one?.answer({ n: 1 })
      await s.clock.settle()
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'stalled', state: 'both' })
      await s.app.operate.resolve(s.job, 'i', { ...by, call: 'two', result: { n: 2 } })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'open', data: { n: 3 } })
    })
    test('a late answer of the attempt after it changes nothing (F06)', async () => {
      const s = await stalled()
      await s.app.operate.resolve(s.job, 'i', { ...by, result: { n: 8 } })
      s.hands.at(0).answer({ n: 1_000 })
      await s.clock.settle()
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ data: { n: 8 } })
    })
  })

  describe('move', () => {
    test('along an edge, with what it is given', async () => {
      const s = await scene()
      await opened(s, 'i')
      expect(await s.app.operate.move(s.job, 'i', { ...by, to: 'done', payload: { n: 50 } })).toMatchObject({
        outcome: 'applied',
        state: 'done',
      })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({
        ...by,
        from: 'open',
        to: 'done',
        cause: { name: 'move' },
      })
      expect(await instancesOf(s.app, s.job)).toMatchObject({ done: 1, waiting: 0 })
    })
    test('with corrected data, out of a stall', async () => {
      const s = await stalled()
      await s.app.operate.move(s.job, 'i', { ...by, to: 'open', payload: { n: 4 }, data: { why: 'mended' } })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({
        state: 'open',
        status: 'waiting',
        data: { n: 4, why: 'mended' },
      })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ changed: { n: 4, why: 'mended' } })
    })
    test.each([
      ['a state that does not exist', 'nowhere', 'NO_SUCH_STATE'],
      ['no edge leads there', 'calling', 'NO_SUCH_EDGE'],
    ])('%s', async (_, to, code) => {
      const s = await scene()
      await opened(s, 'i')
      await expect(s.app.operate.move(s.job, 'i', { ...by, to: to as never })).rejects.toMatchObject({ code })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ state: 'open', status: 'waiting' })
    })
    test('not while an attempt may be running', async () => {
      const s = await scene()
      await s.app.run(s.job, { id: 'i', data: {} })
      await s.clock.settle()
      await expect(s.app.operate.move(s.job, 'i', { ...by, to: 'open', payload: { n: 1 } })).rejects.toMatchObject({
        code: 'CALL_OPEN',
      })
    })
  })

  describe('cancel', () => {
    test('takes the cancel edge, with why', async () => {
      const s = await scene()
      await opened(s, 'i')
      expect(await s.app.get(s.job, 'i').cancel(by)).toMatchObject({ outcome: 'applied', state: 'given up' })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'cancelled', data: { why: 'told by phone' } })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ ...by, cause: { kind: 'cancel' } })
    })
    test('an open call is waited for; one whose retries are used up is not', async () => {
      const s = await scene()
      await s.app.run(s.job, { id: 'i', data: {} })
      await s.clock.settle()
      expect(await s.app.get(s.job, 'i').cancel(by)).toMatchObject({ outcome: 'deferred', state: 'calling' })
      s.hands.at(0).answer({ n: 1 })
      await s.clock.settle()
      expect((await historyOf(s.app, s.job, 'i')).map(({ to }) => to)).toEqual(['calling', 'open', 'given up'])
      await stall(s, 'j')
      expect(await s.app.get(s.job, 'j').cancel(by)).toMatchObject({ outcome: 'applied', state: 'given up' })
      expect(await messagesOf(s.app)).toEqual({})
    })
    test('without a cancel edge it ends where it is', async () => {
      const plain = machine('plain', {
        data: z.object({}),
        initial: 'a',
        states: { a: { after: { '1 day': 'b' } }, b: { final: 'done' } },
      })
      const world = make()
      const app = await world.start([service('s', { machines: [plain] })])
      const handle = await app.run(plain, { id: 'i', data: {} })
      expect(await handle.cancel(by)).toMatchObject({ outcome: 'applied', state: 'a' })
      expect(await handle.state()).toMatchObject({ status: 'cancelled', state: 'a' })
      await world.clock.leap(48 * HOUR)
      expect(await handle.state()).toMatchObject({ status: 'cancelled', state: 'a', seq: 2 })
    })
  })

  test.each([undefined, '', '  ', 7])('nobody does anything without a reason: why %o', async (why) => {
    const s = await stalled()
    const o = { why } as never
    for (const act of [
      () => s.app.operate.retry(s.job, 'i', o),
      () => s.app.operate.resolve(s.job, 'i', { ...(o as object), result: { n: 1 } } as never),
      () => s.app.operate.move(s.job, 'i', { ...(o as object), to: 'open' } as never),
      () => s.app.operate.each(s.job, {}, { ...(o as object), do: 'retry' } as never),
      () => s.app.get(s.job, 'i').cancel(o),
      () => s.app.remove(s.job, 'i', o),
    ])
      await expect(act()).rejects.toMatchObject({ code: 'NO_REASON' })
    expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'stalled' })
  })

  describe('each', () => {
    async function crowd(): Promise<Scene> {
      const s = await scene()
      for (const id of ['a', 'b', 'c']) await stall(s, id)
      await opened(s, 'd')
      await opened(s, 'e', 7)
      return s
    }
    test('dryRun: counts, and does nothing', async () => {
      const s = await crowd()
      const dry = (which: object) => s.app.operate.each(s.job, { ...which, dryRun: true }, { ...by, do: 'cancel' })
      expect(await dry({})).toEqual({ matched: 5, done: 0, failed: [] })
      expect(await dry({ status: 'stalled' })).toMatchObject({ matched: 3 })
      expect(await dry({ state: 'open' })).toMatchObject({ matched: 2 })
      expect(await dry({ state: ['open', 'calling'] })).toMatchObject({ matched: 5 })
      expect(await dry({ code: 'RETRIES_EXHAUSTED' })).toMatchObject({ matched: 3 })
      expect(await dry({ code: 'WORKER_DIED' })).toMatchObject({ matched: 0 })
      expect(await dry({ limit: 2 })).toMatchObject({ matched: 2 })
      expect(await stateOf(s.app, s.job, 'a')).toMatchObject({ status: 'stalled' })
    })
    test('the action says whom it can mean: neither the ended, nor, to retry or resolve, those that go well', async () => {
      const s = await crowd()
      for (const id of ['d', 'e']) await s.app.send(s.job, id, Add({ n: 50 }))
      await opened(s, 'f')
      const matched = async (which: object, action: object) =>
        (await s.app.operate.each(s.job, { ...which, dryRun: true }, { ...by, ...action } as never)).matched
      const resolve = { do: 'resolve', failure: 'No' }
      expect(await matched({}, { do: 'cancel' })).toBe(4)
      expect(await matched({ state: 'done' }, { do: 'cancel' })).toBe(0)
      expect(await matched({}, { do: 'retry' })).toBe(3)
      expect(await matched({ limit: 3 }, resolve)).toBe(3)
      expect(await matched({ state: 'open' }, resolve)).toBe(0)
      expect(await s.app.operate.each(s.job, { limit: 4 }, { ...by, do: 'cancel' })).toMatchObject({ done: 4 })
      expect(await instancesOf(s.app, s.job)).toMatchObject({ done: 2, cancelled: 4 })
    })
    test('the oldest first, whatever they do', async () => {
      const s = await scene()
      await opened(s, 'a')
      await s.app.run(s.job, { id: 'b', data: {} })
      await stall(s, 'c')
      await opened(s, 'd')
      await s.app.operate.each(s.job, { limit: 3 }, { ...by, do: 'cancel' })
      for (const call of s.hands.calls) call.answer({ n: 0 })
      await s.clock.settle()
      expect((await s.app.list(s.job, { status: 'cancelled' })).items.map(({ id }) => id).sort()).toEqual([
        'a',
        'b',
        'c',
      ])
    })
    test('a state that does not exist: UNKNOWN_STATE', async () => {
      const s = await crowd()
      for (const state of ['nowhere', ['open', 'nowhere']])
        await expect(
          s.app.operate.each(s.job, { state: state as never }, { ...by, do: 'retry' }),
        ).rejects.toMatchObject({ code: 'UNKNOWN_STATE', message: expect.stringContaining('calling') as string })
    })
    test('retry: each a transition of its own', async () => {
      const s = await crowd()
      const started = s.hands.calls.length
      expect(await s.app.operate.each(s.job, {}, { ...by, do: 'retry' })).toEqual({ matched: 3, done: 3, failed: [] })
      await s.clock.settle()
      expect(s.hands.calls.length - started).toBe(3)
      for (const id of ['a', 'b', 'c']) expect(await lastRow(s.app, s.job, id)).toMatchObject(by)
    })
    test('resolve, of the oldest', async () => {
      const s = await crowd()
      expect(
        await s.app.operate.each(
          s.job,
          { code: 'RETRIES_EXHAUSTED', limit: 2 },
          { ...by, do: 'resolve', failure: 'No' },
        ),
      ).toEqual({ matched: 2, done: 2, failed: [] })
      expect((await s.app.list(s.job, { status: 'stalled' })).items.map(({ id }) => id)).toEqual(['c'])
      expect(
        await s.app.operate.each(s.job, { status: 'stalled' }, { ...by, do: 'resolve', result: { n: 'x' } }),
      ).toEqual({ matched: 1, done: 0, failed: [{ id: 'c', code: 'BAD_DATA' }] })
    })
    test('cancel', async () => {
      const s = await crowd()
      expect(await s.app.operate.each(s.job, { state: ['calling', 'open'] }, { ...by, do: 'cancel' })).toEqual({
        matched: 5,
        done: 5,
        failed: [],
      })
      expect(await instancesOf(s.app, s.job)).toMatchObject({ started: 5, cancelled: 5, states: {} })
    })
    test('what nobody can do is not done, and is no cancel', async () => {
      const s = await crowd()
      await expect(s.app.operate.each(s.job, {}, { ...by, do: 'retrie' } as never)).rejects.toMatchObject({
        code: 'BAD_OPTION',
      })
      expect(await instancesOf(s.app, s.job)).toMatchObject({ stalled: 3, cancelled: 0 })
    })
    test('more than a page', async () => {
      const s = await scene()
      await Promise.all(Array.from({ length: 450 }, (_, n) => s.app.run(s.job, { id: `i${n}`, data: {} })))
      expect(await s.app.operate.each(s.job, { limit: 410 }, { ...by, do: 'cancel' })).toMatchObject({
        matched: 410,
        done: 410,
      })
      for (const call of s.hands.calls) call.answer({ n: 0 })
      await s.clock.settle()
      expect(await instancesOf(s.app, s.job)).toMatchObject({ cancelled: 410, waiting: 40 })
    })
  })

  describe('dead letters', () => {
    /** `i` in `open`, and one dead letter of it. */
    async function dead(id?: string): Promise<Scene & { letter: string }> {
      const s = await scene()
      await opened(s, 'i')
      await s.app.send(s.job, 'i', Add({ n: 13 }), id === undefined ? {} : { id }).catch(() => 0)
      const [letter] = (await s.app.operate.deadLetters.list()).items
      expect(letter).toMatchObject({
        machine: 'job',
        instance: 'i',
        message: { type: 'add', data: { n: 13 } },
        error: { code: 'HANDLER_FAILED' },
      })
      return { ...s, letter: letter?.id ?? '' }
    }
    test('list: by machine, page by page, oldest first', async () => {
      const s = await scene()
      await opened(s, 'i')
      for (let n = 0; n < 5; n++) {
        await s.app.send(s.job, 'i', Add({ n: 13 }), { id: `m${n}` }).catch(() => 0)
        await s.clock.advance(5)
      }
      const seen: string[] = []
      for (let after: string | undefined, pages = 0; ; pages++) {
        const page = await s.app.operate.deadLetters.list({
          machine: 'job',
          limit: 2,
          ...(after !== undefined && { after }),
        })
        seen.push(...page.items.map(({ id }) => id))
        after = page.next
        if (after === undefined || pages > 9) break
      }
      expect(seen).toHaveLength(5)
      expect(new Set(seen).size).toBe(5)
      expect((await s.app.operate.deadLetters.list({ machine: 'other' })).items).toEqual([])
      const told: string[] = []
      s.app.on((e) => void (e.kind === 'dead-letter' && told.push(e.letter.error.code)))
      await s.app.send(s.job, 'i', Add({ n: 13 })).catch(() => 0)
      expect(told).toEqual(['HANDLER_FAILED'])
    })
    test('redrive as it was: it dies again, as a new letter', async () => {
      const s = await dead()
      await expect(s.app.operate.deadLetters.redrive(s.letter, by)).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, dead: 1 })
      const [again] = (await s.app.operate.deadLetters.list()).items
      expect(again?.id).not.toBe(s.letter)
    })
    test('redrive with edited data: applied, and the journal says who and why', async () => {
      const s = await dead()
      expect(await s.app.operate.deadLetters.redrive(s.letter, { ...by, data: { n: 3 } })).toMatchObject({
        outcome: 'applied',
        state: 'open',
      })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ data: { n: 3 } })
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ ...by, cause: { kind: 'message', name: 'add' } })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, applied: 1 })
      expect(await deadOf(s.app)).toEqual([])
    })
    test('redrive where it waits: who and why are kept until it is applied', async () => {
      const s = await dead()
      await s.app.send(s.job, 'i', Add({ n: 99 }))
      await s.clock.settle()
      const redriven = s.app.operate.deadLetters.redrive(s.letter, { ...by, data: { n: 99 } })
      expect(await redriven).toMatchObject({ outcome: 'deferred', state: 'both' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 2, applied: 1, waiting: 1 })
      for (const call of s.hands.calls.slice(-2)) call.answer({ n: 1 })
      await s.clock.settle()
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ ...by, cause: { name: 'add' }, to: 'both' })
    })
    test('redrive a start: the instance is created, and its first row says who and why', async () => {
      const s = await scene()
      await s.app.emit(Begin({ id: 'i', n: 13 })).catch(() => 0)
      const [letter] = (await s.app.operate.deadLetters.list()).items
      await s.app.operate.deadLetters.redrive(letter?.id ?? '', { ...by, data: { id: 'i', n: 3 } })
      expect(await historyOf(s.app, s.job, 'i')).toMatchObject([{ ...by, cause: { kind: 'start' }, changed: { n: 3 } }])
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, applied: 1 })
    })
    test('redrive to nobody: told, and it is a dead letter still', async () => {
      const s = await scene()
      await s.app.send(s.job, 'i', Add({ n: 1 }), { until: 'stored' })
      await s.clock.settle()
      const [letter] = (await s.app.operate.deadLetters.list()).items
      await expect(s.app.operate.deadLetters.redrive(letter?.id ?? '', by)).rejects.toMatchObject({
        code: 'UNKNOWN_INSTANCE',
      })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, dead: 1 })
      expect(await deadOf(s.app)).toMatchObject([{ code: 'UNKNOWN_INSTANCE' }])
    })
    test('twice at once by two operators: the second is told, and nothing else happens (F59)', async () => {
      const s = await dead('own')
      const redrive = () =>
        s.app.operate.deadLetters.redrive(s.letter, { ...by, data: { n: 3 } }).then(
          ({ outcome }) => outcome,
          (error: { code: string }) => error.code,
        )
      expect(await Promise.all([redrive(), redrive(), redrive()])).toEqual([
        'applied',
        'UNKNOWN_DEAD_LETTER',
        'UNKNOWN_DEAD_LETTER',
      ])
      expect(await redrive()).toBe('UNKNOWN_DEAD_LETTER')
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'waiting', data: { n: 3 } })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, applied: 1 })
    })
    test('while another operator discards it: one of them is told (F59)', async () => {
      const s = await dead()
      const told = await Promise.all([
        s.app.operate.deadLetters.discard(s.letter, by).then(
          () => 'discarded',
          (error: { code: string }) => error.code,
        ),
        s.app.operate.deadLetters.redrive(s.letter, { ...by, data: { n: 3 } }).then(
          () => 'redriven',
          (error: { code: string }) => error.code,
        ),
        s.app.operate.deadLetters.discard(s.letter, by).then(
          () => 'discarded',
          (error: { code: string }) => error.code,
        ),
      ])
      expect(told.filter((one) => one === 'UNKNOWN_DEAD_LETTER')).toHaveLength(2)
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'waiting' })
      const { accepted, dead: left } = await messagesOf(s.app)
      expect([accepted, left]).toEqual([1, undefined])
    })
    test('one whose letter went between the look and the commit is told, and its instance does not stall', async () => {
      const s = await dead()
      // Another worker's operator is faster: the letter is read, then gone.
      const real = s.world.engine(s.app).store
      const row = await real.deadLetter(s.letter)
      await s.app.operate.deadLetters.discard(s.letter, by)
      let looks = 0
      s.world.faults.deadLetter = (through, id) => (looks++ === 0 ? Promise.resolve(row) : through(id))
      await expect(s.app.operate.deadLetters.redrive(s.letter, { ...by, data: { n: 3 } })).rejects.toMatchObject({
        code: 'UNKNOWN_DEAD_LETTER',
      })
      expect(await stateOf(s.app, s.job, 'i')).toMatchObject({ status: 'waiting', data: { n: 0 } })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, discarded: 1 })
    })
    test('discard: counted, and a row in the journal of its instance', async () => {
      const s = await dead()
      await s.app.operate.deadLetters.discard(s.letter, by)
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({
        ...by,
        cause: { kind: 'operator', name: 'discard' },
        outcome: 'applied',
        from: 'open',
        to: 'open',
      })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, discarded: 1 })
      await expect(s.app.operate.deadLetters.discard(s.letter, by)).rejects.toMatchObject({
        code: 'UNKNOWN_DEAD_LETTER',
      })
    })
    test('discard: of an instance that has ended, of one that never was', async () => {
      const s = await dead()
      await s.app.send(s.job, 'i', Add({ n: 50 }))
      await s.app.operate.deadLetters.discard(s.letter, by)
      expect(await lastRow(s.app, s.job, 'i')).toMatchObject({ ...by, cause: { name: 'discard' }, to: 'done' })
      await s.app.send(s.job, 'nobody', Add({ n: 1 }), { until: 'stored' })
      await s.clock.settle()
      const [letter] = (await s.app.operate.deadLetters.list()).items
      await s.app.operate.deadLetters.discard(letter?.id ?? '', by)
      expect(await messagesOf(s.app)).toEqual({ accepted: 3, applied: 1, discarded: 2 })
    })
    test('a restart changes nothing of them', async () => {
      const s = await dead('own')
      await s.world.stop(s.app)
      const app = await s.world.start(s.services)
      expect(await deadOf(app)).toMatchObject([{ code: 'HANDLER_FAILED' }])
      expect(await app.operate.deadLetters.redrive(s.letter, { ...by, data: { n: 3 } })).toMatchObject({
        outcome: 'applied',
        messageId: 'own',
      })
    })
  })
})
