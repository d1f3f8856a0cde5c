// Timers: when they are due, how long they live, and what happens when they ring.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity } from '../../../src/machine/activity.ts'
import { machine } from '../../../src/machine/machine.ts'
import { event } from '../../../src/machine/message.ts'
import { groupTimer } from '../../../src/core/draft.ts'
import { HOUR, MINUTE, play, SECOND, START_MS } from '../../support/play.ts'

const none = z.object({})
const Stay = event('stay', { data: none, key: () => 'i1' })
const Again = event('again', { data: none, key: () => 'i1' })
const Next = event('next', { data: none, key: () => 'i1' })

describe('when a timer is due is asked once, on entry', () => {
  const soon = machine('soon', {
    data: z.object({ at: z.string().nullable().default('2026-01-01T10:00:00Z'), wait: z.number().default(3) }),
    receives: [Stay],
    initial: 'a',
    states: {
      a: {
        on: { stay: { set: { wait: 50, at: null } } },
        after: [
          { name: 'fixed', in: () => '2 minutes', to: 'b' },
          { name: 'computed', in: ({ data }) => `${data.wait} hours`, to: 'c' },
          { name: 'absolute', at: ({ data }) => data.at, to: 'd' },
          { name: 'date', at: ({ now }) => new Date(now.getTime() + 5 * HOUR), to: 'd' },
          { name: 'never', at: () => null, to: 'd' },
        ],
      },
      b: { final: 'done' },
      c: { final: 'done' },
      d: { final: 'done' },
    },
  })
  test('fixed, computed, absolute, a Date, null for never', () => {
    const p = play(soon)
    expect(p.instance?.timers).toEqual({
      fixed: { due: START_MS + 2 * MINUTE, entry: 1 },
      computed: { due: START_MS + 3 * HOUR, entry: 1 },
      absolute: { due: START_MS + 10 * HOUR, entry: 1 },
      date: { due: START_MS + 5 * HOUR, entry: 1 },
    })
    expect(p.instance?.dueAt).toBe(START_MS + 2 * MINUTE)
  })
  test('staying keeps it, though what it was computed from has changed', () => {
    const p = play(soon)
    const { timers } = p.instance!
    p.now += MINUTE
    p.send(Stay({}))
    expect([p.instance?.timers, p.instance?.dueAt]).toEqual([timers, START_MS + 2 * MINUTE])
  })
  test('never before it is due, then once', () => {
    const p = play(soon)
    p.now += 2 * MINUTE - 1
    expect(p.ring()).toMatchObject({ fate: 'noted', journal: [] })
    p.now += 1
    p.ring()
    expect([p.state, p.instance?.timers, p.instance?.dueAt]).toEqual(['b', null, null])
    expect(p.row.cause).toEqual({
      kind: 'timer',
      name: 'fixed',
      at: START_MS + 2 * MINUTE,
      correlation: 'c',
      id: `${p.instance!.incarnation}-1-fixed`,
    })
    expect(p.ring()).toMatchObject({ fate: 'noted', journal: [] })
  })
  test('a past time is due at once', () => {
    const p = play(soon, { at: '2025-12-31' })
    expect([p.state, p.journal.length]).toEqual(['d', 2])
  })
  test('several that are overdue: the earliest decides', () => {
    const p = play(soon)
    p.now += 24 * HOUR
    p.ring()
    expect(p.path).toEqual(['a', 'b'])
    const q = play(soon, { wait: 0.01 })
    q.now += 24 * HOUR
    q.ring()
    expect(q.path).toEqual(['a', 'c'])
  })
})

const enters = machine('enters', {
  data: z.object({ ok: z.boolean().default(false), n: z.number().default(0) }),
  receives: [Stay, Again, Next],
  initial: 'a',
  groups: {
    g: { states: ['a', 'b'], after: { '1 hour': 'end', '10 minutes': { set: ({ data }) => ({ n: data.n + 1 }) } } },
    g2: { states: ['b', 'c'], after: { '1 hour': 'end' } },
  },
  states: {
    a: {
      on: { stay: { set: { ok: true } }, again: 'a', next: 'b' },
      after: { '30 minutes': { if: ({ data }) => data.ok, to: 'c' } },
    },
    b: { on: { next: 'c', again: 'a' } },
    c: { on: { next: 'a' } },
    end: { final: 'done' },
  },
})

test('re-entering restarts the timers of the state, not those of its groups', () => {
  const p = play(enters)
  p.now += MINUTE
  p.send(Again({}))
  expect(p.instance?.timers).toEqual({
    '30 minutes': { due: START_MS + 31 * MINUTE, entry: 2 },
    [groupTimer('g', '1 hour')]: { due: START_MS + HOUR, entry: 1 },
    [groupTimer('g', '10 minutes')]: { due: START_MS + 10 * MINUTE, entry: 1 },
  })
})

describe('timers of a group run from entering the group to leaving it', () => {
  test('over states of the group; another group has its own', () => {
    const p = play(enters)
    p.now += MINUTE
    p.send(Next({}))
    p.now += MINUTE
    expect(p.instance?.timers?.[groupTimer('g', '1 hour')]).toEqual({ due: START_MS + HOUR, entry: 1 })
    expect(p.instance?.timers?.[groupTimer('g2', '1 hour')]).toEqual({ due: START_MS + HOUR + MINUTE, entry: 2 })
    p.send(Next({}))
    expect(p.instance?.timers).toEqual({ [groupTimer('g2', '1 hour')]: { due: START_MS + HOUR + MINUTE, entry: 2 } })
    p.send(Next({}))
    expect(p.instance?.timers?.[groupTimer('g', '1 hour')]).toEqual({ due: START_MS + HOUR + 2 * MINUTE, entry: 4 })
    p.after(2 * HOUR)
    expect(p.row.cause).toMatchObject({ name: '1 hour', id: `${p.instance!.incarnation}-4-1 hour` })
  })
  test('one that has fired does not fire again while the group lasts', () => {
    const p = play(enters)
    p.after(20 * MINUTE)
    p.send(Next({}))
    p.after(30 * MINUTE)
    expect(p.data['n']).toBe(1)
  })
})

describe('a timer whose `if` does not hold', () => {
  test('is journalled as refused, and does not ring again', () => {
    const p = play(enters)
    p.after(30 * MINUTE)
    expect(p.row).toMatchObject({ outcome: 'refused', unit: false, from: 'a', to: 'a', cause: { name: '30 minutes' } })
    expect(p.instance?.timers).not.toHaveProperty('30 minutes')
    p.send(Stay({}))
    expect(p.state).toBe('a')
  })
  test('is taken where it holds', () => {
    const p = play(enters)
    p.send(Stay({}))
    p.after(30 * MINUTE)
    expect(p.state).toBe('c')
  })
})

test('a name that the code no longer has is journalled late, and dropped', () => {
  const p = play(enters)
  p.deploy(
    machine('enters', {
      data: z.object({ ok: z.boolean().default(false), n: z.number().default(0) }),
      receives: [Next],
      initial: 'a',
      groups: { g: { states: ['a', 'b'], after: { '1 hour': 'end' } } },
      states: { a: { on: { next: 'b' } }, b: { on: { next: 'a' } }, end: { final: 'done' } },
    }),
  )
  p.send(Next({}))
  p.after(40 * MINUTE)
  expect(p.journal.slice(2).map(({ outcome, cause }) => [outcome, cause.name])).toEqual([['late', '10 minutes']])
  p.after(20 * MINUTE)
  expect(p.status).toBe('done')
})

test('a timer that keeps entering a state in which it is overdue stalls, and does not hang', () => {
  const p = play(
    machine('spins', {
      data: none,
      receives: [Next],
      initial: 'a',
      states: { a: { on: { next: 'b' } }, b: { after: [{ name: 'past', at: () => '2020-01-01', to: 'b' }] } },
    }),
  )
  p.send(Next({}))
  expect([p.stalled, p.state]).toEqual(['TOO_MANY_STEPS', 'b'])
})

test('a timer with a time that is none: the transition is undone', () => {
  const odd = machine('odd', {
    data: none,
    receives: [Next],
    initial: 'a',
    states: { a: { on: { next: 'b' } }, b: { after: [{ name: 't', in: () => 'soon' as never, to: 'a' }] } },
  })
  const p = play(odd)
  expect(p.send(Next({}))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
  expect(p.last.message).toContain('15 minutes')
})

describe('held back by an open call', () => {
  const work = activity('work', { input: none, output: none, retry: { attempts: 2 } })
  const held = machine('held', {
    data: z.object({ n: z.number().default(0) }),
    receives: [Stay],
    initial: 'a',
    groups: {
      g: {
        states: ['a', 'b'],
        after: { '10 minutes': 'late', '5 minutes': { set: ({ data }) => ({ n: data.n + 1 }) } },
      },
    },
    states: { a: { call: work, done: 'b', fail: 'b' }, b: { on: { stay: {} } }, late: { final: 'failed' } },
  })
  test('the alarm rings once; what stays is taken, what leaves is held and forgotten by the alarm', () => {
    const p = play(held)
    p.after(HOUR)
    expect([p.state, p.data['n'], p.instance?.dueAt]).toEqual(['a', 1, null])
  })
  test('fired when the call has settled, in the state that follows', () => {
    const p = play(held)
    p.after(11 * MINUTE)
    const outcome = p.done({})
    expect(outcome.own).toBe(1)
    expect(p.path).toEqual(['a', 'b', 'late'])
  })
  test('a call that nobody has started yet holds nothing back', () => {
    const p = play(held, {}, { start: false })
    p.commits = false
    p.run({})
    p.now += 11 * MINUTE
    p.ring()
    expect([p.state, p.row.dropped]).toEqual(['late', ['work']])
  })
})

test('timers come before messages that wait, and a message that a timer lets in is not too old by that alarm', () => {
  const m = machine('m', {
    data: none,
    receives: [Next, Stay],
    initial: 'a',
    states: { a: { after: { '1 hour': 'b' }, on: { stay: {} } }, b: { on: { next: 'end' } }, end: { final: 'done' } },
  })
  const p = play(m)
  p.send(Next({}))
  // The worker was away: the timer and the message's time are both over.
  p.now += 3 * HOUR
  expect(p.ring().decided).toMatchObject([{ fate: 'applied' }])
  expect(p.status).toBe('done')
})

test('no alarm of a second ago is kept: `dueAt` is past only while something can still be done about it', () => {
  const p = play(enters)
  for (let i = 0; i < 100; i++) {
    p.now += 61 * SECOND
    p.ring()
    if (p.instance?.dueAt !== null) expect(p.instance!.dueAt).toBeGreaterThan(p.now)
  }
})
