// What the examples' `main.ts` have in common: an app on a SQLite file in a temporary folder, which tells what happens as it happens.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pawl, type App, type Lifecycle, type Service } from 'pawl'

const line = (e: Lifecycle): string | undefined => {
  if (e.kind === 'transition') {
    if (e.outcome !== 'applied') return `${e.machine} ${e.id}: ${e.cause.name} is ${e.outcome} in ${e.to}`
    const way = e.from === e.to ? `stays ${e.to}` : e.from === null ? e.to : `${e.from} → ${e.to}`
    return `${e.machine} ${e.id}: ${way}  (${e.cause.name})`
  }
  if (e.kind === 'attempt-failed')
    return `${e.machine} ${e.id}: ${e.activity} failed, attempt ${e.attempt}: ${e.error.message}`
  if (e.kind === 'stalled') return `${e.machine} ${e.id}: stalled, ${e.error.code}: ${e.error.message}`
  return undefined
}

/** Opens an app of these services, prints every transition of it while `play` is at work, and closes it. */
export async function show(services: readonly Service[], play: (app: App) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-example-'))
  const app = pawl({ services, store: `sqlite:${join(folder, 'example.db')}` })
  app.on((e) => {
    const text = line(e)
    if (text !== undefined) console.log(`  ${text}`)
  })
  try {
    await app.start()
    await play(app)
  } finally {
    await app.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A heading between what happens. */
export const say = (text: string): void => console.log(`\n${text}`)
