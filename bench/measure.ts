// One row of the bench, in a process of its own, which runner.ts forks: it takes one row, and sends what was measured.
import type { Kind, Measured, Row } from './row.ts'

/** Only what measures this row is loaded: the others would be in its memory. */
const kinds: Readonly<Record<Kind, () => Promise<(row: Row) => Promise<Measured>>>> = {
  closed: async () => (await import('./closed.ts')).measure,
  'half-load': async () => (await import('./half-load.ts')).measure,
  http: async () => (await import('./http.ts')).measure,
  timers: async () => (await import('./timers.ts')).measure,
  children: async () => (await import('./children.ts')).measure,
  deferred: async () => (await import('./deferred.ts')).measure,
  leave: async () => (await import('./startup.ts')).leave,
  startup: async () => (await import('./startup.ts')).measure,
  profile: async () => (await import('./profile.ts')).measure,
  core: async () => (await import('./core.ts')).measure,
}

async function answer(row: Row): Promise<void> {
  const measure = await kinds[row.kind]()
  const measured = await measure(row)
  process.send?.(measured, () => {
    // Whoever leaves work under way is killed by its parent, in the middle of it.
    if (row.kind !== 'leave') process.disconnect()
  })
}

process.once('message', (row: Row) => {
  answer(row).catch((error: unknown) => {
    console.error(error)
    process.exit(1)
  })
})
