// What is asked of the system in one run, and when: drawn from the seed, before anything begins.
import type { SeededRandom } from '../../base/random.ts'
import { Note } from './builds.ts'
import { OUTCAST } from './network.ts'
import type { Wish } from './wish.ts'
import {
  Add,
  CancelOrder,
  checkout,
  Close,
  counter,
  Drop,
  KitchenAccepted,
  OrderPlaced,
  order,
  PaymentCaptured,
  pool,
  Scale,
} from './machines.ts'

/** A wish with its time, ms from the start of the run. `id`: one for each wish; one that is sent twice keeps it. */
export interface Planned {
  readonly atMs: number
  readonly id: string
  readonly wish: Wish
}

/** How much is asked. */
export interface WorkloadSize {
  readonly orders: number
  readonly checkouts: number
  readonly counters: number
  readonly pools: number
  /** Whether there is a second build, whose message is sent before all workers know it. */
  readonly deploys: boolean
  /** All wishes come within this time. */
  readonly spanMs: number
}

/** Plans a run. */
export function planWorkload(random: SeededRandom, size: WorkloadSize): readonly Planned[] {
  const plan: Planned[] = []
  let count = 0
  const at = (atMs: number, wish: Wish): void => {
    const id = `w${++count}`
    plan.push({ atMs, id, wish })
    // The sender is not sure, and sends it again.
    if (random.chance(0.25)) plan.push({ atMs: atMs + random.int(random.pick([5, 3_000])), id, wish })
  }
  const some = (n: number, make: (name: string, beginMs: number) => void, prefix: string): void => {
    for (let i = 1; i <= n; i++) make(`${prefix}-${i}`, random.int(size.spanMs / 2))
  }
  some(size.orders, (id, beginMs) => planOrder(random, id, beginMs, at), 'o')
  some(size.checkouts, (id, beginMs) => planCheckout(random, id, beginMs, at), 'c')
  some(size.counters, (id, beginMs) => planCounter(random, id, beginMs, size, at), 'n')
  some(size.pools, (id, beginMs) => planPool(random, id, beginMs, at), 'p')
  const target = { machine: counter.name, id: OUTCAST }
  if (size.counters > 0 && random.chance(0.3))
    at(random.int(size.spanMs), { do: 'start', target, data: { ids: [], rests: 0 } })
  return plan
}

type At = (atMs: number, wish: Wish) => void

const accountOf = (random: SeededRandom): string => `a-${random.int(3)}`

/** Its messages may come before it does. */
function planOrder(random: SeededRandom, id: string, beginMs: number, at: At): void {
  const soon = (): number => beginMs + random.int(5_000)
  at(beginMs, { do: 'event', message: OrderPlaced, data: { orderId: id, sku: 'mug', account: accountOf(random) } })
  if (random.chance(0.9))
    at(soon(), { do: 'event', message: PaymentCaptured, data: { orderId: id, paymentId: `of ${id}` } })
  if (random.chance(0.9)) at(soon(), { do: 'event', message: KitchenAccepted, data: { orderId: id, minutes: 7 } })
  if (random.chance(0.25))
    at(soon(), {
      do: 'command',
      target: { machine: order.name, id },
      message: CancelOrder,
      data: { reason: 'too slow' },
    })
  if (random.chance(0.1)) at(soon(), { do: 'cancel', target: { machine: order.name, id } })
  if (random.chance(0.5)) at(soon(), { do: 'await', target: { machine: order.name, id } })
}

function planCheckout(random: SeededRandom, id: string, beginMs: number, at: At): void {
  const target = { machine: checkout.name, id }
  at(beginMs, { do: 'start', target, data: { sku: 'cup', account: accountOf(random) } })
  if (random.chance(0.7))
    at(beginMs + random.int(8_000), { do: 'event', message: KitchenAccepted, data: { orderId: id, minutes: 9 } })
  if (random.chance(0.35)) at(beginMs + 1 + random.int(5_000), { do: 'cancel', target })
  if (random.chance(0.2))
    at(beginMs + 1 + random.int(9_000), { do: 'command', target, message: CancelOrder, data: { reason: 'too dear' } })
  if (random.chance(0.5)) at(beginMs + random.int(8_000), { do: 'await', target })
}

function planCounter(
  random: SeededRandom,
  id: string,
  beginMs: number,
  { spanMs, deploys }: WorkloadSize,
  at: At,
): void {
  const target = { machine: counter.name, id }
  at(beginMs, { do: 'start', target, data: { ids: [], rests: 0 } })
  if (deploys) at(spanMs * (0.6 + random.next()), { do: 'command', target, message: Note, data: {} })
  // It has no id: a dead letter.
  if (random.chance(0.3)) at(beginMs + random.int(spanMs / 2), { do: 'command', target, message: Add, data: {} })
  for (let left = 3 + random.int(9); left > 0; left--)
    at(beginMs + random.int(spanMs / 2), { do: 'command', target, message: Add, data: { id: `${id}.${left}` } })
  if (random.chance(0.5)) at(spanMs, { do: 'command', target, message: Close, data: {} })
}

function planPool(random: SeededRandom, id: string, beginMs: number, at: At): void {
  const target = { machine: pool.name, id }
  const nodes = ['x', 'y', 'z'].map((name) => `${id}.${name}`)
  at(beginMs, { do: 'start', target, data: { nodes: nodes.slice(0, 2), leaving: [] } })
  if (random.chance(0.8))
    at(beginMs + 2_000, { do: 'command', target, message: Scale, data: { nodes: nodes.slice(1) } })
  if (random.chance(0.5)) at(beginMs + 6_000, { do: 'command', target, message: Scale, data: { nodes } })
  if (random.chance(0.3)) at(beginMs + 10_000, { do: 'command', target, message: Drop, data: {} })
}
