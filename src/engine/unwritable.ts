// An item whose change the store can never take, alone in its batch. Its instance stalls, and nothing else does.
import { errorText } from '../base/errors.ts'
import { carriedMessages, conditionOf, instanceCount, messageCount, Tally } from '../core/counts.ts'
import type { Instance } from '../core/model.ts'
import type { Change, WaitingRow } from '../store/store.ts'
import type { Cache } from './cache.ts'
import type { Committer } from './commit.ts'
import type { Host } from './host.ts'
import { withoutDead } from './ledger.ts'
import type { Item } from './mailbox.ts'
import { isUnit, stored } from './route.ts'

/** What it works with. */
export interface UnwritablePorts {
  readonly host: Host
  readonly committer: Committer
  readonly cache: Cache
}

const EMPTY: Change = {
  created: new Set(),
  instances: [],
  journal: [],
  events: [],
  children: [],
  waiting: [],
  rewaiting: [],
  unwaiting: [],
  inbox: [],
  read: [],
  receipts: [],
  deadLetters: [],
  undead: [],
  counts: {},
  heads: [],
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
    stalled: { code: 'STORE_REFUSED', message: `the store refuses what this would write: ${message}`, ...keep },
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
    // It is its dead letter still.
    if (item.inbox !== undefined) tally.add(messageCount('accepted'), -1)
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

/** Stalls the item's instance in a commit of its own, minimal, and keeps its message there; where the message itself is what cannot be
 *  written it goes, and its sender is told. */
export async function unwritable(ports: UnwritablePorts, item: Item, error: unknown): Promise<void> {
  const { host, committer, cache } = ports
  const message = errorText(error)
  cache.delete(item.box)
  host.log({ level: 'error', text: `the store refuses a change: ${message}`, ...item.target, error })
  // What cannot be read is the caller's to try again.
  const [found] = item.input.kind === 'event' ? [] : await host.store.load([item.target])
  const instance = found?.loaded?.instance
  const live = instance?.status === 'live' ? instance : undefined
  const read = item.inbox === undefined ? [] : [item.inbox]
  const redriven = item.delivery?.deadLetter !== undefined
  const kept = live === undefined || redriven ? undefined : keptRow(item, live, await host.store.allot('waiting', 1))
  const instances = live === undefined ? [] : [stalledBy(live, message, item)]
  if (kept !== undefined) {
    const whole = { ...EMPTY, instances, waiting: [kept], read, counts: sumsOf(item, live, true).sums }
    if ((await committer.commit(whole)).kind === 'applied') {
      tellStalled(host, instances[0], message)
      item.reply?.({ fate: 'deferred', state: live?.state ?? '', seq: live?.seq ?? 0, entries: [] })
      return
    }
  }
  const counts = sumsOf(item, live, false).sums
  const first = await committer.commit({ ...EMPTY, instances, read, counts })
  const plain = instances.map((one) => ({
    ...one,
    stalled: { code: 'STORE_REFUSED', message: 'the store refuses what this would write' },
  }))
  if (first.kind === 'rejected' && live !== undefined)
    await committer.commit({ ...EMPTY, instances: plain, read, counts })
  tellStalled(host, instances[0], message)
  item.reply?.({
    fate: 'bad',
    code: 'STORE_REFUSED',
    message: `the store refuses what this would write: ${message}`,
    entries: [],
  })
}

function tellStalled(host: Host, stalled: Instance | undefined, message: string): void {
  if (stalled === undefined || !host.lifecycle.heard) return
  const { machine, id, seq } = stalled
  host.lifecycle.tell(host.time.now(), { kind: 'stalled', machine, id, seq, error: { code: 'STORE_REFUSED', message } })
}
