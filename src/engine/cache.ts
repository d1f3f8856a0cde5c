// Hot instances: as committed, with what hangs on them. Belongs to one session; a partition's part dies with its ownership.
//
// Bounded in bytes, least recently used first. What is touched by a batch in flight is held by the batch itself, so dropping
// an entry here never loses anything but a read.
import type { ChildRecord, Instance } from '../core/model.ts'
import type { Loaded, WaitingRow } from '../store/store.ts'

/** An instance in memory, or the knowledge that there is none (`instance` null) with the messages that wait for it. */
export interface Entry {
  readonly instance: Instance | null
  readonly waiting: readonly WaitingRow[]
  readonly children: ReadonlyMap<string, ChildRecord>
}

/** Rough size of an entry in memory, in bytes. */
function bytesOf(entry: Entry): number {
  let bytes = 1_000 + (entry.instance?.dataText.length ?? 0) * 4
  for (const row of entry.waiting) bytes += 500 + row.waiting.size * 2
  for (const child of entry.children.values()) bytes += 400 + (typeof child.data === 'object' ? 400 : 0)
  return bytes
}

/** The children of an instance by their key. */
export function entryOf(loaded: Loaded | null, orphans: readonly WaitingRow[]): Entry {
  if (loaded === null) return { instance: null, waiting: orphans, children: none }
  const children = new Map<string, ChildRecord>()
  for (const child of loaded.children) children.set(`${child.machine}\0${child.id}`, child)
  return { instance: loaded.instance, waiting: loaded.waiting, children }
}
const none: ReadonlyMap<string, ChildRecord> = new Map()

/** Committed instances by box. */
export class Cache {
  readonly #entries = new Map<string, { readonly entry: Entry; readonly bytes: number; readonly partition: number }>()
  readonly #bytesMax: number
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The entry, which counts as used now. */
  get(box: string): Entry | undefined {
    const found = this.#entries.get(box)
    if (found === undefined) return undefined
    this.#entries.delete(box)
    this.#entries.set(box, found)
    return found.entry
  }

  set(box: string, partition: number, entry: Entry): void {
    this.delete(box)
    const bytes = bytesOf(entry)
    this.#entries.set(box, { entry, bytes, partition })
    this.#bytes += bytes
    for (const [oldest, { bytes: size }] of this.#entries) {
      if (this.#bytes <= this.#bytesMax) break
      this.#entries.delete(oldest)
      this.#bytes -= size
    }
  }

  delete(box: string): void {
    const found = this.#entries.get(box)
    if (found === undefined) return
    this.#entries.delete(box)
    this.#bytes -= found.bytes
  }

  /** Forgets a partition that is not ours any more. */
  forget(partition: number): void {
    for (const [box, found] of this.#entries) if (found.partition === partition) this.delete(box)
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }

  get size(): number {
    return this.#entries.size
  }
}
