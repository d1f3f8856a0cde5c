// A disk that is really full: a small one in memory, which grows when the worker has said that it is full.
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync } from 'node:fs'
import { join } from 'node:path'
import { isRoot, Tally, type FaultOptions, type Outcome } from './outcome.ts'
import { errands, Site } from './site.ts'

const ERRANDS = 150
const LARGE = '256m'
/** A disk for so many errands; the last one has no room for the tables. */
const SIZES = ['1500k', '1m', '700k', '100k', '40k'] as const

/** A disk of that size, while `work` goes on. False: there can be none here. */
async function withDisk(
  folder: string,
  size: string,
  work: (disk: string, enlarge: () => void) => Promise<void>,
): Promise<boolean> {
  const disk = join(folder, 'disk')
  mkdirSync(disk)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk], { stdio: 'ignore' }).status !== 0)
    return false
  try {
    await work(disk, () => {
      if (spawnSync('mount', ['-o', `remount,size=${LARGE}`, disk], { stdio: 'ignore' }).status !== 0)
        throw new Error(`the disk ${disk} cannot be enlarged`)
    })
  } finally {
    spawnSync('umount', [disk], { stdio: 'ignore' })
  }
  return true
}

/** It is full, is read from, grows, and goes on by itself: no restart. */
async function goesOn(site: Site, enlarge: () => void): Promise<string> {
  const life = await site.start()
  const read = life.hears('read')
  const right = life.hears('store ok')
  if ((await life.hears('store full')) === undefined) {
    const refused = life.told.some((line) => line.startsWith('refused STORE_FULL'))
    if (!refused) site.faults.push(`the disk was full, and nobody said so: ${life.told.slice(-3).join(' | ')}`)
    enlarge()
    return 'refused'
  }
  if ((await read) === undefined) site.faults.push('nothing could be read while the disk was full')
  enlarge()
  if ((await right) === undefined) site.faults.push('health stayed red after the disk had grown')
  const how = await life.ended
  if (how !== 'finished') site.faults.push(`the disk grew, and it ${how}`)
  return 'went on by itself'
}

/** It is killed while full, starts on the full disk, and either says that it is full or waits for room. */
async function startsFull(site: Site, enlarge: () => void): Promise<string> {
  const first = await site.start()
  await first.hears('store full')
  first.child.kill('SIGKILL')
  await first.ended
  const second = await site.start()
  const full = await second.hears('store full')
  enlarge()
  const how = await second.ended
  const refused = second.told.some((line) => line.startsWith('refused STORE_FULL'))
  if (full === undefined && !refused)
    site.faults.push(`started on a full disk it ${how}: ${second.told.slice(-3).join(' | ')}`)
  if (full !== undefined && how !== 'finished') site.faults.push(`the disk grew, and it ${how}`)
  return full === undefined ? 'refused to start' : 'started full'
}

/** Fills disks. */
export async function fullDisks({ folder, thorough, log }: FaultOptions): Promise<Outcome[]> {
  const tally = new Tally('the disk is full', 'F27', log)
  if (!isRoot()) return [tally.outcome('a disk can be mounted by root alone')]
  const runs = (thorough ? SIZES : SIZES.slice(1, 2)).flatMap((size) =>
    (thorough ? [goesOn, startsFull] : [goesOn]).map((run) => ({ size, run })),
  )
  for (const { size, run } of runs) {
    const at = mkdtempSync(join(folder, 'full-'))
    const possible = await withDisk(at, size, async (disk, enlarge) => {
      const site = new Site({ folder: at, db: join(disk, 'errands.db'), ids: errands(ERRANDS) })
      const became = await run(site, enlarge)
      await site.settle()
      await site.close()
      tally.count(became)
      tally.add(`${size}, ${became}`, site.faults)
    })
    if (!possible) return [tally.outcome('a disk in memory cannot be mounted here')]
  }
  return [tally.outcome()]
}
