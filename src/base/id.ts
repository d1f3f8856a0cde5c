import { hash } from 'node:crypto'
import { PawlError } from './errors.ts'
import type { Random } from './random.ts'

/** The 16 bytes of a UUIDv7 (RFC 9562): 48 bits of ms since 1970, version, variant, 74 random bits. */
const uuidv7Bytes = (clock: { now(): number }, random: Random): Uint8Array => {
  const bytes = new Uint8Array(16)
  bytes.set(random.bytes(10), 6)
  let ms = Math.floor(clock.now())
  for (let i = 5; i >= 0; i--) {
    bytes[i] = ms % 256
    ms = Math.floor(ms / 256)
  }
  bytes[6] = (bytes[6]! & 0x0f) | 0x70
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return bytes
}

// Written into one buffer: put together piece by piece a text is a tree of pieces, each of them garbage when it is first a key.
const written = Buffer.alloc(64)
const HEX = Buffer.from('0123456789abcdef')
const DASH = 0x2d

/** A new UUIDv7 in its usual writing. Sorts by creation to the ms; within one ms in no order. */
export function uuidv7(clock: { now(): number }, random: Random): string {
  const bytes = uuidv7Bytes(clock, random)
  let at = 0
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) written[at++] = DASH
    written[at++] = HEX[bytes[i]! >> 4]!
    written[at++] = HEX[bytes[i]! & 15]!
  }
  return written.toString('latin1', 0, at)
}

// Crockford's base32 in small letters: no i, l, o, u; sorts as the bits do; allowed in every key, header and file name.
const BASE32 = Buffer.from('0123456789abcdefghjkmnpqrstvwxyz')

/** The bits of `bytes` from the first on, after `padBits` zeros, as base32; what is left over at the end is filled with zeros. */
const base32 = (bytes: Uint8Array, padBits: number): string => {
  let at = 0
  let held = 0
  let heldBits = padBits
  for (const byte of bytes) {
    held = (held << 8) | byte
    heldBits += 8
    while (heldBits >= 5) {
      heldBits -= 5
      written[at++] = BASE32[(held >>> heldBits) & 31]!
    }
    held &= (1 << heldBits) - 1
  }
  if (heldBits > 0) written[at++] = BASE32[(held << (5 - heldBits)) & 31]!
  return written.toString('latin1', 0, at)
}

/**
 * The name of one life of an instance: a new UUIDv7's 128 bits as 26 characters of base32 in small letters (as a ULID is written:
 * two zero bits first). Sorts by creation to the ms.
 */
export const incarnation = (clock: { now(): number }, random: Random): string => base32(uuidv7Bytes(clock, random), 2)

const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * The partition of an instance, from its id alone: FNV-1a of 32 bits over the UTF-8 bytes of the NFC id, modulo `partitions` (a whole
 * number from 1). **Stored data depends on it: it must never change.**
 */
export function partitionOf(id: string, partitions: number): number {
  let sum = FNV_OFFSET
  for (let i = 0; i < id.length; i++) {
    const unit = id.charCodeAt(i)
    if (unit > 0x7f) return utf8Fnv(id.normalize('NFC')) % partitions
    sum = Math.imul(sum ^ unit, FNV_PRIME)
  }
  return (sum >>> 0) % partitions
}

const utf8 = new TextEncoder()

const utf8Fnv = (text: string): number => {
  let sum = FNV_OFFSET
  for (const byte of utf8.encode(text)) sum = Math.imul(sum ^ byte, FNV_PRIME)
  return sum >>> 0
}

/** Names come from definitions, so they are few, but for calls in lists (`name/4711`); those must not fill the memory. */
const CALL_HASHES_MAX = 10_000
const callHashes = new Map<string, string>()

const callHash = (call: string): string => {
  const remembered = callHashes.get(call)
  if (remembered !== undefined) return remembered
  if (callHashes.size >= CALL_HASHES_MAX) callHashes.clear()
  // 40 bits are 8 characters; the definition's check refuses two names of one machine that meet.
  const text = base32(hash('sha256', call, 'buffer').subarray(0, 5), 0)
  callHashes.set(call, text)
  return text
}

/**
 * The idempotency key of a call: `<incarnation>-<entry>-<8 characters of the call's name>`, at most 64 of [a-z0-9-]. The same for every
 * attempt, in every process and version. **Other services remember it: it must never change.**
 */
export const callKey = (incarnation: string, entry: number, call: string): string =>
  `${incarnation}-${entry}-${callHash(call)}`

/**
 * The idempotency key of a call whose state gives a key of its own: `k-` and 52 characters, a hash of machine, key and call, each
 * with its length before it so that ('a', 'bc') and ('ab', 'c') differ. **Other services remember it: it must never change.**
 */
export const customKey = (machine: string, key: string, call: string): string =>
  `k-${base32(hash('sha256', [machine, key, call].map((part) => `${part.length}:${part}`).join(''), 'buffer'), 0)}`

const ID_BYTES_MAX = 255
const PRINTABLE_ASCII = /^[ -~]{1,255}$/
const CONTROL = /\p{Cc}/u

const badId = (what: string, why: string): PawlError =>
  new PawlError('BAD_ID', `${what} ${why}: give 1 to ${ID_BYTES_MAX} bytes of text without control characters`)

/**
 * The id in its one writing (NFC, so that an é typed in two ways is one id), or PawlError `BAD_ID` for what is no string, empty, longer
 * than 255 UTF-8 bytes, ill-formed or has control characters. `what` names it in the message ('the id of order', say).
 */
export function checkId(id: unknown, what: string): string {
  if (typeof id !== 'string') throw badId(what, `is ${id === null ? 'null' : `of type ${typeof id}`}`)
  if (PRINTABLE_ASCII.test(id)) return id
  if (!id.isWellFormed()) throw badId(what, 'has half a surrogate pair')
  const nfc = id.normalize('NFC')
  if (nfc === '') throw badId(what, 'is empty')
  if (CONTROL.test(nfc)) throw badId(what, `has a control character (${JSON.stringify(nfc)})`)
  const bytes = Buffer.byteLength(nfc)
  if (bytes > ID_BYTES_MAX) throw badId(what, `is ${bytes} bytes long`)
  return nfc
}
