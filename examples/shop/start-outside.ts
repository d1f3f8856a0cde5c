// Starts the outside world as a child process, and again should it die.
import { spawn, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { lines } from './wire.ts'

/** An outside process that is looked after. */
export interface StartedOutside {
  /** Where it listens now; waits for it while it starts. Rejects when it does not start. */
  port(): Promise<number>
  /** Ends it, and resolves when it is gone. `kill`: at once, whatever it was at. */
  stop(o?: { kill?: boolean }): Promise<void>
}

/** Settings of the outside process. */
export interface OutsideOptions {
  /** The file of its book. */
  readonly book: string
  /** The share of calls that have trouble. */
  readonly fail: number
  /** How long it remembers; undefined: for ever. */
  readonly forgetMinutes?: number
}

const START_AGAIN_MS = 500
const PROGRAM = fileURLToPath(new URL('outside.ts', import.meta.url))

/** Starts it. Its standard input is a pipe from here: it ends by itself when this process does, however that ends. */
export function startOutside({ book, fail, forgetMinutes }: OutsideOptions): StartedOutside {
  const args = ['--book', book, '--fail', String(fail)]
  if (forgetMinutes !== undefined) args.push('--forget-minutes', String(forgetMinutes))
  let stopped = false
  let child: ChildProcess
  let port: Promise<number>
  const start = (): void => {
    const now = spawn(process.execPath, [PROGRAM, ...args], { stdio: ['pipe', 'pipe', 'inherit'] })
    child = now
    port = new Promise((resolve, reject) => {
      now.stdout.setEncoding('utf8').on(
        'data',
        lines((line) => resolve((JSON.parse(line) as { port: number }).port)),
      )
      now.once('error', reject)
      now.once('exit', (code) => reject(new Error(`the outside process ended (${code ?? 'killed'})`)))
    })
    port.catch(() => {})
    now.once('exit', () => {
      if (!stopped) setTimeout(() => stopped || start(), START_AGAIN_MS)
    })
  }
  start()
  return {
    port: () => port,
    async stop({ kill = false } = {}) {
      stopped = true
      if (child.exitCode !== null || child.signalCode !== null) return
      const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
      if (kill) child.kill('SIGKILL')
      else child.stdin?.end()
      await gone
    },
  }
}
