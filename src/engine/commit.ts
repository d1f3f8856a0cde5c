// Sends a change to the store until its fate is known.
//
// C1  One number, one change: the same change is sent again under its number until the store says what became of it; another
//     change is sent only after that number was applied or burnt.
// C2  Nothing is known from silence: `transient` says neither that it was applied nor that it was not.
import type { Clock } from '../base/clock.ts'
import { errorText } from '../base/errors.ts'
import { backoffMs } from '../base/backoff.ts'
import type { Random } from '../base/random.ts'
import type { Change, CommitResult, Store } from '../store/store.ts'

/** What became of a change in the end. `stopped`: the worker stops, and nobody knows. */
export type Committed =
  Extract<CommitResult, { kind: 'applied' | 'fenced' | 'rejected' | 'broken' }> | { readonly kind: 'stopped' }

/** What the committer tells others. */
export interface CommitPorts {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  readonly session: () => string
  /** The state of the store, for health. */
  readonly onStore: (state: 'ok' | 'read-only' | 'full' | 'unreachable', error: unknown) => void
  readonly stopped: () => boolean
}

const RETRY = { firstMs: 20, factor: 2, maxMs: 1_000 }

/** Numbers and sends the commits of one session. */
export class Committer {
  readonly #ports: CommitPorts
  #n = 0

  constructor(ports: CommitPorts) {
    this.#ports = ports
  }

  /** A new session counts from 1. */
  restart(): void {
    this.#n = 0
  }

  /** Sends it until its fate is known. */
  async commit(change: Change): Promise<Committed> {
    const { session, onStore, stopped } = this.#ports
    this.#n += 1
    const n = this.#n
    const mine = session()
    for (let attempt = 1; ; attempt++) {
      const result = await this.#send(mine, n, change)
      switch (result.kind) {
        case 'applied':
        case 'fenced':
          onStore('ok', undefined)
          return result
        case 'rejected': {
          const burnt = await this.#burn(mine, n)
          if (burnt === 'burnt') return result
          if (burnt === 'fenced') return { kind: 'fenced' }
          // It was applied after all: the store tells where its rows are when it is sent once more.
          break
        }
        case 'broken':
          onStore('unreachable', result.error)
          return result
        case 'transient':
          onStore('unreachable', result.error)
          break
        case 'full':
        case 'read-only':
          onStore(result.kind, result.error)
          break
      }
      if (stopped()) return { kind: 'stopped' }
      await this.#pause(attempt)
      if (stopped() || session() !== mine) return session() === mine ? { kind: 'stopped' } : { kind: 'fenced' }
    }
  }

  async #send(session: string, n: number, change: Change): Promise<CommitResult> {
    try {
      return await this.#ports.store.commit(session, n, change)
    } catch (error) {
      return { kind: 'transient', error: errorText(error) }
    }
  }

  async #burn(session: string, n: number): Promise<'burnt' | 'applied' | 'fenced'> {
    const { store, onStore } = this.#ports
    for (let attempt = 1; ; attempt++) {
      try {
        return await store.burn(session, n)
      } catch (error) {
        onStore('unreachable', error)
        if (this.#ports.stopped()) return 'fenced'
        await this.#pause(attempt)
      }
    }
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#ports
    return new Promise((resolve) => void clock.after(backoffMs(RETRY, attempt, random), resolve))
  }
}
