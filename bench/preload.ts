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
  readonly k: number
  readonly partition: number
  /** Its id, incarnation and correlation. */
  readonly texts: readonly string[]
  readonly at: number
}
type Maker<T> = (own: Own) => T

/** Makes a text in which others stand in the places of `known`; undefined: none of them is in it. */
function textMaker(text: string, known: readonly string[]): Maker<string> | undefined {
  const pieces = text.split(new RegExp(`(${known.join('|')})`))
  if (pieces.length === 1) return undefined
  const places = pieces.map((piece) => known.indexOf(piece))
  return ({ texts }) => {
    let made = ''
    for (const [i, piece] of pieces.entries()) made += places[i] === -1 ? piece : texts[places[i]!]
    return made
  }
}

/** Makes a value with another checkout's own; undefined: it is the same for all, and all share it. */
function makerOf(value: unknown, known: readonly string[]): Maker<unknown> | undefined {
  if (value === AT) return ({ at }) => at
  if (typeof value === 'string') return textMaker(value, known)
  if (typeof value !== 'object' || value === null) return undefined
  const makers = Object.entries(value).flatMap(([key, part]) => {
    const make = makerOf(part, known)
    return make === undefined ? [] : [[key, make] as const]
  })
  if (makers.length === 0) return undefined
  return (own) => {
    const made = (Array.isArray(value) ? [...(value as unknown[])] : { ...value }) as Record<string, unknown>
    for (const [key, make] of makers) made[key] = make(own)
    return made
  }
}

const made = <T>(value: T, known: readonly string[]): Maker<T> => (makerOf(value, known) ?? (() => value)) as Maker<T>

/** Makes one change of the model, for many. */
function forAll(change: Change, known: readonly string[]): (all: readonly Own[]) => Change {
  const instanceMakers = change.instances.map((instance) => made(instance, known))
  const journalMakers = change.journal.map((row) => made(row, known))
  const creates = change.created.size > 0
  return (all) => {
    const tally = new Tally()
    const created = new Set<number>()
    const instances: Change['instances'][number][] = []
    const journal: Change['journal'][number][] = []
    for (const own of all) {
      const { k, partition } = own
      if (creates) created.add(k)
      for (const make of instanceMakers) instances.push({ ...make(own), k, partition })
      for (const make of journalMakers) journal.push({ ...make(own), k })
    }
    for (const [name, sum] of Object.entries(change.counts)) tally.add(name, sum * all.length)
    return { ...NO_CHANGE, created, instances, journal, counts: tally.sums }
  }
}

/** Fills an open store. `told` hears how many there are so far. */
export async function fill(
  store: Store,
  o: { readonly preload: number; readonly ids: 'uuid' | 'sequential'; readonly partitions: number },
  told: (done: number) => void,
): Promise<void> {
  const changes = await model()
  const first = changes[0]?.instances[0]
  if (first === undefined) throw new Error('the checkout wrote nothing')
  const makers = changes.map((change) => forAll(change, [ID, first.incarnation, first.correlation]))
  const { session } = await store.openSession({ build: 'bench', leaseMs: 600_000 })
  await store.acquire(session, Infinity)
  let n = 0
  let committing: Promise<void> = Promise.resolve()
  const commit = async (change: Change): Promise<void> => {
    const result = await store.commit(session, ++n, change)
    if (result.kind !== 'applied') throw new Error(`the store answered ${result.kind}`)
  }
  for (let done = 0; done < o.preload;) {
    const count = Math.min(TOGETHER, o.preload - done)
    await committing
    const k = await store.allot('k', count)
    const all = Array.from({ length: count }, (_, i): Own => {
      const id = o.ids === 'uuid' ? randomUUID() : `o-${String(done + i).padStart(10, '0')}`
      const clock = { now: () => AT + (done + i) * APART_MS }
      const texts = [id, incarnation(clock, systemRandom), uuidv7(clock, systemRandom)]
      return { k: k + i, partition: partitionOf(id, o.partitions), at: clock.now(), texts }
    })
    // One is written while the next is made.
    for (const make of makers) {
      const change = make(all)
      await committing
      committing = commit(change)
    }
    told((done += count))
  }
  await committing
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
