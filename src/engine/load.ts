// What a wave of items needs of the store, and memory does not have: one query for instances, one for receipts.
import { isPawlError } from '../base/errors.ts'
import type { ReceiptRow, Store, Found } from '../store/store.ts'
import { touchedOf, type Batch } from './batch.ts'
import { entryOf, type Cache, type Entry } from './cache.ts'
import { receiptKey, receiptTarget } from './ledger.ts'
import type { Item } from './mailbox.ts'
import type { Numbers } from './numbers.ts'
import type { Registry } from './registry.ts'
import { boxOf } from './route.ts'

/** What loading works with. */
export interface LoadPorts {
  readonly store: Store
  readonly registry: Registry
  readonly cache: Cache
  readonly ks: Numbers
  readonly places: Numbers
  /** Whether an erased instance may have left a stone. */
  readonly stones: () => boolean
}

/** An unknown instance, and no message waits for it. */
export const NOBODY: Entry = { instance: null, waiting: [], children: new Map() }

/** Has an id from outside, by which it may have been here before. */
export const isFirst = (
  delivery: Item['delivery'],
): delivery is NonNullable<Item['delivery']> & { readonly dedup: object } =>
  delivery?.dedup !== undefined && delivery.deadLetter === undefined && delivery.again !== true

/** Reads it into the batch; answers the receipts by their key. */
export async function load(
  ports: LoadPorts,
  batch: Batch,
  wave: readonly Item[],
): Promise<ReadonlyMap<string, ReceiptRow>> {
  const { store, cache, ks, places } = ports
  const missing = new Map<string, Item>()
  const receipts: { target: string; source: string; id: string }[] = []
  for (const item of wave) {
    const { delivery, input, box } = item
    if (delivery?.deadLetter !== undefined && (await isGone(store, delivery.deadLetter)))
      batch.gone.add(delivery.deadLetter)
    if (isFirst(delivery)) receipts.push({ target: receiptTarget(item), source: delivery.dedup.source, id: input.id })
    if (input.kind === 'event' || batch.touched.has(box) || batch.corrupt.has(box) || missing.has(box)) continue
    const entry = item.isNew === true ? NOBODY : cache.get(box)
    if (entry === undefined) missing.set(box, item)
    else touch(ports, batch, item, entry)
  }
  if (!ks.has(wave.length)) await ks.ensure(wave.length)
  if (!places.has(wave.length)) await places.ensure(wave.length)
  if (missing.size > 0) {
    for (const found of await store.load(Array.from(missing.values(), ({ target }) => target)))
      foundIn(ports, batch, found, missing)
    if (ports.stones()) await lookForStones(ports, batch, missing)
  }
  if (receipts.length === 0) return new Map()
  return new Map((await store.receipts(receipts)).map((row) => [receiptKey(row), row]))
}

/** A dead letter that cannot be read is there. */
async function isGone(store: Store, deadLetter: string): Promise<boolean> {
  try {
    return (await store.deadLetter(deadLetter)) === null
  } catch (error) {
    if (isPawlError(error, 'ROW_CORRUPT')) return false
    throw error
  }
}

function foundIn(
  ports: LoadPorts,
  batch: Batch,
  { target, loaded, orphans, corrupt }: Found,
  missing: ReadonlyMap<string, Item>,
): void {
  const item = missing.get(boxOf(target))
  if (item === undefined) return
  if (corrupt !== undefined) {
    batch.corrupt.set(item.box, corrupt)
    return
  }
  touch(ports, batch, item, loaded === null && orphans.length === 0 ? NOBODY : entryOf(loaded, orphans))
}

/** Whoever is not there may have been erased. */
async function lookForStones(ports: LoadPorts, batch: Batch, missing: ReadonlyMap<string, Item>): Promise<void> {
  for (const [box, { target }] of missing)
    if (batch.touched.get(box)?.instance === null && (await ports.store.tombstone(target)) !== null)
      batch.stones.add(box)
}

function touch(ports: LoadPorts, batch: Batch, item: Item, before: Entry): void {
  const definition = ports.registry.machines.get(item.target.machine)
  if (definition !== undefined) batch.touched.set(item.box, touchedOf(item, definition, before))
}
