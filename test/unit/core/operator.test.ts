// What an operator does, and what a cancel does: each a row of the journal with who and why.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { callKey } from '../../../src/base/id.ts'
import { activity } from '../../../src/machine/activity.ts'
import { contract } from '../../../src/machine/contract.ts'
import { machine } from '../../../src/machine/machine.ts'
import { command, event } from '../../../src/machine/message.ts'
import { HOUR, MINUTE, play } from '../../support/play.ts'

const none = z.object({})
const Go = event('go', { data: z.object({ n: z.number() }), key: () => 'i1' })
const Stop = command('stop', { data: none })
const Told = event('told', { data: z.object({ why: z.string() }), key: () => 'i1' })
const charge = activity('charge', {
  input: none,
  output: z.object({ id: z.string() }),
  failures: ['Declined', 'Fraud'],
  retry: { attempts: 1 },
})
const ship = activity('ship', { input: none, output: none, failures: ['Lost'], retry: { attempts: 1 } })

const order = machine('order', {
  data: z.object({ id: z.string().optional(), why: z.string().optional(), n: z.number().max(9).default(0) }),
  receives: [Go, Stop],
  emits: [Told],
  initial: 'paying',
  groups: { g: { states: ['paid'], on: { stop: 'stopped' }, after: { '1 hour': 'stopped' } } },
  cancel: [
    {
      if: ({ data }) => data.n < 5,
      to: 'stopped',
      set: ({ why }) => ({ why }),
      emit: { told: ({ why }) => ({ why }) },
    },
    { if: ({ data }) => data.n < 7, set: ({ why }) => ({ why }) },
    { if: ({ data }) => data.n < 8 },
  ],
  states: {
    paying: {
      call: charge,
      done: { to: 'paid', set: ({ result }) => ({ id: result.id }) },
      fail: { Declined: { to: 'failed', set: ({ error }) => ({ why: error.message }) } },
    },
    paid: {
      on: {
        go: [
          { if: ({ message }) => message.n > 9, to: 'failed' },
          { to: 'shipping', set: ({ message }) => ({ n: message.n }) },
        ],
      },
    },
    shipping: { call: ship, done: 'shipped', fail: { to: 'paid' } },
    shipped: { final: 'done' },
    stopped: { final: 'cancelled' },
    failed: { final: 'failed' },
  },
})
/** Its call is exhausted. */
const exhausted = (data: object = {}) => {
  const p = play(order, data)
  p.unknown()
  expect(p.stalled).toBe('RETRIES_EXHAUSTED')
  return p
}

describe('resolve: says how a call ended', () => {
  test('of one call, where it stalled on the answer of another: that answer is looked at', () => {
    const m = machine('m', {
      data: z.object({}),
      initial: 'a',
      states: {
        a: { call: { one: ship, two: ship }, input: { one: () => ({}), two: () => ({}) }, done: 'b' },
        b: { final: 'done' },
      },
    })
    const p = play(m, {})
    const { key } = p.instance!.calls!['one']!
    const answer = { kind: 'done', output: {} } as const
    const cause = { ...p.base(), kind: 'result', call: 'one', key, attempt: 1, jitter: 0, outcome: answer } as const
    // As the engine leaves it where the store has refused the rows of that answer.
    p.instance = {
      ...p.instance!,
      status: 'stalled',
      dueAt: null,
      stalled: { code: 'STORE_REFUSED', message: '', cause },
    }
    p.operate({ do: 'resolve', call: 'two', result: {} })
    expect(p.instance).toMatchObject({ state: 'b', status: 'done' })
  })
  test('its result, read by the schema: `done` is taken', () => {
    const p = exhausted()
    expect(p.operate({ do: 'resolve', result: { id: 'x', more: 1 } }, 'told by phone')).toMatchObject({
      fate: 'applied',
      own: 1,
    })
    expect([p.state, p.status, p.data['id']]).toEqual(['paid', 'live', 'x'])
    expect(p.row).toMatchObject({
      by: 'ann',
      why: 'told by phone',
      from: 'paying',
      to: 'paid',
      cause: { kind: 'operator', name: 'resolve' },
    })
  })
  test('one of its failures: it is not done, and `why` is its message', () => {
    const p = exhausted()
    p.operate({ do: 'resolve', failure: 'Declined' }, 'the bank says no')
    expect([p.state, p.data['why']]).toEqual(['failed', 'the bank says no'])
  })
  test('a failure without an edge stalls again; the row tells of the try', () => {
    const p = exhausted()
    p.operate({ do: 'resolve', failure: 'Fraud' })
    expect([p.stalled, p.row.cause.name, p.row.from, p.row.to]).toEqual([
      'NO_EDGE_FOR_FAILURE',
      'resolve',
      'paying',
      'paying',
    ])
  })
  test.each([
    [{ do: 'resolve', result: { id: 5 } }, 'BAD_DATA'],
    [{ do: 'resolve', failure: 'Nope' }, 'NO_SUCH_FAILURE'],
    [{ do: 'resolve', call: 'other', result: { id: 'x' } }, 'NO_SUCH_CALL'],
  ] as const)('bad: %o: nothing changes', (action, code) => {
    const p = exhausted()
    const { instance } = p
    expect(p.operate(action)).toMatchObject({ fate: 'bad', code, journal: [] })
    expect(p.instance).toEqual(instance)
  })
  test('of several the one is named', () => {
    const m = machine('m', {
      data: none,
      initial: 'a',
      states: { a: { call: { x: charge, y: ship, z: charge }, done: 'b' }, b: { final: 'done' } },
    })
    const p = play(m)
    p.done({}, 'y')
    p.unknown('x')
    p.unknown('z')
    expect(p.operate({ do: 'resolve', result: { id: 'x' } })).toMatchObject({ fate: 'bad', code: 'NO_SUCH_CALL' })
    expect(p.operate({ do: 'resolve', call: 'y', result: {} })).toMatchObject({ fate: 'bad', code: 'NO_SUCH_CALL' })
    p.operate({ do: 'resolve', call: 'x', result: { id: 'x' } })
    // The other is still as it was.
    expect([p.stalled, p.state]).toEqual(['RETRIES_EXHAUSTED', 'a'])
    p.operate({ do: 'resolve', call: 'z', result: { id: 'z' } })
    expect(p.state).toBe('b')
  })
  test('a handler that throws on it: bad, nothing changes', () => {
    const m = machine('m', {
      data: z.object({ id: z.string().max(2).optional() }),
      initial: 'a',
      states: {
        a: { call: charge, done: { to: 'b', set: ({ result }) => ({ id: result.id }) } },
        b: { final: 'done' },
      },
    })
    const p = play(m)
    p.unknown()
    expect(p.operate({ do: 'resolve', result: { id: 'long' } })).toMatchObject({ fate: 'bad', code: 'HANDLER_FAILED' })
    expect(p.stalled).toBe('RETRIES_EXHAUSTED')
  })
})

describe('retry', () => {
  test('what is not stalled: refused', () => {
    const p = play(order)
    for (const action of [
      { do: 'retry', newKey: false },
      { do: 'resolve', result: { id: 'x' } },
    ] as const) {
      expect(p.operate(action)).toMatchObject({ fate: 'refused', why: 'not-stalled', own: 1 })
      expect(p.row).toMatchObject({ outcome: 'refused', from: 'paying', to: 'paying', by: 'ann', why: 'by hand' })
    }
  })
  test('what has ended: refused', () => {
    const p = play(order)
    p.fail('Declined')
    for (const action of [
      { do: 'retry', newKey: false },
      { do: 'move', to: 'paid' },
    ] as const)
      expect(p.operate(action)).toMatchObject({ fate: 'refused', why: 'ended' })
  })
  test('a new key is new each time', () => {
    const p = exhausted()
    const keys = [p.instance!.calls!['charge']!.key]
    for (let i = 0; i < 2; i++) {
      p.retry(true)
      keys.push(p.instance!.calls!['charge']!.key)
      p.unknown()
    }
    expect(keys).toEqual([1, 2, 3].map((n) => callKey(p.instance!.incarnation, n, 'charge')))
  })
  test('what was said of its progress stays with its key', () => {
    for (const newKey of [false, true]) {
      const p = play(order)
      p.attempt({ kind: 'progress', progress: { at: 7 } })
      p.exhaust()
      p.retry(newKey)
      expect(p.instance!.calls!['charge']!.progress).toEqual(newKey ? undefined : { at: 7 })
    }
  })
  test('where a message stalled it a running call is left alone', () => {
    const m = machine('m', {
      data: z.object({ who: z.string().optional() }),
      receives: [Go],
      initial: 'a',
      states: {
        a: { call: ship, done: 'b', fail: 'b', on: { go: { set: ({ need }) => ({ who: need('who') }) } } },
        b: { final: 'done' },
      },
    })
    const p = play(m)
    p.send(Go({ n: 1 }))
    expect(p.stalled).toBe('FIELD_MISSING')
    const { calls } = p.instance!
    p.retry()
    expect([p.instance?.calls, p.journal[1]?.opened]).toEqual([calls, []])
    // Its success is booked while it stands, and decided about when it goes on.
    p.done({})
    expect([p.status, p.state]).toEqual(['stalled', 'a'])
    p.retry()
    expect(p.state).toBe('b')
  })
  describe('a field that was missing is corrected where the instance stands', () => {
    const go = { go: { set: ({ need }: { need: (field: 'who') => string }) => ({ who: `${need('who')}!` }) } }
    const m = machine('m', {
      data: z.object({ who: z.string().optional(), n: z.number().default(0) }),
      receives: [Go],
      initial: 'a',
      states: {
        a: { call: ship, done: { to: 'b', set: ({ need }) => ({ who: `${need('who')}?` }) }, fail: 'b', on: go },
        b: { on: go, after: { '1 hour': 'c' } },
        c: { final: 'done' },
      },
    })
    test('the message that stalled it is tried again, and its call goes on', () => {
      const p = play(m)
      p.send(Go({ n: 1 }))
      expect([p.stalled, p.instance?.stalled?.message]).toEqual(['FIELD_MISSING', expect.stringContaining('`move`')])
      const { calls } = p.instance!
      expect(p.operate({ do: 'move', to: 'a', data: { who: 'ann' } }, 'asked her')).toMatchObject({ fate: 'applied' })
      expect([p.status, p.state, p.data['who'], p.waiting, p.instance?.calls]).toEqual(['live', 'a', 'ann!', [], calls])
      expect(p.journal.at(-2)).toMatchObject({
        cause: { kind: 'operator', name: 'move' },
        change: { who: 'ann' },
        why: 'asked her',
      })
    })
    test('so is a result', () => {
      const p = play(m)
      p.done({})
      expect(p.stalled).toBe('FIELD_MISSING')
      p.operate({ do: 'move', to: 'a', data: { who: 'ann' } })
      expect([p.status, p.state, p.data['who']]).toEqual(['live', 'b', 'ann?'])
    })
    test('not without data, nor where nothing has stalled', () => {
      const p = play(m)
      p.send(Go({ n: 1 }))
      expect(p.operate({ do: 'move', to: 'a' })).toMatchObject({ fate: 'bad', code: 'NO_SUCH_EDGE', journal: [] })
      p.operate({ do: 'move', to: 'b', data: { who: 'ann' } })
      expect(p.state).toBe('b')
      const again = p.operate({ do: 'move', to: 'b', data: { who: 'bob' } })
      expect([again, p.data['who']]).toMatchObject([{ fate: 'bad', code: 'NO_SUCH_EDGE' }, 'ann!'])
    })
  })
})

describe('move: along a declared edge', () => {
  test('a message edge, with its payload', () => {
    const p = play(order)
    p.done({ id: 'x' })
    expect(p.operate({ do: 'move', to: 'shipping', payload: { n: 4 } }, 'by hand')).toMatchObject({ fate: 'applied' })
    expect([p.state, p.data['n'], Object.keys(p.instance!.calls!)]).toEqual(['shipping', 4, ['ship']])
    expect(p.row).toMatchObject({
      by: 'ann',
      why: 'by hand',
      opened: ['ship'],
      cause: { kind: 'operator', name: 'move' },
    })
  })
  test('the first declared step to that state whose `if` holds, whatever comes before it', () => {
    const p = play(order)
    p.done({ id: 'x' })
    p.operate({ do: 'move', to: 'failed', payload: { n: 10 } })
    expect(p.state).toBe('failed')
  })
  test('a group, a timer, a failure, a result, a cancel', () => {
    const paid = () => {
      const p = play(order)
      p.done({ id: 'x' })
      return p
    }
    const p = paid()
    p.operate({ do: 'move', to: 'stopped', payload: {} })
    expect(p.state).toBe('stopped')
    const q = exhausted()
    q.operate({ do: 'move', to: 'paid', payload: { id: 'y' } })
    expect([q.state, q.data['id'], q.status]).toEqual(['paid', 'y', 'live'])
    const r = exhausted()
    r.operate({ do: 'move', to: 'failed' })
    expect([r.state, r.data['why']]).toEqual(['failed', 'moved by an operator'])
    const s = exhausted()
    s.operate({ do: 'move', to: 'stopped' })
    expect([s.state, s.emitted]).toMatchObject(['stopped', [{ type: 'told' }]])
  })
  test('fields are corrected first, and told with the edge', () => {
    const p = exhausted()
    p.operate({ do: 'move', to: 'paid', payload: { id: 'y' }, data: { n: 3, why: 'mended' } })
    expect([p.data, p.row.change]).toEqual([
      { id: 'y', n: 3, why: 'mended' },
      { id: 'y', n: 3, why: 'mended' },
    ])
  })
  test('while a call is open: bad', () => {
    const p = play(order)
    expect(p.operate({ do: 'move', to: 'paid', payload: { id: 'y' } })).toMatchObject({
      fate: 'bad',
      code: 'CALL_OPEN',
    })
  })
  test.each([
    [{ do: 'move', to: 'nowhere' }, 'NO_SUCH_STATE'],
    [{ do: 'move', to: 'shipped' }, 'NO_SUCH_EDGE'],
    [{ do: 'move', to: 'paid', payload: { id: 5 } }, 'NO_SUCH_EDGE'],
    [{ do: 'move', to: 'paid', payload: { id: 'x' }, data: { n: 'text' } }, 'HANDLER_FAILED'],
    [{ do: 'move', to: 'paid', payload: { id: 'x' }, data: { n: 10 } }, 'HANDLER_FAILED'],
    [{ do: 'move', to: 'paid', payload: new Date() }, 'HANDLER_FAILED'],
  ] as const)('bad: %o: nothing changes', (action, code) => {
    const p = exhausted()
    const { instance } = p
    expect(p.operate(action)).toMatchObject({ fate: 'bad', code, journal: [] })
    expect(p.instance).toEqual(instance)
  })
  test('what waited is tried in the state that follows', () => {
    const p = exhausted()
    p.send(Go({ n: 2 }))
    const { decided } = p.operate({ do: 'move', to: 'paid', payload: { id: 'y' } })
    expect([decided.map(({ fate }) => fate), p.state]).toEqual([['applied'], 'shipping'])
  })
})

test('discard: a row that says who and why, also where it has ended', () => {
  const p = play(order)
  expect(p.operate({ do: 'discard', letter: 'd1' }, 'spam')).toMatchObject({ fate: 'applied', own: 1 })
  expect(p.row).toMatchObject({
    by: 'ann',
    why: 'spam',
    cause: { kind: 'operator', name: 'discard' },
    from: 'paying',
    to: 'paying',
  })
  p.fail('Declined')
  expect(p.operate({ do: 'discard', letter: 'd2' })).toMatchObject({ fate: 'applied', own: 1 })
  expect(p.status).toBe('failed')
})

describe('cancel', () => {
  const paid = (n: number) => {
    const p = play(order, { n })
    p.done({ id: 'x' })
    return p
  }
  test('takes the machine`s edge, with why', () => {
    const p = paid(0)
    expect(p.cancel('no more', 'bob')).toMatchObject({ fate: 'applied', own: 1 })
    expect([p.state, p.status, p.data['why'], p.emitted]).toMatchObject([
      'stopped',
      'cancelled',
      'no more',
      [{ data: { why: 'no more' } }],
    ])
    expect(p.row).toMatchObject({ by: 'bob', why: 'no more', unit: false, cause: { kind: 'cancel', name: 'cancel' } })
  })
  test('an edge that stays; `{}`: ignored; no step holds: refused', () => {
    expect(paid(5).cancel()).toMatchObject({ fate: 'applied' })
    expect(paid(7).cancel()).toMatchObject({ fate: 'ignored', own: 1 })
    expect(paid(8).cancel()).toMatchObject({ fate: 'refused', why: 'if' })
  })
  test('after the end: refused', () => {
    const p = paid(0)
    p.cancel()
    expect(p.cancel()).toMatchObject({ fate: 'refused', why: 'ended' })
  })
  test('waits for the open call, as long as that takes, then acts in the state that follows', () => {
    const p = play(order)
    expect(p.cancel('later')).toMatchObject({ fate: 'deferred', waitsFor: 'call', journal: [] })
    p.after(24 * HOUR)
    expect(p.waiting).toHaveLength(1)
    expect(p.done({ id: 'x' }).decided).toMatchObject([{ fate: 'applied' }])
    expect([p.path, p.data['why']]).toEqual([['paying', 'paid', 'stopped'], 'later'])
  })
  test('acts at once where the retries are exhausted, with what waited', () => {
    const p = play(order)
    p.cancel('later')
    p.unknown()
    expect([p.state, p.status]).toEqual(['stopped', 'cancelled'])
    const q = exhausted()
    expect(q.cancel()).toMatchObject({ fate: 'applied' })
    expect([q.state, q.status, q.instance?.stalled]).toEqual(['stopped', 'cancelled', null])
  })
  test('acts at once where a worker died five times, and where an answer is what stalled it', () => {
    const p = play(order)
    for (let i = 0; i < 5; i++) p.attempt({ kind: 'recovered', runner: 's2' })
    p.cancel()
    expect([p.state, p.row.dropped]).toEqual(['stopped', ['charge']])
  })
  test('on an instance that stalls while its call runs: waits for the call', () => {
    const m = machine('m', {
      data: z.object({ who: z.string().optional() }),
      receives: [Go],
      initial: 'a',
      states: {
        a: { call: ship, done: 'b', fail: 'b', on: { go: { set: ({ need }) => ({ who: need('who') }) } } },
        b: { after: { '1 day': 'a' } },
      },
    })
    const p = play(m)
    p.send(Go({ n: 1 }))
    expect(p.cancel()).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    p.done({})
    expect([p.status, p.state, p.waiting]).toEqual(['cancelled', 'a', []])
  })
  test('a handler that throws: the cancel is dead, the instance goes on', () => {
    const m = machine('m', {
      data: z.object({ n: z.number().default(0) }),
      initial: 'a',
      cancel: { to: 'b', set: () => ({ n: 'x' }) as never },
      states: { a: { after: { '1 day': 'b' } }, b: { final: 'done' } },
    })
    const p = play(m)
    expect(p.cancel()).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
    expect(p.status).toBe('live')
  })

  const node = contract('node', { data: none, states: ['up', 'gone'], finals: ['gone'] })
  const bare = (onCancel: 'keep' | 'cancel') =>
    machine('bare', {
      data: none,
      receives: [Stop],
      initial: 'a',
      children: { nodes: { of: node, each: () => ['x', 'y', 'z'].map((id) => ({ id, data: {} })), onCancel } },
      states: {
        a: { until: { nodes: { all: 'gone' } }, done: 'b', on: { stop: {} }, after: { '1 minute': {} } },
        b: { final: 'done' },
      },
    })
  test('left out: it ends where it is, with its children as their kind says', () => {
    const p = play(bare('cancel'))
    p.tell('node', 'x', 'gone', { status: 'done' })
    p.tell('node', 'y', 'up', { status: 'stalled' })
    expect(p.cancel('enough', 'bob')).toMatchObject({ fate: 'applied' })
    expect([p.state, p.status, p.instance?.timers, p.instance?.dueAt]).toEqual(['a', 'cancelled', null, null])
    expect(p.row).toMatchObject({ from: 'a', to: 'a', by: 'bob', why: 'enough' })
    expect(p.row.cancelled.map(({ id }) => id)).toEqual(['y', 'z'])
    p.after(MINUTE)
    expect(p.journal).toHaveLength(2)
  })
  test('each as its kind says, where two kinds are of one machine; what no kind names any more is left', () => {
    const m = machine('m', {
      data: z.object({ gone: z.array(z.string()).default([]) }),
      receives: [Stop],
      initial: 'a',
      children: {
        tied: {
          of: node,
          each: ({ data }) => ['w', 'x'].filter((id) => !data.gone.includes(id)).map((id) => ({ id, data: {} })),
          onCancel: 'cancel',
        },
        loose: { of: node, each: () => [{ id: 'y', data: {} }], onCancel: 'keep' },
        both: { of: node, each: () => [{ id: 'x', data: {} }], onCancel: 'cancel' },
      },
      states: {
        a: {
          until: { tied: { all: 'gone' }, loose: { all: 'gone' }, both: { all: 'gone' } },
          done: 'b',
          on: { stop: { set: { gone: ['w'] } } },
        },
        b: { final: 'done' },
      },
    })
    const p = play(m)
    const [tied, q] = [['w', 'x'], play(m)]
    expect([...p.children.values()].map(({ id }) => id)).toEqual([...tied, 'y'])
    p.cancel()
    expect(p.row.cancelled).toEqual(tied.map((id) => ({ machine: 'node', id })))
    q.send(Stop({}))
    q.cancel()
    expect(q.row.cancelled).toEqual([{ machine: 'node', id: 'x' }])
  })
  test('`keep`: they are left', () => {
    const p = play(bare('keep'))
    p.cancel()
    expect(p.row.cancelled).toEqual([])
  })
  test('a stalled one ends, too', () => {
    const p = play(bare('keep'))
    p.tell('node', 'x', 'up', { status: 'cancelled' })
    expect(p.stalled).toBe('CHILD_ENDED')
    p.send(Stop({}))
    const { decided } = p.cancel()
    expect([p.status, decided.map(({ fate, why }) => [fate, why])]).toEqual(['cancelled', [['refused', 'ended']]])
  })
})
