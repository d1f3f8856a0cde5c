// Both laws recounted from the tables, to be held against what `app.counts()` shows.
import { engineOf } from '../engine/app.ts'
import type { App } from '../machine/types-app.ts'
import type { Recount } from '../store/store.ts'

/** Counts every row of the app's store: slow on a large one. The app must be started. */
export async function recountOf(app: App): Promise<Recount> {
  const engine = engineOf(app)
  engine.check()
  return engine.store.recount()
}
