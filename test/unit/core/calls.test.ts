// Calls: what an attempt answers, and what becomes of the call and of the state that waits for it.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { callKey, customKey } from '../../../src/base/id.ts'
import { activity } from '../../../src/machine/activity.ts'
import { machine } from '../../../src/machine/machine.ts'
import { event } from '../../../src/machine/message.ts'
import { HOUR, LEASE_MS, MINUTE, play, SECOND } from '../../support/play.ts'

const none = z.object({})
const Leave = event('leave', { data: none, key: () => 'i1' })
const Note = event('note', { data: none, key: () => 'i1' })
const charge = activity('charge', {
  input: z.object({ cents: z.number().default(5) }),
  output: z.object({ id: z.string() }),
  failures: ['Declined', 'Fraud'],
  retry: { attempts: 3, first: '1 second', factor: 4, max: '20 seconds' },
})

/** paying calls `charge`; its group would leave it. */
const pays = machine('pays', {
  data: z.object({ id: z.string().optional(), why: z.string().optional(), notes: z.number().default(0) }),
  receives: [Leave, Note],
  initial: 'paying',
  groups: { any: { states: ['paying', 'paid'], on: { leave: 'left' }, after: { '1 hour': 'left' } } },
  states: {
    paying: {
      call: charge,
      on: { note: { set: ({ data }) => ({ notes: data.notes + 1 }) } },
      done: { to: 'paid', set: ({ result }) => ({ id: result.id }) },
      fail: { Declined: { to: 'failed', set: ({ error }) => ({ why: `${error.code} ${error.outcome}` }) } },
    },
    paid: { on: { leave: 'done' } },
    left: { final: 'cancelled' },
    failed: { final: 'failed' },
    done: { final: 'done' },
  },
})
const paysOther = machine('paysOther', {
  data: z.object({ why: z.string().optional() }),
  initial: 'paying',
  states: {
    paying: {
      call: charge,
      done: 'end',
      fail: { other: { to: 'end', set: ({ error }) => ({ why: `${error.code} ${error.outcome} ${error.message}` }) } },
    },
    end: { final: 'done' },
  },
})

describe('an entry opens a call', () => {
  test('with its key, its parsed input and nothing tried', () => {
    const p = play(pays)
    const key = callKey(p.instance!.incarnation, 1, 'charge')
    expect(p.instance?.calls).toEqual({
      charge: {
        activity: 'charge',
        key,
        entry: 1,
        input: { cents: 5 },
        attempts: 0,
        unknown: false,
        openedAt: p.now,
        recoveries: 0,
        runner: 's1',
      },
    })
    expect(p.row).toMatchObject({ opened: ['charge'], dropped: [] })
    expect([...p.last.fresh]).toEqual([key])
  })
  test('nothing is due in the store while an attempt runs, but for timers', () => {
    const p = play(pays)
    expect(p.instance?.dueAt).toBe(p.now + HOUR)
    expect(play(paysOther).instance?.dueAt).toBeNull()
  })
})

describe('three outcomes', () => {
  test('done: the output, as its schema reads it', () => {
    const p = play(pays)
    expect(p.done({ id: 'p-1', more: 1 })).toMatchObject({ fate: 'applied', own: 1 })
    expect([p.state, p.data['id'], p.instance?.calls]).toEqual(['paid', 'p-1', null])
    expect(p.row.cause).toMatchObject({ kind: 'result', name: 'charge' })
  })
  test('not done: a declared failure, no earlier attempt unknown', () => {
    const p = play(pays)
    p.fail('Declined')
    expect([p.status, p.data['why']]).toEqual(['failed', 'Declined not done'])
  })
  test('unknown: sticky over attempts', () => {
    const p = play(pays)
    p.unknown()
    p.fail('Declined')
    expect([p.status, p.data['why']]).toEqual(['failed', 'Declined unknown'])
  })
  test('an output that does not fit is no success, and may have happened', () => {
    const p = play(pays)
    expect(p.done({ id: 5 })).toMatchObject({ fate: 'noted', journal: [] })
    expect(p.instance?.calls?.['charge']).toMatchObject({ attempts: 1, unknown: true })
    // Of an older attempt it says nothing.
    const { instance } = p
    p.now += SECOND
    expect(p.done({ id: 5 }, undefined, { attempt: 1 })).toMatchObject({ fate: 'noted' })
    expect(p.instance).toEqual(instance)
  })
  test('details that are no JSON are told as text', () => {
    const p = play(pays)
    p.attempt({ kind: 'failure', code: 'Fraud', message: 'no', details: 'plain' })
    expect(p.instance?.calls?.['charge']?.settled).toMatchObject({ error: { details: 'plain' } })
    const q = play(pays)
    q.attempt({ kind: 'failure', code: 'Fraud', message: 'no', details: new Error('deep') })
    expect(q.instance?.calls?.['charge']?.settled).toMatchObject({ error: { details: 'deep' } })
  })
})

describe('a success of any attempt closes the call; a failure counts only from the newest', () => {
  test('a success of an older attempt', () => {
    const p = play(pays)
    p.unknown()
    p.done({ id: 'late' }, undefined, { attempt: 1 })
    expect([p.state, p.data['id']]).toEqual(['paid', 'late'])
  })
  test('a failure of an older attempt does not count', () => {
    const p = play(pays)
    p.unknown()
    const { instance } = p
    expect(p.fail('Declined', undefined, { attempt: 1 })).toMatchObject({ fate: 'noted', journal: [] })
    expect(p.unknown(undefined, { attempt: 1 })).toMatchObject({ fate: 'noted', journal: [] })
    expect(p.instance).toEqual(instance)
  })
  test('a result of another key is late: journalled', () => {
    const p = play(pays)
    expect(p.done({ id: 'x' }, undefined, { key: 'other' })).toMatchObject({ fate: 'late', own: 1 })
    expect([p.state, p.row.outcome]).toEqual(['paying', 'late'])
    p.done({ id: 'x' })
    const key = callKey(p.instance!.incarnation, 1, 'charge')
    const again = { kind: 'result', call: 'charge', key, attempt: 2, jitter: 0 } as const
    expect(p.give({ ...again, outcome: { kind: 'unknown', message: 'm' } })).toMatchObject({
      fate: 'late',
      journal: [],
    })
    expect(p.give({ ...again, outcome: { kind: 'failure', code: 'Fraud', message: 'm' } })).toMatchObject({ own: 1 })
  })
  test('after the end it is late as well', () => {
    const p = play(pays)
    const { key } = p.instance!.calls!['charge']!
    p.fail('Declined')
    const late = {
      kind: 'result',
      call: 'charge',
      key,
      attempt: 1,
      jitter: 0,
      outcome: { kind: 'done', output: 1 },
    } as const
    expect(p.give(late)).toMatchObject({ fate: 'late', own: 1 })
  })
})

describe('what is not declared is tried again: exponential, full jitter, floor, cap', () => {
  test.each([
    [0, 100, 400],
    [0.5, 550, 2_200],
    [0.999999, 1_000, 4_000],
  ])('jitter %d', (jitter, first, second) => {
    const p = play(pays)
    p.unknown(undefined, { jitter })
    expect(p.instance?.calls?.['charge']).toMatchObject({
      attempts: 1,
      unknown: true,
      nextAt: p.now + first,
      runner: 's1',
    })
    p.now += first
    p.unknown(undefined, { jitter })
    expect(p.instance?.calls?.['charge']).toMatchObject({ attempts: 2, nextAt: p.now + second })
  })
  test('a wait of a lease or more is in `dueAt`; a shorter one lives in memory', () => {
    const slow = activity('slow', {
      input: none,
      output: none,
      retry: { first: '10 seconds', max: '10 minutes', attempts: 9 },
    })
    const waits = machine('waits', {
      data: none,
      initial: 'a',
      states: { a: { call: slow, done: 'end', fail: 'end' }, end: { final: 'done' } },
    })
    const p = play(waits)
    p.unknown(undefined, { jitter: 0.5 })
    expect([p.instance!.calls!['slow']!.nextAt! - p.now < LEASE_MS, p.instance?.dueAt]).toEqual([true, null])
    p.unknown(undefined, { jitter: 0.999999 })
    const { nextAt } = p.instance!.calls!['slow']!
    expect(p.instance?.dueAt).toBe(nextAt)
    // The alarm rings: it is nearer than a lease now, so nothing rings again.
    p.now = nextAt!
    expect(p.ring()).toMatchObject({ fate: 'noted', journal: [] })
    expect(p.instance?.dueAt).toBeNull()
  })
  test('used up by `attempts`: `fail.other`, with the last message', () => {
    const p = play(paysOther)
    p.unknown()
    p.unknown()
    expect(p.unknown()).toMatchObject({ fate: 'applied' })
    expect(p.data['why']).toBe('other unknown connection reset')
  })
  test('used up by `within`', () => {
    const brief = activity('brief', { input: none, output: none, retry: { first: '10 seconds', within: '15 seconds' } })
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: { a: { call: brief, done: 'end', fail: 'end' }, end: { final: 'done' } },
    })
    const p = play(m)
    p.unknown(undefined, { jitter: 0.9 })
    expect(p.state).toBe('a')
    p.now += 9_000
    p.unknown(undefined, { jitter: 0 })
    expect(p.state).toBe('a')
    p.now += 1_000
    p.unknown(undefined, { jitter: 0.5 })
    expect(p.state).toBe('end')
  })
})

describe('exhausted without `fail.other`: the instance stalls in place', () => {
  const exhausted = () => {
    const p = play(pays)
    for (let i = 0; i < 3; i++) p.unknown()
    return p
  }
  test('as RETRIES_EXHAUSTED, with the message', () => {
    const p = exhausted()
    expect([p.state, p.stalled, p.instance?.stalled?.message]).toEqual([
      'paying',
      'RETRIES_EXHAUSTED',
      'connection reset',
    ])
    expect(p.instance?.calls?.['charge']?.settled).toMatchObject({
      done: false,
      error: { code: 'other', outcome: 'unknown' },
    })
    expect(p.journal).toHaveLength(1)
  })
  test('a declared failure without an edge of its own, too', () => {
    const p = play(pays)
    p.fail('Fraud')
    expect([p.state, p.stalled]).toEqual(['paying', 'NO_EDGE_FOR_FAILURE'])
    expect(p.instance?.stalled?.message).toContain('Fraud')
  })
  test('a success that comes after all goes on', () => {
    const p = exhausted()
    p.send(Note({}))
    expect(p.done({ id: 'late' }, undefined, { attempt: 2 })).toMatchObject({ fate: 'applied' })
    expect([p.state, p.status, p.data['id'], p.instance?.stalled]).toEqual(['paid', 'live', 'late', null])
    expect(p.waiting).toEqual([])
  })
  test('a failure that comes after all is late', () => {
    const p = exhausted()
    expect(p.fail('Declined', undefined, { attempt: 3 })).toMatchObject({ fate: 'late' })
    expect(p.status).toBe('stalled')
  })
  test("an operator's retry tries under the same key, from the first attempt; it is still known that it may have happened", () => {
    const p = exhausted()
    const { key } = p.instance!.calls!['charge']!
    expect(p.retry()).toMatchObject({ fate: 'applied', own: 1 })
    expect(p.instance?.calls?.['charge']).toMatchObject({ key, attempts: 0, unknown: true, recoveries: 0 })
    expect(p.instance?.calls?.['charge']?.settled).toBeUndefined()
    expect(p.row).toMatchObject({
      opened: ['charge'],
      by: 'ann',
      why: 'by hand',
      cause: { kind: 'operator', name: 'retry' },
    })
    p.fail('Declined')
    expect(p.data['why']).toBe('Declined unknown')
  })
  test('the time of `retry.within` begins anew with it', () => {
    const brief = activity('brief', { input: none, output: none, retry: { first: '10 seconds', within: '15 seconds' } })
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: { a: { call: brief, done: 'end' }, end: { final: 'done' } },
    })
    const p = play(m)
    p.now += 14_000
    p.unknown(undefined, { jitter: 0.9 })
    expect(p.stalled).toBe('RETRIES_EXHAUSTED')
    p.now += HOUR
    p.retry()
    p.unknown(undefined, { jitter: 0.9 })
    expect([p.status, p.instance?.calls?.['brief']?.attempts]).toEqual(['live', 1])
  })
  test('or under a new key', () => {
    const p = exhausted()
    p.retry(true)
    expect(p.instance?.calls?.['charge']?.key).toBe(callKey(p.instance!.incarnation, 2, 'charge'))
  })
})

describe('a worker that died', () => {
  const die = (p: ReturnType<typeof play>) => p.attempt({ kind: 'recovered', runner: 's2' })
  test('each take-over counts, makes the outcome unknown and starts it again under the same key', () => {
    const p = play(pays)
    const { key } = p.instance!.calls!['charge']!
    die(p)
    expect(p.instance?.calls?.['charge']).toMatchObject({
      key,
      attempts: 1,
      unknown: true,
      recoveries: 1,
      runner: 's2',
    })
  })
  test('5 in a row: WORKER_DIED', () => {
    const p = play(pays)
    for (let i = 0; i < 4; i++) die(p)
    expect(p.status).toBe('live')
    die(p)
    expect([p.status, p.stalled]).toEqual(['stalled', 'WORKER_DIED'])
    p.retry()
    expect([p.status, p.instance?.calls?.['charge']?.recoveries]).toEqual(['live', 0])
  })
  test('an attempt that settles brings the count back to 0', () => {
    const p = play(pays)
    for (let i = 0; i < 4; i++) die(p)
    // Of 3 attempts 4 are used up: what failed by dying was not the activity's fault, but counts.
    const q = play(paysOther)
    die(q)
    q.unknown()
    expect(q.instance?.calls?.['charge']).toMatchObject({ recoveries: 0, attempts: 2 })
  })
  test('a success that comes after all', () => {
    const p = play(pays)
    for (let i = 0; i < 5; i++) die(p)
    p.done({ id: 'x' }, undefined, { attempt: 1 })
    expect([p.state, p.status]).toEqual(['paid', 'live'])
  })
  test('a graceful hand-over names no runner any more, and counts nothing', () => {
    const p = play(pays)
    p.attempt({ kind: 'released' })
    expect(p.instance?.calls?.['charge']).not.toHaveProperty('runner')
    expect(p.instance?.calls?.['charge']).toMatchObject({ attempts: 0, recoveries: 0 })
  })
  test('progress is kept', () => {
    const p = play(pays)
    p.attempt({ kind: 'progress', progress: { at: 7 } })
    expect(p.instance?.calls?.['charge']).toMatchObject({ progress: { at: 7 }, attempts: 0 })
    p.unknown()
    expect(p.instance?.calls?.['charge']).toMatchObject({ progress: { at: 7 } })
  })
})

describe('while a call is open its state is not left', () => {
  test('a message that would leave waits until it has settled and its edge is taken; its keep does not run', () => {
    const p = play(pays)
    expect(p.send(Leave({}))).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    expect(p.waiting[0]).toMatchObject({ why: 'call', until: null, leftMs: HOUR })
    const outcome = p.done({ id: 'x' })
    expect(outcome.decided).toMatchObject([{ fate: 'applied' }])
    expect(p.path).toEqual(['paying', 'paid', 'done'])
  })
  test('an edge that stays is taken at once, and the call goes on', () => {
    const p = play(pays)
    const { calls } = p.instance!
    expect(p.send(Note({})).fate).toBe('applied')
    expect([p.data['notes'], p.instance?.calls]).toEqual([1, calls])
  })
  test('a timer of a group that would leave is held back, then fired', () => {
    const p = play(pays)
    p.after(2 * HOUR)
    expect([p.state, p.instance?.dueAt]).toEqual(['paying', null])
    p.done({ id: 'x' })
    expect([p.state, p.status]).toEqual(['left', 'cancelled'])
    expect(p.path).toEqual(['paying', 'paid', 'left'])
    expect(p.row).toMatchObject({ cause: { kind: 'timer', name: '1 hour', at: p.now - HOUR } })
  })
  test('a message for a state further on waits, and its keep does not run while the call is open', () => {
    const m = machine('further', {
      data: none,
      receives: [Note, Leave],
      initial: 'a',
      states: {
        a: { call: charge, done: 'b', fail: 'end' },
        b: { on: { leave: 'c' } },
        c: { on: { note: 'end' } },
        end: { final: 'done' },
      },
    })
    const p = play(m)
    p.send(Note({}))
    p.after(5 * HOUR)
    expect(p.waiting).toHaveLength(1)
    p.done({ id: 'x' })
    expect(p.waiting[0]).toMatchObject({ why: 'state', until: p.now + HOUR })
    p.after(HOUR)
    expect(p.waiting).toEqual([])
  })
  test('all that is called is interruptible: it is left at once, the call is given up, its result is late', () => {
    const look = activity('look', { input: none, output: none, interruptible: true })
    const looks = machine('looks', {
      data: none,
      receives: [Leave],
      initial: 'a',
      states: { a: { call: look, done: 'b', fail: 'b', on: { leave: 'b' } }, b: { after: { '1 day': 'a' } } },
    })
    const p = play(looks)
    const record = p.instance!.calls!['look']!
    expect(p.send(Leave({}))).toMatchObject({ fate: 'applied' })
    expect([p.state, p.row.dropped, p.instance?.calls]).toEqual(['b', ['look'], null])
    const done = {
      kind: 'result',
      call: 'look',
      key: record.key,
      attempt: 1,
      jitter: 0,
      outcome: { kind: 'done', output: {} },
    } as const
    expect(p.give(done)).toMatchObject({ fate: 'late' })
    expect(p.state).toBe('b')
  })
  test('one that nobody has started (of this batch) is superseded: listed in `dropped`, and counts as not done', () => {
    const p = play(pays, {}, { start: false })
    p.commits = false
    p.run({})
    expect(p.fresh.length).toBe(1)
    p.send(Leave({}))
    expect([p.state, p.row.dropped, p.instance?.calls]).toEqual(['left', ['charge'], null])
    const q = play(pays, {}, { start: false })
    q.commits = false
    q.run({})
    q.commit()
    expect(q.send(Leave({})).fate).toBe('deferred')
  })
})

describe('several calls', () => {
  const stock = activity('stock', {
    input: z.object({ n: z.number() }),
    output: z.object({ ok: z.boolean() }),
    failures: ['OutOfStock'],
    retry: { attempts: 1 },
  })
  const several = machine('several', {
    data: z.object({ seen: z.unknown().optional() }),
    initial: 'a',
    states: {
      a: {
        call: { first: stock, second: stock, pay: charge },
        input: { first: () => ({ n: 1 }), second: () => ({ n: 2 }), pay: () => ({ cents: 3 }) },
        done: { to: 'end', set: ({ results }) => ({ seen: results }) },
        fail: {
          OutOfStock: {
            to: 'end',
            set: ({ error, errors, results }) => ({ seen: { code: error.code, of: Object.keys(errors), results } }),
          },
          other: {
            to: 'end',
            set: ({ error, errors, results }) => ({ seen: { code: error.code, of: Object.keys(errors), results } }),
          },
        },
      },
      end: { final: 'done' },
    },
  })
  test('one key each', () => {
    const p = play(several)
    const keys = Object.values(p.instance!.calls!).map(({ key }) => key)
    expect(keys).toEqual(['first', 'second', 'pay'].map((name) => callKey(p.instance!.incarnation, 1, name)))
    expect(p.instance?.calls?.['second']).toMatchObject({ activity: 'stock', input: { n: 2 } })
  })
  test('all settle before `done`, in any order', () => {
    const p = play(several)
    expect(p.done({ id: 'p' }, 'pay')).toMatchObject({ fate: 'noted', journal: [] })
    p.done({ ok: false }, 'second')
    expect(p.state).toBe('a')
    p.done({ ok: true }, 'first')
    expect(p.data['seen']).toEqual({ first: { ok: true }, second: { ok: false }, pay: { id: 'p' } })
  })
  test('all settle before `fail`, which gets the first error by order of `call`, all errors, and the results that succeeded', () => {
    const p = play(several)
    p.fail('Declined', 'pay')
    p.done({ ok: true }, 'first')
    expect(p.state).toBe('a')
    p.fail('OutOfStock', 'second')
    expect(p.data['seen']).toEqual({ code: 'OutOfStock', of: ['second', 'pay'], results: { first: { ok: true } } })
  })
  test('retry reopens what failed, not what is done', () => {
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: {
        a: { call: { x: stock, y: stock }, input: { x: () => ({ n: 1 }), y: () => ({ n: 2 }) }, done: 'end' },
        end: { final: 'done' },
      },
    })
    const p = play(m)
    p.done({ ok: true }, 'x')
    p.fail('OutOfStock', 'y')
    expect(p.stalled).toBe('NO_EDGE_FOR_FAILURE')
    p.retry()
    expect([p.row.opened, p.instance?.calls?.['x']?.settled?.done, p.instance?.calls?.['y']?.settled]).toEqual([
      ['y'],
      true,
      undefined,
    ])
    p.done({ ok: true }, 'y')
    expect(p.state).toBe('end')
  })
  test('WORKER_DIED of one: a success of another does not go on, its own does', () => {
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: {
        a: {
          call: { x: charge, y: charge, z: charge },
          input: { x: () => ({}), y: () => ({}), z: () => ({}) },
          done: 'end',
          fail: 'end',
        },
        end: { final: 'done' },
      },
    })
    const p = play(m)
    for (let i = 0; i < 5; i++) p.attempt({ kind: 'recovered', runner: 's2' }, 'x')
    expect(p.stalled).toBe('WORKER_DIED')
    expect(p.done({ id: 'y' }, 'y')).toMatchObject({ fate: 'noted' })
    expect(p.status).toBe('stalled')
    p.done({ id: 'x' }, 'x')
    expect([p.status, p.state]).toEqual(['live', 'a'])
    p.done({ id: 'z' }, 'z')
    expect(p.state).toBe('end')
  })
  test('WORKER_DIED: a retry starts that one again, and leaves the running one alone', () => {
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: {
        a: { call: { x: charge, y: charge }, input: { x: () => ({}), y: () => ({}) }, done: 'end', fail: 'end' },
        end: { final: 'done' },
      },
    })
    const p = play(m)
    p.unknown('y')
    for (let i = 0; i < 5; i++) p.attempt({ kind: 'recovered', runner: 's2' }, 'x')
    p.retry()
    expect([p.row.opened, p.instance?.calls?.['x']?.attempts, p.instance?.calls?.['y']?.attempts]).toEqual([
      ['x'],
      0,
      1,
    ])
  })
})

describe('[one], once for each input', () => {
  const ship = activity('ship', {
    input: z.object({ n: z.number() }),
    output: z.object({ code: z.number() }),
    failures: ['Lost'],
    retry: { attempts: 1 },
  })
  const list = machine('list', {
    data: z.object({ items: z.array(z.number()), seen: z.unknown().optional() }),
    initial: 'a',
    states: {
      a: {
        call: [ship],
        input: ({ data }) => data.items.map((n) => ({ n })),
        done: { to: 'end', set: ({ results }) => ({ seen: results.map(({ code }) => code) }) },
        fail: {
          to: 'end',
          set: ({ error, errors, results }) => ({
            seen: [error.code, errors.map((e) => e?.code ?? null), results.map((r) => r?.code ?? null)],
          }),
        },
      },
      end: { final: 'done' },
    },
  })
  test('results in the order of the inputs', () => {
    const p = play(list, { items: [1, 2, 3] })
    expect(Object.keys(p.instance!.calls!)).toEqual(['ship/0', 'ship/1', 'ship/2'])
    for (const i of [2, 0, 1]) p.done({ code: i * 10 }, `ship/${i}`)
    expect(p.data['seen']).toEqual([0, 10, 20])
  })
  test('partial results: those that are done, with their places', () => {
    const p = play(list, { items: [1, 2, 3] })
    p.done({ code: 1 }, 'ship/0')
    p.unknown('ship/2')
    p.fail('Lost', 'ship/1')
    expect(p.data['seen']).toEqual(['Lost', [null, 'Lost', 'other'], [1, null, null]])
  })
  test('an empty list is done at once', () => {
    const p = play(list, { items: [] })
    expect([p.status, p.data['seen'], p.journal.length]).toEqual(['done', [], 2])
    expect(p.row.cause).toMatchObject({ kind: 'always', name: 'done' })
  })
  test('an empty list is done, also after an `always` that stays', () => {
    const m = machine('m', {
      data: z.object({ n: z.number().default(0) }),
      initial: 'a',
      states: {
        a: {
          call: [ship],
          input: () => [],
          always: [{ if: ({ data }) => data.n < 2, set: ({ data }) => ({ n: data.n + 1 }) }],
          done: 'end',
          fail: 'end',
        },
        end: { final: 'done' },
      },
    })
    expect(play(m)).toMatchObject({ state: 'end', data: { n: 2 } })
  })
  test('no list, or an input that does not fit: the transition is undone', () => {
    const m = machine('m', {
      data: z.object({ bad: z.boolean() }),
      initial: 'a',
      states: {
        a: {
          call: [ship],
          input: ({ data }) => (data.bad ? ({} as never) : [{ n: 'x' as never }]),
          done: 'end',
          fail: 'end',
        },
        end: { final: 'done' },
      },
    })
    expect(() => play(m, { bad: true })).toThrow('gave no list')
    expect(() => play(m, { bad: false })).toThrow('input of ship')
  })
})

describe('`key` on the state: what is sent is a hash of (machine, that key, call name)', () => {
  test('the same for each entry', () => {
    const m = machine('keyed', {
      data: none,
      receives: [Leave],
      initial: 'a',
      states: { a: { call: charge, key: ({ id }) => `order ${id}`, done: 'b', fail: 'b' }, b: { on: { leave: 'a' } } },
    })
    const p = play(m)
    const { key } = p.instance!.calls!['charge']!
    expect(key).toBe(customKey('keyed', 'order i1', 'charge'))
    p.done({ id: 'x' })
    p.send(Leave({}))
    expect(p.instance?.calls?.['charge']?.key).toBe(key)
  })
  test('no string: the transition is undone', () => {
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: { a: { call: charge, key: () => 5 as never, done: 'b' }, b: { final: 'done' } },
    })
    expect(() => play(m)).toThrow('key: returned no string')
  })
})

test('`done` that stays ends the call; another way leads out', () => {
  const m = machine('m', {
    data: z.object({ n: z.number().default(0) }),
    initial: 'a',
    groups: { g: { states: ['a'], after: { '1 minute': 'end' } } },
    states: { a: { call: charge, done: { set: { n: 1 } }, fail: { set: { n: 2 } } }, end: { final: 'done' } },
  })
  const p = play(m)
  p.done({ id: 'x' })
  expect([p.state, p.data['n'], p.instance?.calls]).toEqual(['a', 1, null])
  p.after(59 * SECOND)
  expect(p.state).toBe('a')
  p.after(MINUTE)
  expect(p.state).toBe('end')
})

test('callbacks cannot change what is kept: an error is frozen', () => {
  const m = machine('m', {
    data: none,
    initial: 'a',
    states: {
      a: {
        call: charge,
        done: 'end',
        fail: { to: 'end', set: ({ error }) => (((error as { code: string }).code = 'x'), {}) },
      },
      end: { final: 'done' },
    },
  })
  const p = play(m)
  p.fail('Fraud')
  expect(p.stalled).toBe('HANDLER_FAILED')
})
