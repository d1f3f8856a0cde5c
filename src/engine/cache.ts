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
  // By their number: to look at each of thousands for every notice of one would cost more than the notice.
  return bytes + entry.children.size * 800
}

/** The children of an instance by their key. */
export function entryOf(loaded: Loaded | null, orphans: readonly WaitingRow[]): Entry {
  if (loaded === null) return { instance: null, waiting: orphans, children: none }
  const children = new Map<string, ChildRecord>()
  for (const child of loaded.children) children.set(`${child.machine}\0${child.id}`, child)
  return { instance: loaded.instance, waiting: loaded.waiting, children }
}
const none: ReadonlyMap<string, ChildRecord> = new Map()

interface Kept {
  readonly entry: Entry
  readonly bytes: number
  readonly partition: number
}

/**
 * Committed instances by box. Two generations: what is used goes into the young one, and when that holds half of the bytes the old one
 * is dropped and takes its place. So what was used least recently goes first, roughly, and a use costs no more than finding it.
 */
export class Cache {
  #young = new Map<string, Kept>()
  #old = new Map<string, Kept>()
  #youngBytes = 0
  #oldBytes = 0
  readonly #bytesMax: number

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  /** The entry, which counts as used now. */
  get(box: string): Entry | undefined {
    const young = this.#young.get(box)
    if (young !== undefined) return young.entry
    const old = this.#old.get(box)
    if (old === undefined) return undefined
    this.#old.delete(box)
    this.#oldBytes -= old.bytes
    this.#keep(box, old)
    return old.entry
  }

  set(box: string, partition: number, entry: Entry): void {
    this.delete(box)
    this.#keep(box, { entry, bytes: bytesOf(entry), partition })
  }

  #keep(box: string, kept: Kept): void {
    this.#young.set(box, kept)
    this.#youngBytes += kept.bytes
    if (this.#youngBytes * 2 <= this.#bytesMax) return
    this.#old = this.#young
    this.#oldBytes = this.#youngBytes
    this.#young = new Map()
    this.#youngBytes = 0
    if (this.#oldBytes > this.#bytesMax) this.clear()
  }

  delete(box: string): void {
    const young = this.#young.get(box)
    if (young !== undefined) {
      this.#young.delete(box)
      this.#youngBytes -= young.bytes
      return
    }
    const old = this.#old.get(box)
    if (old === undefined) return
    this.#old.delete(box)
    this.#oldBytes -= old.bytes
  }

  /** Forgets a partition that is not ours any more. */
  forget(partition: number): void {
    for (const generation of [this.#young, this.#old])
      for (const [box, kept] of generation) if (kept.partition === partition) this.delete(box)
  }

  clear(): void {
    this.#young.clear()
    this.#old.clear()
    this.#youngBytes = 0
    this.#oldBytes = 0
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }
}
