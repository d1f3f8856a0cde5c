// Which partitions are ours, and how far each has come. Filled by sessions.ts; asked everywhere.
//
// O1  A partition is `owned` only after one full read of the inbox that began after it was acquired: otherwise a local hop
//     could overtake an older message that still lies there.
// O2  Heads and stamps that a batch gives out are kept only when it is committed.
import type { PartitionHead } from '../store/store.ts'

/** A partition of this session. */
interface Owned {
  head: number
  stamp: number
  drained: boolean
}

/** The partitions of one session. */
export class Ownership {
  readonly #owned = new Map<number, Owned>()

  /** Ours, and its inbox was read. */
  owns(partition: number): boolean {
    return this.#owned.get(partition)?.drained === true
  }

  /** Ours, read or not. */
  has(partition: number): boolean {
    return this.#owned.has(partition)
  }

  get all(): readonly number[] {
    return [...this.#owned.keys()]
  }

  /** Ours, and their inbox was read. */
  get ready(): readonly number[] {
    return this.all.filter((partition) => this.owns(partition))
  }

  /** Ours, and their inbox is still to be read: the read failed. */
  get undrained(): readonly number[] {
    return this.all.filter((partition) => !this.owns(partition))
  }

  get size(): number {
    return this.#owned.size
  }

  /** What was acquired; those that were ours before keep what they know. Answers the new ones. */
  acquired(heads: readonly PartitionHead[]): readonly number[] {
    const fresh: number[] = []
    for (const { partition, head, stamp } of heads) {
      if (this.#owned.has(partition)) continue
      this.#owned.set(partition, { head, stamp, drained: false })
      fresh.push(partition)
    }
    return fresh
  }

  drained(partitions: readonly number[]): void {
    for (const partition of partitions) {
      const owned = this.#owned.get(partition)
      if (owned !== undefined) owned.drained = true
    }
  }

  lost(partition: number): void {
    this.#owned.delete(partition)
  }

  clear(): void {
    this.#owned.clear()
  }

  head(partition: number): { readonly head: number; readonly stamp: number } {
    const owned = this.#owned.get(partition)
    return owned === undefined ? { head: 0, stamp: 0 } : { head: owned.head, stamp: owned.stamp }
  }

  /** What a committed batch gave out. */
  committed(heads: Iterable<readonly [number, { readonly head: number; readonly stamp: number }]>): void {
    for (const [partition, { head, stamp }] of heads) {
      const owned = this.#owned.get(partition)
      if (owned !== undefined) Object.assign(owned, { head, stamp })
    }
  }
}
