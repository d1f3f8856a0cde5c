// The thread that writes large commits: what waits for it, and what is known when it dies.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { sqliteStore } from '../../src/store/sqlite/store.ts'
import type { CommitResult, Store } from '../../src/store/store.ts'
import { changeOf, instanceOf, letterOf, rowOf } from '../../src/testing/store/fixture.ts'

let folder: string
let store: Store
let session: string
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-thread-'))
  store = sqliteStore(join(folder, 'shop.db'), { large: 1 })
  await store.open({})
  session = (await store.openSession({ build: 'b', leaseMs: 1_000 })).session
})
afterEach(async () => {
  vi.restoreAllMocks()
  await store.close()
  rmSync(folder, { recursive: true, force: true })
})

const commit = (n: number, k: number): Promise<CommitResult> =>
  store.commit(session, n, changeOf({ created: new Set([k]), instances: [instanceOf(k)], journal: [rowOf(k, 1)] }))
const targetOf = (k: number) => ({ machine: instanceOf(k).machine, id: instanceOf(k).id })
const isThere = async (k: number): Promise<boolean> => (await store.load([targetOf(k)]))[0]!.loaded !== null
const journalOf = (k: number): Promise<number> => store.journal(k, 0, 10).then((rows) => rows.length)

/** The thread gets the next commit or not, and ends; an answer of it is not heard. */
function dies(gets: boolean): void {
  const spy = vi.spyOn(Worker.prototype, 'postMessage')
  spy.mockImplementation(function (this: Worker, message: unknown) {
    spy.mockRestore()
    this.removeAllListeners('message')
    if (!gets) return void this.terminate()
    this.once('message', () => void this.terminate())
    this.postMessage(message)
  })
}

test('what is written meanwhile waits for it, and is not lost', async () => {
  const large = commit(1, 1)
  const [places, user] = [
    store.append([letterOf('m-1')], {}),
    store.transaction((tx) => tx.sql('select count(*) n from pawl_instances')),
  ]
  expect(await large).toMatchObject({ kind: 'applied' })
  expect(await places).toHaveLength(1)
  expect(await user).toEqual([{ n: 1 }])
  expect(await isThere(1)).toBe(true)
})

test('what it has not committed is not seen', async () => {
  const large = commit(1, 1)
  expect(await isThere(1)).toBe(false)
  await large
  expect(await isThere(1)).toBe(true)
})

test('two commits at once are written one after the other', async () => {
  expect(await Promise.all([commit(1, 1), commit(2, 2)])).toMatchObject([{ kind: 'applied' }, { kind: 'applied' }])
  expect(await isThere(1)).toBe(true)
  expect(await isThere(2)).toBe(true)
})

test('a row that it cannot write undoes the whole commit, and names can be used again', async () => {
  await commit(1, 1)
  const change = changeOf({
    created: new Set([2, 1]),
    instances: [instanceOf(2), { ...instanceOf(1), id: 'other' }],
    journal: [rowOf(2, 1)],
  })
  expect(await store.commit(session, 2, change)).toMatchObject({ kind: 'rejected' })
  expect(await isThere(2)).toBe(false)
  expect(await commit(3, 2)).toMatchObject({ kind: 'applied' })
  expect(await isThere(2)).toBe(true)
})

test('closing waits for the commit', async () => {
  const large = commit(1, 1)
  await store.close()
  expect(await large).toMatchObject({ kind: 'applied' })
  store = sqliteStore(join(folder, 'shop.db'))
  await store.open({})
  expect(await isThere(1)).toBe(true)
})

test('it dies before it has written: the same number is applied once, by the other connection', async () => {
  dies(false)
  expect(await commit(1, 1)).toMatchObject({ kind: 'transient', error: { code: 'THREAD_LOST' } })
  expect(await isThere(1)).toBe(false)
  expect(await commit(1, 1)).toMatchObject({ kind: 'applied' })
  expect(await journalOf(1)).toBe(1)
})

test('it dies after it has written, and before its answer is heard: the commit is found in the file', async () => {
  dies(true)
  expect(await commit(1, 1)).toMatchObject({ kind: 'applied' })
  expect(await isThere(1)).toBe(true)
  expect(await commit(1, 1), 'sent again it is the same').toMatchObject({ kind: 'applied' })
  expect(await journalOf(1)).toBe(1)
  expect(await commit(2, 2)).toMatchObject({ kind: 'applied' })
})
