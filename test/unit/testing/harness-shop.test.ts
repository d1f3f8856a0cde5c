// The shop's process in the harness: its good path, every failure path, every cancel. What it shows is how such a test reads.
import { describe, expect, test } from 'vitest'
import { service } from 'pawl'
import { answers, explore, hangs, harness, late, may, refuses, sequence, throws } from 'pawl/testing'
import type { Harness } from 'pawl/testing'
import {
  bookCourier,
  cancelCourier,
  CancelOrder,
  charge,
  CourierDelivered,
  handOver,
  mail,
  notification,
  order,
  OrderConfirmed,
  OrderFailed,
  parcel,
  ParcelDelivered,
  refund,
  release,
  reserve,
  track,
} from '../../../examples/shop/process.ts'

const shop = service('shop', { machines: [order, parcel, notification] })
const wanted = { customer: 'ann', sku: 'mug', quantity: 1, cents: 900 }
const nothing = answers({})
const UNDO = ['undo book', 'undo charge', 'undo reserve', 'undone']

/** A day on which everybody outside does what they are asked. */
function goodDay(): Harness {
  const t = harness({ services: [shop] })
  t.fake(reserve, answers({ shelf: 's-1' }))
  t.fake(charge, answers({ payment: 'p-1' }))
  t.fake(bookCourier, answers({ courier: 'c-1' }))
  for (const undo of [release, refund, cancelCourier]) t.fake(undo, nothing)
  t.fake(handOver, answers({ tour: 't-1' }))
  t.fake(track, answers({ delivered: false }))
  t.fake(mail, answers({ mail: 'm-1' }))
  return t
}
const place = (t: Harness) => t.app.run(order, { id: 'o-1', data: wanted })
const cancel = (t: Harness) => t.app.send(order, 'o-1', CancelOrder({ reason: 'changed my mind' }))
/** As a client does that was not answered. */
const untilAnswered = (ask: () => Promise<unknown>): Promise<unknown> =>
  ask().catch((error: unknown) => {
    expect(error).toMatchObject({ code: 'CRASHED' })
    return ask()
  })
const delivered = CourierDelivered({ order: 'o-1' })
const why = (t: Harness) => t.emitted(OrderFailed).map((m) => m.data.why)
const mailed = (t: Harness) => t.calls(mail).map(({ input }) => input.template)

describe('an order', () => {
  test('is reserved, paid, booked, delivered and told', async () => {
    const t = goodDay()
    const placed = await place(t)
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'book', 'delivery'])
    await t.advance('3 seconds')
    await t.app.emit(delivered)
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'book', 'delivery', 'done'])
    expect(await t.path(parcel, 'o-1')).toEqual(['packing', 'handing over', 'on the road', 'delivered'])
    expect(await t.path(notification, 'o-1')).toEqual(['telling', 'told'])
    expect(await placed.result()).toEqual({ payment: 'p-1', courier: 'c-1' })
    expect(t.emitted().map(({ type }) => type)).toEqual([OrderConfirmed.type, ParcelDelivered.type])
    expect(new Set(t.calls().map(({ key }) => key)).size).toBe(t.calls().length)
    await t.end()
  })

  test('that is out of stock leaves nothing', async () => {
    const t = goodDay()
    t.fake(reserve, refuses('OutOfStock'))
    const placed = await place(t)
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'undone'])
    expect([why(t), mailed(t), t.calls(release)]).toEqual([['stock'], ['failed'], []])
    await expect(placed.result()).rejects.toThrow(/ended failed.*\n {2}order "o-1": reserve \(run\) → undone/s)
    await t.end()
  })

  test('that the bank declines gives back what is reserved, by its key', async () => {
    const t = goodDay()
    t.fake(charge, refuses('Declined'))
    await place(t)
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'undo reserve', 'undone'])
    expect(t.calls(release).map(({ input }) => input)).toEqual([{ order: 'o-1', key: t.calls(reserve)[0]?.key }])
    expect([why(t), t.calls(refund)]).toEqual([['payment'], []])
    await t.end()
  })

  test('without a courier gives the money back, and what is reserved after it', async () => {
    const t = goodDay()
    t.fake(bookCourier, refuses('NoCourier'))
    await place(t)
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'book', ...UNDO.slice(1)])
    expect(t.calls().map(({ name }) => name)).toEqual([
      'warehouse.reserve',
      'bank.charge',
      'courier.book',
      'bank.refund',
      'warehouse.release',
      'post.mail',
    ])
    expect(why(t)).toEqual(['courier'])
    await t.end()
  })

  test('whose bank is silent gives back what may have been taken', async () => {
    const t = goodDay()
    t.fake(charge, hangs())
    await place(t)
    await t.advance('20 seconds')
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'undo charge', 'undo reserve', 'undone'])
    expect(t.calls(charge)).toMatchObject([{ outcome: 'unknown' }])
    expect(t.calls(refund)[0]?.input.key).toBe(t.calls(charge)[0]?.key)
    expect(why(t)).toEqual(['trouble'])
    await t.end()
  })

  test('whose couriers cannot be reached is undone when all tries are used up', async () => {
    const t = goodDay()
    t.fake(bookCourier, throws('no route to host'))
    await place(t)
    await t.advance('5 minutes')
    expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'book', ...UNDO])
    expect(t.calls(bookCourier)).toMatchObject([{ attempts: 20, outcome: 'unknown' }])
    expect([why(t), mailed(t)]).toEqual([['trouble'], ['failed']])
    await t.end()
  })

  test('goes on after attempts that fail, under one key', async () => {
    const t = goodDay()
    t.fake(reserve, sequence(throws('reset'), throws('reset'), answers({ shelf: 's-2' })))
    await place(t)
    await t.advance('1 second')
    expect(t.calls(reserve)).toMatchObject([{ attempts: 3, outcome: 'done' }])
    expect((await t.path(order, 'o-1')).at(-1)).toBe('delivery')
    await t.advance('3 seconds')
    await t.app.emit(delivered)
    await t.end()
  })
})

describe('an undo', () => {
  test('does not give up until it is done', async () => {
    const t = goodDay()
    t.fake(charge, refuses('Declined'))
    t.fake(release, sequence(throws('down'), hangs(), throws('down'), nothing))
    await place(t)
    await t.advance('1 minute')
    expect(t.calls(release)).toMatchObject([{ attempts: 4, outcome: 'done' }])
    expect((await t.path(order, 'o-1')).at(-1)).toBe('undone')
    await t.end()
  })

  test('that cannot be done stands visibly, and an operator ends it', async () => {
    const t = goodDay()
    t.fake(charge, refuses('Declined'))
    t.fake(release, throws('closed for ever'))
    await place(t)
    await t.advance('1 hour')
    expect(await t.app.get(order, 'o-1').state()).toMatchObject({ state: 'undo reserve', status: 'stalled' })
    t.fake(release, nothing)
    await t.app.operate.retry(order, 'o-1', { why: 'open again', by: 'ann' })
    expect((await t.path(order, 'o-1')).at(-1)).toBe('undone')
    await t.end()
  })
})

describe('a cancel', () => {
  test.for([
    ['reserve', reserve, ['reserve', 'charge', 'undo reserve', 'undone']],
    ['charge', charge, ['reserve', 'charge', 'book', 'undo charge', 'undo reserve', 'undone']],
  ] as const)('while %s is open lets it settle, and undoes it', async ([, activity, path]) => {
    const t = goodDay()
    if (activity === reserve) t.fake(reserve, late('500 ms', { shelf: 's-1' }))
    else t.fake(charge, late('500 ms', { payment: 'p-1' }))
    await place(t)
    expect((await cancel(t)).outcome).toBe('deferred')
    await t.advance('1 second')
    expect(await t.path(order, 'o-1')).toEqual(path)
    expect([why(t), mailed(t)]).toEqual([['cancelled'], ['failed']])
    await t.end()
  })

  test('that comes while the last call before the pivot is open comes before the pivot', async () => {
    const t = goodDay()
    t.fake(bookCourier, late('500 ms', { courier: 'c-1' }))
    await place(t)
    await cancel(t)
    await t.advance('1 second')
    expect((await t.path(order, 'o-1')).slice(-4)).toEqual(UNDO)
    expect(t.emitted(OrderConfirmed)).toEqual([])
    await t.end()
  })

  test('after the pivot is refused, and the order goes its way', async () => {
    const t = goodDay()
    await place(t)
    expect(await cancel(t)).toMatchObject({ outcome: 'refused', why: 'pivot', state: 'delivery' })
    await t.advance('3 seconds')
    await t.app.emit(delivered)
    expect((await t.path(order, 'o-1')).at(-1)).toBe('done')
    await t.end()
  })
})

describe('a parcel', () => {
  test('whose courier says nothing is asked about', async () => {
    const t = goodDay()
    t.fake(track, sequence(answers({ delivered: false }), answers({ delivered: true })))
    await place(t)
    await t.advance('1 minute')
    expect(await t.path(parcel, 'o-1')).toEqual([
      'packing',
      'handing over',
      'on the road',
      'asking',
      'on the road',
      'asking',
      'delivered',
    ])
    expect((await t.path(order, 'o-1')).at(-1)).toBe('done')
    await t.end()
  })

  test('that is delivered while we ask is not delivered twice', async () => {
    const t = goodDay()
    t.fake(track, late('500 ms', { delivered: true }))
    await place(t)
    await t.advance('22 seconds')
    await t.app.emit(delivered, { id: 'd-1' })
    await t.app.emit(delivered, { id: 'd-1' })
    await t.advance('2 hours')
    expect(t.emitted(ParcelDelivered)).toHaveLength(1)
    await t.end()
  })
})

describe('whatever crashes', () => {
  const commits = Array.from({ length: 8 }, (_, index) => index + 1)
  test.for(commits.flatMap((n) => [[n, true] as const, [n, false] as const]))(
    'at commit %i (applied: %s): the order is delivered, and each call has one key',
    async ([n, applied]) => {
      const t = goodDay()
      t.crashAt(n, { applied })
      await untilAnswered(() => place(t))
      await t.advance('5 seconds')
      await untilAnswered(() => t.app.emit(delivered, { id: 'd-1' }))
      expect(await t.path(order, 'o-1')).toEqual(['reserve', 'charge', 'book', 'delivery', 'done'])
      const keys = t.calls().map(({ name, key }) => `${name} ${key}`)
      expect(new Set(keys).size).toBe(keys.length)
      expect(
        t
          .calls()
          .map(({ name }) => name)
          .toSorted(),
      ).toEqual(['bank.charge', 'courier.book', 'courier.collect', 'post.mail', 'warehouse.reserve'])
      await t.end()
    },
  )
})

test('in no order of what can happen is money kept for an order that failed', async () => {
  const { complete, counterexample } = await explore(order, {
    data: wanted,
    messages: [CancelOrder({ reason: '' })],
    activities: [
      may(reserve, answers({ shelf: 's-1' })),
      may(charge, answers({ payment: 'p-1' }), refuses('Declined'), hangs()),
      may(bookCourier, answers({ courier: 'c-1' }), refuses('NoCourier')),
      may(release, nothing),
      may(refund, nothing),
      may(cancelCourier, nothing),
    ],
    bound: { steps: 5 },
    property: ({ state, calls }) => {
      const charged = calls.filter(({ name, outcome }) => name === 'bank.charge' && outcome !== 'not done')
      const back = calls.filter(({ name, outcome }) => name === 'bank.refund' && outcome === 'done')
      return state !== 'undone' || charged.length === back.length
    },
  })
  expect({ complete, counterexample }).toEqual({ complete: true, counterexample: undefined })
}, 60_000)
