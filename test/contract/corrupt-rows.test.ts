// F31: one row of the file cannot be read. It is named, what belongs to it waits, and everything else goes on (I10).
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, pawl, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { isPawlError } from '../../src/base/errors.ts'
import { expectLaws } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Tell = command('tell', { data: z.object({ to: z.string() }) })
const Work = command('work', { data: z.object({}) })
const Rest = command('rest', { data: z.object({}) })
const Told = event('told', { data: z.object({ id: z.string() }), key: (d) => d.id })
const work = activity('work', { input: z.object({}), output: z.object({}), run: () => Promise.resolve({}) })
const m = machine('m', {
  data: z.object({ n: z.number().default(0) }),
  receives: [Add, Tell, Told, Work, Rest],
  emits: [Told],
  initial: 'a',
  states: {
    a: {
      on: {
        add: { set: ({ data, message }) => ({ n: data.n + message.n }) },
        tell: { emit: { told: ({ message }) => ({ id: message.to }) } },
        told: { set: ({ data }) => ({ n: data.n + 100 }) },
        work: 'working',
        rest: 'resting',
      },
    },
    working: { call: work, input: () => ({}), done: 'a' },
    resting: { after: { '300 ms': { to: 'a', set: ({ data }) => ({ n: data.n + 1_000 }) } } },
  },
})
const services = [service('s', { machines: [m] })]

let folder: string
let apps: App[]
let logs: { text: string; machine?: string; id?: string }[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'pawl-corrupt-row-'))
  apps = []
  logs = []
})
afterEach(async () => {
  await Promise.all(apps.map((app) => app.stop()))
  rmSync(folder, { recursive: true, force: true })
})
const file = (): string => join(folder, 'db')
const start = async (): Promise<App> => {
  const app = pawl({ services, store: `sqlite:${file()}`, log: (record) => logs.push(record) })
  apps.push(app)
  await app.start()
  return app
}
const sql = (text: string): void => {
  const db = new DatabaseSync(file())
  expect(db.prepare(text).run().changes).toBe(1)
  db.close()
}
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'none',
    (error: unknown) => (isPawlError(error) ? error.code : String(error)),
  )
/** Two instances, of which one is damaged while nobody is here. */
const damaged = async (text: string, before?: (app: App) => Promise<unknown>): Promise<App> => {
  const first = await start()
  await first.run(m, { id: 'good', data: {} })
  await first.run(m, { id: 'bad', data: {} })
  await before?.(first)
  await first.stop()
  sql(text)
  return start()
}
const nOf = async (app: App, id: string): Promise<number> => (await app.get(m, id).state())!.data.n
const expectGood = async (app: App): Promise<void> => {
  const n = await nOf(app, 'good')
  await app.send(m, 'good', Add({ n: 1 }))
  expect(await nOf(app, 'good')).toBe(n + 1)
  await app.send(m, 'good', Rest({}))
  await app.get(m, 'good').reaches('a')
  expect(await nOf(app, 'good')).toBe(n + 1_001)
  expect((await app.list(m)).items.map(({ id }) => id)).toContain('good')
  await expectLaws(app)
}

describe('F31: a row that cannot be read', () => {
  for (const [what, change] of [
    ['data', "data = '{oops'"],
    ['data of another kind', "data = '42'"],
    ['timers', "timers = 'x'"],
    ['calls', "calls = '['"],
  ] as const)
    test(`of an instance (${what}) stops it alone, and is named`, async () => {
      const app = await damaged(`update pawl_instances set ${change} where id = 'bad'`)
      const sent = [app.send(m, 'bad', Add({ n: 1 })), app.send(m, 'good', Add({ n: 1 })), app.send(m, 'bad', Work({}))]
      expect(await Promise.all(sent.map(codeOf))).toEqual(['ROW_CORRUPT', 'none', 'ROW_CORRUPT'])
      expect(await codeOf(app.get(m, 'bad').state())).toBe('ROW_CORRUPT')
      await expectGood(app)
      expect((await app.list(m)).items.map(({ id }) => id)).toEqual(['good'])
      const { store, ready, problems } = await app.health()
      expect({ store, ready }).toEqual({ store: 'ok', ready: true })
      expect(problems.join()).toContain(`pawl_instances.${change.split(' ')[0]} of m "bad"`)
      expect(logs.filter(({ id }) => id === 'bad')).toHaveLength(1)
    })

  test('what is due behind it fires, and what it sends to it is kept until the row is mended', async () => {
    const app = await damaged("update pawl_instances set timers = timers || 'x' where id = 'bad'", async (first) => {
      await first.send(m, 'bad', Rest({}))
      await first.send(m, 'good', Rest({}))
    })
    await app.get(m, 'good').reaches('a')
    expect(await nOf(app, 'good')).toBe(1_000)
    await app.send(m, 'good', Tell({ to: 'bad' }))
    await expectGood(app)
    expect((await app.counts()).messages.pending).toBe(1)
    await app.stop()
    sql("update pawl_instances set timers = rtrim(timers, 'x') where id = 'bad'")
    const mended = await start()
    await mended.get(m, 'bad').reaches('a')
    await mended.send(m, 'bad', Add({ n: 1 }))
    // Its timer has fired, and let in what had come meanwhile.
    expect(await nOf(mended, 'bad')).toBe(1_101)
    expect((await mended.health()).problems).toEqual([])
    await expectLaws(mended)
  })

  test('of the inbox keeps its place, and what stands behind it is read', async () => {
    const bad = "update pawl_instances set timers = 'x' where id = 'bad'"
    const app = await damaged(bad, async (first) => first.send(m, 'good', Add({ n: 0 })))
    for (let i = 0; i < 3; i++) await app.send(m, 'good', Tell({ to: 'bad' }))
    await app.stop()
    sql("update pawl_instances set timers = null where id = 'bad'")
    sql("update pawl_inbox set letter = '{' where n = (select min(n) from pawl_inbox)")
    const second = await start()
    await second.send(m, 'bad', Add({ n: 1 }))
    expect(await nOf(second, 'bad')).toBe(201)
    expect((await second.counts()).messages.pending).toBe(1)
    expect((await second.health()).problems.join()).toContain('pawl_inbox.letter')
    await expectGood(second)
  })

  test('of what waits stops its instance, and one of the journal the history alone', async () => {
    const app = await damaged("update pawl_waiting set input = '{' where id = 'bad'", async (first) => {
      await first.send(m, 'bad', Rest({}))
      await first.send(m, 'bad', Add({ n: 1 }), { until: 'stored' })
      await first.stop()
      sql("update pawl_journal set change = '{' where k = (select k from pawl_instances where id = 'good') and seq = 1")
    })
    expect(await codeOf(app.send(m, 'bad', Add({ n: 1 })))).toBe('ROW_CORRUPT')
    const history = async (): Promise<void> => {
      for await (const _ of app.get(m, 'good').history());
    }
    expect(await codeOf(history())).toBe('ROW_CORRUPT')
    await expectGood(app)
  })
})
