// Types of sagas: a typed list of steps, compiled to a machine. Types only.
// I: input, G: what may be given for it, R: results so far, T: what it takes, Past: the pivot is behind.
import type { Duration } from '../base/duration.ts'
import type { AnyActivity, CallError, Out } from './types-activity.ts'
import type { Give, Schema, Storable, Whole } from './types-data.ts'
import type { Machine } from './types-machine.ts'
import type { MessageOf, MessageType } from './types-message.ts'

/** What the functions of a saga see. */
export type Scope<I, R> = { readonly id: string; readonly input: I; readonly results: R }
/** The call that is to be undone. Where it only may have happened, `key`, its idempotency key, is what the other side knows it by. */
export type Tried<A> = { readonly key: string } & (
  { readonly outcome: 'done'; readonly result: Out<A> } | { readonly outcome: 'unknown'; readonly result?: undefined }
)
/** What a step does. */
export type Forward<I, R, A, Past> = {
  call: A
  input: (scope: Scope<I, R>) => Give<A>
  /** For the step with all its retries. Elapsed before the pivot: everything is undone, this step too. */
  within?: Duration
  /**
   * Before the pivot: what to do when retries are used up, 'stall' (default) or 'undo'; a declared failure undoes in any case.
   * After it, whatever went wrong, `within` included: 'stall' (default), or the value with which the saga goes on.
   */
  otherwise?: Past extends true ? 'stall' | { value: Whole<Out<A>> } : 'stall' | 'undo'
}
/** What undoes a step that is done, or may be; null: there is nothing to undo. Undos never give up: they retry, then stall. */
export type Backward<I, R, A, U, Past> = {
  undo?: Past extends true
    ? never
    : { call: U; input: (scope: Scope<I, R> & { readonly step: Tried<A> }) => Give<U> | null }
}
/** A saga that is being written; `done` makes a machine of it. */
export interface Saga<N extends string, I, G, R, T, Past extends boolean> {
  /** One call, and what undoes it. */
  step<const K extends string, const A extends AnyActivity, const U extends AnyActivity>(
    name: K extends keyof R ? never : K,
    o: Forward<I, R, A, Past> & Backward<I, R, A, U, Past>,
  ): Saga<N, I, G, R & { [k in K]: Out<A> }, T, Past>
  /** All at once. When one fails the others are awaited, then those that are done, or may be, are undone side by side. */
  parallel<const K extends string, const B extends Record<string, any>, const U extends Record<string, any> = {}>(
    name: K extends keyof R ? never : K,
    branches: { [J in keyof B]: Forward<I, R, B[J], Past> } & {
      [J in keyof U]: Backward<I, R, B[J & keyof B], U[J], Past>
    },
  ): Saga<N, I, G, R & { [k in K]: { [J in keyof B]: Out<B[J]> } }, T, Past>
  /** For a message whose key is the saga's id. `within` elapsed: undo before the pivot, `otherwise` after it. */
  wait<const K extends string, const E extends MessageType>(
    name: K extends keyof R ? never : K,
    o: { for: E; within?: Duration; otherwise?: Past extends true ? 'stall' | { value: E['~data'] } : never },
  ): Saga<N, I, G, R & { [k in K]: E['~data'] }, T | MessageOf<E>, Past>
  /** From here on only forward: no undo, no cancel. */
  pivot(): Saga<N, I, G, R, T, true>
  /** Emitted when the step before it is done; before the first step, when the saga starts. */
  emit<const E extends MessageType>(type: E, data: (scope: Scope<I, R>) => Give<E>): Saga<N, I, G, R, T, Past>
  /**
   * Emitted when everything is undone: the state is 'undone' then, and the saga has ended 'cancelled' where it was cancelled, else 'failed'.
   * `error.code`: a declared failure, 'other', 'within' or 'cancel'.
   */
  failed<const E extends MessageType>(
    type: E,
    data: (scope: Scope<I, Partial<R>> & { readonly error: CallError<string> & { readonly step: keyof R } }) => Give<E>,
  ): Saga<N, I, G, R, T, Past>
  /** What `result()` gives. The saga ends 'done', in the state 'done'; a failed one ends 'failed', a cancelled one 'cancelled', both in 'undone'. */
  done<O>(
    output: (scope: Scope<I, R>) => O,
  ): Machine<
    N,
    { input: I; results: Partial<R> },
    (keyof R & string) | `undo ${keyof R & string}` | 'done' | 'undone',
    G,
    T
  > & { readonly '~output': O }
}
/** What a saga says of itself. */
export interface SagaOptions<I, D, E, C> {
  /** Default 1. */
  version?: number
  input: Schema<I, D> & Storable<I, D>
  /** A message that starts it; its payload is the input. */
  start?: E
  /** A message that, like `handle.cancel`, lets the open call settle and then undoes everything. After the pivot it is `refused`. */
  cancel?: C
  /** As of a machine. */
  priority?: number
  /** As of a machine. */
  fairBy?: (given: { readonly id: string; readonly input: D }) => string
}
/** `saga`: a straight line of steps with undos. */
export interface MakeSaga {
  /** `name`: what it is known by, as a machine. */
  <const N extends string, const I, D, E extends MessageType<string, any, I> = never, C extends MessageType = never>(
    name: N,
    o: SagaOptions<I, D, E, C>,
  ): Saga<N, D, I, {}, MessageOf<E> | MessageOf<C>, false>
}
