import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FAULTS, type FaultName } from './faults.ts'

// A slice of each kind; `npm run crash -- --faults all` tries all of it. What this machine has no tool for is skipped, and says so.
const KINDS: readonly (readonly [name: string, kind: FaultName])[] = [
  ['F02 F27 F28 killed at the n-th write or sync, a failing disk, a full one: all comes to its end', 'calls'],
  ['F03 F06 stopped for longer than attempts, waits and the lease: all comes to its end', 'pauses'],
  ['F60 F61 F62 the clock jumps a year ahead and back: no timer is early, and nothing is lost', 'clocks'],
  ['F27 a disk is full: health says so, reads go on, and work goes on by itself once there is room', 'disks'],
  ['F30 power is lost at some moment, the log torn or cut: what is left is the beginning of what was', 'power'],
]

for (const [name, kind] of KINDS) {
  test(name, { timeout: 300_000 }, async ({ skip }) => {
    const folder = mkdtempSync(join(tmpdir(), `pawl-${kind}-`))
    const seed = Math.floor(Math.random() * 1e9)
    const told: string[] = []
    const log = (line: string): void => void told.push(line)
    const outcomes = await FAULTS[kind].run({ folder, seed, every: 1, thorough: false, log })
    for (const { skipped } of outcomes) if (skipped !== undefined) skip(skipped)
    expect(
      outcomes.flatMap(({ faults }) => faults),
      `seed ${seed}; the files are in ${folder}\n${told.join('\n')}`,
    ).toEqual([])
    // Each must have been what it says: a fault that never came proves nothing.
    for (const { kind: what, injections, survived } of outcomes) {
      expect(injections, what).toBeGreaterThan(0)
      expect(survived, what).toBe(injections)
    }
    rmSync(folder, { recursive: true })
  })
}
