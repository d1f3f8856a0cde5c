// Messages that wait for an instance that never came: dropped after their `keep`, and counted unclaimed. Those that wait for a
// newer build are looked at again.
import { carriedMessages, messageCount, Tally } from '../core/counts.ts'
import { NO_CHANGE, type Change, type ReceiptRow, type WaitingRow } from '../store/store.ts'
import type { Cache } from './cache.ts'
import type { Committer } from './commit.ts'
import type { Host } from './host.ts'
import type { Inbox } from './inbox.ts'
import type { Lane } from './lane.ts'
import { boxOf } from './route.ts'

/** What it works with. */
export interface ExpirePorts {
  readonly host: Host
  readonly committer: Committer
  readonly lane: Lane
  readonly cache: Cache
  readonly inbox: Inbox
}

/** One page, in a commit of its own, between two batches. Answers how many rows it found. */
export function expire(ports: ExpirePorts, limit: number): Promise<number> {
  return ports.lane.between(async () => {
    const { host, committer, cache } = ports
    const rows = await host.store.expired(host.ownership.ready, host.time.now(), limit)
    if (rows.length === 0) return 0
    const result = await committer.commit(dropped(rows, host.time.now()))
    if (result.kind !== 'applied') return 0
    for (const { target } of rows) cache.delete(boxOf(target))
    void ports.inbox.hint()
    return rows.length
  })
}

/** All leave the waiting list; what a newer build may know by now goes into the inbox again. */
function dropped(rows: readonly WaitingRow[], now: number): Change {
  const tally = new Tally()
  const receipts: ReceiptRow[] = []
  for (const { waiting, target, delivery } of rows) {
    if (waiting.input.kind !== 'message') continue
    tally.add(messageCount('waiting'), -1)
    if (waiting.why === 'build') {
      tally.add(messageCount('pending'))
      continue
    }
    tally.add(messageCount('unclaimed'))
    tally.add(carriedMessages('unclaimed'))
    const { id } = waiting.input
    if (delivery?.dedup !== undefined)
      receipts.push({
        target: `${target.machine}\0${target.id}`,
        source: delivery.dedup.source,
        id,
        hash: delivery.dedup.hash,
        at: now,
        outcome: 'unclaimed',
      })
  }
  const inbox = rows.flatMap(({ waiting, target, partition, delivery }) =>
    waiting.why === 'build'
      ? [
          {
            partition,
            priority: 0,
            letter: {
              kind: 'input' as const,
              target,
              input: waiting.input,
              ...(delivery !== undefined && { delivery: { ...delivery, again: true } }),
            },
          },
        ]
      : [],
  )
  return { ...NO_CHANGE, unwaiting: rows.map(({ waiting }) => waiting.n), inbox, receipts, counts: tally.sums }
}
