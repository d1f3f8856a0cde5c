import { randomFillSync } from 'node:crypto'

/** Chance, as the engine sees it. Everything that draws gets one, so that simulation can repeat a run from its seed. */
export interface Random {
  /** [0, 1). Not for secrets. */
  next(): number
  /** `n` fresh bytes, good enough for ids that nobody can guess. */
  bytes(n: number): Uint8Array
}

// Unpooled random bytes were 6 % of a hot path; a block costs about what one small draw does.
const POOL_BYTES = 16 * 1024
const pool = new Uint8Array(POOL_BYTES)
let poolUsed = POOL_BYTES

const pooledBytes = (n: number): Uint8Array => {
  if (n > POOL_BYTES) return randomFillSync(new Uint8Array(n))
  if (poolUsed + n > POOL_BYTES) {
    randomFillSync(pool)
    poolUsed = 0
  }
  // A copy: bytes that were handed out must not change when the pool is filled again.
  const bytes = pool.slice(poolUsed, poolUsed + n)
  // Nor stay readable in the pool.
  pool.fill(0, poolUsed, poolUsed + n)
  poolUsed += n
  return bytes
}

/** The machine's own chance: the operating system's bytes, V8's `Math.random` for jitter. */
export const systemRandom: Random = { next: () => Math.random(), bytes: pooledBytes }

/** Chance that repeats itself: the same seed and the same draws give the same results, on every machine. Not for secrets. */
export interface SeededRandom extends Random {
  /** A whole number in [0, below); `below` from 1 to 2^32. */
  int(below: number): number
  /** One of a list that is not empty. */
  pick<T>(list: readonly T[]): T
  /** True with probability `chance` (0 never, 1 always). */
  chance(chance: number): boolean
  /** A stream of its own: what is drawn from it does not shift what is drawn here. */
  fork(): SeededRandom
}

/** Four well-mixed words from one seed (splitmix32), so that seeds 1 and 2 have nothing in common. */
const mixSeed = (seed: number): [number, number, number, number] => {
  // Seeds beyond 32 bits (a time in ms, say) count as well: their upper part is folded in.
  let s = (seed ^ Math.imul(Math.floor(seed / 2 ** 32), 0x9e3779b1)) | 0
  const word = (): number => {
    s = (s + 0x9e3779b9) | 0
    let z = s ^ (s >>> 16)
    z = Math.imul(z, 0x21f0aaad)
    z ^= z >>> 15
    z = Math.imul(z, 0x735a2d97)
    return z ^ (z >>> 15)
  }
  return [word(), word(), word(), word()]
}

/** `SeededRandom` from a whole number, by sfc32: 128 bits of state, passes PractRand, a few ns a draw. */
export function seededRandom(seed: number): SeededRandom {
  let [a, b, c, counter] = mixSeed(seed)
  const word = (): number => {
    const t = (((a + b) | 0) + counter) | 0
    counter = (counter + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let round = 0; round < 12; round++) word()
  const next = (): number => word() / 2 ** 32
  const int = (below: number): number => Math.floor(next() * below)
  return {
    next,
    int,
    bytes(n) {
      const bytes = new Uint8Array(n)
      for (let i = 0; i < n; i++) bytes[i] = word() >>> 24
      return bytes
    },
    pick(list) {
      if (list.length === 0) throw new RangeError('random.pick: the list is empty')
      return list[int(list.length)]!
    },
    chance: (chance) => next() < chance,
    fork: () => seededRandom(word() * 2 ** 21 + (word() >>> 11)),
  }
}
