import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { checkVersion } from '../../src/store/sqlite/file.ts'
import { migrations } from '../../src/store/sqlite/schema.ts'
import { sqliteStore, type SqliteOptions } from '../../src/store/sqlite/store.ts'
import type { Store } from '../../src/store/store.ts'
import { changeOf, instanceOf, letterOf, rowOf } from '../../src/testing/store/fixture.ts'

let folder: string
let stores: Store[]
let children: ChildProcess[]
const at = (name: string): string => join(folder, name)
const modeOf = (name: string): string => (statSync(at(name)).mode & 0o777).toString(8)

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-sqlite-'))
  stores = []
  children = []
})
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL')
  await Promise.all(stores.map((store) => store.close()))
  rmSync(folder, { recursive: true, force: true })
})

const make = (path: string, options?: SqliteOptions): Store => {
  const store = sqliteStore(path, options)
  stores.push(store)
  return store
}
const open = async (path: string, options?: SqliteOptions): Promise<Store> => {
  const store = make(path, options)
  await store.open({})
  return store
}
/** A store with one instance in it, closed. */
const filled = async (path: string): Promise<void> => {
  const store = await open(path)
  const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
  const change = changeOf({ created: new Set([1]), instances: [instanceOf(1)], journal: [rowOf(1, 1)] })
  expect(await store.commit(session, 1, change)).toMatchObject({ kind: 'applied' })
  await store.close()
}
const isThere = async (store: Store, id = 'o-1'): Promise<boolean> =>
  (await store.load([{ machine: 'order', id }]))[0]!.loaded !== null

const storeModule = fileURLToPath(new URL('../../src/store/sqlite/store.ts', import.meta.url))
/** Another process that opens the store, says so, and stays. */
const holder = async (path: string): Promise<ChildProcess> => {
  const code = `import { sqliteStore } from ${JSON.stringify(storeModule)}
    await sqliteStore(${JSON.stringify(path)}).open({})
    console.log('open')
    setInterval(() => {}, 1e6)`
  const child = spawn(process.execPath, ['--conditions=pawl-source', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  await new Promise<void>((resolve, reject) => {
    child.stdout!.once('data', () => resolve())
    child.once('exit', () => reject(new Error('the other process could not open the store')))
  })
  return child
}

describe('the file', () => {
  test('is for its owner alone, with all that lies beside it', async () => {
    const mask = process.umask(0)
    try {
      const store = await open(at('shop.db'))
      await store.append([letterOf('a')], {})
      for (const name of ['shop.db', 'shop.db-wal', 'shop.db-shm', 'shop.db-lock'])
        expect([name, modeOf(name)]).toEqual([name, '600'])
      await store.backup(at('copy.db'))
      expect(modeOf('copy.db')).toBe('600')
    } finally {
      process.umask(mask)
    }
  })

  test('that exists is taken from others, with all that lies beside it', async () => {
    await filled(at('shop.db'))
    const db = new DatabaseSync(at('shop.db'))
    db.exec('create table carts (id text)')
    for (const name of ['shop.db', 'shop.db-wal', 'shop.db-shm', 'shop.db-lock']) chmodSync(at(name), 0o644)
    const store = await open(at('shop.db'))
    await store.append([letterOf('a')], {})
    for (const name of ['shop.db', 'shop.db-wal', 'shop.db-shm', 'shop.db-lock'])
      expect([name, modeOf(name)]).toEqual([name, '600'])
    db.close()
  })

  test('through a link: the file itself is taken from others', async () => {
    await filled(at('shop.db'))
    chmodSync(at('shop.db'), 0o664)
    symlinkSync(at('shop.db'), at('link.db'))
    await open(at('link.db'))
    expect(modeOf('shop.db')).toBe('600')
  })

  test('needs a directory, and says so', async () => {
    await expect(make(at('no/shop.db')).open({})).rejects.toMatchObject({
      code: 'STORE_PATH',
      message: expect.stringContaining('create it first') as string,
    })
    mkdirSync(at('folder'))
    await expect(make(at('folder')).open({})).rejects.toMatchObject({ code: 'STORE_PATH' })
    symlinkSync(at('nowhere'), at('dangling.db'))
    await expect(make(at('dangling.db')).open({})).rejects.toMatchObject({ code: 'STORE_PATH' })
  })

  test('is written with every commit on the disk, in a WAL', async () => {
    const store = await open(at('shop.db'))
    const pragma = (name: string) =>
      store.transaction((tx) => Object.values(tx.sql(`select * from pragma_${name}`)[0]!)[0])
    expect([await pragma('journal_mode'), await pragma('synchronous'), await pragma('foreign_keys')]).toEqual([
      'wal',
      2,
      0,
    ])
  })

  test("lives beside a user's own tables of the same names", async () => {
    const db = new DatabaseSync(at('shop.db'))
    db.exec(
      'create table instances (id text); create table events (id text); create table meta (id text); pragma user_version = 7',
    )
    db.close()
    await filled(at('shop.db'))
    const store = await open(at('shop.db'))
    expect(await isThere(store)).toBe(true)
    expect(await store.transaction((tx) => tx.sql('select * from pragma_user_version'))).toEqual([{ user_version: 7 }])
  })
})

describe('the lock', () => {
  test('refuses a second open in this process, by whatever name, and is free after close', async () => {
    const store = await open(at('shop.db'))
    symlinkSync(at('shop.db'), at('link.db'))
    symlinkSync(folder, at('folder'))
    for (const name of ['shop.db', 'link.db', 'folder/shop.db', './folder/../link.db'])
      await expect(make(at(name)).open({}), name).rejects.toMatchObject({ code: 'STORE_IN_USE' })
    // The refused ones must not have dropped the lock of the first: POSIX drops all locks of a process with any close.
    const other = spawnSync(process.execPath, [
      '-e',
      `const { DatabaseSync } = require('node:sqlite'); new DatabaseSync(${JSON.stringify(at('shop.db-lock'))}, { timeout: 0 }).exec('begin exclusive')`,
    ])
    expect(other.status, 'another process cannot take it either').not.toBe(0)
    await store.close()
    expect(await isThere(await open(at('link.db')))).toBe(false)
  })

  test('refuses another process, and is free at once when that one is killed', async () => {
    await filled(at('shop.db'))
    const child = await holder(at('shop.db'))
    await expect(make(at('shop.db')).open({})).rejects.toMatchObject({ code: 'STORE_IN_USE' })
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await gone
    expect(await isThere(await open(at('shop.db')))).toBe(true)
  })

  test('is given back when the open fails', async () => {
    await filled(at('shop.db'))
    await expect(make(at('shop.db')).open({ partitions: 7 })).rejects.toMatchObject({ code: 'PARTITIONS_DIFFER' })
    await expect(make(at('shop.db'), { migrations: [] }).open({})).rejects.toMatchObject({ code: 'STORE_NEWER' })
    await open(at('shop.db'))
  })

  test('lets others read', async () => {
    await filled(at('shop.db'))
    await open(at('shop.db'))
    const reader = new DatabaseSync(at('shop.db'), { readOnly: true })
    expect(reader.prepare('select count(*) n from pawl_instances').get()).toEqual({ n: 1 })
    reader.close()
  })
})

describe('what is no store of ours', () => {
  test('a file of something else is refused, and left as it is', async () => {
    const text = 'this is a letter to my aunt, and no database at all\n'.repeat(200)
    writeFileSync(at('shop.db'), text)
    await expect(make(at('shop.db')).open({})).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    expect(readFileSync(at('shop.db'), 'utf8')).toBe(text)
  })

  test('a file that was cut short is refused, at the open or at the first read', async () => {
    await filled(at('shop.db'))
    truncateSync(at('shop.db'), 3 * 4096)
    const use = async () => {
      const store = await open(at('shop.db'))
      await store.load([{ machine: 'order', id: 'o-1' }])
      await store.recount()
    }
    await expect(use()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('pages that were overwritten: the commit says broken, and so does every one after it', async () => {
    await filled(at('shop.db'))
    const whole = readFileSync(at('shop.db'))
    // All but the first page, which holds the schema.
    whole.fill(0xa5, 4096 * 8)
    writeFileSync(at('shop.db'), whole)
    const store = await open(at('shop.db')).catch((error: unknown) => error as Error)
    if (store instanceof Error) return expect(store).toMatchObject({ code: 'STORE_CORRUPT' })
    const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
    const change = changeOf({
      created: new Set([2]),
      instances: [instanceOf(2)],
      journal: [rowOf(2, 1)],
      inbox: [letterOf('a')],
      counts: { x: 1 },
    })
    expect((await store.commit(session, 1, change)).kind).toBe('broken')
    expect((await store.commit(session, 2, changeOf({}))).kind).toBe('broken')
    await expect(store.append([letterOf('a')], {})).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  test('a schema of a newer Pawl is refused; an older one is brought forward, whole or not at all', async () => {
    await filled(at('shop.db'))
    const next = [...migrations, { title: 'notes', sql: 'create table pawl_notes as select id from pawl_instances' }]
    const failing = [
      ...next,
      { title: 'nonsense', sql: 'create table pawl_more (n integer); insert into nowhere values (1)' },
    ]
    await expect(make(at('shop.db'), { migrations: failing }).open({})).rejects.toMatchObject({
      code: 'STORE_FAILED',
      message: expect.stringContaining('nowhere') as string,
    })
    const untouched = await open(at('shop.db'))
    expect(
      await untouched.transaction((tx) => tx.sql("select name from sqlite_schema where name = 'pawl_more'")),
    ).toEqual([])
    await untouched.close()
    const store = await open(at('shop.db'), { migrations: next })
    expect(await store.transaction((tx) => tx.sql('select id from pawl_notes'))).toEqual([{ id: 'o-1' }])
    expect(await isThere(store)).toBe(true)
    await store.close()
    await expect(make(at('shop.db')).open({})).rejects.toMatchObject({
      code: 'STORE_NEWER',
      message: expect.stringContaining('newer Pawl') as string,
    })
    await open(at('shop.db'), { migrations: next })
  })

  test('a SQLite with the WAL-reset bug is refused (F35)', () => {
    for (const version of ['3.51.3', '3.51.10', '3.52.0', '4.0.0', '3.53.4'])
      expect(() => checkVersion(version), version).not.toThrow()
    for (const version of ['3.51.2', '3.50.9', '2.99.99', '3.9.0'])
      expect(() => checkVersion(version), version).toThrow(expect.objectContaining({ code: 'SQLITE_TOO_OLD' }))
  })
})

const root = process.getuid?.() === 0

describe('a disk that refuses', () => {
  /** A disk of one MB, or undefined where this user may not mount one. */
  const smallDisk = (): string | undefined => {
    mkdirSync(at('disk'))
    const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', at('disk')]).status === 0
    return mounted ? at('disk') : undefined
  }
  const unmount = (): void => void spawnSync('umount', ['-l', at('disk')])

  test.skipIf(!root)(
    'a full one: the commit says full and writes nothing; with room again it goes on',
    async ({ skip }) => {
      const disk = smallDisk()
      if (disk === undefined) return skip('this user may not mount a disk')
      try {
        const store = await open(join(disk, 'shop.db'))
        const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
        writeFileSync(join(disk, 'ballast'), Buffer.alloc(200_000))
        let n = 0
        const big = (k: number) =>
          changeOf({
            created: new Set([k]),
            instances: [instanceOf(k, { data: { text: 'x'.repeat(60_000) } })],
            journal: [rowOf(k, 1)],
          })
        let result = await store.commit(session, ++n, big(n))
        while (result.kind === 'applied' && n < 50) result = await store.commit(session, ++n, big(n))
        expect(result.kind).toBe('full')
        expect(await isThere(store, `o-${n}`)).toBe(false)
        expect(await isThere(store, `o-${n - 1}`)).toBe(true)
        await expect(
          store.append(
            [
              letterOf('x'.repeat(200), {
                letter: {
                  kind: 'event',
                  type: 'e',
                  version: 1,
                  key: 'k',
                  data: 'x'.repeat(100_000),
                  keepMs: 1,
                  id: 'i',
                  at: 1,
                  correlation: 'c',
                },
              }),
            ],
            {},
          ),
        ).rejects.toMatchObject({ code: 'STORE_FULL' })
        rmSync(join(disk, 'ballast'))
        expect((await store.commit(session, n, big(n))).kind).toBe('applied')
        expect(await isThere(store, `o-${n}`)).toBe(true)
        await store.close()
      } finally {
        unmount()
      }
    },
  )

  test.skipIf(!root)('one that is read-only: the open says so', async ({ skip }) => {
    const disk = smallDisk()
    if (disk === undefined) return skip('this user may not mount a disk')
    try {
      await filled(join(disk, 'shop.db'))
      expect(spawnSync('mount', ['-o', 'remount,ro', disk]).status).toBe(0)
      await expect(make(join(disk, 'shop.db')).open({})).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
      await expect(make(join(disk, 'new.db')).open({})).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
    } finally {
      unmount()
    }
  })

  // Nothing is forbidden to root.
  test.skipIf(root)('a file that may not be written: the open says so', async () => {
    await filled(at('shop.db'))
    chmodSync(at('shop.db'), 0o400)
    await expect(make(at('shop.db')).open({})).rejects.toMatchObject({ code: 'STORE_READ_ONLY' })
  })
})

describe('backups', () => {
  test('a copy that is made while commits go on is one moment, whole', async () => {
    const store = await open(at('shop.db'))
    const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
    let k = 0
    // Two rows a commit that only make sense together.
    const commit = () => {
      const change = changeOf({
        created: new Set([++k]),
        instances: [instanceOf(k, { data: { text: 'x'.repeat(30_000) } })],
        journal: [rowOf(k, 1)],
        counts: { 'i:started:order': 1, 'i:waiting:order': 1 },
      })
      return store.commit(session, k, change)
    }
    while (k < 200) await commit()
    let over = false
    const backup = store.backup(at('copy.db')).then(() => (over = true))
    while (!over) {
      await commit()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await backup
    expect(k, 'commits went on meanwhile').toBeGreaterThan(200)
    const copy = await open(at('copy.db'))
    const { instances } = await copy.recount()
    expect(instances['order']!.waiting).toBe(instances['order']!.started)
    expect(instances['order']!.started).toBeGreaterThanOrEqual(200)
    expect(instances['order']!.started).toBeLessThanOrEqual(k)
    expect(await copy.transaction((tx) => tx.sql('select * from pragma_integrity_check'))).toEqual([
      { integrity_check: 'ok' },
    ])
  })

  test('close waits for one under way; a target without a directory is refused', async () => {
    await filled(at('shop.db'))
    const store = await open(at('shop.db'))
    await expect(store.backup(at('no/copy.db'))).rejects.toMatchObject({ code: 'STORE_PATH' })
    linkSync(at('shop.db'), at('other.db'))
    await expect(store.backup(at('other.db'))).rejects.toMatchObject({ code: 'BACKUP_EXISTS' })
    const backup = store.backup(at('copy.db'))
    await store.close()
    await backup
    expect(await isThere(await open(at('copy.db')))).toBe(true)
  })
})

const modules = (path: string): string => JSON.stringify(fileURLToPath(new URL(`../../src/${path}`, import.meta.url)))

describe('kill -9', () => {
  test('in the middle of commits: what was acknowledged is there, each commit whole or not at all', async () => {
    const code = `import { writeSync } from 'node:fs'
      import { sqliteStore } from ${modules('store/sqlite/store.ts')}
      import { changeOf, eventOf, instanceOf, rowOf } from ${modules('testing/store/fixture.ts')}
      const store = sqliteStore(${JSON.stringify(at('shop.db'))}, { idsInMemory: 5 })
      await store.open({})
      const { session } = await store.openSession({ build: 'b', leaseMs: 1_000 })
      for (let k = 1; ; k++) {
        const change = changeOf({
          created: new Set([k]), instances: [instanceOf(k, { data: { text: 'x'.repeat(3_000) } })], journal: [rowOf(k, 1)],
          events: [eventOf(1, k)], counts: { 'i:started:order': 1, 'i:waiting:order': 1 } })
        const { kind } = await store.commit(session, k, change)
        if (kind !== 'applied') throw new Error(kind)
        writeSync(1, k + '\\n')
      }`
    for (let round = 0; round < 3; round++) {
      for (const end of ['', '-wal', '-shm', '-lock']) rmSync(at(`shop.db${end}`), { force: true })
      const acknowledged = await killedAfter(code, 20 + 90 * round)
      const store = await open(at('shop.db'))
      const ids = Array.from({ length: acknowledged + 2 }, (_, i) => ({ machine: 'order', id: `o-${i + 1}` }))
      const there = (await store.load(ids)).filter(({ loaded }) => loaded !== null).length
      // The last commit may have been applied and not yet told of.
      expect([acknowledged, acknowledged + 1]).toContain(there)
      expect((await store.events(1, 0, 99_999)).map(({ offset }) => offset)).toEqual(
        ids.slice(0, there).map((_, i) => i + 1),
      )
      expect((await store.journal(there, 0, 9)).length).toBe(1)
      const { order } = (await store.recount()).instances
      expect([order!.started, order!.waiting]).toEqual([there, there])
      expect((await store.counts())['i:waiting:order']).toBe(there)
      expect(await store.transaction((tx) => tx.sql('select * from pragma_integrity_check'))).toEqual([
        { integrity_check: 'ok' },
      ])
      await store.close()
    }
  })
})

/** Runs a program that prints growing numbers, kills it once it has printed this one, and answers the last that it printed. */
async function killedAfter(code: string, number: number): Promise<number> {
  const child = spawn(process.execPath, ['--conditions=pawl-source', '--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  children.push(child)
  let printed = ''
  child.stdout.on('data', (text: Buffer) => {
    printed += text.toString()
    if (Number(printed.trimEnd().split('\n').at(-1)) >= number) child.kill('SIGKILL')
  })
  await new Promise((resolve) => child.once('close', resolve))
  // A line that was cut is none.
  const last = Number(printed.slice(0, printed.lastIndexOf('\n')).split('\n').at(-1))
  expect(last).toBeGreaterThanOrEqual(number)
  return last
}

test('time does not go back, not over a restart either; the file knows nothing of a jump that is not believed', async () => {
  const clock = {
    wall: 50_000,
    passed: 0,
    now: () => clock.wall + clock.passed,
    monotonic: () => clock.passed,
    after: () => () => {},
    turn: async () => {},
  }
  const inFile = async (store: Store): Promise<number> => {
    await store.append([], { x: 1 })
    return Number(
      (await store.transaction((tx) => tx.sql("select value from pawl_meta where name = 'clock'")))[0]!['value'],
    )
  }
  const store = await open(at('shop.db'), { clock })
  expect(await store.now()).toBe(50_000)
  await store.append([], { x: 1 })
  clock.wall = 20_000
  expect(await store.now()).toBe(50_000)
  await store.close()
  const again = await open(at('shop.db'), { clock })
  expect(await again.now()).toBe(50_000)
  clock.wall = 60_000
  expect(await again.now()).toBe(60_000)
  clock.wall += 86_400_000
  expect(await again.now()).toBe(60_000)
  clock.passed += 5_000
  expect(await inFile(again)).toBe(65_000)
  clock.wall -= 86_400_000
  clock.passed += 60_000
  expect(await inFile(again)).toBe(125_000)
})
