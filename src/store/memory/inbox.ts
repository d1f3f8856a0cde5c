// The inbox in memory: found by number, and by partition in the order of priority and number, without sorting what waits.
import type { InboxTextRow } from './rows.ts'

/** Rows by number. A JavaScript Map keeps the order of insertion, and numbers only grow. */
type Queue = Map<number, InboxTextRow>

/** The table `inbox`. */
export class Inbox {
  readonly #rows: Queue = new Map()
  /** By priority, then partition. */
  readonly #queues = new Map<number, Map<number, Queue>>()

  /** Rows in it. */
  get size(): number {
    return this.#rows.size
  }

  /** Whether that row is here. */
  has(n: number): boolean {
    return this.#rows.has(n)
  }

  /** All rows, by number. */
  all(): Iterable<InboxTextRow> {
    return this.#rows.values()
  }

  /** Puts a row at the end; its number is greater than any before. */
  add(row: InboxTextRow): void {
    this.#rows.set(row.n, row)
    let byPartition = this.#queues.get(row.priority)
    if (byPartition === undefined) this.#queues.set(row.priority, (byPartition = new Map<number, Queue>()))
    let queue = byPartition.get(row.partition)
    if (queue === undefined) byPartition.set(row.partition, (queue = new Map()))
    queue.set(row.n, row)
  }

  /** Takes a row out. */
  delete(n: number): void {
    const row = this.#rows.get(n)
    if (row === undefined) return
    this.#rows.delete(n)
    const byPartition = this.#queues.get(row.priority)
    const queue = byPartition?.get(row.partition)
    queue?.delete(n)
    if (queue?.size === 0) byPartition?.delete(row.partition)
    if (byPartition?.size === 0) this.#queues.delete(row.priority)
  }

  /** The first rows of these partitions: higher priority first, then by number. */
  head(partitions: readonly number[], limit: number): readonly InboxTextRow[] {
    const rows: InboxTextRow[] = []
    for (const priority of [...this.#queues.keys()].toSorted((a, b) => b - a)) {
      if (rows.length >= limit) break
      const byPartition = this.#queues.get(priority)!
      const firsts = partitions.flatMap((partition) => first(byPartition.get(partition), limit - rows.length))
      rows.push(...firsts.toSorted((a, b) => a.n - b.n).slice(0, limit - rows.length))
    }
    return rows
  }
}

function first(queue: Queue | undefined, limit: number): readonly InboxTextRow[] {
  const rows: InboxTextRow[] = []
  if (queue === undefined) return rows
  for (const row of queue.values()) {
    if (rows.length >= limit) break
    rows.push(row)
  }
  return rows
}
