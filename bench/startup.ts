// A worker was killed while it had many checkouts under way, and another one starts on its file: when the first new checkout is done, and when all
// that were under way go on.
import { randomUUID } from 'node:crypto'
import type { App, Lifecycle } from '../src/index.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver } from './app.ts'
import { round, type Measured, type Row } from './row.ts'
import { checkoutData, checkoutThat } from './works.ts'

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

/** So many checkouts were done, as the app tells. */
function ended(app: App, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count
    app.on((event: Lifecycle) => {
      if (event.kind === 'transition' && event.to === 'done') left -= 1
      if (left === 0) resolve()
    })
  })
}

/** How many live. */
async function underWay(app: App): Promise<number> {
  const { running = 0, waiting = 0 } = (await app.counts()).instances['checkout'] ?? {}
  return running + waiting
}

/** Measures one row. What was under way answers when all of it has been started again: else its next steps would be measured, too. */
export async function measure({ path, count }: Row): Promise<Measured> {
  const from = performance.now()
  const cpu = (): number => process.cpuUsage().user / 1_000 + process.cpuUsage().system / 1_000
  const cpuBefore = cpu()
  const since = (): number => round(performance.now() - from, 0)
  const id = randomUUID()
  let [left, recoveredMs] = [count, NaN]
  let answer = (): void => undefined
  const answering = new Promise<void>((resolve) => (answer = resolve))
  const again = checkoutThat(async (ref, orderId) => {
    if (orderId === id) return { ref }
    left -= 1
    if (left === 0) {
      recoveredMs = since()
      answer()
    }
    await answering
    return { ref }
  })
  const app = appOver(sqliteStore(path), [again])
  const all = ended(app, count + 1)
  await app.start()
  const startedMs = since()
  await (await app.run(again, { id, data: checkoutData(id) })).result()
  const firstDoneMs = since()
  await all
  const finishedMs = since()
  const cpuMs = round(cpu() - cpuBefore, 0)
  const still = await underWay(app)
  await app.stop()
  if (still > 0) throw new Error(`${still} checkouts are still under way`)
  const rssMiB = round(process.memoryUsage.rss() / 2 ** 20, 0)
  return { figures: { running: count, startedMs, firstDoneMs, recoveredMs, finishedMs, cpuMs, rssMiB }, notes: [] }
}
