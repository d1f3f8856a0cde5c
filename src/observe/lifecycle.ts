// Lifecycle events: what this worker did, told after it is committed. The live screen, logs and metrics are built on them.
import { errorText } from '../base/errors.ts'
import { isPromise } from '../base/promise.ts'
import type { CallFailure } from '../machine/definition.ts'
import type { JournalCause, JournalEntry } from '../core/model.ts'

/** Of which instance, and its `seq` then. */
export interface At {
  readonly machine: string
  readonly id: string
  readonly seq: number
}
/** Of which attempt. */
export interface OfAttempt extends At {
  readonly activity: string
  readonly call: string
  readonly key: string
  readonly attempt: number
}
/** A dead letter as it is told. */
export interface ToldLetter {
  readonly id: string
  readonly message: { readonly type: string; readonly data: unknown }
  readonly machine: string
  readonly instance?: string
  readonly at: Date
  readonly error: { readonly code: string; readonly message: string }
}

/** One event; `ms`: how long it took; `size`: transitions; `late-timer`: fired over a second after it was due. */
export type LifecycleEvent =
  | (At & {
      readonly kind: 'transition'
      readonly from: string | null
      readonly to: string
      readonly cause: Omit<JournalCause, 'at'> & { readonly at: Date }
      readonly outcome: JournalEntry['outcome']
    })
  | (At & { readonly kind: 'stalled'; readonly error: { readonly code: string; readonly message: string } })
  | (At & { readonly kind: 'late-timer'; readonly timer: string; readonly lateMs: number })
  | (OfAttempt & { readonly kind: 'attempt-started' })
  | (OfAttempt & { readonly kind: 'attempt-succeeded'; readonly ms: number })
  | (OfAttempt & {
      readonly kind: 'attempt-failed'
      readonly ms: number
      readonly error: CallFailure
      readonly nextAt?: Date
    })
  | { readonly kind: 'commit'; readonly size: number; readonly ms: number }
  | { readonly kind: 'dead-letter'; readonly letter: ToldLetter }
  | { readonly kind: 'partition-acquired' | 'partition-lost'; readonly partition: number }

/** With its time, by the store's clock. */
export type TimedEvent = LifecycleEvent & { readonly at: Date }

/** Tells listeners. What one throws is logged, and changes nothing. */
export class Lifecycle {
  readonly #listeners = new Set<(event: TimedEvent) => void>()
  readonly #onError: (text: string, error: unknown) => void

  constructor(onError: (text: string, error: unknown) => void) {
    this.#onError = onError
  }

  /** Whether anybody listens: events are made only then. */
  get heard(): boolean {
    return this.#listeners.size > 0
  }

  /** Returns what ends it. */
  on(listener: (event: TimedEvent) => void): () => void {
    const own = (event: TimedEvent): void => listener(event)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  /** `event` was made for this alone: all listeners get that very object. */
  tell(at: number, event: LifecycleEvent): void {
    const timed: TimedEvent = Object.assign(event, { at: new Date(at) })
    for (const listener of this.#listeners) {
      try {
        const answer: unknown = listener(timed)
        if (isPromise(answer)) void this.#wait(answer)
      } catch (error) {
        this.#threw(error)
      }
    }
  }

  /** Nobody waits for an asynchronous listener, and its error must not end the process. */
  async #wait(answer: unknown): Promise<void> {
    try {
      await answer
    } catch (error) {
      this.#threw(error)
    }
  }

  #threw(error: unknown): void {
    this.#onError(`a lifecycle listener threw: ${errorText(error)}`, error)
  }
}
