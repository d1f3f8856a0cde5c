// A change of code under a running instance.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { groupTimer } from '../../../src/core/draft.ts'
import { activity } from '../../../src/machine/activity.ts'
import { contract } from '../../../src/machine/contract.ts'
import { machine } from '../../../src/machine/machine.ts'
import { event } from '../../../src/machine/message.ts'
import { HOUR, MINUTE, play, START_MS } from '../../support/play.ts'

const none = z.object({})
const Go = event('go', { data: none, key: () => 'i1' })
const Late = event('late', { data: none, key: () => 'i1' })
const Note = event('note', { data: z.object({ n: z.number() }), key: () => 'i1' })
const work = activity('work', {
  input: none,
  output: z.object({ id: z.string() }),
  failures: ['No'],
  retry: { attempts: 1 },
})
const oldData = z.object({ cents: z.number() })
const newData = z.object({ euros: z.number().max(100), log: z.array(z.string()).default([]) })

const v1 = machine('order', {
  data: oldData,
  receives: [Go, Late],
  initial: 'idle',
  groups: { g: { states: ['idle', 'working'], after: { '1 hour': 'end' } } },
  states: {
    idle: { on: { go: 'working' }, after: { '10 minutes': 'end' } },
    working: { call: work, done: 'ready', fail: { No: 'end' } },
    ready: { on: { late: 'end' } },
    end: { final: 'done' },
  },
})
const was = contract('order', { data: oldData, states: ['idle', 'working', 'ready', 'end'], finals: ['end'] })
type Old = { state: string; data: { cents: number }; calls: readonly string[] }
type New = {
  state: 'idle' | 'working' | 'other' | 'ready' | 'end'
  data: { euros: number; log: string[] }
  calls?: 'keep' | 'drop'
}

const v2 = (to: (old: Old) => New) =>
  machine('order', {
    version: 2,
    data: newData,
    receives: [Go, Late, Note],
    initial: 'idle',
    groups: { g: { states: ['idle', 'other'], after: { '1 hour': 'end' } } },
    migrate: { 1: { from: was, to: to as never } },
    states: {
      idle: {
        on: { go: 'working', note: { set: ({ data, message }) => ({ log: [...data.log, `n${message.n}`] }) } },
        after: { '10 minutes': 'end', '20 minutes': 'end' },
      },
      working: {
        call: work,
        done: { to: 'ready', set: ({ data, result }) => ({ log: [...data.log, result.id] }) },
        fail: { No: 'end' },
      },
      other: {
        call: work,
        done: { to: 'ready', set: ({ result }) => ({ log: [`other ${result.id}`] }) },
        fail: 'end',
        on: { note: {} },
      },
      ready: { on: { late: 'end', go: 'other' } },
      end: { final: 'done' },
    },
  })
const euros = (old: Old) => ({ euros: old.data.cents / 100, log: [] as string[] })
const same = (old: Old) => ({ state: old.state as New['state'], data: euros(old) })
const begun = (cents = 500) => play(v1, { cents })
const working = (cents = 500) => {
  const p = begun(cents)
  p.send(Go({}))
  return p
}

describe('before the message that touched it, as a row of its own', () => {
  test('then the message', () => {
    const p = begun().deploy(v2(same))
    expect(p.send(Note({ n: 3 }))).toMatchObject({ fate: 'applied', own: 2 })
    expect(p.journal.slice(1)).toMatchObject([
      {
        seq: 2,
        from: 'idle',
        to: 'idle',
        cause: { kind: 'migrate', name: '1 to 2' },
        change: { euros: 5, log: [] },
        removed: ['cents'],
      },
      { seq: 3, cause: { kind: 'message', name: 'note' } },
    ])
    expect([p.instance?.version, p.data]).toEqual([2, { euros: 5, log: ['n3'] }])
  })
  test('once', () => {
    const p = begun().deploy(v2(same))
    p.send(Note({ n: 3 }))
    p.send(Note({ n: 4 }))
    expect(p.journal.filter(({ cause }) => cause.kind === 'migrate')).toHaveLength(1)
  })
  test('whatever touches it: an alarm, a cancel, an operator', () => {
    for (const touch of ['ring', 'cancel', 'retry'] as const) {
      const p = begun().deploy(v2(same))
      p[touch]()
      expect(p.journal[1]?.cause.kind).toBe('migrate')
    }
  })
  test('without a `migrate` the same state goes on, where the data fit', () => {
    const v3 = machine('order', {
      version: 3,
      data: oldData,
      receives: [Go],
      initial: 'idle',
      states: { idle: { on: { go: 'end' } }, end: { final: 'done' } },
    })
    const p = begun().deploy(v3)
    p.send(Go({}))
    expect([p.path, p.journal[1]?.cause.name]).toEqual([['idle', 'end'], '1 to 3'])
  })
  test('what has ended stays as it ended', () => {
    const p = begun()
    p.after(HOUR)
    const { instance } = p
    p.deploy(v2(same))
    p.ring()
    expect(p.instance).toEqual(instance)
  })
})

test('a timer that was due leads to where the message is taken: it does not wait there until somebody else comes', () => {
  const aside = (version: number) =>
    machine('order', {
      version,
      data: oldData,
      receives: [Go],
      initial: 'aside',
      states: { aside: { after: { '1 minute': 'open' } }, open: { on: { go: 'end' } }, end: { final: 'done' } },
    })
  const p = play(aside(1), { cents: 5 })
  p.now += HOUR
  p.deploy(aside(2))
  expect(p.send(Go({}))).toMatchObject({ fate: 'applied' })
  expect(p.journal.map(({ cause, to }) => `${cause.kind} ${to}`)).toEqual([
    'start aside',
    'migrate aside',
    'timer open',
    'message end',
  ])
  expect(p.waiting).toEqual([])
})

describe('the same state name: open call, timers and waiting messages are kept', () => {
  test('timers, though new ones were written', () => {
    const p = begun()
    const { timers } = p.instance!
    p.now += MINUTE
    p.deploy(v2(same)).ring()
    expect(p.instance).toMatchObject({ timers, entry: 1, version: 2 })
  })
  test('the open call, with its key and attempts', () => {
    const p = working()
    const { calls } = p.instance!
    p.deploy(v2(same)).ring()
    expect(p.instance?.calls).toEqual(calls)
    p.done({ id: 'x' })
    expect([p.state, p.data]).toEqual(['ready', { euros: 5, log: ['x'] }])
  })
  test('a result is what touches it', () => {
    const p = working().deploy(v2(same))
    expect(p.done({ id: 'x' })).toMatchObject({ fate: 'applied', own: 2 })
    expect(p.state).toBe('ready')
  })
  test('waiting messages', () => {
    const p = begun()
    p.send(Late({}))
    p.deploy(v2(same)).ring()
    expect(p.waiting).toHaveLength(1)
    p.send(Go({}))
    p.done({ id: 'x' })
    expect(p.status).toBe('done')
  })
  test('`always` is tried with the new data', () => {
    const p = begun().deploy(
      machine('order', {
        version: 2,
        data: oldData,
        receives: [Go],
        initial: 'idle',
        states: {
          idle: { on: { go: 'end' }, always: [{ if: ({ data }) => data.cents > 400, to: 'end' }] },
          end: { final: 'done' },
        },
      }),
    )
    p.ring()
    expect(p.status).toBe('done')
  })
  test('`drop`: the call is opened anew', () => {
    const p = working()
    p.deploy(v2((old) => ({ ...same(old), calls: 'drop' }))).ring()
    expect(p.row).toMatchObject({
      from: 'working',
      to: 'working',
      dropped: ['work'],
      opened: ['work'],
      cause: { kind: 'migrate' },
    })
    expect(p.instance).toMatchObject({ entry: 3, calls: { work: { attempts: 0 } } })
  })
})

describe('another state: entered as by an edge', () => {
  const toOther = (calls?: 'keep' | 'drop') =>
    v2((old) => ({
      state: old.calls.length > 0 || old.state === 'idle' ? 'other' : 'idle',
      data: euros(old),
      ...(calls && { calls }),
    }))
  test('its call, timers and groups', () => {
    const p = begun()
    p.now += MINUTE
    p.deploy(toOther()).ring()
    expect(p.row).toMatchObject({
      from: 'idle',
      to: 'other',
      opened: ['work'],
      dropped: [],
      cause: { kind: 'migrate' },
    })
    expect(p.instance).toMatchObject({ state: 'other', entry: 2, calls: { work: { attempts: 0 } } })
    // The group goes on, since both states are in it.
    expect(p.instance?.timers).toEqual({ [groupTimer('g', '1 hour')]: { due: START_MS + HOUR, entry: 1 } })
  })
  test('an open call undecided: it stalls, until the call has settled', () => {
    const p = working().deploy(toOther())
    expect(p.send(Note({ n: 1 }))).toMatchObject({ fate: 'deferred', waitsFor: 'stalled', journal: [] })
    expect([p.stalled, p.instance?.version, p.state, p.data]).toEqual([
      'MIGRATION_WITH_OPEN_CALL',
      1,
      'working',
      { cents: 500 },
    ])
    expect(p.retry()).toMatchObject({ fate: 'bad', code: 'MIGRATION_WITH_OPEN_CALL' })
    // Its result is booked by the old names, and decided about once the migration has come about.
    expect(p.done({ id: 'x' })).toMatchObject({ fate: 'noted', journal: [] })
    expect(p.instance?.calls?.['work']?.settled).toMatchObject({ done: true })
    p.ring()
    expect([p.status, p.instance?.version, p.state, p.journal.length]).toEqual(['live', 2, 'idle', 3 + 1])
    expect(p.waiting).toEqual([])
  })
  test('`keep`: the call stays, and its answer counts in the new state', () => {
    const p = working()
    const { key } = p.instance!.calls!['work']!
    p.deploy(toOther('keep')).ring()
    expect(p.row).toMatchObject({ from: 'working', to: 'other', opened: [], dropped: [] })
    expect([p.last.fresh.length, p.instance?.calls?.['work']?.key]).toEqual([0, key])
    p.done({ id: 'x' })
    expect(p.data['log']).toEqual(['other x'])
  })
  test('`drop`: the call is given up, and its answer is late', () => {
    const p = working()
    const { key } = p.instance!.calls!['work']!
    p.deploy(toOther('drop')).ring()
    expect(p.row).toMatchObject({ dropped: ['work'], opened: ['work'] })
    expect(p.done({ id: 'x' }, 'work', { key })).toMatchObject({ fate: 'late' })
  })
  test('of an instance that stalled: what it stalled on is gone with the old state', () => {
    const p = working()
    p.unknown()
    expect(p.stalled).toBe('RETRIES_EXHAUSTED')
    p.deploy(v2((old) => ({ state: 'idle', data: euros(old) })))
    p.send(Note({ n: 1 }))
    expect([p.status, p.state, p.data['log']]).toEqual(['live', 'idle', ['n1']])
  })
  test('the same state: it stays stalled', () => {
    const p = working()
    p.unknown()
    p.deploy(v2(same))
    expect(p.send(Note({ n: 1 }))).toMatchObject({ fate: 'deferred', own: 1 })
    expect([p.stalled, p.instance?.version]).toEqual(['RETRIES_EXHAUSTED', 2])
    p.retry()
    p.done({ id: 'x' })
    expect(p.state).toBe('ready')
  })
})

describe('it cannot be migrated: it stalls, and nothing is lost', () => {
  const gone = machine('order', {
    version: 2,
    data: oldData,
    receives: [Go, Late],
    initial: 'begin',
    states: { begin: { on: { go: 'end', late: 'end' } }, end: { final: 'done' } },
  })
  test('a state that is gone: STATE_GONE', () => {
    const p = begun().deploy(gone)
    p.send(Go({}))
    expect([p.stalled, p.instance?.version, p.instance?.stalled?.message.includes('"idle"')]).toEqual([
      'STATE_GONE',
      1,
      true,
    ])
    // Fixed by the next deploy: it goes on by what touches it next.
    p.deploy(v2(same))
    p.ring()
    expect([p.status, p.state, p.waiting]).toEqual(['live', 'working', []])
  })
  test('also where an edge of the migration goes nowhere', () => {
    const p = begun().deploy(v2((old) => ({ state: 'nowhere' as never, data: euros(old) })))
    p.ring()
    expect(p.stalled).toBe('STATE_GONE')
  })
  test.each([
    ['data that do not fit', (old: Old) => ({ state: 'idle', data: { euros: old.data.cents, log: [] } }) as New],
    ['it throws', () => { throw new Error('no way') }], // prettier-ignore
  ])('%s: MIGRATION_FAILED', (_, to) => {
    const p = begun().deploy(v2(to))
    p.ring()
    expect([p.stalled, p.instance?.version, p.data]).toEqual(['MIGRATION_FAILED', 1, { cents: 500 }])
    p.deploy(v2(same)).ring()
    expect([p.status, p.data]).toEqual(['live', { euros: 5, log: [] }])
  })
  test('what stalled it before is kept, and tried again after the migration', () => {
    const strict = v2((old) => ({ ...same(old), data: { euros: 100, log: [] } }))
    const p = working()
    // A result that the code of v1 cannot take: the call is named, but no edge is.
    p.attempt({ kind: 'failure', code: 'Other', message: 'm' })
    expect(p.stalled).toBe('NO_EDGE_FOR_FAILURE')
    p.deploy(gone).ring()
    expect(p.stalled).toBe('STATE_GONE')
    p.deploy(strict).ring()
    expect([p.status, p.state, p.stalled]).toEqual(['stalled', 'working', 'NO_EDGE_FOR_FAILURE'])
    p.operate({ do: 'resolve', result: { id: 'x' } })
    expect(p.state).toBe('ready')
  })
  test('a retry of the operator migrates, and is told what it came to', () => {
    const p = begun().deploy(gone)
    p.ring()
    expect(p.retry()).toMatchObject({ fate: 'bad', code: 'STATE_GONE' })
    p.deploy(v2(same))
    expect(p.retry()).toMatchObject({ fate: 'applied' })
    expect([p.status, p.instance?.version]).toEqual(['live', 2])
  })
})
