// What a life under faults begins from.
import { cpSync, statSync } from 'node:fs'
import { errands, Site } from './site.ts'

/** A folder to begin from, and how closely it is looked at. */
export interface Base {
  readonly name: 'new' | 'midway' | 'burst' | 'log nearly full'
  /** Undefined: there is no file yet. */
  readonly folder?: string
  readonly ids: readonly string[]
  /** What was acknowledged in it. */
  readonly placed: readonly string[]
  readonly nudged: readonly string[]
  /** Up to there every call is tried, whatever was asked for. */
  readonly denseUntil: number
  /** Beyond that, of frequent calls one in so many is tried, times what was asked for. */
  readonly spread: number
}

const FEW = 3
/** So many in one batch make it a large one, which a thread writes (src/store/sqlite/store.ts). */
const MANY = 80
const LOG_ERRANDS = 250
const LOG_GAP_MS = 4
/** A little below what makes SQLite checkpoint (4,000 pages and their headers). */
const LOG_BYTES = 3_800 * (4_096 + 24)
const LOOK_MS = 2

/** No file yet. */
export const NEW: Base = { name: 'new', ids: errands(FEW), placed: [], nudged: [], denseUntil: 20, spread: 1 }

/** No file yet, and commits that are large. */
export const BURST: Base = { name: 'burst', ids: errands(MANY), placed: [], nudged: [], denseUntil: 0, spread: 7 }

/** As a worker left it that was killed in the midst of its work; the outside is dead too. */
async function killed(
  site: Site,
  moment: Promise<unknown>,
  kill: () => void,
  ended: Promise<unknown>,
): Promise<Pick<Base, 'placed' | 'nudged' | 'ids'>> {
  await moment
  kill()
  await ended
  await site.close(true)
  return { ids: site.ids, placed: [...site.placed], nudged: [...site.nudged] }
}

/** Few errands, with open calls and a log that is not in the file yet. */
export async function makeMidway(folder: string): Promise<Base> {
  const site = new Site({ folder, ids: errands(FEW) })
  const life = await site.start()
  const left = await killed(site, life.hears('nudged e-1'), () => life.child.kill('SIGKILL'), life.ended)
  return { name: 'midway', folder, ...left, denseUntil: 20, spread: 1 }
}

/** Many errands, and a log that the next commits fill: the life after it checkpoints. */
export async function makeLogNearlyFull(folder: string): Promise<Base> {
  const site = new Site({ folder, ids: errands(LOG_ERRANDS) })
  const life = await site.start({ gapMs: LOG_GAP_MS })
  const isFull = async (): Promise<void> => {
    while ((statSync(`${site.db}-wal`, { throwIfNoEntry: false })?.size ?? 0) < LOG_BYTES)
      await new Promise((resolve) => void setTimeout(resolve, LOOK_MS))
  }
  const left = await killed(site, Promise.race([isFull(), life.ended]), () => life.child.kill('SIGKILL'), life.ended)
  return { name: 'log nearly full', folder, ...left, denseUntil: 0, spread: 29 }
}

/** A site that begins from it, in a folder of its own. */
export function siteFrom(base: Base, folder: string): Site {
  if (base.folder !== undefined) cpSync(base.folder, folder, { recursive: true })
  return new Site({ folder, ids: base.ids }).heard(base.placed, base.nudged)
}
