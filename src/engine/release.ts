// What a committed batch lets happen: memory first, then replies, then attempts, alarms, watchers and lifecycle events.
import { hasEnded } from '../core/model.ts'
import type { Lifecycle } from '../observe/lifecycle.ts'
import type { Attempts } from './attempts.ts'
import type { Batch, Touched } from './batch.ts'
import type { Cache } from './cache.ts'
import type { Due } from './due.ts'
import type { WaitingRow } from '../store/store.ts'
import type { Watchers } from './watch.ts'

/** Whom a release tells. */
export interface ReleasePorts {
  readonly cache: Cache
  readonly attempts: Attempts
  readonly due: Due
  readonly watchers: Watchers
  readonly lifecycle: Lifecycle
  /** Rows of the inbox that are gone now. */
  readonly read: (rows: readonly number[]) => void
}

/** A timer that fired later than that is told as late. */
const LATE_MS = 1_000

/** Releases a batch whose commit was applied. `ms`: how long the commit took. */
export function release(ports: ReleasePorts, batch: Batch, ms: number): void {
  const { due, lifecycle } = ports
  ports.read(batch.open.read)
  for (const touched of batch.touched.values()) remember(ports.cache, touched)
  for (const reply of batch.after) reply()
  for (const touched of batch.touched.values()) {
    const { box, instance, definition, before } = touched
    // Of an instance that only the store knows nobody here can tell whether it is due.
    due.seen(box, instance?.dueAt)
    if (instance === null) {
      for (const waiting of touched.waiting) due.note(waiting.until)
      continue
    }
    due.note(instance.dueAt)
    if (instance.calls !== null || (before.instance !== null && before.instance.calls !== null))
      ports.attempts.sync(box, instance, definition)
    if (ports.watchers.size > 0) ports.watchers.tell(box, instance, touched.entries)
  }
  // Nor of one that cannot be read.
  for (const box of batch.corrupt.keys()) due.seen(box, undefined)
  if (lifecycle.heard) tell(lifecycle, batch, ms)
}

/** Ended instances leave memory: nothing more is expected of them. */
function remember(cache: Cache, touched: Touched): void {
  const { box, partition, instance, waiting, children } = touched
  if (instance === null ? waiting.length === 0 : hasEnded(instance.status)) {
    cache.delete(box)
    return
  }
  cache.set(box, partition, { instance, waiting: waiting.length === 0 ? nothing : rowsNow(touched), children })
}
const nothing: readonly never[] = []

/** The rows of what waits, as they are stored now. */
function rowsNow({ instance, waiting, rows }: Touched): readonly WaitingRow[] {
  const k = instance?.k ?? null
  return waiting.flatMap((one) => {
    const row = rows.get(one.n)
    if (row === undefined) return []
    return [row.waiting === one && row.k === k ? row : { ...row, k, waiting: one }]
  })
}

function tell(lifecycle: Lifecycle, batch: Batch, ms: number): void {
  const { now } = batch
  for (const touched of batch.touched.values()) {
    const { machine, id } = touched.target
    for (const { seq, from, to, cause, outcome } of touched.entries) {
      lifecycle.tell(now, {
        kind: 'transition',
        machine,
        id,
        seq,
        from,
        to,
        cause: { ...cause, at: new Date(cause.at) },
        outcome,
      })
      if (cause.kind === 'timer' && now - cause.at > LATE_MS)
        lifecycle.tell(now, { kind: 'late-timer', machine, id, seq, timer: cause.name, lateMs: now - cause.at })
    }
    const stalled = touched.instance?.stalled ?? null
    if (stalled !== null && stalled !== touched.before.instance?.stalled) {
      lifecycle.tell(now, {
        kind: 'stalled',
        machine,
        id,
        seq: touched.instance?.seq ?? 0,
        error: { code: stalled.code, message: stalled.message },
      })
    }
  }
  for (const row of batch.open.deadLetters) {
    const { id, machine, instance, at, code, message, input } = row
    const told = { type: input.kind === 'message' ? input.type : 'start', data: input.data }
    lifecycle.tell(now, {
      kind: 'dead-letter',
      letter: {
        id,
        message: told,
        machine,
        ...(instance !== '' && { instance }),
        at: new Date(at),
        error: { code, message },
      },
    })
  }
  lifecycle.tell(now, { kind: 'commit', size: batch.transitions, ms })
}
