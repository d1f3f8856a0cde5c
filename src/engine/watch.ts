// Who waits for an instance to come somewhere: callers of `result` and `reaches`. Told after each commit that touches it.
import type { Instance } from '../core/model.ts'

/** Looks at an instance; true: it has what it waited for, and is forgotten. */
export type Watcher = (instance: Instance) => boolean

/** Watchers by box. */
export class Watchers {
  readonly #watchers = new Map<string, Set<Watcher>>()

  /** Returns what forgets it. */
  add(box: string, watcher: Watcher): () => void {
    const watchers = this.#watchers.get(box) ?? new Set()
    watchers.add(watcher)
    this.#watchers.set(box, watchers)
    return () => {
      watchers.delete(watcher)
      if (watchers.size === 0) this.#watchers.delete(box)
    }
  }

  /** Whether anybody waits at all. */
  get size(): number {
    return this.#watchers.size
  }

  tell(box: string, instance: Instance): void {
    const watchers = this.#watchers.get(box)
    if (watchers === undefined) return
    for (const watcher of watchers) if (watcher(instance)) watchers.delete(watcher)
    if (watchers.size === 0) this.#watchers.delete(box)
  }
}
