// The figures of a store as `app.counts()` shows them, made of its sums.
import type { Counts } from '../machine/types-app.ts'
import type { Counts as Sums } from '../store/store.ts'

type Figures = {
  [K in 'started' | 'running' | 'waiting' | 'stalled' | 'done' | 'failed' | 'cancelled' | 'removed']: number
} & { states: Record<string, number> }
type Messages = { -readonly [K in keyof Counts['messages']]: number }

const blank = (): Figures => ({
  started: 0,
  running: 0,
  waiting: 0,
  stalled: 0,
  done: 0,
  failed: 0,
  cancelled: 0,
  removed: 0,
  states: {},
})
const noMessages = (): Messages => ({
  accepted: 0,
  applied: 0,
  ignored: 0,
  refused: 0,
  unclaimed: 0,
  waiting: 0,
  pending: 0,
  dead: 0,
  discarded: 0,
})

/** Splits a sum's name: its family, its figure or state, its machine (which may hold colons itself). */
function parts(name: string): readonly [string, string, string] {
  const family = name.slice(0, name.indexOf(':'))
  const rest = name.slice(family.length + 1)
  const machine = rest.indexOf(':')
  return machine < 0 ? [family, rest, ''] : [family, rest.slice(0, machine), rest.slice(machine + 1)]
}

/** Figures by machine, and of the messages. `machines` names those that are shown even where nothing has happened. */
export function figures(sums: Sums, machines: Iterable<string>): Counts {
  const instances = new Map<string, Figures>()
  for (const machine of machines) instances.set(machine, blank())
  const messages = noMessages()
  for (const [name, value] of Object.entries(sums)) {
    const [family, figure, machine] = parts(name)
    if (family === 'm') {
      messages[figure as keyof Messages] = value
      continue
    }
    if (family !== 'i' && family !== 's') continue
    let of = instances.get(machine)
    if (of === undefined) instances.set(machine, (of = blank()))
    if (family === 'i') of[figure as Exclude<keyof Figures, 'states'>] = value
    else if (value !== 0) of.states[figure] = value
  }
  return { instances: Object.fromEntries(instances), messages }
}
