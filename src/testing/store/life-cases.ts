// The life of a store: sessions, numbers, closing and opening again, graphs.
import { equal, notEqual, ok, rejects } from 'node:assert/strict'
import type { MachineGraph } from '../../machine/definition.ts'
import { changeOf, instanceOf, LEASE_MS, letterOf, PARTITIONS, rowOf, same, type StoreTest } from './fixture.ts'

const sessionCases: readonly StoreTest[] = [
  {
    title: 'a session is renewed, seen, and gives everything back when it closes',
    async run({ store, session }) {
      const { now, ...found } = await store.renew(session, 5_000)
      same(found, { alive: true, sessions: 1, partitions: PARTITIONS })
      const [row] = await store.sessions()
      same({ ...row, expiresAt: 0 }, { session, build: 'b', expiresAt: 0, partitions: PARTITIONS })
      ok(row!.expiresAt >= now + 5_000)
      await store.closeSession(session)
      same(await store.sessions(), [])
      const { now: later, ...gone } = await store.renew(session, 5_000)
      ok(later >= now)
      same(gone, { alive: false, sessions: 0, partitions: 0 })
      const { session: next } = await store.openSession({ build: 'c', leaseMs: LEASE_MS })
      notEqual(next, session)
      equal((await store.acquire(next, PARTITIONS)).length, PARTITIONS)
    },
  },
  {
    title: 'partitions are shared, released, and taken over from a session that has expired',
    needs: ['sessions'],
    async run({ fixture, store, session }) {
      const other = fixture.connect()
      await other.open({})
      const { session: two } = await other.openSession({ build: 'b', leaseMs: LEASE_MS })
      same(await other.acquire(two, PARTITIONS), [])
      await store.release(session, [2, 3])
      same((await other.acquire(two, 1)).map(({ partition }) => partition).length, 1)
      equal((await other.acquire(two, PARTITIONS)).length, 2)
      await fixture.pass(LEASE_MS / 2)
      const shared = await other.renew(two, 10 * LEASE_MS)
      equal(shared.sessions, 2)
      equal(shared.partitions, 2)
      await fixture.pass(LEASE_MS / 2 + 1)
      equal((await other.acquire(two, PARTITIONS)).length, PARTITIONS)
      equal((await store.renew(session, LEASE_MS)).alive, false)
      equal((await other.renew(two, 10 * LEASE_MS)).sessions, 1)
      equal((await store.commit(session, 1, changeOf({ counts: { x: 1 } }))).kind, 'fenced')
      equal(await store.burn(session, 2), 'fenced')
      equal((await other.counts())['x'] ?? 0, 0)
      same(
        (await other.sessions()).map((row) => row.session),
        [two],
      )
      await other.close()
    },
  },
  {
    title: 'the clock never goes back',
    async run({ fixture, store }) {
      const before = await store.now()
      await fixture.pass(100)
      const after = await store.now()
      ok(after >= before + 100)
      await fixture.pass(0)
      ok((await store.now()) >= after)
    },
  },
  {
    title: 'numbers are given once, in rows without a gap',
    async run({ store }) {
      const given = new Set<number>()
      for (const count of [1, 3, 10_000, 1, 500]) {
        const first = await store.allot('k', count)
        for (let n = first; n < first + count; n++) {
          ok(n > 0 && !given.has(n), `${n} was given before`)
          given.add(n)
        }
      }
      const firsts = await Promise.all([
        store.allot('waiting', 5_000),
        store.allot('waiting', 5_000),
        store.allot('waiting', 1),
      ])
      const [a, b, c] = firsts.toSorted((x, y) => x - y)
      ok(new Set(firsts).size === 3 && b! - a! >= 1 && c! - b! >= 1 && c! - a! >= 5_001)
    },
  },
]

const durableCases: readonly StoreTest[] = [
  {
    title: 'what was committed is there after the store was closed and opened again',
    needs: ['durable'],
    async run(given) {
      const { fixture, store } = given
      const k = await store.allot('k', 1)
      await given.write({
        created: new Set([k]),
        instances: [instanceOf(k)],
        journal: [rowOf(k, 1)],
        inbox: [letterOf('a')],
        heads: [{ partition: 1, head: 3, stamp: 9 }],
        counts: { x: 1 },
      })
      const before = [
        await store.load([{ machine: 'order', id: `o-${k}` }]),
        await store.journal(k, 0, 9),
        await store.inbox([0], 9),
      ]
      const now = await store.now()
      await store.close()
      const again = fixture.connect()
      const { partitions, created } = await again.open({})
      same([partitions, created], [PARTITIONS, false])
      same(
        [
          await again.load([{ machine: 'order', id: `o-${k}` }]),
          await again.journal(k, 0, 9),
          await again.inbox([0], 9),
        ],
        before,
      )
      equal((await again.counts())['x'], 1)
      ok((await again.now()) >= now)
      ok((await again.allot('k', 1)) > k)
      await fixture.pass(LEASE_MS + 1)
      const { session } = await again.openSession({ build: 'b', leaseMs: LEASE_MS })
      same((await again.acquire(session, PARTITIONS))[1], { partition: 1, head: 3, stamp: 9 })
      await again.close()
    },
  },
  {
    title: 'another number of partitions is refused, and the same or none is not; the store keeps its id',
    needs: ['durable'],
    async run({ fixture, store }) {
      await store.close()
      const ids = new Set<string>()
      for (const o of [{}, { partitions: PARTITIONS }]) {
        const again = fixture.connect()
        ids.add((await again.open(o)).storeId)
        await again.close()
      }
      equal(ids.size, 1)
      const wrong = fixture.connect()
      await rejects(wrong.open({ partitions: PARTITIONS + 1 }), { code: 'PARTITIONS_DIFFER' })
      await wrong.close()
      const right = fixture.connect()
      await right.open({})
      await right.close()
    },
  },
  {
    title: 'after close everything rejects, and a second close does nothing',
    async run({ store, session }) {
      await store.close()
      await store.close()
      const calls: readonly (() => Promise<unknown>)[] = [
        () => store.now(),
        () => store.openSession({ build: 'b', leaseMs: 1 }),
        () => store.commit(session, 1, changeOf({})),
        () => store.append([], {}),
        () => store.load([]),
        () => store.inbox([0], 1),
        () => store.allot('k', 1),
        () => store.list({ machine: 'order', limit: 1 }),
        () => store.transaction(() => 1),
        () => store.recount(),
      ]
      for (const call of calls) await rejects(call(), { code: 'STORE_CLOSED' })
    },
  },
]

const graph = (version: number, states: readonly string[]): MachineGraph => ({
  name: 'order',
  version,
  initial: states[0]!,
  states: states.map((name) => ({ name, calls: [] })),
  edges: [{ from: states[0]!, kind: 'message', name: 'order.go', emits: [] }],
  receives: ['order.go'],
  emits: [],
})

const graphCases: readonly StoreTest[] = [
  {
    title: 'graphs are kept by name and version, the newest of each',
    async run({ store }) {
      await store.saveGraph(graph(1, ['placed']), 'h1')
      await store.saveGraph(graph(2, ['placed', 'done']), 'h2')
      await store.saveGraph(graph(1, ['placed', 'gone']), 'h3')
      const found = (await store.graphs()).toSorted((a, b) => a.version - b.version)
      same(found, [
        { name: 'order', version: 1, hash: 'h3', graph: graph(1, ['placed', 'gone']) },
        { name: 'order', version: 2, hash: 'h2', graph: graph(2, ['placed', 'done']) },
      ])
    },
  },
]

/** The cases. */
export const lifeCases: readonly StoreTest[] = [...sessionCases, ...durableCases, ...graphCases]
