// A worker was killed while it had many checkouts under way, and another one starts on its file: when the first new checkout is done, and when all
// that were under way go on.
import { randomUUID } from 'node:crypto'
import type { App, Lifecycle } from '../src/index.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver } from './app.ts'
import { round, type Measured, type Row } from './row.ts'
import { checkout, checkoutData, checkoutThat } from './works.ts'

const TOGETHER = 1_000

/** So many attempts were started, as the app tells. */
function attempts(app: App, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    app.on((event: Lifecycle) => {
      if (event.kind === 'attempt-started' && event.attempt === 1 && event.activity === 'warehouse.reserve') left -= 1
      if (left === 0) resolve()
    })
  })
}

/** Leaves so many checkouts in their first call. The process is to be killed then: it does not stop by itself. */
export async function leave({ path, count }: Row): Promise<Measured> {
  const held = checkoutThat(() => new Promise(() => undefined))
  const app = appOver(sqliteStore(path), [held])
  const all = attempts(app, count)
  await app.start()
  for (let left = count; left > 0; left -= TOGETHER)
    await Promise.all(
      Array.from({ length: Math.min(left, TOGETHER) }, () => {
        const id = randomUUID()
        return app.run(held, { id, data: checkoutData(id) })
      }),
    )
  await all
  return { figures: {}, notes: [] }
}

/** The ids of those that are under way. */
async function underWay(app: App): Promise<number> {
  const { running = 0, waiting = 0 } = (await app.counts()).instances['checkout'] ?? {}
  return running + waiting
}

/** Measures one row. */
export async function measure({ path, count }: Row): Promise<Measured> {
  const from = performance.now()
  const since = (): number => round(performance.now() - from, 0)
  const app = appOver(sqliteStore(path), [checkout])
  let [recovered, finished] = [0, 0]
  let [recoveredMs, finishedMs] = [NaN, NaN]
  const all = new Promise<void>((resolve) => {
    app.on((event: Lifecycle) => {
      // The first attempt of each died with its worker: what is started here is a second one, or the same again.
      if (event.kind === 'attempt-started' && event.activity === 'warehouse.reserve' && ++recovered === count + 1)
        recoveredMs = since()
      if (event.kind === 'transition' && event.to === 'done' && ++finished === count + 1) {
        finishedMs = since()
        resolve()
      }
    })
  })
  await app.start()
  const startedMs = since()
  const id = randomUUID()
  await (await app.run(checkout, { id, data: checkoutData(id) })).result()
  const firstDoneMs = since()
  await all
  const left = await underWay(app)
  await app.stop()
  if (left > 0) throw new Error(`${left} checkouts are still under way`)
  return {
    figures: {
      running: count,
      startedMs,
      firstDoneMs,
      recoveredMs,
      finishedMs,
      rssMiB: round(process.memoryUsage.rss() / 2 ** 20, 0),
    },
    notes: [],
  }
}
