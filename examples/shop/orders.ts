// Where orders come from: a file of them, or customers who are made up.
import { createReadStream } from 'node:fs'
import type * as z from 'zod'
import { LIMITED } from './book.ts'
import { Order } from './process.ts'

/** One order with its id. `cancels`: the customer will want it back so many ms later. */
export interface Placed {
  readonly id: string
  readonly data: z.input<typeof Order>
  readonly cancels?: number
}

/** A line of a file that is no order, and why. `line` counts from 1. */
export interface BadLine {
  readonly line: number
  readonly why: string
}

/** No order is longer; without a limit one line without an end would fill the memory. */
const LINE_LENGTH_MAX = 10_000
const ID = /^[\x21-\x7e]{1,100}$/

/** The lines of a stream of text, from 1; a line that is too long comes as null, once, and the rest of it is passed over. */
async function* numbered(chunks: AsyncIterable<string>): AsyncGenerator<readonly [line: number, text: string | null]> {
  let line = 1
  let rest = ''
  let skips = false
  for await (const chunk of chunks) {
    const parts = (rest + chunk).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      if (!skips) yield [line, part.length > LINE_LENGTH_MAX ? null : part]
      skips = false
      line++
    }
    if (!skips && rest.length > LINE_LENGTH_MAX) {
      yield [line, null]
      skips = true
    }
    if (skips) rest = ''
  }
  if (rest !== '') yield [line, rest]
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch (e) {
    return e instanceof Error ? e : new Error(String(e))
  }
}

/** The order of one line, or why it is none. */
const readLine = (text: string): Placed | string => {
  const value = parse(text)
  if (value instanceof Error) return `is no JSON: ${value.message}`
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is no JSON object'
  const { id, ...data } = value as { readonly id?: unknown }
  if (typeof id !== 'string' || !ID.test(id)) return 'has no "id": a text of 1 to 100 visible ASCII characters'
  const order = Order.strict().safeParse(data)
  if (order.success) return { id, data: order.data }
  const [problem] = order.error.issues
  return `is no order: ${problem?.path.join('.') || 'the line'}: ${problem?.message ?? 'does not fit'}`
}

/** Orders of text that comes in pieces, one JSON object a line; a bad line goes to `refuse`, and does not stop the others. Empty lines are none. */
export async function* readOrders(
  chunks: AsyncIterable<string>,
  refuse: (bad: BadLine) => void,
): AsyncGenerator<Placed> {
  const firstLines = new Map<string, number>()
  for await (const [line, text] of numbered(chunks)) {
    if (text?.trim() === '') continue
    // A byte order mark is how some editors begin a file.
    const read =
      text === null
        ? `is longer than ${LINE_LENGTH_MAX} characters`
        : readLine(line === 1 ? text.replace(/^\uFEFF/, '') : text)
    const first = typeof read === 'string' ? undefined : firstLines.get(read.id)
    if (typeof read === 'string') refuse({ line, why: read })
    else if (first !== undefined) refuse({ line, why: `has the id ${read.id} of line ${first}` })
    else {
      firstLines.set(read.id, line)
      yield read
    }
  }
}

/** Orders of a file, as `readOrders`. Rejects with the system's error where it cannot be read. */
export const fileOrders = (path: string, refuse: (bad: BadLine) => void): AsyncGenerator<Placed> =>
  readOrders(createReadStream(path, 'utf8') as AsyncIterable<string>, refuse)

const CUSTOMERS = [
  'Ada',
  'Boris',
  'Chiara',
  'Dmitri',
  'Eun-ji',
  'Farid',
  'Grace',
  'Hedy',
  'Ines',
  'Jun',
  'Katya',
  'Linus',
  'Mary',
  'Nils',
  'Olga',
  'Priya',
]
const PRODUCTS = [
  { sku: 'mug', cents: 1_200 },
  { sku: 'poster', cents: 2_500 },
  { sku: 'notebook', cents: 900 },
  { sku: 'lamp', cents: 4_900 },
  { sku: 'kettle', cents: 3_700 },
  { sku: 'chair', cents: 18_900 },
  { sku: 'blanket', cents: 5_400 },
  { sku: 'puzzle', cents: 2_100 },
] as const
/** One in so many wants the limited print; one in so many changes their mind. */
const WANTS_LIMITED = 0.02
const CANCELS = 0.02
const CANCELS_WITHIN_MS = 400

/** What `customer` draws from. */
export interface Draws {
  pick<T>(list: readonly T[]): T
  int(below: number): number
  chance(share: number): boolean
}

/** A made-up customer's order. The same draws give the same order. */
export function customer(id: string, draw: Draws): Placed {
  const name = draw.pick(CUSTOMERS)
  const product = draw.chance(WANTS_LIMITED) ? { sku: LIMITED.sku, cents: 9_900 } : draw.pick(PRODUCTS)
  const quantity = 1 + draw.int(3)
  const data = { customer: name, sku: product.sku, quantity, cents: product.cents * quantity }
  return draw.chance(CANCELS) ? { id, data, cancels: draw.int(CANCELS_WITHIN_MS) } : { id, data }
}
