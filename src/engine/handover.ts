// Giving partitions away, wanted or not: memory forgets them, and what only memory has goes on to their owner by the inbox.
import { messageCount, Tally } from '../core/counts.ts'
import type { InboxRow } from '../store/store.ts'
import type { Attempts } from './attempts.ts'
import type { Cache } from './cache.ts'
import type { Due } from './due.ts'
import type { Host } from './host.ts'
import type { Inbox } from './inbox.ts'
import type { Item } from './mailbox.ts'
import type { Router } from './route.ts'

/** What it works with. */
export interface HandoverPorts {
  readonly host: Host
  readonly due: Due
  readonly attempts: Attempts
  readonly cache: Cache
  readonly inbox: Inbox
  readonly router: Router
}

/** Items that have no row: outside messages whose senders wait, results of attempts. Wake-ups are found again by the store. */
const goesOn = (item: Item): boolean => item.inbox === undefined && item.input.kind !== 'timer'

function rowsOf(router: Router, items: readonly Item[]): { rows: Omit<InboxRow, 'n'>[]; tally: Tally } {
  const tally = new Tally()
  const rows = items.map((item) => {
    const { input, delivery, reply } = item
    if (input.kind === 'message' || input.kind === 'event') {
      tally.add(messageCount('pending'))
      if (!item.counted || delivery?.deadLetter !== undefined) tally.add(messageCount('accepted'))
    }
    return router.row(reply === undefined ? item : { ...item, delivery: { ...delivery, receipt: true } })
  })
  return { rows, tally }
}

/** Forgets partitions. Runs in the lane, so no batch knows them. */
export async function giveAway(
  { host, due, attempts, cache, inbox, router }: HandoverPorts,
  partitions: readonly number[],
): Promise<void> {
  const lost = new Set(partitions)
  attempts.abandon(
    (box) => lost.has(router.partitionOf(box.slice(box.indexOf('\0') + 1))),
    'this worker does not own the instance any more',
  )
  const items: Item[] = []
  for (const partition of lost) {
    items.push(...host.mailbox.takePartition(partition))
    cache.forget(partition)
    inbox.forget(partition)
    host.ownership.lost(partition)
    if (host.lifecycle.heard) host.lifecycle.tell(host.time.now(), { kind: 'partition-lost', partition })
  }
  due.forget()
  await handOn(host, router, items)
}

/** What only memory has goes to the inbox of whoever owns it; the rest stands there already, or is found again by the store. */
export async function handOn(host: Host, router: Router, items: readonly Item[]): Promise<void> {
  const onward = items.filter(goesOn)
  if (onward.length === 0) return
  const { rows, tally } = rowsOf(router, onward)
  try {
    await host.store.append(rows, tally.sums)
    for (const item of onward) item.reply?.({ fate: 'lost', entries: [] })
  } catch (error) {
    host.log({ level: 'warn', text: 'messages could not be handed over: their senders are told', error })
    for (const item of onward) item.reply?.({ fate: 'gone', entries: [] })
  }
}
