// What is asked of a random service in one run, and when.
import type { SeededRandom } from '../../../base/random.ts'
import type { Wish } from '../wish.ts'
import type { Planned, WorkloadSize } from '../workload.ts'
import { typesOf } from './build.ts'
import type { RandomData, RandomPayload, ServiceSketch } from './sketch.ts'

/** Why somebody cancels. */
export const CANCEL_WHY = 'changed my mind'
type At = (atMs: number, wish: Wish) => void
interface Instance {
  readonly machine: string
  readonly id: string
  readonly takes: readonly string[]
  readonly beginsBy: string | undefined
  readonly isSaga: boolean
}

/** The instances of the first generation. */
function instancesOf({ machines, sagas, roots }: ServiceSketch): readonly Instance[] {
  const all: Instance[] = []
  const add = (machine: string, more: Omit<Instance, 'machine' | 'id'>): void => {
    for (const id of roots[machine] ?? []) all.push({ machine, id, ...more })
  }
  for (const one of machines)
    add(one.name, {
      takes: [...typesOf(one).receives].filter((type) => !one.start.includes(type)),
      beginsBy: one.start[0],
      isSaga: false,
    })
  for (const one of sagas) {
    const waits = one.parts.flatMap((part) => (part.is === 'wait' ? [part.type] : []))
    add(one.name, {
      takes: [...waits, ...(one.cancel === undefined ? [] : [one.cancel])],
      beginsBy: one.start,
      isSaga: true,
    })
  }
  return all
}

/** Plans a run. */
export function planRandomly(
  random: SeededRandom,
  { spanMs }: WorkloadSize,
  sketch: ServiceSketch,
  messages: ReadonlyMap<string, unknown>,
): readonly Planned[] {
  const plan: Planned[] = []
  let count = 0
  const at: At = (atMs, wish) => {
    const id = `x${++count}`
    plan.push({ atMs, id, wish })
    // The sender is not sure, and sends it again.
    if (random.chance(0.2)) plan.push({ atMs: atMs + random.int(random.pick([5, 3_000])), id, wish })
  }
  const kinds = new Map(sketch.messages.map(({ type, kind }) => [type, kind]))
  for (const instance of instancesOf(sketch)) {
    const beginMs = random.int(spanMs / 3)
    const target = { machine: instance.machine, id: instance.id }
    begin(random, instance, beginMs, at, messages)
    for (let left = random.int(6); left > 0 && instance.takes.length > 0; left--) {
      const type = random.pick(instance.takes)
      const data = payload(random, instance.id)
      const message = messages.get(type)
      const soonMs = beginMs + random.int(spanMs / 2)
      if (kinds.get(type) === 'event')
        at(soonMs, { do: 'event', message, data, ...(random.chance(0.15) && { together: true }) })
      else at(soonMs, { do: 'command', target, message, data, ...(random.chance(0.1) && { ifSeq: 1 + random.int(6) }) })
    }
    if (random.chance(0.25)) at(beginMs + random.int(spanMs / 2), { do: 'cancel', target })
    if (random.chance(0.3)) at(beginMs + random.int(spanMs / 2), { do: 'await', target })
    if (random.chance(0.2)) at(spanMs + random.int(spanMs / 2), { do: 'remove', target })
    move(random, sketch, instance, beginMs, at)
  }
  return plan
}

/** Now and then one field is missing. */
const payload = (random: SeededRandom, to: string): Partial<RandomPayload> =>
  random.chance(0.05) ? { to } : { to, v: random.int(50) }

function begin(
  random: SeededRandom,
  { machine, id, beginsBy, isSaga }: Instance,
  atMs: number,
  at: At,
  messages: ReadonlyMap<string, unknown>,
): void {
  const v = random.int(50)
  if (beginsBy !== undefined && random.chance(0.7)) {
    at(atMs, { do: 'event', message: messages.get(beginsBy), data: { to: id, v } })
    return
  }
  const data: RandomData = { hops: 0, sum: v, kids: 1 + random.int(2), fair: `f${v % 2}` }
  at(atMs, { do: 'start', target: { machine, id }, data: isSaga ? { to: id, v } : data })
}

/** An operator who knows better moves what is alive. */
function move(
  random: SeededRandom,
  { machines }: ServiceSketch,
  { machine, id }: Instance,
  beginMs: number,
  at: At,
): void {
  const states = machines.find(({ name }) => name === machine)?.states
  if (states === undefined || !random.chance(0.2)) return
  const { name: to } = random.pick(states)
  const data = random.chance(0.5) ? { data: { sum: random.int(50) } } : {}
  at(beginMs + random.int(8_000), {
    do: 'operate',
    target: { machine, id },
    action: { do: 'move', to, payload: { to: id, v: 3 }, ...data },
  })
}
