// Brings orders into the shop: at a rate, or as fast as it takes them, and never more at once than it can see to.
import { setTimeout as sleep } from 'node:timers/promises'
import { isPawlError, type App } from 'pawl'
import type { Placed } from './orders.ts'
import { CancelOrder, order } from './process.ts'

const OPEN_MAX = 2_000
const BATCH_MAX = 250
const PAUSE_MS = 40

/** How orders are brought in. */
export interface Feed {
  readonly source: AsyncIterable<Placed>
  /** Orders per second; undefined: as fast as it goes. */
  readonly rate: number | undefined
  /** Ends it early. */
  readonly signal: AbortSignal
  /** One is in, and safe. */
  readonly placed: (order: Placed) => void
  /** Its id belongs to another order. */
  readonly refused: (order: Placed) => void
}

const openOrders = async (app: App): Promise<number> => {
  const orders = (await app.counts()).instances['order']
  return (orders?.running ?? 0) + (orders?.waiting ?? 0)
}

const cancelLater = async (app: App, { id, cancels }: Placed): Promise<void> => {
  if (cancels === undefined) return
  await sleep(cancels, undefined, { ref: false })
  // A receipt says what became of it; too late is no error. The id makes it one cancel, however often it is sent.
  await app.send(order, id, CancelOrder({ reason: 'changed my mind' }), { id: `cancel-${id}`, until: 'stored' })
}

const place = async (app: App, one: Placed, feed: Feed): Promise<void> => {
  for (;;) {
    try {
      await app.run(order, { id: one.id, data: one.data })
      feed.placed(one)
      // The customer may be gone with this process: nobody waits for it.
      cancelLater(app, one).catch(() => {})
      return
    } catch (e) {
      if (isPawlError(e, 'ALREADY_STARTED_WITH_OTHER_INPUT')) return feed.refused(one)
      if (!isPawlError(e, 'OVERLOADED') || feed.signal.aborted) throw e
      await sleep(PAUSE_MS)
    }
  }
}

/** Resolves when the source has no more, or the signal says so; rejects where the source or the app does. */
export async function feedOrders(app: App, feed: Feed): Promise<void> {
  const source = feed.source[Symbol.asyncIterator]()
  let due = 1
  let before = performance.now()
  while (!feed.signal.aborted) {
    const now = performance.now()
    // After a pause (a stopped process, a full shop) customers do not come all at once.
    if (feed.rate !== undefined) due = Math.min(due + ((now - before) / 1_000) * feed.rate, Math.max(1, feed.rate))
    before = now
    const room = OPEN_MAX - (await openOrders(app))
    const batch: Promise<void>[] = []
    let isOver = false
    for (let n = Math.min(BATCH_MAX, room, feed.rate === undefined ? room : Math.floor(due)); n > 0 && !isOver; n--) {
      const next = await source.next()
      if (next.done === true) isOver = true
      else batch.push(place(app, next.value, feed))
    }
    due -= batch.length
    await Promise.all(batch)
    if (isOver) return
    if (feed.rate !== undefined || room <= 0) await sleep(PAUSE_MS)
  }
}

/** With something stalled, others may wait for it for ever; no timer of the shop is longer. */
const STANDSTILL_MS = 30_000

/** Resolves when nothing is under way any more, or what is waits for what is stalled: that is, for somebody. */
export async function quiet(app: App, signal: AbortSignal): Promise<void> {
  let before = ''
  let changedAt = performance.now()
  // Twice in a row: between two looks nothing may have begun.
  for (let looks = 0; looks < 2 && !signal.aborted;) {
    const { instances, messages } = await app.counts()
    const total = (name: 'running' | 'waiting' | 'stalled') =>
      Object.values(instances).reduce((sum, machine) => sum + machine[name], 0)
    const now = JSON.stringify([instances, messages])
    if (now !== before) changedAt = performance.now()
    before = now
    const stands = total('stalled') > 0 && performance.now() - changedAt > STANDSTILL_MS
    looks = total('running') + messages.pending === 0 && (total('waiting') === 0 || stands) ? looks + 1 : 0
    await sleep(PAUSE_MS)
  }
}
