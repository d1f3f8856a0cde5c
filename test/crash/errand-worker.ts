// The process that faults are put into: brings errands in, sees them to their end, audits, stops, and tells it all line by line.
//
//   placed <id>   the errand is safe          nudged <id>    the nudge is safe          slept   the sleeper is safe
//   store <state> · clock <problem>           as health tells it, when it changes       read    figures were read meanwhile
//   early <what>                              a timer fired early by this process's own measure
//   rejected <code>                           a call that is made again
//   ended <id> <done|failed|cancelled>        woken           fault <what is wrong>     finished
//
// It exits with 0 after `finished`, with REFUSED where the app did not start, with BROKEN where it stopped: each says why in a line
// (`refused <code> <text>`, `broken <text>`). Whatever else it exits with is a fault.
import { setTimeout as sleep } from 'node:timers/promises'
import { isPawlError, type App } from 'pawl'
import { recountOf } from 'pawl/testing'
import { quiet } from '../../examples/shop/feed.ts'
import { instancesLaw, lawText, messagesLaw } from '../../examples/shop/laws.ts'
import { compare } from '../../examples/shop/report.ts'
import { Outside } from '../../examples/shop/wire.ts'
import { echoOf, errand, Nudged, openErrands, sleeper } from './errand.ts'
import { BROKEN, REFUSED, type ErrandLife } from './errand-life.ts'

const WATCH_MS = 20
const AGAIN_MS = 50
/** What a release after a commit may cost on a busy machine. */
const EARLY_TOLERANCE_MS = 250
/** A store that is full or busy, or slow: the call is made again, under the same id. */
const AGAIN = new Set(['STORE_FULL', 'STORE_BUSY', 'WITHIN_ELAPSED', 'OVERLOADED'])
/** The process is about to end, for a reason that is told otherwise. */
const ENDING = new Set(['WORKER_BROKEN', 'STOPPED', 'STORE_CORRUPT', 'STORE_CLOSED'])

const say = (line: string): void => void process.stdout.write(`${line}\n`)

const text = (error: unknown): string =>
  isPawlError(error)
    ? `${error.code} ${error.message}`
    : `not-a-PawlError ${error instanceof Error ? error.message : typeof error}`

/** Ends the process once what it said is out. */
const end = (code: number): void => void process.stdout.write('', () => process.exit(code))

class Run {
  readonly #app: App
  readonly #life: ErrandLife
  #isOver = false
  #told = { store: 'ok', clock: '' }

  constructor(app: App, life: ErrandLife) {
    this.#app = app
    this.#life = life
  }

  async run(): Promise<void> {
    this.#watchTimers()
    try {
      await this.#app.start()
    } catch (error) {
      say(`refused ${text(error)}`)
      return end(REFUSED)
    }
    say('started')
    void this.#watchHealth()
    try {
      await this.#bringIn()
      await quiet(this.#app, new AbortController().signal)
      await this.#audit()
      this.#isOver = true
      await this.#app.stop()
    } catch (error) {
      return this.#failed(error)
    }
    say('finished')
    end(0)
  }

  /** Whether the app has stopped by itself; whatever else ends a life is a fault. */
  async #failed(error: unknown): Promise<void> {
    const { alive, problems } = await this.#app.health()
    if (!alive || (isPawlError(error) && ENDING.has(error.code))) {
      say(`broken ${alive ? text(error) : problems.join('; ')}`)
      return end(BROKEN)
    }
    say(`fault ${text(error)}`)
    end(1)
  }

  async #bringIn(): Promise<void> {
    const { ids, placed, nudged, gapMs, sleeps } = this.#life
    const [isPlaced, isNudged] = [new Set(placed), new Set(nudged)]
    const one = async (id: string): Promise<void> => {
      if (!isPlaced.has(id)) {
        await this.#again(() => this.#app.run(errand, { id, data: { sku: 'mug' } }))
        say(`placed ${id}`)
      }
      if (isNudged.has(id)) return
      await this.#again(() => this.#app.emit(Nudged({ errand: id }), { id: `nudge-${id}`, until: 'stored' }))
      say(`nudged ${id}`)
    }
    if (sleeps) await this.#again(() => this.#app.run(sleeper, { id: 'one', data: {} }))
    const going: Promise<void>[] = []
    for (const id of ids) {
      going.push(one(id))
      if (gapMs > 0 && !(isPlaced.has(id) && isNudged.has(id))) await sleep(gapMs)
    }
    await Promise.all(going)
  }

  async #again(work: () => Promise<unknown>): Promise<void> {
    for (;;) {
      try {
        await work()
        return
      } catch (error) {
        if (!isPawlError(error) || !AGAIN.has(error.code)) throw error
        say(`rejected ${error.code}`)
        await sleep(AGAIN_MS)
      }
    }
  }

  /** What whoever runs the process would watch: a worker that is not alive is ended, and started anew. */
  async #watchHealth(): Promise<void> {
    for (; !this.#isOver; await sleep(WATCH_MS)) {
      const { alive, store, problems } = await this.#app.health()
      if (this.#isOver) return
      if (!alive) return this.#failed(undefined)
      const clock = problems.find((problem) => problem.startsWith('the clock')) ?? ''
      if (store !== this.#told.store) await this.#tellStore(store)
      if ((clock === '') !== (this.#told.clock === '')) say(clock === '' ? 'clock right' : `clock ${clock}`)
      this.#told = { store, clock }
    }
  }

  async #tellStore(store: string): Promise<void> {
    say(`store ${store}`)
    if (store !== 'full') return
    // Who cannot write can read still.
    await this.#app.counts()
    await this.#app.list(errand, { limit: 5 })
    say('read')
  }

  #watchTimers(): void {
    const restMs = Number.parseInt(this.#life.rest, 10)
    const since = new Map<string, number>()
    this.#app.on((event) => {
      if (event.kind !== 'transition' || event.machine !== 'echo' || event.outcome !== 'applied') return
      if (event.to === 'resting' && event.from === null) since.set(event.id, performance.now())
      const from = since.get(event.id)
      if (event.cause.kind !== 'timer' || from === undefined) return
      const ms = performance.now() - from
      if (ms < restMs - EARLY_TOLERANCE_MS) say(`early ${event.id} rested ${ms.toFixed(0)} ms of ${restMs}`)
    })
  }

  async #audit(): Promise<void> {
    const [counts, recounted] = [await this.#app.counts(), await recountOf(this.#app)]
    for (const law of [instancesLaw(recounted), messagesLaw(recounted)])
      if (!law.balances) say(`fault ${law.name} do not balance: ${lawText(law)}`)
    for (const fault of compare(counts, recounted)) say(`fault ${fault}`)
    const { pending, dead } = recounted.messages
    if (pending > 0 || dead > 0) say(`fault ${pending} messages pending, ${dead} dead at the end`)
    for (const [name, { running, waiting, stalled }] of Object.entries(recounted.instances)) {
      if (name === 'sleeper') say(waiting === 0 ? 'woken' : 'asleep')
      else if (running + waiting + stalled > 0) say(`fault ${running + waiting + stalled} ${name} not ended`)
    }
    for (const id of this.#life.ids) await this.#auditOne(id)
  }

  /** Its journals have no gap, and every nudge was applied once. */
  async #auditOne(id: string): Promise<void> {
    const { status } = await this.#app.get(errand, id).state()
    say(`ended ${id} ${status}`)
    for (const one of status === 'done' ? [errand, echoOf(this.#life.rest)] : [errand]) {
      let seq = 0
      let state: string | null = null
      let nudges = 0
      for await (const row of this.#app.get(one, id).history()) {
        if (row.seq !== seq + 1) say(`fault ${one.name} ${id}: row ${row.seq} follows ${seq}`)
        if (row.from !== state) say(`fault ${one.name} ${id}: row ${row.seq} leaves ${row.from}, it was in ${state}`)
        if (row.cause.name === 'nudged' && row.outcome === 'applied') nudges++
        seq = row.seq
        state = row.to
      }
      if (one.name === 'echo' && nudges !== 1) say(`fault echo ${id} was nudged ${nudges} times`)
    }
  }
}

const life = JSON.parse(process.argv[2]!) as ErrandLife
// Nobody is left to hear it.
process.stdin.resume().on('end', () => process.exit(1))
const outside = new Outside(() => Promise.resolve(life.port))
const app = openErrands({
  db: life.db,
  outside,
  rest: life.rest,
  log: ({ level, text: what, error }) => {
    if (level === 'error') say(`log ${what}${error === undefined ? '' : `: ${text(error)}`}`)
  },
})
await new Run(app, life).run()
