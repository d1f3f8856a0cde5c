// The lane: takes turns between batches and what must not happen during one (acquiring, giving away, being fenced).
import type { Clock } from '../base/clock.ts'
import { PawlError } from '../base/errors.ts'
import type { Mailbox } from './mailbox.ts'
import type { Step } from './step.ts'

const over = (): PawlError => new PawlError('STOPPED', 'this worker has stopped: another one, or the next, will do it')

/** One lane of one worker. */
export class Lane {
  readonly #clock: Clock
  readonly #mailbox: Mailbox
  readonly #step: Step
  readonly #onBroken: (error: unknown) => void
  readonly #between: { readonly run: () => Promise<void>; readonly drop: (error: Error) => void }[] = []
  #over = false
  #signal: (() => void) | undefined
  /** Something has come since the last batch was gathered. */
  #woken = false
  #stopping = false
  /** Since when the share of time at work is measured, and how much of that was work. */
  #measured = { since: 0, quietMs: 0, share: 0 }
  #done: Promise<void> = Promise.resolve()

  constructor(clock: Clock, mailbox: Mailbox, step: Step, onBroken: (error: unknown) => void) {
    this.#clock = clock
    this.#mailbox = mailbox
    this.#step = step
    this.#onBroken = onBroken
  }

  /** The share of its time that this lane was at work, 0 to 1, over the last second or so. */
  get busy(): number {
    return this.#measured.share
  }

  start(): void {
    this.#measured.since = this.#clock.monotonic()
    this.#done = this.#run()
  }

  /** There may be work. */
  wake(): void {
    this.#woken = true
    const signal = this.#signal
    this.#signal = undefined
    signal?.()
  }

  /** Runs work between two batches; STOPPED where there will be none any more. */
  between<T>(work: () => Promise<T>): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#over) {
        reject(over())
        return
      }
      this.#between.push({ run: () => work().then(resolve, reject), drop: reject })
      this.wake()
    })
  }

  /** Ends after the batch in flight. With `drained` it goes on while there is work. */
  async stop(drained: boolean): Promise<void> {
    // Where the lane breaks meanwhile there is nothing to drain any more.
    const turn = (): Promise<void> => this.between(() => Promise.resolve()).catch(() => undefined)
    if (drained) while (this.#mailbox.size > 0 && !this.#stopping) await turn()
    this.halt()
    await this.#done
  }

  /** Ends after the batch in flight; nobody waits for that. */
  halt(): void {
    this.#stopping = true
    this.wake()
  }

  async #run(): Promise<void> {
    try {
      for (let idle = false; !this.#stopping;) {
        if ((idle || this.#mailbox.size === 0) && this.#between.length === 0) await this.#quiet()
        // One turn lets more results gather: batches grow with load by themselves.
        await this.#clock.turn()
        if (this.#between.length > 0) {
          await this.#step.settle()
          // Only what is there by now: `stop` puts the next in as soon as one is over, and would keep the batches out for ever.
          for (const { run } of this.#between.splice(0)) await run()
        }
        this.#woken = false
        idle = !(await this.#step.run())
      }
      await this.#step.settle()
      for (const { run } of this.#between.splice(0)) await run()
    } catch (error) {
      this.#stopping = true
      this.#onBroken(error)
    } finally {
      this.#over = true
      for (const { drop } of this.#between.splice(0)) drop(over())
    }
  }

  async #quiet(): Promise<void> {
    if (this.#woken) return
    const from = this.#clock.monotonic()
    const committing = this.#step.committing
    await new Promise<void>((resolve) => (this.#signal = resolve))
    const now = this.#clock.monotonic()
    const measured = this.#measured
    if (!committing) measured.quietMs += now - from
    const ms = now - measured.since
    if (ms < 1_000) return
    this.#measured = { since: now, quietMs: 0, share: Math.max(0, 1 - measured.quietMs / ms) }
  }
}
