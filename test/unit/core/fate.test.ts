// The table of fates, row by row: where a message may go.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity } from '../../../src/machine/activity.ts'
import { machine } from '../../../src/machine/machine.ts'
import { command, event } from '../../../src/machine/message.ts'
import { HOUR, MINUTE, play, SECOND } from '../../support/play.ts'

const none = z.object({})
const Go = event('go', { data: z.object({ n: z.number() }), key: () => 'i1' })
const Next = event('next', { data: none, key: () => 'i1' })
const Late = event('late', { data: z.object({ n: z.number() }), key: () => 'i1', keep: '10 minutes' })
const Never = event('never', { data: none, key: () => 'i1' })
const Order = command('order', { data: z.object({ n: z.number() }) })
const Told = event('told', { data: z.object({ n: z.number() }), key: () => 'i1' })

/** a ──go (n > 0)──▶ b ──next──▶ c ──late──▶ end */
const walk = machine('walk', {
  data: z.object({ n: z.number().default(0), seen: z.array(z.number()).default([]) }),
  receives: [Go, Next, Late, Never, Order],
  emits: [Told],
  initial: 'a',
  groups: { early: { states: ['a', 'b'], on: { order: { if: ({ message }) => message.n === 7, to: 'c' } } } },
  states: {
    a: {
      on: {
        go: {
          if: ({ message }) => message.n > 0,
          to: 'b',
          set: ({ message }) => ({ n: message.n }),
          emit: { told: ({ data }) => ({ n: data.n }) },
        },
        never: {},
      },
    },
    b: { on: { next: 'c' } },
    c: { on: { late: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) }, next: 'end' } },
    end: { final: 'done' },
  },
})

describe('a state (or one of its groups) has an edge whose `if` holds: the edge is taken: applied', () => {
  test('the state itself', () => {
    const p = play(walk)
    expect(p.send(Go({ n: 3 }))).toMatchObject({ fate: 'applied', own: 1 })
    expect([p.state, p.data['n']]).toEqual(['b', 3])
    expect(p.emitted).toEqual([{ type: 'told', data: { n: 3 }, key: 'i1' }])
    expect(p.row).toMatchObject({ from: 'a', to: 'b', outcome: 'applied', unit: true, change: { n: 3 } })
  })
  test('a group of it', () => {
    const p = play(walk)
    p.send(Order({ n: 7 }))
    expect(p.state).toBe('c')
  })
})

describe('the state names the message, no `if` holds (in it or its groups): journalled, refused', () => {
  test.each([
    ['in the state', Go({ n: 0 })],
    ['in its group', Order({ n: 8 })],
  ])('%s', (_, message) => {
    const p = play(walk)
    expect(p.send(message)).toMatchObject({ fate: 'refused', why: 'if', own: 1 })
    expect(p.row).toMatchObject({ from: 'a', to: 'a', outcome: 'refused', unit: true, change: null })
    expect(p.waiting).toEqual([])
  })
})

describe("`'x': {}`, or no reachable state names it: journalled, ignored", () => {
  test("`'x': {}`", () => {
    const p = play(walk)
    expect(p.send(Never({}))).toMatchObject({ fate: 'ignored', own: 1 })
    expect(p.row).toMatchObject({ outcome: 'ignored', unit: true })
  })
  test('no reachable state names it', () => {
    const p = play(walk)
    p.send(Go({ n: 1 }))
    expect(p.send(Go({ n: 1 }))).toMatchObject({ fate: 'ignored' })
    expect([p.state, p.instance?.seq]).toEqual(['b', 3])
  })
})

describe('a reachable state names it: deferred, oldest first, tried again after every transition, for its `keep`', () => {
  test('it waits, and is taken where a state takes it', () => {
    const p = play(walk)
    expect(p.send(Late({ n: 1 }))).toMatchObject({ fate: 'deferred', waitsFor: 'state', journal: [], own: 0 })
    p.send(Late({ n: 2 }))
    p.send(Go({ n: 1 }))
    expect(p.waiting).toHaveLength(2)
    const outcome = p.send(Next({}))
    expect(outcome).toMatchObject({ fate: 'applied', own: 1 })
    expect(outcome.decided.map(({ fate, seq, state }) => ({ fate, seq, state }))).toEqual([
      { fate: 'applied', seq: 4, state: 'c' },
      { fate: 'applied', seq: 5, state: 'c' },
    ])
    expect([p.data['seen'], p.waiting]).toEqual([[1, 2], []])
  })
  test('a message goes behind older waiting ones of its type', () => {
    const Tick = event('tick', { data: z.object({ n: z.number() }), key: () => 'i1' })
    const hold = activity('hold', { input: none, output: none })
    const queue = machine('queue', {
      data: z.object({ open: z.boolean().default(false), seen: z.array(z.number()).default([]) }),
      receives: [Tick, Next],
      initial: 'a',
      groups: { g: { states: ['a'], on: { tick: { to: 'b', set: ({ message }) => ({ seen: [message.n] }) } } } },
      states: {
        a: { call: hold, done: 'a2' },
        a2: { on: { next: 'b' } },
        b: { on: { tick: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) }, next: 'end' } },
        end: { final: 'done' },
      },
    })
    const p = play(queue)
    expect(p.send(Tick({ n: 1 }))).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    expect(p.send(Tick({ n: 2 }))).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    p.done({})
    expect(p.waiting.map(({ why }) => why)).toEqual(['state', 'state'])
    p.send(Next({}))
    expect(p.data['seen']).toEqual([1, 2])
  })
  test('also where it alone could be taken at once', () => {
    const hold = activity('hold', { input: none, output: none })
    const pay = machine('pay', {
      data: z.object({ seen: z.array(z.number()).default([]) }),
      receives: [Go],
      initial: 'a',
      groups: {
        g: {
          states: ['a', 'b'],
          on: {
            go: [
              { if: ({ message }) => message.n === 1, to: 'b', set: ({ data }) => ({ seen: [...data.seen, 1] }) },
              { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) },
            ],
          },
        },
      },
      states: { a: { call: hold, done: 'b', fail: 'b' }, b: { after: { '1 day': 'a' } } },
    })
    const p = play(pay)
    expect(p.send(Go({ n: 2 })).fate).toBe('applied')
    expect(p.send(Go({ n: 1 }))).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    expect(p.send(Go({ n: 3 }))).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    p.done({})
    expect(p.data['seen']).toEqual([2, 1, 3])
  })
  test('in order by place, not by how they came back', () => {
    const p = play(walk)
    p.send(Late({ n: 1 }))
    p.send(Late({ n: 2 }))
    p.send(Late({ n: 3 }))
    p.send(Go({ n: 1 }))
    p.send(Next({}))
    expect(p.data['seen']).toEqual([1, 2, 3])
  })
  test('tried again after a transition that only stays', () => {
    const Open = event('open', { data: none, key: () => 'i1' })
    const gate = machine('gate', {
      data: z.object({ open: z.boolean().default(false), n: z.number().default(0) }),
      receives: [Open, Go],
      initial: 'shut',
      states: {
        shut: { on: { open: { set: { open: true } } }, always: [{ if: ({ data }) => data.open, to: 'free' }] },
        free: { on: { go: { to: 'end', set: ({ message }) => ({ n: message.n }) } } },
        end: { final: 'done' },
      },
    })
    const p = play(gate)
    p.send(Go({ n: 4 }))
    p.send(Open({}))
    expect([p.state, p.data['n'], p.status]).toEqual(['end', 4, 'done'])
  })
})

test('deferred longer than `keep`: dead letter KEPT_TOO_LONG, journalled nowhere', () => {
  const p = play(walk)
  p.send(Late({ n: 1 }))
  expect(p.waiting[0]).toMatchObject({ why: 'state', until: p.now + 10 * MINUTE, leftMs: null })
  p.send(Go({ n: 1 }))
  expect(p.instance?.dueAt).toBe(p.now + 10 * MINUTE)
  p.after(10 * MINUTE - 1)
  expect(p.waiting).toHaveLength(1)
  const outcome = p.after(1)
  expect(outcome.decided).toMatchObject([{ fate: 'dead', code: 'KEPT_TOO_LONG', waiting: { input: { type: 'late' } } }])
  expect([p.waiting, p.instance?.dueAt, p.instance?.seq]).toEqual([[], null, 2])
})

describe('more than 100 / 256 KB an instance: dead letter WAITING_FULL', () => {
  test('100 wait, the next is dead', () => {
    const p = play(walk)
    for (let n = 0; n < 100; n++) expect(p.send(Late({ n })).fate).toBe('deferred')
    expect(p.send(Late({ n: 100 }))).toMatchObject({ fate: 'dead', code: 'WAITING_FULL' })
    expect(p.waiting).toHaveLength(100)
    expect(p.send(Go({ n: 1 })).fate).toBe('applied')
  })
  test('256 KB wait', () => {
    const Big = event('big', { data: z.object({ text: z.string() }), key: () => 'i1' })
    const big = machine('big', {
      data: none,
      receives: [Big, Next],
      initial: 'a',
      states: { a: { on: { next: 'b' } }, b: { on: { big: 'end' } }, end: { final: 'done' } },
    })
    const p = play(big)
    const text = 'x'.repeat(100_000)
    expect([1, 2, 3].map(() => p.send(Big({ text })).fate)).toEqual(['deferred', 'deferred', 'dead'])
    expect(p.last.code).toBe('WAITING_FULL')
    expect(p.send(Big({ text: 'small' })).fate).toBe('deferred')
  })
  test('a cancel is never refused for that', () => {
    const work = activity('work', { input: none, output: none })
    const busy = machine('busy', {
      data: none,
      receives: [Late],
      initial: 'a',
      states: {
        a: { call: work, done: 'b' },
        b: { on: { late: {} }, after: { '1 day': 'end' } },
        end: { final: 'done' },
      },
    })
    const p = play(busy)
    for (let n = 0; n < 100; n++) p.send(Late({ n }))
    expect(p.send(Late({ n: 1 })).fate).toBe('dead')
    expect(p.cancel()).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
  })
})

describe('the instance has ended: journalled', () => {
  const ended = () => {
    const p = play(walk)
    p.send(Order({ n: 7 }))
    p.send(Next({}))
    expect(p.status).toBe('done')
    return p
  }
  test('an event is ignored', () => {
    const p = ended()
    expect(p.send(Go({ n: 1 }))).toMatchObject({ fate: 'ignored', own: 1 })
    expect(p.row).toMatchObject({ outcome: 'ignored', from: 'end', to: 'end' })
  })
  test('a command is refused', () => {
    expect(ended().send(Order({ n: 7 }))).toMatchObject({ fate: 'refused', why: 'ended' })
  })
  test('what waited is decided about when it ends', () => {
    const p = play(walk)
    p.send(Order({ n: 7 }))
    p.waiting = [Never({}), Order({ n: 1 })].map((message, i) => ({
      n: i + 1,
      why: 'state',
      until: p.now + HOUR,
      leftMs: null,
      size: 9,
      input: p.message(message) as never,
    }))
    const { decided } = p.send(Next({}))
    expect(decided.map(({ fate, why }) => [fate, why])).toEqual([
      ['ignored', undefined],
      ['refused', 'ended'],
    ])
    expect(p.journal.slice(-2).map(({ outcome, unit }) => [outcome, unit])).toEqual([
      ['ignored', true],
      ['refused', true],
    ])
  })
})

describe('the instance is stalled: waits, in order, until an operator has settled it (its `keep` does not run meanwhile)', () => {
  const Ask = command('ask', { data: none })
  const needing = machine('needing', {
    data: z.object({ who: z.string().optional(), seen: z.array(z.number()).default([]) }),
    receives: [Ask, Go, Late],
    initial: 'a',
    states: {
      a: {
        on: {
          ask: { to: 'b', set: ({ need }) => ({ who: need('who') }) },
          go: {
            set: ({ data, message }) => ({ seen: [...data.seen, message.n], ...(message.n === 9 && { who: 'ann' }) }),
          },
        },
      },
      b: { on: { late: 'end' } },
      end: { final: 'done' },
    },
  })
  test('`need`: the instance stalls, says which field, and the message waits', () => {
    const p = play(needing)
    expect(p.send(Ask({}))).toMatchObject({ fate: 'deferred', waitsFor: 'stalled', own: 0 })
    expect(p.stalled).toBe('FIELD_MISSING')
    expect(p.instance?.stalled?.message).toContain('"who"')
    expect(p.instance?.stalled?.message).toContain('needing "i1", state "a"')
  })
  test('messages wait in order, and their keep does not run', () => {
    const p = play(needing)
    p.send(Late({ n: 0 }))
    p.after(4 * MINUTE)
    p.send(Ask({}))
    expect(p.waiting.map(({ why, until, leftMs }) => ({ why, until, leftMs }))).toEqual([
      { why: 'stalled', until: null, leftMs: 6 * MINUTE },
      { why: 'stalled', until: null, leftMs: HOUR },
    ])
    expect(p.send(Go({ n: 1 }))).toMatchObject({ fate: 'deferred', waitsFor: 'stalled' })
    p.send(Go({ n: 2 }))
    p.after(24 * HOUR)
    expect(p.waiting).toHaveLength(4)
    // Settled by hand: what waited goes on where it was.
    expect(p.operate({ do: 'move', to: 'b', data: { who: 'bob' }, payload: {} })).toMatchObject({ fate: 'applied' })
    expect(p.state).toBe('end')
  })
  test('a retry tries the message again, and stalls again where nothing changed', () => {
    const p = play(needing)
    p.send(Ask({}))
    p.send(Go({ n: 1 }))
    expect(p.retry()).toMatchObject({ fate: 'applied' })
    expect([p.stalled, p.waiting.map(({ input }) => (input as { type: string }).type)]).toEqual([
      'FIELD_MISSING',
      ['ask', 'go'],
    ])
    expect(p.data['seen']).toEqual([])
  })
})

describe('unknown instance', () => {
  const begun = machine('begun', {
    data: z.object({ n: z.number() }),
    receives: [Go, Late, Order, Next],
    start: { go: (message) => ({ n: message.n }), order: ({ n }) => ({ n }) },
    initial: 'a',
    states: {
      a: { on: { late: { to: 'end', set: ({ message }) => ({ n: message.n }) }, next: {} } },
      end: { final: 'done' },
    },
  })
  test('`start` declares it: created: applied', () => {
    const p = play(begun, {}, { start: false })
    expect(p.send(Go({ n: 5 }))).toMatchObject({ fate: 'applied', created: true, own: 1 })
    expect(p.data).toEqual({ n: 5 })
    expect(p.row).toMatchObject({
      from: null,
      to: 'a',
      unit: true,
      cause: { kind: 'start', name: 'go' },
      change: { n: 5 },
    })
  })
  test('event: waits under (machine, id) for `keep`', () => {
    const p = play(begun, {}, { start: false })
    expect(p.send(Late({ n: 1 }))).toMatchObject({ fate: 'absent', instance: null, journal: [] })
    p.send(Late({ n: 2 }))
    const outcome = p.send(Go({ n: 5 }))
    expect(outcome).toMatchObject({ fate: 'applied', own: 1, created: true })
    expect(outcome.decided.map(({ fate }) => fate)).toEqual(['applied', 'ignored'])
    expect([p.data, p.status, p.waiting]).toEqual([{ n: 1 }, 'done', []])
  })
  test('of those that wait for an instance there may be 100, too', () => {
    const p = play(begun, {}, { start: false })
    for (let n = 0; n < 100; n++) p.send(Late({ n }))
    expect(p.send(Late({ n: 1 }))).toMatchObject({ fate: 'dead', code: 'WAITING_FULL' })
    expect(p.send(Go({ n: 1 })).fate).toBe('applied')
  })
  test('command: error to the sender; dead letter where nobody waits', () => {
    const p = play(walk, {}, { start: false })
    expect(p.send(Order({ n: 1 }))).toMatchObject({ fate: 'unknown', instance: null })
    expect(p.cancel()).toMatchObject({ fate: 'unknown' })
    expect(p.retry()).toMatchObject({ fate: 'unknown' })
  })
  test('`ifSeq` asks for an instance that is there', () => {
    const p = play(begun, {}, { start: false })
    expect(p.send(Order({ n: 1 }), { ifSeq: 0 })).toMatchObject({ fate: 'unknown', created: false })
  })
  test('a result, a notice or an alarm for nobody is late', () => {
    const p = play(walk, {}, { start: false })
    expect(p.ring()).toMatchObject({ fate: 'late' })
  })
})

describe('a payload that does not fit, a handler that throws or returns what does not fit, on an outside message: dead letter at once, the instance goes on', () => {
  const Bad = event('bad', { data: z.object({ how: z.string() }), key: () => 'i1' })
  const Out = event('out', { data: z.object({ n: z.number() }), key: (data) => (data.n === 5 ? '' : 'i1') })
  const ways: Record<string, () => unknown> = {
    throws: () => {
      throw new Error('boom')
    },
    'a promise': () => Promise.reject(new Error('later')),
    // oxlint-disable-next-line no-thenable -- what is refused
    'what has a `then`': () => Object.fromEntries([['then', (ok: () => void) => ok()]]),
    'a `then` that throws': () =>
      new Proxy(
        {},
        {
          get() {
            throw new Error('boom')
          },
        },
      ),
    'a revoked proxy': () => {
      const { proxy, revoke } = Proxy.revocable({}, {})
      revoke()
      return proxy
    },
    'no object': () => 7,
    NaN: () => ({ n: NaN }),
    'a Date': () => ({ any: new Date(0) }),
    'a function': () => ({ any: () => 1 }),
    'a Map': () => ({ any: { deep: [new Map()] } }),
    'a misfit': () => ({ n: 'text' }),
    'too much': () => ({ any: 'x'.repeat(256 * 1024) }),
    'too much in bytes': () => ({ any: '€'.repeat(100 * 1024) }),
    'a getter that throws': () =>
      Object.defineProperty({}, 'n', {
        enumerable: true,
        get() {
          throw new Error('boom')
        },
      }),
    'itself inside': () => {
      const any: { own?: unknown } = {}
      any.own = any
      return { any }
    },
  }
  const careless = machine('careless', {
    data: z.object({ n: z.number().default(1), any: z.unknown().optional() }),
    receives: [Bad, Go],
    emits: [Out],
    initial: 'a',
    states: {
      a: {
        on: {
          bad: { to: 'b', set: ({ message }) => ways[message.how]!() as never },
          go: [
            { if: ({ message }) => message.n === 1, emit: { out: () => ({ n: 'x' }) as never } },
            { if: ({ message }) => message.n === 2, emit: { out: () => [{ n: 1 }, null] as never } },
            { if: ({ message }) => message.n === 3, emit: { out: () => ({ n: 5 }) } },
            { if: ({ message }) => message.n === 4, emit: { out: () => undefined as never } },
            { if: () => Promise.resolve(true) as never },
          ],
        },
      },
      b: { after: { '1 day': 'a' } },
    },
  })
  test.each(Object.keys(ways))('`set`: %s', (how) => {
    const p = play(careless)
    const { instance } = p
    expect(p.send(Bad({ how }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', journal: [] })
    expect(p.last.message).toContain('careless "i1", state "a", set')
    expect(p.instance).toEqual(instance)
  })
  test.each([1, 2, 3, 4, 5])('`emit` and `if` (%i)', (n) => {
    const p = play(careless)
    const { instance } = p
    expect(p.send(Go({ n }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', journal: [] })
    expect(p.instance).toEqual(instance)
  })
  test('a promise is refused wherever one is returned, and its rejection ends no process', async () => {
    const late = () => Promise.reject(new Error('later')) as never
    const none = z.object({})
    const work = activity('work', { input: none, output: none, run: () => ({}) })
    const places = {
      field: { always: [{ to: 'end', set: { n: late } }] },
      in: { after: [{ name: 't', in: late, to: 'end' }] },
      at: { after: [{ name: 't', at: late, to: 'end' }] },
      one: { call: work, input: late, done: 'end' },
      list: { call: [work], input: late, done: 'end' },
      named: { call: { a: work, b: work }, input: { a: late, b: late }, done: 'end' },
      key: { call: work, key: late, done: 'end' },
    }
    for (const [name, place] of Object.entries(places)) {
      const p = play(
        machine(`promises ${name}`, {
          data: z.object({ n: z.number().default(0) }),
          receives: [Go],
          initial: 'a',
          states: { a: { on: { go: 'b' } }, b: place, end: { final: 'done' } },
        } as never),
      )
      expect(p.send(Go({ n: 1 })), name).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', journal: [] })
    }
    await new Promise((resolve) => setTimeout(resolve)) // where one was left to nobody, the runner of these tests says so
  })
  test('so is that of a schema', async () => {
    const validate = () => Promise.reject(new Error('later'))
    const schema = { '~standard': { version: 1, vendor: 'none', validate } } as const
    const Slow = event('slow', { data: schema as never as z.ZodObject<{ id: z.ZodString }>, key: () => 'i1' })
    const p = play(
      machine('slow', {
        data: z.object({}),
        receives: [Slow],
        initial: 'a',
        states: { a: { on: { slow: 'end' } }, end: { final: 'done' } },
      }),
    )
    expect(p.send(Slow({ id: 'a' }))).toMatchObject({ fate: 'dead', code: 'BAD_DATA', journal: [] })
    expect(p.last.message).toContain('asynchronous')
    await new Promise((resolve) => setTimeout(resolve))
  })
  test('a payload that does not fit: BAD_DATA', () => {
    const p = play(careless)
    expect(p.send({ type: 'bad', data: { how: 5 } })).toMatchObject({ fate: 'dead', code: 'BAD_DATA', journal: [] })
    expect(p.last.message).toContain('how: ')
  })
  test('what it was given is frozen: a handler that mutates it fails', () => {
    const mutates = machine('mutates', {
      data: z.object({ list: z.array(z.number()).default([1]) }),
      receives: [Go, Next],
      initial: 'a',
      states: {
        a: {
          on: {
            go: { set: ({ data }) => ((data.list as number[]).push(2), {}) },
            next: { set: ({ message }) => (((message as unknown as { x: number }).x = 1), {}) },
          },
          after: { '1 day': 'a' },
        },
      },
    })
    const p = play(mutates)
    expect(p.send(Go({ n: 1 }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
    expect(p.send(Next({}))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
    expect(p.data).toEqual({ list: [1] })
  })
  test('a waiting message that fails is dead, and takes nothing else with it', () => {
    const poison = machine('poison', {
      data: z.object({ any: z.string().default('') }),
      receives: [Go, Late, Next],
      initial: 'a',
      states: {
        a: { on: { next: 'b' } },
        b: {
          on: {
            late: {
              set: ({ message: { n } }) => {
                if (n === 1) throw new Error('boom')
                return { any: 'x'.repeat(n) }
              },
            },
            go: 'end',
          },
        },
        end: { final: 'done' },
      },
    })
    const p = play(poison)
    for (const n of [1, 2, 300_000]) p.send(Late({ n }))
    const outcome = p.send(Next({}))
    expect(outcome.fate).toBe('applied')
    expect(outcome.decided.map(({ fate, code }) => [fate, code])).toEqual([
      ['dead', 'HANDLER_FAILED'],
      ['applied', undefined],
      ['dead', 'HANDLER_FAILED'],
    ])
    expect([p.state, p.data['any']]).toEqual(['b', 'xx'])
  })
})

describe('a handler throws on a result, a timer or a child: the instance stalls, that message kept', () => {
  const work = activity('work', { input: none, output: z.object({ n: z.number() }) })
  const strict = machine('strict', {
    data: z.object({ n: z.number().max(5).default(0) }),
    receives: [Next],
    initial: 'a',
    states: {
      a: { call: work, done: { to: 'b', set: ({ result }) => ({ n: result.n }) } },
      b: {
        after: { '1 minute': { to: 'end', set: ({ data }) => ({ n: data.n + 3 }) } },
        on: { next: { set: { n: 1 } } },
      },
      end: { final: 'done' },
    },
  })
  test('a result', () => {
    const p = play(strict)
    expect(p.done({ n: 6 })).toMatchObject({ fate: 'noted', journal: [] })
    expect([p.stalled, p.state]).toEqual(['HANDLER_FAILED', 'a'])
    expect(p.instance?.stalled?.cause).toMatchObject({ kind: 'result', outcome: { kind: 'done', output: { n: 6 } } })
    expect(p.instance?.calls?.['work']?.settled).toBeUndefined()
    // Better code, and a retry.
    p.retry()
    expect(p.stalled).toBe('HANDLER_FAILED')
    p.operate({ do: 'resolve', result: { n: 5 } })
    expect([p.state, p.status, p.data]).toEqual(['b', 'live', { n: 5 }])
  })
  test('a timer', () => {
    const p = play(strict)
    p.done({ n: 5 })
    p.after(MINUTE)
    expect([p.stalled, p.state, p.instance?.dueAt]).toEqual(['HANDLER_FAILED', 'b', null])
    expect(p.instance?.timers).not.toBeNull()
    p.send(Next({}))
    expect(p.waiting).toHaveLength(1)
    p.retry()
    expect([p.stalled, p.waiting.length]).toEqual(['HANDLER_FAILED', 1])
    p.operate({ do: 'move', to: 'end', data: { n: 2 } })
    expect([p.status, p.data]).toEqual(['done', { n: 5 }])
  })
})

describe('a handler throws on entry, in `always` or anywhere later: the whole transition is undone; its cause decides', () => {
  const work = activity('work', { input: z.object({ n: z.number().max(5) }), output: none })
  const Out = event('out', { data: z.object({ n: z.number() }), key: () => 'i1' })
  const later = machine('later', {
    data: z.object({ n: z.number().default(0) }),
    receives: [Go],
    emits: [Out],
    initial: 'a',
    states: {
      a: {
        on: { go: { to: 'b', set: ({ message }) => ({ n: message.n }), emit: { out: ({ data }) => ({ n: data.n }) } } },
        after: { '1 minute': { to: 'b', set: { n: 6 } } },
      },
      b: {
        always: [
          { if: ({ data }) => data.n === 1, to: 'boom' },
          { if: ({ data }) => data.n === 2, to: 'emits' },
          { if: ({ data }) => data.n === 3, to: 'timed' },
          { to: 'calls' },
        ],
      },
      boom: {
        always: [
          {
            if: () => {
              throw new Error('in always')
            },
          },
          { to: 'end' },
        ],
      },
      emits: { emit: { out: () => ({ n: 'x' }) as never }, after: { '1 day': 'end' } },
      timed: { after: [{ name: 't', at: () => 'tomorrow' as never, to: 'end' }] },
      calls: { call: work, input: ({ data }) => ({ n: data.n }), done: 'end' },
      end: { final: 'done' },
    },
  })
  test.each([1, 2, 3, 6])('on a message (%i): it is a dead letter, nothing has happened', (n) => {
    const p = play(later)
    const { instance } = p
    expect(p.send(Go({ n }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', journal: [], own: 0 })
    expect([p.instance, p.last.fresh.length]).toEqual([instance, 0])
  })
  test('on a timer: the instance stalls before it', () => {
    const p = play(later)
    p.after(MINUTE)
    expect([p.stalled, p.state, p.data, p.instance?.seq]).toEqual(['HANDLER_FAILED', 'a', { n: 0 }, 1])
  })
  test('on a start: dead letter, nothing is created', () => {
    const never = machine('never', {
      data: z.object({ n: z.number() }),
      receives: [Go],
      start: { go: ({ n }) => ({ n }) },
      initial: 'a',
      states: { a: { call: work, input: ({ data }) => data, done: 'end' }, end: { final: 'done' } },
    })
    const p = play(never, {}, { start: false })
    expect(p.run({ n: 6 })).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', instance: null, created: false })
    expect(p.send(Go({ n: 6 }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', instance: null, created: false })
    expect(p.run({ n: 5 })).toMatchObject({ fate: 'applied', created: true })
  })
})

describe('this build does not know the type or version: parked (`build`), never a dead letter', () => {
  const V2 = event('v', {
    data: z.object({ minutes: z.number() }),
    key: () => 'i1',
    version: 2,
    upcast: { 1: (old: { seconds: number }) => ({ minutes: old.seconds / 60 }) },
  })
  const reads = machine('reads', {
    data: z.object({ minutes: z.number().default(0) }),
    receives: [V2, Next],
    initial: 'a',
    states: {
      a: { on: { next: 'b' } },
      b: { on: { v: { set: ({ message }) => ({ minutes: message.minutes }) }, next: 'end' } },
      end: { final: 'done' },
    },
  })
  test('a type it does not receive', () => {
    expect(play(reads).send(Go({ n: 1 }))).toMatchObject({ fate: 'build', journal: [] })
  })
  test('a newer version of a message', () => {
    expect(play(reads).send(V2({ minutes: 1 }), { version: 3 })).toMatchObject({ fate: 'build' })
  })
  test('an instance of a newer version of the machine', () => {
    const p = play(reads)
    p.instance = { ...p.instance!, version: 2 }
    expect(p.send(Next({}))).toMatchObject({ fate: 'build' })
    expect(p.ring()).toMatchObject({ fate: 'build', journal: [] })
  })
  test('an older version is read by its `upcast`, at once or after it has waited', () => {
    const p = play(reads)
    p.send({ type: 'v', data: { seconds: 120 } }, { version: 1 })
    expect(p.waiting).toHaveLength(1)
    p.send(Next({}))
    expect(p.data['minutes']).toBe(2)
    p.send({ type: 'v', data: { seconds: 180 } }, { version: 1 })
    expect(p.data['minutes']).toBe(3)
  })
  test('what was parked is taken once a build knows it; what waited and is known no more is parked', () => {
    const old = machine('reads', {
      data: z.object({ minutes: z.number().default(0) }),
      receives: [Next],
      initial: 'a',
      states: { a: { on: { next: 'b' } }, b: { on: { next: 'end' } }, end: { final: 'done' } },
    })
    const p = play(old)
    p.send(V2({ minutes: 9 }), { version: 2 })
    expect(p.waiting.map(({ why }) => why)).toEqual(['build'])
    p.send(Next({}))
    expect(p.waiting.map(({ why }) => why)).toEqual(['build'])
    p.deploy(reads).ring()
    expect([p.data['minutes'], p.waiting]).toEqual([9, []])
    const q = play(reads)
    q.send(V2({ minutes: 1 }))
    q.deploy(old).send(Next({}))
    expect(q.waiting.map(({ why, until }) => [why, until])).toEqual([['build', q.now + MINUTE]])
  })
})

describe('`ifSeq`', () => {
  test('another seq: refused', () => {
    const p = play(walk)
    expect(p.send(Order({ n: 7 }), { ifSeq: 2 })).toMatchObject({ fate: 'refused', why: 'seq' })
    expect(p.send(Order({ n: 7 }), { ifSeq: 2 })).toMatchObject({ fate: 'applied' })
  })
})

describe('the order of groups: the state first, then the groups as they are written', () => {
  const A = event('a', { data: z.object({ who: z.string() }), key: () => 'i1' })
  const take = (who: string) => ({
    if: ({ message }: { message: { who: string } }) => message.who >= who,
    set: { by: who },
  })
  const grouped = machine('grouped', {
    data: z.object({ by: z.string().default('') }),
    receives: [A],
    initial: 's',
    groups: {
      z: { states: ['s'], on: { a: take('b') } },
      y: { states: ['s'], on: { a: take('a') } },
    },
    states: { s: { on: { a: take('c') }, after: { '1 day': 'end' } }, end: { final: 'done' } },
  })
  test.each([
    ['d', 'c', 'applied'],
    ['b', 'b', 'applied'],
    ['a', 'a', 'applied'],
    ['A', '', 'refused'],
  ])('%s', (who, by, fate) => {
    const p = play(grouped)
    expect(p.send(A({ who })).fate).toBe(fate)
    expect(p.data['by']).toBe(by)
  })
})

test('a stamp: of all that it ever consumed, also of what waited', () => {
  const p = play(walk)
  p.send(Late({ n: 1 }), { stamp: 500 })
  p.send(Go({ n: 1 }), { stamp: 100 })
  expect(p.instance?.stamp).toBeGreaterThanOrEqual(100)
  p.send(Next({}), { stamp: 50 })
  expect(p.instance?.stamp).toBe(500)
})

test('the cause of a row says who, when and from what beginning', () => {
  const p = play(walk)
  p.now += SECOND
  p.send(Go({ n: 1 }), { by: 'ann' })
  expect(p.row).toMatchObject({
    at: p.now,
    cause: { kind: 'message', name: 'go', by: 'ann', at: p.now, correlation: 'c' },
  })
})
