// Types of a state: its calls, its children, its ways out. Types only.
// D: data, S: names of states, R: receives, P: emits, C: children, A: what a state calls. A call is one activity · several by name · [one], once for each input.
import type { AnyActivity, CallError, Failure, Out } from './types-activity.ts'
import type { Declared, Give, Patch } from './types-data.ts'
import type { After, Edge, Emit, Given, On, Step } from './types-edge.ts'
import type { Messages, Named } from './types-message.ts'

/** Running: a call is open; waiting: none is; both are derived. Stalled: it waits for an operator. The others are ends. */
export type Status = 'running' | 'waiting' | 'stalled' | 'done' | 'failed' | 'cancelled'
type List<A> = A extends readonly [infer X] ? readonly Give<X>[] : never
/** The input of a call; of several by name, of a list one for each. */
export type Input<G, A> = ((given: G) => Give<A> | List<A>) | { [J in keyof A]: (given: G) => Give<A[J]> }
/** What `done` is given. */
export type Answer<A> = unknown extends A
  ? {}
  : A extends AnyActivity
    ? { result: A['~out'] }
    : A extends readonly [infer X]
      ? { results: readonly Out<X>[] }
      : { results: { [J in keyof A]: Out<A[J]> } }
/** What `fail` is given. */
export type CallProblem<A, F> = { error: CallError<F> } & (A extends AnyActivity
  ? {}
  : A extends readonly [infer X]
    ? { results: readonly (Out<X> | undefined)[]; errors: readonly (CallError<Failure<X> | 'other'> | undefined)[] }
    : { results: { [J in keyof A]?: Out<A[J]> }; errors: { [J in keyof A]?: CallError<Failure<A[J]> | 'other'> } })
/** A child, as its parent knows it by the child's last notice. */
export interface Child<M> {
  readonly id: string
  readonly state: M['~states' & keyof M]
  readonly data: M['~data' & keyof M]
  readonly status: Status
}
/** The children that exist, by kind. */
export type Children<C> = { readonly children: { readonly [K in keyof C]: readonly Child<C[K]>[] } }
/** How a state follows children of one kind. */
export type Follow<D, S extends string, P extends Messages, C, M> = {
  /** All of them are in one of these states, now: they need not arrive while we wait. */
  all?: M['~states' & keyof M] | readonly M['~states' & keyof M][]
  /** False: follows those of this kind that exist, and starts none. Default true. */
  spawn?: boolean
  /** A child counts for `all` only where this holds too. */
  if?: (given: Given<D> & { child: Child<M> }) => boolean
  /**
   * When one arrives there, or is there already. Every final state of the child must be named, in `all` or here; `{}`: seen, nothing to do.
   * A child that was cancelled where it stood, in a state that is named nowhere, stalls its parent: CHILD_ENDED.
   */
  any?: { [K in M['~states' & keyof M] & string]?: Edge<D, S, { child: Child<M> } & Children<C>, P> }
}
/** Which children a state follows. */
export type Until<D, S extends string, P extends Messages, C> = Declared & { [K in keyof C]?: Follow<D, S, P, C, C[K]> }
/** One state of a machine. */
export type State<D, S extends string, R extends Messages, P extends Messages, C, A> = {
  /**
   * On entry: an activity, several by name (`{ stock, risk }`), or `[one]` for each input. `done` and `fail` are its ways out.
   * While the call is open the state is not left: a message, a group's edge or timer, or a cancel that would leave it waits until the call has
   * settled and its `done` or `fail` edge is taken; an edge that stays is taken at once. So the state's own `on`, `after` and `always` may not
   * leave it: refused at definition. Neither holds where all that it calls is `interruptible`: such a state is left at once.
   */
  call?: A
  input?: Input<Given<D>, A>
  /**
   * Where a second entry must not act twice: instead of the key that is new at each entry. Any string, for what is sent is a hash of (machine, this
   * key, the call's name); so several calls do not share one, and the instance is in it only where you put `id` in.
   */
  key?: (given: Given<D>) => string
  /** When the call has answered, all of `join` have come, or all of `until` hold. Like `fail` it leaves the state, or the state has another way out. */
  done?: Edge<D, S, Answer<A> & Children<C>, P>
  /**
   * One edge, or one for each failure. `other`: retries are used up, or the failure has no edge of its own; without it the instance stalls.
   * Of several calls, when all have settled: `error` is the first in the order of `call`, `errors` has all, `results` those that are done.
   */
  fail?:
    | Edge<D, S, CallProblem<A, Failure<A> | 'other'>, P>
    | { [F in Failure<A> | 'other']?: Edge<D, S, CallProblem<A, F>, P> }
  /** A message that is not named here or in a group waits if a state that names it can still be reached; else it is `ignored`, as with `'x': {}`. */
  on?: On<D, S, R, P>
  /** Wait for all of these, in any order; each is recorded (or `true`: only waited for). */
  join?: Declared & {
    [T in R[number]['type']]?: true | ((given: Given<D> & { message: Named<R, T>['~data'] }) => Patch<D>)
  }
  /** Timers: staying keeps them, entering again restarts them. */
  after?: After<D, S, P>
  /** Tried in order on entry and after each change of the data in this state; none holds: stay. */
  always?: ArrayLike<Step<D, S, {}, P>>
  /** Makes sure that these children exist, and follows their states. Leaving the state does nothing to them. */
  until?: Until<D, S, P, C>
  /** On entry. `children`: those that exist by now. */
  emit?: Emit<P, Given<D> & Children<C>>
  /** The instance ends here, as that. */
  final?: 'done' | 'failed' | 'cancelled'
}
