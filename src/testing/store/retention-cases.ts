// Retention, removal, and the sums that stand for what is gone.
import { equal, ok } from 'node:assert/strict'
import { carriedRemoved, instanceCount } from '../../core/counts.ts'
import { countsOf, instanceOf, receiptOf, same, type StoreTest } from './fixture.ts'
import { balanced, DAY_MS, settle } from './laws.ts'

/** The cases. */
export const retentionCases: readonly StoreTest[] = [
  {
    title: 'a recount of the tables meets the figures, and both laws balance',
    async run(given) {
      await settle(given)
      const { instances, messages } = await balanced(given.store)
      same(instances['order'], {
        started: 5,
        running: 0,
        waiting: 1,
        stalled: 1,
        done: 1,
        failed: 1,
        cancelled: 1,
        removed: 0,
        states: { placed: 2 },
      })
      same(messages, {
        accepted: 16,
        applied: 4,
        ignored: 3,
        refused: 3,
        unclaimed: 1,
        waiting: 2,
        pending: 1,
        dead: 2,
        discarded: 0,
      })
    },
  },
  {
    title: 'retention deletes what is over and nothing else, and the laws still balance after every batch',
    async run(given) {
      const { store, session } = given
      await settle(given)
      const cut = { endedBefore: 3_000, receiptsBefore: 5 * DAY_MS, deadBefore: 2_000, limit: 2 }
      let rows = 0
      for (let gone = -1; gone !== 0; rows += gone) {
        gone = await store.retain(session, cut)
        await balanced(store)
      }
      ok(rows > 2, 'in several batches')
      const { instances, messages } = await balanced(store)
      same(instances['order'], {
        started: 5,
        running: 0,
        waiting: 1,
        stalled: 1,
        done: 0,
        failed: 0,
        cancelled: 1,
        removed: 2,
        states: { placed: 2 },
      })
      same(messages, {
        accepted: 16,
        applied: 4,
        ignored: 3,
        refused: 3,
        unclaimed: 1,
        waiting: 2,
        pending: 1,
        dead: 1,
        discarded: 1,
      })
    },
  },
  {
    title: 'what is left after retention is whole, what is gone is gone with all that hung on it, and its name is free',
    async run(given) {
      const { store, session } = given
      await settle(given)
      const cut = { endedBefore: 3_000, receiptsBefore: 5 * DAY_MS, deadBefore: 2_000, limit: 99 }
      while ((await store.retain(session, cut)) > 0);
      same(
        (await store.load(['o-1', 'o-2', 'o-3', 'o-4', 'o-5'].map((id) => ({ machine: 'order', id })))).map(
          ({ loaded }) => loaded?.instance.k ?? null,
        ),
        [null, null, 3, 4, 5],
      )
      for (const k of [1, 2]) same(await store.journal(k, 0, 9), [])
      equal((await store.journal(3, 0, 9))[0]!.emitted.length, 1)
      for (const k of [1, 2])
        same(
          (await store.events(k, 0, 9)).map(({ offset }) => offset),
          [],
        )
      same(
        (await store.events(3, 0, 9)).map(({ offset }) => offset),
        [3],
      )
      same(await store.events(0, 0, 9), [], 'one from outside goes when an instance of its age would')
      same(
        (await store.deadLetters({ limit: 9 })).items.map(({ id }) => id),
        ['d-2'],
      )
      same(
        (await store.receipts([receiptOf('r-1'), receiptOf('r-2')])).map(({ id }) => id),
        ['r-2'],
      )
      equal((await store.counts())[carriedRemoved('order')], 2)
      equal(await store.tombstone({ machine: 'order', id: 'o-1' }), null, 'its receipts are gone as well')
      await given.write({
        created: new Set([6]),
        instances: [instanceOf(6, { id: 'o-1' })],
        counts: countsOf(instanceCount('order', 'started'), instanceCount('order', 'waiting')),
      })
      await balanced(store)
    },
  },
  {
    title: 'without times nothing but receipts goes',
    async run(given) {
      const { store, session } = given
      await settle(given)
      const before = await store.recount()
      for (let gone = 1; gone > 0;) gone = await store.retain(session, { receiptsBefore: 5 * DAY_MS, limit: 99 })
      same(await store.recount(), before)
    },
  },
  {
    title: 'while receipts of its time are kept, what retention deletes leaves a stone',
    async run(given) {
      const { store, session } = given
      await settle(given)
      while ((await store.retain(session, { endedBefore: 3_000, receiptsBefore: 0, limit: 99 })) > 0);
      same(await store.tombstone({ machine: 'order', id: 'o-1' }), {
        target: { machine: 'order', id: 'o-1' },
        at: 1_000,
        why: 'retention',
      })
      while ((await store.retain(session, { receiptsBefore: 5 * DAY_MS, limit: 99 })) > 0);
      equal(await store.tombstone({ machine: 'order', id: 'o-1' }), null)
    },
  },
  {
    title: 'one ended instance is erased with all that hangs on it, and leaves a stone; a living one is not',
    async run(given) {
      const { store, session } = given
      await settle(given)
      const stone = (id: string) => ({ target: { machine: 'order', id }, at: 7_000, why: 'by request', by: 'ann' })
      equal(await store.remove(session, stone('o-4')), false)
      equal(await store.remove(session, stone('o-5')), false)
      equal(await store.remove(session, stone('nobody')), false)
      equal(await store.tombstone(stone('o-4').target), null)
      equal(await store.remove(session, stone('o-1')), true)
      equal(await store.remove(session, stone('o-1')), false)
      same(await store.tombstone(stone('o-1').target), stone('o-1'))
      same(await store.journal(1, 0, 9), [])
      same(await store.events(1, 0, 9), [])
      equal((await store.load([stone('o-1').target]))[0]!.loaded, null)
      const { instances } = await balanced(store)
      same([instances['order']!.done, instances['order']!.removed], [0, 1])
    },
  },
  {
    title: 'an ended instance of a partition that another session owns is left to that one',
    needs: ['sessions'],
    async run(given) {
      const { store, session } = given
      await settle(given)
      const { session: other } = await store.openSession({ build: 'b', leaseMs: 60_000 })
      const stone = { target: { machine: 'order', id: 'o-1' }, at: 7_000, why: 'by request' }
      equal(await store.remove(other, stone), false)
      equal(await store.tombstone(stone.target), null)
      equal(await store.remove(session, stone), true)
    },
  },
  {
    title: 'a session that is over deletes nothing',
    async run(given) {
      const { store, session } = given
      await settle(given)
      await store.closeSession(session)
      await store.retain(session, { endedBefore: 9_000, receiptsBefore: 0, limit: 99 }).catch(() => 0)
      await store.remove(session, { target: { machine: 'order', id: 'o-1' }, at: 1, why: '' }).catch(() => false)
      equal((await store.recount()).instances['order']!.removed, 0)
    },
  },
]
