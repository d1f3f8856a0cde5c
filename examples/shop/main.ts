// npm start: the shop, its customers and its outside world, on one live screen. `options.ts` says what can be asked for.
import { mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { App, LogRecord } from 'pawl'
import { seededRandom } from 'pawl/testing'
import { openDoor, type Door } from './door.ts'
import { feedOrders, quiet } from './feed.ts'
import { Watch } from './figures.ts'
import { HELP, readOptions, UsageError, type Options } from './options.ts'
import { customer, fileOrders, type Placed } from './orders.ts'
import { report } from './report.ts'
import { doorText, logLine, screen, type Sign } from './screen.ts'
import { hearCourier, openShop } from './shop.ts'
import { startOutside, type StartedOutside } from './start-outside.ts'
import { Outside } from './wire.ts'

const DRAW_EVERY_MS = 250
const LINE_EVERY_MS = 3_000
const SECOND_MS = 1_000
const DEFAULT_RATE = 50
/** Longer than the shop keeps ended orders: the report asks the book about all of those. */
const BOOK_KEEPS_MINUTES = 15
const BAD_LINES_SHOWN = 20

/** The outside's book stands beside the shop's file. */
export const bookOf = (db: string): string => `${db.replace(/\.db$/, '')}.outside.db`

const fileSize = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

async function* generated(o: Options): AsyncGenerator<Placed> {
  // A run that ends can be started again and goes on with the same orders; a shop that stays open gets new customers.
  const prefix = o.exit ? 'o' : `o-${Date.now().toString(36)}`
  const count = o.orders ?? Infinity
  for (let n = 1; n <= count; n++) yield customer(`${prefix}-${n}`, seededRandom(o.seed * 1_000_003 + n))
}

/** Everything that a run holds. */
class Run {
  readonly #o: Options
  readonly #db: string
  readonly #isTerminal = process.stdout.isTTY
  readonly #stop = new AbortController()
  readonly #badLines: string[] = []
  readonly #timers: NodeJS.Timeout[] = []
  #placed = 0
  #bad = 0
  #isDrawing = false
  #door: Door | undefined

  constructor(o: Options, db: string) {
    this.#o = o
    this.#db = db
  }

  /** Runs to its end; resolves with the exit code. */
  async run(): Promise<number> {
    const o = this.#o
    const forgets = !o.exit
    const started: StartedOutside | undefined =
      o.outside === undefined
        ? startOutside({
            book: bookOf(this.#db),
            fail: o.fail,
            ...(forgets ? { forgetMinutes: BOOK_KEEPS_MINUTES } : {}),
          })
        : undefined
    const outside = new Outside(() => started?.port() ?? Promise.resolve(o.outside!))
    try {
      const app = openShop({ db: this.#db, outside, forgets, log: (record) => this.#log(record) })
      await app.start()
      try {
        hearCourier(app, outside)
        return await this.#open(app)
      } finally {
        await app.stop()
      }
    } finally {
      this.#timers.forEach(clearInterval)
      outside.close()
      await started?.stop()
    }
  }

  /** With its door open, where it has one. */
  async #open(app: App): Promise<number> {
    const { exit, port } = this.#o
    if (exit && port === undefined) return this.#serve(app)
    const door = await openDoor(app, this.#db, port)
    this.#door = door
    if (!this.#isTerminal) console.log(doorText(door))
    try {
      return await this.#serve(app)
    } finally {
      await door.close()
    }
  }

  async #serve(app: App): Promise<number> {
    const watch = new Watch(app, () => performance.now())
    this.#show(watch)
    this.#onSignals()
    await watch.remember(1_000)
    const { signal } = this.#stop
    await feedOrders(app, {
      source:
        this.#o.file === undefined
          ? generated(this.#o)
          : fileOrders(this.#o.file, ({ line, why }) => this.#refuse(`line ${line} ${why}`)),
      rate: this.#o.rate ?? (this.#o.orders === undefined && this.#o.file === undefined ? DEFAULT_RATE : undefined),
      signal,
      placed: () => this.#placed++,
      refused: ({ id }) => this.#refuse(`order ${id} is in ${this.#db} already, with other data`),
    })
    if (this.#o.exit) await quiet(app, signal)
    else
      await new Promise<void>((resolve) =>
        signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve()),
      )
    this.#timers.forEach(clearInterval)
    const isOver = this.#o.exit && !signal.aborted
    const { text, faults } = await report(app, await watch.read(), { book: bookOf(this.#db), isOver })
    if (this.#isTerminal) for (const bad of this.#badLines) console.error(bad)
    if (this.#bad > 0) console.log(`\nrefused       ${this.#bad} lines`)
    console.log(`\n${text}\n${this.#db}`)
    if (faults.length > 0) return 1
    return this.#o.exit && !isOver ? 130 : 0
  }

  #refuse(why: string): void {
    this.#bad++
    const text = this.#o.file === undefined ? why : `${this.#o.file}: ${why}`
    // On a terminal the screen stands where it would be printed: kept for the end.
    if (!this.#isTerminal) console.error(text)
    else if (this.#badLines.length < BAD_LINES_SHOWN) this.#badLines.push(text)
  }

  #log({ level, text, machine, id, error }: LogRecord): void {
    if (level === 'debug' || level === 'info' || this.#isTerminal) return
    console.error(`${level}: ${machine === undefined ? '' : `${machine} ${id ?? ''}: `}${text}`, error ?? '')
  }

  #sign(): Sign {
    const { rate, orders, file, fail } = this.#o
    return {
      db: this.#db,
      dbBytes: fileSize(this.#db) + fileSize(`${this.#db}-wal`),
      pid: process.pid,
      fail,
      rate: rate ?? (orders === undefined && file === undefined ? DEFAULT_RATE : undefined),
      placed: this.#placed,
      total: orders,
      badLines: this.#bad,
      stopping: this.#stop.signal.aborted,
      door: this.#door,
    }
  }

  /** Drawn over itself in place. No second screen and no hidden cursor: after kill -9 nobody would bring the first back. */
  #show(watch: Watch): void {
    if (this.#isTerminal) process.stdout.write('\x1b[2J')
    const draw = async (): Promise<void> => {
      if (this.#isDrawing) return
      this.#isDrawing = true
      try {
        const figures = await watch.read()
        if (!this.#isTerminal) return console.log(logLine(figures, this.#sign(), new Date().toTimeString().slice(0, 8)))
        const { columns, rows } = process.stdout
        const text = screen(figures, this.#sign(), { columns, rows: rows - 1, colours: process.stdout.hasColors() })
        process.stdout.write(`\x1b[H${text.replaceAll('\n', '\x1b[K\n')}\x1b[K\n\x1b[J`)
      } finally {
        this.#isDrawing = false
      }
    }
    // A figure that could not be read now is read the next time.
    const timer = setInterval(() => void draw().catch(() => {}), this.#isTerminal ? DRAW_EVERY_MS : LINE_EVERY_MS)
    this.#timers.push(
      timer,
      setInterval(() => watch.tick(), SECOND_MS),
    )
  }

  #onSignals(): void {
    let firstAt = Infinity
    for (const name of ['SIGINT', 'SIGTERM'] as const) {
      process.on(name, () => {
        // One Ctrl-C comes twice under npm, from the terminal and from npm. Whoever asks again does not want to wait; nothing is lost by that.
        if (performance.now() - firstAt > SECOND_MS) process.exit(130)
        firstAt = Math.min(firstAt, performance.now())
        this.#stop.abort()
      })
    }
  }
}

const chooseFile = (o: Options): string => {
  const db = o.db ?? join('.pawl', o.exit ? `run-${new Date().toISOString().replaceAll(/[:.]/g, '-')}.db` : 'shop.db')
  mkdirSync(dirname(db), { recursive: true })
  return db
}

async function main(args: readonly string[]): Promise<number> {
  try {
    const options = readOptions(args)
    if (options !== 'help') return await new Run(options, chooseFile(options)).run()
    console.log(HELP)
    return 0
  } catch (e) {
    if (e instanceof UsageError) {
      console.error(`${e.message}\nnpm start -- --help says what can be asked for.`)
      return 2
    }
    console.error(e instanceof Error && 'code' in e ? `${String(e.code)}: ${e.message}` : e)
    return 1
  }
}

process.exitCode = await main(process.argv.slice(2))
