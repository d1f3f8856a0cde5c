import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import { Ids } from '../../src/store/sqlite/ids.ts'
import { migrations } from '../../src/store/sqlite/schema.ts'
import { Tape } from '../../src/store/sqlite/tape.ts'
import { sqliteStore } from '../../src/store/sqlite/store.ts'
import type { Change, Store } from '../../src/store/store.ts'
import { changeOf, instanceOf, rowOf } from '../../src/testing/store/fixture.ts'

// Instances come, go, and come again under the same names, in commits that are applied or rolled back, with the store closed or cut
// off at any point: a name must always lead to its instance, and never be given twice.

const NAMES = 40
const STEPS = 400

/** A run of random steps; the names as they must be are kept beside it. */
async function run(seed: number, path: string): Promise<void> {
  const random = seededRandom(seed)
  const idsInMemory = random.pick([1, 2, 4, 8])
  const expected = new Map<string, number>()
  let store: Store
  let session = ''
  let n = 0
  const reopen = async (): Promise<void> => {
    store = sqliteStore(path, { idsInMemory })
    await store.open({})
    session = (await store.openSession({ build: 'b', leaseMs: 1_000 })).session
  }
  const ended = (k: number, id: string) => instanceOf(k, { id, status: 'done', endedAt: 5 })
  const create = async (): Promise<void> => {
    const first = await store.allot('k', 3)
    // Numbers are not always used in the order in which they were given.
    const ks = random.chance(0.5) ? [first, first + 1, first + 2] : [first + 2, first]
    const ids = ks.map(() => `o-${random.int(NAMES)}`)
    const free = new Set(ids).size === ids.length && ids.every((id) => !expected.has(id))
    const fails = random.chance(0.3)
    const change = changeOf({
      created: new Set(ks),
      instances: ks.map((k, i) => ended(k, ids[i]!)),
      journal: ks.map((k) => rowOf(k, 1)),
      undead: [],
      deadLetters: [],
      // A row at fault behind those of the instances.
      unwaiting: fails ? [4_711] : [],
    })
    const { kind } = await store.commit(session, ++n, change)
    expect(kind).toBe(!free ? 'rejected' : fails ? 'broken' : 'applied')
    if (kind === 'applied') ks.forEach((k, i) => expected.set(ids[i]!, k))
  }
  const remove = async (): Promise<void> => {
    const id = `o-${random.int(NAMES)}`
    const removed = await store.remove(session, { target: { machine: 'order', id }, at: 1, why: 'w' })
    expect(removed).toBe(expected.delete(id))
  }
  await reopen()
  for (let step = 0; step < STEPS; step++) {
    if (random.chance(0.05)) {
      await store!.close()
      await reopen()
    } else await (random.chance(0.5) ? create() : remove())
    if (step % 20 === 0) {
      const targets = Array.from({ length: NAMES }, (_, i) => ({ machine: 'order', id: `o-${i}` }))
      const found = await store!.load(targets)
      expect(found.map(({ loaded }) => loaded?.instance.k)).toEqual(targets.map(({ id }) => expected.get(id)))
    }
  }
  await store!.close()
  checkFile(path)
}

/** Names in the table that lead nowhere would pile up for ever. */
function checkFile(path: string): void {
  const db = new DatabaseSync(path)
  const lost = db.prepare('select count(*) n from pawl_ids where k not in (select k from pawl_instances)').get()
  expect(lost).toEqual({ n: 0 })
  const written = db.prepare('select count(*) n from pawl_ids').get()!['n'] as number
  const mark = Number(db.prepare("select value from pawl_meta where name = 'ids'").get()?.['value'] ?? 0)
  expect(mark, 'names were written in bulk').toBeGreaterThan(0)
  expect(written).toBeGreaterThanOrEqual(
    db.prepare('select count(*) n from pawl_instances where k <= ?').get(mark)!['n'] as number,
  )
  db.close()
}

test.each([1, 2, 3, 4, 5, 6, 7, 8])('names lead to their instances, whatever happens (seed %i)', async (seed) => {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-ids-'))
  try {
    await run(seed, join(folder, 'shop.db'))
  } finally {
    rmSync(folder, { recursive: true })
  }
})

/** The store as a crash at this moment leaves it: what has not reached the file or its log is lost. */
function crashed(path: string, to: string): void {
  for (const end of ['', '-wal']) if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${to}${end}`)
}

test.each([1, 2, 3])('cut off after any commit: every name is found, none is given twice (seed %i)', async (seed) => {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-ids-'))
  const [path, copy] = [join(folder, 'shop.db'), join(folder, 'copy.db')]
  const random = seededRandom(seed)
  const idsInMemory = random.pick([2, 3, 8])
  const store = sqliteStore(path, { idsInMemory })
  await store.open({})
  const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
  const names = new Map<string, number>()
  const changeFor = (k: number, id: string) =>
    changeOf({
      created: new Set([k]),
      instances: [instanceOf(k, { id, status: 'done', endedAt: 5 })],
      journal: [rowOf(k, 1)],
    })
  try {
    for (let n = 1; n <= 60; n++) {
      const id = `o-${random.int(30)}`
      if (random.chance(0.7)) {
        const k = await store.allot('k', 1)
        const { kind } = await store.commit(session, n, changeFor(k, id))
        expect(kind).toBe(names.has(id) ? 'rejected' : 'applied')
        if (kind === 'applied') names.set(id, k)
      } else
        expect(await store.remove(session, { target: { machine: 'order', id }, at: 1, why: 'w' })).toBe(
          names.delete(id),
        )
      for (const end of ['', '-wal', '-shm', '-lock']) rmSync(`${copy}${end}`, { force: true })
      crashed(path, copy)
      await expectNames(copy, idsInMemory, names, changeFor)
    }
  } finally {
    await store.close()
    rmSync(folder, { recursive: true })
  }
})

async function expectNames(
  path: string,
  idsInMemory: number,
  names: ReadonlyMap<string, number>,
  changeFor: (k: number, id: string) => Change,
): Promise<void> {
  const store = sqliteStore(path, { idsInMemory })
  await store.open({})
  const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
  const ids = Array.from({ length: 30 }, (_, i) => `o-${i}`)
  let n = 0
  // Looked for first, as the engine does, or not at all.
  for (const looks of [false, true])
    for (const id of ids) {
      if (looks) {
        const [found] = await store.load([{ machine: 'order', id }])
        expect(found!.loaded?.instance.k).toBe(names.get(id))
      }
      if (names.has(id))
        expect(await store.commit(session, ++n, changeFor(await store.allot('k', 1), id))).toMatchObject({
          kind: 'rejected',
        })
    }
  const twice = 'select machine, id from pawl_instances group by machine, id having count(*) > 1'
  expect(await store.transaction((tx) => tx.sql(twice))).toEqual([])
  await store.close()
}

test('a name that was looked for while its removal was not settled is not free after the rollback', () => {
  const db = new DatabaseSync(':memory:')
  for (const { sql } of migrations) db.exec(sql)
  const ids = new Ids(db, '0123456789abcdef', 100)
  ids.add(1, 'o-1', 1, new Tape())
  ids.settled()
  ids.remove(1, 'o-1', 1)
  expect(ids.find(1, 'o-1')).toBe(undefined)
  ids.forget()
  expect(() => ids.add(1, 'o-1', 2, new Tape())).toThrow(expect.objectContaining({ code: 'DUPLICATE_ROW' }))
  db.close()
})

test('what is removed in a transaction that is rolled back is there again', () => {
  const db = new DatabaseSync(':memory:')
  for (const { sql } of migrations) db.exec(sql)
  const ids = new Ids(db, '0123456789abcdef', 100)
  ids.add(1, 'o-1', 1, new Tape())
  ids.settled()
  ids.remove(1, 'o-1', 1)
  expect(ids.find(1, 'o-1')).toBe(undefined)
  ids.forget()
  expect(ids.find(1, 'o-1')).toBe(1)
  expect(ids.find(2, 'o-1'), 'an id belongs to its machine').toBe(undefined)
  db.close()
})
