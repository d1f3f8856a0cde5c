// One row of the bench, in a process of its own: the engine on a file, then the raw store on the same file.
//
// Three runs: the engine as users have it (all figures but the raw ones), the engine on an empty file with a recording of what it
// commits, and the raw store, which writes that recording behind the finished instances.
import { randomUUID } from 'node:crypto'
import { statSync } from 'node:fs'
import { memoryStore } from '../src/store/memory/store.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import type { Store } from '../src/store/store.ts'
import { appOver, outside } from './app.ts'
import { fill, removeFile } from './preload.ts'
import { farAway, Recording } from './recording.ts'
import { works, type Driven, type Load, type Work } from './works.ts'

/** What one row is measured with. */
export interface Row {
  readonly work: string
  readonly store: 'sqlite' | 'memory'
  readonly inFlight: number
  readonly seconds: number
  readonly ids: 'uuid' | 'sequential'
  readonly preload: number
  /** The file, with the finished instances in it; empty for the store in memory. */
  readonly path: string
}

/** One row. Null: there is no such thing in memory. */
export interface Figures {
  readonly work: string
  readonly store: string
  readonly inFlight: number
  readonly ids: string
  readonly preload: number
  readonly finishedPerSec: number
  /** From the caller's first call to its answer; of timers: how late they ended. */
  readonly p50Ms: number
  readonly p99Ms: number
  /** User and system time, of all threads. */
  readonly cpuMsPerProcess: number
  /** Growth of the file, checkpointed. */
  readonly storeBytesPerProcess: number | null
  /** The most at any time while it was measured. */
  readonly rssMiB: number
  /** Processes whose rows the store alone takes in a second, by the time that the commits took. */
  readonly rawPerSec: number
  readonly ratioToRaw: number
  /** The longest time in which the event loop did nothing else. */
  readonly loopStallMaxMs: number
}

const WARM_MS = 1_000
const RECORD_MS_MAX = 2_000
const LOOK_MS = 5
const MIB = 2 ** 20

/** Looks at the process while it is measured. */
class Looking {
  cpuMs = 0
  rssMiB = 0
  stallMaxMs = 0
  #timer: NodeJS.Timeout | undefined
  #cpu = process.cpuUsage()

  begin(): void {
    this.#cpu = process.cpuUsage()
    let last = performance.now()
    this.#timer = setInterval(() => {
      const now = performance.now()
      this.stallMaxMs = Math.max(this.stallMaxMs, now - last - LOOK_MS)
      this.rssMiB = Math.max(this.rssMiB, process.memoryUsage.rss() / MIB)
      last = now
    }, LOOK_MS)
  }

  end(): void {
    const { user, system } = process.cpuUsage(this.#cpu)
    this.cpuMs = (user + system) / 1_000
    this.rssMiB = Math.max(this.rssMiB, process.memoryUsage.rss() / MIB)
    clearInterval(this.#timer)
  }
}

function newIdOf(ids: Row['ids']): () => string {
  if (ids === 'uuid') return () => randomUUID()
  // Behind those that are there, and behind those of another row.
  const run = Date.now()
  let n = 0
  return () => `p-${run}-${String(n++).padStart(10, '0')}`
}

async function drive(store: Store, work: Work, load: Load): Promise<Driven> {
  const app = appOver(store, work.machines)
  await app.start()
  try {
    return await work.drive(app, load)
  } finally {
    await app.stop()
  }
}

/** What the engine commits in a while of this load, and how many processes that were. */
async function record(row: Row, load: Load): Promise<{ readonly recording: Recording; readonly processes: number }> {
  const recording = new Recording()
  const path = `${row.path}-recording`
  const make = (): Store => (row.store === 'memory' ? memoryStore(outside) : sqliteStore(path))
  const work = workOf(row)
  const record = { ...load, warmMs: 0, ms: Math.min(load.ms, RECORD_MS_MAX), begin: nothing, end: nothing }
  try {
    let store = make()
    const { partitions } = await store.open({})
    await farAway(store, partitions)
    if (row.store === 'memory') store = reopened(store)
    else {
      await store.close()
      store = make()
    }
    const { all } = await drive(recording.of(store), work, record)
    return { recording, processes: all }
  } finally {
    removeFile(path)
  }
}

const nothing = (): void => undefined

/** A store in memory that is open already, for an engine that opens it. */
const reopened = (store: Store): Store =>
  new Proxy(store, {
    get(_, name) {
      if (name === 'open') return () => Promise.resolve({ partitions: 64, storeId: '', created: false })
      const value: unknown = Reflect.get(store, name)
      return typeof value === 'function' ? (value.bind(store) as unknown) : value
    },
  })

async function raw(row: Row, load: Load): Promise<number> {
  const { recording, processes } = await record(row, load)
  const store = row.store === 'memory' ? memoryStore(outside) : sqliteStore(row.path)
  await store.open({})
  const spentMs = await recording.replay(store)
  await store.close()
  return processes / (spentMs / 1_000)
}

async function engineStore(row: Row): Promise<Store> {
  if (row.store === 'sqlite') return sqliteStore(row.path)
  const store = memoryStore(outside)
  const { partitions } = await store.open({})
  await fill(store, { ...row, partitions }, nothing)
  return reopened(store)
}

function workOf({ work }: Row): Work {
  const found = works[work]
  if (found === undefined) throw new Error(`there is no work ${work}`)
  return found
}

const sizeOf = ({ store, path }: Row): number | null => (store === 'memory' ? null : statSync(path).size)

const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0

const round = (value: number, digits: number): number => Math.round(value * 10 ** digits) / 10 ** digits

/** Measures one row. */
export async function measure(row: Row): Promise<Figures> {
  const looking = new Looking()
  const load: Load = {
    inFlight: row.inFlight,
    warmMs: Math.min(WARM_MS, row.seconds * 1_000),
    ms: row.seconds * 1_000,
    newId: newIdOf(row.ids),
    begin: () => looking.begin(),
    end: () => looking.end(),
  }
  const before = sizeOf(row)
  const driven = await drive(await engineStore(row), workOf(row), load)
  const after = sizeOf(row)
  const rawPerSec = await raw(row, load)
  const { finished, ms, tookMs, all } = driven
  const sorted = tookMs.toSorted((a, b) => a - b)
  const finishedPerSec = finished / (ms / 1_000)
  const { work, store, inFlight, ids, preload } = row
  return {
    work,
    store,
    inFlight,
    ids,
    preload,
    finishedPerSec: round(finishedPerSec, 1),
    p50Ms: round(quantile(sorted, 0.5), 3),
    p99Ms: round(quantile(sorted, 0.99), 3),
    cpuMsPerProcess: round(looking.cpuMs / Math.max(1, finished), 4),
    storeBytesPerProcess: before === null || after === null ? null : round((after - before) / Math.max(1, all), 0),
    rssMiB: round(looking.rssMiB, 0),
    rawPerSec: round(rawPerSec, 1),
    ratioToRaw: round(finishedPerSec / rawPerSec, 3),
    loopStallMaxMs: round(looking.stallMaxMs, 1),
  }
}

// Forked by main.ts, which sends one row and takes one answer.
if (process.send !== undefined && import.meta.main) {
  process.once('message', (row: Row) => {
    void measure(row).then(
      (figures) => process.send?.({ figures }, () => process.disconnect()),
      (error: unknown) => {
        console.error(error)
        process.exit(1)
      },
    )
  })
}
