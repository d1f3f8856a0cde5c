// The kinds of work that are measured. Each is what a user would write, with zod, and drives the public API alone.
import { activity, event, isPawlError, machine, saga } from '../src/index.ts'
import type { App, service } from '../src/index.ts'
import { z } from 'zod'

/** One kind of work: one process of it, from the caller's first call to its last answer. */
export interface Work {
  readonly machines: NonNullable<Parameters<typeof service>[1]['machines']>
  readonly one: (app: App, id: string) => Promise<unknown>
  /** Messages that one process applies. */
  readonly messages: number
}

// ── checkout, compensation ──

const reference = z.object({ ref: z.string() })
/** What the first step answers with, for which order. */
type Body = (key: string, orderId: string) => Reference | Promise<Reference>
type Reference = z.infer<typeof reference>
const atOnce: Body = (ref) => ({ ref })

const called = (name: string, answer = atOnce) =>
  activity(name, {
    input: z.object({ orderId: z.string() }),
    output: reference,
    failures: ['Refused'],
    run: ({ orderId }, { idempotencyKey, fail }) =>
      name === 'hotel.refuse' ? fail('Refused', orderId) : answer(idempotencyKey, orderId),
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

const line = (name: string, last: string, first = atOnce) =>
  saga(name, { input: order })
    .step('reserve', {
      call: called('warehouse.reserve', first),
      input: ({ input }) => ({ orderId: input.orderId }),
      undo,
    })
    .step('charge', { call: called('payments.charge'), input: ({ input }) => ({ orderId: input.orderId }), undo })
    .step('ship', { call: called(last), input: ({ input }) => ({ orderId: input.orderId }), undo })
    .done(({ results }) => results)

/** What users run most: a saga of three steps. The finished instances in the store are of this kind. */
export const checkout = line('checkout', 'courier.ship')
/** The same, where the first step answers as it is told. */
export const checkoutThat = (first: Body) => line('checkout', 'courier.ship', first)
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

/** Whether a saga has ended as it should: refused, with everything undone. */
const undone = (error: unknown): void => {
  if (!isPawlError(error) || error.code !== 'INSTANCE_ENDED') throw error
}

/** By name. */
export const works: Readonly<Record<string, Work>> = {
  checkout: {
    machines: [checkout],
    one: async (app, id) => (await app.run(checkout, { id, data: placed(id) })).result(),
    messages: 0,
  },
  'event-wait': {
    machines: [waits],
    one: async (app, id) => {
      const handle = await app.run(waits, { id, data: { orderId: id } })
      await app.send(waits, id, Paid({ orderId: id }))
      return handle.result()
    },
    messages: 1,
  },
  compensation: {
    machines: [refused],
    one: async (app, id) => (await app.run(refused, { id, data: placed(id) })).result().then(never, undone),
    messages: 0,
  },
  pair: {
    machines: [asks, answers],
    one: async (app, id) => (await app.run(asks, { id, data: { orderId: id } })).result(),
    messages: 2,
  },
}

/** The work of that name. */
export function workOf(name: string): Work {
  const found = works[name]
  if (found === undefined) throw new Error(`there is no work ${name}`)
  return found
}

function never(): void {
  throw new Error('a step that is refused was done')
}
