// What can be said on the command line.
import { parseArgs } from 'node:util'

/** How the shop runs. */
export interface Options {
  /** The shop's file. Undefined: `.pawl/shop.db`, or with `exit` a new one. */
  readonly db: string | undefined
  /** So many orders, then no more. Undefined: no end, or those of `file`. */
  readonly orders: number | undefined
  readonly file: string | undefined
  readonly exit: boolean
  /** Customers per second. Undefined: 50 where there is no end, else as fast as the shop takes them. */
  readonly rate: number | undefined
  /** The share of calls that have trouble. */
  readonly fail: number
  readonly seed: number
  /** The port of an outside that runs already. */
  readonly outside: number | undefined
  /** The port of its HTTP side. Undefined: 4400 or the next free one; with `exit` there is none then. */
  readonly port: number | undefined
}

/** What is wrong with the command line, in words for whoever typed it. */
export class UsageError extends Error {}

export const HELP = `The shop: orders that survive kill -9. Its file keeps them; kill it, start it again, and every order goes on.

  npm start                                 customers come and go; Ctrl-C stops
  npm start -- --orders 2000 --exit         so many orders, then a report; 0 only if the books balance
  npm start -- --file orders.jsonl --exit   orders from a file, one JSON a line:
                                            {"id":"o-1","customer":"Ada","sku":"mug","quantity":1,"cents":1200}

  --db <file>       where the shop keeps everything (default .pawl/shop.db; with --exit a new file in .pawl)
  --orders <n>      how many orders are made up, 1 to 1000000
  --file <file>     orders from this file instead
  --exit            end with the last order: print the report
  --rate <n>        customers per second, up to 5000 (default 50; with --orders or --file as fast as it goes)
  --fail <share>    of all calls to warehouse, bank and courier, so many fail, hang or answer late: 0 to 0.9 (default 0.05)
  --seed <n>        other numbers make other customers (default 1)
  --outside <port>  use the outside world that listens there, instead of starting one
  --port <n>        serve HTTP there, 0 for any (default 4400 or the next free one; with --exit only if given)
  --help            this text
`

const number = (
  name: string,
  text: string | undefined,
  min: number,
  max: number,
  whole: boolean,
): number | undefined => {
  if (text === undefined) return undefined
  const value = text.trim() === '' ? NaN : Number(text)
  if (value >= min && value <= max && (!whole || Number.isInteger(value))) return value
  throw new UsageError(
    `--${name} takes a ${whole ? 'whole ' : ''}number from ${min} to ${max}, not ${JSON.stringify(text)}`,
  )
}

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: [...args],
      options: {
        db: { type: 'string' },
        orders: { type: 'string' },
        file: { type: 'string' },
        exit: { type: 'boolean', default: false },
        rate: { type: 'string' },
        fail: { type: 'string' },
        seed: { type: 'string' },
        outside: { type: 'string' },
        port: { type: 'string' },
        help: { type: 'boolean', short: 'h', default: false },
      },
    }).values
  } catch (e) {
    // Node's own words are good, but their second sentence is about positional arguments with dashes.
    throw new UsageError(e instanceof Error ? (e.message.split('. ')[0] ?? e.message) : String(e))
  }
}

/** The options, or 'help'. Throws UsageError. */
export function readOptions(args: readonly string[]): Options | 'help' {
  const values = parse(args)
  if (values.help) return 'help'
  const orders = number('orders', values.orders, 1, 1_000_000, true)
  if (orders !== undefined && values.file !== undefined)
    throw new UsageError('--orders and --file are two sources: give one of them')
  if (values.exit && orders === undefined && values.file === undefined)
    throw new UsageError('--exit needs an end: say how many with --orders, or which with --file')
  for (const name of ['db', 'file'] as const)
    if (values[name] === '') throw new UsageError(`--${name} takes the name of a file`)
  return {
    db: values.db,
    orders,
    file: values.file,
    exit: values.exit,
    rate: number('rate', values.rate, 0.1, 5_000, false),
    fail: number('fail', values.fail, 0, 0.9, false) ?? 0.05,
    seed: number('seed', values.seed, 0, Number.MAX_SAFE_INTEGER, true) ?? 1,
    outside: number('outside', values.outside, 1, 65_535, true),
    port: number('port', values.port, 0, 65_535, true),
  }
}
