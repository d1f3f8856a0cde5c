// Types of what is stored and handed out: schemas, JSON, frozen data. Types only.
import type { StandardSchemaV1 } from '@standard-schema/spec'

/** A schema has two types: I, what may be given (defaults left out), and O, what is kept and handed out. */
export type Schema<I = any, O = any> = StandardSchemaV1<I, O>
type Primitive = string | number | boolean | null | undefined
type IsList<T> = T extends readonly unknown[] ? (number extends T['length'] ? true : false) : false
/** Data as callbacks may return it: whole, read-only or not. */
export type Frozen<T> = unknown extends T
  ? T
  : T extends Primitive
    ? T
    : IsList<T> extends true
      ? readonly Frozen<T[number & keyof T]>[]
      : { readonly [K in keyof T]: Frozen<T[K]> }
/**
 * What callbacks return. Two things together keep a literal a literal ('paid' stays 'paid', a pair stays a pair) inside one big
 * object literal whose types are still being inferred: the type parameter that stands for user data is `const`, and the return
 * type maps over it (or indexes it). Every declaration of the API keeps to that; a type test holds it.
 */
export type Whole<D> = { readonly [K in keyof D]: Frozen<D[K]> }
/** Some fields of the data: those that change. */
export type Patch<D> = { readonly [K in keyof D]?: Frozen<D[K]> }
/** What may be given to a message, an activity or a machine. */
export type Give<X> = X['~give' & keyof X]
/** T where it is JSON, and reads back as it was written; `never` in the places where it is not. */
export type JsonOf<T> = unknown extends T
  ? T
  : T extends Primitive
    ? T
    : T extends Date | bigint | symbol | Map<any, any> | Set<any> | ((...a: any) => any)
      ? never
      : IsList<T> extends true
        ? readonly JsonOf<T[number & keyof T]>[]
        : { [K in keyof T]: JsonOf<T[K]> }
/** Everything is kept as JSON and read back through the same schema; this is what the compiler says of a schema that cannot. */
export type Storable<I, O> = [O] extends [JsonOf<O>] ? ([O] extends [I] ? unknown : OneWay) : NotJson
/** Said of a schema whose output is no JSON. */
export interface NotJson {
  'is kept as JSON: no Date, bigint, Map, Set or function': never
}
/** Said of a schema that does not take what it gave. */
export interface OneWay {
  'the schema must accept its own output: no one-way transform': never
}
declare const none: unique symbol
/** A map without declared keys would be `{}` and take any key: one impossible key keeps the check of names alive. */
export interface Declared {
  readonly [none]?: never
}
