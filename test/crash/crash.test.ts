import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { runCrashes } from './driver.ts'

const KILLS = 25

test(`F01 after ${KILLS} kills with SIGKILL every order has come to its end, and everybody's books agree`, async () => {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-crash-'))
  // A new seed each time; `npm run crash -- --seed n` repeats what it chose (not what the machine made of it).
  const seed = Math.floor(Math.random() * 1e9)
  const result = await runCrashes({ folder, kills: KILLS, ordersPerLife: 20, fail: 0.05, seed })
  console.log(`seed ${seed}`, JSON.stringify({ ...result, faults: result.faults.length }))
  expect(result.faults, `seed ${seed}; the files are in ${folder}`).toEqual([])
  // The run must have been what it says: kills while work was done, and orders of every end.
  expect(result.kills).toBe(KILLS)
  expect(result.placed).toBeGreaterThanOrEqual(KILLS * 20)
  expect(result.ended['done']).toBeGreaterThan(result.placed / 4)
  expect(result.ended['failed']).toBeGreaterThan(0)
  expect(result.ended['cancelled']).toBeGreaterThan(0)
  expect(result.killsAt['boot'] ?? 0).toBeLessThan(KILLS / 3)
  rmSync(folder, { recursive: true })
}, 300_000)
