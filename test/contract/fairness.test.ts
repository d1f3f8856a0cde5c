// Whose turn it is: higher priority first, then fairness keys in turn.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { command, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { onBothStores } from '../support/world.ts'

const Work = command('work', { data: z.object({}) })
const Begin = event('begin', { data: z.object({ id: z.string(), tenant: z.string() }), key: (d) => d.id })
const job = (name: string, priority: number) =>
  machine(name, {
    data: z.object({ tenant: z.string(), done: z.number().default(0) }),
    receives: [Work, Begin],
    start: {
      begin: ({ tenant }) => {
        if (tenant === 'throws') throw new Error('no such tenant')
        return tenant === 'rejects' ? (Promise.reject(new Error('no such tenant')) as never) : { tenant }
      },
    },
    priority,
    fairBy: ({ data }) => data.tenant,
    initial: 'a',
    states: {
      a: { on: { work: { set: ({ data }) => ({ done: data.done + 1 }) } }, after: { '900 days': 'end' } },
      end: { final: 'done' },
    },
  })
const plain = job('plain', 0)
const urgent = job('urgent', 10)
const services = [service('s', { machines: [plain, urgent] })]

onBothStores('turns', (make) => {
  async function scene(batchItems: number): Promise<{ app: App; order: string[] }> {
    const app = await make({ tuning: { batchItems } }).start(services)
    const order: string[] = []
    app.on((e) => void (e.kind === 'transition' && order.push(e.id)))
    return { app, order }
  }

  describe('fairness', () => {
    test('one key with 10,000 ready starts keeps nobody else waiting (I10)', async () => {
      const { app, order } = await scene(50)
      const flood = Array.from({ length: 10_000 }, (_, n) => app.run(plain, { id: `a${n}`, data: { tenant: 'a' } }))
      const late = [1, 2, 3].map((n) => app.run(plain, { id: `b${n}`, data: { tenant: 'b' } }))
      const other = app.run(plain, { id: 'c1', data: { tenant: 'c' } })
      await Promise.all([...late, other])
      // Two keys and then three took turns: the few were through with the first batch or the second.
      expect(order.length).toBeLessThanOrEqual(100)
      await Promise.all(flood)
      expect(order).toHaveLength(10_004)
    })
    test('so with 10,000 ready messages that start', async () => {
      const { app, order } = await scene(50)
      const begin = (id: string, tenant: string) => app.send(plain, id, Begin({ id, tenant }), { within: '1 hour' })
      const flood = Array.from({ length: 10_000 }, (_, n) => begin(`a${n}`, 'a'))
      await Promise.all(['b', 'c'].map((tenant) => begin(`${tenant}1`, tenant)))
      expect(order.length).toBeLessThanOrEqual(100)
      await Promise.all(flood)
      expect(order).toHaveLength(10_002)
    })
    test('a `start` or `fairBy` that fails, or promises, is told to its sender alone', async () => {
      const { app } = await scene(50)
      for (const tenant of ['throws', 'rejects'])
        await expect(app.send(plain, tenant, Begin({ id: tenant, tenant }))).rejects.toMatchObject({
          code: 'HANDLER_FAILED',
        })
      expect(await app.send(plain, 'x', Begin({ id: 'x', tenant: 'x' }))).toMatchObject({ outcome: 'applied' })
    })
    test('one key with many ready messages keeps nobody else waiting', async () => {
      const { app, order } = await scene(20)
      await Promise.all(Array.from({ length: 2_000 }, (_, n) => app.run(plain, { id: `a${n}`, data: { tenant: 'a' } })))
      await app.run(plain, { id: 'b', data: { tenant: 'b' } })
      order.length = 0
      const flood = Array.from({ length: 2_000 }, (_, n) => app.send(plain, `a${n}`, Work({})))
      const few = [app.send(plain, 'b', Work({}))]
      await Promise.all(few)
      expect(order.length).toBeLessThanOrEqual(40)
      await Promise.all(flood)
      expect(order).toHaveLength(2_001)
    })
    test('a key that is no text is a key all the same: nothing is left lying', async () => {
      const careless = machine('careless', {
        data: z.object({ tenant: z.string().optional() }),
        fairBy: ({ data }) => data.tenant as string,
        initial: 'a',
        states: { a: { after: { '900 days': 'end' } }, end: { final: 'done' } },
      })
      const app = await make().start([service('s', { machines: [careless] })])
      expect(await (await app.run(careless, { id: 'a', data: {} })).state()).toMatchObject({ state: 'a' })
    })
    test('those of one instance stay in order', async () => {
      const { app } = await scene(3)
      await app.run(plain, { id: 'a', data: { tenant: 'a' } })
      const receipts = await Promise.all(Array.from({ length: 50 }, () => app.send(plain, 'a', Work({}))))
      expect(receipts.map(({ seq }) => seq)).toEqual(Array.from({ length: 50 }, (_, n) => n + 2))
    })
  })

  test('higher priority first, however much of the lower waits', async () => {
    const { app, order } = await scene(20)
    const low = Array.from({ length: 2_000 }, (_, n) => app.run(plain, { id: `low${n}`, data: { tenant: 'a' } }))
    const high = Array.from({ length: 30 }, (_, n) => app.run(urgent, { id: `high${n}`, data: { tenant: 'a' } }))
    await Promise.all(high)
    const before = order.slice(0, order.lastIndexOf('high29') + 1).filter((id) => id.startsWith('low'))
    expect(before.length).toBeLessThanOrEqual(20)
    await Promise.all(low)
    expect(order).toHaveLength(2_030)
  })
})
