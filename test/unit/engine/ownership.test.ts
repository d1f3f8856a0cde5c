// What a worker may believe of partitions that come and go.
import { expect, test } from 'vitest'
import { Inbox } from '../../../src/engine/inbox.ts'
import type { InboxPorts } from '../../../src/engine/inbox.ts'
import { Numbers } from '../../../src/engine/numbers.ts'
import { Ownership } from '../../../src/engine/ownership.ts'
import { Retention } from '../../../src/engine/retention.ts'
import type { RetentionPorts } from '../../../src/engine/retention.ts'
import type { Store } from '../../../src/store/store.ts'

function inboxOf() {
  const ownership = new Ownership()
  ownership.acquired([{ partition: 0, head: 0, stamp: 0 }])
  const reads: (readonly number[])[] = []
  const store = {
    features: { sessions: true },
    inbox: (partitions: readonly number[]) => {
      reads.push(partitions)
      return Promise.resolve([])
    },
  } as unknown as Store
  return { ownership, reads, inbox: new Inbox({ store, ownership } as unknown as InboxPorts) }
}

test('a partition is owned once its inbox was read', async () => {
  const { ownership, inbox, reads } = inboxOf()
  expect(ownership.owns(0)).toBe(false)
  await inbox.drain([0])
  expect(reads).toEqual([[0]])
  expect(ownership.owns(0)).toBe(true)
})

test('a worker that stops owns nothing that comes to it then', async () => {
  const { ownership, inbox } = inboxOf()
  inbox.stop()
  await inbox.drain([0])
  expect(ownership.has(0)).toBe(true)
  expect(ownership.owns(0)).toBe(false)
})

test('numbers that are taken anew are greater than all that anybody has', async () => {
  let last = 0
  const store = {
    allot: (_: string, count: number) => Promise.resolve((last += count) - count + 1),
  } as unknown as Store
  const [one, other] = [new Numbers(store, 'waiting', 10), new Numbers(store, 'waiting', 10)]
  await one.ensure(1)
  await other.ensure(1)
  const given = [one.next(), other.next()]
  expect(given).toEqual([1, 11])
  await one.ensure(1)
  expect(one.next()).toBe(2)
  one.renew()
  expect(one.has(1)).toBe(false)
  await one.ensure(1)
  expect(one.next()).toBe(21)
})

test('what is over is deleted between two batches, and not by a worker that stops', async () => {
  const waits: (() => void)[] = []
  const turns: (() => Promise<void>)[] = []
  const cuts: unknown[] = []
  const ports = {
    store: {
      retain: (_: string, cut: unknown) => {
        cuts.push(cut)
        return Promise.resolve(0)
      },
    },
    clock: {
      monotonic: () => 0,
      after: (_: number, fire: () => void) => {
        waits.push(fire)
        return () => undefined
      },
    },
    storeNow: () => 1_000,
    session: () => 's',
    settings: { receiptsMs: 100 },
    lane: (work: () => Promise<void>) => {
      turns.push(work)
      return Promise.resolve()
    },
    onError: () => undefined,
  } as unknown as RetentionPorts
  const retention = new Retention(ports)
  retention.run()
  waits.shift()!()
  expect(cuts).toEqual([])
  await turns.shift()!()
  expect(cuts).toMatchObject([{ receiptsBefore: 900 }])
  waits.shift()!()
  await retention.stop()
  await turns.shift()!()
  expect(cuts).toHaveLength(1)
})
