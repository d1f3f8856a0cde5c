// Living instances that no code here can move: of machines that were taken out of the services, or of newer versions. They stand still
// as long as no worker of another build runs. That is how a rolling deploy looks for a while, so it is told and not refused.
import type { Clock } from '../base/clock.ts'
import type { Store } from '../store/store.ts'
import type { Registry } from './registry.ts'

/** How old what is known may grow before a question after it has it read again. */
const AGAIN_MS = 60_000

/** What is known of them in one store. */
export class Strangers {
  readonly #store: Store
  readonly #registry: Registry
  readonly #clock: Clock
  #lookedAt = -Infinity
  /** A line for each machine and version. */
  problems: readonly string[] = []

  constructor(store: Store, registry: Registry, clock: Clock) {
    this.#store = store
    this.#registry = registry
    this.#clock = clock
  }

  /** Reads it. Rejects where the store does; what was known then stands. */
  async look(): Promise<void> {
    this.#lookedAt = this.#clock.monotonic()
    const names = new Set((await this.#store.graphs()).map(({ name }) => name))
    const problems: string[] = []
    for (const name of [...names].sort()) {
      const known = this.#registry.machines.get(name)?.version ?? 0
      const counts = new Map<number, number>()
      for (const { version, count } of await this.#store.population(name))
        if (version > known) counts.set(version, (counts.get(version) ?? 0) + count)
      for (const [version, count] of counts) problems.push(lineOf(name, version, count, known))
    }
    this.problems = problems
  }

  /** Reads it again in the background, where it was long ago. */
  refresh(): void {
    if (this.#clock.monotonic() - this.#lookedAt < AGAIN_MS) return
    // Whether the store can be read is told elsewhere.
    void this.look().catch(() => undefined)
  }
}

const lineOf = (name: string, version: number, count: number, known: number): string =>
  known === 0
    ? `${count} living instances of ${name}, which no service here has, stand still: give the machine to a service again, or let a build that has it end them`
    : `${count} living instances of ${name} are of version ${version}, and this build has version ${known}: they stand still unless a newer build runs`
