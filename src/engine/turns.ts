// Whose turn it is among those that wait for one thing: higher priority first, then fairness keys in turn, then first come.

/** Where one stands. */
export interface Standing {
  readonly priority: number
  readonly fair: string
}

interface Level<T> {
  /** By fairness key. */
  readonly queues: Map<string, T[]>
  /** Keys whose queue is not empty, the next first. */
  readonly keys: string[]
}

/** What waits, in turns. */
export class Turns<T> {
  readonly #levels = new Map<number, Level<T>>()
  /** Priorities that have a level, the highest first. */
  #order: number[] = []
  size = 0

  add({ priority, fair }: Standing, one: T): void {
    let level = this.#levels.get(priority)
    if (level === undefined) {
      level = { queues: new Map(), keys: [] }
      this.#levels.set(priority, level)
      this.#order = [...this.#levels.keys()].sort((a, b) => b - a)
    }
    const queue = level.queues.get(fair)
    if (queue !== undefined) queue.push(one)
    else {
      level.queues.set(fair, [one])
      level.keys.push(fair)
    }
    this.size += 1
  }

  /** Takes the one whose turn it is; undefined: nobody waits. */
  take(): T | undefined {
    const [priority] = this.#order
    const level = priority === undefined ? undefined : this.#levels.get(priority)
    const fair = level?.keys.shift()
    if (priority === undefined || level === undefined || fair === undefined) return undefined
    const queue = level.queues.get(fair)
    const one = queue?.shift()
    if (queue !== undefined && queue.length > 0) level.keys.push(fair)
    else level.queues.delete(fair)
    if (level.keys.length === 0) {
      this.#levels.delete(priority)
      this.#order.shift()
    }
    this.size -= 1
    return one
  }
}
