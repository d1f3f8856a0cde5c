/** A binary heap: what `compare` puts first is on top. */
export class Heap<T> {
  readonly #items: T[] = []
  readonly #compare: (a: T, b: T) => number

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare
  }

  /** The first one, or undefined. */
  get top(): T | undefined {
    return this.#items[0]
  }

  /** Takes all out, in no order. */
  drain(): T[] {
    return this.#items.splice(0)
  }

  /** All of them, in no order. */
  get all(): readonly T[] {
    return this.#items
  }

  /** Puts one in. */
  push(item: T): void {
    const items = this.#items
    items.push(item)
    let at = items.length - 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if (this.#compare(items[parent]!, item) <= 0) break
      items[at] = items[parent]!
      at = parent
    }
    items[at] = item
  }

  /** Takes the first one out. */
  pop(): T | undefined {
    const items = this.#items
    const [top] = items
    const last = items.pop()
    if (items.length === 0 || last === undefined) return top
    let at = 0
    for (;;) {
      const left = 2 * at + 1
      if (left >= items.length) break
      const right = left + 1
      const child = right < items.length && this.#compare(items[right]!, items[left]!) < 0 ? right : left
      if (this.#compare(last, items[child]!) <= 0) break
      items[at] = items[child]!
      at = child
    }
    items[at] = last
    return top
  }
}
