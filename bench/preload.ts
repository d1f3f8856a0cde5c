// Files with finished instances, made once and kept in the folder for temporary files.
//
// Their rows are the engine's own: one checkout is run, what it wrote is kept, and the same is written for every other one with its own
// id, number, incarnation and times, in commits of many. So the name of a file holds a hash of the schema and of that one checkout.
import { createHash, randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import { incarnation, partitionOf, uuidv7 } from '../src/base/id.ts'
import { seededRandom, systemRandom } from '../src/base/random.ts'
import { Tally } from '../src/core/counts.ts'
import { migrations } from '../src/store/sqlite/schema.ts'
import { memoryStore } from '../src/store/memory/store.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { NO_CHANGE, type Change, type Store } from '../src/store/store.ts'
import { appOver } from './app.ts'
import { Recording } from './recording.ts'
import { checkout, checkoutData } from './works.ts'

const AT = 1_700_000_000_000
const ID = 'the-one-checkout'
/** Checkouts in one commit. */
const TOGETHER = 5_000
/** Time between two of them. */
const APART_MS = 30

/** What one checkout writes, always the same. */
async function model(): Promise<readonly Change[]> {
  const clock = { ...systemClock, now: () => AT, monotonic: () => 0 }
  const random = seededRandom(1)
  const recording = new Recording()
  const app = appOver(recording.of(memoryStore({ clock, random })), [checkout], { clock, random })
  await app.start()
  await (await app.run(checkout, { id: ID, data: checkoutData(ID) })).result()
  await app.stop()
  return recording.commits.map(({ change }) => change).filter(({ journal }) => journal.length > 0)
}

/** What differs between two checkouts. */
interface Own {
  readonly texts: readonly (readonly [from: string, to: string])[]
  readonly at: number
}

/** A value with another checkout's own. */
function owned<T>(value: T, own: Own): T {
  if (typeof value === 'string')
    return own.texts.reduce<string>(
      (text, [from, to]) => (text.includes(from) ? text.replaceAll(from, to) : text),
      value,
    ) as T
  if (value === AT) return own.at as T
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((part: unknown) => owned(part, own)) as T
  const made: Record<string, unknown> = {}
  for (const [key, part] of Object.entries(value)) made[key] = owned(part, own)
  return made as T
}

/** One change of the model, for many. */
function forAll(
  change: Change,
  all: readonly (Own & { readonly k: number; readonly id: string })[],
  partitions: number,
): Change {
  const tally = new Tally()
  const created = new Set<number>()
  const instances: Change['instances'][number][] = []
  const journal: Change['journal'][number][] = []
  for (const own of all) {
    const { k, id } = own
    if (change.created.size > 0) created.add(k)
    for (const instance of change.instances)
      instances.push({ ...owned(instance, own), k, partition: partitionOf(id, partitions) })
    for (const row of change.journal) journal.push({ ...owned(row, own), k })
    for (const [name, sum] of Object.entries(change.counts)) tally.add(name, sum)
  }
  return { ...NO_CHANGE, created, instances, journal, counts: tally.sums }
}

/** Fills an open store. `told` hears how many there are so far. */
export async function fill(
  store: Store,
  o: { readonly preload: number; readonly ids: 'uuid' | 'sequential'; readonly partitions: number },
  told: (done: number) => void,
): Promise<void> {
  const changes = await model()
  const [first] = changes
  const known = first?.instances[0]
  if (known === undefined) throw new Error('the checkout wrote nothing')
  const { session } = await store.openSession({ build: 'bench', leaseMs: 600_000 })
  await store.acquire(session, Infinity)
  let n = 0
  for (let done = 0; done < o.preload;) {
    const count = Math.min(TOGETHER, o.preload - done)
    const k = await store.allot('k', count)
    const all = Array.from({ length: count }, (_, i) => {
      const id = o.ids === 'uuid' ? randomUUID() : `o-${String(done + i).padStart(10, '0')}`
      const clock = { now: () => AT + (done + i) * APART_MS }
      const texts = [
        [ID, id],
        [known.incarnation, incarnation(clock, systemRandom)],
        [known.correlation, uuidv7(clock, systemRandom)],
      ] as const
      return { k: k + i, id, at: clock.now(), texts }
    })
    for (const change of changes) {
      const result = await store.commit(session, ++n, forAll(change, all, o.partitions))
      if (result.kind !== 'applied') throw new Error(`the store answered ${result.kind}`)
    }
    told((done += count))
  }
  await store.closeSession(session)
}

/** The file with that many finished instances; made if it is not there. */
export async function preloaded(
  o: { readonly preload: number; readonly ids: 'uuid' | 'sequential' },
  told: (done: number) => void,
): Promise<string> {
  const text = JSON.stringify([migrations, await model()])
  const folder = join(tmpdir(), `pawl-bench-${createHash('sha256').update(text).digest('hex').slice(0, 12)}`)
  mkdirSync(folder, { recursive: true })
  const path = join(folder, `${o.ids}-${o.preload}.db`)
  if (existsSync(path)) return path
  const making = join(folder, `${randomUUID()}.db`)
  try {
    const store = sqliteStore(making)
    const { partitions } = await store.open({})
    await fill(store, { ...o, partitions }, told)
    await store.close()
    renameSync(making, path)
  } finally {
    removeFile(making)
  }
  return path
}

/** Removes a file of a SQLite store with all that stands beside it. */
export function removeFile(path: string): void {
  for (const end of ['', '-wal', '-shm', '-lock', '-lock-journal']) rmSync(path + end, { force: true })
}
