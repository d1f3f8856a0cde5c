// The kinds of work that are measured. Each is what a user would write, with zod, and drives the public API alone.
import { activity, event, isPawlError, machine, saga } from '../src/index.ts'
import type { App, service } from '../src/index.ts'
import { z } from 'zod'

/** How a work is driven. */
export interface Load {
  readonly inFlight: number
  readonly warmMs: number
  readonly ms: number
  /** A new id. */
  readonly newId: () => string
  /** The warm-up is over, and what is measured begins; it ends. */
  readonly begin: () => void
  readonly end: () => void
}

/** What was driven. */
export interface Driven {
  /** Processes that ended while it was measured. */
  readonly finished: number
  /** How long that was. */
  readonly ms: number
  /** How long each took, from the caller's first call to its answer; of timers: how late it ended. */
  readonly tookMs: readonly number[]
  /** All processes that ended, those of the warm-up and after it included. */
  readonly all: number
}

/** One kind of work. */
export interface Work {
  readonly machines: NonNullable<Parameters<typeof service>[1]['machines']>
  readonly drive: (app: App, load: Load) => Promise<Driven>
}

/** So many callers, each of which starts its next process when the last one has ended. */
const callers =
  (one: (app: App, id: string) => Promise<unknown>) =>
  async (app: App, { inFlight, warmMs, ms, newId, begin, end }: Load): Promise<Driven> => {
    const tookMs: number[] = []
    let [all, measuring, over] = [0, false, false]
    const caller = async (): Promise<void> => {
      while (!over) {
        const startedAt = performance.now()
        await one(app, newId())
        all += 1
        if (measuring) tookMs.push(performance.now() - startedAt)
      }
    }
    const every = Promise.all(Array.from({ length: inFlight }, caller))
    const after = (wait: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, wait))
    await Promise.race([after(warmMs), every])
    const from = performance.now()
    measuring = true
    begin()
    await Promise.race([after(ms), every])
    measuring = false
    over = true
    const took = performance.now() - from
    end()
    await every
    return { finished: tookMs.length, ms: took, tookMs, all }
  }

// ── checkout, compensation ──

const reference = z.object({ ref: z.string() })
const called = (name: string) =>
  activity(name, {
    input: z.object({ orderId: z.string() }),
    output: reference,
    failures: ['Refused'],
    run: ({ orderId }, { idempotencyKey, fail }) =>
      name === 'hotel.refuse' ? fail('Refused', orderId) : { ref: idempotencyKey },
  })
const back = activity('undo', { input: z.object({ key: z.string() }), output: z.object({}), run: () => ({}) })
const undo = { call: back, input: ({ step }: { step: { key: string } }) => ({ key: step.key }) }
const order = z.object({
  orderId: z.string(),
  amount: z.number(),
  items: z.array(z.object({ sku: z.string(), count: z.number() })),
})
const placed = (orderId: string): z.infer<typeof order> => ({
  orderId,
  amount: 4_200,
  items: [
    { sku: 'mug', count: 1 },
    { sku: 'cup', count: 2 },
  ],
})

const line = (name: string, last: string) =>
  saga(name, { input: order })
    .step('reserve', { call: called('warehouse.reserve'), input: ({ input }) => ({ orderId: input.orderId }), undo })
    .step('charge', { call: called('payments.charge'), input: ({ input }) => ({ orderId: input.orderId }), undo })
    .step('ship', { call: called(last), input: ({ input }) => ({ orderId: input.orderId }), undo })
    .done(({ results }) => results)

/** What users run most: a saga of three steps. The finished instances in the store are of this kind. */
export const checkout = line('checkout', 'courier.ship')
/** The data of one. */
export const checkoutData = placed
const refused = line('refused', 'hotel.refuse')

// ── event-wait ──

const ofOrder = z.object({ orderId: z.string() })
const Paid = event('bench.paid', { data: ofOrder, key: (d) => d.orderId })
const waits = machine('waits', {
  data: ofOrder,
  receives: [Paid],
  initial: 'waiting',
  states: { waiting: { on: { 'bench.paid': 'paid' } }, paid: { final: 'done' } },
})

// ── pair ──

const Asked = event('bench.asked', { data: ofOrder, key: (d) => d.orderId })
const Answered = event('bench.answered', { data: ofOrder, key: (d) => d.orderId })
const asks = machine('asks', {
  data: ofOrder,
  receives: [Answered],
  emits: [Asked],
  initial: 'asking',
  states: {
    asking: { emit: { 'bench.asked': ({ data }) => data }, on: { 'bench.answered': 'told' } },
    told: { final: 'done' },
  },
})
const answers = machine('answers', {
  data: ofOrder,
  receives: [Asked],
  emits: [Answered],
  start: { 'bench.asked': ({ orderId }) => ({ orderId }) },
  initial: 'thinking',
  states: {
    thinking: { always: [{ to: 'said', emit: { 'bench.answered': ({ data }) => data } }] },
    said: { final: 'done' },
  },
})

// ── timers ──

const sleeps = machine('sleeps', {
  data: z.object({ until: z.string() }),
  initial: 'asleep',
  states: {
    asleep: { after: [{ name: 'alarm', at: ({ data }) => data.until, to: 'awake' }] },
    awake: { final: 'done' },
  },
})
/** Time to start that many instances before they are due, each. */
const LEAD_MS = 300
const LEAD_MS_EACH = 0.5

/** All due at one moment; told is how late each has ended. The time in which they are started is not measured. */
async function alarms(app: App, { inFlight, warmMs, ms, newId, begin, end }: Load): Promise<Driven> {
  const tookMs: number[] = []
  let [all, measuredMs] = [0, 0]
  const round = async (measured: boolean): Promise<void> => {
    const due = Math.ceil(Date.now() + LEAD_MS + inFlight * LEAD_MS_EACH)
    const data = { until: new Date(due).toISOString() }
    const handles = await Promise.all(Array.from({ length: inFlight }, () => app.run(sleeps, { id: newId(), data })))
    let last = 0
    const woken = async (handle: (typeof handles)[number]): Promise<void> => {
      await handle.result()
      last = Date.now() - due
      if (measured) tookMs.push(Math.max(0, last))
    }
    await Promise.all(handles.map(woken))
    all += inFlight
    if (measured) measuredMs += Math.max(1, last)
  }
  if (warmMs > 0) await round(false)
  begin()
  for (const from = performance.now(); all === 0 || tookMs.length === 0 || performance.now() - from < ms;)
    await round(true)
  end()
  return { finished: tookMs.length, ms: measuredMs, tookMs, all }
}

/** Whether a saga has ended as it should: refused, with everything undone. */
const undone = (error: unknown): void => {
  if (!isPawlError(error) || error.code !== 'INSTANCE_ENDED') throw error
}

/** By the name that `--work` takes. */
export const works: Readonly<Record<string, Work>> = {
  checkout: {
    machines: [checkout],
    drive: callers(async (app, id) => (await app.run(checkout, { id, data: placed(id) })).result()),
  },
  'event-wait': {
    machines: [waits],
    drive: callers(async (app, id) => {
      const handle = await app.run(waits, { id, data: { orderId: id } })
      await app.send(waits, id, Paid({ orderId: id }))
      return handle.result()
    }),
  },
  compensation: {
    machines: [refused],
    drive: callers(async (app, id) => (await app.run(refused, { id, data: placed(id) })).result().then(never, undone)),
  },
  pair: {
    machines: [asks, answers],
    drive: callers(async (app, id) => (await app.run(asks, { id, data: { orderId: id } })).result()),
  },
  timers: { machines: [sleeps], drive: alarms },
}

function never(): void {
  throw new Error('a step that is refused was done')
}
