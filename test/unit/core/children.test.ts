// Parents and children: who is started, what is followed, and what a parent sees of them.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { childKey } from '../../../src/core/family.ts'
import { contract } from '../../../src/machine/contract.ts'
import { machine } from '../../../src/machine/machine.ts'
import { event } from '../../../src/machine/message.ts'
import { play, type Play } from '../../support/play.ts'

const none = z.object({})
const Scale = event('scale', { data: z.object({ names: z.array(z.string()) }), key: () => 'i1' })
const Poke = event('poke', { data: none, key: () => 'i1' })
const Healthy = event('healthy', { data: z.object({ n: z.number() }), key: () => 'i1' })

const node = contract('node', {
  data: z.object({ size: z.number().max(9).default(1) }),
  states: ['booting', 'ready', 'upgrading', 'broken', 'gone'],
  finals: ['broken', 'gone'],
})
const data = z.object({
  names: z.array(z.string()).default([]),
  arrived: z.array(z.string()).default([]),
  size: z.number().default(1),
  sizeOk: z.number().default(0),
})

/** scaling ──all ready──▶ up; broken nodes are noted. */
const pool = machine('pool', {
  data,
  receives: [Scale, Poke],
  initial: 'scaling',
  children: {
    nodes: {
      of: node,
      each: ({ data }) => data.names.map((id) => ({ id, data: { size: data.size } })),
      onCancel: 'cancel',
    },
  },
  states: {
    scaling: {
      until: {
        nodes: {
          all: 'ready',
          any: {
            broken: { set: ({ data, child }) => ({ arrived: [...data.arrived, child.id] }) },
            gone: {},
          },
        },
      },
      done: 'up',
      on: {
        poke: { set: ({ data }) => ({ arrived: [...data.arrived, 'poke'] }) },
        scale: { to: 'scaling', set: ({ message }) => ({ names: message.names }) },
      },
    },
    up: {
      until: { nodes: { spawn: false, any: { broken: 'scaling', gone: {} } } },
      on: { scale: { to: 'scaling', set: ({ message }) => ({ names: message.names }) } },
    },
  },
})
const started = (names: string[], more: object = {}) => play(pool, { names, ...more })
const at = (p: Play, id: string) => p.children.get(childKey('node', id))

describe('entering a state with `until` starts those that are missing', () => {
  test('by the data, with their parsed input known as theirs', () => {
    const p = started(['a', 'b'])
    expect(p.row.spawned).toEqual([
      { kind: 'nodes', machine: 'node', id: 'a', data: { size: 1 }, restart: false },
      { kind: 'nodes', machine: 'node', id: 'b', data: { size: 1 }, restart: false },
    ])
    expect(at(p, 'a')).toEqual({
      machine: 'node',
      id: 'a',
      incarnation: '',
      seq: 0,
      state: 'booting',
      status: 'running',
      data: { size: 1 },
    })
  })
  test('only the missing ones, when it is entered again', () => {
    const p = started(['a'])
    p.send(Scale({ names: ['a', 'b', 'b'] }))
    expect(p.row.spawned.map(({ id }) => id)).toEqual(['b'])
  })
  test('none: `all` holds at once', () => {
    const p = started([])
    expect([p.state, p.journal.length, p.row.cause.kind]).toEqual(['up', 2, 'always'])
  })
  test('`spawn: false` starts none', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'ready')
    p.send(Scale({ names: ['a'] }))
    expect(p.path).toEqual(['scaling', 'up', 'scaling', 'up'])
    expect(p.journal.flatMap(({ spawned }) => spawned)).toHaveLength(1)
  })
  test('data that do not fit the child: the transition is undone', () => {
    const p = play(pool, {}, { start: false })
    expect(p.run({ names: ['a'], size: 10 })).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
    expect(p.last.message).toContain('children.nodes, "a"')
  })
  test.each([
    ['no list', () => 5],
    ['no id', () => [null]],
    ['an id that is none', () => [{ id: '', data: {} }]],
    ['too many', () => Array.from({ length: 10_001 }, (_, i) => ({ id: `n${i}`, data: {} }))],
  ])('`each` gives %s: the transition is undone', (_, each) => {
    const m = machine('m', {
      data: none,
      initial: 'a',
      children: { nodes: { of: node, each: each as never } },
      states: { a: { until: { nodes: { all: ['ready', 'broken', 'gone'] } }, done: 'b' }, b: { final: 'done' } },
    })
    const p = play(m, {}, { start: false })
    expect(p.run({})).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', instance: null })
    expect(p.last.message).toContain('child')
  })
  test('an id is known in one writing', () => {
    const p = started(['e\u0301'])
    p.tell('node', '\u00e9', 'ready')
    expect(p.state).toBe('up')
  })
})

describe('`all`: level, not edge', () => {
  test('all of them, now', () => {
    const p = started(['a', 'b'])
    expect(p.tell('node', 'a', 'ready')).toMatchObject({ fate: 'noted', journal: [] })
    p.tell('node', 'a', 'upgrading')
    p.tell('node', 'b', 'ready')
    expect(p.state).toBe('scaling')
    expect(p.tell('node', 'a', 'ready')).toMatchObject({ fate: 'applied' })
    expect([p.state, p.row.cause.kind, p.row.cause.name]).toEqual(['up', 'always', 'done'])
  })
  test('they need not arrive while we wait', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'ready')
    p.send(Scale({ names: ['a'] }))
    expect(p.state).toBe('up')
  })
  test('who counts is asked of the data', () => {
    const p = started(['a', 'b'])
    p.tell('node', 'a', 'ready')
    p.send(Scale({ names: ['a'] }))
    expect(p.state).toBe('up')
  })
  test('`if`: a child counts only where this holds too', () => {
    const m = machine('m', {
      data,
      initial: 'a',
      children: { nodes: { of: node, each: () => [{ id: 'n', data: {} }] } },
      states: {
        a: {
          until: {
            nodes: { all: ['ready', 'broken', 'gone'], if: ({ child, data }) => child.data.size > data.sizeOk },
          },
          done: 'b',
        },
        b: { final: 'done' },
      },
    })
    const p = play(m, { sizeOk: 4 })
    p.tell('node', 'n', 'ready', { data: { size: 4 } })
    expect(p.state).toBe('a')
    // The same state, other data: that is news as well.
    p.tell('node', 'n', 'ready', { data: { size: 5 } })
    expect(p.state).toBe('b')
  })
  const guarded = machine('guarded', {
    data,
    receives: [Poke],
    emits: [Healthy],
    initial: 'watch',
    children: { nodes: { of: node, each: ({ data }) => data.names.map((id) => ({ id, data: {} })) } },
    states: {
      watch: {
        until: { nodes: { all: ['ready', 'upgrading'], any: { broken: {}, gone: {} } } },
        done: { set: ({ data }) => ({ size: data.size + 1 }), emit: { healthy: ({ data }) => ({ n: data.size }) } },
        on: { poke: { set: { sizeOk: 7 } } },
        after: { '1 day': 'end' },
      },
      end: { final: 'done' },
    },
  })
  test('`done` that stays is taken when `all` comes to hold, not as long as it holds', () => {
    const p = play(guarded, { names: ['a', 'b'] })
    p.tell('node', 'a', 'ready')
    p.tell('node', 'b', 'ready')
    expect(p.emitted).toHaveLength(1)
    p.send(Poke({}))
    p.tell('node', 'b', 'upgrading')
    expect(p.emitted).toHaveLength(1)
    p.tell('node', 'b', 'booting')
    p.tell('node', 'b', 'ready')
    expect([p.emitted.length, p.data['size']]).toEqual([2, 3])
  })
  test('also where it holds from the start', () => {
    expect(play(guarded).emitted).toHaveLength(1)
  })
})

describe('`any`: once per arrival, and on entry for those already there', () => {
  test('once per arrival', () => {
    const p = started(['a', 'b'])
    expect(p.tell('node', 'a', 'broken', { status: 'failed' })).toMatchObject({ fate: 'applied', own: 1 })
    expect([p.data['arrived'], p.row.cause]).toMatchObject([['a'], { kind: 'child', name: 'nodes/broken' }])
    p.send(Poke({}))
    expect(p.data['arrived']).toEqual(['a', 'poke'])
    // The same state again is no arrival.
    p.tell('node', 'a', 'broken', { status: 'failed', data: { size: 2 } })
    p.tell('node', 'b', 'broken', { status: 'failed' })
    expect(p.data['arrived']).toEqual(['a', 'poke', 'b'])
  })
  test('on entry for those already there', () => {
    const p = started(['a', 'b'])
    p.tell('node', 'a', 'broken', { status: 'failed' })
    p.send(Scale({ names: ['a', 'b'] }))
    expect(p.data['arrived']).toEqual(['a', 'a'])
    p.tell('node', 'b', 'broken', { status: 'failed' })
    expect(p.data['arrived']).toEqual(['a', 'a', 'b'])
  })
  test('an edge that leaves', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'ready')
    p.tell('node', 'a', 'broken', { status: 'failed' })
    expect([p.state, p.data['arrived']]).toEqual(['scaling', ['a']])
  })
  test('`{}`: seen, nothing to do: no row', () => {
    const p = started(['a'])
    expect(p.tell('node', 'a', 'gone', { status: 'done' })).toMatchObject({ fate: 'noted', journal: [] })
  })
})

describe('notices', () => {
  test('with an older or the same seq are dropped', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'upgrading', { seq: 5 })
    for (const seq of [5, 4])
      expect(p.tell('node', 'a', 'ready', { seq })).toMatchObject({ fate: 'noted', journal: [] })
    expect([p.state, at(p, 'a')?.state]).toEqual(['scaling', 'upgrading'])
  })
  test('of a later life count again, though it was erased and counts from 1', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'gone', { seq: 50, status: 'done', incarnation: 'inc1' })
    p.tell('node', 'a', 'ready', { seq: 2, incarnation: 'inc2' })
    expect(p.state).toBe('up')
  })
  test('of a stranger change nothing', () => {
    const p = started(['a'])
    expect(p.tell('node', 'z', 'ready')).toMatchObject({ fate: 'noted', journal: [] })
    expect(p.children.size).toBe(1)
  })
  test('to a parent that has ended are late', () => {
    const p = started(['a'])
    p.cancel()
    expect(p.tell('node', 'a', 'gone', { status: 'cancelled' })).toMatchObject({ fate: 'late' })
  })
  test('bring their stamp with them', () => {
    const p = started(['a'])
    const child = { ...at(p, 'a')!, seq: 3, state: 'upgrading' }
    p.dispatch({ ...p.base(), kind: 'notice', child, parent: p.instance!.incarnation, stamp: 77 })
    expect(p.instance?.stamp).toBe(77)
  })
  test('that it could not be started stall the parent with the reason', () => {
    const p = started(['a'])
    const problem = { code: 'CHILD_TAKEN', message: 'the id belongs to somebody else' }
    const told = { kind: 'notice', child: at(p, 'a')!, problem } as const
    expect(p.give({ ...told, parent: 'another life' })).toMatchObject({ fate: 'late' })
    p.give({ ...told, parent: p.instance!.incarnation })
    expect(p.instance?.stalled).toEqual(problem)
    // The id is free again: a retry starts it.
    p.retry()
    expect([p.status, p.row.spawned.map(({ id }) => id)]).toEqual(['live', ['a']])
    p.tell('node', 'a', 'ready')
    expect(p.state).toBe('up')
  })
})

describe('a stalled child, and a child whose end is named nowhere', () => {
  test('a stalled child shows as stalled, where it is', () => {
    const seen = machine('seen', {
      data: z.object({ status: z.string().optional() }),
      initial: 'a',
      children: { nodes: { of: node, each: () => [{ id: 'n', data: {} }] } },
      states: {
        a: {
          until: { nodes: { all: ['ready', 'gone', 'broken'] } },
          done: { to: 'b', set: ({ children }) => ({ status: children.nodes[0]!.status }) },
        },
        b: { final: 'done' },
      },
    })
    const p = play(seen)
    p.tell('node', 'n', 'ready', { status: 'stalled' })
    expect(p.data['status']).toBe('stalled')
  })
  test('cancelled in a state that is named nowhere: CHILD_ENDED', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'booting', { status: 'cancelled' })
    expect(p.stalled).toBe('CHILD_ENDED')
    expect(p.instance?.stalled?.message).toContain('"a" (nodes) ended cancelled in "booting"')
    expect(at(p, 'a')?.status).toBe('cancelled')
    // A retry looks again; what is as it was stalls again.
    p.retry()
    expect(p.stalled).toBe('CHILD_ENDED')
    // The child is mended; the parent goes on.
    p.tell('node', 'a', 'ready', { status: 'waiting' })
    expect(p.status).toBe('stalled')
    p.retry()
    expect([p.state, p.status]).toEqual(['up', 'live'])
  })
  test('a child that is cancelled where `all` names its state counts there; a state that does not name it cannot be entered', () => {
    const p = started(['a', 'b'])
    p.tell('node', 'a', 'ready', { status: 'cancelled' })
    expect(p.status).toBe('live')
    p.tell('node', 'b', 'ready')
    expect([p.state, p.stalled, p.instance?.seq]).toEqual(['scaling', 'CHILD_ENDED', 1])
  })
  test('its condition is news, but no arrival', () => {
    const p = started(['a'])
    p.tell('node', 'a', 'ready')
    p.send(Scale({ names: ['b'] }))
    p.tell('node', 'b', 'broken', { status: 'waiting' })
    p.tell('node', 'b', 'broken', { status: 'stalled' })
    p.tell('node', 'b', 'broken', { status: 'failed' })
    expect([p.data['arrived'], at(p, 'b')?.status]).toEqual([['b'], 'failed'])
  })
})

describe('while the parent is stalled', () => {
  const careful = machine('careful', {
    data,
    receives: [Poke],
    initial: 'a',
    children: { nodes: { of: node, each: ({ data }) => data.names.map((id) => ({ id, data: {} })) } },
    states: {
      a: {
        until: {
          nodes: {
            all: 'ready',
            any: {
              broken: {
                set: ({ data, child }) => {
                  if (data.size === 1) throw new Error('not now')
                  return { arrived: [...data.arrived, child.id] }
                },
              },
              gone: {},
            },
          },
        },
        done: 'b',
        on: { poke: { to: 'b', set: ({ need }) => ({ arrived: need('missing' as never) }) } },
      },
      b: { final: 'done' },
    },
  })
  test('a handler that throws on a notice: what the child said is kept, its edge is taken by a retry', () => {
    const p = play(careful, { names: ['a', 'b'] })
    p.tell('node', 'a', 'broken', { status: 'failed' })
    expect([p.stalled, at(p, 'a')?.state]).toEqual(['HANDLER_FAILED', 'broken'])
    p.retry()
    expect(p.stalled).toBe('HANDLER_FAILED')
    p.instance = { ...p.instance!, data: { ...p.data, size: 2 }, dataText: JSON.stringify({ ...p.data, size: 2 }) }
    p.retry()
    expect([p.status, p.data['arrived']]).toEqual(['live', ['a']])
    p.tell('node', 'a', 'broken', { status: 'failed' })
    expect(p.data['arrived']).toEqual(['a'])
  })
  test('children that arrive meanwhile have their edges taken when it goes on, once each, by where they are then', () => {
    const p = play(careful, { names: ['a', 'b', 'c'], size: 2 })
    p.send(Poke({}))
    expect(p.stalled).toBe('FIELD_MISSING')
    p.tell('node', 'a', 'upgrading')
    p.tell('node', 'a', 'broken', { status: 'failed' })
    p.tell('node', 'b', 'broken', { status: 'failed' })
    p.tell('node', 'b', 'ready', { status: 'waiting' })
    expect(p.data['arrived']).toEqual([])
    p.retry()
    // The poke stalls it again, behind the children that came.
    expect([p.data['arrived'], p.stalled]).toEqual([['a'], 'FIELD_MISSING'])
  })
})

describe('those that have ended, and are asked for again', () => {
  const restarting = (restart: boolean) =>
    machine('restarting', {
      data,
      receives: [Scale],
      initial: 'a',
      children: { nodes: { of: node, each: ({ data }) => data.names.map((id) => ({ id, data: {} })), restart } },
      states: {
        a: {
          until: { nodes: { all: 'ready', any: { broken: {}, gone: {} } } },
          done: 'b',
          on: { scale: { to: 'a', set: ({ message }) => ({ names: message.names }) } },
        },
        b: { final: 'done' },
      },
    })
  test('`restart`: a new life', () => {
    const p = play(restarting(true), { names: ['a'] })
    p.tell('node', 'a', 'gone', { status: 'done', seq: 9 })
    p.send(Scale({ names: ['a', 'b'] }))
    expect(p.row.spawned.map(({ id, restart }) => [id, restart])).toEqual([
      ['a', true],
      ['b', true],
    ])
    expect(at(p, 'a')).toMatchObject({ state: 'booting', status: 'running', seq: 9 })
    p.tell('node', 'a', 'gone', { status: 'done', seq: 9 })
    expect(at(p, 'a')?.state).toBe('booting')
  })
  test('else it stays as it ended', () => {
    const p = play(restarting(false), { names: ['a'] })
    p.tell('node', 'a', 'gone', { status: 'done' })
    p.send(Scale({ names: ['a'] }))
    expect([p.row.spawned, at(p, 'a')?.state]).toEqual([[], 'gone'])
  })
})

describe('kinds are views over one table', () => {
  const kinds = machine('kinds', {
    data: z.object({ masters: z.array(z.string()), all: z.array(z.string()), log: z.array(z.string()).default([]) }),
    initial: 'first',
    children: {
      masters: { of: node, each: ({ data }) => data.masters.map((id) => ({ id, data: {} })) },
      everyone: { of: node, each: ({ data }) => data.all.map((id) => ({ id, data: {} })) },
    },
    states: {
      first: {
        until: { masters: { all: 'ready', any: { broken: {}, gone: {} } } },
        done: {
          to: 'rest',
          set: ({ data, children }) => ({ log: [...data.log, children.everyone.map(({ id }) => id).join()] }),
        },
      },
      rest: { until: { everyone: { all: 'ready', any: { broken: {}, gone: {} } } }, done: 'end' },
      end: { final: 'done' },
    },
  })
  test('a child that a kind before has started is not started again', () => {
    const p = play(kinds, { masters: ['m'], all: ['m', 'n'] })
    p.tell('node', 'm', 'ready')
    expect([p.state, p.row.spawned.map(({ id }) => id), p.data['log']]).toEqual(['rest', ['n'], ['m']])
    p.tell('node', 'n', 'ready')
    expect(p.status).toBe('done')
  })
  test('two kinds in one state: both must be there', () => {
    const both = machine('both', {
      data: none,
      initial: 'a',
      children: {
        x: { of: node, each: () => [{ id: 'x', data: {} }] },
        y: { of: node, each: () => [{ id: 'y', data: {} }] },
      },
      states: {
        a: { until: { x: { all: ['ready', 'broken', 'gone'] }, y: { all: ['ready', 'broken', 'gone'] } }, done: 'b' },
        b: { final: 'done' },
      },
    })
    const p = play(both)
    p.tell('node', 'x', 'ready')
    expect(p.state).toBe('a')
    p.tell('node', 'y', 'gone', { status: 'done' })
    expect(p.state).toBe('b')
  })
})

test('emit on entry sees the children that exist by now', () => {
  const m = machine('m', {
    data: none,
    emits: [Healthy],
    initial: 'a',
    children: { nodes: { of: node, each: () => [{ id: 'a', data: {} }] } },
    states: {
      a: {
        until: { nodes: { all: ['ready', 'broken', 'gone'] } },
        done: 'b',
        emit: { healthy: ({ children }) => ({ n: children.nodes.length }) },
      },
      b: { final: 'done' },
    },
  })
  expect(play(m).emitted).toMatchObject([{ data: { n: 1 } }])
})

describe('what an instance is as a child', () => {
  const child = machine('child', {
    data: z.object({ n: z.number() }),
    receives: [Poke],
    initial: 'a',
    states: { a: { on: { poke: 'b' } }, b: { final: 'done' } },
  })
  const parent = { machine: 'pool', id: 'p', incarnation: 'p1' }
  test('it knows its parent', () => {
    expect(play(child, { n: 1 }, { parent }).instance?.parent).toEqual(parent)
  })
  test('the same parent: adopted as it is, and it tells the parent of this life from now on', () => {
    const p = play(child, { n: 1 }, { parent })
    expect(p.run({ n: 2 }, { parent })).toMatchObject({ fate: 'exists', created: false, journal: [] })
    expect(p.run({ n: 2 }, { parent: { ...parent, incarnation: 'p2' } })).toMatchObject({ fate: 'exists', journal: [] })
    expect([p.instance?.parent?.incarnation, p.data, p.instance?.seq]).toEqual(['p2', { n: 1 }, 1])
  })
  test("another parent's, or nobody's: taken", () => {
    const p = play(child, { n: 1 }, { parent })
    expect(p.run({ n: 1 }, { parent: { ...parent, id: 'q' } })).toMatchObject({ fate: 'taken' })
    expect(play(child, { n: 1 }).run({ n: 1 }, { parent })).toMatchObject({ fate: 'taken' })
  })
  test('restart gives one that has ended a new life: its numbers go on', () => {
    const p = play(child, { n: 1 }, { parent })
    expect(p.run({ n: 2 }, { parent, restart: true })).toMatchObject({ fate: 'exists' })
    p.send(Poke({}))
    const before = p.instance!
    p.now += 5
    expect(p.run({ n: 2 }, { parent, restart: true })).toMatchObject({ fate: 'applied', created: true, own: 1 })
    expect(p.instance).toMatchObject({
      status: 'live',
      state: 'a',
      seq: 3,
      entry: 3,
      data: { n: 2 },
      k: before.k,
      startedAt: p.now,
      endedAt: null,
    })
    expect(p.instance?.incarnation).not.toBe(before.incarnation)
    expect(p.row).toMatchObject({ from: null, cause: { kind: 'start', name: 'restart' } })
    p.send(Poke({}))
    expect(p.status).toBe('done')
  })
  test('restart with data that do not fit: it stays as it ended', () => {
    const p = play(child, { n: 1 }, { parent })
    p.send(Poke({}))
    const { instance } = p
    expect(p.run({ n: 'x' }, { parent, restart: true })).toMatchObject({ fate: 'dead', code: 'BAD_DATA' })
    expect(p.instance).toEqual(instance)
  })
})
