// What a store can do to a worker: no answer, no room, one bad row, a lost lease, a disk that cannot be trusted.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, PawlError, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import type { Change, CommitResult } from '../../src/store/store.ts'
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

const data = z.object({ id: z.string() })
const Add = command('add', { data: z.object({ n: z.number() }) })
const Call = command('call', { data: z.object({}) })
const Say = command('say', { data: z.object({ to: z.array(z.string()) }) })
const Said = event('said', { data, key: (d) => d.id })

function counterOf(hands: Hands) {
  const work = activity('work', { input: z.object({}), output: z.object({ n: z.number() }), run: hands.run })
  return machine('counter', {
    data: z.object({ n: z.number().default(0) }),
    receives: [Add, Call, Say, Said],
    emits: [Said],
    initial: 'a',
    states: {
      a: {
        on: {
          add: { set: ({ data: d, message }) => ({ n: d.n + message.n }) },
          said: { set: ({ data: d }) => ({ n: d.n + 100 }) },
          say: { emit: { said: ({ message }) => message.to.map((id) => ({ id })) } },
          call: 'calling',
        },
        after: { '1 hour': { to: 'a', set: ({ data: d }) => ({ n: d.n + 1_000 }) } },
      },
      calling: { call: work, input: () => ({}), done: { to: 'a', set: ({ result }) => ({ n: result.n }) } },
    },
  })
}

const disk = new Error('injected')
const transient: CommitResult = { kind: 'transient', error: disk }

/** Answers the next commits so, and lets the others through. What was sent is noted. */
function commits(world: World, ...answers: ((through: () => Promise<CommitResult>) => Promise<CommitResult>)[]) {
  const sent: { n: number; change: Change }[] = []
  world.faults.commit = (through, session, n, change) => {
    sent.push({ n, change })
    const answer = answers.shift()
    return answer === undefined ? through(session, n, change) : answer(() => through(session, n, change))
  }
  return sent
}
const notApplied = () => Promise.resolve(transient)
const appliedUnheard = async (through: () => Promise<CommitResult>) => {
  await through()
  return transient
}
const rejects = () => Promise.reject(disk)

onBothStores('a store in trouble', (make) => {
  async function scene(ids: readonly string[] = ['i'], options: Parameters<typeof make>[0] = {}) {
    const hands = new Hands()
    const counter = counterOf(hands)
    const services = [service('s', { machines: [counter] })]
    const world = make(options)
    const app = await world.start(services)
    for (const id of ids) await app.run(counter, { id, data: {} })
    return { world, app, counter, services, hands, clock: world.clock }
  }
  const ns = async (app: App, counter: ReturnType<typeof counterOf>) =>
    Object.fromEntries((await app.list(counter)).items.map(({ id, data: { n } }) => [id, n]))

  describe('nothing is known of a commit: the same change is sent again under its number, and nothing is doubled', () => {
    test.each([
      ['not applied (F16)', [notApplied, notApplied]],
      ['applied, and the answer lost (F17)', [appliedUnheard, notApplied]],
      ['the call rejects', [rejects, appliedUnheard, rejects]],
    ])('%s', async (_, answers) => {
      const { world, app, counter, clock } = await scene(['i', 'j'])
      const sent = commits(world, ...answers)
      const receipt = app.send(counter, 'i', Say({ to: ['i', 'j', 'nobody'] }), { id: 'own' })
      await clock.settle()
      expect(await app.health()).toMatchObject({ ready: false, alive: true, store: 'unreachable' })
      await clock.advance(10 * SECOND)
      expect(await receipt).toMatchObject({ outcome: 'applied', emitted: [{}, {}, {}] })
      expect(sent).toHaveLength(answers.length + 1)
      expect(new Set(sent.map(({ n }) => n)).size).toBe(1)
      expect(new Set(sent.map(({ change }) => change)).size).toBe(1)
      expect(await ns(app, counter)).toEqual({ i: 100, j: 100 })
      expect(await historyOf(app, counter, 'j')).toHaveLength(2)
      expect(await messagesOf(app)).toEqual({ accepted: 4, applied: 3, waiting: 1 })
      expect(await app.health()).toMatchObject({ ready: true, store: 'ok', problems: [] })
    })
    test('what went into the inbox in that commit is applied once', async () => {
      const { world, app, counter, clock } = await scene(['i', 'j'])
      await world.stop(app)
      const remote = await world.start([service('s', { machines: [counter] })], { tuning: { allRemote: true } })
      commits(world, appliedUnheard)
      const receipt = remote.send(counter, 'i', Say({ to: ['j', 'j'] }))
      await clock.advance(10 * SECOND)
      expect(await receipt).toMatchObject({ outcome: 'applied' })
      expect(await ns(remote, counter)).toEqual({ i: 0, j: 200 })
      expect(await messagesOf(remote)).toEqual({ accepted: 3, applied: 3 })
    })
    test('an attempt is started once, after the commit that opened it is known (I5)', async () => {
      const { world, app, counter, clock, hands } = await scene()
      commits(world, appliedUnheard)
      const receipt = app.send(counter, 'i', Call({}))
      await clock.settle()
      expect(hands.calls).toHaveLength(0)
      await clock.advance(SECOND)
      expect(await receipt).toMatchObject({ outcome: 'applied', state: 'calling' })
      expect(hands.calls).toHaveLength(1)
    })
    test('what comes meanwhile gathers, and goes in the order in which it came', async () => {
      const { world, app, counter, clock } = await scene()
      const sent = commits(world, notApplied)
      const receipts = [app.send(counter, 'i', Add({ n: 1 }))]
      await clock.settle()
      for (const n of [2, 3, 4]) receipts.push(app.send(counter, 'i', Add({ n })))
      await clock.advance(SECOND)
      expect((await Promise.all(receipts)).map(({ seq }) => seq)).toEqual([2, 3, 4, 5])
      expect(sent).toHaveLength(3)
    })
  })

  describe('no room, or no writes (F22, F27): health is red, nothing is lost, and it goes on by itself', () => {
    test.each(['full', 'read-only'] as const)('%s', async (kind) => {
      const { world, app, counter, clock } = await scene()
      let red = true
      let asked = 0
      world.faults.commit = (through, ...call) => {
        asked += 1
        return red ? Promise.resolve({ kind, error: disk }) : through(...call)
      }
      const receipt = app.send(counter, 'i', Add({ n: 1 }), { within: '10 minutes' })
      await clock.advance(MINUTE)
      const health = await app.health()
      expect(health).toMatchObject({ ready: false, alive: true, store: kind })
      expect(health.problems[0]).toContain('injected')
      // No hot loop: about once a second.
      expect(asked).toBeGreaterThan(30)
      expect(asked).toBeLessThan(200)
      // Reads still work.
      expect(await stateOf(app, counter, 'i')).toMatchObject({ data: { n: 0 } })
      expect(await historyOf(app, counter, 'i')).toHaveLength(1)
      red = false
      await clock.advance(2 * SECOND)
      expect(await receipt).toMatchObject({ outcome: 'applied' })
      expect(await app.health()).toMatchObject({ ready: true, store: 'ok' })
      expect(world.logs.map(({ text }) => text)).toEqual(
        expect.arrayContaining([`the store is ${kind}`, 'the store is ok']),
      )
    })
    test.each(['applied', 'stored'] as const)(
      'a sender that waits no longer (for %s) is told that it is not known to be safe; sent again it is applied once',
      async (until) => {
        const { world, app, counter, clock } = await scene()
        let red = true
        world.faults.commit = (through, ...call) =>
          red ? Promise.resolve({ kind: 'full', error: disk }) : through(...call)
        const o = { within: '5 seconds', until } as const
        const elapsed = { code: 'WITHIN_ELAPSED', messageId: expect.any(String) as string }
        const receipts = Promise.all([
          expect(app.send(counter, 'i', Add({ n: 1 }), { ...o, id: 'own' })).rejects.toMatchObject(elapsed),
          expect(app.send(counter, 'i', Add({ n: 10 }), o)).rejects.toMatchObject(elapsed),
        ])
        await clock.advance(6 * SECOND)
        await receipts
        red = false
        const again = app.send(counter, 'i', Add({ n: 1 }), { id: 'own' })
        await clock.advance(2 * SECOND)
        expect(await again).toMatchObject({ outcome: 'duplicate', became: 'applied' })
        expect(await ns(app, counter)).toEqual({ i: 11 })
      },
    )
    test('and rightly so: what only memory had is gone with the process', async () => {
      const { world, app, counter, services, clock } = await scene()
      world.faults.commit = () => Promise.resolve({ kind: 'full', error: disk })
      const receipt = app.send(counter, 'i', Add({ n: 1 }), { id: 'own' }).catch((error: { code: string }) => error)
      await clock.advance(6 * SECOND)
      expect(await receipt).toMatchObject({ code: 'WITHIN_ELAPSED', messageId: 'own' })
      await world.crash(app)
      delete world.faults.commit
      const next = await world.startAfterCrash(services)
      expect(await next.send(counter, 'i', Add({ n: 1 }), { id: 'own' })).toMatchObject({ outcome: 'applied' })
      expect(await ns(next, counter)).toEqual({ i: 1 })
    })
    test('a `within` that is no duration: nothing has gone', async () => {
      const { app, counter, clock } = await scene()
      const o = { within: 'soon' as never }
      await expect(app.send(counter, 'i', Add({ n: 1 }), o)).rejects.toMatchObject({ code: 'BAD_DURATION' })
      await clock.advance(SECOND)
      expect(await messagesOf(app)).toEqual({})
    })
  })

  test('more waits than can be worked off (F79): new messages are refused, operators and cancels are not', async () => {
    const { world, app, counter, clock } = await scene(['i'])
    let red = true
    world.faults.commit = (through, ...call) =>
      red ? Promise.resolve({ kind: 'full', error: disk }) : through(...call)
    const o = { within: '1 hour' } as const
    const work = [app.send(counter, 'i', Add({ n: 1 }), o)]
    await clock.settle()
    work.push(app.send(counter, 'i', Add({ n: 1 }), o))
    await clock.advance(11 * SECOND)
    // As if there were so many.
    const { mailbox } = world.engine(app)
    mailbox.size += 50_000
    const overloaded = { code: 'OVERLOADED' }
    await expect(app.send(counter, 'i', Add({ n: 1 }))).rejects.toMatchObject(overloaded)
    await expect(app.emit(Said({ id: 'i' }))).rejects.toMatchObject(overloaded)
    await expect(app.run(counter, { id: 'j', data: {} })).rejects.toMatchObject(overloaded)
    const retry = app.operate.retry(counter, 'i', { why: 'x' })
    const cancel = app
      .get(counter, 'i')
      .cancel({ why: 'x' })
      .catch((error: { code: string }) => error.code)
    mailbox.size -= 50_000
    red = false
    await clock.advance(2 * SECOND)
    expect(await Promise.all(work)).toMatchObject([{ outcome: 'applied' }, { outcome: 'applied' }])
    expect(await retry).toMatchObject({ outcome: 'refused', why: 'not-stalled' })
    expect(await cancel).not.toBe('OVERLOADED')
  })

  describe('a log that fails changes nothing', () => {
    test.each([
      [
        'throws',
        () => {
          throw new Error('no log')
        },
      ],
      ['rejects', () => Promise.reject(new Error('no log'))],
    ] as const)('it %s', async (_, log) => {
      const told: () => void = log as unknown as () => void // what it answers nobody may have to look at
      const { world, app, counter, clock } = await scene(['i'], { log: told })
      app.on(told)
      let red = true
      world.faults.commit = (through, ...call) =>
        red ? Promise.resolve({ kind: 'full', error: disk }) : through(...call)
      const receipt = app.send(counter, 'i', Add({ n: 1 }), { within: '1 minute' })
      await clock.advance(5 * SECOND)
      expect(await app.health()).toMatchObject({ alive: true, store: 'full' })
      red = false
      await clock.advance(2 * SECOND)
      expect(await receipt).toMatchObject({ outcome: 'applied' })
      expect(await app.health()).toMatchObject({ ready: true, alive: true, store: 'ok' })
    })
  })

  describe('the worker breaks', () => {
    test('whose messages were under way are told at once, and so is who comes later; it ends, and the next goes on', async () => {
      const { world, app, counter, clock, services } = await scene(['i'], { tuning: { allRemote: true } })
      // The store does not say where it put rows: nothing that this process believes can be trusted.
      world.faults.commit = async (through, ...call) => {
        const result = await through(...call)
        return result.kind === 'applied' ? { kind: 'applied', inbox: [] } : result
      }
      const broken = { code: 'WORKER_BROKEN' }
      const told: unknown[] = []
      void app.emit(Said({ id: 'i' }), { within: '1 hour' }).catch((error: unknown) => told.push(error))
      void app.send(counter, 'i', Add({ n: 1 }), { within: '1 hour' }).catch((error: unknown) => told.push(error))
      await clock.settle()
      expect(told).toMatchObject([broken, broken])
      expect(await app.health()).toMatchObject({ ready: false, alive: false })
      await expect(app.send(counter, 'i', Add({ n: 1 }))).rejects.toMatchObject(broken)
      await expect(app.operate.deadLetters.list()).rejects.toMatchObject(broken)
      delete world.faults.commit
      await world.stop(app)
      const next = await world.startAfterCrash(services)
      await clock.advance(SECOND)
      expect(await next.send(counter, 'i', Add({ n: 1 }))).toMatchObject({ outcome: 'applied' })
    })
  })

  describe('one row is refused for ever: its instance alone stalls, and nothing else is kept from it (I10)', () => {
    /** The store refuses that instance as long as it lives (or, with `always`, whatever is written of it). */
    function refuse(world: World, id: string, always = false): void {
      world.faults.commit = (through, session, n, change) => {
        const bad = change.instances.some((one) => one.id === id && (always || one.status === 'live'))
        if (bad) return Promise.resolve({ kind: 'rejected', error: disk })
        return through(session, n, change)
      }
    }
    const many = Array.from({ length: 60 }, (_, n) => `i${n}`)

    test('one among many stalls with its message, all others are applied', async () => {
      const { world, app, counter } = await scene(many)
      refuse(world, 'i30')
      const told = await Promise.all(
        many.map((id) =>
          app.send(counter, id, Add({ n: 1 })).then(
            ({ outcome }) => outcome,
            (error: { code: string }) => error.code,
          ),
        ),
      )
      expect(told).toEqual(many.map((id) => (id === 'i30' ? 'deferred' : 'applied')))
      expect(await stateOf(app, counter, 'i30')).toMatchObject({
        status: 'stalled',
        data: { n: 0 },
        stalled: { code: 'STORE_REFUSED' },
      })
      expect(await instancesOf(app, counter)).toMatchObject({ stalled: 1, waiting: 59, states: { a: 60 } })
      expect(await messagesOf(app)).toEqual({ accepted: 60, applied: 59, waiting: 1 })
      // Full speed again: what comes next is not looked at one by one.
      const sent: number[] = []
      world.faults.commit = (through, session, n, change) => {
        sent.push(change.journal.length)
        return through(session, n, change)
      }
      for (let round = 0; round < 8; round++)
        await Promise.all(many.map((id) => app.send(counter, id, Add({ n: 1 })).catch(() => 0)))
      expect(Math.max(...sent)).toBeGreaterThan(20)
    })
    test('a copy of the message that is kept with it is known, and stands in its order', async () => {
      const { world, app, counter } = await scene()
      refuse(world, 'i')
      const send = () => app.send(counter, 'i', Add({ n: 1 }), { id: 'once' })
      expect(await send()).toMatchObject({ outcome: 'deferred' })
      expect(await send()).toMatchObject({ outcome: 'duplicate', became: 'deferred' })
      await app.send(counter, 'i', Say({ to: [] }))
      delete world.faults.commit
      await app.operate.retry(counter, 'i', { why: 'the store was mended' })
      expect(await ns(app, counter)).toEqual({ i: 1 })
      const names = (await historyOf(app, counter, 'i')).map(({ cause }) => cause.name)
      expect(names.slice(-2)).toEqual(['add', 'say'])
      expect(await send()).toMatchObject({ outcome: 'duplicate', became: 'applied' })
    })
    test('several messages for it at once wait for an operator, in order', async () => {
      const { world, app, counter } = await scene(['i', 'j'])
      refuse(world, 'i')
      const told = await Promise.all([
        app.send(counter, 'i', Add({ n: 1 })).catch((error: { code: string }) => error.code),
        app.send(counter, 'j', Say({ to: ['j', 'i'] })),
        app.send(counter, 'i', Add({ n: 2 })),
        app.send(counter, 'j', Add({ n: 5 })),
        app.send(counter, 'i', Add({ n: 3 })),
      ])
      expect(told).toMatchObject([
        { outcome: 'deferred' },
        { outcome: 'applied' },
        { outcome: 'deferred' },
        { outcome: 'applied' },
        { outcome: 'deferred' },
      ])
      delete world.faults.commit
      await app.operate.retry(counter, 'i', { why: 'the store was mended' })
      expect(await ns(app, counter)).toEqual({ i: 106, j: 105 })
    })
    test('an answer that is refused while its instance stands stalled is asked for again after a retry, under the same key', async () => {
      const { world, app, counter, hands, clock } = await scene()
      await app.send(counter, 'i', Call({}))
      await clock.settle()
      world.faults.commit = (through, session, n, change) => {
        const answered = change.instances.some(({ calls }) => calls?.['work']?.settled !== undefined || calls === null)
        // What waits is refused while the instance is live, which stalls it.
        const waits = change.waiting.length > 0 && change.instances.every(({ status }) => status === 'live')
        const result = change.instances.some(({ stalled }) => stalled?.cause?.kind === 'result')
        if (answered || waits || result) return Promise.resolve({ kind: 'rejected', error: disk })
        return through(session, n, change)
      }
      await app.send(counter, 'i', Add({ n: 1 }))
      expect(await stateOf(app, counter, 'i')).toMatchObject({ status: 'stalled', stalled: { code: 'STORE_REFUSED' } })
      hands.at(0).answer({ n: 7 })
      await clock.advance(SECOND)
      expect(hands.calls).toHaveLength(1)
      delete world.faults.commit
      await app.operate.retry(counter, 'i', { why: 'the store was mended' })
      await clock.advance(5 * SECOND)
      expect(hands.calls.map(({ attempt, key }) => [attempt, key])).toEqual([
        [1, hands.at(0).key],
        [2, hands.at(0).key],
      ])
      hands.at(1).answer({ n: 7 })
      await clock.settle()
      expect(await stateOf(app, counter, 'i')).toMatchObject({ state: 'a', status: 'waiting', data: { n: 8 } })
    })
    test('a lifecycle event and the log say so', async () => {
      const { world, app, counter } = await scene()
      const told: unknown[] = []
      app.on((e) => void (e.kind === 'stalled' && told.push([e.id, e.error.code])))
      refuse(world, 'i')
      await app.send(counter, 'i', Add({ n: 1 })).catch(() => 0)
      expect(told).toEqual([['i', 'STORE_REFUSED']])
      expect(world.logs.some(({ level, id }) => level === 'error' && id === 'i')).toBe(true)
    })
    test('an operator lets it go on when the store takes it again', async () => {
      const { world, app, counter } = await scene()
      refuse(world, 'i')
      await app.send(counter, 'i', Add({ n: 1 })).catch(() => 0)
      expect(await app.send(counter, 'i', Add({ n: 2 }))).toMatchObject({ outcome: 'deferred' })
      delete world.faults.commit
      expect(await app.operate.retry(counter, 'i', { why: 'the store was mended' })).toMatchObject({
        outcome: 'applied',
      })
      expect(await stateOf(app, counter, 'i')).toMatchObject({ status: 'waiting', data: { n: 3 } })
    })
    test('the result of a call: it is kept, and a retry writes it', async () => {
      const { world, app, counter, hands, clock } = await scene()
      await app.send(counter, 'i', Call({}))
      await clock.settle()
      refuse(world, 'i')
      hands.at(0).answer({ n: 42 })
      await clock.settle()
      expect(await stateOf(app, counter, 'i')).toMatchObject({ status: 'stalled', state: 'calling' })
      delete world.faults.commit
      await app.operate.retry(counter, 'i', { why: 'the store was mended' })
      expect(await stateOf(app, counter, 'i')).toMatchObject({ status: 'waiting', state: 'a', data: { n: 42 } })
      expect(hands.calls).toHaveLength(1)
    })
    test('one of several who hear an event: the emitter and the others go on, and it keeps its message', async () => {
      const { world, app, counter, clock } = await scene(['i', 'j', 'k'])
      refuse(world, 'j')
      expect(await app.send(counter, 'i', Say({ to: ['j', 'k', 'i'] }))).toMatchObject({ outcome: 'applied' })
      await clock.advance(SECOND)
      expect(await ns(app, counter)).toEqual({ i: 100, j: 0, k: 100 })
      expect(await stateOf(app, counter, 'j')).toMatchObject({ status: 'stalled' })
      expect(await messagesOf(app)).toEqual({ accepted: 4, applied: 3, waiting: 1 })
    })
    test('a new instance: its starter is told, and nothing was accepted', async () => {
      const { world, app, counter } = await scene()
      refuse(world, 'new')
      await expect(app.run(counter, { id: 'new', data: {} })).rejects.toMatchObject({ code: 'STORE_REFUSED' })
      expect(await instancesOf(app, counter)).toMatchObject({ started: 1 })
      delete world.faults.commit
      expect((await app.run(counter, { id: 'new', data: {} })).created).toBe(true)
    })
    test('not even that it stalls can be written: the others go on all the same', async () => {
      const { world, app, counter } = await scene(['i', 'j'])
      refuse(world, 'i', true)
      const [bad, good] = await Promise.all([
        app.send(counter, 'i', Add({ n: 1 })).catch((error: { code: string }) => error.code),
        app.send(counter, 'j', Add({ n: 1 })),
      ])
      expect([bad, good]).toMatchObject(['STORE_REFUSED', { outcome: 'applied' }])
      delete world.faults.commit
      expect(await app.send(counter, 'i', Add({ n: 1 }))).toMatchObject({ outcome: 'applied' })
    })
  })

  describe('the session is gone (F03): all that is in memory is dropped, a new one is opened, nothing is doubled', () => {
    /** The next commit finds that somebody has taken all over. */
    function fence(world: World): void {
      world.faults.commit = async (through, session, n, change) => {
        delete world.faults.commit
        await world.engine(world.apps[0]!).store.closeSession(session)
        return through(session, n, change)
      }
    }
    test('messages whose senders wait go on to whoever owns them, and are applied once', async () => {
      const { world, app, counter, clock } = await scene(['i', 'j'])
      fence(world)
      const receipts = [
        app.send(counter, 'i', Add({ n: 1 }), { id: 'own' }),
        app.send(counter, 'j', Say({ to: ['i'] })),
        app.run(counter, { id: 'new', data: {} }),
      ]
      await clock.advance(SECOND)
      const [first, second, started] = await Promise.all(receipts)
      expect([first, second]).toMatchObject([{ outcome: 'applied' }, { outcome: 'applied' }])
      expect(started).toMatchObject({ created: true })
      expect(await ns(app, counter)).toEqual({ i: 101, j: 0, new: 0 })
      expect(await messagesOf(app)).toEqual({ accepted: 3, applied: 3 })
      expect(await app.health()).toMatchObject({ ready: true })
      expect(await app.send(counter, 'i', Add({ n: 1 }), { id: 'own' })).toMatchObject({ outcome: 'duplicate' })
    })
    test('a running attempt is aborted; its success still counts, under the same key', async () => {
      const { world, app, counter, clock, hands } = await scene()
      await app.send(counter, 'i', Call({}))
      await clock.settle()
      fence(world)
      const started = app.run(counter, { id: 'j', data: {} })
      await clock.advance(SECOND)
      expect((await started).created).toBe(true)
      expect(hands.at(0).signal.aborted).toBe(true)
      hands.at(0).answer({ n: 7 })
      await clock.advance(MINUTE)
      expect(await stateOf(app, counter, 'i')).toMatchObject({ state: 'a', data: { n: 7 } })
      expect(new Set(hands.calls.map(({ key }) => key)).size).toBe(1)
    })
    test('timers go on', async () => {
      const { world, app, counter, clock } = await scene()
      fence(world)
      const receipt = app.send(counter, 'i', Add({ n: 1 }))
      await clock.advance(SECOND)
      await receipt
      await clock.leap(61 * MINUTE)
      expect(await ns(app, counter)).toEqual({ i: 1_001 })
    })
  })

  describe('the store cannot be trusted any more (F28): this worker ends, and says so', () => {
    test('callers are rejected, health says that only a new process helps, stop still works', async () => {
      const { world, app, counter } = await scene()
      const broken: CommitResult = { kind: 'broken', error: new Error('EIO') }
      commits(world, () => Promise.resolve(broken))
      const sent = app.send(counter, 'i', Add({ n: 1 }))
      await expect(sent).rejects.toMatchObject({ code: 'WORKER_BROKEN' })
      expect(await app.health()).toMatchObject({ ready: false, alive: false })
      expect((await app.health()).problems[0]).toContain('EIO')
      await expect(app.send(counter, 'i', Add({ n: 1 }))).rejects.toMatchObject({ code: 'WORKER_BROKEN' })
      await expect(app.run(counter, { id: 'j', data: {} })).rejects.toMatchObject({ code: 'WORKER_BROKEN' })
      await expect(app.get(counter, 'i').state()).rejects.toMatchObject({ code: 'WORKER_BROKEN' })
      await world.stop(app)
    })
    test.each(['load', 'allot', 'due', 'inbox'] as const)(
      'though no commit has shown it, but %s: it would wait for ever, and nobody would start it anew',
      async (name) => {
        const { world, counter, services, clock, app: first } = await scene()
        await world.stop(first)
        const app = await world.start(services)
        let isAsked = false
        world.faults[name] = (() => {
          isAsked = true
          return Promise.reject(new PawlError('STORE_CORRUPT', 'EIO'))
        }) as never
        const sent = app.run(counter, { id: 'new', data: {} }).catch((error: unknown) => error)
        if (name === 'inbox') await app.transaction((tx) => void tx.send(counter, 'i', Add({ n: 1 })))
        await clock.leap(61 * MINUTE)
        expect(isAsked).toBe(true)
        expect(await app.health()).toMatchObject({ ready: false, alive: false })
        expect((await app.health()).problems[0]).toContain('EIO')
        if (name === 'load' || name === 'allot') expect(await sent).toMatchObject({ code: 'WORKER_BROKEN' })
        await world.stop(app)
      },
    )
    test.each([
      ['full', 'STORE_FULL'],
      ['read-only', 'STORE_READ_ONLY'],
    ] as const)(
      'no room for numbers of new instances (F27): the store is %s, and it goes on by itself',
      async (state, code) => {
        const { world, counter, services, clock, app: first } = await scene()
        await world.stop(first)
        const app = await world.start(services)
        let left = 3
        world.faults.allot = (through, ...call) =>
          left-- > 0 ? Promise.reject(new PawlError(code, 'injected')) : through(...call)
        const started = app.run(counter, { id: 'new', data: {} })
        await clock.settle()
        expect(await app.health()).toMatchObject({ ready: false, alive: true, store: state })
        await clock.advance(MINUTE)
        expect(await started).toMatchObject({ created: true })
        expect(await app.health()).toMatchObject({ ready: true, store: 'ok' })
      },
    )
    test('what was acknowledged is there for the next one', async () => {
      const { world, app, counter, services } = await scene()
      await app.send(counter, 'i', Add({ n: 5 }))
      commits(world, () => Promise.resolve({ kind: 'broken', error: disk }))
      await app.send(counter, 'i', Add({ n: 1 })).catch(() => 0)
      await world.crash(app)
      const next = await world.startAfterCrash(services)
      expect(await ns(next, counter)).toEqual({ i: 5 })
    })
  })

  describe('a read fails: nothing has happened, health is red, and it is tried again', () => {
    test.each(['load', 'receipts', 'now', 'allot', 'tombstone'] as const)('%s', async (name) => {
      const { world, counter, services, clock, app: first } = await scene()
      await world.stop(first)
      const app = await world.start(services)
      let left = 3
      world.faults[name] = ((through: (...a: unknown[]) => unknown, ...call: unknown[]) =>
        left-- > 0 ? Promise.reject(disk) : through(...call)) as never
      const receipts = Promise.all([
        app.send(counter, 'i', Add({ n: 1 }), { id: 'own', within: '1 hour' }),
        app.send(counter, 'i', Add({ n: 2 }), { within: '1 hour' }),
        app.run(counter, { id: 'new', data: {} }),
        app.send(counter, 'nobody', Said({ id: 'nobody' }), { within: '1 hour' }),
      ])
      await clock.settle()
      // On a store that several share its time is not asked for each batch.
      const asked = left < 3
      if (asked) expect(await app.health()).toMatchObject({ ready: false, alive: true, store: 'unreachable' })
      await clock.advance(MINUTE)
      expect(await receipts).toMatchObject([
        { outcome: 'applied', seq: 2 },
        { outcome: 'applied', seq: 3 },
        { created: true },
        { outcome: 'deferred' },
      ])
      expect(await ns(app, counter)).toEqual({ i: 3, new: 0 })
      expect(await app.health()).toMatchObject({ ready: true, store: 'ok' })
    })
    test('of due timers', async () => {
      const { world, app, counter, clock } = await scene()
      let left = 3
      world.faults.due = (through, ...call) => (left-- > 0 ? Promise.reject(disk) : through(...call))
      await clock.leap(61 * MINUTE)
      await clock.advance(MINUTE)
      expect(await ns(app, counter)).toEqual({ i: 1_000 })
    })
    test('of the inbox', async () => {
      const { world, app, counter, clock } = await scene()
      let left = 2
      world.faults.inbox = (through, ...call) => (left-- > 0 ? Promise.reject(disk) : through(...call))
      await app.transaction((tx) => void tx.send(counter, 'i', Add({ n: 1 })))
      await clock.advance(MINUTE)
      expect(await ns(app, counter)).toEqual({ i: 1 })
    })
    test('of open calls after a start: they are found all the same', async () => {
      const { world, app, counter, clock, hands, services } = await scene()
      await app.send(counter, 'i', Call({}))
      await clock.settle()
      await world.crash(app)
      let left = 2
      world.faults.openCalls = (through, ...call) => (left-- > 0 ? Promise.reject(disk) : through(...call))
      const next = await world.startAfterCrash(services)
      await clock.advance(MINUTE)
      expect(hands.calls.length).toBeGreaterThan(1)
      hands.at(-1).answer({ n: 3 })
      await clock.settle()
      expect(await ns(next, counter)).toEqual({ i: 3 })
    })
    test('of one who only asks: it is told, and nothing else is', async () => {
      const { world, app, counter } = await scene()
      world.faults.list = () => Promise.reject(disk)
      await expect(app.list(counter)).rejects.toThrow('injected')
      delete world.faults.list
      expect(await ns(app, counter)).toEqual({ i: 0 })
      expect(await app.health()).toMatchObject({ ready: true })
    })
  })

  test('the caller of a transaction that could not be written is told, and nothing of it is there', async () => {
    const { world, app, counter, clock } = await scene()
    world.faults.append = () => Promise.reject(disk)
    world.faults.transaction = () => Promise.reject(disk)
    await expect(app.transaction((tx) => void tx.send(counter, 'i', Add({ n: 1 })))).rejects.toThrow('injected')
    delete world.faults.append
    delete world.faults.transaction
    await clock.settle()
    expect(await ns(app, counter)).toEqual({ i: 0 })
    expect(await messagesOf(app)).toEqual({})
    expect(await deadOf(app)).toEqual([])
    expect(await lastRow(app, counter, 'i')).toMatchObject({ seq: 1 })
  })

  describe('a commit is limited in bytes, whatever is in its rows', () => {
    const Load = command('load', { data: z.object({ text: z.string() }) })
    const Tell = command('tell', { data: z.object({ text: z.string() }) })
    const Later = command('later', { data: z.object({ text: z.string() }) })
    const Told = event('told', { data: z.object({ id: z.string(), text: z.string() }), key: (d) => d.id })
    const box = machine('box', {
      data: z.object({ text: z.string().default('') }),
      receives: [Load, Tell, Later],
      emits: [Told],
      initial: 'a',
      states: {
        a: {
          on: {
            load: { set: ({ message }) => ({ text: message.text }) },
            tell: { emit: { told: ({ message, id }) => ({ id, text: message.text }) } },
          },
          after: { '365 days': 'b' },
        },
        b: { on: { later: 'a' }, after: { '365 days': 'a' } },
      },
    })
    const text = 'x'.repeat(100_000)
    test.each([
      ['the data of instances', Load({ text })],
      ['events', Tell({ text })],
      ['messages that wait', Later({ text })],
    ])('%s', async (_, message) => {
      const world = make()
      const app = await world.start([service('s', { machines: [box] })])
      const ids = Array.from({ length: 60 }, (_, n) => `i${n}`)
      await Promise.all(ids.map((id) => app.run(box, { id, data: {} })))
      const sizes = commits(world)
      await Promise.all(ids.map((id) => app.send(box, id, message)))
      const lengths = sizes.map(
        ({ change }) => JSON.stringify([...change.instances, change.events, change.waiting]).length,
      )
      expect(Math.max(...lengths)).toBeGreaterThan(400_000)
      expect(Math.max(...lengths)).toBeLessThan(1_700_000)
    })
  })

  describe('a worker is stopped while its store takes nothing: it ends, the grace and five seconds later at most', () => {
    const never = (): Promise<never> => new Promise(() => undefined)
    test.each([
      ['it is full', (world: World) => (world.faults.commit = async () => ({ kind: 'full', error: disk }))],
      ['it is busy', (world: World) => (world.faults.commit = async () => transient)],
      ['it does not answer', (world: World) => (world.faults.commit = never)],
      ['it refuses, and does not answer what became of it', refusesAndIsSilent],
      ['it cannot be read', (world: World) => (world.faults.load = () => Promise.reject(disk))],
      ['the session cannot be closed', sessionStays],
    ])('%s', async (_, spoil) => {
      const { world, app, counter, services, clock } = await scene()
      await world.stop(app)
      const second = await world.start(services)
      spoil(world)
      const receipts = [1, 2].map((n) =>
        second.send(counter, 'i', Add({ n }), { within: '1 hour' }).catch((error: { code: string }) => error.code),
      )
      const created = second.run(counter, { id: 'j', data: {} }).catch((error: { code: string }) => error.code)
      await clock.settle()
      let ended = 0
      const stopping = [second.stop(), second.stop()].map((stop) => stop.then(() => (ended += 1)))
      await clock.advance(18 * SECOND)
      expect(ended).toBe(2)
      await Promise.all(stopping)
      expect(await Promise.all([...receipts, created])).toEqual(['STOPPED', 'STOPPED', 'STOPPED'])
      await world.stop(second)
      for (const name of Object.keys(world.faults)) delete world.faults[name as keyof typeof world.faults]
      const third = await world.startAfterCrash(services)
      expect(await third.send(counter, 'i', Add({ n: 4 }))).toMatchObject({ outcome: 'applied' })
      expect(await ns(third, counter)).toEqual({ i: 4 })
    })
    function refusesAndIsSilent(world: World): void {
      world.faults.commit = async () => ({ kind: 'rejected', error: disk })
      world.faults.burn = never
    }
    function sessionStays(world: World): void {
      world.faults.commit = async () => transient
      world.faults.closeSession = never
    }
    test('a second stop ends when the first does', async () => {
      const { world, app, counter, clock, hands } = await scene()
      await app.send(counter, 'i', Call({}))
      await clock.settle()
      const ended: string[] = []
      const first = app.stop().then(() => ended.push('first'))
      const second = app.stop().then(() => ended.push('second'))
      await clock.advance(SECOND)
      expect(ended).toEqual([])
      hands.at(0).answer({ n: 1 })
      await clock.advance(SECOND)
      await Promise.all([first, second])
      expect(ended).toEqual(['first', 'second'])
      await world.stop(app)
    })
  })

  test('a start that finds no store says so, and leaves nothing behind', async () => {
    const { world, app, services } = await scene()
    await world.stop(app)
    world.faults.graphs = () => Promise.reject(disk)
    const second = world.make(services)
    await expect(second.start()).rejects.toThrow('injected')
    delete world.faults.graphs
    expect(await second.health()).toMatchObject({ ready: false, alive: false })
    await expect(second.counts()).rejects.toMatchObject({ code: expect.any(String) as string })
    const third = await world.start(services)
    expect(await third.health()).toMatchObject({ ready: true })
  })
})
