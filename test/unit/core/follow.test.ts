// What follows a transition by itself: `always` and `join`.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { machine } from '../../../src/machine/machine.ts'
import { event } from '../../../src/machine/message.ts'
import { play } from '../../support/play.ts'

const none = z.object({})
const Set = event('set', { data: z.object({ n: z.number() }), key: () => 'i1' })
const A = event('a', { data: z.object({ x: z.number() }), key: () => 'i1' })
const B = event('b', { data: z.object({ y: z.number() }), key: () => 'i1' })
const C = event('c', { data: none, key: () => 'i1' })

describe('always', () => {
  const choice = machine('choice', {
    data: z.object({ n: z.number().default(0), steps: z.number().default(0) }),
    receives: [Set],
    initial: 'idle',
    states: {
      idle: { on: { set: { to: 'choose', set: ({ message }) => ({ n: message.n }) } } },
      choose: {
        always: [
          { if: ({ data }) => data.n > 10, to: 'big' },
          { if: ({ data }) => data.n > 5, to: 'middle' },
          { if: ({ data }) => data.n < 0, set: ({ data }) => ({ n: data.n + 1, steps: data.steps + 1 }) },
        ],
        on: { set: { set: ({ message }) => ({ n: message.n }) } },
      },
      middle: { always: [{ to: 'big' }] },
      big: { on: { set: 'idle' } },
    },
  })
  test('tried in order on entry: the first that holds', () => {
    const p = play(choice)
    expect(p.send(Set({ n: 6 }))).toMatchObject({ own: 3 })
    expect(p.path).toEqual(['idle', 'choose', 'middle', 'big'])
    expect(p.journal.slice(2).map(({ seq, cause }) => [seq, cause.kind, cause.name, cause.id])).toEqual([
      [3, 'always', 'always', 'm2'],
      [4, 'always', 'always', 'm2'],
    ])
    expect(p.journal.map(({ unit }) => unit)).toEqual([false, true, false, false])
  })
  test('none holds: stay; tried again after each change of the data in this state', () => {
    const p = play(choice)
    p.send(Set({ n: 3 }))
    expect(p.state).toBe('choose')
    p.send(Set({ n: 11 }))
    expect(p.state).toBe('big')
  })
  test('a step that stays is taken until it does not hold', () => {
    const p = play(choice)
    p.send(Set({ n: -90 }))
    expect([p.data['n'], p.data['steps'], p.state]).toEqual([0, 90, 'choose'])
  })
  test('100 of them in one transition are too many: all of it is undone, and the message waits for an operator', () => {
    const p = play(choice)
    p.send(Set({ n: -100 }))
    expect(p.data['steps']).toBe(100)
    const q = play(choice)
    expect(q.send(Set({ n: -101 }))).toMatchObject({ fate: 'deferred', waitsFor: 'stalled', journal: [] })
    expect([q.stalled, q.state, q.data]).toEqual(['TOO_MANY_STEPS', 'idle', { n: 0, steps: 0 }])
  })
  test('on a start: nothing is created', () => {
    const spins = machine('spins', {
      data: none,
      initial: 'a',
      states: { a: { always: [{ to: 'b' }] }, b: { always: [{ to: 'a' }] } },
    })
    const p = play(spins, {}, { start: false })
    expect(p.run({})).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', instance: null })
  })
})

describe('join', () => {
  const joins = machine('joins', {
    data: z.object({ x: z.number().optional(), y: z.number().optional(), n: z.number().default(0) }),
    receives: [A, B, C, Set],
    initial: 'gather',
    states: {
      gather: {
        join: { a: ({ message }) => ({ x: message.x }), b: ({ message }) => ({ y: message.y }), c: true },
        done: { to: 'ready', set: ({ data }) => ({ n: (data.x ?? 0) + (data.y ?? 0) }) },
        on: { set: { to: 'gather', set: ({ message }) => ({ n: message.n }) } },
      },
      ready: { final: 'done' },
    },
  })
  const all = [A({ x: 1 }), B({ y: 2 }), C({})]
  test.each([
    [0, 1, 2],
    [2, 1, 0],
    [1, 2, 0],
  ])('in any order: %i %i %i', (...order) => {
    const p = play(joins)
    for (const i of order) expect(p.send(all[i]!)).toMatchObject({ fate: 'applied' })
    expect([p.state, p.data]).toEqual(['ready', { x: 1, y: 2, n: 3 }])
    expect(p.row.cause).toMatchObject({ kind: 'always', name: 'done' })
  })
  test('each is recorded by a row that stays; a second one is ignored', () => {
    const p = play(joins)
    p.send(A({ x: 1 }))
    expect(p.row).toMatchObject({ from: 'gather', to: 'gather', change: { x: 1 }, unit: true, outcome: 'applied' })
    expect(p.instance?.joined).toEqual(['a'])
    expect(p.send(A({ x: 9 }))).toMatchObject({ fate: 'ignored' })
    expect([p.data['x'], p.instance?.joined]).toEqual([1, ['a']])
  })
  test('entering again begins anew', () => {
    const p = play(joins)
    p.send(A({ x: 1 }))
    p.send(Set({ n: 5 }))
    expect(p.instance?.joined).toBeNull()
    p.send(B({ y: 1 }))
    p.send(C({}))
    expect(p.state).toBe('gather')
  })
  test('`done` that stays waits for all of them again', () => {
    const m = machine('m', {
      data: z.object({ n: z.number().default(0) }),
      receives: [C, A],
      initial: 'a',
      states: {
        a: {
          join: { c: true, a: true },
          done: { set: ({ data }) => ({ n: data.n + 1 }) },
          always: [{ if: ({ data }) => data.n === 2, to: 'end' }],
        },
        end: { final: 'done' },
      },
    })
    const p = play(m)
    const both = () => [A({ x: 1 }), C({})].map((message) => p.send(message).fate)
    expect(both()).toEqual(['applied', 'applied'])
    expect([p.data['n'], p.state, p.instance?.joined]).toEqual([1, 'a', null])
    both()
    expect([p.data['n'], p.state]).toEqual([2, 'end'])
  })
  test('a patch that fails: dead letter, and it has not come', () => {
    const m = machine('m', {
      data: z.object({ x: z.number().max(5).default(0) }),
      receives: [A],
      initial: 'a',
      states: { a: { join: { a: ({ message }) => ({ x: message.x }) }, done: 'end' }, end: { final: 'done' } },
    })
    const p = play(m)
    expect(p.send(A({ x: 6 }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
    expect(p.instance?.joined).toBeNull()
    p.send(A({ x: 5 }))
    expect([p.state, p.data]).toEqual(['end', { x: 5 }])
  })
})

describe('what changes the data', () => {
  const fields = machine('fields', {
    data: z.object({ n: z.number().default(0), text: z.string().optional(), trimmed: z.string().trim().optional() }),
    receives: [Set, C],
    initial: 'a',
    states: {
      a: {
        on: {
          set: { set: { n: ({ message }) => message.n, text: 'hello', trimmed: '  x ' } },
          c: { set: () => ({ text: undefined }) },
        },
        after: { '1 day': 'a' },
      },
    },
  })
  test('field by field; the journal tells what the schema made of it', () => {
    const p = play(fields)
    p.send(Set({ n: 4 }))
    expect(p.data).toEqual({ n: 4, text: 'hello', trimmed: 'x' })
    expect(p.row).toMatchObject({ change: { n: 4, text: 'hello', trimmed: 'x' }, removed: [] })
  })
  test('a field that is undefined goes', () => {
    const p = play(fields)
    p.send(Set({ n: 4 }))
    p.send(C({}))
    expect(p.data).toEqual({ n: 4, trimmed: 'x' })
    expect(p.row).toMatchObject({ change: {}, removed: ['text'] })
  })
  test('`__proto__` is a field like any other', () => {
    const m = machine('m', {
      data: z.looseObject({}),
      receives: [C],
      initial: 'a',
      states: {
        a: { on: { c: { set: () => JSON.parse('{"__proto__":{"bad":1}}') as never } }, after: { '1 day': 'a' } },
      },
    })
    const p = play(m)
    p.send(C({}))
    expect((p.data as { bad?: number }).bad).toBeUndefined()
    expect(({} as { bad?: number }).bad).toBeUndefined()
  })
})
