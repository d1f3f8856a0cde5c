// An item whose change the store can never take, alone in its batch. Its instance stalls, and nothing else does.
import { errorText } from '../base/errors.ts'
import { conditionOf, instanceCount, messageCount, Tally } from '../core/counts.ts'
import type { Instance } from '../core/model.ts'
import type { Change } from '../store/store.ts'
import type { Cache } from './cache.ts'
import type { Committer } from './commit.ts'
import type { Host } from './host.ts'
import type { Item } from './mailbox.ts'
import { isUnit } from './route.ts'

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

/** Stalls the item's instance in a commit of its own, minimal. The sender is told; what nobody can store is not accepted. */
export async function unwritable(
  { host, committer, cache }: UnwritablePorts,
  item: Item,
  error: unknown,
): Promise<void> {
  const message = errorText(error)
  cache.delete(item.box)
  host.log({
    level: 'error',
    text: `the store refuses a change: ${message}`,
    machine: item.target.machine,
    id: item.target.id,
    error,
  })
  // What cannot be read is the caller's to try again.
  const [found] = item.input.kind === 'event' ? [] : await host.store.load([item.target])
  const instance = found?.loaded?.instance
  const tally = new Tally()
  const read = item.inbox === undefined ? [] : [item.inbox]
  if (item.delivery?.deadLetter !== undefined) {
    // It is its dead letter still.
    if (item.inbox !== undefined) {
      tally.add(messageCount('pending'), -1)
      tally.add(messageCount('accepted'), -1)
    }
  } else if (item.counted && isUnit(item.input)) {
    // It was accepted, and cannot be kept in any table: that is told, loudly, and counted as discarded.
    if (item.inbox !== undefined) tally.add(messageCount('pending'), -1)
    tally.add(messageCount('discarded'))
    tally.add('c:discarded')
  }
  if (instance?.status === 'live') {
    tally.add(instanceCount(instance.machine, conditionOf(instance)), -1)
    tally.add(instanceCount(instance.machine, 'stalled'))
  }
  const instances = instance?.status === 'live' ? [stalledBy(instance, message, item)] : []
  const first = await committer.commit({ ...EMPTY, instances, read, counts: tally.sums })
  if (first.kind === 'rejected' && instance !== undefined)
    await committer.commit({
      ...EMPTY,
      instances: instances.map((one) => ({
        ...one,
        stalled: { code: 'STORE_REFUSED', message: 'the store refuses what this would write' },
      })),
      read,
      counts: tally.sums,
    })
  const stalled = instances[0]
  if (stalled !== undefined && host.lifecycle.heard)
    host.lifecycle.tell(host.time.now(), {
      kind: 'stalled',
      machine: stalled.machine,
      id: stalled.id,
      seq: stalled.seq,
      error: { code: 'STORE_REFUSED', message },
    })
  item.reply?.({
    fate: 'bad',
    code: 'STORE_REFUSED',
    message: `the store refuses what this would write: ${message}`,
    entries: [],
  })
}
