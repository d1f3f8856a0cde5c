// Numbers that the store gives out in blocks, taken one by one: keys of instances, places of waiting messages.
import type { Store } from '../store/store.ts'

/** One sequence. `ensure` asks the store, `next` does not. Gaps are fine. */
export class Numbers {
  readonly #store: Store
  readonly #what: 'k' | 'waiting'
  readonly #block: number
  #next = 0
  #end = 0

  constructor(store: Store, what: 'k' | 'waiting', block: number) {
    this.#store = store
    this.#what = what
    this.#block = block
  }

  /** Whether that many can be taken at once. */
  has(count: number): boolean {
    return this.#end - this.#next >= count
  }

  /** Makes sure of that. What is left of the old block is given up: numbers of one worker only grow. */
  async ensure(count: number): Promise<void> {
    if (this.has(count)) return
    const size = Math.max(count, this.#block)
    this.#next = await this.#store.allot(this.#what, size)
    this.#end = this.#next + size
  }

  /** Gives up what is left: the next number is greater than all that anybody was given before now. */
  renew(): void {
    this.#next = this.#end
  }

  next(): number {
    if (this.#next >= this.#end) throw new Error(`no numbers left for ${this.#what}: ensure() must come first`)
    const number = this.#next
    this.#next += 1
    return number
  }
}
