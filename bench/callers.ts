// Callers in a closed loop: each starts its next process when its last one has ended.
import { randomUUID } from 'node:crypto'
import type { App } from '../src/index.ts'
import type { Row } from './row.ts'
import type { Work } from './works.ts'

const WARM_MS = 1_000

/** How a work is driven. */
export interface Load {
  readonly inFlight: number
  readonly warmMs: number
  readonly ms: number
  /** A new id. */
  readonly newId: () => string
  /** The warm-up is over, and what is measured begins; it ends. */
  readonly begin: () => void
  readonly end: () => void
}

/** What was driven. */
export interface Driven {
  /** Processes that ended while it was measured. */
  readonly finished: number
  /** How long that was. */
  readonly ms: number
  /** How long each took, from the caller's first call to its answer. */
  readonly tookMs: readonly number[]
  /** All processes that ended, those of the warm-up and after it included. */
  readonly all: number
}

const nothing = (): void => undefined
const after = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/** The load of a row. */
export function loadOf(row: Row, told: { readonly begin: () => void; readonly end: () => void }): Load {
  const { inFlight, seconds, ids } = row
  return { inFlight, warmMs: Math.min(WARM_MS, seconds * 1_000), ms: seconds * 1_000, newId: newIdOf(ids), ...told }
}

/** A load that nobody looks at. */
export const unwatched = (row: Row): Load => loadOf(row, { begin: nothing, end: nothing })

/** Ids as the row wants them. */
export function newIdOf(ids: Row['ids']): () => string {
  if (ids === 'uuid') return () => randomUUID()
  // Behind those that are there, and behind those of another row.
  const run = Date.now()
  let n = 0
  return () => `p-${run}-${String(n++).padStart(10, '0')}`
}

/** Drives it. */
export async function drive(
  app: App,
  { one }: Work,
  { inFlight, warmMs, ms, newId, begin, end }: Load,
): Promise<Driven> {
  const tookMs: number[] = []
  let [all, measuring, over] = [0, false, false]
  const caller = async (): Promise<void> => {
    while (!over) {
      const startedAt = performance.now()
      await one(app, newId())
      all += 1
      if (measuring) tookMs.push(performance.now() - startedAt)
    }
  }
  const every = Promise.all(Array.from({ length: inFlight }, caller))
  await Promise.race([after(warmMs), every])
  const from = performance.now()
  measuring = true
  begin()
  await Promise.race([after(ms), every])
  measuring = false
  over = true
  const took = performance.now() - from
  end()
  await every
  return { finished: tookMs.length, ms: took, tookMs, all }
}

/** Callers beside something else, who show what that costs others. Answers what ends them and tells how long each process took. */
export function others(app: App, { one }: Work, count: number): () => Promise<readonly number[]> {
  const tookMs: number[] = []
  let over = false
  const caller = async (): Promise<void> => {
    while (!over) {
      const startedAt = performance.now()
      await one(app, randomUUID())
      tookMs.push(performance.now() - startedAt)
    }
  }
  const every = Promise.all(Array.from({ length: count }, caller))
  return async () => {
    over = true
    await every
    return tookMs
  }
}
