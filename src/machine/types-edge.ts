// Types of edges, timers and what callbacks are given. Types only.
// D: data, S: names of states, R: receives, P: emits, X: what an edge is given besides.
import type { Duration } from '../base/duration.ts'
import type { Declared, Frozen, Patch } from './types-data.ts'
import type { Messages, Named, Payloads } from './types-message.ts'

/**
 * What started a transition: a message, a result, a timer, a child, an operator. `at`: when it was sent or fell due; `by`: who sent it, where that is
 * known; `source`: the service or broker that it came from, where that is another; `correlation`: one for all that follows from one beginning.
 */
export interface Cause {
  readonly id: string
  readonly at: Date
  readonly by?: string
  readonly source?: string
  readonly correlation: string
}
/** What every callback is given. */
export interface Given<D> {
  readonly id: string
  readonly data: D
  readonly cause: Cause
  /** The time of this transition by the store's clock. A definition never asks the clock itself. */
  readonly now: Date
  /** The field, which must be set here; where it is not, the instance stalls and says which one. */
  need<K extends keyof D>(this: void, field: K): NonNullable<D[K]>
}
/** What is emitted, by type. */
export type Emit<P extends Messages, G> = Declared & { [T in P[number]['type']]?: (given: G) => Payloads<Named<P, T>> }
/** The changed fields, field by field: a value, or a function. */
export type FieldSetters<D, G> = { readonly [K in keyof D]?: D[K] | Frozen<D[K]> | ((given: G) => D[K] | Frozen<D[K]>) }
/** One step of an edge. */
export interface Step<D, S extends string, X, P extends Messages> {
  /** Absent: stay, without leaving and entering again. The same state: leave and enter again. */
  to?: S
  /** The first step that holds is taken. If none does, the groups' edges are tried; then the message is `refused`: journalled, not kept. */
  if?: (given: Given<D> & X) => boolean
  /** The changed fields: a function of what is given, or field by field (a value, or a function), where the compiler also checks the names. */
  set?: ((given: Given<D> & X) => Patch<D>) | FieldSetters<D, Given<D> & X>
  /** One payload, several, or null for none. Sees the data after `set`. */
  emit?: Emit<P, Given<D> & X>
}
/** A way out: the name of a state, a step, or a list of steps. ArrayLike instead of an array, so that the compiler points at the wrong key and not at the whole edge. */
export type Edge<D, S extends string, X, P extends Messages> = S | Step<D, S, X, P> | ArrayLike<Step<D, S, X, P>>
/** Edges by message. */
export type On<D, S extends string, R extends Messages, P extends Messages> = Declared & {
  [T in R[number]['type']]?: Edge<D, S, { message: Named<R, T>['~data'] }, P>
}
/** A stored timer is known by its name: keep it over deploys. When it is due is asked once, on entry: `in` counts from there, `at` may be null for never. */
export type Timer<D, S extends string, P extends Messages> = Step<D, S, {}, P> & { name: string } & (
    | { in: (given: Given<D>) => Duration; at?: undefined }
    | { at: (given: Given<D>) => Date | string | null; in?: undefined }
  )
/** By duration, which then is the timer's name; or a list of named timers. */
export type After<D, S extends string, P extends Messages> =
  { [K in Duration]?: Edge<D, S, {}, P> } | ArrayLike<Timer<D, S, P>>
