// Types of the harness. Types only.
import type { Duration } from '../../base/duration.ts'
import type { Activity, AnyActivity, CallError } from '../../machine/types-activity.ts'
import type { App, Service, Snapshot } from '../../machine/types-app.ts'
import type { Give, Whole } from '../../machine/types-data.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import type { Message, MessageOf, MessageType } from '../../machine/types-message.ts'

/** What a maker (`answers`, `refuses`, …) returns. O: what it may answer, F: the failures that it may refuse with. */
export interface Made<O = never, F extends string = never> {
  readonly '~answers': O
  readonly '~refuses': F
}
/** What a function that stands for an activity is told of its attempt. */
export interface FakeAttempt {
  /** 1 for the first of a call. */
  readonly attempt: number
  /** The idempotency key of the call. */
  readonly key: string
}
/** What an activity does in a test: what a maker made, or a function; what that throws is `unknown`, as in life. */
export type Behaviour<D, O, F extends string> =
  Made<Whole<O>, NoInfer<F>> | ((input: D, attempt: FakeAttempt) => Promise<Whole<O>> | Whole<O>)

/** A call, with all its attempts. `name`: of the activity. `open`: it has not ended yet. */
export interface Called<A extends AnyActivity = AnyActivity> {
  readonly name: string
  readonly key: string
  readonly input: A['~in']
  readonly attempts: number
  readonly outcome: 'open' | 'done' | CallError<string>['outcome']
}

/** What a harness is given. */
export interface HarnessOptions {
  readonly services: readonly Service[]
  /** When time begins: default 2026-01-01, UTC. */
  readonly start?: Date
  /** For what is left to chance (ids, the jitter of retries). Default 1: every run is the same. */
  readonly seed?: number
  /** Workers on the one store, default 1. Where there are several, time passes while one waits for another: at most 2 seconds a question. */
  readonly workers?: number
}

/** The engine itself, in one process, in virtual time. */
export interface Harness {
  /**
   * Started by what is first asked of it. What is ready runs by itself, before what is asked and before that is answered; time stands still, so
   * what needs time is awaited after `advance`.
   */
  readonly app: App
  readonly now: Date
  /** Lets time pass, and runs all that falls due on the way, in order. */
  advance(by: Duration): Promise<void>
  /** Until nothing is ready: what is left waits for a message, for time, or for a call that hangs. */
  settle(): Promise<void>
  /** From now on, instead of the body of the activity. One with neither fails the test, by name. */
  fake<const O, F extends string, D>(activity: Activity<unknown, O, F, D>, behaviour: Behaviour<D, O, F>): void
  /** Loses everything that is not committed, and starts again. What the app was asked and has not answered rejects with `CRASHED`. */
  crash(): Promise<void>
  /** The same at the n-th commit from now (1: the next). `applied`: it is stored and its answer lost, or it is not stored. */
  crashAt(n: number, o: { applied: boolean }): void
  /** The states of an instance, as entered. */
  path<M extends AnyMachine>(machine: M, id: string): Promise<readonly string[]>
  /** What was called, in the order in which it was asked for; of one activity, or of all. */
  calls<A extends AnyActivity = AnyActivity>(activity?: A): readonly Called<A>[]
  /** What was emitted, in order; of one type, or of all. */
  emitted<E extends MessageType = MessageType>(type?: E): readonly MessageOf<E>[]
  /** Stops. Rejects with `STILL_OPEN` and the names of what is left: timers, calls, real timers that user code has set. */
  end(): Promise<void>
}

/** What an activity may do, each time that it is called. */
export interface Choice {
  readonly '~may': string
}

/** What a property is asked about: an instance after one step, with all that led there. */
export type Explored<M extends AnyMachine> = Snapshot<M> & {
  readonly path: readonly string[]
  readonly calls: readonly Called[]
  readonly emitted: readonly Message[]
}

/** What is explored. */
export interface ExploreOptions<M extends AnyMachine> {
  /** The data of the one instance, whose id is `explored`. */
  readonly data: Give<M>
  /** The id of the instance, default 'explored'. */
  readonly id?: string
  /** Each is sent at most once, at any time. */
  readonly messages?: readonly M['~takes'][]
  /** What activities may do, by `may`. One that is not named does what its own body does. */
  readonly activities?: readonly Choice[]
  /** `steps`: the length of a run. `runs`: how many at most, default 10,000. */
  readonly bound: { readonly steps: number; readonly runs?: number }
  /** Asked after each step. */
  readonly property: (seen: Explored<M>) => boolean
}

/** What came of it. */
export interface Exploration {
  readonly runs: number
  /** Whether all that can happen within `steps` was seen; false: `runs` were used up before. */
  readonly complete: boolean
  /** The shortest run at whose end the property does not hold, one step a line. Absent: it holds everywhere. */
  readonly counterexample?: readonly string[]
}
