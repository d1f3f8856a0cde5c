// Pages of instances, and where the living ones are.
import { equal, ok, rejects } from 'node:assert/strict'
import type { Instance } from '../../core/model.ts'
import type { ListQuery, Store } from '../../store/store.ts'
import { callOf, instanceOf, same, type StoreCase, type StoreTest } from './fixture.ts'

async function create(given: StoreCase, ...instances: readonly Instance[]): Promise<void> {
  await given.write({ created: new Set(instances.map(({ k }) => k)), instances })
}

/** All pages of a query, with `between` run after each. */
async function pages(store: Store, query: ListQuery, between?: () => Promise<void>): Promise<readonly number[]> {
  const found: number[] = []
  let after: string | undefined
  do {
    const page = await store.list({ ...query, ...(after === undefined ? {} : { after }) })
    ok(page.items.length <= query.limit, 'a page is no longer than its limit')
    found.push(...page.items.map(({ k }) => k))
    after = page.next
    await between?.()
  } while (after !== undefined)
  return found
}

const ends = (k: number, endedAt: number, status: 'done' | 'failed' | 'cancelled' = 'done'): Instance =>
  instanceOf(k, { status, state: status, endedAt, seq: 2 })
const runs = (k: number): Instance => instanceOf(k, { state: 'reserving', calls: { reserve: callOf() } })
const stalls = (k: number, code: string): Instance =>
  instanceOf(k, { status: 'stalled', state: 'reserving', stalled: { code, message: 'm' } })

/** A population of every condition: k 1-10. */
const population: readonly Instance[] = [
  instanceOf(1),
  runs(2),
  stalls(3, 'WORKER_DIED'),
  ends(4, 9_000),
  ends(5, 8_000, 'failed'),
  ends(6, 9_500, 'cancelled'),
  instanceOf(7, { version: 2 }),
  stalls(8, 'HANDLER_FAILED'),
  ends(9, 8_500),
  runs(10),
]

/** The cases. */
export const listCases: readonly StoreTest[] = [
  {
    title: 'lists go by machine, condition, state and code, living ones oldest and ended ones newest first',
    async run(given) {
      const { store } = given
      await create(given, ...population, instanceOf(11, { machine: 'invoice' }))
      const list = (query: Partial<ListQuery>): Promise<readonly number[]> =>
        pages(store, { machine: 'order', limit: 99, ...query })
      same(await list({ status: 'waiting' }), [1, 7])
      same(await list({ status: 'running' }), [2, 10])
      same(await list({ status: 'stalled' }), [3, 8])
      same(await list({ status: 'stalled', stallCode: 'WORKER_DIED' }), [3])
      same(await list({ stallCode: 'HANDLER_FAILED' }), [8])
      same(await list({ status: 'done' }), [4, 9])
      same(await list({ status: 'failed' }), [5])
      same(await list({ status: 'cancelled' }), [6])
      same(await list({ state: 'reserving', status: 'running' }), [2, 10])
      same(
        (await list({ state: ['reserving', 'failed'] })).toSorted((a, b) => a - b),
        [2, 3, 5, 8, 10],
      )
      same(await list({ state: [] }), [])
      same(await list({ state: 'nowhere' }), [])
      same(
        (await list({})).toSorted((a, b) => a - b),
        [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
      )
      same(await list({ machine: 'invoice' }), [11])
      same(await list({ machine: 'nothing' }), [])
      for (const limit of [1, 2, 3]) same(await list({ limit }), await list({}), `pages of ${limit}`)
      const [first] = (await store.list({ machine: 'order', status: 'failed', limit: 1 })).items
      same(first, ends(5, 8_000, 'failed'))
    },
  },
  {
    title: 'pages of the ended are right where many ended in one ms',
    async run(given) {
      await create(given, ...[1, 2, 3, 4, 5, 6, 7].map((k) => ends(k, k === 4 ? 9_001 : 9_000)))
      for (const limit of [1, 2, 3, 7])
        same(await pages(given.store, { machine: 'order', status: 'done', limit }), [4, 7, 6, 5, 3, 2, 1])
    },
  },
  {
    title: 'pages stay right while rows come, change and end',
    async run(given) {
      const { store } = given
      await create(given, ...[1, 2, 3, 4, 5, 6].map((k) => instanceOf(k)))
      let k = 100
      const live = await pages(store, { machine: 'order', status: 'waiting', limit: 2 }, async () => {
        if (k < 103) await create(given, instanceOf(++k))
        const i = k - 100
        await given.write({ instances: [instanceOf(i, { status: 'done', state: 'done', endedAt: 9_000 + i, seq: 2 })] })
      })
      for (const expected of [4, 5, 6]) ok(live.includes(expected), `${expected} was there all the time`)
      equal(new Set(live).size, live.length, 'none comes twice')
      const ended = await pages(store, { machine: 'order', status: 'done', limit: 1 }, async () => {
        if (k < 106) await given.write({ instances: [ends(++k - 100, 9_900 + k)] })
      })
      same(ended, [3, 2, 1], 'what ends meanwhile is newer than where the pages are')
    },
  },
  {
    title: 'a cursor that no page gave is refused',
    async run({ store }) {
      await rejects(store.list({ machine: 'order', limit: 1, after: 'nonsense' }), { code: 'BAD_CURSOR' })
      await rejects(store.deadLetters({ limit: 1, after: 'nonsense' }), { code: 'BAD_CURSOR' })
    },
  },
  {
    title: 'the population of living instances by version and state',
    async run(given) {
      await create(given, ...population)
      const found = (await given.store.population('order')).map(
        ({ version, state, count }) => `${version} ${state} ${count}`,
      )
      same(found.toSorted(), ['1 placed 1', '1 reserving 4', '2 placed 1'])
      same(await given.store.population('nothing'), [])
    },
  },
]
