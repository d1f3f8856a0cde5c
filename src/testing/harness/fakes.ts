// The bodies of activities in a test: a fake where one was given, else their own.
import { PawlError } from '../../base/errors.ts'
import type { TimerWatch } from '../../base/ambient.ts'
import { isPromise } from '../../base/promise.ts'
import type { ActivityBody, ActivityDefinition, AttemptContext, ServiceDefinition } from '../../machine/definition.ts'
import type { VirtualClock } from './clock.ts'
import type { Act, Stage } from './behaviour.ts'

/** What fakes work with. `begins` tells that a body is at work, and returns what ends that. */
export interface FakesPorts {
  readonly clock: VirtualClock
  readonly timers: TimerWatch
  readonly begins: () => () => void
  readonly onProblem: (error: PawlError) => void
}

const never = new Promise<never>(() => undefined)

/** All activities that these services call, by name. */
export function activitiesOf(services: readonly ServiceDefinition[]): ReadonlyMap<string, ActivityDefinition> {
  const machines = services.flatMap((service) => service.machines)
  const calls = machines.flatMap((machine) => [...machine.states.values()].flatMap((state) => state.call ?? []))
  return new Map(calls.flatMap((call) => [...call.activities.values()]).map((activity) => [activity.name, activity]))
}

/** What every activity does. */
export class Fakes {
  readonly #ports: FakesPorts
  readonly #activities: ReadonlyMap<string, ActivityDefinition>
  readonly #own: ReadonlyMap<string, ActivityBody>
  readonly #acts = new Map<string, Act>()

  constructor(services: readonly ServiceDefinition[], ports: FakesPorts) {
    this.#ports = ports
    this.#activities = activitiesOf(services)
    this.#own = new Map(services.flatMap((service) => [...service.bodies]))
  }

  /** From now on an activity does this. */
  set(activity: string, act: Act): void {
    if (!this.#activities.has(activity))
      throw new PawlError(
        'UNKNOWN_ACTIVITY',
        `no machine of these services calls ${activity}; they call: ${[...this.#activities.keys()].join(', ') || 'none'}`,
      )
    this.#acts.set(activity, act)
  }

  /** Bodies for the engine. */
  get bodies(): ReadonlyMap<string, ActivityBody> {
    return new Map([...this.#activities.values()].map((activity) => [activity.name, this.#body(activity)]))
  }

  #body({ name, run }: ActivityDefinition): ActivityBody {
    const own = this.#own.get(name) ?? run
    return (input, context) => {
      const act = this.#acts.get(name)
      if (act === undefined && own === undefined) return this.#missing(name)
      return this.#ports.timers.run(name, () =>
        act === undefined ? this.#watched(own!(input, context)) : this.#faked(act, input, context),
      )
    }
  }

  #missing(name: string): Promise<never> {
    this.#ports.onProblem(
      new PawlError('NO_BODY', `${name} was called, and has neither a body nor a fake: write t.fake(…, answers(…))`),
    )
    return never
  }

  /** A fake that waits for virtual time, or for ever, is not at work. */
  #faked(act: Act, input: unknown, context: AttemptContext): unknown {
    let waits = false
    const stage: Stage = {
      context,
      after: (ms) => {
        waits = true
        return new Promise((resolve) => void this.#ports.clock.after(ms, resolve))
      },
      never: () => {
        waits = true
        return never
      },
    }
    const answer = act(input, stage)
    return waits ? answer : this.#watched(answer)
  }

  #watched(answer: unknown): unknown {
    if (!isPromise(answer)) return answer
    const ends = this.#ports.begins()
    const watched = Promise.resolve(answer)
    watched.then(ends, ends)
    return watched
  }
}
