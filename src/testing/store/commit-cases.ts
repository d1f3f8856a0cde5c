// Commits: whole or not at all, once, and back as they were written.
import { equal, notEqual, ok } from 'node:assert/strict'
import type { Instance } from '../../core/model.ts'
import type { Loaded } from '../../store/store.ts'
import {
  callOf,
  changeOf,
  childOf,
  deadOf,
  entryOf,
  eventOf,
  hostileData,
  hostileIds,
  incarnationOf,
  instanceOf,
  letterOf,
  messageOf,
  receiptOf,
  rowOf,
  same,
  waitingOf,
  type StoreCase,
  type StoreTest,
} from './fixture.ts'

async function load({ store }: StoreCase, id: string, machine = 'order'): Promise<Loaded | null> {
  const [found] = await store.load([{ machine, id }])
  return found!.loaded
}

async function create(given: StoreCase, ...instances: readonly Instance[]): Promise<void> {
  await given.write({
    created: new Set(instances.map(({ k }) => k)),
    instances,
    journal: instances.map(({ k }) => rowOf(k, 1)),
  })
}

/** Everything that a change can write, told apart from nothing by `isEmpty`. */
const everything = changeOf({
  created: new Set([2]),
  instances: [instanceOf(2)],
  journal: [{ k: 2, entry: entryOf(1), events: [] }],
  events: [eventOf(1, 1)],
  children: [{ k: 2, child: childOf('n-1') }],
  waiting: [waitingOf(7, 2), waitingOf(8, 'o-9')],
  inbox: [letterOf('o-2')],
  receipts: [receiptOf('r-1')],
  deadLetters: [deadOf('d-1')],
  counts: { 'm:accepted': 1 },
  heads: [{ partition: 1, head: 1, stamp: 5 }],
})

async function isEmpty(given: StoreCase): Promise<void> {
  const { store, session } = given
  equal(await load(given, 'o-2'), null)
  same(await store.journal(2, 0, 9), [])
  same(await store.events(1, 0, 9), [])
  same((await store.load([{ machine: 'order', id: 'o-9' }]))[0]!.orphans, [])
  same(await store.inbox([0, 1, 2, 3], 9), [])
  same(await store.receipts([receiptOf('r-1')]), [])
  equal(await store.deadLetter('d-1'), null)
  equal((await store.counts())['m:accepted'] ?? 0, 0)
  same(
    (await store.acquire(session, 4)).find(({ partition }) => partition === 1),
    { partition: 1, head: 0, stamp: 0 },
  )
}

const FULL: Partial<Instance> = {
  version: 3,
  status: 'stalled',
  state: 'reserving',
  seq: 7,
  entry: 5,
  calls: {
    reserve: callOf({
      attempts: 2,
      unknown: true,
      nextAt: 3_000,
      deadlineAt: 9_000,
      recoveries: 1,
      runner: 's',
      progress: { done: 0.5 },
    }),
    'charge/0': callOf({
      settled: { done: false, error: { code: 'other', message: 'no', outcome: 'unknown', details: [1] } },
    }),
  },
  timers: { '1 hour': { due: 4_000, entry: 5 }, __proto: { due: 5_000, entry: 1 } },
  dueAt: 4_000,
  joined: ['payment.captured'],
  parent: { machine: 'cluster', id: 'c-1', incarnation: incarnationOf(4) },
  stalled: {
    code: 'WORKER_DIED',
    message: 'five times',
    cause: messageOf('m-1', { by: 'ann', source: 'http', ifSeq: 3 }),
  },
  priority: 5,
  fairKey: 'customer-1',
}

/** The cases. */
export const commitCases: readonly StoreTest[] = [
  {
    title: 'an instance comes back as it was written, every column of it',
    async run(given) {
      const plain = instanceOf(1)
      const full = instanceOf(2, FULL)
      const ended = instanceOf(3, { status: 'cancelled', endedAt: 9_000, correlation: incarnationOf(3) })
      await create(given, plain, full, ended)
      for (const instance of [plain, full, ended]) {
        const loaded = await load(given, instance.id)
        same(loaded!.instance, instance)
        ok(Object.isFrozen(loaded!.instance) && Object.isFrozen(loaded!.instance.data), 'what is read is deep-frozen')
      }
      equal(await load(given, 'o-1', 'invoice'), null, 'an id belongs to its machine')
    },
  },
  {
    title: 'hostile ids, names and payloads come back as they were written',
    async run(given) {
      const instances = hostileIds.map((id, i) =>
        instanceOf(i + 1, { id, data: hostileData, fairKey: id, correlation: id, state: `state ${id}` }),
      )
      await create(given, ...instances)
      for (const instance of instances) same((await load(given, instance.id))!.instance, instance)
      const targets = instances.map(({ machine, id }) => ({ machine, id }))
      same(
        (await given.store.load(targets)).map((found) => found.loaded?.instance.k),
        instances.map(({ k }) => k),
      )
      for (const id of ['o', "o'", '_', '%', 'X'.repeat(255), 'constructor ', 'CONSTRUCTOR'])
        equal(await load(given, id), null, `${id} is not there`)
    },
  },
  {
    title: 'an update changes what it says: on its way, stalled, due, ended, alive again',
    async run(given) {
      const first = instanceOf(1)
      await create(given, first, instanceOf(2))
      const steps: readonly Partial<Instance>[] = [
        {
          seq: 2,
          entry: 2,
          state: 'reserving',
          data: { a: 1 },
          calls: { reserve: callOf() },
          enteredAt: 7,
          stamp: 9_000_000,
        },
        { seq: 3, entry: 3, state: 'waiting', dueAt: 5_000, timers: { t: { due: 5_000, entry: 3 } } },
        { seq: 4, entry: 3, state: 'waiting', dueAt: null, joined: ['x'], fairKey: 'f', priority: 2, version: 2 },
        { ...FULL, seq: 5, entry: 4 },
        { seq: 6, entry: 6, state: 'shipping', parent: { machine: 'p', id: 'p', incarnation: incarnationOf(8) } },
        { seq: 7, entry: 7, state: 'done', status: 'done', endedAt: 9_000 },
        {
          seq: 8,
          entry: 8,
          state: 'placed',
          incarnation: incarnationOf(77),
          correlation: 'again',
          startHash: 'other',
          startedAt: 9_500,
        },
      ]
      for (const step of steps) {
        const next = instanceOf(1, step)
        await given.write({ instances: [next], journal: [rowOf(1, next.seq)] })
        same((await load(given, 'o-1'))!.instance, next)
      }
      same((await load(given, 'o-2'))!.instance, instanceOf(2), 'others are left alone')
      equal((await given.store.journal(1, 0, 99)).length, 8)
    },
  },
  {
    title: 'several transitions of one instance in one commit: all rows of the journal, the last condition',
    async run(given) {
      const last = instanceOf(1, { seq: 3, state: 'done', status: 'done', endedAt: 5_000 })
      await given.write({ created: new Set([1]), instances: [last], journal: [rowOf(1, 1), rowOf(1, 2), rowOf(1, 3)] })
      same((await load(given, 'o-1'))!.instance, last)
      same(
        (await given.store.journal(1, 0, 9)).map(({ seq }) => seq),
        [1, 2, 3],
      )
    },
  },
  {
    title: 'the same number again is applied once, and answers the same places',
    async run(given) {
      const { store, session } = given
      const change = changeOf({ inbox: [letterOf('a'), letterOf('b')], counts: { 'm:accepted': 2 } })
      const first = await store.commit(session, 1, change)
      equal(first.kind, 'applied')
      same(await store.commit(session, 1, change), first)
      equal((await store.inbox([0], 9)).length, 2)
      equal((await store.counts())['m:accepted'], 2)
    },
  },
  {
    title: 'a number of long ago is not applied again either',
    async run({ store, session }) {
      const change = changeOf({ counts: { x: 1 } })
      for (let n = 1; n <= 100; n++) equal((await store.commit(session, n, change)).kind, 'applied')
      for (const n of [1, 50, 100]) await store.commit(session, n, change)
      equal((await store.counts())['x'], 100)
    },
  },
  {
    title: 'a burnt number writes nothing any more, and one that was applied says so',
    async run(given) {
      const { store, session } = given
      equal(await store.burn(session, 1), 'burnt')
      equal(await store.burn(session, 1), 'burnt')
      notEqual((await store.commit(session, 1, everything)).kind, 'transient')
      await isEmpty(given)
      equal((await store.commit(session, 2, everything)).kind, 'applied')
      equal(await store.burn(session, 2), 'applied')
      ok(await load(given, 'o-2'))
    },
  },
  {
    title: 'a commit of a session that is over changes nothing',
    async run(given) {
      const { store, session } = given
      await store.closeSession(session)
      equal((await store.commit(session, 1, everything)).kind, 'fenced')
      equal(await store.burn(session, 1), 'fenced')
      equal((await store.renew(session, 1_000)).alive, false)
      const { session: next } = await store.openSession({ build: 'b', leaseMs: 1_000 })
      await store.acquire(next, 4)
      await isEmpty({ ...given, session: next })
    },
  },
  {
    title: 'one row at fault, and nothing of the change is written',
    async run(given) {
      await create(given, instanceOf(1))
      await given.write({ deadLetters: [deadOf('d-0')] })
      const faults = [
        { instances: [...everything.instances, instanceOf(1)], created: new Set([2, 1]) },
        { instances: [...everything.instances, instanceOf(3, { id: 'o-1' })], created: new Set([2, 3]) },
        { journal: [...everything.journal, rowOf(1, 1)], instances: [...everything.instances, instanceOf(1)] },
        { events: [eventOf(1, 1), eventOf(1, 1)] },
        { undead: ['nobody'] },
        { deadLetters: [deadOf('d-1'), deadOf('d-0')] },
      ]
      for (const [i, fault] of faults.entries()) {
        const result = await given.commit({ ...everything, ...fault })
        equal(result.kind, 'rejected', `fault ${i}`)
        await isEmpty(given)
      }
      await given.write(everything)
    },
  },
  {
    title: 'who has lost the thread is told: rows that must be there and are not',
    async run(given) {
      const faults = [
        { instances: [...everything.instances, instanceOf(1)] },
        { read: [4_711] },
        { unwaiting: [4_711] },
        { rewaiting: [{ k: null, waiting: waitingOf(4_711, 'o-9').waiting }] },
      ]
      for (const [i, fault] of faults.entries()) {
        const result = await given.commit({ ...everything, ...fault })
        equal(result.kind, 'broken', `fault ${i}`)
        await isEmpty(given)
      }
    },
  },
  {
    title: 'sums are added up, over commits and appends',
    async run(given) {
      await given.write({ counts: { 'i:started:order': 2, 's:placed:order': 2, 'i:done:__proto__': 1 } })
      await given.write({ counts: { 'i:started:order': 1, 's:placed:order': -2 } })
      await given.store.append([], { 'i:started:order': 4 })
      const counts = await given.store.counts()
      equal(counts['i:started:order'], 7)
      equal(counts['s:placed:order'] ?? 0, 0)
      equal(counts['i:done:__proto__'], 1)
    },
  },
]
