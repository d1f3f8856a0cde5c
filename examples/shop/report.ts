// The end of a run: what became of the orders, both laws recounted from the tables, and the outside's book beside our own.
import type { App, Counts } from 'pawl'
import { recountOf } from 'pawl/testing'
import { readBook, type Standing } from './book.ts'
import type { Figures } from './figures.ts'
import { instancesLaw, lawText, messagesLaw } from './laws.ts'
import { order } from './process.ts'

/** What an order that was fulfilled has outside, once each. */
const OF_DONE = ['warehouse.reserve', 'bank.charge', 'courier.book', 'courier.collect', 'post.mail'] as const
/** What is left of an order that was undone. */
const OF_UNDONE = ['post.mail'] as const

/** How an order ended. */
export type Ended = 'done' | 'failed' | 'cancelled'

/** What is wrong with the effects of one order; empty: nothing. */
export function auditOrder(id: string, ended: Ended, standing: Standing | undefined): string[] {
  const wanted: readonly string[] = ended === 'done' ? OF_DONE : OF_UNDONE
  const missing = wanted
    .filter((act) => standing?.get(act) === undefined)
    .map((act) => `order ${id} is ${ended} without ${act}`)
  const wrong = [...(standing ?? [])].flatMap(([act, n]) => {
    if (!wanted.includes(act)) return [`order ${id} is ${ended}, and ${act} still stands`]
    return n === 1 ? [] : [`order ${id} has ${act} under ${n} keys`]
  })
  return [...missing, ...wrong]
}

/** All ended orders of the shop. */
export async function* endedOrders(app: App): AsyncGenerator<readonly [id: string, ended: Ended]> {
  for (const status of ['done', 'failed', 'cancelled'] as const) {
    let after: string | undefined
    do {
      const page = await app.list(order, { status, limit: 1_000, ...(after === undefined ? {} : { after }) })
      for (const { id } of page.items) yield [id, status]
      after = page.next
    } while (after !== undefined)
  }
}

/** What a run came to. `faults`: why the books do not balance, in words; empty: they do. */
export interface Report {
  readonly text: string
  readonly faults: readonly string[]
}

/** Compares the figures with the recount, number by number. */
export function compare(figures: Counts, recounted: Counts): string[] {
  const faults: string[] = []
  const visit = (name: string, a: unknown, b: unknown): void => {
    if (typeof a === 'object' || typeof b === 'object') {
      const [left, right] = [a ?? {}, b ?? {}] as Record<string, unknown>[]
      // A state that nobody is in may be named in one and not in the other.
      for (const key of new Set([...Object.keys(left!), ...Object.keys(right!)]))
        visit(`${name} ${key}`, left![key], right![key])
    } else if ((a ?? 0) !== (b ?? 0))
      faults.push(`${name}: the figures say ${JSON.stringify(a ?? 0)}, the tables ${JSON.stringify(b ?? 0)}`)
  }
  visit('instances', figures.instances, recounted.instances)
  visit('messages', figures.messages, recounted.messages)
  return faults
}

/** What a live shop cannot promise at any moment, but a run that came to its end must: nothing is under way. */
function unfinished({ instances, messages }: Counts): string[] {
  const open = Object.entries(instances).flatMap(([name, machine]) =>
    (['running', 'waiting', 'stalled'] as const).flatMap((condition) =>
      machine[condition] === 0 ? [] : [`${machine[condition]} ${name} still ${condition}`],
    ),
  )
  return messages.pending === 0 ? open : [...open, `${messages.pending} messages still pending`]
}

/** Makes the report. `isOver`: the run came to its end, so nothing may be under way. The app may still run, or be idle. */
export async function report(app: App, figures: Figures, o: { book: string; isOver: boolean }): Promise<Report> {
  const [counts, recounted] = [await app.counts(), await recountOf(app)]
  const laws = [instancesLaw(recounted), messagesLaw(recounted)]
  const book = readBook(o.book)
  const faults = laws.filter((law) => !law.balances).map((law) => `${law.name} do not balance: ${lawText(law)}`)
  if (o.isOver) faults.push(...compare(counts, recounted), ...unfinished(recounted))
  faults.push(...book.faults)
  let audited = 0
  for await (const [id, ended] of endedOrders(app)) {
    audited++
    // Whoever stops early may stop before the customer was told.
    const found = auditOrder(id, ended, book.standing.get(id))
    faults.push(...(o.isOver ? found : found.filter((fault) => !fault.endsWith('without post.mail'))))
  }
  const orders = recounted.instances['order']
  const ms = (value: number | undefined): string => (value === undefined ? '–' : `${(value / 1_000).toFixed(2)} s`)
  const lines = [
    `orders        ${orders?.started ?? 0} started, ${orders?.done ?? 0} done, ${orders?.failed ?? 0} failed and undone, ${orders?.cancelled ?? 0} cancelled and undone`,
    `start–finish  p50 ${ms(figures.p50Ms)}, p99 ${ms(figures.p99Ms)}`,
    `trouble       ${figures.retries} retries, ${figures.compensations} compensations, ${orders?.stalled ?? 0} stalled, ${recounted.messages.dead} dead letters`,
    ...laws.map((law) => `${law.name.padEnd(14)}${lawText(law)}${law.balances ? '' : '  DOES NOT BALANCE'}`),
    `outside       ${audited} ended orders compared with its book`,
    ...(faults.length === 0
      ? ['The books balance.']
      : [
          'THE BOOKS DO NOT BALANCE:',
          ...faults.slice(0, 20).map((fault) => `  ${fault}`),
          ...(faults.length > 20 ? [`  and ${faults.length - 20} more`] : []),
        ]),
  ]
  return { text: lines.join('\n'), faults }
}
