// How many checkouts a second when each is one request of another process, which waits for the result.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { serve } from '../src/http/serve.ts'
import { memoryStore } from '../src/store/memory/store.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver, outside, withApp } from './app.ts'
import { round, timesOf, type Measured, type Row } from './row.ts'
import { workOf } from './works.ts'

const WARM_MS = 1_000
const CLIENT = fileURLToPath(new URL('http-client.ts', import.meta.url))

interface Seen {
  readonly finished: number
  /** With those while it warmed up. */
  readonly all: number
  readonly ms: number
  readonly tookMs: readonly number[]
}

const clients = (...args: readonly (string | number)[]): Promise<Seen> =>
  new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['--conditions=pawl-source', CLIENT, ...args.map(String)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    let out = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
    child.once('close', (code) =>
      code === 0 ? resolve(JSON.parse(out) as Seen) : reject(new Error(`the clients ended with ${code}`)),
    )
  })

/** Measures one row. */
export async function measure(row: Row): Promise<Measured> {
  const store = row.store === 'memory' ? memoryStore(outside) : sqliteStore(row.path)
  const app = appOver(store, workOf(row.work).machines)
  return withApp(app, async () => {
    const { port, token, close } = await serve(app, { port: 0 })
    const before = process.cpuUsage()
    const seen = await clients(port, token!, row.inFlight, WARM_MS, row.seconds * 1_000)
    const { user, system } = process.cpuUsage(before)
    await close()
    // Of the server's process, warming up included: what does not depend on who else works on this machine.
    const cpuMicros = round((user + system) / Math.max(1, seen.all), 0)
    return {
      figures: { finishedPerSec: round(seen.finished / (seen.ms / 1_000), 1), ...timesOf(seen.tookMs), cpuMicros },
      notes: [],
    }
  })
}
