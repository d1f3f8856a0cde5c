import { seededRandom } from 'pawl/testing'
import { expect, test } from 'vitest'
import { customer, readOrders, type BadLine, type Placed } from '../../../examples/shop/orders.ts'
import { Order } from '../../../examples/shop/process.ts'

const line = (id: string, more: object = {}) =>
  JSON.stringify({ id, customer: 'Ada', sku: 'mug', quantity: 1, cents: 1_200, ...more })

async function read(text: string, piece = Infinity): Promise<{ orders: string[]; bad: BadLine[] }> {
  async function* pieces() {
    for (let at = 0; at < text.length; at += piece) yield text.slice(at, at + piece)
  }
  const bad: BadLine[] = []
  const orders: string[] = []
  for await (const placed of readOrders(pieces(), (why) => bad.push(why))) orders.push(placed.id)
  return { orders, bad }
}

test('every line is an order, however the text is cut', async () => {
  const text = `${line('a')}\r\n\n${line('b')}\n  ${line('c')}`
  for (const piece of [1, 7, 100, Infinity])
    expect(await read(text, piece)).toEqual({ orders: ['a', 'b', 'c'], bad: [] })
})

test('bad lines are told by number, and the others come through', async () => {
  const text = [
    line('a'),
    'nonsense',
    '[1]',
    'null',
    JSON.stringify({ customer: 'Ada' }),
    line('has space'),
    line('b', { quantity: '1' }),
    line('c', { cents: -1 }),
    line('d', { colour: 'red' }),
    line('a'),
    line('e'),
  ].join('\n')
  const { orders, bad } = await read(text, 13)
  expect(orders).toEqual(['a', 'e'])
  expect(bad.map(({ line: n }) => n)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10])
  expect(bad[0]!.why).toMatch(/^is no JSON: /)
  expect(bad[3]!.why).toContain('has no "id"')
  expect(bad[5]!.why).toContain('quantity')
  expect(bad[7]!.why).toContain('colour')
  expect(bad[8]!.why).toBe('has the id a of line 1')
})

test('a line without an end does not fill the memory, and is told once', async () => {
  const text = `${line('a')}\n${'x'.repeat(50_000)}\n${line('b')}\n${'y'.repeat(20_000)}`
  for (const piece of [997, Infinity]) {
    const { orders, bad } = await read(text, piece)
    expect(orders).toEqual(['a', 'b'])
    expect(bad).toEqual([2, 4].map((n) => ({ line: n, why: 'is longer than 10000 characters' })))
  }
})

test('a byte order mark and an empty file are no harm', async () => {
  expect(await read(`\uFEFF${line('a')}`)).toEqual({ orders: ['a'], bad: [] })
  expect(await read('')).toEqual({ orders: [], bad: [] })
})

test('made-up customers are orders, and the same seed makes the same', () => {
  const made = (seed: number): Placed[] =>
    Array.from({ length: 500 }, (_, i) => customer(`o-${i}`, seededRandom(seed * 1_000 + i)))
  for (const { data } of made(1)) expect(Order.safeParse(data).success).toBe(true)
  expect(made(1)).toEqual(made(1))
  expect(made(1)).not.toEqual(made(2))
  expect(made(1).filter(({ cancels }) => cancels !== undefined).length).toBeGreaterThan(1)
})
