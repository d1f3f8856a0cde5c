// Many instances wait for a timer, and a tenth of them fall due at one moment: how late they are, whether one is early, and what those that wait cost
// in memory: an instance that does nothing is in the store alone, but for the names of the newest 65,536 (store/sqlite/ids.ts).
import { randomUUID } from 'node:crypto'
import { z } from 'zod'
import { machine, type App, type Lifecycle } from '../src/index.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver, withApp } from './app.ts'
import { aliveBytes } from './memory.ts'
import { round, timesOf, type Measured, type Row } from './row.ts'
import { Watch } from './watch.ts'

const sleeps = machine('sleeps', {
  data: z.object({ until: z.string() }),
  initial: 'asleep',
  states: {
    asleep: { after: [{ name: 'alarm', at: ({ data }) => data.until, to: 'awake' }] },
    awake: { final: 'done' },
  },
})

const DAY_MS = 86_400_000
const DUE_SHARE = 0.1
const TOGETHER = 1_000
/** Time beyond what the same number of others took to start. */
const LEAD_MS = 1_000
/** The first few are read in with the file. */
const SETTLED = 100

async function startAll(app: App, count: number, due: number): Promise<number> {
  const data = { until: new Date(due).toISOString() }
  const from = performance.now()
  for (let left = count; left > 0; left -= TOGETHER)
    await Promise.all(
      Array.from({ length: Math.min(left, TOGETHER) }, () => app.run(sleeps, { id: randomUUID(), data })),
    )
  return performance.now() - from
}

/** How late each of so many was, in ms; below 0: early. */
function awaited(app: App, count: number, due: number): Promise<readonly number[]> {
  const lateMs: number[] = []
  return new Promise((resolve) => {
    const end = app.on((event: Lifecycle) => {
      if (event.kind !== 'transition' || event.cause.kind !== 'timer') return
      lateMs.push(Date.now() - due)
      if (lateMs.length < count) return
      end()
      resolve(lateMs)
    })
  })
}

/** Bytes alive once an app has opened the file: nobody has asked for any instance yet. */
const aliveIn = (path: string): Promise<number> => withApp(appOver(sqliteStore(path), [sleeps]), aliveBytes)

/** Measures one row. */
export async function measure({ path, count }: Row): Promise<Measured> {
  const due = Math.round(count * DUE_SHARE)
  const later = Date.now() + 365 * DAY_MS
  const start = (many: number) => withApp(appOver(sqliteStore(path), [sleeps]), (app) => startAll(app, many, later))
  await start(SETTLED)
  const before = await aliveIn(path)
  const startMs = await start(count - due)
  const after = await aliveIn(path)
  const watch = new Watch(path)
  const lateMs = await withApp(appOver(sqliteStore(path), [sleeps]), async (app) => {
    const at = Date.now() + LEAD_MS + Math.ceil(startMs * (due / (count - due)) * 3)
    const all = awaited(app, due, at)
    await startAll(app, due, at)
    if (Date.now() >= at) throw new Error('they were due before all of them were started: measure with fewer')
    watch.begin()
    const late = await all
    watch.end()
    return late
  })
  return {
    figures: {
      waiting: count,
      due,
      startedPerSec: round((count - due) / (startMs / 1_000), 1),
      drainedMs: Math.max(...lateMs),
      p50LateMs: timesOf(lateMs).p50Ms,
      p99LateMs: timesOf(lateMs).p99Ms,
      early: lateMs.filter((ms) => ms < 0).length,
      aliveMiBOfWaiting: round((after - before) / 2 ** 20, 1),
      rssMiB: round(watch.rssMiB, 0),
      ...watch.loop(),
    },
    notes: watch.notes(),
  }
}
