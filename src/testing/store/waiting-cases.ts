// What waits: the inbox, what is due, orphans, open calls.
import { equal, ok } from 'node:assert/strict'
import type { Instance } from '../../core/model.ts'
import {
  callOf,
  childOf,
  hostileData,
  incarnationOf,
  instanceOf,
  letterOf,
  messageOf,
  same,
  waitingOf,
  type StoreCase,
  type StoreTest,
} from './fixture.ts'

const ALL = [0, 1, 2, 3]

async function create(given: StoreCase, ...instances: readonly Instance[]): Promise<void> {
  await given.write({ created: new Set(instances.map(({ k }) => k)), instances })
}

const ends = (k: number, endedAt: number, status: 'done' | 'failed' | 'cancelled' = 'done'): Instance =>
  instanceOf(k, { status, state: status, endedAt, seq: 2 })
const runs = (k: number): Instance => instanceOf(k, { state: 'reserving', calls: { reserve: callOf() } })
const inboxCases: readonly StoreTest[] = [
  {
    title: 'the inbox is read by priority, then in the order in which it came, from its own partitions',
    async run(given) {
      const { store } = given
      const places = await store.append(
        [letterOf('a'), letterOf('b', { priority: 5 }), letterOf('c', { partition: 2 })],
        {},
      )
      places.forEach((n, i) => ok(i === 0 || n > places[i - 1]!, 'places grow'))
      const later = await given.write({
        inbox: [letterOf('d'), letterOf('e', { priority: -1 }), letterOf('f', { priority: 5 })],
      })
      ok(later[0]! > places[2]!, 'those of a commit come behind what was appended before')
      const ids = async (partitions: readonly number[], limit = 99): Promise<readonly string[]> =>
        (await store.inbox(partitions, limit)).map(({ letter }) =>
          letter.kind === 'input' ? letter.target.id : letter.id,
        )
      same(await ids([0, 2]), ['b', 'f', 'a', 'c', 'd', 'e'])
      same(await ids([0]), ['b', 'f', 'a', 'd', 'e'])
      same(await ids([0, 1, 2, 3], 3), ['b', 'f', 'a'])
      same(await ids([1, 3]), [])
      same(await ids([]), [])
      await given.write({ read: [places[1]!, places[0]!] })
      same(await ids([0, 2]), ['f', 'c', 'd', 'e'])
    },
  },
  {
    title: 'letters of every kind come back as they were appended',
    async run({ store }) {
      const base = { id: 'm', at: 1, correlation: 'c', stamp: 9 }
      const delivery = { dedup: { source: 'http', hash: 'h' }, receipt: true, deadLetter: 'd' }
      const target = { machine: 'order', id: 'o-1' }
      const letters = [
        {
          kind: 'input',
          target,
          input: messageOf('m', { data: hostileData, by: 'ann', source: 's', ifSeq: 4 }),
          delivery,
        },
        { kind: 'input', target, input: { kind: 'start', data: hostileData, ...base } },
        { kind: 'input', target, input: { kind: 'timer', ...base } },
        {
          kind: 'input',
          target,
          input: {
            kind: 'result',
            call: 'reserve',
            key: 'k',
            attempt: 2,
            outcome: { kind: 'done', output: hostileData },
            jitter: 0.5,
            ...base,
          },
        },
        { kind: 'input', target, input: { kind: 'notice', child: childOf('n'), parent: incarnationOf(1), ...base } },
        {
          kind: 'event',
          type: 'order.placed',
          version: 2,
          key: 'a\0b',
          data: hostileData,
          keepMs: 5,
          id: 'e',
          at: 1,
          correlation: 'c',
          delivery,
        },
      ] as const
      await store.append(
        letters.map((letter) => letterOf('', { letter })),
        {},
      )
      same(
        (await store.inbox([0], 99)).map(({ letter }) => letter),
        letters,
      )
    },
  },
]

const dueCases: readonly StoreTest[] = [
  {
    title: 'what is due is found in the order of its time, in its own partitions',
    async run(given) {
      const { store } = given
      await create(
        given,
        instanceOf(1, { dueAt: 3_000 }),
        instanceOf(2, { dueAt: 2_000 }),
        instanceOf(3),
        instanceOf(5, { dueAt: 1_000 }),
      )
      const due = async (until: number, limit = 9): Promise<readonly string[]> =>
        (await store.due(ALL, until, limit)).map(({ id, dueAt }) => `${id} ${dueAt}`)
      same(await due(999), [])
      same(await due(1_000), ['o-5 1000'])
      same(await due(9_000), ['o-5 1000', 'o-2 2000', 'o-1 3000'])
      same(await due(9_000, 2), ['o-5 1000', 'o-2 2000'])
      same(
        (await store.due([2], 9_000, 9)).map(({ id }) => id),
        ['o-2'],
      )
      equal(await store.nextDue(ALL), 1_000)
      equal(await store.nextDue([2]), 2_000)
      equal(await store.nextDue([0, 3]), null)
      await given.write({
        instances: [instanceOf(5, { dueAt: null, seq: 2 }), instanceOf(1, { status: 'done', endedAt: 1, seq: 2 })],
      })
      same(await due(9_000), ['o-2 2000'])
    },
  },
  {
    title: 'waiting messages hang on their instance, or on the name of one that is not there',
    async run(given) {
      const { store } = given
      const rows = [waitingOf(3, 1), waitingOf(1, 1, { why: 'call', until: null, leftMs: 77 }), waitingOf(2, 'o-9')]
      await given.write({
        created: new Set([1]),
        instances: [instanceOf(1)],
        waiting: [...rows, { ...waitingOf(4, 'o-9', { why: 'build', until: 6_000 }), delivery: { receipt: true } }],
        children: [
          { k: 1, child: childOf('n-1') },
          { k: 1, child: childOf('n-2', { data: hostileData, machine: 'pool' }) },
        ],
      })
      const [one, nine] = await store.load([
        { machine: 'order', id: 'o-1' },
        { machine: 'order', id: 'o-9' },
      ])
      same(one!.loaded!.waiting, [rows[1], rows[0]])
      same(one!.loaded!.children, [childOf('n-1'), childOf('n-2', { data: hostileData, machine: 'pool' })])
      same(one!.orphans, [])
      equal(nine!.loaded, null)
      same(
        nine!.orphans.map(({ waiting, delivery }) => [waiting.n, delivery]),
        [
          [2, undefined],
          [4, { receipt: true }],
        ],
      )
      await given.write({
        children: [{ k: 1, child: childOf('n-1', { seq: 4, state: 'gone' }) }],
        unwaiting: [3],
        rewaiting: [{ k: 1, waiting: { ...rows[1]!.waiting, why: 'state', until: 8_000, leftMs: null } }],
      })
      const [again] = await store.load([{ machine: 'order', id: 'o-1' }])
      same(again!.loaded!.waiting, [waitingOf(1, 1, { why: 'state', until: 8_000, leftMs: null })])
      same(again!.loaded!.children[0], childOf('n-1', { seq: 4, state: 'gone' }))
    },
  },
  {
    title: 'an orphan falls due, expires, and is taken in by the instance that comes',
    async run(given) {
      const { store } = given
      await given.write({
        waiting: [
          waitingOf(1, 'o-1', { until: 5_000 }),
          waitingOf(2, 'o-2', { until: 4_000 }),
          waitingOf(3, 'o-3', { until: null }),
        ],
      })
      equal(await store.nextDue(ALL), 4_000)
      equal(await store.nextDue([1, 2]), null)
      same(await store.expired(ALL, 3_999, 9), [])
      same(
        (await store.expired(ALL, 5_000, 9)).map(({ waiting }) => waiting.n),
        [2, 1],
      )
      same(
        (await store.expired(ALL, 5_000, 1)).map(({ waiting }) => waiting.n),
        [2],
      )
      const { waiting } = waitingOf(1, 'o-1')
      await given.write({
        created: new Set([1]),
        instances: [instanceOf(1)],
        rewaiting: [{ k: 1, waiting: { ...waiting, why: 'state' } }],
        unwaiting: [2],
      })
      same(await store.expired(ALL, 5_000, 9), [])
      equal(await store.nextDue(ALL), null)
      const [found] = await store.load([{ machine: 'order', id: 'o-1' }])
      same(found!.orphans, [])
      same(
        found!.loaded!.waiting.map((row) => [row.waiting.n, row.waiting.why, row.k]),
        [[1, 'state', 1]],
      )
    },
  },
  {
    title: 'open calls are found newest first, page by page',
    async run(given) {
      const { store } = given
      const settled = { reserve: callOf({ settled: { done: true, output: 1 } }) }
      await create(
        given,
        ...[1, 2, 3, 4, 5].map(runs),
        instanceOf(6),
        instanceOf(7, { calls: settled }),
        { ...runs(8), machine: 'invoice' },
        ends(9, 9_000),
      )
      const page = async (before: number | null, limit: number): Promise<readonly number[]> =>
        (await store.openCalls(ALL, before, limit)).map(({ k }) => k)
      same(await page(null, 3), [8, 5, 4])
      same(await page(4, 3), [3, 2, 1])
      same(await page(1, 3), [])
      same(await store.openCalls([1], null, 9), [
        { k: 5, target: { machine: 'order', id: 'o-5' } },
        { k: 1, target: { machine: 'order', id: 'o-1' } },
      ])
      await given.write({ instances: [ends(5, 9_000)] })
      same(await page(null, 2), [8, 4])
    },
  },
]

/** The cases. */
export const waitingCases: readonly StoreTest[] = [...inboxCases, ...dueCases]
