import { hash, timingSafeEqual } from 'node:crypto'
import type { Random } from './random.ts'

const TOKEN_BYTES = 32
/** 22 characters of base64 are 128 bits. */
const TOKEN_LENGTH_MIN = 22

/** A secret that nobody guesses: 256 bits in 43 characters that need no escape in a header, a URL or a shell. */
export const newToken = (random: Random): string => Buffer.from(random.bytes(TOKEN_BYTES)).toString('base64url')

/** Whether a text is long enough for a secret, and goes through a header as it is. */
export const isToken = (text: unknown): text is string =>
  typeof text === 'string' && text.length >= TOKEN_LENGTH_MIN && /^[!-~]+$/.test(text)

/** Compares with a secret that it does not keep: only its hash stays in memory, and the time says nothing of how much of a guess was right. */
export function tokenCheck(token: string): (given: string) => boolean {
  const kept = hash('sha256', token, 'buffer')
  return (given) => timingSafeEqual(kept, hash('sha256', given, 'buffer'))
}
