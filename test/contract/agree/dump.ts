// All that both stores hold, compared: what is read by name, and how many rows each table has, so that nothing lies there unseen.
import type { Pair } from './place.ts'

const LIMIT = 1_000_000

/** Every row of every table that the port lets read. */
export async function compareAll(pair: Pair): Promise<void> {
  const { space } = pair.place
  const all = Array.from({ length: pair.partitions }, (_, n) => n)
  const machines = new Set<string>(['nobody'])
  for (const { machine, id, k } of space.instances.values()) {
    machines.add(machine)
    await pair.load([{ machine, id }])
    await pair.journal(k, 0, LIMIT)
  }
  for (const { target, k } of space.waiting.values()) if (k === null) await pair.load([target])
  for (const machine of machines) {
    await pair.list({ machine, limit: LIMIT })
    await pair.population(machine)
  }
  for (const partition of all) await pair.events(partition, 0, LIMIT)
  for (const key of space.stones.keys()) await pair.tombstone(named(key))
  await pair.receipts([...space.receipts.keys()].map(receiptKey))
  await pair.inbox(all, LIMIT)
  await pair.deadLetters({ limit: LIMIT })
  await pair.due(all, Number.MAX_SAFE_INTEGER, LIMIT)
  await pair.nextDue(all)
  await pair.expired(all, Number.MAX_SAFE_INTEGER, LIMIT)
  await pair.openCalls(all, null, LIMIT)
  await pair.graphs()
  await pair.counts()
  await pair.recount()
  await compareSizes(pair)
}

const named = (key: string): { readonly machine: string; readonly id: string } => {
  const [machine, id] = key.split('\0')
  return { machine: machine!, id: id! }
}
/** A target has one U+0000 in it. */
const receiptKey = (key: string): { readonly target: string; readonly source: string; readonly id: string } => {
  const [first, second, source, id] = key.split('\0')
  return { target: `${first}\0${second}`, source: source!, id: id! }
}

async function compareSizes({ place, sqlite }: Pair): Promise<void> {
  const { space } = place
  const sizes = (maps: ReadonlyMap<unknown, { readonly size: number } | { readonly length: number }>): number =>
    [...maps.values()].reduce((sum, of) => sum + ('size' in of ? of.size : of.length), 0)
  const ours: Readonly<Record<string, number>> = {
    instances: space.instances.size,
    journal: sizes(space.journal),
    events: sizes(space.events),
    children: sizes(space.children),
    waiting: space.waiting.size,
    inbox: space.inbox.size,
    dead_letters: space.dead.size,
    tombstones: space.stones.size,
    machines: space.graphs.size,
  }
  const texts = Object.keys(ours).map((table) => `select '${table}' name, count(*) n from pawl_${table}`)
  const rows = await sqlite.transaction((tx) => tx.sql(texts.join(' union all ')))
  for (const { name, n } of rows)
    if (ours[String(name)] !== n)
      place.differ(`${String(name)}: the model has ${ours[String(name)]} rows, the file ${String(n)}`)
}
