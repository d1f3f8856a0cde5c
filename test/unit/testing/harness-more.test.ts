import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, machine, saga, service } from 'pawl'
import { answers, harness, hangs, late, refuses, throws } from 'pawl/testing'
import { CancelOrder, order, OrderConfirmed, OrderPlaced, PaymentCaptured, reserve, shop } from './order.ts'

describe('several workers', () => {
  test('share the work, and a crash leaves it to the others', async () => {
    const t = harness({ services: [shop], workers: 3 })
    t.fake(reserve, answers({ reservationId: 'r-1' }))
    const ids = Array.from({ length: 12 }, (_, index) => `o-${index}`)
    for (const orderId of ids) await t.app.emit(OrderPlaced({ orderId, sku: 'mug' }))
    expect((await t.app.workers()).map(({ partitions }) => partitions > 0)).toEqual([true, true, true])
    await t.crash()
    await t.advance('1 minute')
    for (const orderId of ids) await t.app.emit(PaymentCaptured({ orderId, paymentId: 'p' }))
    await t.advance('1 minute')
    for (const id of ids) expect(await t.path(order, id)).toEqual(['reserving', 'confirming', 'confirmed'])
    expect(t.emitted(OrderConfirmed)).toHaveLength(12)
    expect(t.calls(reserve).every(({ outcome }) => outcome === 'done')).toBe(true)
    await t.end()
  })
})

describe('what is for other services', () => {
  const Ship = command('parcel.ship', { data: z.object({ id: z.string() }), to: 'parcel', key: (d) => d.id })
  const shelf = machine('shelf', {
    data: z.object({}),
    emits: [Ship],
    initial: 'packed',
    states: { packed: { emit: { 'parcel.ship': ({ id }) => ({ id }) }, final: 'done' } },
  })

  test('ends in `emitted`', async () => {
    const t = harness({ services: [service('shelves', { machines: [shelf] })] })
    await t.app.run(shelf, { id: 's-1', data: {} })
    expect(await t.path(shelf, 's-1')).toEqual(['packed'])
    expect(t.emitted(Ship)).toEqual([{ type: 'parcel.ship', data: { id: 's-1' } }])
    await t.end()
  })

  test('is checked where it does not fit', () => {
    const parcel = machine('parcel', {
      data: z.object({}),
      initial: 'a',
      states: { a: { after: { '1 day': 'b' } }, b: { final: 'done' } },
    })
    expect(() => harness({ services: [service('both', { machines: [shelf, parcel] })] })).toThrow(
      /emits "parcel.ship" to parcel, which does not receive it/,
    )
  })
})

describe('sagas', () => {
  const charge = activity('charge', {
    input: z.object({ total: z.number() }),
    output: z.object({ paymentId: z.string() }),
    failures: ['Declined'],
    retry: { attempts: 2, first: '1 second' },
    timeout: '5 seconds',
  })
  const refund = activity('refund', { input: z.object({ key: z.string() }), output: z.object({}) })
  const mail = activity('mail', { input: z.object({ to: z.string() }), output: z.object({}), failures: ['Bounced'] })
  const checkout = saga('checkout', { input: z.object({ total: z.number() }), cancel: CancelOrder })
    .step('charge', {
      call: charge,
      input: ({ input }) => ({ total: input.total }),
      otherwise: 'undo',
      undo: { call: refund, input: ({ step }) => ({ key: step.key }) },
    })
    .step('mail', { call: mail, input: ({ id }) => ({ to: id }) })
    .done(({ results }) => results.charge)
  const make = () => harness({ services: [service('pay', { machines: [checkout] })] })

  test('undo what is done', async () => {
    const t = make()
    t.fake(charge, answers({ paymentId: 'p-1' }))
    t.fake(mail, refuses('Bounced'))
    t.fake(refund, answers({}))
    await t.app.run(checkout, { id: 'c-1', data: { total: 5 } })
    expect(await t.path(checkout, 'c-1')).toEqual(['charge', 'mail', 'undo charge', 'undone'])
    expect(t.calls(refund)).toMatchObject([{ input: { key: t.calls(charge)[0]?.key }, outcome: 'done' }])
    await t.end()
  })

  test('undo what only may have happened', async () => {
    const t = make()
    t.fake(charge, hangs())
    t.fake(refund, answers({}))
    await t.app.run(checkout, { id: 'c-1', data: { total: 5 } })
    await t.advance('1 hour')
    expect(await t.path(checkout, 'c-1')).toEqual(['charge', 'undo charge', 'undone'])
    expect(t.calls()).toMatchObject([
      { attempts: 2, outcome: 'unknown' },
      { name: 'refund', outcome: 'done' },
    ])
    await t.end()
  })

  test('are cancelled while a call is open', async () => {
    const t = make()
    t.fake(charge, late('2 seconds', { paymentId: 'p-1' }))
    t.fake(refund, answers({}))
    const { id } = await t.app.run(checkout, { data: { total: 5 } })
    expect(await t.app.send(checkout, id, CancelOrder({ reason: '' }))).toMatchObject({ outcome: 'deferred' })
    await t.advance('2 seconds')
    expect(await t.path(checkout, id)).toEqual(['charge', 'mail', 'undo charge', 'undone'])
    expect(t.calls(mail)).toEqual([])
    await t.end()
  })
})

describe('an operator', () => {
  test('says how a call ended, and that is how it is recorded', async () => {
    const t = harness({ services: [shop] })
    t.fake(reserve, throws())
    await t.app.run(order, { id: 'o-1', data: { sku: 'mug' } })
    await t.advance('1 hour')
    await t.app.operate.resolve(order, 'o-1', { result: { reservationId: 'r-8' }, why: 'told by phone', by: 'ann' })
    expect((await t.app.get(order, 'o-1').state()).data.reservationId).toBe('r-8')
    await t.app.emit(PaymentCaptured({ orderId: 'o-1', paymentId: 'p' }))
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'confirmed'])
    await t.end()
  })
})

describe('families', () => {
  const child = machine('node', {
    data: z.object({}),
    initial: 'booting',
    states: { booting: { after: { '1 minute': 'up' } }, up: { after: { '1 hour': 'gone' } }, gone: { final: 'done' } },
  })
  const pool = machine('pool', {
    data: z.object({ nodes: z.array(z.string()) }),
    children: { nodes: { of: child, each: ({ data }) => data.nodes.map((id) => ({ id, data: {} })) } },
    initial: 'starting',
    states: {
      starting: { until: { nodes: { all: 'up', any: { gone: 'down' } } }, done: 'ready' },
      ready: { until: { nodes: { any: { gone: 'down' } } } },
      down: { final: 'failed' },
    },
  })

  test('are followed', async () => {
    const t = harness({ services: [service('cloud', { machines: [pool, child] })] })
    await t.app.run(pool, { id: 'p-1', data: { nodes: ['n-1', 'n-2'] } })
    await t.advance('1 minute')
    expect(await t.path(pool, 'p-1')).toEqual(['starting', 'ready'])
    await t.advance('1 hour')
    expect(await t.path(pool, 'p-1')).toEqual(['starting', 'ready', 'down'])
    expect(await t.path(child, 'n-2')).toEqual(['booting', 'up', 'gone'])
    await t.end()
  })
})
