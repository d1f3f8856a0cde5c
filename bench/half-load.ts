// How long a process takes at half of what the machine can do, which is how machines are run.
//
// First the most is measured, by callers in a closed loop; then processes come by themselves at half that rate, at random moments, whether the
// earlier ones have ended or not. Each is timed from the moment at which it was to come: where all stands still for a while, those that could not
// even begin have waited too (in a closed loop they are left out, and the worst is not seen).
import { seededRandom } from '../src/base/random.ts'
import type { App } from '../src/index.ts'
import { sqliteStore } from '../src/store/sqlite/store.ts'
import { appOver, withApp } from './app.ts'
import { drive, newIdOf, unwatched } from './callers.ts'
import { quantile, round, timesOf, type Measured, type Row } from './row.ts'
import { Watch } from './watch.ts'
import { workOf, type Work } from './works.ts'

/** Moments at which processes come, in ms from the first: on average so many a second, each independent of the others. */
function* comings(perSecond: number): Generator<number, never> {
  const random = seededRandom(1)
  for (let at = 0; ;) yield (at += (-Math.log(1 - random.next()) * 1_000) / perSecond)
}

/** How long each took, from when it was to come. */
async function open(
  app: App,
  { one }: Work,
  o: { readonly perSecond: number; readonly ms: number; readonly newId: () => string },
): Promise<readonly number[]> {
  const tookMs: number[] = []
  const under: Promise<void>[] = []
  const moments = comings(o.perSecond)
  const from = performance.now()
  const come = async (at: number): Promise<void> => {
    await one(app, o.newId())
    tookMs.push(performance.now() - from - at)
  }
  for (let at = moments.next().value; at < o.ms;) {
    for (; at <= performance.now() - from && at < o.ms; at = moments.next().value) under.push(come(at))
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await Promise.all(under)
  return tookMs
}

/** Measures one row. */
export async function measure(row: Row): Promise<Measured> {
  const work = workOf(row.work)
  const watch = new Watch(row.path)
  return withApp(appOver(sqliteStore(row.path), work.machines), async (app) => {
    const { finished, ms } = await drive(app, work, unwatched(row))
    const maxPerSec = finished / (ms / 1_000)
    const perSecond = maxPerSec / 2
    const o = { perSecond, ms: row.seconds * 1_000, newId: newIdOf(row.ids) }
    watch.begin()
    const tookMs = await open(app, work, o)
    watch.end()
    const sorted = tookMs.toSorted((a, b) => a - b)
    return {
      figures: {
        maxPerSec: round(maxPerSec, 1),
        offeredPerSec: round(perSecond, 1),
        ...timesOf(tookMs),
        p999Ms: round(quantile(sorted, 0.999), 3),
        maxMs: round(sorted.at(-1) ?? 0, 3),
        ...watch.costs(tookMs.length),
        ...watch.loop(),
      },
      notes: watch.notes(),
    }
  })
}
