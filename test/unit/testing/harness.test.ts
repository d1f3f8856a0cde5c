import { describe, expect, test } from 'vitest'
import { answers, hangs, harness, late, refuses, sequence, throws } from 'pawl/testing'
import {
  CancelOrder,
  order,
  OrderConfirmed,
  OrderPlaced,
  OrderRejected,
  PaymentCaptured,
  release,
  reserve,
  shop,
} from './order.ts'

const placed = OrderPlaced({ orderId: 'o-1', sku: 'mug' })
const paid = PaymentCaptured({ orderId: 'o-1', paymentId: 'p-1' })
const reserved = answers({ reservationId: 'r-1' })
const make = (seed = 1) => harness({ services: [shop], seed })

describe('time', () => {
  test('stands still, and passes at once', async () => {
    const t = make()
    t.fake(reserve, reserved)
    await t.app.emit(placed)
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming'])
    expect(t.now).toEqual(new Date('2026-01-01T00:00:00Z'))
    await t.advance('14 minutes')
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming'])
    await t.advance('1 minute')
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'releasing', 'cancelled'])
    expect(t.emitted(OrderRejected).map((m) => m.data)).toEqual([{ orderId: 'o-1', why: 'cancelled' }])
    await t.end()
  })

  test('of all who are due none is late, however many they are', async () => {
    const t = make()
    t.fake(reserve, reserved)
    const ids = Array.from({ length: 1_300 }, (_, index) => `o-${index}`)
    await Promise.all(ids.map((id) => t.app.run(order, { id, data: { sku: 'mug' } })))
    await t.advance('15 minutes')
    expect(t.emitted(OrderRejected)).toHaveLength(1_300)
    await t.end()
  })

  test('begins where it is told to', async () => {
    const t = harness({ services: [shop], start: new Date('2030-05-05T05:05:05Z') })
    t.fake(reserve, refuses('OutOfStock'))
    await t.app.run(order, { id: 'o-1', data: { sku: 'mug' } })
    await t.settle()
    const rows = []
    for await (const row of t.app.get(order, 'o-1').history()) rows.push(row)
    expect(rows[0]?.at).toEqual(new Date('2030-05-05T05:05:05Z'))
    await t.end()
  })

  test('what needs time is awaited after advance', async () => {
    const t = make()
    t.fake(reserve, late('3 seconds', { reservationId: 'r-1' }))
    const handle = await t.app.run(order, { id: 'o-1', data: { sku: 'mug' } })
    const there = handle.reaches('confirming')
    await t.advance('3 seconds')
    expect((await there).data.reservationId).toBe('r-1')
    await t.app.emit(paid)
    await t.end()
  })
})

test('what is awaited and needs time tells so, instead of waiting for ever', async () => {
  const t = make()
  t.fake(reserve, hangs())
  const handle = await t.app.run(order, { id: 'o-1', data: { sku: 'mug' } })
  await expect(handle.result()).rejects.toThrow(
    /result\(\) of order "o-1" is awaited while time stands still.*\n {2}order "o-1": reserving \(run\)/,
  )
  await expect(t.end()).rejects.toMatchObject({ code: 'STILL_OPEN' })
})

describe('activities', () => {
  test('answer', async () => {
    const t = make()
    t.fake(reserve, reserved)
    await t.app.emit(placed)
    await t.app.emit(paid)
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'confirmed'])
    expect(t.calls()).toMatchObject([
      { name: 'warehouse.reserve', input: { sku: 'mug' }, attempts: 1, outcome: 'done' },
    ])
    expect(t.calls(release)).toEqual([])
    expect(t.emitted(OrderConfirmed).map((m) => m.data.paymentId)).toEqual(['p-1'])
    await t.end()
  })

  test('refuse with a declared failure', async () => {
    const t = make()
    t.fake(reserve, refuses('OutOfStock', 'no mugs left'))
    await t.app.emit(placed)
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'rejected'])
    expect(t.calls(reserve)).toMatchObject([{ attempts: 1, outcome: 'not done' }])
    await t.end()
  })

  test('throw, and are tried again under one key', async () => {
    const t = make()
    const keys: string[] = []
    t.fake(reserve, ({ sku }, { attempt, key }) => {
      keys.push(key)
      if (attempt < 3) throw new Error(`${sku}: no answer`)
      return { reservationId: 'r-1' }
    })
    await t.app.emit(placed)
    expect(t.calls(reserve)).toMatchObject([{ attempts: 1, outcome: 'open' }])
    await t.advance('1 minute')
    expect(new Set(keys)).toEqual(new Set([t.calls(reserve)[0]?.key]))
    expect(keys).toHaveLength(3)
    expect(t.calls(reserve)).toMatchObject([{ attempts: 3, outcome: 'done' }])
    await t.advance('1 hour')
    await t.end()
  })

  test('hang until their timeout, and a late answer of the first attempt counts still', async () => {
    const t = make()
    t.fake(reserve, sequence(late('7 seconds', { reservationId: 'first' }), hangs()))
    await t.app.emit(placed)
    await t.advance('8 seconds')
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming'])
    expect((await t.app.get(order, 'o-1').state()).data.reservationId).toBe('first')
    expect(t.calls(reserve)).toMatchObject([{ attempts: 2, outcome: 'done' }])
    await t.app.emit(paid)
    await t.end()
  })

  test('answer twice, and the second is nobody’s', async () => {
    const t = make()
    t.fake(reserve, sequence(late('7 seconds', { reservationId: 'first' }), answers({ reservationId: 'second' })))
    await t.app.emit(placed)
    await t.advance('10 seconds')
    expect((await t.app.get(order, 'o-1').state()).data.reservationId).toBe('second')
    await t.app.emit(paid)
    await t.end()
  })

  test('never answer at all: the instance stalls, and says why in every failure', async () => {
    const t = make()
    t.fake(reserve, throws('connection reset'))
    const handle = await t.app.run(order, { id: 'o-1', data: { sku: 'mug' } })
    const stalled = expect(handle.result({ rejectOnStall: true })).rejects.toThrow(
      /waits for an operator.*\n {2}order "o-1": reserving \(run\) → stalled: RETRIES_EXHAUSTED, connection reset/s,
    )
    await t.advance('1 hour')
    await stalled
    expect(t.calls(reserve)).toMatchObject([{ attempts: 8, outcome: 'unknown' }])
    await t.end()
  })

  test('with neither a body nor a fake fail the test by name', async () => {
    const t = make()
    await expect(t.app.emit(placed).then(() => t.settle())).rejects.toThrow(
      /warehouse\.reserve was called, and has neither a body nor a fake/,
    )
    await expect(t.end()).rejects.toMatchObject({ code: 'NO_BODY' })
  })
})

describe('messages', () => {
  test('early: before their instance, and before its state', async () => {
    const t = make()
    t.fake(reserve, late('1 second', { reservationId: 'r-1' }))
    await t.app.emit(paid, { until: 'stored' })
    await t.app.emit(placed)
    expect(await t.path(order, 'o-1')).toEqual(['reserving'])
    await t.advance('1 second')
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'confirmed'])
    await t.end()
  })

  test('late and twice', async () => {
    const t = make()
    t.fake(reserve, reserved)
    await t.app.emit(placed)
    await t.app.emit(paid, { id: 'm-1' })
    expect((await t.app.emit(paid, { id: 'm-1' })).outcome).toBe('duplicate')
    expect(await t.app.send(order, 'o-1', CancelOrder({ reason: 'late' }))).toMatchObject({
      outcome: 'refused',
      why: 'ended',
    })
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'confirmed'])
    await t.end()
  })
})

describe('crashes', () => {
  test('lose what is not committed, and nothing else', async () => {
    const t = make()
    t.fake(reserve, sequence(hangs(), reserved))
    await t.app.emit(placed)
    await t.crash()
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming'])
    expect(t.calls(reserve)).toMatchObject([{ attempts: 2, outcome: 'done' }])
    await t.advance('15 minutes')
    expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'releasing', 'cancelled'])
    await t.end()
  })

  test.for([1, 2, 3, 4, 5].flatMap((n) => [[n, true] as const, [n, false] as const]))(
    'at commit %i (applied: %s) the process comes to the same end',
    async ([n, applied]) => {
      const t = make()
      t.fake(reserve, reserved)
      t.crashAt(n, { applied })
      const tell = async (message: typeof placed | typeof paid): Promise<void> => {
        for (;;)
          try {
            return void (await t.app.emit(message, { id: message.type }))
          } catch (error) {
            expect(error).toMatchObject({ code: 'CRASHED' })
          }
      }
      await tell(placed)
      await t.advance('1 minute')
      await tell(paid)
      await t.advance('1 hour')
      expect(await t.path(order, 'o-1')).toEqual(['reserving', 'confirming', 'confirmed'])
      expect(t.emitted(OrderConfirmed)).toHaveLength(1)
      if (n < 4) await t.end()
      else await expect(t.end()).rejects.toThrow(/crashAt: so many commits never came/)
    },
  )
})

describe('the end', () => {
  test('names timers and calls that are open, and the path to them', async () => {
    const t = make()
    t.fake(reserve, sequence(reserved, hangs()))
    await t.app.emit(placed)
    await t.app.emit(OrderPlaced({ orderId: 'o-2', sku: 'cup' }))
    await expect(t.end()).rejects.toThrow(
      /timer "15 minutes" of order "o-1", due 2026-01-01T00:15:00.000Z\n {4}order "o-1": reserving \(order.placed\) → confirming .*\n {2}call warehouse.reserve of order "o-2"/,
    )
  })

  test('names what was asked and is not answered', async () => {
    const t = make()
    t.fake(reserve, hangs())
    const handle = await t.app.run(order, { id: 'o-1', data: { sku: 'mug' } })
    void handle.result()
    await expect(t.end()).rejects.toThrow(/result\(\) of order "o-1" was asked, and is not answered/)
    await expect(t.settle()).rejects.toMatchObject({ code: 'STOPPED' })
  })

  test('names real timers that a body has set', async () => {
    const t = make()
    let timer: ReturnType<typeof setTimeout> | undefined
    t.fake(reserve, () => {
      timer = setTimeout(() => undefined, 60_000)
      return { reservationId: 'r-1' }
    })
    await t.app.emit(placed)
    await t.app.emit(paid)
    await expect(t.end()).rejects.toThrow(/a setTimeout of 60000 ms that warehouse.reserve has set/)
    clearTimeout(timer)
  })

  test('knows a real timer that has fired or was cleared', async () => {
    const t = make()
    t.fake(reserve, async () => {
      clearTimeout(setTimeout(() => undefined, 60_000))
      await new Promise((resolve) => setTimeout(resolve, 0))
      return { reservationId: 'r-1' }
    })
    await t.app.emit(placed)
    await expect.poll(() => t.path(order, 'o-1')).toEqual(['reserving', 'confirming'])
    await t.app.emit(paid)
    await t.end()
  })
})

test('one seed, one run', async () => {
  const keys = []
  for (const seed of [3, 3, 4]) {
    const t = make(seed)
    t.fake(reserve, sequence(throws(), throws(), reserved))
    await t.app.emit(placed)
    await t.advance('1 minute')
    keys.push(`${t.calls(reserve)[0]?.key}`)
    await t.app.emit(paid)
    await t.end()
  }
  expect(keys[0]).toBe(keys[1])
  expect(keys[0]).not.toBe(keys[2])
})
