// Commands straight to the port: changes of every shape that a store may be given, those of an engine and those of one that has lost
// the thread. A command is plain data with small numbers in it; what they mean depends on what is there when it runs, so that a
// sequence stays one when some of its commands are taken out.
import { copyFileSync, existsSync } from 'node:fs'
import fc from 'fast-check'
import type { Letter, ListQuery } from '../../../src/store/store.ts'
import { hostileData, LEASE_MS, messageOf, PARTITIONS, receiptOf } from '../../../src/testing/store/fixture.ts'
import { ChangeMaker, FAULTS, targetOf, TARGETS, type Fault, type Part } from './change.ts'
import type { Pair, Place } from './place.ts'

/** What a store can be told or asked. */
export type Command =
  | { readonly do: 'write'; readonly parts: readonly Part[]; readonly how: How; readonly fault?: Fault }
  | {
      readonly do: 'append'
      readonly count: number
      readonly name: number
      readonly priority: number
      readonly sql: boolean
    }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'session'; readonly how: 'closed' | 'expired' | 'renewed' }
  | { readonly do: 'reopen'; readonly how: 'closed' | 'cut off' }
  | { readonly do: 'burn'; readonly back: number }
  | {
      readonly do: 'list'
      readonly query: Omit<ListQuery, 'machine' | 'after'>
      readonly machine: number
      readonly pages: number
    }
  | { readonly do: 'letters'; readonly machine: number; readonly limit: number }
  | {
      readonly do: 'retain'
      readonly endedMs: number | null
      readonly receiptsMs: number
      readonly deadMs: number | null
      readonly limit: number
    }
  | { readonly do: 'remove'; readonly name: number }
  | { readonly do: 'graph'; readonly version: number }
  | { readonly do: 'look'; readonly partitions: number; readonly limit: number; readonly aheadMs: number }

/** How a change is committed. `late`: again, under the number of a commit of before; `old`: by a session that is over. */
type How = 'once' | 'twice' | 'late' | 'old' | 'burnt' | 'burnt after'

const MACHINES = ['order', 'crew', '__proto__', 'nobody']
const STATES = ['placed', 'on its way', 'done', '__proto__', 'nowhere']
const ALL = Array.from({ length: PARTITIONS }, (_, n) => n)

const few = fc.nat({ max: 7 })
const limit = fc.constantFrom(1, 2, 3, 50)
const ages = fc.constantFrom(0, 1, 999, 60_000, 3_600_000, 8 * 86_400_000)

const part: fc.Arbitrary<Part> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ do: fc.constant('put' as const), name: few, status: few, state: few, shape: fc.nat({ max: 1023 }), dueMs: fc.constantFrom(null, null, -5, 0, 5, 1_000, 90_000), rows: fc.nat({ max: 3 }), events: fc.nat({ max: 2 }), again: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('wait' as const), name: few, unit: fc.boolean(), untilMs: fc.constantFrom(null, -1, 5, 5_000), size: few }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('rewait' as const), nth: few, untilMs: fc.constantFrom(null, 7, 4_000), adopt: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unwait' as const), nth: few }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('letter' as const), name: few, priority: fc.constantFrom(-1, 0, 0, 5), unit: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('decide' as const), count: few }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('receipt' as const), id: few, outcome: few }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('dead' as const), id: few, name: few, unit: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('undead' as const), id: few }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('outside' as const), partition: few }) },
) // prettier-ignore

const write = fc.record({
  do: fc.constant('write' as const),
  parts: fc.array(part, { minLength: 1, maxLength: 6 }),
  how: fc.oneof({ weight: 10, arbitrary: fc.constant('once' as const) }, fc.constantFrom('twice', 'late', 'old', 'burnt', 'burnt after')),
}) // prettier-ignore
const faulty = fc.record({ do: fc.constant('write' as const), parts: fc.array(part, { maxLength: 4 }), how: fc.constant('once' as const), fault: fc.constantFrom(...FAULTS) }) // prettier-ignore

/** One command. */
export const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 24, arbitrary: write },
  { weight: 3, arbitrary: faulty },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('append' as const), count: fc.nat({ max: 3 }), name: few, priority: fc.constantFrom(0, 0, 3), sql: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('pass' as const), ms: fc.constantFrom(1, 7, 900, LEASE_MS + 1, 70_000, 3_600_000, 86_400_000) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('session' as const), how: fc.constantFrom('closed', 'expired', 'renewed') }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('reopen' as const), how: fc.constantFrom('closed', 'cut off') }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('burn' as const), back: fc.nat({ max: 3 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('list' as const), machine: few, pages: fc.nat({ max: 4 }), query: fc.record({ limit, state: fc.constantFrom(...STATES, ['placed', 'done'], []), status: fc.constantFrom('running', 'waiting', 'stalled', 'done', 'failed', 'cancelled'), stallCode: fc.constantFrom('A', 'B') }, { requiredKeys: ['limit'] }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('letters' as const), machine: few, limit }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('retain' as const), endedMs: fc.option(ages), receiptsMs: ages, deadMs: fc.option(ages), limit }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('remove' as const), name: few }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('graph' as const), version: fc.integer({ min: 1, max: 2 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('look' as const), partitions: fc.nat({ max: 15 }), limit, aheadMs: fc.constantFrom(-10, 0, 5, 100_000) }) },
) as fc.Arbitrary<Command> // prettier-ignore

/** Time that moves when it is told to. */
export const movable = () => {
  const clock = {
    at: Date.UTC(2026, 0, 1),
    now: () => clock.at,
    monotonic: () => clock.at,
    after: () => () => {},
    turn: async () => {},
  }
  return clock
}

/** Runs commands, one after the other. */
export class RawRun {
  readonly #place: Place
  readonly #clock: ReturnType<typeof movable>
  readonly #maker: ChangeMaker
  #pair: Pair
  #session = ''
  #old = ''
  #n = 0
  #files = 0

  constructor(place: Place, clock: ReturnType<typeof movable>) {
    this.#place = place
    this.#clock = clock
    this.#pair = place.connect()
    this.#maker = new ChangeMaker(() => this.#pair, () => clock.at) // prettier-ignore
  }

  /** The present connection. */
  get pair(): Pair {
    return this.#pair
  }

  async begin(): Promise<void> {
    await this.#pair.open({ partitions: PARTITIONS })
    await this.#begin()
  }
  async #begin(): Promise<void> {
    this.#old = this.#session
    this.#session = (await this.#pair.openSession({ build: 'b', leaseMs: LEASE_MS })).session
    await this.#pair.acquire(this.#session, PARTITIONS)
    this.#n = 0
  }
  async end(): Promise<void> {
    await this.#pair.close()
  }

  /** Runs one, and looks at what it may have touched. */
  async run(command: Command): Promise<void> {
    await this.#run(command)
    await this.look()
    this.#place.check()
  }

  /** What an owner reads again and again. */
  async look(): Promise<void> {
    await this.#pair.load(TARGETS)
    await this.#pair.nextDue(ALL)
    await this.#pair.counts()
  }

  async #run(command: Command): Promise<void> {
    const pair = this.#pair
    switch (command.do) {
      case 'write':
        return this.#write(command)
      case 'append':
        return this.#append(command)
      case 'pass':
        return void (this.#clock.at += command.ms)
      case 'session':
        return this.#other(command.how)
      case 'reopen':
        return this.#reopen(command.how)
      case 'burn':
        return void (await pair.burn(this.#session, Math.max(1, this.#n + 1 - command.back)))
      case 'list':
        return this.#list(command)
      case 'letters':
        return this.#letters(command)
      case 'retain':
        return this.#retain(command)
      case 'remove': {
        const stone = { target: targetOf(command.name), at: this.#clock.at, why: 'by request', by: 'ann' }
        return void (await pair.remove(this.#session, stone))
      }
      case 'graph':
        return pair.saveGraph({ ...GRAPH, version: command.version }, `hash at ${this.#clock.at}`)
      case 'look':
        return this.#look(command)
    }
  }

  async #write({ parts, how, fault }: Extract<Command, { do: 'write' }>): Promise<void> {
    const pair = this.#pair
    const change = await this.#maker.make(this.#session, parts, fault)
    if (how === 'old' && this.#old !== '') return void (await pair.commit(this.#old, 1, change))
    if (how === 'late' && this.#n > 0)
      return void (await pair.commit(this.#session, Math.min(this.#n, 1 + (this.#n % 3)), change))
    const n = ++this.#n
    if (how === 'burnt') await pair.burn(this.#session, n)
    await pair.commit(this.#session, n, change)
    if (how === 'twice') await pair.commit(this.#session, n, change)
    if (how === 'burnt after') await pair.burn(this.#session, n)
    for (const k of new Set(change.journal.map((row) => row.k))) await pair.journal(k, 1, 4)
  }

  async #append({ count, name, priority, sql }: Extract<Command, { do: 'append' }>): Promise<void> {
    const target = targetOf(name)
    const letters: readonly Letter[] = [
      { kind: 'input', target, input: messageOf(`m-${name}`, { data: hostileData }) },
      { kind: 'input', target, input: { kind: 'timer', id: 't', at: 1, correlation: 'c', stamp: 0 } },
      { kind: 'event', type: 'order.placed', version: 2, key: target.id, data: null, keepMs: 5, id: 'e', at: 1, correlation: 'c', delivery: { dedup: { source: 'http', hash: 'h' } } },
    ] // prettier-ignore
    const rows = letters.slice(0, count).map((letter, i) => ({ partition: (name + i) % PARTITIONS, priority, letter }))
    const counts = { 'm:accepted': count, 'm:pending': count }
    if (sql) await this.#pair.appendInTransaction(rows, counts)
    else await this.#pair.append(rows, counts)
  }

  async #other(how: 'closed' | 'expired' | 'renewed'): Promise<void> {
    if (how === 'renewed') return void (await this.#pair.renew(this.#session, LEASE_MS))
    if (how === 'closed') await this.#pair.closeSession(this.#session)
    else this.#clock.at += LEASE_MS + 1
    await this.#begin()
    await this.#pair.renew(this.#old, LEASE_MS)
    await this.#pair.sessions()
  }

  /** `cut off`: the file goes on as a crash at this moment leaves it. */
  async #reopen(how: 'closed' | 'cut off'): Promise<void> {
    const { path } = this.#place
    if (how === 'cut off') {
      const copy = path.replace(/(-\d+)?\.db$/, `-${++this.#files}.db`)
      for (const end of ['', '-wal']) if (existsSync(`${path}${end}`)) copyFileSync(`${path}${end}`, `${copy}${end}`)
      this.#place.path = copy
    }
    await this.#pair.close()
    this.#pair = this.#place.connect()
    await this.#pair.open({})
    await this.#begin()
  }

  async #list({ machine, query, pages }: Extract<Command, { do: 'list' }>): Promise<void> {
    const of = { ...query, machine: MACHINES[machine % MACHINES.length]! }
    let { next } = await this.#pair.list(of)
    for (let left = pages; left > 0 && next !== undefined; left--) ({ next } = await this.#pair.list({ ...of, after: next })) // prettier-ignore
    await this.#pair.population(of.machine)
  }
  async #letters({ machine, limit }: Extract<Command, { do: 'letters' }>): Promise<void> {
    const name = MACHINES[machine % 5]
    const of = { limit, ...(name === undefined ? {} : { machine: name }) }
    let { next } = await this.#pair.deadLetters(of)
    while (next !== undefined) ({ next } = await this.#pair.deadLetters({ ...of, after: next }))
    await this.#pair.deadLetter('nobody')
  }

  async #retain({ endedMs, receiptsMs, deadMs, limit }: Extract<Command, { do: 'retain' }>): Promise<void> {
    const { at } = this.#clock
    const cut = { receiptsBefore: at - receiptsMs, limit }
    await this.#pair.retain(this.#session, { ...cut, ...(endedMs !== null && { endedBefore: at - endedMs }), ...(deadMs !== null && { deadBefore: at - deadMs }) }) // prettier-ignore
    await this.#pair.recount()
  }

  async #look({ partitions, limit, aheadMs }: Extract<Command, { do: 'look' }>): Promise<void> {
    const pair = this.#pair
    const own = ALL.filter((n) => (partitions & (1 << n)) !== 0)
    const until = this.#clock.at + aheadMs
    await pair.inbox(own, limit)
    await pair.due(own, until, limit)
    await pair.expired(own, until, limit)
    await pair.nextDue(own)
    await pair.openCalls(own, limit === 2 ? 5 : null, limit)
    for (const partition of own) await pair.events(partition, limit, limit)
    await pair.receipts(Array.from({ length: 8 }, (_, i) => receiptOf(`r-${i}`)))
    await pair.tombstone(targetOf(partitions))
    await pair.acquire(this.#session, PARTITIONS)
    await pair.now()
  }
}

const GRAPH = { name: 'order', version: 1, initial: 'placed', states: [{ name: 'placed', calls: ['a'] }], edges: [], receives: ['a'], emits: [] } // prettier-ignore
