// Open calls as they are stored: short, since they are written with every transition and are half of a row.
//
// A list of [name, call]; of a call what is not 0, false or absent; its time of opening only where it is not the entry's; its key
// without the incarnation that it begins with.
import { freezeJson } from '../../base/json.ts'
import type { CallRecord, Instance } from '../../core/model.ts'
import { longId, shortId } from './short-id.ts'

interface StoredCall {
  /** activity, key, input */
  a: string
  k: string
  i: unknown
  /** attempts, unknown, openedAt, nextAt, deadlineAt, recoveries, runner, progress, settled */
  t?: number
  u?: 1
  o?: number
  n?: number
  d?: number
  r?: number
  w?: string
  p?: unknown
  s?: CallRecord['settled']
}

function shortCall(call: CallRecord, incarnation: string, enteredAt: number): StoredCall {
  const stored: StoredCall = { a: call.activity, k: shortId(call.key, incarnation), i: call.input }
  if (call.attempts !== 0) stored.t = call.attempts
  if (call.unknown) stored.u = 1
  if (call.openedAt !== enteredAt) stored.o = call.openedAt
  if (call.nextAt !== undefined) stored.n = call.nextAt
  if (call.deadlineAt !== undefined) stored.d = call.deadlineAt
  if (call.recoveries !== 0) stored.r = call.recoveries
  if (call.runner !== undefined) stored.w = call.runner
  if (call.progress !== undefined) stored.p = call.progress
  if (call.settled !== undefined) stored.s = call.settled
  return stored
}

const longCall = (stored: StoredCall, incarnation: string, enteredAt: number): CallRecord => ({
  activity: stored.a,
  key: longId(stored.k, incarnation),
  input: stored.i,
  attempts: stored.t ?? 0,
  unknown: stored.u === 1,
  openedAt: stored.o ?? enteredAt,
  ...(stored.n === undefined ? {} : { nextAt: stored.n }),
  ...(stored.d === undefined ? {} : { deadlineAt: stored.d }),
  recoveries: stored.r ?? 0,
  ...(stored.w === undefined ? {} : { runner: stored.w }),
  ...(stored.p === undefined ? {} : { progress: stored.p }),
  ...(stored.s === undefined ? {} : { settled: stored.s }),
})

/** The calls of an instance as text; null for none. */
export function callsText({ calls, incarnation, enteredAt }: Instance): string | null {
  if (calls === null) return null
  const list: (readonly [name: string, call: StoredCall])[] = []
  for (const name in calls) list.push([name, shortCall(calls[name]!, incarnation, enteredAt)])
  return JSON.stringify(list)
}

/** What `callsText` was given, deep-frozen. */
export function callsOf(text: string | null, incarnation: string, enteredAt: number): Instance['calls'] {
  if (text === null) return null
  const list = JSON.parse(text) as readonly (readonly [name: string, call: StoredCall])[]
  // fromEntries, since an assignment to a call named `__proto__` would not make a field.
  return freezeJson(
    Object.fromEntries(list.map(([name, call]) => [name, longCall(call, incarnation, enteredAt)])),
    'stored calls',
  )
}
