// Calls to the outside: their three outcomes, what is tried again and when, limits, and bodies that do whatever they like.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, machine, service } from '../../src/index.ts'
import type { App, Lifecycle } from '../../src/index.ts'
import { HOUR, MINUTE, SECOND } from '../support/hand-clock.ts'
import { Hands, historyOf, instancesOf, lastRow, onBothStores, stateOf, type World } from '../support/world.ts'

const Stop = command('stop', { data: z.object({}) })
const output = z.object({ n: z.number(), text: z.string().optional() })
const reached = z.object({
  n: z.number().default(0),
  code: z.string().optional(),
  outcome: z.string().optional(),
  message: z.string().optional(),
  details: z.unknown().optional(),
})
type More = Partial<{
  retry: { attempts?: number; first?: '100 ms'; factor?: number; max?: '1 second'; within?: '1 minute' }
  timeout: '5 seconds' | '10 days'
  heartbeat: '2 seconds'
  concurrency: number
  rate: { count: number; per: '1 minute' }
  interruptible: boolean
}>

/** calling ──done──▶ told; ──fail──▶ failed, with what it was told. */
function callerOf(run: Hands['run'], more: More = {}) {
  const work = activity('work', {
    input: z.object({ id: z.string() }),
    output,
    failures: ['No', 'Never'],
    ...more,
    run,
  })
  return machine('caller', {
    data: reached,
    receives: [Stop],
    initial: 'calling',
    states: {
      calling: {
        call: work,
        input: ({ id }) => ({ id }),
        done: { to: 'told', set: ({ result }) => ({ n: result.n }) },
        fail: {
          to: 'failed',
          set: ({ error: { code, message, outcome, details } }) => ({ code, message, outcome, details }),
        },
      },
      told: { on: { stop: 'over' } },
      failed: { on: { stop: 'over' } },
      over: { final: 'done' },
    },
  })
}

onBothStores('calls', (make) => {
  async function scene(more: More = {}, run?: Hands['run']) {
    const hands = new Hands()
    const caller = callerOf(run ?? hands.run, more)
    const services = [service('s', { machines: [caller] })]
    const world = make()
    const app = await world.start(services)
    const events: Lifecycle[] = []
    app.on((e) => void events.push(e))
    return { hands, caller, services, world, app, clock: world.clock, events }
  }
  type Caller = ReturnType<typeof callerOf>
  async function called(more: More = {}, run?: Hands['run']) {
    const s = await scene(more, run)
    await s.app.run(s.caller, { id: 'i', data: {} })
    await s.clock.settle()
    return s
  }
  const at = (app: App, caller: Caller, id = 'i') => stateOf(app, caller, id)

  describe('a call ends done, not done, or unknown', () => {
    test('done', async () => {
      const { hands, app, caller, clock } = await called()
      expect(hands.at(0).input).toEqual({ id: 'i' })
      expect(await at(app, caller)).toMatchObject({ status: 'running', state: 'calling' })
      hands.at(0).answer({ n: 5 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told', status: 'waiting', data: { n: 5 } })
      expect(await lastRow(app, caller, 'i')).toMatchObject({
        cause: { kind: 'result', name: 'work', id: hands.at(0).key },
      })
    })
    test('not done: a declared failure, at once, with its details', async () => {
      const { hands, app, caller, clock } = await called()
      hands.at(0).fail('No', 'there is none', { left: 0 })
      await clock.settle()
      expect((await at(app, caller)).data).toEqual({
        n: 0,
        code: 'No',
        message: 'there is none',
        outcome: 'not done',
        details: { left: 0 },
      })
      expect(hands.calls).toHaveLength(1)
    })
    test('unknown: the retries are used up', async () => {
      const { hands, app, caller, clock } = await called({ retry: { attempts: 3 } })
      for (let n = 0; n < 3; n++) {
        hands.at(n).throw(new Error(`no answer ${n}`))
        await clock.advance(5 * SECOND)
      }
      expect(hands.calls).toHaveLength(3)
      expect((await at(app, caller)).data).toMatchObject({ code: 'other', message: 'no answer 2', outcome: 'unknown' })
    })
    test('unknown is sticky: a declared failure after an unknown attempt may have happened', async () => {
      const { hands, app, caller, clock } = await called()
      hands.at(0).throw(new Error('no answer'))
      await clock.advance(SECOND)
      hands.at(1).fail('Never')
      await clock.settle()
      expect((await at(app, caller)).data).toMatchObject({ code: 'Never', outcome: 'unknown' })
    })
    test('a failure that is not declared is unknown, and tried again', async () => {
      const { hands, app, caller, clock } = await called()
      hands.at(0).fail('Nope', 'what')
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
      expect(await at(app, caller)).toMatchObject({ status: 'running' })
      hands.at(1).answer({ n: 1 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told' })
    })
  })

  describe('what is tried again, and when', () => {
    test('exponential, with jitter between a floor and a ceiling, up to a cap', async () => {
      const { hands, clock, world, app, events } = await called({
        retry: { attempts: 7, first: '100 ms', factor: 2, max: '1 second' },
      })
      const waits: number[] = []
      for (let n = 0; n < 6; n++) {
        const failedAt = clock.now()
        hands.at(n).throw(new Error('no answer'))
        for (let ms = 0; ms <= 2_000 && hands.calls.length === n + 1; ms += 5) await clock.advance(5)
        waits.push(clock.now() - failedAt)
      }
      const ceilings = [100, 200, 400, 800, 1_000, 1_000]
      for (const [n, wait] of waits.entries()) {
        expect(wait, `retry ${n + 1}`).toBeGreaterThanOrEqual(10)
        expect(wait, `retry ${n + 1}`).toBeLessThanOrEqual((ceilings[n] ?? 0) + 15)
      }
      expect(hands.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4, 5, 6, 7])
      expect(new Set(hands.calls.map(({ key }) => key)).size).toBe(1)
      const failed = events.filter((e) => e.kind === 'attempt-failed')
      expect(failed.every((e) => e.kind === 'attempt-failed' && e.nextAt !== undefined)).toBe(true)
      expect(await instancesOf(app, callerOf(hands.run))).toMatchObject({ running: 1 })
      expect(world.logs.filter(({ level }) => level === 'error')).toEqual([])
    })
    test('no more once `within` is over', async () => {
      const { hands, app, caller, clock } = await called({
        retry: { attempts: 1_000, within: '1 minute', first: '100 ms', max: '1 second' },
      })
      for (let n = 0; n < 200 && (await at(app, caller)).status === 'running'; n++) {
        hands.at(-1).throw(new Error('no answer'))
        await clock.advance(SECOND)
      }
      expect((await at(app, caller)).data).toMatchObject({ code: 'other', outcome: 'unknown' })
      expect(hands.calls.length).toBeGreaterThan(50)
      expect(hands.calls.length).toBeLessThan(200)
    })
    test('the key has the shape that is promised, and is another for another entry', async () => {
      const { hands, app, caller, clock } = await called()
      await app.run(caller, { id: 'j', data: {} })
      await clock.settle()
      const keys = hands.calls.map(({ key }) => key)
      for (const key of keys) expect(key).toMatch(/^[0-9a-z]{26}-1-[0-9a-z]{8}$/)
      expect(new Set(keys).size).toBe(2)
    })
  })

  describe('time', () => {
    test('no answer within the timeout: unknown, its signal is fired, and it is tried again (F05)', async () => {
      const { hands, app, caller, clock, events } = await called({ timeout: '5 seconds' })
      await clock.advance(4.9 * SECOND)
      expect(hands.at(0).signal.aborted).toBe(false)
      await clock.advance(0.2 * SECOND)
      expect(hands.at(0).signal.aborted).toBe(true)
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
      expect(await at(app, caller)).toMatchObject({ status: 'running' })
      expect(events.filter((e) => e.kind === 'attempt-failed')).toMatchObject([
        { error: { code: 'other', outcome: 'unknown' }, ms: expect.closeTo(5_000, -2) as number },
      ])
    })
    test('a late success counts, and the attempt after it is given up (F06)', async () => {
      const { hands, app, caller, clock } = await called({ timeout: '5 seconds' })
      await clock.advance(7 * SECOND)
      expect(hands.calls).toHaveLength(2)
      hands.at(0).answer({ n: 7 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told', data: { n: 7 } })
      expect(hands.at(1).signal.aborted).toBe(true)
      hands.at(1).answer({ n: 8 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told', data: { n: 7 } })
    })
    test('a late failure does not count', async () => {
      const { hands, app, caller, clock } = await called({ timeout: '5 seconds' })
      await clock.advance(7 * SECOND)
      hands.at(0).fail('No')
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'calling', status: 'running' })
      hands.at(1).answer({ n: 8 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told' })
    })
    test('one that never answers ends with its retries, and keeps nobody from anything', async () => {
      const { hands, app, caller, clock, world } = await called({ timeout: '5 seconds', retry: { attempts: 3 } })
      await clock.advance(MINUTE)
      expect(hands.calls).toHaveLength(3)
      expect((await at(app, caller)).data).toMatchObject({ code: 'other', outcome: 'unknown' })
      expect(await app.send(caller, 'i', Stop({}))).toMatchObject({ outcome: 'applied' })
      await world.stop(app)
    })
    test('silence: no heartbeat for too long counts as lost; one that speaks lives on', async () => {
      const { hands, app, caller, clock } = await called({ timeout: '10 days', heartbeat: '2 seconds' })
      for (let n = 0; n < 10; n++) {
        await clock.advance(1.9 * SECOND)
        hands.at(0).heartbeat()
      }
      expect(hands.calls).toHaveLength(1)
      await clock.advance(2.1 * SECOND)
      expect(hands.at(0).signal.aborted).toBe(true)
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
      hands.at(1).answer({ n: 1 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told' })
    })
  })

  describe('progress', () => {
    test('is handed to the next attempt, and survives a restart', async () => {
      const { hands, app, clock, world, services } = await called()
      expect(hands.at(0).lastProgress).toBeUndefined()
      hands.at(0).heartbeat({ page: 3 })
      await clock.settle()
      hands.at(0).throw(new Error('gone'))
      await clock.advance(SECOND)
      expect(hands.at(1).lastProgress).toEqual({ page: 3 })
      hands.at(1).heartbeat({ page: 4 })
      await clock.settle()
      await world.crash(app)
      await world.startAfterCrash(services)
      await clock.advance(SECOND)
      expect(hands.at(2).lastProgress).toEqual({ page: 4 })
      expect(hands.at(2).key).toBe(hands.at(0).key)
    })
    test('is kept at most every 5 seconds', async () => {
      const { hands, app, clock, world } = await called()
      let commits = 0
      world.faults.commit = (through, ...call) => {
        commits += 1
        return through(...call)
      }
      for (let n = 1; n <= 100; n++) {
        hands.at(0).heartbeat(n)
        await clock.advance(100)
      }
      expect(commits).toBeGreaterThanOrEqual(2)
      expect(commits).toBeLessThanOrEqual(3)
      expect(await historyOf(app, callerOf(hands.run), 'i')).toHaveLength(1)
    })
    test('that is no JSON is the attempt’s own fault', async () => {
      const { hands, app, caller, clock } = await called()
      const spoken = (): void => hands.at(0).heartbeat({ n: 1n })
      expect(spoken).toThrow(expect.objectContaining({ code: 'NOT_JSON' }))
      expect(spoken).toThrow(/heartbeat\(\) of activity "work".*\/n/)
      expect(() => hands.at(0).heartbeat({ n: () => 1 })).toThrow(/heartbeat\(\) of activity "work"/)
      hands.at(0).answer({ n: 1 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told' })
    })
    test('may be told before the body first waits', async () => {
      const run = ((_: unknown, { attempt, heartbeat, lastProgress }: Parameters<Hands['run']>[1]) => {
        heartbeat({ attempt })
        if (attempt === 1) throw new Error('gone')
        return Promise.resolve({ n: (lastProgress as { attempt: number }).attempt })
      }) as Hands['run']
      const { app, caller, clock } = await called({ heartbeat: '2 seconds' }, run)
      await clock.advance(SECOND)
      expect(await at(app, caller)).toMatchObject({ state: 'told', data: { n: 1 } })
    })
    test('after the attempt is over does not make it lost', async () => {
      const { hands, clock, events } = await called({ heartbeat: '2 seconds', timeout: '10 days' })
      hands.at(0).answer({ n: 1 })
      await clock.settle()
      hands.at(0).heartbeat()
      await clock.advance(5 * SECOND)
      expect(events.filter(({ kind }) => kind === 'attempt-failed')).toEqual([])
    })
    test('stays in the hands of the body, which may change it and say it again', async () => {
      const { hands, clock } = await called()
      const progress = { pages: [1] }
      hands.at(0).heartbeat(progress)
      progress.pages.push(2)
      await clock.advance(6 * SECOND)
      hands.at(0).heartbeat(progress)
      progress.pages.push(3)
      hands.at(0).throw(new Error('gone'))
      await clock.advance(SECOND)
      expect(hands.at(1).lastProgress).toEqual({ pages: [1, 2] })
    })
    test('after the attempt is over says nothing', async () => {
      const { hands, app, caller, clock } = await called()
      hands.at(0).answer({ n: 1 })
      await clock.settle()
      hands.at(0).heartbeat({ page: 1 })
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told', seq: 2 })
    })
  })

  describe('limits', () => {
    async function many(more: More, count: number) {
      const s = await scene(more)
      await Promise.all(Array.from({ length: count }, (_, n) => s.app.run(s.caller, { id: `i${n}`, data: {} })))
      await s.clock.settle()
      return s
    }
    test('concurrency: no more at once; who waits has no timeout', async () => {
      const { hands, app, caller, clock } = await many({ concurrency: 2, timeout: '5 seconds' }, 5)
      expect(hands.calls).toHaveLength(2)
      for (let n = 0; n < 5; n++) {
        await clock.advance(2 * SECOND)
        hands.at(n).answer({ n })
        await clock.settle()
        expect(hands.calls.length).toBe(Math.min(5, n + 3))
      }
      expect(hands.calls.every(({ attempt }) => attempt === 1)).toBe(true)
      expect((await app.list(caller, { state: 'told' })).items).toHaveLength(5)
    })
    test('concurrency: a body that was given up keeps its place until it settles', async () => {
      const { hands, clock } = await many({ concurrency: 1, timeout: '5 seconds' }, 2)
      expect(hands.calls).toHaveLength(1)
      await clock.advance(14 * SECOND)
      expect(hands.calls).toHaveLength(1)
      hands.at(0).throw(new Error('at last'))
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
    })
    test('concurrency: one that never settles keeps it for the grace, and is named from then on', async () => {
      const { hands, clock, world, app } = await many({ concurrency: 1, timeout: '5 seconds' }, 3)
      await clock.advance(16 * SECOND)
      expect(hands.calls).toHaveLength(2)
      const told = async () => (await app.health()).problems.filter((text) => text.includes('"work"'))
      expect([await told(), (await app.health()).ready]).toEqual([
        [expect.stringContaining('1 attempt given up')],
        true,
      ])
      expect(world.logs.filter(({ text }) => text.includes('"work" has not settled'))).toMatchObject([
        { level: 'warn', machine: 'caller', id: (hands.at(0).input as { id: string }).id },
      ])
      hands.at(1).answer({ n: 1 })
      await clock.settle()
      expect(hands.calls).toHaveLength(3)
      // Its place was given back once: it does not come back again.
      hands.at(0).throw(new Error('at last'))
      await clock.settle()
      expect([await told(), hands.calls.length]).toEqual([[], 3])
    })
    test('rate: so many in any stretch of that time', async () => {
      const { hands, clock } = await many({ rate: { count: 3, per: '1 minute' }, timeout: '10 days' }, 8)
      expect(hands.calls).toHaveLength(3)
      for (const call of hands.calls) call.answer({ n: 1 })
      await clock.advance(59 * SECOND)
      expect(hands.calls).toHaveLength(3)
      await clock.advance(2 * SECOND)
      expect(hands.calls).toHaveLength(6)
      await clock.advance(MINUTE)
      expect(hands.calls).toHaveLength(8)
    })
  })

  describe('a body may do whatever it likes: the worker lives, and the call is tried again', () => {
    const hostile = {
      toString() {
        throw new Error('no text')
      },
      get message() {
        throw new Error('no message')
      },
    }
    test.each([
      ['undefined', undefined],
      ['null', null],
      ['a string', 'no'],
      ['a number', 7],
      ['a symbol', Symbol('s')],
      ['an object with a hostile toString', hostile],
      ['a frozen object', Object.freeze({})],
      ['an error without a message', new Error('')],
      ['an error whose text is 10 MB', new Error('x'.repeat(10_000_000))],
      ['half a surrogate pair', '\ud800'],
    ])('it throws %s', async (_, thrown) => {
      const { hands, app, caller, clock } = await called({ retry: { attempts: 2 } })
      hands.at(0).throw(thrown)
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
      hands.at(1).throw(thrown)
      await clock.settle()
      const { data, state } = await at(app, caller)
      expect(state).toBe('failed')
      expect(data.message?.isWellFormed()).toBe(true)
      expect(data.message?.length).toBeLessThanOrEqual(2_000)
    })
    const circle: Record<string, unknown> = {}
    circle['self'] = circle
    const deep = Array.from({ length: 50_000 }).reduce<unknown>((inner) => [inner], 1)
    test.each([
      ['undefined', undefined],
      ['a bigint', { n: 1n }],
      ['NaN', { n: Number.NaN }],
      ['a date', { n: 1, text: new Date(0) }],
      ['a function', () => 1],
      ['a promise of a function', Promise.resolve(() => 1)],
      ['a circle', circle],
      ['nested 50,000 deep (F73)', deep],
      ['what does not fit its schema', { n: 'one' }],
      ['half a surrogate pair (F70)', { n: 1, text: '\ud800' }],
      [
        'an object with a getter that throws',
        Object.defineProperty({ n: 1 }, 'text', {
          enumerable: true,
          get: () => {
            throw new Error('got')
          },
        }),
      ],
    ])('it returns %s (F72)', async (_, given) => {
      const { hands, app, caller, clock } = await called({ retry: { attempts: 2 } })
      hands.at(0).answer(given)
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(2)
      hands.at(1).answer(given)
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'failed', data: { code: 'other', outcome: 'unknown' } })
    })
    test('it returns more than fits: the instance says how much does (F68)', async () => {
      const big = activity('big', {
        input: z.object({}),
        output: z.object({ text: z.string() }),
        retry: { attempts: 1 },
        run: () => ({ text: 'x'.repeat(300_000) }),
      })
      const keeper = machine('keeper', {
        data: z.object({ text: z.string().default('') }),
        initial: 'calling',
        states: {
          calling: { call: big, input: () => ({}), done: { to: 'end', set: ({ result }) => ({ text: result.text }) } },
          end: { final: 'done' },
        },
      })
      const world = make()
      const app = await world.start([service('s', { machines: [keeper] })])
      await app.run(keeper, { id: 'i', data: {} })
      await world.clock.settle()
      const { status, stalled } = await stateOf(app, keeper, 'i')
      expect(status).toBe('stalled')
      expect(stalled?.message).toContain('262144')
    })
    test('it throws before it returns a promise', async () => {
      let attempts = 0
      const { app, caller, clock } = await called({ retry: { attempts: 2 } }, () => {
        attempts += 1
        throw new Error('at once')
      })
      await clock.advance(SECOND)
      expect(attempts).toBe(2)
      expect(await at(app, caller)).toMatchObject({ state: 'failed' })
    })
    test('details of a failure that are no JSON are left out, and the failure counts', async () => {
      const { hands, app, caller, clock } = await called()
      hands.at(0).fail('No', 'there is none', { n: 1n })
      await clock.settle()
      expect((await at(app, caller)).data).toMatchObject({ code: 'No', outcome: 'not done' })
    })
    test('`fail` that is caught inside the body ends nothing', async () => {
      const { app, caller, clock } = await called({}, ((_: unknown, attempt: { fail(code: never): never }) => {
        try {
          attempt.fail('No' as never)
        } catch {
          return Promise.resolve({ n: 9 })
        }
      }) as never)
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told', data: { n: 9 } })
    })
    test('it answers twice', async () => {
      const { hands, app, caller, clock } = await called()
      hands.at(0).answer({ n: 1 })
      hands.at(0).answer({ n: 2 })
      hands.at(0).throw(new Error('and that'))
      await clock.settle()
      expect(await at(app, caller)).toMatchObject({ state: 'told', data: { n: 1 }, seq: 2 })
    })
    test('its input is frozen, and stays what it was', async () => {
      const { app, caller, clock } = await called({ retry: { attempts: 2 } }, ((
        input: { id: string },
        { attempt }: { attempt: number },
      ) => {
        if (attempt === 1) input.id = 'changed'
        return Promise.resolve({ n: input.id === 'i' ? 1 : 0 })
      }) as never)
      await clock.advance(SECOND)
      expect(await at(app, caller)).toMatchObject({ state: 'told', data: { n: 1 } })
    })
  })

  describe('leaving', () => {
    /** watching (interruptible) ──stop──▶ next, whose call waits for nobody. */
    function watcherOf(hands: Hands, interruptible: boolean) {
      const probe = activity('probe', {
        input: z.object({}),
        output,
        interruptible,
        timeout: '10 days',
        run: hands.run,
      })
      return machine('watcher', {
        data: z.object({ n: z.number().default(0) }),
        receives: [Stop],
        initial: 'watching',
        groups: { all: { states: ['watching'], on: { stop: 'left' } } },
        states: {
          watching: { call: probe, input: () => ({}), done: { to: 'left', set: ({ result }) => ({ n: result.n }) } },
          left: { after: { '1 day': 'over' } },
          over: { final: 'done' },
        },
      })
    }
    async function watching(
      interruptible: boolean,
    ): Promise<{ world: World; app: App; hands: Hands; watcher: ReturnType<typeof watcherOf> }> {
      const hands = new Hands()
      const watcher = watcherOf(hands, interruptible)
      const world = make()
      const app = await world.start([service('s', { machines: [watcher] })])
      await app.run(watcher, { id: 'i', data: {} })
      await world.clock.settle()
      return { world, app, hands, watcher }
    }
    test('interruptible: at once; the attempt is aborted, and its late result is only journalled', async () => {
      const { world, app, hands, watcher } = await watching(true)
      expect(await app.send(watcher, 'i', Stop({}))).toMatchObject({ outcome: 'applied', state: 'left' })
      expect(hands.at(0).signal.aborted).toBe(true)
      hands.at(0).answer({ n: 9 })
      await world.clock.settle()
      expect(await stateOf(app, watcher, 'i')).toMatchObject({ state: 'left', data: { n: 0 } })
      expect(await lastRow(app, watcher, 'i')).toMatchObject({
        outcome: 'late',
        cause: { kind: 'result', name: 'probe' },
      })
    })
    test('else: when the call has settled', async () => {
      const { world, app, hands, watcher } = await watching(false)
      expect(await app.send(watcher, 'i', Stop({}))).toMatchObject({ outcome: 'deferred', state: 'watching' })
      await world.clock.leap(5 * HOUR)
      expect(hands.at(0).signal.aborted).toBe(false)
      hands.at(0).answer({ n: 9 })
      await world.clock.settle()
      expect(await stateOf(app, watcher, 'i')).toMatchObject({ state: 'left', data: { n: 9 } })
    })
  })

  test('each attempt is told: started, then how it ended, with its key and number', async () => {
    const { hands, clock, events } = await called()
    hands.at(0).throw(new Error('no answer'))
    await clock.advance(SECOND)
    hands.at(1).answer({ n: 1 })
    await clock.settle()
    const { key } = hands.at(0)
    expect(events.filter(({ kind }) => kind.startsWith('attempt'))).toMatchObject([
      { kind: 'attempt-started', machine: 'caller', id: 'i', activity: 'work', call: 'work', key, attempt: 1 },
      { kind: 'attempt-failed', key, attempt: 1, error: { message: 'no answer' } },
      { kind: 'attempt-started', key, attempt: 2 },
      { kind: 'attempt-succeeded', key, attempt: 2 },
    ])
  })

  test('an attempt that failed is told as it was booked', async () => {
    const { hands, clock, events } = await called()
    hands.at(0).answer({ n: 'what does not fit' })
    await clock.advance(SECOND)
    hands.at(1).fail('No', 'there is none', { left: 0 })
    await clock.settle()
    expect(events.filter(({ kind }) => kind.startsWith('attempt-') && kind !== 'attempt-started')).toMatchObject([
      { kind: 'attempt-failed', attempt: 1, error: { code: 'other', outcome: 'unknown' }, nextAt: expect.any(Date) },
      {
        kind: 'attempt-failed',
        attempt: 2,
        error: { code: 'No', message: 'there is none', outcome: 'unknown', details: { left: 0 } },
      },
    ])
    const other = await called()
    other.hands.at(0).fail('No')
    await other.clock.settle()
    expect(other.events.filter(({ kind }) => kind === 'attempt-failed')).toMatchObject([
      { error: { code: 'No', outcome: 'not done' } },
    ])
  })
})
