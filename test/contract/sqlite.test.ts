import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { sqliteStore, type SqliteOptions } from '../../src/store/sqlite/store.ts'
import { storeSuite, type StoreFixture } from '../../src/testing/store-suite.ts'

const features = { sessions: false, sql: true, backup: true } as const

/** Time that moves when it is told to. */
const movable = () => {
  const clock = {
    at: 10_000,
    now: () => clock.at,
    monotonic: () => clock.at,
    after: () => () => {},
    turn: async () => {},
  }
  return clock
}

const inFolder =
  (name: (folder: string) => string, durable: boolean, options: SqliteOptions = {}) =>
  async (): Promise<StoreFixture> => {
    const folder = mkdtempSync(join(tmpdir(), 'pawl-store-'))
    const clock = movable()
    const at = (path: string) => sqliteStore(path, { ...options, clock })
    const copy = join(folder, 'copy.db')
    return {
      durable,
      connect: () => at(name(folder)),
      pass: async (ms) => void (clock.at += ms),
      copy: { path: copy, connect: () => at(copy) },
      end: async () => rmSync(folder, { recursive: true }),
    }
  }

storeSuite({
  name: 'sqlite, in a file',
  make: inFolder((folder) => join(folder, 'shop.db'), true),
  features,
  durable: true,
  describe,
  test,
})
storeSuite({
  name: 'sqlite, in memory',
  make: inFolder(() => ':memory:', false),
  features,
  durable: false,
  describe,
  test,
})
// Names of instances are written in bulk, far later than a case has instances: here after every other one.
storeSuite({
  name: 'sqlite, names written early',
  make: inFolder((folder) => join(folder, 'shop.db'), true, { idsInMemory: 2 }),
  features,
  durable: true,
  describe,
  test,
})
// Every commit goes to the thread that is there for large ones.
storeSuite({
  name: 'sqlite, written by a thread',
  make: inFolder((folder) => join(folder, 'shop.db'), true, { large: 0 }),
  features,
  durable: true,
  describe,
  test,
})
