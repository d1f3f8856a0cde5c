// Mistakes that the compiler catches, one for each expectation. Nothing here is ever called: `tsc` is the test, and an expectation
// that meets no error is one.
import * as z from 'zod'
import type { Sql } from '../../src/machine/types-activity.ts'
import type { Receipt } from '../../src/machine/types-app.ts'
import { activity, command, contract, event, machine, pawl, saga, service } from './systems/api.ts'
import {
  app,
  CancelOrder,
  KitchenAccepted,
  node,
  order,
  PaymentCaptured,
  PickedUp,
  release,
  reserve,
  shop,
} from './systems/shop.ts'

const data = z.object({ sku: z.string(), kind: z.enum(['x', 'y']).default('x'), note: z.string().optional() })
const end = { final: 'done' } as const
const w1 = contract('w', {
  version: 1,
  data: z.object({ person: z.string(), amount: z.number() }),
  states: ['scoring', 'paid'],
})
const line = saga('w', { input: z.object({ sku: z.string() }) })
const step = { call: reserve, input: () => ({ sku: '' }) } as const

// Something unused would be an error too, and meet the expectation.
const use = (...things: readonly unknown[]) => things.length

// prettier-ignore
export function mistakes(): void {
  // @ts-expect-error no such state ("did you mean …")
  machine('w', { data, initial: 'a', states: { a: { after: { '1 day': 'endd' } }, end } })
  // @ts-expect-error no such message
  machine('w', { data, receives: [PaymentCaptured], initial: 'a', states: { a: { on: { 'payment.capturd': 'end' } }, end } })
  // @ts-expect-error a message that the machine does not receive
  machine('w', { data, initial: 'a', states: { a: { on: { 'payment.captured': 'end' } }, end } })
  // @ts-expect-error an event that the machine does not emit
  machine('w', { data, initial: 'a', states: { a: { emit: { 'order.confirmed': () => ({ orderId: '', minutes: 1 }) } }, end } })
  // @ts-expect-error no such field in the payload
  machine('w', { data, receives: [PaymentCaptured], initial: 'a', states: { a: { on: { 'payment.captured': { to: 'end', set: ({ message }) => ({ sku: message.nope }) } } }, end } })
  // @ts-expect-error no such failure
  machine('w', { data, initial: 'a', states: { a: { call: reserve, input: ({ data }) => ({ sku: data.sku }), done: 'end', fail: { OutOfStok: 'end' } }, end } })
  // @ts-expect-error a call that failed did not end 'done'
  machine('w', { data, initial: 'a', states: { a: { call: reserve, input: ({ data }) => ({ sku: data.sku }), done: 'end', fail: { if: ({ error }) => error.outcome === 'done', to: 'end' } }, end } })
  // @ts-expect-error wrong input
  machine('w', { data, initial: 'a', states: { a: { call: reserve, input: () => ({ skew: 1 }), done: 'end' }, end } })
  // @ts-expect-error no such literal
  machine('w', { data, initial: 'a', states: { a: { after: { '1 day': { to: 'end', set: () => ({ kind: 'z' }) } } }, end } })
  // @ts-expect-error no such field in the data
  machine('w', { data, initial: 'a', states: { a: { after: { '1 day': { to: 'end', set: { sku: 's', noet: 'typo' } } } }, end } })
  // @ts-expect-error a cancel edge to a state that does not exist
  machine('w', { data, initial: 'a', cancel: { to: 'ende', set: { note: ({ why }) => why } }, states: { a: { after: { '1 day': 'end' } }, end } })
  // @ts-expect-error a child without its data
  machine('w', { data, children: { kids: { of: node, each: () => [{ id: 'n', data: {} }] } }, initial: 'a', states: { a: { until: { kids: { all: 'ready' } }, done: 'end' }, end } })
  // @ts-expect-error no such way to treat children when their parent is cancelled
  machine('w', { data, children: { kids: { of: node, each: () => [], onCancel: 'kill' } }, initial: 'a', states: { a: { until: { kids: { all: 'ready' } }, done: 'end' }, end } })
  // @ts-expect-error no such state of the child
  machine('w', { data, children: { kids: { of: node, each: () => [] } }, initial: 'a', states: { a: { until: { kids: { all: 'redy' } }, done: 'end' }, end } })
  // @ts-expect-error a duration is a number and a unit
  machine('w', { data, initial: 'a', states: { a: { after: { '15 mins': 'end' } }, end } })
  // @ts-expect-error a computed timer has a name
  machine('w', { data, initial: 'a', states: { a: { after: [{ in: () => '1 day', to: 'end' }] }, end } })
  // @ts-expect-error a computed duration is no bare number
  machine('w', { data, initial: 'a', states: { a: { after: [{ name: 't', in: () => 86_400_000, to: 'end' }] }, end } })
  // @ts-expect-error data is kept as JSON
  machine('w', { data: z.object({ when: z.date() }), initial: 'a', states: { a: { after: { '1 day': 'end' } }, end } })
  // @ts-expect-error the old version had no such field
  machine('w', { data, version: 2, migrate: { 1: { from: w1, to: ({ data }) => ({ state: 'a', data: { sku: data.persn, kind: 'x' } }) } }, initial: 'a', states: { a: { after: { '1 day': 'end' } }, end } })
  // @ts-expect-error open calls are kept or dropped
  machine('w', { data, version: 2, migrate: { 1: { from: w1, to: ({ data }) => ({ state: 'a', data: { sku: data.person, kind: 'x' }, calls: 'abort' }) } }, initial: 'a', states: { a: { after: { '1 day': 'end' } }, end } })
  // @ts-expect-error an older payload is made into the present one, whole
  event('w', { data: z.object({ id: z.string(), cents: z.number() }), key: (d) => d.id, version: 2, upcast: { 1: (old: { id: string; amount: number }) => ({ id: old.id }) } })
  // @ts-expect-error a command's key is of use only with the machine that it is for
  command('w', { data: z.object({ id: z.string() }), key: (d) => d.id })
  // @ts-expect-error a saga step that sees no such result
  line.step('reserve', { call: reserve, input: ({ results }) => ({ sku: results.charge }) })
  // @ts-expect-error an undo must also know what to do when the step only may have happened
  line.step('reserve', { ...step, undo: { call: release, input: ({ step }) => ({ reservationId: step.result.reservationId }) } })
  // @ts-expect-error before the pivot there is no going on without the step
  line.step('reserve', { ...step, otherwise: { value: { reservationId: 'none' } } })
  // @ts-expect-error after the pivot there is no undo
  line.pivot().step('reserve', { ...step, undo: { call: release, input: () => null } })
  // @ts-expect-error a wait that goes on without its message needs all of the payload
  line.pivot().wait('kitchen', { for: KitchenAccepted, otherwise: { value: { orderId: '', minutes: 90 } } })
  // @ts-expect-error wrong data of a new instance
  use(() => app.run(order, { id: '1', data: { skew: 'mug' } }))
  // @ts-expect-error a message that this machine does not receive
  use(() => app.send(order, '1', PickedUp({ orderId: '1' })))
  // @ts-expect-error inside the caller's transaction there is nothing to wait for
  use((sql: Sql) => app.emit(PickedUp({ orderId: '1' }), { sql, until: 'applied' }))
  // @ts-expect-error an event is for many: there is no one seq to compare
  use(() => app.emit(PickedUp({ orderId: '1' }), { ifSeq: 3 }))
  // @ts-expect-error what is only stored has no seq yet
  use(async (): Promise<number> => (await app.send(order, '1', CancelOrder({ reason: '' }))).seq)
  // @ts-expect-error the work of a transaction is synchronous
  use(() => app.transaction(async (tx) => { tx.emit(PickedUp({ orderId: '1' })) }))
  // @ts-expect-error an operator says why
  use(() => app.operate.retry(order, '1', { by: 'ann' }))
  // @ts-expect-error an operator moves along edges, to a state that exists
  use(() => app.operate.move(order, '1', { to: 'relesing', why: 'by hand' }))
  // @ts-expect-error a result or a failure, not both
  use(() => app.operate.resolve(order, '1', { result: {}, failure: 'OutOfStock', why: 'told by phone' }))
  // @ts-expect-error a final state that the contract does not have
  contract('w', { data, states: ['up', 'gone'], finals: ['done'] })
  // @ts-expect-error no such key
  service('w', { views: [order] })
  // @ts-expect-error no such state to list
  use(() => app.list(order, { state: 'confirmd' }))
  // @ts-expect-error where it is kept is said, never guessed
  pawl({ services: [shop] })
  // @ts-expect-error no such time to keep
  pawl({ services: [shop], store: 'memory:', retention: { journal: '90 days' } })
  // @ts-expect-error fair by a field that the data does not have
  machine('w', { data, fairBy: ({ data }) => data.customer, initial: 'a', states: { a: { after: { '1 day': 'end' } }, end } })
  // @ts-expect-error so many in which time?
  activity('w', { input: data, output: data, rate: { count: 5 } })
  // @ts-expect-error no such state to be mended
  use(() => app.operate.each(order, { state: 'relesing' }, { do: 'retry', why: 'by hand' }))
  // @ts-expect-error for all, too, an operator says why
  use(() => app.operate.each(order, { state: 'releasing' }, { do: 'cancel' }))
  // @ts-expect-error a commit is not of one instance
  use(() => app.on((e) => { if (e.kind === 'commit') console.log(e.machine) }))
  // @ts-expect-error no such reason
  use((r: Receipt) => r.outcome === 'refused' && r.why === 'late')
}
