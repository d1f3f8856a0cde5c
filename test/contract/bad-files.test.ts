// What may be wrong with the file itself, seen through the app: its own clear error, nothing done to the file, and once it is
// mended or replaced everything goes on and both laws balance.
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { command, machine, pawl, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { expectLaws } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const counter = machine('counter', {
  data: z.object({ n: z.number().default(0), text: z.string() }),
  receives: [Add],
  initial: 'a',
  states: {
    a: { on: { add: { set: ({ data, message }) => ({ n: data.n + message.n }) } }, after: { '30 days': 'b' } },
    b: { final: 'done' },
  },
})
const services = [service('s', { machines: [counter] })]
const COUNT = 60

let folder: string
let apps: App[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-bad-file-'))
  apps = []
})
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop()))
  rmSync(folder, { recursive: true, force: true })
})
const at = (name: string): string => join(folder, name)
const make = (name: string): App => {
  const app = pawl({ services, store: `sqlite:${at(name)}` })
  apps.push(app)
  return app
}
const start = async (name: string): Promise<App> => {
  const app = make(name)
  await app.start()
  return app
}
/** Instances, each with a message, one commit after the other. */
const fill = async (app: App): Promise<void> => {
  for (let i = 0; i < COUNT; i++) {
    await app.run(counter, { id: `i${i}`, data: { text: 'x'.repeat(2_000) } })
    await app.send(counter, `i${i}`, Add({ n: 1 }), { id: `m${i}` })
  }
}
/** A file with instances in it, closed. */
const filled = async (name: string): Promise<Buffer> => {
  const app = await start(name)
  await fill(app)
  await app.stop()
  return readFileSync(at(name))
}
/** All that is there is whole, and more can be done. */
const expectWhole = async (app: App): Promise<number> => {
  await expectLaws(app)
  const { items } = await app.list(counter, { limit: 1_000 })
  for (const { id, seq, data } of items) {
    expect(data.text).toHaveLength(2_000)
    expect(data.n).toBe(seq - 1)
    const seqs: number[] = []
    for await (const row of app.get(counter, id).history()) seqs.push(row.seq)
    expect(seqs).toEqual(Array.from({ length: seq }, (_, n) => n + 1))
  }
  const { id } = await app.run(counter, { data: { text: 'x'.repeat(2_000) } })
  expect(await app.send(counter, id, Add({ n: 1 }))).toMatchObject({ outcome: 'applied' })
  await expectLaws(app)
  return items.length
}
/** What an app says first of a file: at the start, or at the first use of what is damaged. */
const firstError = async (name: string): Promise<{ code?: string; message?: string }> => {
  const app = make(name)
  try {
    await app.start()
    await app.counts()
    await app.list(counter, { limit: 1_000 })
    for (let i = 0; i < COUNT; i++) for await (const _ of app.get(counter, `i${i}`).history());
    await app.send(counter, 'i0', Add({ n: 1 }), { within: '2 seconds' })
    return {}
  } catch (error) {
    return error as { code: string; message: string }
  } finally {
    await app.stop()
  }
}

describe('a damaged file (F31)', () => {
  test.each<readonly [string, (whole: Buffer) => Buffer]>([
    ['random bytes', (whole) => Buffer.from(whole.map((_, i) => (i * 7919 + (i >> 8) * 31) % 256))],
    ['a header that is gone', (whole) => Buffer.concat([Buffer.alloc(100), whole.subarray(100)])],
    [
      'a schema page that is gone',
      (whole) => Buffer.concat([whole.subarray(0, 100), Buffer.alloc(3_996), whole.subarray(4_096)]),
    ],
    [
      'all pages in the middle overwritten',
      (whole) => Buffer.concat([whole.subarray(0, 4_096 * 3), Buffer.alloc(whole.length - 4_096 * 3, 0xa5)]),
    ],
    ['cut to a third', (whole) => whole.subarray(0, Math.floor(whole.length / 3))],
    ['cut within its header', (whole) => whole.subarray(0, 50)],
  ])('%s: STORE_CORRUPT names the file and what to do; with a backup in its place all goes on', async (_, damage) => {
    const whole = await filled('shop.db')
    const damaged = damage(whole)
    writeFileSync(at('shop.db'), damaged)
    const { code, message } = await firstError('shop.db')
    expect(code).toBe('STORE_CORRUPT')
    expect(message).toContain('shop.db')
    expect(message).toContain('restore a backup')
    for (const end of ['-wal', '-shm']) rmSync(at(`shop.db${end}`), { force: true })
    writeFileSync(at('shop.db'), whole)
    expect(await expectWhole(await start('shop.db'))).toBe(COUNT)
  })
})

describe('a WAL that is left of a crash (F30)', () => {
  /** The files as a crash leaves them: copied while the app runs. */
  const crashed = async (): Promise<number> => {
    const app = await start('live.db')
    await fill(app)
    for (const end of ['', '-wal']) copyFileSync(at(`live.db${end}`), at(`dead.db${end}`))
    await app.stop()
    return statSync(at('dead.db-wal')).size
  }
  test('whole: everything that was acknowledged is there', async () => {
    expect(await crashed()).toBeGreaterThan(100_000)
    expect(await expectWhole(await start('dead.db'))).toBe(COUNT)
  })
  test.each([0.9, 0.5, 0.1, 0])(
    'cut off at %d of its length: each commit before that is whole, the laws balance',
    async (part) => {
      const size = await crashed()
      truncateSync(at('dead.db-wal'), Math.floor(size * part) + (part === 0 ? 0 : 7))
      const there = await expectWhole(await start('dead.db'))
      expect(there).toBeLessThan(COUNT)
      if (part === 0.9) expect(there).toBeGreaterThan(COUNT / 2)
    },
  )
  test.each([0.3, 0.7])(
    'with a flipped bit at %d of its length: what lies before it is whole, the laws balance',
    async (part) => {
      const size = await crashed()
      const wal = readFileSync(at('dead.db-wal'))
      const place = Math.floor(size * part)
      wal[place] = wal[place]! ^ 1
      writeFileSync(at('dead.db-wal'), wal)
      expect(await expectWhole(await start('dead.db'))).toBeLessThan(COUNT)
    },
  )
  test('lost, with the file alone copied: the file is older, and whole', async () => {
    await crashed()
    rmSync(at('dead.db-wal'))
    expect(await expectWhole(await start('dead.db'))).toBeLessThanOrEqual(COUNT)
  })
})

describe('a file that is none of ours', () => {
  test('an empty one is a new store', async () => {
    writeFileSync(at('shop.db'), '')
    const app = await start('shop.db')
    await fill(app)
    expect(await expectWhole(app)).toBe(COUNT)
  })
  test('the database of another program gets our tables beside its own, and keeps what it has', async () => {
    const db = new DatabaseSync(at('shop.db'))
    db.exec("create table notes (text text); insert into notes values ('mine'); pragma application_id = 42")
    db.close()
    const app = await start('shop.db')
    await fill(app)
    await app.stop()
    const again = new DatabaseSync(at('shop.db'))
    expect(again.prepare('select * from notes').all()).toEqual([{ text: 'mine' }])
    again.close()
    expect(await expectWhole(await start('shop.db'))).toBe(COUNT)
  })
  test('a letter: STORE_CORRUPT, and it stays as it is', async () => {
    const letter = 'dear aunt,\n'.repeat(1_000)
    writeFileSync(at('shop.db'), letter)
    await expect(make('shop.db').start()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    expect(readFileSync(at('shop.db'), 'utf8')).toBe(letter)
  })
  test('a directory, or one that is not there: STORE_PATH', async () => {
    mkdirSync(at('folder'))
    await expect(make('folder').start()).rejects.toMatchObject({ code: 'STORE_PATH' })
    await expect(make('none/shop.db').start()).rejects.toMatchObject({ code: 'STORE_PATH' })
  })
  test('of a newer Pawl (F86): STORE_NEWER, untouched, and the newer one still opens it', async () => {
    await filled('shop.db')
    const db = new DatabaseSync(at('shop.db'))
    const schema = db.prepare("select value from pawl_meta where name = 'schema'").get()?.['value'] as string
    const set = (value: string) => db.prepare("update pawl_meta set value = ? where name = 'schema'").run(value)
    set('999')
    await expect(make('shop.db').start()).rejects.toMatchObject({
      code: 'STORE_NEWER',
      message: expect.stringContaining('999') as string,
    })
    expect(db.prepare("select value from pawl_meta where name = 'schema'").get()).toEqual({ value: '999' })
    set(schema)
    db.close()
    expect(await expectWhole(await start('shop.db'))).toBe(COUNT)
  })
  test('open in another app (F33): STORE_IN_USE, and that one goes on', async () => {
    const app = await start('shop.db')
    await fill(app)
    await expect(make('shop.db').start()).rejects.toMatchObject({ code: 'STORE_IN_USE' })
    expect(await expectWhole(app)).toBe(COUNT)
  })
  test('a long reader of somebody else (F34): commits go on', async () => {
    const app = await start('shop.db')
    const reader = new DatabaseSync(at('shop.db'), { readOnly: true })
    reader.exec('begin')
    reader.prepare('select count(*) from pawl_instances').get()
    await fill(app)
    expect(await expectWhole(app)).toBe(COUNT)
    reader.close()
  })
})
