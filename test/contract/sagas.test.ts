// Sagas end to end: what was done, or may have been, is undone in reverse order, or stands visibly stalled (I8).
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, saga, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { HOUR, MINUTE, SECOND } from '../support/hand-clock.ts'
import {
  Hands,
  historyOf,
  instancesOf,
  lastRow,
  messagesOf,
  onBothStores,
  stateOf,
  type Handled,
} from '../support/world.ts'

const Cancel = command('cancel', { data: z.object({}) })
const Kitchen = event('kitchen', { data: z.object({ id: z.string(), minutes: z.number() }), key: (d) => d.id })
const Confirmed = event('confirmed', { data: z.object({ id: z.string() }), key: (d) => d.id })
const Rejected = event('rejected', {
  data: z.object({ id: z.string(), code: z.string(), step: z.string(), outcome: z.string() }),
  key: (d) => d.id,
})
const Out = z.object({ ref: z.string() })

/** Every call is one of these hands', by the name of its activity. */
function shopOf() {
  const hands = new Map<string, Hands>()
  const act = <const N extends string>(
    name: N,
    more: { timeout?: '10 days' | '5 seconds'; retry?: { attempts: number } } = {},
  ) => {
    const own = new Hands()
    hands.set(name, own)
    return activity(name, {
      input: z.object({ ref: z.string().optional(), key: z.string().optional(), outcome: z.string().optional() }),
      output: Out,
      failures: ['No'],
      timeout: '10 days',
      retry: { attempts: 2 },
      ...more,
      run: own.run,
    })
  }
  const undoOf = ({ step }: { step: { key: string; outcome: string; result?: { ref: string } | undefined } }) => ({
    key: step.key,
    outcome: step.outcome,
    ...(step.result !== undefined && { ref: step.result.ref }),
  })
  const [reserve, release, charge, refund] = [act('reserve'), act('release'), act('charge'), act('refund')]
  const checkout = saga('checkout', { input: z.object({ sku: z.string() }), cancel: Cancel })
    .step('reserve', {
      call: reserve,
      input: ({ input }) => ({ ref: input.sku }),
      undo: { call: release, input: undoOf },
    })
    .step('charge', {
      call: charge,
      input: () => ({}),
      within: '15 minutes',
      otherwise: 'undo',
      undo: { call: refund, input: undoOf },
    })
    .pivot()
    .wait('kitchen', { for: Kitchen, within: '30 minutes', otherwise: { value: { id: '', minutes: 90 } } })
    .step('mail', { call: act('mail'), input: () => ({}), within: '1 hour', otherwise: { value: { ref: 'none' } } })
    .step('ship', { call: act('ship'), input: () => ({}) })
    .emit(Confirmed, ({ id }) => ({ id }))
    .failed(Rejected, ({ id, error }) => ({ id, code: error.code, step: error.step, outcome: error.outcome }))
    .done(({ results }) => ({ paid: results.charge.ref, minutes: results.kitchen.minutes, mail: results.mail.ref }))
  const tour = saga('tour', { input: z.object({}) })
    .parallel('book', {
      hotel: { call: act('hotel'), input: () => ({}), undo: { call: act('unhotel'), input: undoOf } },
      flight: { call: act('flight'), input: () => ({}), undo: { call: act('unflight'), input: undoOf } },
      car: { call: act('car'), input: () => ({}) },
    })
    .step('pay', { call: act('pay'), input: () => ({}) })
    .failed(Rejected, ({ id, error }) => ({ id, code: error.code, step: error.step, outcome: error.outcome }))
    .done(({ results }) => results.book)
  const quick = saga('quick', { input: z.object({}) })
    .step('slow', {
      call: act('slow', { timeout: '5 seconds' }),
      input: () => ({}),
      otherwise: 'undo',
      undo: { call: act('unslow'), input: undoOf },
    })
    .done(() => ({}))
  return { hands, checkout, tour, quick, services: [service('s', { machines: [checkout, tour, quick] })] }
}

onBothStores('sagas', (make) => {
  async function scene() {
    const shop = shopOf()
    const world = make()
    const app = await world.start(shop.services)
    const of = (name: string): Hands => shop.hands.get(name)!
    const answer = async (name: string, ref = name): Promise<Handled> => {
      const call = of(name).at(-1)
      call.answer({ ref })
      await world.clock.settle()
      return call
    }
    return { ...shop, world, app, clock: world.clock, of, answer }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  async function begun(): Promise<Scene> {
    const s = await scene()
    await s.app.run(s.checkout, { id: 'i', data: { sku: 'mug' } })
    await s.clock.settle()
    return s
  }
  async function charging(): Promise<Scene> {
    const s = await begun()
    await s.answer('reserve')
    return s
  }
  async function pastThePivot(): Promise<Scene> {
    const s = await charging()
    await s.answer('charge')
    return s
  }
  const path = async (app: App, s: Scene, machine: Scene['checkout'] | Scene['tour'] = s.checkout) =>
    (await historyOf(app, machine as Scene['checkout'], 'i')).filter(({ from, to }) => from !== to).map(({ to }) => to)
  const rejected = async (s: Scene) =>
    (await lastRow(s.app, s.checkout, 'i')).emitted.find(({ type }) => type === 'rejected')?.data

  test('all goes well: the result is its output, and nothing is undone', async () => {
    const s = await begun()
    const result = s.app.get(s.checkout, 'i').result()
    await s.answer('reserve')
    await s.answer('charge', 'p-1')
    await s.app.emit(Kitchen({ id: 'i', minutes: 20 }))
    await s.clock.settle()
    await s.answer('mail', 'm-1')
    await s.answer('ship')
    expect(await result).toEqual({ paid: 'p-1', minutes: 20, mail: 'm-1' })
    expect(await path(s.app, s)).toEqual(['reserve', 'charge', 'kitchen', 'mail', 'ship', 'done'])
    expect([s.of('release').calls, s.of('refund').calls]).toEqual([[], []])
    expect((await lastRow(s.app, s.checkout, 'i')).emitted).toEqual([{ type: 'confirmed', data: { id: 'i' } }])
    expect(await instancesOf(s.app, s.checkout)).toMatchObject({ done: 1 })
  })

  describe('before the pivot: undone, in reverse order', () => {
    test('a declared failure: the step itself is not done, those before it are undone', async () => {
      const s = await charging()
      s.of('charge').at(0).fail('No', 'no money')
      await s.clock.settle()
      expect(s.of('refund').calls).toEqual([])
      expect(s.of('release').at(0).input).toEqual({ key: s.of('reserve').at(0).key, outcome: 'done', ref: 'reserve' })
      await s.answer('release')
      expect(await path(s.app, s)).toEqual(['reserve', 'charge', 'undo reserve', 'undone'])
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'failed', state: 'undone' })
      expect(await rejected(s)).toEqual({ id: 'i', code: 'No', step: 'charge', outcome: 'not done' })
      await expect(s.app.get(s.checkout, 'i').result()).rejects.toMatchObject({ code: 'INSTANCE_ENDED' })
    })
    test('the first step fails: nothing is to be undone', async () => {
      const s = await begun()
      s.of('reserve').at(0).fail('No')
      await s.clock.settle()
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'failed', state: 'undone' })
      expect(s.of('release').calls).toEqual([])
    })
    test('a declared failure after an unknown attempt: the step may have happened, and is undone by its key (F91)', async () => {
      const s = await charging()
      s.of('charge').at(0).throw(new Error('no answer'))
      await s.clock.advance(MINUTE)
      s.of('charge').at(1).fail('No')
      await s.clock.settle()
      expect(s.of('refund').at(0).input).toEqual({ key: s.of('charge').at(0).key, outcome: 'unknown' })
      await s.answer('refund')
      await s.answer('release')
      expect(await path(s.app, s)).toEqual(['reserve', 'charge', 'undo charge', 'undo reserve', 'undone'])
    })
    test('retries used up, otherwise undo: undone by its key, that step too', async () => {
      const s = await charging()
      for (let n = 0; n < 2; n++) {
        s.of('charge').at(n).throw(new Error('no answer'))
        await s.clock.advance(MINUTE)
      }
      expect(s.of('refund').at(0).input).toEqual({ key: s.of('charge').at(0).key, outcome: 'unknown' })
      await s.answer('refund')
      await s.answer('release')
      expect(await rejected(s)).toMatchObject({ code: 'other', step: 'charge', outcome: 'unknown' })
    })
    test('retries used up, and nothing said: it stalls; a cancel then undoes at once, that step as unknown', async () => {
      const s = await begun()
      for (let n = 0; n < 2; n++) {
        s.of('reserve').at(n).throw(new Error('no answer'))
        await s.clock.advance(MINUTE)
      }
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({
        status: 'stalled',
        stalled: { code: 'RETRIES_EXHAUSTED' },
      })
      expect(s.of('release').calls).toEqual([])
      expect(await s.app.get(s.checkout, 'i').cancel({ why: 'enough', by: 'ann' })).toMatchObject({
        outcome: 'applied',
        state: 'undo reserve',
      })
      await s.clock.settle()
      expect(s.of('release').at(0).input).toEqual({ key: s.of('reserve').at(0).key, outcome: 'unknown' })
      await s.answer('release')
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'cancelled', state: 'undone' })
      expect(await rejected(s)).toMatchObject({ code: 'cancel' })
    })
    test('`within` is over: undone, the step itself by its key', async () => {
      const s = await charging()
      await s.clock.advance(15 * MINUTE - SECOND)
      expect((await stateOf(s.app, s.checkout, 'i')).state).toBe('charge')
      await s.clock.advance(2 * SECOND)
      expect((await stateOf(s.app, s.checkout, 'i')).state).toBe('undo charge')
      expect(s.of('charge').at(0).signal.aborted).toBe(true)
      // It may still be at it: its undo waits, at most the grace.
      expect(s.of('refund').calls).toEqual([])
      await s.clock.advance(11 * SECOND)
      expect(s.of('refund').at(0).input).toEqual({ key: s.of('charge').at(0).key, outcome: 'unknown' })
      await s.answer('refund')
      await s.answer('release')
      expect(await rejected(s)).toMatchObject({ code: 'within', step: 'charge', outcome: 'unknown' })
    })
    test('an attempt that timed out may still be at it as well: the undo waits for it, at most the grace', async () => {
      const s = await scene()
      await s.app.run(s.quick, { id: 'i', data: {} })
      await s.clock.advance(MINUTE)
      expect(s.of('slow').calls).toHaveLength(2)
      expect(s.of('unslow').calls).toHaveLength(1)
      const beside = s.world.logs.filter(({ text }) => text.includes('"unslow" goes on although attempt 2 of "slow"'))
      expect(beside).toMatchObject([{ level: 'warn', machine: 'quick', id: 'i' }])
      const t = await scene()
      await t.app.run(t.quick, { id: 'i', data: {} })
      for (let n = 0; n < 100 && (await stateOf(t.app, t.quick, 'i')).state === 'slow'; n++)
        await t.clock.advance(SECOND)
      expect(t.of('unslow').calls).toHaveLength(0)
      for (const call of t.of('slow').calls) call.throw(new Error('aborted'))
      await t.clock.settle()
      expect(t.of('unslow').at(0).input).toEqual({ key: t.of('slow').at(0).key, outcome: 'unknown' })
    })
    test('the undo starts as soon as the attempt that was given up has settled', async () => {
      const s = await charging()
      await s.clock.advance(15 * MINUTE + SECOND)
      expect(s.of('refund').calls).toEqual([])
      s.of('charge').at(0).answer({ ref: 'late' })
      await s.clock.settle()
      expect(s.of('refund').calls).toHaveLength(1)
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ state: 'undo charge', status: 'running' })
    })
  })

  describe('undos never give up (F90)', () => {
    test('they are retried, then stall; an operator lets them go on', async () => {
      const s = await charging()
      s.of('charge').at(0).fail('No')
      await s.clock.settle()
      for (let n = 0; n < 2; n++) {
        s.of('release').at(-1).throw(new Error('no answer'))
        await s.clock.advance(MINUTE)
      }
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'stalled', state: 'undo reserve' })
      await s.app.operate.retry(s.checkout, 'i', { why: 'the warehouse is back', by: 'ann' })
      await s.clock.settle()
      expect(new Set(s.of('release').calls.map((call) => call.key)).size).toBe(1)
      await s.answer('release')
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'failed', state: 'undone' })
    })
    test('or an operator says that it was undone by hand', async () => {
      const s = await charging()
      s.of('charge').at(0).fail('No')
      await s.clock.settle()
      for (let n = 0; n < 2; n++) {
        s.of('release').at(-1).throw(new Error('no answer'))
        await s.clock.advance(MINUTE)
      }
      await s.app.operate.resolve(s.checkout, 'i', {
        result: { ref: 'by hand' },
        why: 'seen with my own eyes',
        by: 'ann',
      })
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'failed', state: 'undone' })
      expect((await historyOf(s.app, s.checkout, 'i')).at(-1)).toMatchObject({
        by: 'ann',
        why: 'seen with my own eyes',
      })
    })
    test('a declared failure of an undo does not pass for undone', async () => {
      const s = await charging()
      s.of('charge').at(0).fail('No')
      await s.clock.settle()
      s.of('release').at(0).fail('No')
      await s.clock.advance(MINUTE)
      expect((await stateOf(s.app, s.checkout, 'i')).state).toBe('undo reserve')
    })
  })

  describe('cancel', () => {
    test.each(['handle', 'message'] as const)('the open call is waited for, then all is undone: by %s', async (how) => {
      const s = await charging()
      const receipt =
        how === 'handle'
          ? await s.app.get(s.checkout, 'i').cancel({ why: 'enough' })
          : await s.app.send(s.checkout, 'i', Cancel({}))
      expect(receipt).toMatchObject({ outcome: 'deferred', state: 'charge' })
      expect(s.of('charge').at(0).signal.aborted).toBe(false)
      await s.answer('charge')
      expect((await stateOf(s.app, s.checkout, 'i')).state).toBe('undo charge')
      expect(s.of('refund').at(0).input).toMatchObject({ outcome: 'done', ref: 'charge' })
      await s.answer('refund')
      await s.answer('release')
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'cancelled', state: 'undone' })
      expect(await messagesOf(s.app)).toEqual(
        how === 'handle' ? { accepted: 1, unclaimed: 1 } : { accepted: 2, applied: 1, unclaimed: 1 },
      )
    })
    test('while it is undone already: nothing more to do (F89)', async () => {
      const s = await charging()
      s.of('charge').at(0).fail('No')
      await s.clock.settle()
      expect(await s.app.get(s.checkout, 'i').cancel({ why: 'enough' })).toMatchObject({ outcome: 'ignored' })
      await s.answer('release')
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'failed' })
    })
    test('after the pivot: refused', async () => {
      const s = await pastThePivot()
      expect(await s.app.get(s.checkout, 'i').cancel({ why: 'enough' })).toMatchObject({
        outcome: 'refused',
        why: 'pivot',
      })
      expect(await s.app.send(s.checkout, 'i', Cancel({}))).toMatchObject({ outcome: 'refused', why: 'pivot' })
      expect((await stateOf(s.app, s.checkout, 'i')).state).toBe('kitchen')
    })
  })

  describe('after the pivot: only forward', () => {
    test('a wait that is over goes on with its value', async () => {
      const s = await pastThePivot()
      const result = s.app.get(s.checkout, 'i').result({ within: '10 days' })
      await s.clock.advance(30 * MINUTE + SECOND)
      await s.answer('mail')
      await s.answer('ship')
      expect(await result).toMatchObject({ minutes: 90 })
    })
    test.each(['a declared failure', 'within', 'retries'])(
      'a step that went wrong goes on with its value: %s',
      async (how) => {
        const s = await pastThePivot()
        await s.app.emit(Kitchen({ id: 'i', minutes: 5 }))
        await s.clock.settle()
        if (how === 'a declared failure') s.of('mail').at(0).fail('No')
        else if (how === 'within') await s.clock.leap(HOUR + SECOND)
        else
          for (let n = 0; n < 2; n++) {
            s.of('mail').at(n).throw(new Error('no answer'))
            await s.clock.advance(MINUTE)
          }
        await s.clock.settle()
        await s.clock.advance(11 * SECOND)
        await s.answer('ship')
        expect(await s.app.get(s.checkout, 'i').result()).toMatchObject({ mail: 'none' })
      },
    )
    test('one that says nothing stalls, and is never undone', async () => {
      const s = await pastThePivot()
      await s.app.emit(Kitchen({ id: 'i', minutes: 5 }))
      await s.clock.settle()
      await s.answer('mail')
      s.of('ship').at(0).fail('No')
      await s.clock.settle()
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'stalled', state: 'ship' })
      expect(s.of('refund').calls).toEqual([])
      await s.app.operate.retry(s.checkout, 'i', { why: 'again' })
      await s.clock.settle()
      await s.answer('ship')
      expect(await stateOf(s.app, s.checkout, 'i')).toMatchObject({ status: 'done' })
    })
  })

  describe('parallel', () => {
    async function touring(): Promise<Scene> {
      const s = await scene()
      await s.app.run(s.tour, { id: 'i', data: {} })
      await s.clock.settle()
      expect(['hotel', 'flight', 'car'].map((name) => s.of(name).calls.length)).toEqual([1, 1, 1])
      return s
    }
    test('all go well', async () => {
      const s = await touring()
      for (const name of ['car', 'hotel', 'flight']) await s.answer(name)
      await s.answer('pay')
      expect(await s.app.get(s.tour, 'i').result()).toEqual({
        hotel: { ref: 'hotel' },
        flight: { ref: 'flight' },
        car: { ref: 'car' },
      })
    })
    test('one fails: the others are awaited, then those that are done are undone side by side', async () => {
      const s = await touring()
      s.of('car').at(0).fail('No')
      await s.answer('hotel')
      expect(s.of('unhotel').calls).toEqual([])
      await s.answer('flight')
      expect([s.of('unhotel').calls.length, s.of('unflight').calls.length]).toEqual([1, 1])
      await s.answer('unflight')
      await s.answer('unhotel')
      expect(await stateOf(s.app, s.tour, 'i')).toMatchObject({ status: 'failed', state: 'undone' })
    })
    test('a later step fails: both are undone', async () => {
      const s = await touring()
      for (const name of ['car', 'hotel', 'flight']) await s.answer(name)
      s.of('pay').at(0).fail('No')
      await s.clock.settle()
      expect(s.of('unhotel').at(0).input).toMatchObject({ key: s.of('hotel').at(0).key, outcome: 'done', ref: 'hotel' })
      expect(s.of('unflight').at(0).input).toMatchObject({ key: s.of('flight').at(0).key, outcome: 'done' })
    })
  })

  test('a worker that dies at every step: nothing is skipped, every call keeps its key (F01, F02)', async () => {
    const s = await scene()
    await s.app.run(s.checkout, { id: 'i', data: { sku: 'mug' } })
    let app = s.app
    const die = async (): Promise<void> => {
      await s.clock.settle()
      await s.world.crash(app)
      app = await s.world.startAfterCrash(s.services)
      await s.clock.settle()
    }
    await die()
    await s.answer('reserve')
    await die()
    s.of('charge').at(-1).fail('No')
    await die()
    // The worker died while it ran once, so it may have happened.
    expect(s.of('refund').at(-1).input).toEqual({ key: s.of('charge').at(0).key, outcome: 'unknown' })
    await s.answer('refund')
    await die()
    await s.answer('release')
    await die()
    expect(await path(app, s)).toEqual(['reserve', 'charge', 'undo charge', 'undo reserve', 'undone'])
    for (const name of ['reserve', 'charge', 'refund', 'release']) {
      expect(s.of(name).calls.length, name).toBe(2)
      expect(new Set(s.of(name).calls.map((call) => call.key)).size, name).toBe(1)
    }
  })
})
