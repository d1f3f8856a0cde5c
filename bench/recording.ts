// The engine's own changes, kept while it works and written again without it: what the raw store takes for the same rows in the same
// batches.
import { NO_CHANGE, type Change, type Store } from '../src/store/store.ts'

/** A commit that was applied, with the places that it gave to rows of the inbox. */
interface Recorded {
  readonly change: Change
  readonly inbox: readonly number[]
}

/** What a store was told. */
export class Recording {
  readonly commits: Recorded[] = []

  /** The store, with an ear at `commit`. */
  of(store: Store): Store {
    const commit: Store['commit'] = async (session, n, change) => {
      const result = await store.commit(session, n, change)
      if (result.kind === 'applied') this.commits.push({ change, inbox: result.inbox })
      return result
    }
    return new Proxy(store, {
      get(_, name) {
        if (name === 'commit') return commit
        const value: unknown = Reflect.get(store, name)
        return typeof value === 'function' ? (value.bind(store) as unknown) : value
      },
    })
  }

  /** Writes it again; answers how many ms the commits took, and nothing else. */
  async replay(store: Store): Promise<number> {
    const { session } = await store.openSession({ build: 'raw', leaseMs: 600_000 })
    await store.acquire(session, Infinity)
    const places = new Map<number, number>()
    let spentMs = 0
    for (const [index, { change, inbox }] of this.commits.entries()) {
      const read = change.read.map((n) => places.get(n) ?? n)
      const from = performance.now()
      const result = await store.commit(session, index + 1, { ...change, read })
      spentMs += performance.now() - from
      if (result.kind !== 'applied')
        throw new Error(`the raw store answered ${result.kind}`, {
          cause: 'error' in result ? result.error : undefined,
        })
      for (const [i, n] of inbox.entries()) places.set(n, result.inbox[i] ?? n)
    }
    return spentMs
  }
}

/** Far above what a bench gives out. */
const FAR = 1_000_000_000

/**
 * Makes an empty store give numbers that no other store of the bench has: what is recorded on it can then be written to a store that is
 * not empty. The store must be open.
 */
export async function farAway(store: Store, partitions: number): Promise<void> {
  await store.allot('k', FAR)
  await store.allot('waiting', FAR)
  const { session } = await store.openSession({ build: 'raw', leaseMs: 600_000 })
  await store.acquire(session, Infinity)
  const heads = Array.from({ length: partitions }, (_, partition) => ({ partition, head: FAR, stamp: 0 }))
  await store.commit(session, 1, { ...NO_CHANGE, heads })
  await store.closeSession(session)
}
