// After a start or a take-over: live instances with an open call are found in the background, newest first, while new work is
// served. Where an attempt may have been running a recovery is committed before the call is started again.
import type { Clock } from '../base/clock.ts'
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
  readonly clock: Clock
  readonly stopped: () => boolean
  readonly onError: (text: string, error: unknown) => void
}

const PAGE = 200

/** Goes through the open calls of partitions that have just come to this worker. Ends early when the session changes. */
export async function recover(ports: RecoveryPorts, partitions: readonly number[]): Promise<void> {
  const mine = ports.session()
  let before: number | null = null
  for (let failures = 0; ports.session() === mine && !ports.stopped();) {
    try {
      before = await recoverPage(ports, partitions, before)
      if (before === null) return
      failures = 0
      await ports.room()
    } catch (error) {
      failures += 1
      ports.onError('open calls could not be read; it is tried again', error)
      await new Promise<void>((resolve) => void ports.clock.after(Math.min(5_000, 100 * failures), resolve))
    }
  }
}

/** Posts one page. Answers below which `k` the next one begins; null: that was the last. */
async function recoverPage(
  ports: RecoveryPorts,
  partitions: readonly number[],
  before: number | null,
): Promise<number | null> {
  const { store, post } = ports
  const page = await store.openCalls(partitions, before, PAGE)
  for (const { loaded, target } of await store.load(page.map((row) => row.target))) {
    if (loaded === null) continue
    const lost = lostCalls(ports, Object.entries(loaded.instance.calls ?? {}))
    for (const input of lost) post(target, input)
    if (lost.length === 0) post(target, undefined)
  }
  return page.length < PAGE ? null : (page.at(-1)?.k ?? null)
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
