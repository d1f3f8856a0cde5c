// How many processes a second, and what each costs: the engine on a file, then the raw store on the same file.
//
// Three runs: the engine as users have it (all figures but the raw ones), the engine on an empty file with a recording of what it
// commits, and the raw store, which writes that recording behind the finished instances.
import { statSync } from 'node:fs'
import { memoryStore } from '../src/store/memory/store.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import type { Store } from '../src/store/store.ts'
import { appOver, outside, withApp } from './app.ts'
import { drive, loadOf, unwatched } from './callers.ts'
import { fill, removeFile } from './preload.ts'
import { farAway, Recording } from './recording.ts'
import { round, timesOf, type Measured, type Row } from './row.ts'
import { Watch } from './watch.ts'
import { workOf } from './works.ts'

const RECORD_MS_MAX = 2_000

/** What the engine commits in a while of this load, and how many processes that were. */
async function record(row: Row): Promise<{ readonly recording: Recording; readonly processes: number }> {
  const recording = new Recording()
  const ms = Math.min(RECORD_MS_MAX, row.seconds * 1_000)
  const work = workOf(row.work)
  const path = `${row.path}.recorded`
  const make = (): Store => (row.store === 'memory' ? memoryStore(outside) : sqliteStore(path))
  try {
    let store = make()
    const { partitions } = await store.open({})
    await farAway(store, partitions)
    if (row.store === 'memory') store = reopened(store)
    else {
      await store.close()
      store = make()
    }
    const load = { ...unwatched(row), warmMs: 0, ms }
    const { all } = await withApp(appOver(recording.of(store), work.machines), (app) => drive(app, work, load))
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

async function raw(row: Row): Promise<number> {
  const { recording, processes } = await record(row)
  // On one connection: with nothing to compute meanwhile the way to the thread would only cost.
  const store = row.store === 'memory' ? memoryStore(outside) : sqliteStore(row.path, { large: Infinity })
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

const sizeOf = ({ store, path }: Row): number | null => (store === 'memory' ? null : statSync(path).size)

/** Measures one row. */
export async function measure(row: Row): Promise<Measured> {
  const watch = new Watch(row.path)
  const load = loadOf(row, { begin: () => watch.begin(), end: () => watch.end() })
  const work = workOf(row.work)
  const before = sizeOf(row)
  const app = appOver(await engineStore(row), work.machines, { endedMs: row.endedMs })
  const { driven, erasedPerSec } = await withApp(app, async () => {
    const from = await erased()
    return { driven: await drive(app, work, load), erasedPerSec: ((await erased()) - from) / row.seconds }
  })
  async function erased(): Promise<number> {
    return Object.values((await app.counts()).instances).reduce((sum, { removed }) => sum + removed, 0)
  }
  const after = sizeOf(row)
  const rawPerSec = await raw(row)
  const { finished, ms, tookMs, all } = driven
  const finishedPerSec = finished / (ms / 1_000)
  return {
    figures: {
      finishedPerSec: round(finishedPerSec, 1),
      ...(work.messages > 0 && { messagesPerSec: round(finishedPerSec * work.messages, 1) }),
      ...(erasedPerSec > 0 && { erasedPerSec: round(erasedPerSec, 1) }),
      ...timesOf(tookMs),
      storeBytesPerProcess: before === null || after === null ? null : round((after - before) / Math.max(1, all), 0),
      ...watch.costs(finished),
      rawPerSec: round(rawPerSec, 1),
      ratioToRaw: round(finishedPerSec / rawPerSec, 3),
      ...watch.loop(),
    },
    notes: watch.notes(),
  }
}
