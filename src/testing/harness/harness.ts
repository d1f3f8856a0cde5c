// The harness: a test's view of the engine that ships, in virtual time, in one process. No file, no server, no sleep.
import { TimerWatch } from '../../base/ambient.ts'
import { durationMs } from '../../base/duration.ts'
import { PawlError } from '../../base/errors.ts'
import type { Instance } from '../../core/model.ts'
import { activityOf, definitionOf, messageOf } from '../../machine/definition.ts'
import type { AnyActivity } from '../../machine/types-activity.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import type { MessageOf, MessageType } from '../../machine/types-message.ts'
import { HarnessApp } from './app.ts'
import { doingOf } from './behaviour.ts'
import { Fakes } from './fakes.ts'
import { Lives } from './lives.ts'
import { checkedTwice, onImpure } from './pure.ts'
import { checkedServices } from './services.ts'
import type { Called, Harness, HarnessOptions } from './types.ts'

const START_MS = Date.UTC(2026, 0, 1)

class EngineHarness implements Harness {
  readonly app: HarnessApp
  readonly #lives: Lives
  readonly #fakes: Fakes
  readonly #timers = new TimerWatch()
  readonly #deaf: () => void
  /** What is wrong with the definitions, however the test goes. */
  #problem: PawlError | undefined
  #over = false

  constructor({ services, start, seed = 1, workers = 1 }: HarnessOptions) {
    const checked = checkedServices(services)
    const machines = checked.flatMap((service) => service.machines)
    this.#deaf = onImpure(
      machines.map(({ name }) => name),
      (text) => (this.#problem ??= new PawlError('NOT_PURE', text)),
    )
    this.#fakes = new Fakes(checked, {
      get clock() {
        return lives.clock
      },
      timers: this.#timers,
      begins: () => lives.bodyBegins(),
      onProblem: (problem) => (this.#problem ??= problem),
    })
    const all = { name: 'harness', machines: machines.map(checkedTwice), bodies: this.#fakes.bodies }
    const lives = new Lives({ services: [all], startMs: start?.getTime() ?? START_MS, seed, workers })
    this.#lives = lives
    this.app = new HarnessApp({
      ask: (what, work) => this.#checked(lives.askAtRest(what, work)),
      listen: (listener) => lives.listen(listener),
      story: (machine, id) => lives.record.story(machine, id),
      start: () => lives.start(),
      stop: () => this.#stop(),
    })
  }

  get now(): Date {
    return new Date(this.#lives.clock.now())
  }

  async advance(by: Parameters<Harness['advance']>[0]): Promise<void> {
    const ms = durationMs(by)
    await this.#lives.living()
    await this.#checked(this.#lives.advance(ms))
  }

  async settle(): Promise<void> {
    await this.#lives.living()
    await this.#checked(this.#lives.settle())
  }

  readonly fake: Harness['fake'] = (activity, behaviour) =>
    this.#fakes.set(activityOf(activity).name, doingOf(behaviour).begin())

  async crash(): Promise<void> {
    await this.#checked(this.#lives.crash())
  }

  crashAt(n: number, { applied }: { applied: boolean }): void {
    if (!Number.isInteger(n) || n < 1)
      throw new PawlError('BAD_CRASH', `crashAt(${n}): give the number of a commit from now on, 1 for the next`)
    this.#lives.crashAt(n, applied)
  }

  async path<M extends AnyMachine>(machine: M, id: string): Promise<readonly string[]> {
    await this.settle()
    const { name } = definitionOf(machine)
    const path = this.#lives.record.path(name, id)
    if (path === undefined) throw new PawlError('UNKNOWN_INSTANCE', `there is no ${name} "${id}"${this.#others()}`)
    return path
  }

  #others(): string {
    const names = [...this.#lives.record.instances.values()].map(
      ({ instance }) => `${instance.machine} "${instance.id}"`,
    )
    return names.length === 0 ? ': nothing was started' : `; there are: ${names.slice(0, 20).join(', ')}`
  }

  calls<A extends AnyActivity = AnyActivity>(activity?: A): readonly Called<A>[] {
    const name = activity === undefined ? undefined : activityOf(activity).name
    return this.#lives.record.calls
      .filter((call) => name === undefined || call.name === name)
      .map((call) => call.toJSON() as Called<A>)
  }

  emitted<E extends MessageType = MessageType>(type?: E): readonly MessageOf<E>[] {
    const name = type === undefined ? undefined : messageOf(type).type
    const all = this.#lives.record.emitted.filter((one) => name === undefined || one.type === name)
    return all as readonly unknown[] as readonly MessageOf<E>[]
  }

  async end(): Promise<void> {
    if (this.#over) return
    this.#over = true
    try {
      await this.#checked(this.#lives.settle())
      const open = this.#open()
      if (open.length > 0)
        throw new PawlError(
          'STILL_OPEN',
          `when the test ended there was still open:\n${open.map((one) => `  ${one}`).join('\n')}`,
        )
    } finally {
      this.#lives.end()
      this.#deaf()
    }
  }

  #open(): readonly string[] {
    const { record, crashesLeft, errors, questions } = this.#lives
    const instances = [...record.instances.values()].flatMap(({ instance }) =>
      openOf(instance).map((what) => `${what}\n    ${record.story(instance.machine, instance.id)}`),
    )
    const crashes = crashesLeft === 0 ? [] : [`${crashesLeft} planned by crashAt: so many commits never came`]
    return [...instances, ...questions.open, ...this.#timers.open, ...crashes, ...errors]
  }

  /** What is wrong with the definitions comes before what came of it. */
  async #checked<T>(work: Promise<T>): Promise<T> {
    const answer = await work.catch((error: unknown) => {
      throw this.#problem ?? error
    })
    if (this.#problem !== undefined) throw this.#problem
    return answer
  }

  /** As a deploy does; what it leaves open `end` tells still. */
  async #stop(): Promise<void> {
    await this.#lives.settle()
    this.#lives.end()
  }
}

/** What an instance that lives waits for, besides messages. */
function openOf({ machine, id, status, calls, timers }: Instance): readonly string[] {
  if (status !== 'live') return []
  const of = `of ${machine} "${id}"`
  const open = Object.entries(calls ?? {}).filter(([, call]) => call.settled === undefined)
  return [
    ...open.map(([name, call]) => `call ${name} ${of}, key ${call.key}`),
    ...Object.entries(timers ?? {}).map(
      ([name, { due }]) => `timer "${name}" ${of}, due ${new Date(due).toISOString()}`,
    ),
  ]
}

/**
 * Starts the engine on a store in memory, in virtual time, for one test. Throws `BAD_DEFINITION` where the services do not fit together; what has
 * no body may be faked. Callbacks of machines run twice: one that differs, changes what it is given or asks the clock fails the test with `NOT_PURE`.
 */
export const harness = (o: HarnessOptions): Harness => new EngineHarness(o)
