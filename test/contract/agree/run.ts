// One sequence, on stores of its own, compared after each command and whole at the end.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { HandClock } from '../../support/hand-clock.ts'
import { compareAll } from './dump.ts'
import { Place } from './place.ts'
import { command, movable, RawRun, type Command } from './raw.ts'
import { deed, setting, WorkedRun, type Deed, type Setting } from './worked.ts'

/** In memory where there is such a place: syncing is most of the time here. */
const FOLDER = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
const COMMANDS = 40

async function inFolder(work: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(FOLDER, 'pawl-agree-'))
  try {
    await work(join(folder, 'a.db'))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Commands at the port. Rejects with what differs. */
export const runRaw = (commands: readonly Command[], idsInMemory: number): Promise<void> =>
  inFolder(async (path) => {
    const clock = movable()
    const place = new Place({ path, clock, idsInMemory })
    const run = new RawRun(place, clock)
    try {
      await run.begin()
      for (const one of commands) await run.run(one)
      await compareAll(run.pair)
      place.check()
    } finally {
      await run.end().catch(() => {})
    }
  })

/** The life of an engine. Rejects with what differs. */
export const runWorked = (deeds: readonly Deed[], o: Setting): Promise<void> =>
  inFolder(async (path) => {
    const clock = new HandClock()
    // A wall clock has whole ms; this one runs by timers with parts of them.
    const whole = { ...movable(), now: () => Math.floor(clock.now()), monotonic: () => Math.floor(clock.monotonic()) }
    const place = new Place({ path, clock: whole, idsInMemory: 3 })
    const run = new WorkedRun(place, clock, o)
    try {
      await run.begin()
      for (const one of deeds) await run.run(one)
      await compareAll(run.pair)
      place.check()
    } finally {
      await run.end('crash').catch(() => {})
    }
  })

/** Any commands at the port. */
export const rawProperty = () =>
  fc.asyncProperty(
    fc.array(command, { minLength: 1, maxLength: COMMANDS, size: 'max' }),
    fc.constantFrom(1, 2, 5),
    runRaw,
  )

/** Any life of an engine. */
export const workedProperty = () =>
  fc.asyncProperty(fc.array(deed, { minLength: 1, maxLength: COMMANDS, size: 'max' }), setting, runWorked)
