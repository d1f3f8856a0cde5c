// What is kept of what happened: journals, the log, receipts, dead letters.
import { equal } from 'node:assert/strict'
import { callKey } from '../../base/id.ts'
import type { Instance, JournalCause } from '../../core/model.ts'
import {
  deadOf,
  entryOf,
  eventOf,
  hostileData,
  incarnationOf,
  instanceOf,
  receiptOf,
  rowOf,
  same,
  type StoreTest,
} from './fixture.ts'

const event = { kind: 'event', type: 'order.placed' } as never
const command = { kind: 'command', type: 'invoice.send' } as never
/** With something in every field. */
const entry = entryOf(2, {
  cause: {
    kind: 'operator',
    name: 'move',
    id: `${incarnationOf(1)}-1-x`,
    at: 1_999,
    by: 'ann',
    source: 'http',
    correlation: 'other',
  },
  from: 'placed',
  to: 'reserving',
  outcome: 'refused',
  change: hostileData,
  removed: ['old', '__proto__'],
  emitted: [
    { message: event, data: { total: 1 }, key: 'o-1' },
    { message: command, data: hostileData, key: 'i-1' },
    { message: event, data: { total: 2 }, key: 'o-1' },
  ],
  spawned: [{ kind: 'nodes', machine: 'node', id: 'n-1', data: {}, restart: false }],
  opened: ['reserve', 'charge/0'],
  dropped: ['ship'],
  by: 'ann',
  why: 'by hand',
})

const journalCases: readonly StoreTest[] = [
  {
    title: 'a journal is read in pages, in order, each row as it was written',
    async run(given) {
      const { store } = given
      const places = [
        [1, 1],
        [2, 1],
      ] as const
      await given.write({
        created: new Set([1]),
        instances: [instanceOf(1, { seq: 2 })],
        journal: [
          rowOf(1, 1, { opened: ['reserve'], cause: { ...entry.cause, kind: 'start', id: '~odd', at: 2_000 } }),
          { k: 1, entry, events: places },
        ],
        events: [
          eventOf(1, 1, { k: 1, seq: 2, data: { total: 1 } }),
          eventOf(2, 1, { k: 1, seq: 2, data: { total: 2 }, type: 'order.paid' }),
        ],
      })
      const [first, second] = await store.journal(1, 0, 9)
      same(first!.cause, { ...entry.cause, kind: 'start', id: '~odd', at: 2_000 })
      same(first!.opened, ['reserve'])
      same([first!.from, first!.changed, first!.emitted, first!.by], [null, {}, [], undefined])
      const { seq, at, cause, from, to, outcome, removed, opened, dropped, by, why } = entry
      same(second, {
        seq,
        at,
        cause,
        from,
        to,
        outcome,
        removed,
        opened,
        dropped,
        by,
        why,
        changed: hostileData,
        emitted: [
          { type: 'order.placed', data: { total: 1 } },
          { type: 'invoice.send', data: hostileData },
          { type: 'order.paid', data: { total: 2 } },
        ],
        spawned: [{ machine: 'node', id: 'n-1' }],
      })
    },
  },
  {
    title: 'a journal tells its causes, calls and changes as they were, whatever their ids and names',
    async run(given) {
      const { store } = given
      const me = incarnationOf(1)
      const change = { me, key: `${me}-1-x`, twice: me + me, odd: '\u001a~\\u001a', [me]: 1 }
      const cause = (kind: JournalCause['kind'], name: string, id: string, at = 2_000): JournalCause => ({
        kind,
        name,
        id,
        at,
        correlation: 'c-1',
      })
      const rows = [
        rowOf(1, 1, { cause: cause('start', 'run', 'c-1', 1_500), opened: ['reserve'], change }),
        rowOf(1, 2, { cause: cause('result', 'reserve', callKey(me, 1, 'reserve'), 2_001), opened: ['each/0'] }),
        rowOf(1, 3, { cause: cause('result', 'each/0', callKey(me, 2, 'each/0')), opened: ['each/0', 'each/1'] }),
        rowOf(1, 4, {
          cause: cause('result', 'reserve', callKey(me, 1, 'reserve')),
          opened: ['reserve'],
          why: 'again',
        }),
        rowOf(1, 5, { cause: cause('message', 'order.go', 'c-1'), change: { odd: '\u001a' } }),
        rowOf(1, 6, { cause: cause('child', 'node/n-1', `${me}-5-x`), change: {} }),
        rowOf(1, 7, { cause: cause('start', 'run', callKey(me, 6, 'run')) }),
      ]
      await given.write({ created: new Set([1]), instances: [instanceOf(1, { seq: 7 })], journal: rows })
      same(
        (await store.journal(1, 0, 9)).map((row) => [row.cause, row.opened, row.changed]),
        rows.map(({ entry: { cause, opened, change } }) => [cause, opened, change ?? {}]),
      )
    },
  },
  {
    title: 'pages of a journal, and of one that is not there',
    async run(given) {
      const { store } = given
      const seqs = [1, 2, 3, 4, 5]
      await given.write({
        created: new Set([1, 2]),
        instances: [instanceOf(1, { seq: 5 }), instanceOf(2)],
        journal: [...seqs.map((seq) => rowOf(1, seq)), rowOf(2, 1)],
      })
      const page = async (after: number, limit: number): Promise<readonly number[]> =>
        (await store.journal(1, after, limit)).map(({ seq }) => seq)
      same(await page(0, 2), [1, 2])
      same(await page(2, 2), [3, 4])
      same(await page(4, 2), [5])
      same(await page(5, 2), [])
      same(await store.journal(77, 0, 9), [])
    },
  },
  {
    title: 'a journal tells every life of an instance, also of one that was born again',
    async run(given) {
      const { store } = given
      const cause = (life: number, seq: number) =>
        ({
          kind: seq % 2 === 1 ? 'start' : 'result',
          name: 'x',
          id: `${incarnationOf(life)}-${seq}-abcdefgh`,
          at: 2_000,
          correlation: `c-${life}`,
        }) as const
      const row = (life: number, seq: number) => rowOf(1, seq, { cause: cause(life, seq), unit: false })
      const life = (n: number, seq: number): Instance =>
        instanceOf(1, { seq, incarnation: incarnationOf(n), correlation: `c-${n}`, status: 'failed', endedAt: 9_000 })
      await given.write({ created: new Set([1]), instances: [life(1, 1)], journal: [row(1, 1)] })
      await given.write({ instances: [life(2, 4)], journal: [row(1, 2), row(2, 3), row(2, 4)] })
      await given.write({ instances: [life(3, 6)], journal: [row(3, 5), row(3, 6)] })
      same(
        (await store.journal(1, 0, 9)).map((read) => read.cause),
        [cause(1, 1), cause(1, 2), cause(2, 3), cause(2, 4), cause(3, 5), cause(3, 6)],
      )
    },
  },
]

const keptCases: readonly StoreTest[] = [
  {
    title: 'events are read by partition and offset, as they were written',
    async run(given) {
      const { store } = given
      const events = [
        eventOf(1, 1, { data: hostileData, key: 'k\0' }),
        eventOf(1, 2, { id: 'from outside', at: 1_234, k: 1, seq: 5 }),
        eventOf(1, 3, { type: 'ü', version: 9 }),
        eventOf(2, 1),
      ]
      await given.write({
        events,
        heads: [
          { partition: 1, head: 3, stamp: 99 },
          { partition: 2, head: 1, stamp: 98 },
        ],
      })
      same(await store.events(1, 0, 9), events.slice(0, 3))
      same(await store.events(1, 1, 1), [events[1]])
      same(await store.events(1, 3, 9), [])
      same(await store.events(0, 0, 9), [])
      same(await store.acquire(given.session, 4), [
        { partition: 0, head: 0, stamp: 0 },
        { partition: 1, head: 3, stamp: 99 },
        { partition: 2, head: 1, stamp: 98 },
        { partition: 3, head: 0, stamp: 0 },
      ])
    },
  },
  {
    title: 'receipts are found by their whole key, and replaced, on whatever day',
    async run(given) {
      const { store } = given
      const rows = [
        receiptOf('1', { outcome: 'refused', why: 'if', state: 'placed', seq: 4 }),
        receiptOf('1', { source: 'kafka' }),
        receiptOf('1', { target: 'order\0o-2', outcome: 'deferred' }),
        receiptOf('2', { hash: 'other' }),
      ]
      await given.write({ receipts: rows })
      const later = { ...rows[2]!, at: 2_000 + 3 * 86_400_000, outcome: 'applied' } as const
      await given.write({ receipts: [receiptOf('3', { at: 2_000 + 86_400_000 }), later] })
      for (const row of [rows[0]!, rows[1]!, later, rows[3]!]) same(await store.receipts([row]), [row])
      same(
        await store.receipts([receiptOf('4'), receiptOf('2', { source: 'x' }), receiptOf('2', { target: 'order' })]),
        [],
      )
      equal((await store.receipts([rows[0]!, receiptOf('4'), rows[3]!])).length, 2)
    },
  },
  {
    title: 'dead letters are listed newest first, by machine, and go by redrive once',
    async run(given) {
      const { store } = given
      const letters = [
        deadOf('b'),
        deadOf('a', { machine: 'invoice' }),
        deadOf('c', { delivery: { dedup: { source: 's', hash: 'h' } } }),
      ]
      for (const letter of letters) await given.write({ deadLetters: [letter] })
      const ids = async (query: { machine?: string; limit: number; after?: string }): Promise<readonly string[]> =>
        (await store.deadLetters(query)).items.map(({ id }) => id)
      same(await ids({ limit: 9 }), ['c', 'a', 'b'])
      same(await ids({ limit: 9, machine: 'order' }), ['c', 'b'])
      const first = await store.deadLetters({ limit: 2 })
      same(first.items, [letters[2], letters[1]])
      await given.write({ undead: ['a'] })
      same(await store.deadLetters({ limit: 2, after: first.next! }), { items: [letters[0]] })
      equal(await store.deadLetter('a'), null)
      same(await store.deadLetter('c'), letters[2])
      equal((await given.commit({ undead: ['a'], counts: { x: 1 } })).kind, 'rejected')
      equal((await store.counts())['x'] ?? 0, 0)
    },
  },
]

/** The cases. */
export const logCases: readonly StoreTest[] = [...journalCases, ...keptCases]
