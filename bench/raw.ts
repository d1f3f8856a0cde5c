// The raw store: how many three-step checkouts a second SQLite takes with Pawl's own layout and nothing else.
//
// What is measured: `Store.commit` of the rows that the engine would write for a saga of three steps (reserve, charge, ship) with
// one event at its end, four transitions a checkout, in batches, beside a number of finished ones. What is not: validating,
// computing, freezing, activities. It is the yardstick for the engine: `ratioToRaw` of the bench is against this.
import { createHash, randomUUID } from 'node:crypto'
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tally } from '../src/core/counts.ts'
import { partitionOf } from '../src/base/id.ts'
import type { Instance, JournalEntry } from '../src/core/model.ts'
import { migrations } from '../src/store/sqlite/schema.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import type { Change, EventRow, JournalRow, PartitionHead, Store } from '../src/store/store.ts'

/** What is to be measured. */
export interface RawOptions {
  /** Finished checkouts that are in the store before; made once and kept in the folder for temporary files. */
  readonly preload: number
  readonly seconds: number
  /** Checkouts under way at once. */
  readonly inFlight: number
  /** Transitions in one commit. */
  readonly batch: number
  readonly ids: 'uuid' | 'sequential'
}

/** What was measured. */
export interface RawResult {
  /** By the time that the commits took; building their rows is not counted. */
  readonly checkoutsPerSecond: number
  readonly transitionMicros: number
  /** User and system time of this process: hardly changes with what else the machine does. */
  readonly transitionCpuMicros: number
  /** Growth of the file, checkpointed, for each checkout. */
  readonly bytesPerCheckout: number
  readonly commitMsMedian: number
  readonly commitMsMax: number
  readonly residentMb: number
}

const PARTITIONS = 64
const STEPS = ['reserve', 'charge', 'ship'] as const
const RESULTS = [{ reservationId: 'r-0190aaaa-1' }, { paymentId: 'p-0190aaaa-2' }, { courier: 'c-17' }] as const
const CALL_HASHES = ['3f9a0c1d', '7b2e4a5f', '9d8c1b0e'] as const

/** A checkout under way. */
interface Running {
  readonly k: number
  readonly id: string
  readonly partition: number
  readonly incarnation: string
  readonly startedAt: number
  step: number
}

const emptyChange: Omit<Change, 'created' | 'instances' | 'journal' | 'events' | 'counts' | 'heads'> = {
  children: [],
  waiting: [],
  rewaiting: [],
  unwaiting: [],
  inbox: [],
  read: [],
  receipts: [],
  deadLetters: [],
  undead: [],
}

/** Builds the rows of a batch as the engine does. */
class Rows {
  readonly #heads: number[] = Array.from({ length: PARTITIONS }, () => 0)
  readonly #ids: RawOptions['ids']
  #next = 0
  #started = 0
  #at = 1_790_000_000_000

  constructor(ids: RawOptions['ids'], heads: readonly PartitionHead[]) {
    this.#ids = ids
    for (const { partition, head } of heads) this.#heads[partition] = head
  }

  /** A new checkout; its number was allotted. */
  start(k: number): Running {
    const id = this.#ids === 'uuid' ? randomUUID() : `o-${String(++this.#started).padStart(10, '0')}`
    const incarnation = `01k${String(++this.#next).padStart(8, '0')}${id.replaceAll('-', '').slice(0, 15)}`.padEnd(
      26,
      '0',
    )
    return { k, id, partition: partitionOf(id, PARTITIONS), incarnation, startedAt: this.#at, step: 0 }
  }

  /** One transition of each. */
  change(batch: readonly Running[]): Change {
    this.#at += 30
    const tally = new Tally()
    const created = new Set<number>()
    const instances: Instance[] = []
    const journal: JournalRow[] = []
    const events: EventRow[] = []
    const touched = new Set<number>()
    for (const one of batch) {
      if (one.step === 0) created.add(one.k)
      const instance = this.#instance(one)
      instances.push(instance)
      journal.push(this.#journal(one, instance, events))
      if (one.step === 3) touched.add(one.partition)
      this.#count(one, tally)
      one.step++
    }
    const heads = [...touched].map((partition) => ({
      partition,
      head: this.#heads[partition]!,
      stamp: this.#at * 1024,
    }))
    return { ...emptyChange, created, instances, journal, events, heads, counts: tally.sums }
  }

  #data({ id, step }: Running): Record<string, unknown> {
    const results = Object.fromEntries(STEPS.slice(0, step).map((name, i) => [name, RESULTS[i]]))
    return { input: { orderId: id, sku: 'mug', total: 4_200 }, results }
  }

  #instance(one: Running): Instance {
    const { step } = one
    const data = this.#data(one)
    const name = STEPS[step]
    const done = name === undefined
    const call = {
      activity: `warehouse.${name}`,
      key: `${one.incarnation}-${step + 1}-${CALL_HASHES[step]}`,
      input: { orderId: one.id, sku: 'mug' },
      attempts: 0,
      unknown: false,
      openedAt: this.#at,
      recoveries: 0,
      runner: '0190aaaabbbb7cccddddeeeeffff0000',
    }
    return {
      k: one.k,
      machine: 'checkout',
      id: one.id,
      partition: one.partition,
      incarnation: one.incarnation,
      version: 1,
      status: done ? 'done' : 'live',
      state: name ?? 'done',
      seq: step + 1,
      entry: step + 1,
      enteredAt: this.#at,
      data,
      dataText: JSON.stringify(data),
      calls: done ? null : { [name]: call },
      timers: null,
      dueAt: null,
      joined: null,
      stamp: this.#at * 1024,
      parent: null,
      startHash: 'q83vASNFZ4mrze8BI0VniQ',
      stalled: null,
      correlation: one.id,
      priority: 0,
      fairKey: null,
      startedAt: one.startedAt,
      endedAt: done ? this.#at : null,
    }
  }

  #journal(one: Running, { data, correlation, incarnation, state }: Instance, events: EventRow[]): JournalRow {
    const { step, k, partition } = one
    const first = step === 0
    const entry: JournalEntry = {
      seq: step + 1,
      at: this.#at,
      cause: first
        ? { kind: 'start', name: 'start', id: one.id, at: this.#at, correlation }
        : {
            kind: 'result',
            name: STEPS[step - 1]!,
            id: `${incarnation}-${step}-${CALL_HASHES[step - 1]}`,
            at: this.#at,
            correlation,
          },
      from: first ? null : STEPS[step - 1]!,
      to: state,
      outcome: 'applied',
      unit: false,
      change: first ? data : { results: data['results'] },
      removed: [],
      emitted:
        step === 3 ? [{ message: { kind: 'event', type: 'order.confirmed' } as never, data: {}, key: one.id }] : [],
      spawned: [],
      opened: step === 3 ? [] : [STEPS[step]!],
      dropped: [],
      cancelled: [],
    }
    if (step < 3) return { k, entry, events: [] }
    const offset = ++this.#heads[partition]!
    const payload = { orderId: one.id, minutes: 40 }
    events.push({
      partition,
      offset,
      stamp: this.#at * 1024,
      k,
      seq: step + 1,
      id: `e${partition}-${offset}`,
      type: 'order.confirmed',
      version: 1,
      key: one.id,
      data: payload,
      at: this.#at,
      correlation,
    })
    return { k, entry, events: [[partition, offset]] }
  }

  #count({ step }: Running, tally: Tally): void {
    if (step === 0) {
      tally.add('i:started:checkout')
      tally.add('i:running:checkout')
    } else tally.add(`s:${STEPS[step - 1]}:checkout`, -1)
    if (step < 3) tally.add(`s:${STEPS[step]}:checkout`)
    else {
      tally.add('i:running:checkout', -1)
      tally.add('i:done:checkout')
    }
  }
}

/** Numbers of a store, fetched in blocks so that asking for one costs nothing. */
async function* numbers(store: Store): AsyncGenerator<number, never> {
  for (;;) {
    const first = await store.allot('k', 1_000)
    for (let k = first; k < first + 1_000; k++) yield k
  }
}

async function fill(path: string, o: RawOptions): Promise<void> {
  const store = sqliteStore(path)
  await store.open({ partitions: PARTITIONS })
  const { session } = await store.openSession({ build: 'bench', leaseMs: 60_000 })
  const rows = new Rows(o.ids, [])
  const ks = numbers(store)
  let n = 0
  for (let done = 0; done < o.preload;) {
    const running: Running[] = []
    while (running.length < 5_000 && done + running.length < o.preload)
      running.push(rows.start((await ks.next()).value))
    for (let step = 0; step < 4; step++) await store.commit(session, ++n, rows.change(running))
    done += running.length
  }
  await store.close()
}

/** Changes with the tables and with what stands in their rows. */
function layoutHash(): string {
  const hash = createHash('sha256').update(JSON.stringify(migrations))
  for (const name of ['rows', 'commit', 'ids'])
    hash.update(readFileSync(new URL(`../src/store/sqlite/${name}.ts`, import.meta.url)))
  return hash.digest('hex').slice(0, 12)
}

/** The file with the finished checkouts: made once for each layout. */
async function preloaded(o: RawOptions): Promise<string> {
  const folder = join(tmpdir(), 'pawl-bench')
  mkdirSync(folder, { recursive: true })
  const layout = layoutHash()
  const kind = `${o.ids}-${o.preload}.db`
  const path = join(folder, `checkouts-${layout}-${kind}`)
  if (!existsSync(path)) {
    // Of older layouts: a million checkouts are more than a GB.
    for (const name of readdirSync(folder)) if (name.endsWith(kind)) rmSync(join(folder, name))
    const making = `${path}.making`
    for (const end of ['', '-wal', '-shm', '-lock']) rmSync(making + end, { force: true })
    await fill(making, o)
    renameSync(making, path)
    rmSync(`${making}-lock`, { force: true })
  }
  return path
}

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0

/** Measures the raw store. */
export async function rawSqlite(o: RawOptions): Promise<RawResult> {
  const source = await preloaded(o)
  const path = join(tmpdir(), 'pawl-bench', `run-${randomUUID()}.db`)
  copyFileSync(source, path)
  try {
    return await measure(path, o)
  } finally {
    for (const end of ['', '-wal', '-shm', '-lock']) rmSync(path + end, { force: true })
  }
}

async function measure(path: string, o: RawOptions): Promise<RawResult> {
  const before = statSync(path).size
  const store = sqliteStore(path)
  await store.open({})
  const { session } = await store.openSession({ build: 'bench', leaseMs: 60_000 })
  const rows = new Rows(o.ids, await store.acquire(session, PARTITIONS))
  const ks = numbers(store)
  const start = async (): Promise<Running> => rows.start((await ks.next()).value)
  let queue: Running[] = []
  while (queue.length < o.inFlight) queue.push(await start())
  const commits: number[] = []
  let spentMs = 0
  let spentCpuMicros = 0
  let finished = 0
  let transitions = 0
  for (let n = 1; spentMs < o.seconds * 1_000; n++) {
    const batch = queue.slice(0, o.batch)
    queue = queue.slice(o.batch)
    const change = rows.change(batch)
    const cpu = process.cpuUsage()
    const begin = performance.now()
    const result = await store.commit(session, n, change)
    const tookMs = performance.now() - begin
    if (result.kind !== 'applied')
      throw new Error(`the commit was ${result.kind}`, { cause: 'error' in result ? result.error : undefined })
    spentMs += tookMs
    const { user, system } = process.cpuUsage(cpu)
    spentCpuMicros += user + system
    commits.push(tookMs)
    transitions += batch.length
    for (const one of batch) {
      if (one.step < 4) queue.push(one)
      else {
        finished++
        queue.push(await start())
      }
    }
  }
  const residentMb = process.memoryUsage.rss() / 2 ** 20
  await store.close()
  return {
    checkoutsPerSecond: finished / (spentMs / 1_000),
    transitionMicros: (spentMs * 1_000) / transitions,
    transitionCpuMicros: spentCpuMicros / transitions,
    bytesPerCheckout: (statSync(path).size - before) / finished,
    commitMsMedian: median(commits),
    commitMsMax: Math.max(...commits),
    residentMb,
  }
}

if (import.meta.main) {
  const [preload = '1000000', seconds = '5', inFlight = '1000', batch = '400'] = process.argv.slice(2)
  const o = { preload: +preload, seconds: +seconds, inFlight: +inFlight, batch: +batch, ids: 'uuid' } as const
  const r = await rawSqlite(o)
  const round = Object.entries(r).map(([name, value]) => [name, Math.round(value * 10) / 10])
  console.log(JSON.stringify({ ...o, ...Object.fromEntries(round) }))
}
