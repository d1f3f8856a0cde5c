// Types of activities: calls to the outside. A call ends done, not done or unknown. Types only.
import type { Duration } from '../base/duration.ts'
import type { Schema, Storable, Whole } from './types-data.ts'

/** A call to the outside world: what goes in, what comes out, how it may fail. It may be run again. */
export interface Activity<I = any, O = any, F extends string = string, D = any> {
  readonly name: string
  readonly '~give': Whole<I>
  readonly '~in': D
  readonly '~out': O
  readonly '~fail': F
}
/** Any activity. */
export type AnyActivity = Activity<any, any, any>
/** What it answers. */
export type Out<A> = A extends AnyActivity ? A['~out'] : never
/** Its declared failures; of several activities those of all. */
export type Failure<A> = A extends AnyActivity
  ? A['~fail']
  : A extends readonly [infer X]
    ? Failure<X>
    : { [J in keyof A]: Failure<A[J]> }[keyof A]
/**
 * How a call ended that is not done. `not done`: a declared failure, and no earlier attempt ended unknown. `unknown`: it may have happened
 * (a timeout, a lost connection, a crash, an error that is not declared). `code`: the declared failure, or 'other'.
 */
export interface CallError<F> {
  readonly code: F
  readonly message: string
  readonly details?: unknown
  readonly outcome: 'not done' | 'unknown'
}
/** A connection that runs SQL; of PostgreSQL, inside a transaction. */
export interface Sql {
  query(text: string, values?: readonly unknown[]): Promise<{ rows: Record<string, unknown>[] }>
}
/** One attempt of a call, as the body of the activity sees it. */
export interface Attempt<F extends string> {
  /**
   * The same for all attempts of a call: `<incarnation>-<entry>-<call>`, a-z, 0-9 and -, at most 64: what the instance got when it was made (26
   * characters of base32), the number of this entry into the state, a hash of the call's name (8 characters). Entering again makes a new one.
   */
  readonly idempotencyKey: string
  /** 1 for the first. */
  readonly attempt: number
  /** Aborted when nobody waits for this attempt any more: its timeout, a lost lease, a state that was left. */
  readonly signal: AbortSignal
  /** Says that it lives, and how far it is; the next attempt finds that in `lastProgress`. */
  heartbeat(this: void, progress?: unknown): void
  /** What an earlier attempt said by `heartbeat`. */
  readonly lastProgress?: unknown
  /** Reserved. */
  readonly sql?: Sql
  /** Ends the call with a declared failure: it is not tried again. */
  fail(this: void, code: F, message?: string, details?: unknown): never
}
/** The body of an activity. What it throws, `fail` apart, leaves the attempt unknown: it is tried again. */
export type Run<I, O, F extends string> = (input: I, attempt: Attempt<F>) => Promise<Whole<O>> | Whole<O>
/** What an activity says of itself. */
export interface ActivityOptions<I, D, OI, O, F extends string> {
  input: Schema<I, D> & Storable<I, D>
  output: Schema<OI, O> & Storable<OI, O>
  /** What the other side may answer instead. Written with a capital, so that they never meet the keys of an edge or `other`. */
  failures?: readonly F[]
  /** For all else that goes wrong: after `first` ('200 ms'), then `factor` (2) times as long, at most `max` ('30 seconds'), full jitter; used up after `attempts` (10) or `within` (none). */
  retry?: { attempts?: number; first?: Duration; factor?: number; max?: Duration; within?: Duration }
  /** The longest that one attempt may take. Default '30 seconds'. */
  timeout?: Duration
  /** The longest silence between two `heartbeat()`; after it the attempt counts as lost. Default: none is asked for. */
  heartbeat?: Duration
  /** Attempts at once, over all workers; approximate for the length of a lease while workers come and go. One that timed out counts until its
   *  body has settled, at most 10 seconds; then others start beside it. Default: no limit. */
  concurrency?: number
  /** Attempts started in any stretch of time that is `per` long, over all workers; as approximate. Waiting for a turn is no attempt: no timeout runs. */
  rate?: { count: number; per: Duration }
  /** True: its effect needs no undoing, so a state may be left while this call is open. The attempt is aborted; a late result is only journalled. */
  interruptible?: boolean
  /** Reserved: runs on the workers of that pool. */
  pool?: string
  /** Reserved: on a thread of its own. */
  thread?: boolean
  /** Reserved: (PostgreSQL) in a transaction that commits with its result: `attempt.sql`. */
  sql?: boolean
  /** Left out: this is the contract alone, for other services; the owner adds the body with `implement`. */
  run?: Run<D, O, F>
}
/** `activity`: declares a call to the outside. */
export interface MakeActivity {
  /** `name`: what it is known by in stores and other services, such as 'payments.charge'. */
  <I, D, OI, const O, const F extends Capitalize<string> = never>(
    name: string,
    o: ActivityOptions<I, D, OI, O, F>,
  ): Activity<I, O, F, D>
}
/** A body for an activity that was declared without one. */
export interface Implementation {
  readonly name: string
  readonly '~implements': string
}
/** `implement`: gives an activity its body. */
export interface MakeImplementation {
  /** The body of an activity that was declared without `run`; goes into a service's `activities`. */
  <const O, F extends string, D>(activity: Activity<any, O, F, D>, run: Run<D, O, F>): Implementation
}
