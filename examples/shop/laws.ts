// The two conservation laws, as sums that anybody can add up: nothing comes from nowhere, and nothing is lost.
import type { Counts } from 'pawl'

/** One side of an equation, and the parts of the other. */
export interface Law {
  readonly name: 'instances' | 'messages'
  readonly whole: number
  readonly parts: readonly (readonly [name: string, n: number])[]
  readonly balances: boolean
}

const law = (name: Law['name'], whole: number, parts: Law['parts']): Law => ({
  name,
  whole,
  parts,
  balances: parts.reduce((sum, [, n]) => sum + n, 0) === whole,
})

/** What instances may be. */
const CONDITIONS = ['running', 'waiting', 'stalled', 'done', 'failed', 'cancelled', 'removed'] as const
/** What messages may have become. */
const FATES = ['applied', 'ignored', 'refused', 'unclaimed', 'waiting', 'pending', 'dead', 'discarded'] as const

/** started = running + waiting + …, over all machines; and for each of them, or the sums could hide one another's faults. */
export function instancesLaw({ instances }: Pick<Counts, 'instances'>): Law {
  const machines = Object.values(instances)
  const total = (name: (typeof CONDITIONS)[number] | 'started') =>
    machines.reduce((sum, machine) => sum + machine[name], 0)
  const whole = law(
    'instances',
    total('started'),
    CONDITIONS.map((name) => [name, total(name)] as const),
  )
  const each = machines.every((machine) => machine.started === CONDITIONS.reduce((sum, name) => sum + machine[name], 0))
  return { ...whole, balances: whole.balances && each }
}

/** accepted = applied + ignored + …, one for each event or command at each of its targets. */
export const messagesLaw = ({ messages }: Pick<Counts, 'messages'>): Law =>
  law(
    'messages',
    messages.accepted,
    FATES.map((name) => [name, messages[name]] as const),
  )

/** `1,204 = 34 running + 1,170 done`; parts that are zero are left out. */
export function lawText({ whole, parts }: Law): string {
  const shown = parts.filter(([, n]) => n !== 0).map(([name, n]) => `${n.toLocaleString('en')} ${name}`)
  return `${whole.toLocaleString('en')} = ${shown.length === 0 ? '0' : shown.join(' + ')}`
}
