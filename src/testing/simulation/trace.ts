// What a run has done: a hash of every step, and the last ones in words. Words are put together only when somebody asks.

interface Line {
  readonly step: number
  readonly ms: number
  readonly actor: string
  readonly what: string
}

const FNV_PRIME = 0x01000193

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

  /** A step, or what somebody said in it. */
  add(step: number, ms: number, actor: string, what: string): void {
    this.#number(step)
    this.#number(ms % 0x100000000)
    this.#words(actor)
    this.#words(what)
    if (this.#keep === 0) return
    this.#lines[this.#next] = { step, ms, actor, what }
    this.#next = (this.#next + 1) % this.#keep
  }

  /** Of all lines so far; two runs of one seed must agree in it. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0')
  }

  /** The last lines: step, time, actor, what. */
  get text(): string {
    const lines = [...this.#lines.slice(this.#next), ...this.#lines.slice(0, this.#next)]
    return lines.map(({ step, ms, actor, what }) => `${step} ${ms} ${actor} ${what}`).join('\n')
  }

  #number(n: number): void {
    this.#hash = Math.imul(this.#hash ^ n, FNV_PRIME)
  }

  #words(text: string): void {
    let hash = this.#hash
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), FNV_PRIME)
    this.#hash = Math.imul(hash ^ text.length, FNV_PRIME)
  }
}
