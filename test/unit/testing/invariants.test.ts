import { expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import type { Instance, JournalEntry } from '../../../src/core/model.ts'
import type { MachineGraph, MessageDefinition } from '../../../src/machine/definition.ts'
import { Space } from '../../../src/store/memory/space.ts'
import { ModelStore } from '../../../src/store/memory/store.ts'
import { NO_CHANGE, type Change, type EventRow } from '../../../src/store/store.ts'
import { Invariants } from '../../../src/testing/simulation/invariants.ts'
import { Violations } from '../../../src/testing/simulation/violation.ts'

const graph: MachineGraph = {
  name: 'order',
  version: 1,
  initial: 'a',
  states: [
    { name: 'a', calls: [] },
    { name: 'b', calls: [] },
    { name: 'c', calls: [] },
  ],
  edges: [{ from: 'a', to: 'b', kind: 'message', name: 'go', emits: ['gone'] }],
  receives: ['go'],
  emits: ['gone'],
}

const instanceAt = (more: Partial<Instance> = {}): Instance => ({
  k: 1,
  machine: 'order',
  id: 'o-1',
  partition: 0,
  incarnation: 'i1',
  version: 1,
  status: 'live',
  state: 'a',
  seq: 1,
  entry: 1,
  enteredAt: 1,
  data: { x: 1 },
  dataText: JSON.stringify(more.data ?? { x: 1 }),
  calls: null,
  timers: null,
  dueAt: null,
  joined: null,
  stamp: 0,
  parent: null,
  startHash: 'h',
  stalled: null,
  correlation: 'c',
  priority: 0,
  fairKey: null,
  startedAt: 1,
  endedAt: null,
  ...more,
})

const row = (seq: number, more: Partial<JournalEntry> = {}): JournalEntry => ({
  seq,
  at: 1_000,
  cause: { kind: 'message', name: 'go', id: `m-${seq}`, at: 900, correlation: 'c' },
  from: 'a',
  to: 'b',
  outcome: 'applied',
  unit: true,
  change: null,
  removed: [],
  emitted: [],
  spawned: [],
  opened: [],
  dropped: [],
  cancelled: [],
  ...more,
})

const eventAt = (offset: number, stamp: number, id = `e-${offset}`): EventRow => ({
  partition: 0,
  offset,
  stamp,
  k: 1,
  seq: 2,
  id,
  type: 'gone',
  version: 1,
  key: 'o-1',
  data: {},
  at: 1_000,
  correlation: 'c',
})

const changeOf = (more: Partial<Change>): Change => ({ ...NO_CHANGE, ...more })

const gone = { kind: 'event', type: 'gone' } as MessageDefinition
/** Starts o-1 in `a`. */
const birth = changeOf({
  created: new Set([1]),
  instances: [instanceAt()],
  journal: [
    {
      k: 1,
      entry: row(1, {
        cause: { kind: 'start', name: '', id: 's', at: 900, correlation: 'c' },
        from: null,
        to: 'a',
        unit: false,
        change: { x: 1 },
      }),
      events: [],
    },
  ],
  counts: { 'i:started:order': 1, 'i:waiting:order': 1, 's:a:order': 1 },
})
const moved = { state: 'b', seq: 2, entry: 2, data: { x: 2 } }
const counted = { 's:a:order': -1, 's:b:order': 1, 'm:accepted': 1, 'm:applied': 1 }
/** Moves it from `a` to `b`, with one event. */
const step = (more: Partial<Change> = {}, entry: Partial<JournalEntry> = {}): Change =>
  changeOf({
    instances: [instanceAt(moved)],
    journal: [
      {
        k: 1,
        entry: row(2, { change: { x: 2 }, emitted: [{ message: gone, data: {}, key: 'o-1' }], ...entry }),
        events: [[0, 1]],
      },
    ],
    events: [eventAt(1, 5_000)],
    heads: [{ partition: 0, head: 1, stamp: 5_000 }],
    counts: counted,
    ...more,
  })

const found = async (...changes: readonly Change[]) => {
  const clock = { now: () => 1_000 }
  const space = new Space({ clock, random: seededRandom(1) })
  const violations = new Violations(() => 0)
  const invariants = new Invariants({ space, violations, graphs: [graph] })
  const now = async () => 'ok' as const
  const reach = {
    arrive: now,
    answer: now,
    seen: async () => {},
    locked: async () => {},
    isBad: () => false,
    written: invariants.written.bind(invariants),
  }
  const store = new ModelStore(space, { reach })
  await store.open({ partitions: 2 })
  const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
  await store.acquire(session, 1)
  for (const [n, change] of changes.entries())
    expect(await store.commit(session, n + 1, change)).toMatchObject({ kind: 'applied' })
  expect(invariants.commits).toBe(changes.length)
  return [...new Set(violations.all.map(({ invariant }) => invariant))]
}

test('a run without fault is not accused', async () => {
  expect(await found(birth, step())).toEqual([])
})

test.each<[string, string, Change]>([
  ['I1', 'a row without its instance', step({ instances: [], counts: { 'm:accepted': 1, 'm:applied': 1 } })],
  ['I1', 'an instance without its row', step({ journal: [], counts: { 's:a:order': -1, 's:b:order': 1 } })],
  ['I1', 'data that no row tells', step({ instances: [instanceAt({ ...moved, data: { x: 3 } })] })],
  ['I1', 'an event that is not in the log', step({ events: [] })],
  ['I2', 'a partition of nobody', step({ heads: [{ partition: 1, head: 1, stamp: 5_000 }] })],
  ['I3', 'a gap', step({ instances: [instanceAt({ ...moved, seq: 3 })] }, { seq: 3 })],
  ['I3', 'from where it was not', step({}, { from: 'c' })],
  [
    'I3',
    'where no edge leads',
    step(
      { instances: [instanceAt({ ...moved, state: 'c' })], counts: { ...counted, 's:b:order': 0, 's:c:order': 1 } },
      { to: 'c' },
    ),
  ],
  [
    'I3',
    'a change by what was ignored',
    step({ counts: { ...counted, 'm:applied': 0, 'm:ignored': 1 } }, { outcome: 'ignored' }),
  ],
  [
    'I6',
    'a timer before its time',
    step(
      { counts: { 's:a:order': -1, 's:b:order': 1 } },
      { unit: false, cause: { kind: 'timer', name: 't', id: 't', at: 1_001, correlation: 'c' } },
    ),
  ],
  [
    'I7',
    'a gap in the log',
    step({ events: [eventAt(2, 5_000)], journal: [{ k: 1, entry: row(2, { change: { x: 2 } }), events: [] }] }),
  ],
  ['I11', 'a figure that is wrong', step({ counts: { ...counted, 's:b:order': 0 } })],
  ['I11', 'a message that nobody accepted', step({ counts: { ...counted, 'm:accepted': 0 } })],
])('%s: %s', async (invariant, _, change) => {
  expect(await found(birth, change)).toContain(invariant)
})

test('I4: one message is decided about once', async () => {
  const again = changeOf({
    instances: [instanceAt({ ...moved, seq: 3 })],
    journal: [{ k: 1, entry: row(3, { from: 'b', to: 'b', outcome: 'ignored', cause: row(2).cause }), events: [] }],
    counts: { 'm:accepted': 1, 'm:ignored': 1 },
  })
  expect(await found(birth, step(), again)).toEqual(['I4'])
  const other = changeOf({
    ...again,
    journal: [{ k: 1, entry: row(3, { from: 'b', to: 'b', outcome: 'ignored' }), events: [] }],
  })
  expect(await found(birth, step(), other)).toEqual([])
})

test('I4: a receipt that says how it ended never says something else', async () => {
  const receipt = (outcome: 'applied' | 'deferred' | 'refused', seq: number) =>
    changeOf({ receipts: [{ target: 't', source: 's', id: 'i', hash: 'h', at: 1, outcome, seq }] })
  expect(await found(receipt('deferred', 1), receipt('applied', 2))).toEqual([])
  expect(await found(receipt('applied', 2), receipt('applied', 3))).toEqual(['I4'])
  expect(await found(receipt('applied', 2), receipt('refused', 2))).toEqual(['I4'])
})

test('I7: an effect is stamped above its cause', async () => {
  const effect = (stamp: number, cause: string) =>
    changeOf({
      instances: [instanceAt({ ...moved, seq: 3 })],
      journal: [
        {
          k: 1,
          entry: row(3, {
            from: 'b',
            to: 'b',
            emitted: [{ message: gone, data: {}, key: 'o-1' }],
            cause: { ...row(3).cause, id: cause },
          }),
          events: [[0, 2]],
        },
      ],
      events: [eventAt(2, stamp)],
      heads: [{ partition: 0, head: 2, stamp }],
      counts: { 'm:accepted': 1, 'm:applied': 1 },
    })
  expect(await found(birth, step(), effect(5_001, 'e-1'))).toEqual([])
  expect(await found(birth, step(), effect(5_000, 'e-1'))).toEqual(['I7'])
})
