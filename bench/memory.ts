// What is alive in memory, after the garbage is gone.
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const TURNS = 3

/** Collects all garbage; answers the bytes that are left, those outside V8's heap included. */
export async function aliveBytes(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  // What a turn of the loop lets go of (finalizers, settled promises) is garbage in the next.
  for (let turn = 0; turn < TURNS; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    collect()
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
