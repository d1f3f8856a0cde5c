import { hash } from 'node:crypto'
import { PawlError } from './errors.ts'

/** What can be stored: what `JSON.parse` may return. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

// Far above what anybody writes, far below what overflows the stack here, in JSON.stringify or in a reader of another language.
const DEPTH_MAX = 200
// What is kept wraps what was checked: the output in a call's record, in what an instance stalled with, in a message. It must be read again.
const OWN_DEPTH_MAX = DEPTH_MAX + 20

class Same {
  constructor(object: object) {
    return object
  }
}

/**
 * Marks an object as checked and frozen whole, so that the parts which a next state shares with the last one are not walked again: a
 * private field that a constructor adds to the object it "makes". Nobody else can see, copy or forge it. A WeakSet says the
 * same, but took 600 ns for each object (this takes 15), which was more than all the rest of the walk.
 */
class Checked extends Same {
  /** Levels of objects in it, itself included: parts that are not walked again count towards the depth all the same. */
  readonly #height: number
  constructor(object: object, height: number) {
    super(object)
    this.#height = height
  }
  /** 0 for what is not marked. */
  static height(value: unknown): number {
    return typeof value === 'object' && value !== null && #height in value ? value.#height : 0
  }
}

// A fault is reported by return value, and its path grows on the way up: keeping a path on the way down would cost every good value.
const FAULT = Symbol('fault')
/** Whether the walk that is under way may freeze what it finds: else that is somebody's, and is copied. A walk never waits. */
let ours = false
let faultReason = ''
let faultPath: (string | number)[] = []

const fault = (reason: string): typeof FAULT => {
  faultReason = reason
  faultPath = []
  return FAULT
}

const faultUnder = (key: string | number): typeof FAULT => {
  faultPath.push(key)
  return FAULT
}

const ILL_FORMED =
  'has half a surrogate pair, which UTF-8 cannot hold: cut strings between characters, or use toWellFormed()'

/** Why an object is not JSON, with what to write instead. */
const classFault = (value: object): string => {
  if (value instanceof Date) return 'is a Date: store toISOString() or getTime()'
  if (value instanceof Map || value instanceof Set) return 'is a Map or Set: store an object or a list of its entries'
  if (typeof (value as { then?: unknown }).then === 'function') return 'is a promise: await it first'
  if (value instanceof Error) return 'is an Error: store its message or code'
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer)
    return 'is binary: store base64 text, or the name of a file'
  const maker = (value as { constructor?: { name?: unknown } }).constructor?.name
  return `is an object of class ${typeof maker === 'string' && maker !== '' ? maker : '(unnamed)'}: store a plain object`
}

/** Another realm (a vm context, a frame) has its own Object.prototype and Array.prototype; both are recognised. */
const isPlain = (prototype: object | null): boolean =>
  prototype === Object.prototype ||
  prototype === null ||
  (Object.getPrototypeOf(prototype) === null && Object.hasOwn(prototype, 'isPrototypeOf'))
const isPlainList = (prototype: object | null): boolean => prototype === Array.prototype || Array.isArray(prototype)

/** Whether the walk may freeze it in place. What somebody has frozen may not be marked: JavaScript is about to forbid adding private fields to it. */
const isOwn = (whole: object): boolean => ours && Object.isExtensible(whole)

/** The same list, frozen, or a frozen copy where it is somebody's. */
const walkList = (list: readonly unknown[], depth: number): unknown => {
  if (!isPlainList(Object.getPrototypeOf(list) as object | null)) return fault(classFault(list))
  const own = isOwn(list) ? (list as unknown[]) : list.slice()
  let height = 0
  for (let i = 0; i < own.length; i++) {
    const part = own[i]
    if (part === undefined) {
      fault(i in own ? 'is undefined: lists keep null instead' : 'is a hole in a list: lists keep null instead')
      return faultUnder(i)
    }
    const kept = walk(part, depth + 1)
    if (kept === FAULT) return faultUnder(i)
    height = Math.max(height, Checked.height(kept))
    if (!Object.is(kept, part)) own[i] = kept
  }
  return finish(own, height + 1)
}

/** The same object, frozen, or a frozen copy where it is somebody's, or a field of it has to go. */
const walkObject = (object: Record<string, unknown>, depth: number): unknown => {
  if (!isPlain(Object.getPrototypeOf(object) as object | null)) return fault(classFault(object))
  if (Object.getOwnPropertySymbols(object).length > 0) return fault('has a symbol for a key: keys are strings')
  // Copied before it is looked at: what a getter gives is asked for once, and stays.
  const own = isOwn(object) ? object : { ...object }
  let height = 0
  let gaps = false
  // Through the prototype too, which costs half of asking for a list of keys; there is something only where somebody has put it there.
  for (const key in own) {
    const part = own[key]
    const kept = key.isWellFormed() ? walkField(part, depth + 1) : fault(`is under a key that ${ILL_FORMED}`)
    if (kept === FAULT) return faultUnder(key)
    if (kept === undefined) gaps = true
    height = Math.max(height, Checked.height(kept))
    // The field is there, so this sets it and no prototype, even where it is called `__proto__`.
    if (!Object.is(kept, part)) own[key] = kept
  }
  return finish(gaps ? withoutGaps(own) : own, height + 1)
}

/** A field that is undefined goes. */
const withoutGaps = (object: Record<string, unknown>): Record<string, unknown> =>
  Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

const finish = (own: object, height: number): object => {
  new Checked(own, height)
  return Object.freeze(own)
}

/** The value of a field as it will stay; undefined: it is left out. */
const walkField = (value: unknown, depth: number): unknown => (value === undefined ? undefined : walk(value, depth))

const TOO_DEEP = `lies deeper than ${DEPTH_MAX} levels, or the value contains itself`

const walk = (value: unknown, depth: number): unknown => {
  switch (typeof value) {
    case 'string':
      return value.isWellFormed() ? value : fault(ILL_FORMED)
    case 'number':
      // JSON has no -0; adding 0 makes it 0 and leaves every other number.
      return Number.isFinite(value) ? value + 0 : fault(`is ${value}: JSON has finite numbers only`)
    case 'boolean':
      return value
    case 'object': {
      if (value === null) return value
      const height = Checked.height(value)
      // One level at least, for what is not marked.
      if (depth + Math.max(height, 1) - 1 > (ours ? OWN_DEPTH_MAX : DEPTH_MAX)) return fault(TOO_DEEP)
      if (height > 0) return value
      return Array.isArray(value) ? walkList(value, depth) : walkObject(value as Record<string, unknown>, depth)
    }
    case 'bigint':
      return fault('is a bigint: store String(…) of it')
    case 'undefined':
      return fault('is undefined: give null, or leave it out')
    case 'function':
    case 'symbol':
    default:
      return fault(`is a ${typeof value}: JSON holds data only`)
  }
}

/** The path as a JSON pointer (RFC 6901); deep ones are cut in the middle, since a cycle's has 200 parts. */
const pointer = (path: readonly (string | number)[]): string => {
  const parts = path.toReversed().map((part) => String(part).toWellFormed().replaceAll('~', '~0').replaceAll('/', '~1'))
  const shown = parts.length > 12 ? [...parts.slice(0, 6), '…', ...parts.slice(-3)] : parts
  return shown.map((part) => `/${part}`).join('')
}

function kept<T>(value: T, what: string): T {
  const whole = walk(value, 1)
  if (whole !== FAULT) return whole as T
  const path = pointer(faultPath)
  throw new PawlError('NOT_JSON', `${what}${path === '' ? '' : ` at ${path}`} ${faultReason}`, { details: { path } })
}

/**
 * Checks that `value` is JSON, in one walk, and returns it frozen whole: plain objects, lists without holes, well-formed strings, finite
 * numbers, booleans, null. Fields that are `undefined` are left out, -0 becomes 0; numbers are otherwise kept as they are, also unsafe
 * integers; what a getter gives is asked for once. All else throws PawlError `NOT_JSON`, which names the place as a JSON pointer below `what` ('the data of order', say). What was
 * given stays as it is, and may be changed by whoever has it; only what this returned before is shared and not walked again.
 */
export function freezeJson<T>(value: T, what: string): T {
  ours = false
  return kept(value, what)
}

/** Like `freezeJson`, for what was made for this alone, such as by `JSON.parse`: it is frozen in place where nothing had to differ.
 *  It may be 20 levels deeper, since what was checked lies within it. */
export function freezeOwnJson<T>(value: T, what: string): T {
  ours = true
  return kept(value, what)
}

// Keys come again and again, and JSON.stringify takes as long for one as for a small object. Bounded in number and length, since data
// may have ids of their own for keys.
const KEYS_MAX = 4_096
const KEY_LENGTH_MAX = 64
const keyTexts = new Map<string, string>()

function keyText(key: string): string {
  let text = keyTexts.get(key)
  if (text !== undefined) return text
  text = `${JSON.stringify(key)}:`
  if (keyTexts.size < KEYS_MAX && key.length <= KEY_LENGTH_MAX) keyTexts.set(key, text)
  return text
}

// By insertion, in place: `sort` takes copies, which for objects of a few fields was most of the work here.
const FEW = 16

function sorted(keys: string[]): string[] {
  if (keys.length > FEW) return keys.sort()
  for (let i = 1; i < keys.length; i++) {
    const key = keys[i]!
    let at = i
    while (at > 0 && keys[at - 1]! > key) {
      keys[at] = keys[at - 1]!
      at -= 1
    }
    keys[at] = key
  }
  return keys
}

/** One text for one value, whatever order its keys were set in (sorted by UTF-16 units, as RFC 8785). For hashing only: slow. */
export function canonicalJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null'
  let text = ''
  for (const key of sorted(Object.keys(value))) {
    const part = (value as Record<string, unknown>)[key]
    if (part !== undefined) text += (text === '' ? '' : ',') + keyText(key) + canonicalJson(part)
  }
  return `{${text}}`
}

// 22 characters of base64url are 132 of SHA-256's bits: no two values meet by chance, nor on purpose in less than 2^66 tries.
const HASH_LENGTH = 22

/** A short name for a value: SHA-256 of its canonical JSON, 22 characters of base64url. */
export const jsonHash = (value: unknown): string =>
  hash('sha256', canonicalJson(value), 'base64url').slice(0, HASH_LENGTH)
