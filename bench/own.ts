// node --conditions=pawl-source bench/own.ts: what a checkout costs beside its store, on one core. The store takes every commit and
// keeps nothing, so what is left is the engine, the core, the schemas and the callers.
//
// CPU time of this process, collection of garbage included, the least of many rounds: what else runs makes rounds longer, never shorter.
import { randomUUID } from 'node:crypto'
import { memoryStore } from '../src/store/memory/store.ts'
import type { Store } from '../src/store/store.ts'
import { appOver, outside } from './app.ts'
import { checkout, checkoutData } from './works.ts'

const IN_FLIGHT = 1_000
const EACH = 5
const ROUNDS = Number(process.argv[2] ?? 15)

/** A store that answers at once, and forgets. What the engine has in memory it never reads. */
function forgetful(store: Store): Store {
  const applied = Promise.resolve({ kind: 'applied', inbox: [] } as const)
  return new Proxy(store, {
    get(_, name) {
      if (name === 'commit') return () => applied
      // As an embedded store: nobody else can own what is asked for.
      if (name === 'features') return { ...store.features, sessions: false }
      const value: unknown = Reflect.get(store, name)
      return typeof value === 'function' ? (value.bind(store) as unknown) : value
    },
  })
}

const app = appOver(forgetful(memoryStore(outside)), [checkout])
await app.start()

async function caller(): Promise<void> {
  for (let n = 0; n < EACH; n++) {
    const id = randomUUID()
    await (await app.run(checkout, { id, data: checkoutData(id) })).result()
  }
}

let least = Infinity
for (let round = 0; round < ROUNDS; round++) {
  const from = process.cpuUsage()
  await Promise.all(Array.from({ length: IN_FLIGHT }, caller))
  const { user, system } = process.cpuUsage(from)
  least = Math.min(least, (user + system) / (IN_FLIGHT * EACH))
}
await app.stop()
console.log(`${least.toFixed(1)} µs of one core a checkout, its store left out`)
