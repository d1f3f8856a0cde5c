// Makes `node_modules` match `package-lock.json` before a script runs, so that a fresh clone needs no other command than
// `npm test` or `npm start`. Plain JavaScript without dependencies: it runs under the machine's own Node (20 or newer), before
// the Node that the repository pins is there. It is a `pre…` script on purpose: npm starts a new shell for the script itself,
// and that one finds the pinned `node` first on its PATH.
import { spawnSync } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, utimesSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const lockFile = join(root, 'package-lock.json')
// npm writes this file last, so its time says when an installation was finished; one that was cut off leaves none.
const marker = join(root, 'node_modules', '.package-lock.json')

const isFresh = () => existsSync(marker) && statSync(marker).mtimeMs >= statSync(lockFile).mtimeMs
if (isFresh()) process.exit(0)

// Outside node_modules, which `npm ci` deletes.
const guard = join(root, '.pawl-setup')

const isAlive = (pid) => {
  try {
    process.kill(pid, 0)
    return true
  } catch (e) {
    return e.code === 'EPERM'
  }
}

/** True when this process holds the guard; a guard whose owner has died is taken over. */
const take = () => {
  try {
    const file = openSync(guard, 'wx')
    writeSync(file, String(process.pid))
    closeSync(file)
    return true
  } catch (e) {
    if (e.code !== 'EEXIST') throw e
  }
  try {
    const owner = Number(readFileSync(guard, 'utf8'))
    // An empty file is an owner that has not written its number yet; after ten seconds it never will.
    const isLost = owner > 0 ? !isAlive(owner) : performance.timeOrigin - statSync(guard).mtimeMs > 10_000
    if (isLost) rmSync(guard, { force: true })
  } catch (e) {
    if (e.code !== 'ENOENT') throw e
  }
  return false
}

const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
// Of two that take over a dead owner's guard at once, the second may remove what the first has just put there: whose number
// still stands in it after a while is the owner.
const holds = () => {
  if (!take()) return false
  sleep(100)
  return existsSync(guard) && readFileSync(guard, 'utf8') === String(process.pid)
}
while (!holds()) {
  sleep(200)
  if (isFresh()) process.exit(0)
}

let status = 1
try {
  if (isFresh()) {
    status = 0
  } else {
    console.log('setup: installing what package-lock.json names (npm ci)')
    const started = performance.now()
    const npm = spawnSync('npm', ['ci', '--no-fund', '--no-audit', '--loglevel=error'], {
      cwd: root,
      stdio: ['ignore', 'inherit', 'inherit'],
      shell: process.platform === 'win32',
    })
    status = npm.status ?? 1
    if (status === 0) {
      // A checkout may date the lock file later than npm's marker, and would make every run install again.
      const now = new Date()
      utimesSync(marker, now, now)
      console.log(`setup: done in ${((performance.now() - started) / 1000).toFixed(1)} s`)
    } else {
      console.error(
        'setup: npm ci failed; its message is above. It needs the npm registry once; run it again when that is reachable.',
      )
    }
  }
} finally {
  rmSync(guard, { force: true })
}
process.exit(status)
