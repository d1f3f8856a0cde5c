// What a run has done: a hash of every step, and, where somebody wants to read it, the last steps in words.

interface Line {
  readonly step: number
  readonly ms: number
  readonly actor: string
  readonly what: string
}

/** The steps of one run. */
export class Trace {
  readonly #keep: number
  readonly #lines: Line[] = []
  #next = 0
  #hash = 0x811c9dc5

  /** `keep`: lines that are remembered. */
  constructor(keep: number) {
    this.#keep = keep
  }

  /** A step. Its words count by their length and their first letter: hashing them whole cost more than most steps do. */
  add(step: number, ms: number, actor: string, what: string): void {
    this.#number(ms % 0x100000000)
    this.#number(actor.length * 0x10000 + actor.charCodeAt(actor.length - 1) * 0x100 + what.length)
    this.#number(what.charCodeAt(0))
    this.keep(step, ms, actor, what)
  }

  /** A remark: it is remembered, and counts for nothing. */
  keep(step: number, ms: number, actor: string, what: string): void {
    if (this.#keep === 0) return
    this.#lines[this.#next] = { step, ms, actor, what }
    this.#next = (this.#next + 1) % this.#keep
  }

  /** Whether anything is remembered. */
  get kept(): boolean {
    return this.#keep > 0
  }

  /** Of all steps so far; two runs of one seed must agree in it. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** The last lines: step, time, actor, what. */
  get text(): string {
    const lines = [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)]
    return lines.map(({ step, ms, actor, what }) => `${step} ${ms} ${actor} ${what}`).join('\n')
  }

  /** By murmur's mix: two steps that change places must show. */
  #number(n: number): void {
    const k = Math.imul(n, 0xcc9e2d51)
    const mixed = this.#hash ^ Math.imul((k << 15) | (k >>> 17), 0x1b873593)
    this.#hash = (Math.imul((mixed << 13) | (mixed >>> 19), 5) + 0xe6546b64) | 0
  }
}
