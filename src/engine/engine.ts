// The engine: one worker of one store. Makes the pure core durable; knows nothing of the public API.
//
//   submit ─▶ mailbox ─▶ lane: step (gather → load → transition → commit) ─▶ release ─▶ attempts ─▶ mailbox
//                 ▲            sessions (lease, partitions) · recovery · due (timers) · retention
//                 └── inbox (what others stored for us)
//
// I2, I10, S1-S5 and C1-C2 are kept in the parts; this file only ties them together, starts and stops them.
import type { Clock } from '../base/clock.ts'
import { errorText, PawlError } from '../base/errors.ts'
import { disown } from '../base/promise.ts'
import type { Random } from '../base/random.ts'
import type { Instance } from '../core/model.ts'
import { Lifecycle } from '../observe/lifecycle.ts'
import type { Store, Target } from '../store/store.ts'
import { checkGraphs } from './deploy.ts'
import { Mailbox, type Item } from './mailbox.ts'
import { Ownership } from './ownership.ts'
import { rankOf } from './rank.ts'
import { Registry } from './registry.ts'
import { Parts } from './parts.ts'
import type { EngineHealth, EngineLog, EngineOptions, Host } from './host.ts'
import { boxOf } from './route.ts'
import { Strangers } from './strangers.ts'
import { StoreTime } from './time.ts'
import { Watchers } from './watch.ts'
import { Wheel } from './wheel.ts'

const DEFAULTS = { leaseMs: 10_000, graceMs: 10_000 }
/** For the store to take what is left when a worker stops, beyond the grace of its attempts. */
const STORE_MS = 5_000
/** For what is told to end at once. */
const LAST_MS = 2_000

/** One worker. */
export class Engine implements Host {
  readonly store: Store
  readonly registry: Registry
  readonly lifecycle: Lifecycle
  readonly watchers = new Watchers()
  readonly ownership = new Ownership()
  readonly time: StoreTime
  readonly wheel: Wheel
  readonly clock: Clock
  readonly random: Random
  readonly leaseMs: number
  readonly graceMs: number
  readonly mailbox: Mailbox
  #parts: Parts | undefined
  #phase: 'new' | 'starting' | 'running' | 'stopping' | 'stopped' = 'new'
  #storeState: EngineHealth['store'] = 'ok'
  #storeError = ''
  #broken: string | undefined
  /** Rows that cannot be read, and the first of them. */
  readonly #unread = { rows: 0, first: '' }
  /** It stops, and waits for the store no longer. */
  #gaveUp = false
  #ending: Promise<void> = Promise.resolve()
  readonly #options: EngineOptions
  readonly #strangers: Strangers

  constructor(options: EngineOptions) {
    this.#options = options
    this.store = options.store
    this.clock = options.clock
    this.random = options.random
    this.leaseMs = options.leaseMs ?? DEFAULTS.leaseMs
    this.graceMs = options.graceMs ?? DEFAULTS.graceMs
    this.registry = new Registry(options.services)
    this.time = new StoreTime(this.clock, !this.store.features.sessions)
    this.wheel = new Wheel(this.clock, options.tuning?.tickMs)
    this.lifecycle = new Lifecycle((text, error) => this.log({ level: 'error', text, error }))
    this.mailbox = new Mailbox((item) => rankOf(this.registry, this.#parts?.cache, item))
    this.#strangers = new Strangers(this.store, this.registry, this.clock)
  }

  /** Opens the store and the session, acquires partitions, and starts to work. */
  async start(): Promise<void> {
    if (this.#phase !== 'new')
      throw new PawlError(
        'ALREADY_STARTED',
        `this app was ${this.#phase === 'stopped' ? 'stopped' : 'started'} already: make a new one`,
      )
    this.#phase = 'starting'
    const { partitions } = this.#options
    const opened = await this.store.open({
      ...(partitions !== undefined && { partitions }),
      onCorrupt: (error) => this.#corrupt(error),
    })
    try {
      await checkGraphs(this.store, this.registry, (text) => this.log({ level: 'warn', text }))
      await this.#strangers.look()
      for (const text of this.#strangers.problems) this.log({ level: 'warn', text })
      this.#parts = new Parts(this, this.#options, opened.partitions)
      await this.#parts.sessions.open()
      this.#parts.lane.start()
      await this.#parts.lane.between(() => this.parts.sessions.rebalance())
    } catch (error) {
      this.#phase = 'stopped'
      this.wheel.stop()
      await this.store.close()
      throw error
    }
    this.#phase = 'running'
    this.parts.sessions.run()
    this.parts.due.look()
    this.parts.retention.run()
    this.parts.inbox.run()
  }

  /**
   * Takes nothing new, waits for running attempts, writes what they answered, and gives everything back. A store that takes nothing, or does
   * not answer, is waited for no longer than the grace and 5 seconds. Called again it answers when the first call does.
   */
  stop(graceMs = this.graceMs): Promise<void> {
    if (this.#phase === 'running') {
      this.#phase = 'stopping'
      this.#ending = this.#stop(graceMs)
    }
    return this.#ending
  }

  async #stop(graceMs: number): Promise<void> {
    const { lane, due, sessions, inbox, committer } = this.parts
    due.stop()
    inbox.stop()
    const rest = this.#drain(graceMs)
    if (!(await this.#ends(rest, graceMs + STORE_MS))) {
      this.log({ level: 'error', text: 'the store did not take what was left: this worker ends without it' })
      this.#gaveUp = true
      sessions.halt()
      committer.halt()
      lane.halt()
      await this.#ends(rest, LAST_MS)
    }
    for (const item of this.mailbox.clear()) item.reply?.({ fate: 'gone', entries: [] })
    const closed = sessions
      .close()
      .catch((error: unknown) => this.log({ level: 'warn', text: 'the session could not be closed', error }))
    await this.#ends(closed, LAST_MS)
    this.wheel.stop()
    this.watchers.fail(new PawlError('STOPPED', 'this app was stopped while it was waited for; the instance goes on'))
    await this.store.close()
    this.#phase = 'stopped'
  }

  async #drain(graceMs: number): Promise<void> {
    const { attempts, lane, retention } = this.parts
    await retention.stop()
    if (this.#broken === undefined) {
      await attempts.stop(graceMs)
      await lane.stop(true)
    } else await attempts.stop(0)
  }

  /** Whether it ends within that time. */
  async #ends(work: Promise<void>, ms: number): Promise<boolean> {
    let cancel = (): void => undefined
    const late = new Promise<false>((resolve) => {
      cancel = this.clock.after(ms, () => resolve(false))
    })
    try {
      return await Promise.race([work.then(() => true), late])
    } finally {
      cancel()
    }
  }

  get parts(): Parts {
    if (this.#parts === undefined)
      throw new PawlError('NOT_STARTED', 'this app is not started: call `await app.start()` first')
    return this.#parts
  }

  get partitions(): number {
    return this.parts.partitions
  }

  /** Whether it takes calls. */
  check(): Parts {
    const { parts } = this
    if (this.#broken !== undefined) throw new PawlError('WORKER_BROKEN', `this worker has stopped: ${this.#broken}`)
    if (this.#phase === 'stopping' || this.#phase === 'stopped') throw new PawlError('STOPPED', 'this app is stopped')
    return parts
  }

  /** What the sink throws, or a promise of it rejects with, is lost: work goes on where it cannot be written about. */
  log(record: EngineLog): void {
    try {
      const answer: unknown = this.#options.log?.(record)
      if (answer !== undefined) void disown(answer)
    } catch {
      // There is no other place to say it.
    }
  }

  /** Posts an item to its box. */
  post(item: Item): void {
    this.mailbox.post(item)
    this.#parts?.lane.wake()
  }

  /** An instance as committed: from memory, else from the store. */
  async peek(target: Target): Promise<Instance | null> {
    const hot = this.hot(target)
    if (hot !== undefined) return hot
    const [found] = await this.store.load([target])
    if (found?.corrupt !== undefined) throw found.corrupt
    return found?.loaded?.instance ?? null
  }

  /** An instance of this worker that is in memory, as committed. */
  hot(target: Target): Instance | undefined {
    const { router, cache } = this.check()
    if (!this.ownership.owns(router.partitionOf(target.id))) return undefined
    return cache.get(boxOf(target))?.instance ?? undefined
  }

  health(): EngineHealth {
    const problems: string[] = []
    if (this.#broken !== undefined) problems.push(this.#broken)
    if (this.#storeState !== 'ok') problems.push(`the store is ${this.#storeState}: ${this.#storeError}`)
    if (this.time.doubts && this.time.problem !== undefined) problems.push(this.time.problem)
    const running = this.#phase === 'running' && this.#broken === undefined
    if (running && this.ownership.size === 0) problems.push('this worker owns no partition yet')
    const ready = running && problems.length === 0
    // A clock that is behind slows timers a little, and stops nothing.
    if (!this.time.doubts && this.time.problem !== undefined) problems.push(this.time.problem)
    // A body that does not settle stops itself alone.
    problems.push(...(this.#parts?.attempts.problems ?? []))
    // Nor does a row that cannot be read: only what belongs to it waits.
    const { rows, first } = this.#unread
    if (rows > 0) problems.push(rows === 1 ? first : `${first} (and ${rows - 1} more)`)
    if (running) this.#strangers.refresh()
    problems.push(...this.#strangers.problems)
    if (this.#phase === 'new') problems.push('this app is not started: call `await app.start()` first')
    return {
      ready,
      alive: this.#broken === undefined && this.#phase !== 'stopped',
      store: this.#storeState,
      problems,
    }
  }

  #corrupt(error: PawlError): void {
    this.#unread.rows += 1
    if (this.#unread.rows === 1) this.#unread.first = error.message
    const { machine, id } = (error.details ?? {}) as Partial<Target>
    this.log({
      level: 'error',
      text: error.message,
      error,
      ...(machine !== undefined && id !== undefined && { machine, id }),
    })
  }

  /** The state of the store, as the last call to it showed. */
  onStore(state: EngineHealth['store'], error: unknown): void {
    if (state !== this.#storeState)
      this.log({ level: state === 'ok' ? 'info' : 'error', text: `the store is ${state}`, error })
    this.#storeState = state
    this.#storeError = state === 'ok' ? '' : errorText(error)
  }

  /** Nothing that this process believes can be trusted any more: it stops working, and says so. */
  onBroken(error: unknown): void {
    this.#broken ??= errorText(error)
    this.log({ level: 'error', text: 'this worker has stopped', error })
    if (this.#parts !== undefined) {
      const { due, inbox, sessions, lane } = this.#parts
      due.stop()
      inbox.stop()
      // Its lease runs out, and others take over.
      sessions.halt()
      lane.halt()
    }
    for (const item of this.mailbox.clear()) item.reply?.({ fate: 'gone', entries: [] })
    this.watchers.fail(new PawlError('WORKER_BROKEN', `this worker has stopped: ${this.#broken}`))
  }

  get stopped(): boolean {
    return this.#broken !== undefined || this.#gaveUp || this.#phase === 'stopped'
  }
}
