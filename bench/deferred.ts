// Messages that come before their instance can take them: what one costs when it is put aside and when it is taken after all, and what others wait
// meanwhile.
//
// `one`: all of them for one instance. A hundred may wait for it, so the others become dead letters, each with an answer to its sender.
// `many`: a hundred for each of so many instances, and then every one of these is told to go on.
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { event, isPawlError, machine, type App } from '../src/index.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver, withApp } from './app.ts'
import { others } from './callers.ts'
import { round, timesOf, type Measured, type Row } from './row.ts'
import { Watch } from './watch.ts'
import { workOf } from './works.ts'

const data = z.object({ box: z.string() })
const Note = event('bench.note', { data, key: (d) => d.box })
const Open = event('bench.open', { data, key: (d) => d.box })
const Close = event('bench.close', { data, key: (d) => d.box })
const box = machine('box', {
  data: z.object({ box: z.string(), notes: z.number().default(0) }),
  receives: [Note, Open, Close],
  initial: 'shut',
  states: {
    shut: { on: { 'bench.open': 'open' } },
    open: { on: { 'bench.note': { set: ({ data }) => ({ notes: data.notes + 1 }) }, 'bench.close': 'over' } },
    over: { final: 'done' },
  },
})

/** What may wait for one instance. */
const WAITING_MAX = 100
const OTHERS = 10

/** What became of them. */
interface Sent {
  readonly deferred: number
  readonly dead: number
}

async function sendAll(app: App, boxes: readonly string[], each: number): Promise<Sent> {
  let [deferred, dead] = [0, 0]
  const send = async (name: string): Promise<void> => {
    try {
      const { outcome } = await app.send(box, name, Note({ box: name }), { within: '10 minutes' })
      if (outcome === 'deferred') deferred += 1
    } catch (error) {
      if (!isPawlError(error) || error.code !== 'WAITING_FULL') throw error
      dead += 1
    }
  }
  await Promise.all(boxes.flatMap((name) => Array.from({ length: each }, () => send(name))))
  return { deferred, dead }
}

async function timed<T>(work: () => Promise<T>): Promise<{ readonly value: T; readonly ms: number }> {
  const from = performance.now()
  const value = await work()
  return { value, ms: performance.now() - from }
}

async function taken(app: App, boxes: readonly string[]): Promise<number> {
  const states = await Promise.all(boxes.map((name) => app.get(box, name).state()))
  return states.reduce((sum, state) => sum + state.data.notes, 0)
}

/** Measures one row. */
export async function measure({ path, count, label, work }: Row): Promise<Measured> {
  const other = workOf(work)
  const watch = new Watch(path)
  const instances = label.startsWith('one') ? 1 : Math.ceil(count / WAITING_MAX)
  const boxes = Array.from({ length: instances }, () => randomUUID())
  return withApp(appOver(sqliteStore(path), [box, ...other.machines]), async (app) => {
    await Promise.all(boxes.map((name) => app.run(box, { id: name, data: { box: name } })))
    const beside = others(app, other, OTHERS)
    watch.begin()
    const sent = await timed(() => sendAll(app, boxes, Math.ceil(count / instances)))
    const opened = await timed(() => Promise.all(boxes.map((name) => app.send(box, name, Open({ box: name })))))
    watch.end()
    const othersMs = await beside()
    const { deferred, dead } = sent.value
    return {
      figures: {
        messages: deferred + dead,
        deferred,
        dead,
        taken: await taken(app, boxes),
        microsPerMessage: round((sent.ms * 1_000) / (deferred + dead), 1),
        microsPerTaken: round((opened.ms * 1_000) / Math.max(1, deferred), 1),
        othersP99Ms: timesOf(othersMs).p99Ms,
        rssMiB: round(watch.rssMiB, 0),
        ...watch.loop(),
      },
      notes: watch.notes(),
    }
  })
}
