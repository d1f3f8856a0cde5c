import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { activity, implement } from '../../../src/machine/activity.ts'
import { contract } from '../../../src/machine/contract.ts'
import { activityOf, definitionOf, messageOf, serviceOf } from '../../../src/machine/definition.ts'
import type { StateDefinition } from '../../../src/machine/definition.ts'
import { machine } from '../../../src/machine/machine.ts'
import { command, event } from '../../../src/machine/message.ts'
import { service } from '../../../src/machine/service.ts'
import { choose, codeOf, emitted, given, NOW_MS, take } from './given.ts'

const data = z.object({ n: z.number(), note: z.string().optional() })
const Happened = event('happened', { data: z.object({ id: z.string(), n: z.number() }), key: (d) => d.id })
const Also = event('also', { data: z.object({ id: z.string() }), key: (d) => d.id })
const Later = event('later', { data: z.object({ id: z.string() }), key: (d) => d.id })
const Told = event('told', { data: z.object({ id: z.string() }), key: (d) => d.id })
const ask = activity('ask', {
  input: z.object({ n: z.number() }),
  output: z.object({ n: z.number() }),
  failures: ['No', 'Never'],
  run: ({ n }) => ({ n }),
})
const look = activity('look', { input: z.object({}), output: z.object({}), interruptible: true, run: () => ({}) })
const end = { final: 'done' } as const

const stateOf = (m: object, name: string): StateDefinition => definitionOf(m).states.get(name)!

describe('public objects', () => {
  test('are frozen, and say what they are', () => {
    const m = machine('m', { data, version: 2, initial: 'end', states: { end } })
    expect(m).toEqual({ kind: 'machine', name: 'm', version: 2 })
    expect(ask).toEqual({ kind: 'activity', name: 'ask' })
    expect(contract('c', { data, states: ['a'] })).toEqual({ kind: 'contract', name: 'c', version: 1 })
    expect(service('s', {})).toEqual({ kind: 'service', name: 's' })
    for (const made of [m, ask, Happened, service('s', {})]) expect(Object.isFrozen(made)).toBe(true)
  })

  test('a message type makes messages, and validates nothing', () => {
    expect(Happened({ id: 'a', n: 1 })).toEqual({ type: 'happened', data: { id: 'a', n: 1 } })
    expect((Happened as (d: unknown) => unknown)(3)).toEqual({ type: 'happened', data: 3 })
    expect([Happened.type, Happened.name, (Happened as { kind?: string }).kind]).toEqual([
      'happened',
      'happened',
      'event',
    ])
  })

  test('what Pawl did not make is refused by name', () => {
    expect(codeOf(() => definitionOf({ kind: 'machine' }))).toMatch(/^BAD_DEFINITION: this is no machine/)
  })
})

describe('messages', () => {
  test('an event', () => {
    const e = messageOf(
      event('e', {
        data,
        key: (d) => String(d.n),
        keep: '2 minutes',
        version: 2,
        upcast: { 1: (old) => ({ n: Number(old) }) },
      }),
    )
    expect(e).toMatchObject({ kind: 'event', type: 'e', version: 2, keepMs: 120_000, to: undefined, schema: data })
    expect([e.key!({ n: 7 }), e.upcast.get(1)!('3')]).toEqual(['7', { n: 3 }])
  })

  test('a command, with an address and without', () => {
    expect(messageOf(command('c', { data }))).toMatchObject({
      kind: 'command',
      keepMs: 3_600_000,
      version: 1,
      key: undefined,
      to: undefined,
    })
    expect(messageOf(command('c', { data, to: 'm', key: () => 'k' }))).toMatchObject({
      to: 'm',
      key: expect.any(Function),
    })
  })
})

describe('activities', () => {
  test('defaults', () => {
    expect(activityOf(activity('a', { input: data, output: data }))).toEqual({
      name: 'a',
      input: data,
      output: data,
      failures: [],
      retry: { attempts: 10, firstMs: 200, factor: 2, maxMs: 30_000, withinMs: undefined },
      timeoutMs: 30_000,
      heartbeatMs: undefined,
      concurrency: undefined,
      rate: undefined,
      interruptible: false,
      reserved: [],
      run: undefined,
    })
  })

  test('everything said', () => {
    const all = activity('a', {
      input: data,
      output: data,
      failures: ['No'],
      retry: { attempts: 3, first: '1 second', factor: 1.5, max: '1 minute', within: '1 hour' },
      timeout: '2 seconds',
      heartbeat: '500 ms',
      concurrency: 4,
      rate: { count: 5, per: '1 minute' },
      interruptible: true,
      pool: 'gpu',
      thread: false,
    })
    expect(activityOf(all)).toMatchObject({
      failures: ['No'],
      retry: { attempts: 3, firstMs: 1_000, factor: 1.5, maxMs: 60_000, withinMs: 3_600_000 },
      timeoutMs: 2_000,
      heartbeatMs: 500,
      concurrency: 4,
      rate: { count: 5, perMs: 60_000 },
      interruptible: true,
      reserved: ['pool'],
    })
  })

  test('a service holds machines, and bodies by the name of their activity', () => {
    const far = activity('far', { input: data, output: data })
    const body = () => ({ n: 1 })
    const m = machine('m', { data, initial: 'end', states: { end } })
    const s = serviceOf(service('s', { machines: [m], activities: [implement(far, body)] }))
    expect(s).toEqual({ name: 's', machines: [definitionOf(m)], bodies: new Map([['far', body]]) })
  })
})

describe('edges', () => {
  const m = machine('m', {
    data,
    receives: [Happened, Also],
    emits: [Told],
    initial: 'a',
    states: {
      a: {
        on: {
          happened: [
            { if: ({ message }) => message.n > 5, to: 'end', set: ({ message }) => ({ n: message.n }) },
            {
              if: ({ message }) => message.n > 3,
              set: { n: 0, note: ({ id, message }) => `${id}/${message.n}` },
              emit: { told: ({ id, data: d }) => [{ id }, { id: String(d.n) }] },
            },
            { emit: { told: () => null } },
          ],
          also: {},
        },
        after: { '1 day': 'end' },
      },
      end,
    },
  })
  const on = (n: number) => take(stateOf(m, 'a').on.get('happened'), given({ n: 1 }, { message: { id: 'x', n } }))

  test('the name of a state', () => {
    expect(stateOf(m, 'a').after[0]!.edge).toEqual([{ to: 'end', if: undefined, set: undefined, emit: [] }])
  })

  test('a list: the first that holds; `set` as a function', () => {
    expect(on(6)).toEqual({ to: 'end', data: { n: 6 }, emitted: [] })
  })

  test('`set` by field: values and functions; several payloads, which see the data after it', () => {
    expect(on(4)).toEqual({
      to: undefined,
      data: { n: 0, note: 'i-1/4' },
      emitted: [
        ['told', { id: 'i-1' }],
        ['told', { id: '0' }],
      ],
    })
  })

  test('no payload', () => {
    expect(on(1)).toEqual({ to: undefined, data: { n: 1 }, emitted: [] })
  })

  test('`{}` does nothing', () => {
    expect(stateOf(m, 'a').on.get('also')).toEqual([{ to: undefined, if: undefined, set: undefined, emit: [] }])
  })

  test('a value in `set` is frozen, since instances share it; what is no JSON is refused', () => {
    const list = z.object({ list: z.array(z.string()) })
    const shared: string[] = ['a']
    const s = machine('s', {
      data: list,
      initial: 'a',
      states: { a: { after: { '1 day': { to: 'end', set: { list: shared } } } }, end },
    })
    const twice = [1, 2].map(() => take(stateOf(s, 'a').after[0]!.edge, given({}))!.data['list'])
    expect(twice[0]).toBe(twice[1])
    expect(Object.isFrozen(twice[0])).toBe(true)
    const bad = () =>
      machine('s', {
        data: z.object({ d: z.any() }),
        initial: 'a',
        states: { a: { after: { '1 day': { to: 'end', set: { d: new Date(0) } } } }, end },
      })
    expect(codeOf(bad)).toMatch(/the field "d" of `set` is a Date/)
  })
})

describe('timers', () => {
  const timersOf = (in_: unknown, at: unknown) => {
    const after = [
      { name: 't', in: () => in_ as '1 day', to: 'end' as const },
      { name: 'u', at: () => at as string, to: 'end' as const },
    ]
    return stateOf(machine('m', { data, initial: 'a', states: { a: { after }, end } }), 'a').after
  }

  test('by duration: the name is the text, whole ms from now', () => {
    const m = machine('m', {
      data,
      initial: 'a',
      states: { a: { after: { '15 minutes': 'end', '0.5 ms': 'end' } }, end },
    })
    expect(stateOf(m, 'a').after.map(({ name, due }) => [name, due(given({}))! - NOW_MS])).toEqual([
      ['15 minutes', 900_000],
      ['0.5 ms', 1],
    ])
  })

  test.for([
    ['1 hour', '2026-01-02T00:00:00Z', 3_600_000, 86_400_000],
    ['0.1 ms', new Date(NOW_MS + 5), 1, 5],
    ['1 day', '2026-01-02', 86_400_000, 86_400_000],
    ['1 day', '2026-01-01T01:00:00.5+01:00', 86_400_000, 500],
    ['1 day', null, 86_400_000, null],
  ] as const)('named: in %s, at %s', ([in_, at, inMs, atMs]) => {
    const [t, u] = timersOf(in_, at)
    expect([t!.name, t!.due(given({}))! - NOW_MS, u!.name]).toEqual(['t', inMs, 'u'])
    const due = u!.due(given({}))
    expect(due === null ? null : due - NOW_MS).toBe(atMs)
  })

  test.for([3, '3 parsecs', '', null, undefined])('`in` that gives %s is refused by name', (bad) => {
    expect(codeOf(() => timersOf(bad, null)[0]!.due(given({})))).toMatch(/^BAD_TIME: timer "t" `in` gave /)
  })

  test.for(['tomorrow', '2026-01-02T09:00:00', '2026-13-01', new Date(NaN), 3, undefined])(
    '`at` that gives %s is refused by name',
    (bad) => {
      // Text without a zone would mean another time on another machine.
      const code = codeOf(() => timersOf('1 day', bad)[1]!.due(given({})))
      expect(code).toMatch(/^BAD_TIME: timer "u" `at` gave /)
    },
  )
})

describe('calls', () => {
  const m = machine('m', {
    data,
    initial: 'one',
    cancel: { to: 'end', set: { note: ({ why }) => why } },
    states: {
      one: {
        call: ask,
        input: ({ data: d }) => ({ n: d.n }),
        key: ({ id }) => `k/${id}`,
        done: 'named',
        fail: { No: 'end', other: { to: 'end' } },
      },
      named: {
        call: { first: ask, second: look },
        input: { first: () => ({ n: 2 }), second: () => ({}) },
        done: 'list',
        fail: 'end',
      },
      list: { call: [ask], input: ({ data: d }) => Array.from({ length: d.n }, (_, n) => ({ n })), done: 'bare' },
      bare: { call: look, done: 'end' },
      end,
    },
  })
  const call = (state: string) => stateOf(m, state).call!
  const plan = (state: string, n = 2) =>
    call(state)
      .plan(given({ n }))
      .map(({ name, activity: a, input }) => [name, a.name, input])

  test('one: named by its activity', () => {
    expect(call('one')).toMatchObject({
      shape: 'one',
      interruptible: false,
      activities: new Map([['ask', activityOf(ask)]]),
    })
    expect([plan('one'), call('one').key!(given({}))]).toEqual([[['ask', 'ask', { n: 2 }]], 'k/i-1'])
  })

  test('several by name', () => {
    expect(call('named')).toMatchObject({ shape: 'named', interruptible: false })
    expect(plan('named')).toEqual([
      ['first', 'ask', { n: 2 }],
      ['second', 'look', {}],
    ])
  })

  test('a list: activity and index; it may be empty', () => {
    expect([call('list').shape, [...call('list').activities.keys()]]).toEqual(['list', ['ask']])
    expect(plan('list')).toEqual([
      ['ask/0', 'ask', { n: 0 }],
      ['ask/1', 'ask', { n: 1 }],
    ])
    expect(plan('list', 0)).toEqual([])
  })

  test('without `input`: {}', () => {
    expect([plan('bare'), call('bare').interruptible, call('bare').key]).toEqual([
      [['look', 'look', {}]],
      true,
      undefined,
    ])
  })

  test('`fail`: by failure, or one for all', () => {
    expect([...stateOf(m, 'one').fail.keys()]).toEqual(['No', 'other'])
    expect([...stateOf(m, 'named').fail.keys()]).toEqual(['*'])
    expect(stateOf(m, 'list').fail.size).toBe(0)
  })

  test('the cancel edge stands on every state that is not final', () => {
    expect(take(stateOf(m, 'list').cancel, given({ n: 1 }, { why: 'late' }))).toEqual({
      to: 'end',
      data: { n: 1, note: 'late' },
      emitted: [],
    })
    expect(stateOf(m, 'end').cancel).toBeUndefined()
  })
})

describe('groups, joins, children', () => {
  const kid = contract('kid', { data, states: ['up', 'gone'], finals: ['gone'] })
  const m = machine('m', {
    data,
    receives: [Happened, Also, Later],
    emits: [Told],
    initial: 'a',
    start: { happened: ({ n }) => ({ n }) },
    correlate: { also: (d) => [d.id] },
    children: {
      kids: { of: kid, each: ({ data: d }) => [{ id: 'k', data: { n: d.n } }], restart: true, onCancel: 'cancel' },
    },
    groups: {
      early: { states: ['a', 'b'], on: { later: 'end' }, after: { '1 hour': 'end' } },
      all: { states: ['b'], on: { later: {} } },
    },
    states: {
      a: {
        join: { happened: ({ message }) => ({ n: message.n }), also: true },
        done: 'b',
        emit: { told: ({ id }) => ({ id }) },
      },
      b: {
        until: {
          kids: {
            all: ['up'],
            any: { gone: { set: { n: ({ child }) => child.data.n } } },
            if: ({ child }) => child.data.n > 1,
            spawn: false,
          },
        },
        done: 'end',
      },
      end,
    },
    priority: 3,
    fairBy: ({ data: d }) => String(d.n),
  })
  const definition = definitionOf(m)

  test('groups hang on their states, in order', () => {
    expect(stateOf(m, 'a').groups.map((group) => group.name)).toEqual(['early'])
    expect(stateOf(m, 'b').groups.map((group) => group.name)).toEqual(['early', 'all'])
    expect(definition.groups[0]!.after[0]!.name).toBe('1 hour')
    expect(stateOf(m, 'end').groups).toEqual([])
  })

  test('a join records, or only waits', () => {
    const { join, emit } = stateOf(m, 'a')
    expect([join.get('happened')!(given({}, { message: { n: 4 } })), join.has('also'), join.get('also')]).toEqual([
      { n: 4 },
      true,
      undefined,
    ])
    expect(emitted(emit, given({}))).toEqual([['told', { id: 'i-1' }]])
  })

  test('children and how they are followed', () => {
    const { kids } = Object.fromEntries(definition.children)
    expect(kids).toMatchObject({ kind: 'kids', of: definitionOf(kid), restart: true, onCancel: 'cancel' })
    expect(kids!.each(given({ n: 9 }))).toEqual([{ id: 'k', data: { n: 9 } }])
    const [follow] = stateOf(m, 'b').until
    expect(follow).toMatchObject({ kind: 'kids', all: new Set(['up']), spawn: false })
    const child = { id: 'k', state: 'gone', data: { n: 2 }, status: 'done' } as const
    expect(follow!.if!(given({}, { child }))).toBe(true)
    expect(take(follow!.any.get('gone'), given({ n: 1 }, { child }))!.data).toEqual({ n: 2 })
  })

  test('what there is besides the graph', () => {
    expect(definition).toMatchObject({
      priority: 3,
      initial: 'a',
      begin: undefined,
      finals: new Set(['end']),
      cancelBy: new Set(),
    })
    expect(definition.start.get('happened')!({ n: 5 })).toEqual({ n: 5 })
    expect(definition.correlate.get('also')!({ id: 'x' })).toEqual(['x'])
    expect(definition.fairBy!({ id: 'i', data: { n: 8 } })).toBe('8')
    const some = { n: 1 }
    expect([definition.dataOf(some), definition.output('i', some)]).toEqual([some, some])
  })

  test('a state names what it and its groups hear', () => {
    expect(stateOf(m, 'a').named).toEqual(new Set(['happened', 'also', 'later']))
    expect(stateOf(m, 'b').named).toEqual(new Set(['later']))
  })
})

describe('what lies ahead', () => {
  const m = machine('m', {
    data,
    receives: [Happened, Also, Later],
    initial: 'a',
    cancel: 'undoing',
    states: {
      a: { on: { happened: 'b' } },
      b: { on: { also: { if: ({ data: d }) => d.n > 0, to: 'b' } }, after: { '1 day': 'end' } },
      undoing: { on: { later: 'end' } },
      end,
    },
  })
  const ahead = (state: string) => [...stateOf(m, state).ahead].toSorted()

  test('is what states name that can be reached by an edge or more, cancel edges included', () => {
    // a's own message is behind it once it is left; b can be entered again.
    expect([ahead('a'), ahead('b'), ahead('undoing'), ahead('end')]).toEqual([
      ['also', 'later'],
      ['also', 'later'],
      ['later'],
      [],
    ])
  })
})

describe('the graph', () => {
  const forward = machine('m', {
    data,
    receives: [Happened],
    emits: [Told],
    initial: 'a',
    cancel: 'end',
    states: {
      a: {
        call: ask,
        input: () => ({ n: 1 }),
        done: { to: 'b', emit: { told: () => ({ id: 'x' }) } },
        fail: { No: 'end' },
      },
      b: { on: { happened: [{ if: () => true, to: 'end' }, {}] }, after: { '1 day': 'a' } },
      end,
    },
  })
  const { graph, graphHash } = definitionOf(forward)

  test('is plain JSON', () => {
    expect(JSON.parse(JSON.stringify(graph))).toEqual({
      name: 'm',
      version: 1,
      initial: 'a',
      receives: ['happened'],
      emits: ['told'],
      states: [
        { name: 'a', calls: ['ask'] },
        { name: 'b', calls: [] },
        { name: 'end', final: 'done', calls: [] },
      ],
      edges: [
        { from: 'a', to: 'b', kind: 'result', name: 'done', emits: ['told'] },
        { from: 'a', to: 'end', kind: 'failure', name: 'No', emits: [] },
        { from: 'a', to: 'end', kind: 'cancel', name: 'cancel', emits: [] },
        { from: 'b', to: 'end', kind: 'message', name: 'happened', emits: [] },
        { from: 'b', kind: 'message', name: 'happened', emits: [] },
        { from: 'b', to: 'a', kind: 'timer', name: '1 day', emits: [] },
        { from: 'b', to: 'end', kind: 'cancel', name: 'cancel', emits: [] },
      ],
    })
  })

  test('its hash does not depend on the order of keys, but on what is there', () => {
    const shuffled = machine('m', {
      states: {
        end,
        b: { after: { '1 day': 'a' }, on: { happened: [{ if: () => true, to: 'end' }, {}] } },
        a: {
          fail: { No: 'end' },
          done: { emit: { told: () => ({ id: 'y' }) }, to: 'b' },
          input: () => ({ n: 2 }),
          call: ask,
        },
      },
      cancel: 'end',
      initial: 'a',
      emits: [Told],
      receives: [Happened],
      data,
    })
    expect(graphHash).toMatch(/^[\w-]{22}$/)
    expect(definitionOf(shuffled).graphHash).toBe(graphHash)
    const other = machine('m', {
      data,
      receives: [Happened],
      emits: [Told],
      initial: 'a',
      cancel: 'end',
      states: {
        a: {
          call: ask,
          input: () => ({ n: 1 }),
          done: { to: 'b', emit: { told: () => ({ id: 'x' }) } },
          fail: { Never: 'end' },
        },
        b: { on: { happened: [{ if: () => true, to: 'end' }, {}] }, after: { '1 day': 'a' } },
        end,
      },
    })
    expect(definitionOf(other).graphHash).not.toBe(graphHash)
  })
})

describe('contracts and versions', () => {
  const old = contract('m', {
    version: 1,
    data: z.object({ count: z.number() }),
    states: ['begin', 'over'],
    finals: ['over'],
    receives: [Happened],
  })

  test('a contract is names only', () => {
    expect(definitionOf(old)).toMatchObject({
      kind: 'contract',
      name: 'm',
      version: 1,
      initial: 'begin',
      finals: new Set(['over']),
    })
    expect([...definitionOf(old).states.keys(), ...definitionOf(old).receives.keys()]).toEqual([
      'begin',
      'over',
      'happened',
    ])
  })

  test('`migrate` from an older version', () => {
    const m = machine('m', {
      version: 2,
      data,
      initial: 'a',
      migrate: { 1: { from: old, to: ({ data: d }) => ({ state: 'a', data: { n: d.count }, calls: 'drop' }) } },
      states: { a: { after: { '1 day': 'end' } }, end },
    })
    const step = definitionOf(m).migrate.get(1)!
    expect(step.from).toBe(definitionOf(old))
    expect(step.to({ state: 'begin', data: { count: 4 }, calls: [] })).toEqual({
      state: 'a',
      data: { n: 4 },
      calls: 'drop',
    })
  })
})

test('a choice by the data', () => {
  const m = machine('m', {
    data,
    initial: 'a',
    states: {
      a: { always: [{ if: ({ data: d }) => d.n > 1, to: 'b' }, { to: 'end' }] },
      b: { after: { '1 day': 'end' } },
      end,
    },
  })
  expect([1, 2].map((n) => choose(stateOf(m, 'a').always, given({ n }))!.to)).toEqual(['end', 'b'])
})
