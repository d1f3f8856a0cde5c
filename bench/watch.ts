// Looks at the process while it is measured: its time, its memory, what it reads and writes, and how long its event loop is held.
import { readFileSync, statSync } from 'node:fs'
import { quantile, round } from './row.ts'

const LOOK_MS = 5
const MIB = 2 ** 20
const TOLD = 3

interface Hold {
  readonly ms: number
  readonly atMs: number
  readonly checkpoint: boolean
}

/** What went through `read` and `write` so far, in bytes; undefined where the system does not say. */
function transferred(): { readonly read: number; readonly written: number } | undefined {
  try {
    const text = readFileSync('/proc/self/io', 'utf8')
    const of = (name: string): number => Number(new RegExp(`^${name}: (\\d+)`, 'm').exec(text)?.[1])
    return { read: of('rchar'), written: of('wchar') }
  } catch {
    return undefined
  }
}

/**
 * From `begin` to `end`. A hold is how much later than asked for the loop came to a timer of 5 ms. In WAL mode SQLite writes to the file itself
 * in checkpoints alone, so a hold in which the file has changed is one beside a checkpoint.
 */
export class Watch {
  cpuMs = 0
  rssMiB = 0
  readonly #path: string
  readonly #holds: Hold[] = []
  #checkpoints = 0
  #timer: NodeJS.Timeout | undefined
  #cpu = process.cpuUsage()
  #io = transferred()
  #read: number | null = null
  #written: number | null = null

  /** `path`: the store's file, or empty. */
  constructor(path: string) {
    this.#path = path
  }

  #changed(): number {
    return this.#path === '' ? 0 : (statSync(this.#path, { throwIfNoEntry: false })?.mtimeMs ?? 0)
  }

  begin(): void {
    this.#io = transferred()
    this.#cpu = process.cpuUsage()
    const from = performance.now()
    let [last, changed, within] = [from, this.#changed(), false]
    this.#timer = setInterval(() => {
      const now = performance.now()
      const changedNow = this.#changed()
      const checkpoint = changedNow !== changed
      if (checkpoint && !within) this.#checkpoints += 1
      within = checkpoint
      changed = changedNow
      this.#holds.push({ ms: Math.max(0, now - last - LOOK_MS), atMs: last - from, checkpoint })
      this.rssMiB = Math.max(this.rssMiB, process.memoryUsage.rss() / MIB)
      last = performance.now()
    }, LOOK_MS)
  }

  end(): void {
    const { user, system } = process.cpuUsage(this.#cpu)
    this.cpuMs = (user + system) / 1_000
    this.rssMiB = Math.max(this.rssMiB, process.memoryUsage.rss() / MIB)
    clearInterval(this.#timer)
    const io = transferred()
    if (io === undefined || this.#io === undefined) return
    this.#read = io.read - this.#io.read
    this.#written = io.written - this.#io.written
  }

  /** Of the loop. p99.9 is of what a timer waits that falls due at any moment: a hold of 100 ms counts for all that came in it. */
  loop(): { readonly loopHeldP999Ms: number; readonly loopStallMaxMs: number; readonly checkpointHoldMaxMs: number } {
    const waits: number[] = []
    for (const { ms } of this.#holds) {
      waits.push(ms)
      for (let left = ms - LOOK_MS; left > 0; left -= LOOK_MS) waits.push(left)
    }
    waits.sort((a, b) => a - b)
    const beside = this.#holds.filter(({ checkpoint }) => checkpoint).map(({ ms }) => ms)
    return {
      loopHeldP999Ms: round(quantile(waits, 0.999), 1),
      loopStallMaxMs: round(waits.at(-1) ?? 0, 1),
      checkpointHoldMaxMs: round(Math.max(0, ...beside), 1),
    }
  }

  /** What one of so many processes took of the machine. Bytes are those of all reads and writes, the log's included. */
  costs(processes: number): Readonly<Record<string, number | null>> {
    const each = (value: number | null, digits: number): number | null =>
      value === null ? null : round(value / Math.max(1, processes), digits)
    return {
      cpuMsPerProcess: each(this.cpuMs, 4),
      readBytesPerProcess: each(this.#read, 0),
      writtenBytesPerProcess: each(this.#written, 0),
      rssMiB: round(this.rssMiB, 0),
    }
  }

  /** The longest holds, in words. */
  notes(): readonly string[] {
    const longest = this.#holds.toSorted((a, b) => b.ms - a.ms).slice(0, TOLD)
    const told = longest.map(
      ({ ms, atMs, checkpoint }) =>
        `${round(ms, 1)} ms at ${round(atMs / 1_000, 2)} s${checkpoint ? ', beside a checkpoint' : ''}`,
    )
    return [`longest holds of the loop: ${told.join('; ')}; ${this.#checkpoints} checkpoints`]
  }
}
