// One run of an exploration: an instance from its start through a list of moves, on the engine that ships.
import { TimerWatch } from '../../base/ambient.ts'
import { errorText, PawlError } from '../../base/errors.ts'
import type { Instance } from '../../core/model.ts'
import type { MachineDefinition } from '../../machine/definition.ts'
import type { App } from '../../machine/types-app.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import type { Message } from '../../machine/types-message.ts'
import type { Act, doingOf, Stage } from './behaviour.ts'
import { Fakes } from './fakes.ts'
import { Lives } from './lives.ts'
import { checkedTwice, onImpure } from './pure.ts'
import { nameOf } from './record.ts'
import type { Recorded } from './record.ts'
import { family } from './services.ts'
import type { Explored } from './types.ts'

/** What may happen next. `cut`: the worker crashes after so many commits of it. */
export type Move = { readonly cut?: number } & (
  | { readonly kind: 'message'; readonly index: number }
  /** The attempt that was started as the n-th, from 0, does the d-th of what it may do. */
  | { readonly kind: 'does'; readonly attempt: number; readonly doing: number }
  | { readonly kind: 'time' }
  | { readonly kind: 'crash' }
)

/** What is explored, read once. */
export interface Setting {
  readonly machine: MachineDefinition
  readonly id: string
  readonly data: unknown
  readonly messages: readonly Message[]
  readonly possibilities: ReadonlyMap<string, readonly ReturnType<typeof doingOf>[]>
}

/** An attempt that waits to be told what it does. */
interface Held {
  readonly activity: string
  readonly key: string
  readonly input: unknown
  readonly stage: Stage
  /** How many lives had ended when it was started. */
  readonly life: number
  readonly startedMs: number
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: unknown) => void
  does: string | undefined
  doesMs: number | undefined
}

const START_MS = Date.UTC(2026, 0, 1)
/** Longer than any timer: chores are nothing that happens to an instance. */
const CHORE_MS = 1_000 * 365 * 86_400_000
/** Wake-ups in a row that change nothing. */
const VAIN_MAX = 1_000

const UNITS = [
  ['day', 86_400_000],
  ['hour', 3_600_000],
  ['minute', 60_000],
  ['second', 1_000],
] as const
function timeText(ms: number): string {
  const [unit, size] = UNITS.find(([, of]) => ms >= of) ?? ['ms', 1]
  const count = Number((ms / size).toFixed(2))
  return `${count} ${unit}${count === 1 || unit === 'ms' ? '' : 's'}`
}

/** One run. */
export class Run {
  readonly #machine: AnyMachine
  readonly #o: Setting
  readonly #lives: Lives
  readonly #deaf: () => void
  readonly #held: Held[] = []
  readonly #acts = new Map<string, readonly Act[]>()
  readonly #sent = new Set<number>()
  /** Which behaviours were used, each time. */
  readonly #uses: string[] = []
  #problem: PawlError | undefined
  #words = ''
  #commits = 0

  private constructor(machine: AnyMachine, o: Setting) {
    this.#machine = machine
    this.#o = o
    const machines = family(o.machine)
    this.#deaf = onImpure(
      machines.map(({ name }) => name),
      (text) => (this.#problem ??= new PawlError('NOT_PURE', text)),
    )
    const services = [{ name: 'explored', machines, bodies: new Map<string, never>() }]
    const fakes = new Fakes(services, {
      get clock() {
        return lives.clock
      },
      timers: new TimerWatch(),
      begins: () => lives.bodyBegins(),
      onProblem: (problem) => (this.#problem ??= problem),
    })
    for (const [activity, doings] of o.possibilities) {
      this.#acts.set(
        activity,
        doings.map((doing) => doing.begin()),
      )
      fakes.set(activity, (input, stage) => this.#hold(activity, input, stage))
    }
    const all = { name: 'explored', machines: machines.map(checkedTwice), bodies: fakes.bodies }
    const lives = new Lives({ services: [all], startMs: START_MS, seed: 1, workers: 1, choreMs: CHORE_MS })
    this.#lives = lives
  }

  /** From the start through these moves. */
  static async play(machine: AnyMachine, o: Setting, moves: readonly Move[]): Promise<Run> {
    const run = new Run(machine, o)
    try {
      await run.#start()
      for (const move of moves) await run.#move(move)
      return run
    } catch (error) {
      run.end()
      throw error
    }
  }

  /** The last move, in words. */
  get words(): string {
    return this.#words
  }

  /** Commits of the last move. */
  get commits(): number {
    return this.#commits
  }

  end(): void {
    this.#lives.end()
    this.#deaf()
  }

  #hold(activity: string, input: unknown, stage: Stage): Promise<unknown> {
    // It is not at work: it waits for a move.
    void stage.never()
    return new Promise((resolve, reject) => {
      this.#held.push({
        activity,
        key: stage.context.idempotencyKey,
        input,
        stage,
        life: this.#lives.deaths,
        startedMs: this.#lives.clock.monotonic(),
        resolve,
        reject,
        does: undefined,
        doesMs: undefined,
      })
    })
  }

  async #start(): Promise<void> {
    const { id, data } = this.#o
    await this.#lives.ask('run()', (app) => app.run(this.#machine, { id, data: data as never }))
    await this.#rest('starts')
  }

  async #rest(what: string, before = 0): Promise<void> {
    await this.#lives.settle()
    if (this.#problem !== undefined) throw this.#problem
    const path = this.#path.slice(before)
    this.#words = path.length === 0 ? what : `${what} → ${path.join(' → ')}`
  }

  get #path(): readonly string[] {
    return this.#lives.record.path(this.#o.machine.name, this.#o.id) ?? []
  }

  get #instance(): Instance {
    const recorded = this.#lives.record.instances.get(nameOf(this.#o.machine.name, this.#o.id))
    if (recorded === undefined)
      throw new PawlError('UNKNOWN_INSTANCE', `${this.#o.machine.name} "${this.#o.id}" is not there any more`)
    return recorded.instance
  }

  async #move(move: Move): Promise<void> {
    const before = this.#path.length
    const commits = this.#lives.commits
    if (move.cut !== undefined) this.#lives.crashAt(move.cut, true)
    const what = await this.#do(move)
    await this.#rest(
      move.cut === undefined ? what : `${what}, and the worker crashes after commit ${move.cut} of it`,
      before,
    )
    this.#commits = this.#lives.commits - commits
  }

  #do(move: Move): Promise<string> {
    switch (move.kind) {
      case 'message':
        return this.#send(move.index)
      case 'does':
        return this.#does(move.attempt, move.doing)
      case 'time':
        return this.#pass()
      case 'crash':
        return this.#lives.crash().then(() => 'the worker crashes')
    }
  }

  async #send(index: number): Promise<string> {
    const message = this.#o.messages[index]!
    const { machine, id } = this.#o
    this.#sent.add(index)
    let became = ''
    const told = (outcome: string): void => void (became = outcome === 'applied' ? '' : ` (${outcome})`)
    const send = async (app: App): Promise<void> => {
      const more = { id: `message-${index}` }
      if (machine.receives.get(message.type)?.kind === 'event') {
        const { heard } = await app.emit(message, more)
        return told(heard.find((one) => one.machine === machine.name && one.id === id)?.outcome ?? 'not heard')
      }
      told((await app.send(this.#machine, id, message as never, more)).outcome)
    }
    void this.#lives.ask(message.type, send).catch((error: unknown) => told(errorText(error)))
    await this.#lives.settle()
    return `${message.type} comes${became}`
  }

  async #does(attempt: number, doing: number): Promise<string> {
    const held = this.#held[attempt]!
    const { text } = this.#o.possibilities.get(held.activity)![doing]!
    held.does = text
    held.doesMs = this.#lives.clock.monotonic()
    this.#uses.push(`${held.activity} ${doing}`)
    try {
      held.resolve(this.#acts.get(held.activity)![doing]!(held.input, held.stage))
    } catch (error) {
      held.reject(error)
    }
    await this.#lives.settle()
    return `${held.activity} ${text}`
  }

  /** Until something has happened. */
  async #pass(): Promise<string> {
    const { clock } = this.#lives
    const from = clock.monotonic()
    const [steps, held] = [this.#lives.commits, this.#held.length]
    for (let vain = 0; vain < VAIN_MAX && this.#lives.commits === steps && this.#held.length === held; vain++) {
      if (!this.#timePasses) break
      await this.#lives.advance(clock.nextMs - clock.monotonic())
    }
    return `${timeText(clock.monotonic() - from)} pass`
  }

  get #timePasses(): boolean {
    const { clock } = this.#lives
    return clock.nextMs - clock.monotonic() < CHORE_MS / 2
  }

  /** What may happen now. */
  moves(): readonly Move[] {
    const open = new Set(this.#lives.record.calls.filter(({ outcome }) => outcome === 'open').map(({ key }) => key))
    const alive = this.#held.flatMap((held, index) =>
      held.life === this.#lives.deaths && open.has(held.key) ? [{ held, index }] : [],
    )
    const does = alive.flatMap(({ held, index }) =>
      held.does === undefined
        ? this.#o.possibilities
            .get(held.activity)!
            .map((_, doing) => ({ kind: 'does', attempt: index, doing }) as const)
        : [],
    )
    return [
      ...does,
      ...this.#o.messages.flatMap((_, index) => (this.#sent.has(index) ? [] : [{ kind: 'message', index } as const])),
      ...(this.#timePasses ? [{ kind: 'time' } as const] : []),
      ...(alive.length > 0 ? [{ kind: 'crash' } as const] : []),
    ]
  }

  /** What a property is asked about. */
  seen(): Explored<AnyMachine> {
    const { id, state, data, seq, stalled } = this.#instance
    const { record } = this.#lives
    return {
      id,
      state,
      data,
      seq,
      status: statusOf(this.#instance),
      ...(stalled !== null && { stalled: { code: stalled.code, message: stalled.message } }),
      path: this.#path,
      calls: record.calls.map((call) => call.toJSON()),
      emitted: record.emitted,
    }
  }

  /** Equal where all that may follow, and all that a property may see, is equal. Moments are told from now on. */
  signature(): string {
    const { record, clock, waiting, dead, deaths } = this.#lives
    const now = clock.now()
    const held = this.#held
      .filter(({ life }) => life === deaths)
      .map(({ activity, key, does, startedMs, doesMs, stage }) => [
        activity,
        key,
        does,
        clock.monotonic() - startedMs,
        doesMs && clock.monotonic() - doesMs,
        stage.context.attempt,
      ])
    const calls = record.calls.map(({ name, input, attempts, outcome }) => [name, input, attempts, outcome])
    const sent = [...this.#sent].toSorted((a, b) => a - b)
    const instances = [...record.instances.values()].map((recorded) => recordedNow(recorded, now))
    // A sequence is as far as it was used, whichever attempts did.
    return JSON.stringify([instances, held, this.#uses.toSorted(), calls, record.emitted, sent, waiting, dead])
  }
}

/** How an instance stands, and how it came there. */
function recordedNow({ instance, steps }: Recorded, now: number): unknown {
  const { machine, id, seq, state, status, dataText, joined, stalled, calls, timers } = instance
  const from = (at: number | undefined): number | null => (at === undefined ? null : at - now)
  const called = Object.entries(calls ?? {}).map(([name, call]) => {
    const { attempts, unknown, nextAt, deadlineAt, recoveries, settled } = call
    return [name, attempts, unknown, from(nextAt), from(deadlineAt), recoveries, settled]
  })
  const due = Object.entries(timers ?? {}).map(([name, timer]) => [name, from(timer.due)])
  const path = steps.filter(({ entered }) => entered).map(({ to }) => to)
  return [machine, id, seq, state, status, dataText, joined, stalled?.code, called, due, path]
}

function statusOf({ status, calls }: Instance): Explored<AnyMachine>['status'] {
  if (status !== 'live') return status
  return Object.values(calls ?? {}).some((call) => call.settled === undefined) ? 'running' : 'waiting'
}
