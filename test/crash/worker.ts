// The process that is killed: a shop that takes orders and tells, line by line, how far it is.
//
//   node worker.ts '{"db": …, "port": …, "from": 1, "to": 40, "seed": 1, "last": false}'
//
// On file descriptor 3 it writes a letter for each thing that the app tells (see LETTERS). It prints:
//   placed <id>                        the order is safe            cancelled <id>   the customer's cancel is safe
//   and in the last life:
//   ended <id> <done|failed|cancelled>                              cancel <id> <outcome> <became>
//   fault <what does not balance>                                   finished
import { Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { isPawlError, type App, type Lifecycle, type Receipt } from 'pawl'
import { seededRandom } from 'pawl/testing'
import { quiet } from '../../examples/shop/feed.ts'
import { Watch } from '../../examples/shop/figures.ts'
import { customer, type Placed } from '../../examples/shop/orders.ts'
import { CancelOrder, notification, order, parcel } from '../../examples/shop/process.ts'
import { endedOrders, report } from '../../examples/shop/report.ts'
import { hearCourier, openShop } from '../../examples/shop/shop.ts'
import { Outside } from '../../examples/shop/wire.ts'

/** What one life is told to do. */
export interface Life {
  readonly db: string
  readonly book: string
  readonly port: number
  /** Orders are numbered; this life brings in these. */
  readonly from: number
  readonly to: number
  readonly seed: number
  /** The life that nobody kills: it brings everything to its end, and audits. */
  readonly last: boolean
}

/** Letters of what the app tells; the driver counts them, and kills at the n-th of one kind. */
const LETTERS: Partial<Record<Lifecycle['kind'], string>> = {
  transition: 't',
  commit: 'c',
  'attempt-started': 'a',
  'attempt-succeeded': 's',
  'attempt-failed': 'f',
}

/** The order of that number: the same in every life. Here one customer in five wants it back, sooner or later. */
function orderOf(seed: number, n: number): Placed {
  const { id, data } = customer(`o-${n}`, seededRandom(seed * 1_000_003 + n))
  return n % 5 === 0 ? { id, data, cancels: (n * 37) % 500 } : { id, data }
}

const OPERATOR_EVERY_MS = 300

const say = (line: string): void => void process.stdout.write(`${line}\n`)

/** On a busy machine an answer may be long in coming; sent again under its id a message is applied once. */
async function sendCancel(app: App, id: string, until: 'applied' | 'stored'): Promise<Receipt> {
  for (;;) {
    try {
      return await app.send(order, id, CancelOrder({ reason: 'changed my mind' }), { id: `cancel-${id}`, until })
    } catch (error) {
      if (!isPawlError(error, 'WITHIN_ELAPSED')) throw error
    }
  }
}

async function place(app: App, one: Placed): Promise<void> {
  await app.run(order, { id: one.id, data: one.data })
  say(`placed ${one.id}`)
  if (one.cancels === undefined) return
  await sleep(one.cancels)
  await sendCancel(app, one.id, 'stored')
  say(`cancelled ${one.id}`)
}

/** Whoever was in too many crashes in a row waits for an operator, who finds that it was not their fault. */
async function retryDied(app: App): Promise<void> {
  for (const machine of [order, parcel, notification] as const) {
    await app.operate.each(machine, { code: 'WORKER_DIED' }, { do: 'retry', why: 'it was killed from outside' })
  }
}

/** A journal without gaps, from its beginning to its end. */
async function auditJournal(app: App, id: string): Promise<string[]> {
  const faults: string[] = []
  let seq = 0
  let state: string | null = null
  for await (const row of app.get(order, id).history()) {
    if (row.seq !== seq + 1) faults.push(`order ${id}: journal row ${row.seq} follows ${seq}`)
    if (row.from !== state) faults.push(`order ${id}: row ${row.seq} leaves ${row.from}, but it was in ${state}`)
    seq = row.seq
    state = row.to
  }
  if (state !== 'done' && state !== 'undone') faults.push(`order ${id}: its journal ends in ${state}`)
  return faults
}

async function finish(app: App, watch: Watch, life: Life): Promise<void> {
  await quiet(app, new AbortController().signal)
  const { faults } = await report(app, await watch.read(), { book: life.book, isOver: true })
  for (const fault of faults) say(`fault ${fault}`)
  for await (const [id, ended] of endedOrders(app)) {
    say(`ended ${id} ${ended}`)
    for (const fault of await auditJournal(app, id)) say(`fault ${fault}`)
  }
  for (let n = 1; n <= life.to; n++) {
    const { id, cancels } = orderOf(life.seed, n)
    if (cancels === undefined) continue
    const receipt = await sendCancel(app, id, 'applied')
    say(`cancel ${id} ${receipt.outcome} ${receipt.outcome === 'duplicate' ? receipt.became : '-'}`)
  }
  say('finished')
}

async function live(life: Life): Promise<void> {
  const outside = new Outside(() => Promise.resolve(life.port))
  const app = openShop({
    db: life.db,
    outside,
    forgets: false,
    log: ({ level, text, machine, id, error }) => {
      if (level === 'error') console.error(text, machine, id, error)
    },
  })
  const progress = new Socket({ fd: 3, readable: false, writable: true })
  app.on(({ kind }) => {
    const letter = LETTERS[kind]
    if (letter !== undefined) progress.write(letter)
  })
  await app.start()
  const watch = new Watch(app, () => performance.now())
  hearCourier(app, outside)
  // Again and again: a take-over finds open calls in the background, and may stall an instance any time after the start.
  const operator = setInterval(() => void retryDied(app).catch(() => {}), OPERATOR_EVERY_MS)
  const numbers = Array.from({ length: life.to - life.from + 1 }, (_, i) => life.from + i)
  await Promise.all(numbers.map((n) => place(app, orderOf(life.seed, n))))
  // A life that is to be killed just goes on, also when all its orders have ended; but never longer than the driver.
  if (!life.last) return
  await finish(app, watch, life)
  clearInterval(operator)
  await app.stop()
  process.exit(0)
}

process.stdin.resume().on('end', () => process.exit(1))
await live(JSON.parse(process.argv[2]!) as Life)
