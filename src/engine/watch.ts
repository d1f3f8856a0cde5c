// Who waits for an instance to come somewhere: callers of `result` and `reaches`. Told after each commit that touches it.
import type { Instance } from '../core/model.ts'

/** Somebody who waits. */
export interface Watcher {
  /**
   * Looks at an instance, and at the states that it has passed since it was looked at last (its own too); true: it has what it waited for,
   * and is forgotten.
   */
  told(instance: Instance, passed: readonly string[]): boolean
  /** Nothing will be told any more. */
  failed(error: Error): void
}

/** Watchers by box. */
export class Watchers {
  readonly #watchers = new Map<string, Watcher[]>()

  add(box: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(box)
    if (watchers === undefined) this.#watchers.set(box, [watcher])
    else watchers.push(watcher)
  }

  /** Forgets it; twice is no harm. */
  delete(box: string, watcher: Watcher): void {
    const watchers = this.#watchers.get(box)
    if (watchers === undefined) return
    const others = watchers.filter((one) => one !== watcher)
    if (others.length === 0) this.#watchers.delete(box)
    else this.#watchers.set(box, others)
  }

  /** Whether anybody waits at all. */
  get size(): number {
    return this.#watchers.size
  }

  /** `rows`: what it did since they were told last. */
  tell(box: string, instance: Instance, rows: readonly { readonly to: string }[]): void {
    const watchers = this.#watchers.get(box)
    if (watchers === undefined) return
    const passed = rows.map(({ to }) => to)
    // Whoever is told may forget another one: that makes a new list, and this one stands.
    for (const watcher of watchers) if (watcher.told(instance, passed)) this.delete(box, watcher)
  }

  /** Tells all that there is nothing to wait for. */
  fail(error: Error): void {
    const all = [...this.#watchers.values()].flat()
    this.#watchers.clear()
    for (const watcher of all) watcher.failed(error)
  }
}

/** One wait for what `look` finds. Settles once. */
export class Wait<T> implements Watcher {
  readonly #look: (instance: Instance, passed: readonly string[]) => T | undefined
  readonly #resolve: (found: T) => void
  readonly #reject: (error: Error) => void
  /** Called once, when it is over. */
  readonly #ended: () => void
  over = false

  constructor(
    look: (instance: Instance, passed: readonly string[]) => T | undefined,
    resolve: (found: T) => void,
    reject: (error: Error) => void,
    ended: () => void,
  ) {
    this.#look = look
    this.#resolve = resolve
    this.#reject = reject
    this.#ended = ended
  }

  told(instance: Instance, passed: readonly string[]): boolean {
    if (this.over) return true
    try {
      const found = this.#look(instance, passed)
      if (found === undefined) return false
      this.#end()
      this.#resolve(found)
    } catch (error) {
      this.failed(error as Error)
    }
    return true
  }

  failed(error: Error): void {
    if (this.over) return
    this.#end()
    this.#reject(error)
  }

  #end(): void {
    this.over = true
    this.#ended()
  }
}
