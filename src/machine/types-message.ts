// Types of events and commands. Types only.
import type { Duration } from '../base/duration.ts'
import type { Give, Schema, Storable, Whole } from './types-data.ts'

/** A message: an event is a fact for whoever listens; a command is an order to one instance. */
export interface Message<N extends string = string, D = unknown> {
  readonly type: N
  readonly data: D
}
/** What `event` and `command` return: called with the data it makes a message. Nothing is validated until that is sent. */
export interface MessageType<N extends string = string, I = any, O = any> {
  (data: I): Message<N, O>
  readonly type: N
  readonly '~give': Whole<I>
  readonly '~data': O
}
/** Several types of messages. */
export type Messages = readonly MessageType[]
/** The one of that name. */
export type Named<L extends Messages, T> = Extract<L[number], { readonly type: T }>
/** The messages of these types: a discriminated union. */
export type MessageOf<E> = E extends MessageType<infer N, any, infer O> ? Message<N, O> : never
/** What every message says of itself. */
export interface MessageOptions<I, O> {
  /** The payload. */
  data: Schema<I, O> & Storable<I, O>
  /**
   * How long it may wait, default '1 hour': an event for its instance to be there (after that it is dropped, and counted `unclaimed`), an event or
   * a command for a state that takes it (after that it is a dead letter). That time runs only while the instance could take messages: not while it
   * is stalled, nor while an open call holds them.
   */
  keep?: Duration
  /** Default 1. Raise it when stored messages would no longer fit `data`, and say how each older version becomes this one. */
  version?: number
  /** From each older version straight to this one. */
  upcast?: { readonly [older: number]: Upcast<I> }
}
/** From an older payload. As a method: the user may say what `old` was, `(old: { seconds: number }) => …`. */
export type Upcast<I> = { upcast(old: unknown): Whole<I> }['upcast']
/** `event`: a fact for whoever listens. */
export interface MakeEvent {
  /** `key` orders the events of one subject. It also is the id of the instance that hears them, unless a machine says otherwise in `correlate`. */
  <const N extends string, const I, O>(
    type: N,
    o: MessageOptions<I, O> & { key: (data: O) => string },
  ): MessageType<N, I, O>
}
/** `command`: an order to one instance. */
export interface MakeCommand {
  /** `to` and `key`: the machine, and which instance. Needed where a machine emits the command; who calls `send` says both. */
  <const N extends string, const I, O>(
    type: N,
    o: MessageOptions<I, O> & ({ to: string; key: (data: O) => string } | { to?: undefined; key?: undefined }),
  ): MessageType<N, I, O>
}
/** What a callback is asked for: one payload, several, or null for none. */
export type Payloads<E> = Give<E> | readonly Give<E>[] | null
