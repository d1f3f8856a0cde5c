// Names of the sums that every commit carries differences of.
//
// Two families. The figures (`i:`, `s:`, `m:`) are what `app.counts()` shows, kept by deltas. The carried sums (`c:`) stand
// for what has no row any more: retention, in the transaction that deletes, adds what it deletes; an unclaimed event never
// had a row. A recount of the tables adds the carried sums, and must then meet the figures.
import type { Instance } from './model.ts'

/** Kinds of instance figures. */
export type InstanceFigure = 'started' | 'running' | 'waiting' | 'stalled' | 'done' | 'failed' | 'cancelled' | 'removed'
/** Kinds of message figures. `accepted` is counted where a message comes in, the others where it is decided about. */
export type MessageFigure =
  'accepted' | 'applied' | 'ignored' | 'refused' | 'unclaimed' | 'waiting' | 'pending' | 'dead' | 'discarded'

// Remembered: a name is asked for several times with every transition, and a text that was just put together is slow as a key.
// They come of definitions, so there are few.
type Names = Map<string, Map<string, string>>
const instanceNames: Names = new Map()
const stateNames: Names = new Map()

function remembered(names: Names, family: 'i' | 's', what: string, machine: string): string {
  let ofMachine = names.get(machine)
  if (ofMachine === undefined) names.set(machine, (ofMachine = new Map()))
  let name = ofMachine.get(what)
  if (name === undefined) ofMachine.set(what, (name = `${family}:${what}:${machine}`))
  return name
}

/** How many instances of a machine are in that condition; `started` and `removed` only grow. */
export const instanceCount = (machine: string, figure: InstanceFigure): string =>
  remembered(instanceNames, 'i', figure, machine)
/** How many living instances of a machine are in that state. */
export const stateCount = (machine: string, state: string): string => remembered(stateNames, 's', state, machine)
/** How many messages of the whole store were, or are, that. */
export const messageCount = (figure: MessageFigure): string => `m:${figure}`
/** Decided messages whose rows are gone, or never were. */
export const carriedMessages = (figure: 'applied' | 'ignored' | 'refused' | 'unclaimed' | 'discarded'): string =>
  `c:${figure}`
/** Removed instances of a machine. */
export const carriedRemoved = (machine: string): string => `c:removed:${machine}`

/** The figure that counts an instance now: ended and stalled as stored; living ones by whether a call is open. */
export function conditionOf(
  instance: Pick<Instance, 'status' | 'calls'>,
): Exclude<InstanceFigure, 'started' | 'removed'> {
  if (instance.status !== 'live') return instance.status
  if (instance.calls === null) return 'waiting'
  for (const name in instance.calls) if (instance.calls[name]!.settled === undefined) return 'running'
  return 'waiting'
}

/** Differences of counts, gathered while a change is built. */
export class Tally {
  readonly sums: Record<string, number> = Object.create(null) as Record<string, number>

  /** Adds `by` (default 1) to a sum. */
  add(name: string, by = 1): void {
    this.sums[name] = (this.sums[name] ?? 0) + by
  }
}
