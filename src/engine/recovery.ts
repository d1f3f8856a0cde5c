// After a start or a take-over: live instances with an open call are found in the background, newest first, while new work is
// served. Where an attempt may have been running a recovery is committed before the call is started again.
import type { ResultInput } from '../core/model.ts'
import type { Store, Target } from '../store/store.ts'

/** What recovery needs. */
export interface RecoveryPorts {
  readonly store: Store
  readonly session: () => string
  readonly storeNow: () => number
  readonly jitter: () => number
  /** Posts a result, or (undefined) a wake-up that only brings the instance into memory. */
  readonly post: (target: Target, input: ResultInput | undefined) => void
  /** Resolves when there is room for more work. */
  readonly room: () => Promise<void>
}

const PAGE = 200

/** Goes through the open calls of partitions that have just come to this worker. Ends early when the session changes. */
export async function recover(ports: RecoveryPorts, partitions: readonly number[]): Promise<void> {
  const { store, session, room } = ports
  const mine = session()
  for (let before: number | null = null; session() === mine;) {
    const page: readonly { readonly k: number; readonly target: Target }[] = await store.openCalls(
      partitions,
      before,
      PAGE,
    )
    for (const { loaded, target } of await store.load(page.map((row) => row.target))) {
      if (loaded === null) continue
      const lost = lostCalls(ports, Object.entries(loaded.instance.calls ?? {}))
      for (const input of lost) ports.post(target, input)
      if (lost.length === 0) ports.post(target, undefined)
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return
    before = last.k
    await room()
  }
}

type Calls = readonly (readonly [
  string,
  {
    readonly key: string
    readonly runner?: string
    readonly nextAt?: number
    readonly attempts: number
    readonly settled?: unknown
  },
])[]

/** Open calls of which an attempt may have been running elsewhere. One that waited for its next attempt, or was released, was not. */
function lostCalls(ports: RecoveryPorts, calls: Calls): readonly ResultInput[] {
  const { session, storeNow, jitter } = ports
  const now = storeNow()
  return calls.flatMap(([call, { key, runner, nextAt, attempts, settled }]) => {
    if (settled !== undefined || runner === undefined || runner === session() || (nextAt !== undefined && nextAt > now))
      return []
    return [
      {
        kind: 'result',
        id: key,
        at: now,
        correlation: '',
        stamp: 0,
        call,
        key,
        attempt: attempts + 1,
        outcome: { kind: 'recovered', runner: session() },
        jitter: jitter(),
      },
    ]
  })
}
