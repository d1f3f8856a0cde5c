// After a start or a take-over: live instances with an open call are found in the background, newest first, while new work is
// served. Where an attempt may have been running a recovery is committed before the call is started again.
import type { Clock } from '../base/clock.ts'
import type { CallRecord, ResultInput } from '../core/model.ts'
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
  const { store, post, session } = ports
  const mine = session()
  const page = await store.openCalls(partitions, before, PAGE)
  const found = await store.load(page.map((row) => row.target))
  if (session() !== mine) return null // whoever owns them now finds them
  for (const { loaded, target } of found) {
    if (loaded === null) continue
    const inputs = takenOver(ports, Object.entries(loaded.instance.calls ?? {}))
    for (const input of inputs) post(target, input)
    if (inputs.length === 0) post(target, undefined)
  }
  return page.length < PAGE ? null : (page.at(-1)?.k ?? null)
}

/**
 * What is to be committed before an open call is started here. Undefined: nothing, since this session has opened it, or since it
 * waits for its next attempt. One that was released was not running; of all others an attempt may have been running elsewhere.
 */
export function takeOverOf(
  { runner, nextAt = -Infinity }: Pick<CallRecord, 'runner' | 'nextAt'>,
  session: string,
  now: number,
): Extract<ResultInput['outcome'], { readonly kind: 'recovered' }> | undefined {
  if (runner === undefined) return { kind: 'recovered', runner: session, released: true }
  return runner === session || nextAt > now ? undefined : { kind: 'recovered', runner: session }
}

function takenOver(ports: RecoveryPorts, calls: readonly (readonly [string, CallRecord])[]): readonly ResultInput[] {
  const { session, storeNow, jitter } = ports
  const at = storeNow()
  return calls.flatMap(([call, record]) => {
    const outcome = record.settled === undefined ? takeOverOf(record, session(), at) : undefined
    if (outcome === undefined) return []
    const { key, attempts, entry } = record
    const base = { kind: 'result', id: key, at, correlation: '', stamp: 0, jitter: jitter() } as const
    return [{ ...base, call, key, ...(entry !== undefined && { entry }), attempt: attempts + 1, outcome }]
  })
}
