// A parent of many children, which are started, do one call each, end and tell their parent: what a child costs, and what others wait meanwhile.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { activity, machine } from '../src/index.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver, withApp } from './app.ts'
import { others } from './callers.ts'
import { round, timesOf, type Measured, type Row } from './row.ts'
import { Watch } from './watch.ts'
import { workOf } from './works.ts'

const boot = activity('boot', { input: z.object({ node: z.string() }), output: z.object({}), run: () => ({}) })
const node = machine('node', {
  data: z.object({ name: z.string() }),
  initial: 'booting',
  states: {
    booting: { call: boot, input: ({ data }) => ({ node: data.name }), done: 'ready' },
    ready: { final: 'done' },
  },
})
const pool = machine('pool', {
  data: z.object({ name: z.string(), size: z.number() }),
  children: {
    nodes: {
      of: node,
      each: ({ data }) =>
        Array.from({ length: data.size }, (_, i) => ({ id: `${data.name}-${i}`, data: { name: `${data.name}-${i}` } })),
    },
  },
  initial: 'scaling',
  states: { scaling: { until: { nodes: { all: 'ready' } }, done: 'up' }, up: { final: 'done' } },
})

const OTHERS = 10
const ALONE_MS = 1_000

/** Measures one row. */
export async function measure({ path, count, work }: Row): Promise<Measured> {
  const other = workOf(work)
  const watch = new Watch(path)
  return withApp(appOver(sqliteStore(path), [pool, node, ...other.machines]), async (app) => {
    const before = others(app, other, OTHERS)
    await new Promise((resolve) => setTimeout(resolve, ALONE_MS))
    const alone = timesOf(await before())
    const beside = others(app, other, OTHERS)
    watch.begin()
    const from = performance.now()
    const name = randomUUID()
    await (await app.run(pool, { id: name, data: { name, size: count } })).result()
    const ms = performance.now() - from
    watch.end()
    const othersMs = await beside()
    return {
      figures: {
        children: count,
        ms: round(ms, 0),
        microsPerChild: round((ms * 1_000) / count, 1),
        cpuMicrosPerChild: round((watch.cpuMs * 1_000) / count, 1),
        othersFinished: othersMs.length,
        othersP99Ms: timesOf(othersMs).p99Ms,
        othersAloneP99Ms: alone.p99Ms,
        rssMiB: round(watch.rssMiB, 0),
        ...watch.loop(),
      },
      notes: watch.notes(),
    }
  })
}
