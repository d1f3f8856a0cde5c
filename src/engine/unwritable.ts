// An item whose change the store can never take, alone in its batch. Its instance stalls, and nothing else does.
import { errorText } from '../base/errors.ts'
import { carriedMessages, conditionOf, instanceCount, messageCount, Tally } from '../core/counts.ts'
import { hasEnded, type Instance, type ResultInput } from '../core/model.ts'
import { NO_CHANGE, type ReceiptRow, type WaitingRow } from '../store/store.ts'
import type { Cache } from './cache.ts'
import type { Committer } from './commit.ts'
import type { Host } from './host.ts'
import { receiptTarget, withoutDead } from './ledger.ts'
import type { Item } from './mailbox.ts'
import { isUnit, stored } from './route.ts'

/** What it works with. */
export interface UnwritablePorts {
  readonly host: Host
  readonly committer: Committer
  readonly cache: Cache
  /** The next place of a waiting message: of the same sequence as all others of this worker, or it would stand before older ones. */
  readonly placeOfWaiting: () => Promise<number>
  /** Rows of the inbox that are gone now. */
  readonly read: (rows: readonly number[]) => void
}

function stalledBy(instance: Instance, message: string, item: Item): Instance {
  const keep =
    item.input.kind === 'event' || item.input.kind === 'message' || item.input.kind === 'cancel'
      ? {}
      : { cause: item.input }
  return {
    ...instance,
    status: 'stalled',
    dueAt: null,
    stalled: { code: 'STORE_REFUSED', message: `${REFUSED}: ${message}`, ...keep },
  }
}

/** A message that the instance will look at when an operator has mended what is wrong: accepted, and kept with it. */
function keptRow(item: Item, instance: Instance, n: number): WaitingRow | undefined {
  const { input, target, partition, delivery } = item
  if (input.kind !== 'message' && input.kind !== 'cancel') return undefined
  const kept = stored(input)
  const leftMs = input.kind === 'message' ? input.keepMs : null
  const size = JSON.stringify(kept).length
  const more = delivery === undefined ? {} : { delivery: withoutDead(delivery) }
  return {
    k: instance.k,
    target,
    partition,
    waiting: { n, why: 'stalled', until: null, leftMs, size, input: kept },
    ...more,
  }
}

/** The sums of an item that goes: with its message kept, or dropped for good. */
function sumsOf(item: Item, instance: Instance | undefined, kept: boolean): Tally {
  const tally = new Tally()
  const unit = isUnit(item.input)
  if (item.inbox !== undefined && unit) tally.add(messageCount('pending'), -1)
  if (kept && item.input.kind === 'message') {
    tally.add(messageCount('waiting'))
    if (!item.counted) tally.add(messageCount('accepted'))
  } else if (item.delivery?.deadLetter !== undefined) {
    // It is its dead letter still. A discard of it was never accepted.
    if (item.inbox !== undefined && unit) tally.add(messageCount('accepted'), -1)
  } else if (item.counted && unit) {
    // It was accepted, and cannot be kept in any table: that is told, loudly, and counted as discarded.
    tally.add(messageCount('discarded'))
    tally.add(carriedMessages('discarded'))
  }
  if (instance?.status === 'live') {
    tally.add(instanceCount(instance.machine, conditionOf(instance)), -1)
    tally.add(instanceCount(instance.machine, 'stalled'))
  }
  return tally
}

/** What its sender finds under its id: without it a copy of a kept message would be applied beside it. */
function receiptOf(
  { input, delivery }: Item,
  target: string,
  said: Pick<ReceiptRow, 'at' | 'outcome' | 'why' | 'state' | 'seq'>,
): readonly ReceiptRow[] {
  if ((delivery?.dedup === undefined && delivery?.receipt !== true) || delivery.deadLetter !== undefined) return []
  const { source = '', hash = '' } = delivery.dedup ?? {}
  return [{ target, source, id: input.id, hash, ...said }]
}

/** Stalls the item's instance in a commit of its own, minimal, and keeps its message there; where the message itself is what cannot be
 *  written it goes, and its sender is told. */
export async function unwritable(ports: UnwritablePorts, item: Item, error: unknown): Promise<void> {
  const { host, cache } = ports
  const message = errorText(error)
  cache.delete(item.box)
  host.log({ level: 'error', text: `the store refuses a change: ${message}`, ...item.target, error })
  // What cannot be read is the caller's to try again.
  const [found] = item.input.kind === 'event' ? [] : await host.store.load([item.target])
  if (found?.corrupt !== undefined) throw found.corrupt
  const instance = found?.loaded?.instance
  const live = instance?.status === 'live' ? instance : undefined
  const redriven = item.delivery?.deadLetter !== undefined
  const kept = live === undefined || redriven ? undefined : keptRow(item, live, await ports.placeOfWaiting())
  if (kept !== undefined && live !== undefined && (await keeps(ports, item, live, kept, message))) return
  await drops(ports, item, instance, message)
}

/** True: the message stands with its instance, which has stalled. */
async function keeps(
  { host, committer, read }: UnwritablePorts,
  item: Item,
  live: Instance,
  kept: WaitingRow,
  message: string,
): Promise<boolean> {
  const { state, seq } = live
  const stalled = stalledBy(live, message, item)
  const rows = item.inbox === undefined ? [] : [item.inbox]
  const receipts = receiptOf(item, receiptTarget(item), { at: host.time.now(), outcome: 'deferred', state, seq })
  const counts = sumsOf(item, live, true).sums
  const whole = { ...NO_CHANGE, instances: [stalled], waiting: [kept], read: rows, receipts, counts }
  if ((await committer.commit(whole)).kind !== 'applied') return false
  read(rows)
  tellStalled(host, stalled, message)
  item.reply?.({ fate: 'deferred', state, seq, entries: [] })
  return true
}

/** The message goes. With as much said of it as the store takes: its receipt, or why the instance has stalled, may be what it refuses. */
async function drops(
  { host, committer, read }: UnwritablePorts,
  item: Item,
  found: Instance | undefined,
  message: string,
): Promise<void> {
  const live = found?.status === 'live' ? found : undefined
  const rows = item.inbox === undefined ? [] : [item.inbox]
  const counts = sumsOf(item, live, false).sums
  const stalled = live === undefined ? [] : [stalledBy(live, message, item)]
  const bare = found === undefined || hasEnded(found.status) ? [] : [unheard(found, item)]
  const receipts = receiptOf(item, receiptTarget(item), { at: host.time.now(), outcome: 'dead', why: 'STORE_REFUSED' })
  const change = { ...NO_CHANGE, read: rows, counts }
  const kept = [{ instances: stalled, receipts }, { instances: stalled }].filter(() => stalled.length > 0)
  const ways = [
    ...kept,
    { instances: bare, receipts },
    { instances: bare },
    { instances: [], counts: sumsOf(item, undefined, false).sums },
  ]
  let way = 0
  while ((await committer.commit({ ...change, ...ways[way] })).kind === 'rejected' && way < ways.length - 1) way += 1
  read(rows)
  tellStalled(host, stalled[0], message)
  // What an attempt answered is not even kept as what its instance stalled on: a retry lets it be made again, under the same key.
  if (way >= kept.length)
    item.booked?.({ nextAt: undefined, failed: { code: 'other', message: REFUSED, outcome: 'unknown' } })
  item.reply?.({ fate: 'bad', code: 'STORE_REFUSED', message: `${REFUSED}: ${message}`, entries: [] })
}
const REFUSED = 'the store refuses what this would write'

/** Stalled without what it stalled on. Of an attempt whose answer goes with that nobody knows any more whether it has done its work. */
function unheard(instance: Instance, { input }: Item): Instance {
  const bare: Instance =
    instance.status === 'live'
      ? { ...instance, status: 'stalled', dueAt: null, stalled: { code: 'STORE_REFUSED', message: REFUSED } }
      : instance
  const call = input.kind === 'result' ? instance.calls?.[input.call] : undefined
  if (input.kind !== 'result' || call?.key !== input.key || call.settled !== undefined || !ends(input)) return bare
  // An attempt that was given up may answer after a newer one: how many are over never falls.
  const attempts = Math.max(call.attempts, input.attempt)
  const calls = { ...instance.calls, [input.call]: { ...call, attempts, unknown: true } }
  return { ...bare, calls }
}

const ends = ({ outcome }: ResultInput): boolean =>
  outcome.kind === 'done' || outcome.kind === 'failure' || outcome.kind === 'unknown'

function tellStalled(host: Host, stalled: Instance | undefined, message: string): void {
  if (stalled === undefined || !host.lifecycle.heard) return
  const { machine, id, seq } = stalled
  host.lifecycle.tell(host.time.now(), { kind: 'stalled', machine, id, seq, error: { code: 'STORE_REFUSED', message } })
}
