// A second connection to the file, in a thread of its own, for large commits: while it writes, the engine computes what comes next.
//
// A thread costs 0.1 ms for each commit, so small ones stay on the store's own connection, and a process that never has a large one
// never starts it. Where it cannot be started (a bundler has taken the file away) all stay.
import { Worker } from 'node:worker_threads'
import { PawlError } from '../../base/errors.ts'
import type { Value } from './tape.ts'

/** What the thread answers to a tape. */
export type Played = { readonly kind: 'committed' } | { readonly kind: 'failed'; readonly error: SentError }

/** An error on its way between threads, which keep only an error's text. */
export interface SentError {
  readonly message: string
  /** Of a PawlError. */
  readonly code?: string
  /** Of an error of SQLite. */
  readonly errcode?: number
  /** The transaction could not be rolled back either. */
  readonly stuck: boolean
}

/** The thread has ended, and nobody knows what became of what it was writing. */
export class ThreadLost extends Error {
  constructor() {
    super('the thread that writes large commits has ended')
    this.name = 'ThreadLost'
  }
}

const errorOf = ({ message, code, errcode }: SentError): Error => {
  if (code !== undefined) return new PawlError(code, message)
  return errcode === undefined
    ? new Error(message)
    : Object.assign(new Error(message), { code: 'ERR_SQLITE_ERROR', errcode })
}

/** Young objects of the thread live for one commit: more room for them only costs memory. */
const YOUNG_MB = 8

/** The thread, once it was asked for. */
export class Background {
  readonly #path: string
  #worker: Worker | undefined
  #state: 'none' | 'starts' | 'ready' | 'gone' = 'none'
  readonly #starting: (() => void)[] = []
  #waiting: { readonly resolve: () => void; readonly reject: (error: unknown) => void } | undefined

  constructor(path: string) {
    this.#path = path
  }

  /** Whether it takes commits by now. Starts it where it was not started yet. */
  get ready(): boolean {
    if (this.#state === 'none') this.#start()
    return this.#state === 'ready'
  }

  /** Resolves when it takes commits, or never will. */
  async started(): Promise<void> {
    if (this.#state === 'none') this.#start()
    if (this.#state === 'starts') await new Promise<void>((resolve) => this.#starting.push(resolve))
  }

  #settle(state: 'ready' | 'gone'): void {
    this.#state = state
    for (const resolve of this.#starting.splice(0)) resolve()
  }

  #start(): void {
    this.#state = 'starts'
    const here = import.meta.url
    try {
      const worker = new Worker(here.endsWith('.ts') ? new URL('./thread.ts', here) : new URL('./thread.js', here), {
        name: 'pawl writer',
        workerData: this.#path,
        execArgv: [],
        resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
      })
      worker.unref()
      worker.on('message', (message: 'ready' | Played) => this.#heard(message))
      // What ended it is told by `exit` too; without a listener it would end the process.
      worker.on('error', () => this.#gone())
      worker.on('exit', () => this.#gone())
      this.#worker = worker
    } catch {
      this.#settle('gone')
    }
  }

  #heard(message: 'ready' | Played): void {
    if (message === 'ready') {
      if (this.#state === 'starts') this.#settle('ready')
      return
    }
    const waiting = this.#waiting
    this.#waiting = undefined
    this.#worker?.unref()
    if (message.kind === 'committed') waiting?.resolve()
    else waiting?.reject(Object.assign(errorOf(message.error), message.error.stuck && { stuck: true }))
  }

  #gone(): void {
    this.#settle('gone')
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.reject(new ThreadLost())
  }

  /** Writes rows in one transaction; one at a time. Rejects with what SQLite says, after a rollback, or with `ThreadLost`. */
  commit(values: readonly Value[]): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject }
      // Whoever waits for a commit waits for this thread: the process must not end meanwhile.
      this.#worker!.ref()
      this.#worker!.postMessage(values)
    })
  }

  /** Ends the thread; nothing must be under way. */
  async close(): Promise<void> {
    const worker = this.#state === 'gone' ? undefined : this.#worker
    this.#settle('gone')
    if (worker === undefined) return
    const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()))
    worker.ref()
    worker.postMessage('close')
    await ended
  }
}
