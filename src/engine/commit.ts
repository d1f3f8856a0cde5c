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

/** The answer that a halted committer does not wait for. */
const UNHEARD: CommitResult = { kind: 'transient', error: 'this worker stops, and waits for the store no longer' }

const RETRY = { firstMs: 20, factor: 2, maxMs: 1_000 }

/** Numbers and sends the commits of one session. */
export class Committer {
  readonly #ports: CommitPorts
  /** What ends each wait, once it is halted. */
  readonly #waits = new Set<() => void>()
  #halted = false
  #n = 0

  constructor(ports: CommitPorts) {
    this.#ports = ports
  }

  /** Waits for the store no longer: what is under way, and all that comes, ends as `stopped`, once `ports.stopped` says so. */
  halt(): void {
    this.#halted = true
    for (const end of this.#waits) end()
  }

  /** A new session counts from 1. */
  restart(): void {
    this.#n = 0
  }

  /** Sends it until its fate is known. */
  async commit(change: Change): Promise<Committed> {
    const { session, onStore, stopped } = this.#ports
    // C1: the one before is not waited for, and may be applied after this one.
    if (this.#halted) return { kind: 'stopped' }
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
          if (burnt === 'fenced') return { kind: stopped() ? 'stopped' : 'fenced' }
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
      return await this.#heard<CommitResult>(this.#ports.store.commit(session, n, change), UNHEARD)
    } catch (error) {
      return { kind: 'transient', error: errorText(error) }
    }
  }

  async #burn(session: string, n: number): Promise<'burnt' | 'applied' | 'fenced'> {
    const { store, onStore } = this.#ports
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#heard(store.burn(session, n), 'fenced')
      } catch (error) {
        onStore('unreachable', error)
        if (this.#ports.stopped()) return 'fenced'
        await this.#pause(attempt)
      }
    }
  }

  /** An answer of the store, or `halted` where it is waited for no longer. */
  #heard<T>(answer: Promise<T>, halted: T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = (): void => resolve(halted)
      if (this.#halted) end()
      this.#waits.add(end)
      void answer.then(resolve, reject).finally(() => this.#waits.delete(end))
    })
  }

  #pause(attempt: number): Promise<void> {
    const { clock, random } = this.#ports
    return new Promise<void>((resolve) => {
      const end = (): void => {
        cancel()
        this.#waits.delete(end)
        resolve()
      }
      const cancel = clock.after(this.#halted ? 0 : backoffMs(RETRY, attempt, random), end)
      this.#waits.add(end)
    })
  }
}
