// A store with rows of every kind, and the two conservation laws that must hold of it.
import { equal } from 'node:assert/strict'
import { carriedMessages, instanceCount, messageCount } from '../../core/counts.ts'
import type { Instance } from '../../core/model.ts'
import type { JournalRow, Recount, Store } from '../../store/store.ts'
import {
  childOf,
  countsOf,
  deadOf,
  eventOf,
  instanceOf,
  letterOf,
  PARTITIONS,
  receiptOf,
  rowOf,
  waitingOf,
  type StoreCase,
} from './fixture.ts'

/** A day. */
export const DAY_MS = 86_400_000

const ended = (k: number, endedAt: number, status: 'done' | 'failed' | 'cancelled' = 'done'): Instance =>
  instanceOf(k, { status, state: status, endedAt, seq: 3 })

const journal: readonly JournalRow[] = [
  ...[1, 2, 3].flatMap((k) => [
    {
      ...rowOf(k, 1, {
        emitted: [{ message: { kind: 'event', type: 'order.placed' } as never, data: {}, key: 'x' }],
      }),
      events: [[k % PARTITIONS, k] as const],
    },
    rowOf(k, 2, { outcome: 'ignored' }),
    rowOf(k, 3, { outcome: 'refused' }),
  ]),
  rowOf(4, 1),
  rowOf(4, 2, { unit: false, outcome: 'late' }),
  rowOf(5, 1, { unit: false }),
]

/** As the engine would count them. */
const counted = countsOf(
  [instanceCount('order', 'started'), 5],
  instanceCount('order', 'done'),
  instanceCount('order', 'failed'),
  instanceCount('order', 'cancelled'),
  instanceCount('order', 'waiting'),
  instanceCount('order', 'stalled'),
  [messageCount('accepted'), 4 + 3 + 3 + 2 + 1 + 2 + 1],
  [messageCount('applied'), 4],
  [messageCount('ignored'), 3],
  [messageCount('refused'), 3],
  [messageCount('waiting'), 2],
  [messageCount('pending'), 1],
  [messageCount('dead'), 2],
  messageCount('unclaimed'),
  carriedMessages('unclaimed'),
)

/** Three ended and two living instances, with messages of every fate. */
export async function settle(given: StoreCase): Promise<void> {
  await given.write({
    created: new Set([1, 2, 3, 4, 5]),
    instances: [
      ended(1, 1_000),
      ended(2, 2_000, 'failed'),
      ended(3, 3_000, 'cancelled'),
      instanceOf(4, { seq: 2 }),
      instanceOf(5, { stalled: { code: 'X', message: '' }, status: 'stalled' }),
    ],
    journal,
    events: [
      ...[1, 2, 3].map((k) => eventOf(k % PARTITIONS, k, { k, seq: 1 })),
      eventOf(0, 1, { at: 500, stamp: 512_000 }),
    ],
    children: [{ k: 1, child: childOf('n-1') }],
    waiting: [
      waitingOf(1, 4),
      waitingOf(2, 'o-9'),
      waitingOf(3, 4, { input: { kind: 'cancel', why: 'w', id: 'c', at: 1, correlation: 'c', stamp: 0 } }),
    ],
    inbox: [
      letterOf('a'),
      letterOf('t', {
        letter: {
          kind: 'input',
          target: { machine: 'order', id: 't' },
          input: { kind: 'timer', id: 't', at: 1, correlation: 'c', stamp: 0 },
        },
      }),
    ],
    deadLetters: [
      deadOf('d-1', { at: 1_000 }),
      deadOf('d-2', { at: 3_000 }),
      deadOf('d-3', { at: 1_500, input: { kind: 'start', data: {}, id: 's', at: 1, correlation: 'c', stamp: 0 } }),
    ],
    receipts: [receiptOf('r-1', { at: 1_000 }), receiptOf('r-2', { at: 10 * DAY_MS })],
    counts: counted,
  })
}

/** Fails unless both laws hold, and the figures meet the recount. */
export async function balanced(store: Store): Promise<Recount> {
  const recount = await store.recount()
  const counts = await store.counts()
  for (const [machine, { started, states, ...rest }] of Object.entries(recount.instances)) {
    equal(
      Object.values(rest).reduce((a, b) => a + b, 0),
      started,
      `instances of ${machine}`,
    )
    equal(
      Object.values(states).reduce((a, b) => a + b, 0),
      rest.running + rest.waiting + rest.stalled,
      `states of ${machine}`,
    )
    for (const [figure, n] of Object.entries(rest))
      equal(counts[instanceCount(machine, figure as 'done')] ?? 0, n, `${figure} of ${machine}`)
  }
  const { accepted, ...fates } = recount.messages
  equal(
    Object.values(fates).reduce((a, b) => a + b, 0),
    accepted,
    'messages',
  )
  for (const [figure, n] of Object.entries(fates)) equal(counts[messageCount(figure as 'dead')] ?? 0, n, figure)
  return recount
}
