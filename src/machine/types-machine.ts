// Types of machines and contracts. Types only.
// D: data, S: names of states, R: receives, P: emits, C: children, A: what a state calls, X: what an edge is given besides.
import type { Declared, Give, Schema, Storable, Whole } from './types-data.ts'
import type { After, Edge, Given, On } from './types-edge.ts'
import type { MessageOf, Messages, Named } from './types-message.ts'
import type { State } from './types-state.ts'

/** A machine, or what is known of one. */
export interface Machine<N extends string = string, D = any, S extends string = string, I = any, T = any> {
  readonly name: N
  readonly '~data': D
  readonly '~states': S
  readonly '~give': Whole<I>
  readonly '~takes': T
}
/** Any machine. */
export type AnyMachine = Machine<string, any, any, any, any>
/** A machine's definition: one plain object. */
export type MachineOptions<
  I,
  D,
  A extends Record<string, any>,
  C extends Record<string, AnyMachine>,
  M extends Record<number, AnyMachine>,
  R extends Messages,
  P extends Messages,
> = {
  /** Default 1. Raise it when running instances need a `migrate`. */
  version?: number
  /** The data of an instance. */
  data: Schema<I, D> & Storable<I, D>
  /** Messages that it takes: with `emits` its contract. */
  receives?: R
  /** Messages that it makes. */
  emits?: P
  /**
   * The kinds of its children, and who they are: a function of the data. Entering a state with `until` starts those that are missing.
   * `restart`: one that has ended and is asked for again gets a new life; else it stays as it ended.
   * `onCancel`: what a cancel of the parent does to them, default 'keep'.
   */
  children?: {
    [K in keyof C]: {
      of: C[K]
      each: (given: Given<D>) => readonly { readonly id: string; readonly data: Give<C[K]> }[]
      restart?: boolean
      onCancel?: 'keep' | 'cancel'
    }
  }
  /** Messages that create an instance. */
  start?: Declared & { [T in R[number]['type']]?: (message: Named<R, T>['~data']) => Whole<I> }
  /** Which instances hear a message, where that is not its key. */
  correlate?: Declared & {
    [T in R[number]['type']]?: (message: Named<R, T>['~data']) => string | readonly string[] | null
  }
  /** The state that a new instance enters. */
  initial: keyof A & string
  /** What a cancel (`handle.cancel`, an operator) does in any state that is not final. Left out: the instance ends where it is, as `cancelled`. */
  cancel?: Edge<D, keyof A & string, { why: string }, P>
  /** What holds in several states. The state's own edge comes first, then the groups in order; timers run from entering the group to leaving it. */
  groups?: {
    readonly [name: string]: {
      states: readonly (keyof A & string)[]
      on?: On<D, keyof A & string, R, P>
      after?: After<D, keyof A & string, P>
    }
  }
  /** The states, by name. */
  states: { [K in keyof A]: State<D, keyof A & string, R, P, C, A[K]> }
  /** Among what is ready, higher first; default 0. PostgreSQL and SQLite alike. */
  priority?: number
  /**
   * Whose turn it is: among what is ready with equal priority, instances with different keys (a customer, a tenant) take turns, however many each
   * has. Asked at the start and when the data change. Messages to an instance that is not in memory, and events from outside, are not told apart:
   * together they take turns as one key. PostgreSQL and SQLite alike.
   */
  fairBy?: (given: { readonly id: string; readonly data: D }) => string
  /**
   * From each older version straight to this one. In a state of the same name the open call, timers and waiting messages are kept; another one is
   * entered as by an edge, and then an open call (`calls` are their names) must be decided: 'keep' or 'drop'; undecided, the instance stalls.
   */
  migrate?: {
    [V in keyof M]: {
      from: M[V]
      to: (old: {
        state: M[V]['~states' & keyof M[V]]
        data: M[V]['~data' & keyof M[V]]
        calls: readonly string[]
      }) => { state: keyof A & string; data: Whole<D>; calls?: 'keep' | 'drop' }
    }
  }
}
/** `machine`: a finite state machine, as one plain object. */
export interface MakeMachine {
  /** `name`: what it is known by in stores and other services. Throws PawlError `BAD_DEFINITION` with all problems at once. */
  <
    const N extends string,
    const I,
    const D,
    const A extends Record<string, any>,
    const C extends Record<string, AnyMachine> = {},
    const M extends Record<number, AnyMachine> = {},
    const R extends Messages = [],
    const P extends Messages = [],
  >(
    name: N,
    definition: MachineOptions<I, D, A, C, M, R, P>,
  ): Machine<N, D, keyof A & string, I, MessageOf<R[number]>>
}
/** `contract`: what others know of a machine. */
export interface MakeContract {
  /** A child in another service, an older version of a machine, or a machine itself (recursion). No graph, no code. `states`: the first is where it begins. */
  <const N extends string, const I, const D, const S extends string, const R extends Messages = []>(
    name: N,
    o: {
      version?: number
      data: Schema<I, D> & Storable<I, D>
      states: readonly S[]
      finals?: readonly NoInfer<S>[]
      receives?: R
    },
  ): Machine<N, D, S, I, MessageOf<R[number]>>
}
