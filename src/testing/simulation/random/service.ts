// A random service as a run needs it.
import { seededRandom } from '../../../base/random.ts'
import type { SeededRandom } from '../../../base/random.ts'
import { definitionOf } from '../../../machine/definition.ts'
import type { AnyMachine } from '../../../machine/types-machine.ts'
import type { Build } from '../builds.ts'
import type { SimulatedService } from '../service.ts'
import type { Deed } from '../world.ts'
import { buildActivity, buildMachine, buildMessage } from './build.ts'
import type { Parts } from './build.ts'
import { buildSaga } from './build-saga.ts'
import { drawService } from './draw-service.ts'
import { answerTo } from './meaning.ts'
import { mendRandomly } from './mend.ts'
import { planRandomly } from './plan.ts'
import { RandomJudge } from './judge.ts'
import type { ActivitySketch, ServiceSketch } from './sketch.ts'

/** The service of a number: the same one for the same number, and made once. */
export function randomService(number: number): SimulatedService {
  let found = made.get(number)
  if (found === undefined) {
    if (made.size >= MADE_MAX) made.clear()
    made.set(number, (found = makeService(seededRandom(number))))
  }
  return found
}
const made = new Map<number, SimulatedService>()
const MADE_MAX = 500

/** The service that is drawn from this stream. */
export function makeService(random: SeededRandom): SimulatedService {
  const { sketch, uses } = drawService(random, 'r.')
  const { builds, parts } = build(sketch)
  return {
    builds,
    activities: [...parts.activities.values()],
    deeds: sketch.activities.map(deedOf),
    plan: (stream, size) => planRandomly(stream, size, sketch, parts.messages),
    mend: (stream, row, times) => mendRandomly(stream, row, times, sketch),
    judge: (violations) => new RandomJudge(sketch, violations),
    fix: (type, data) =>
      parts.messages.has(type) ? { to: 'nobody', v: 1, ...(data as Record<string, unknown>) } : undefined,
    uses: Object.fromEntries(Array.from(uses, ([part, count]) => [`api ${part}`, count])),
  }
}

/** The definitions of a sketch, in both builds. */
export function build(sketch: ServiceSketch): {
  readonly builds: Readonly<Record<Build, readonly AnyMachine[]>>
  readonly parts: Parts
} {
  const { messages, activities, machines, next, sagas, roots } = sketch
  const made = new Map<string, AnyMachine>()
  const parts: Parts = {
    messages: new Map(messages.map((one) => [one.type, buildMessage(one)])),
    activities: new Map(activities.map((one) => [one.name, buildActivity(one)])),
    machines: made,
  }
  const fans = new Map(
    messages.flatMap(({ type, fans: fan }) => (fan ? [[type, Object.values(roots).flat()] as const] : [])),
  )
  for (const one of machines) made.set(one.name, buildMachine(one, parts, fans))
  const old = [...made.values(), ...sagas.map((one) => buildSaga(one, parts))]
  if (next === undefined) return { builds: { old, new: old }, parts }
  const before = made.get(next.name)!
  const { states } = machines.find(({ name }) => name === next.name)!
  const after = buildMachine(next, parts, fans, { machine: before, states })
  return { builds: { old, new: old.map((one) => (one === before ? after : one)) }, parts }
}

function deedOf({ name, failures, undoes, heartbeatMs }: ActivitySketch): Deed {
  return {
    activity: name,
    answer: ({ v }) => ({ v: answerTo(Number(v ?? 0)) }),
    failures: failures.map((code) => ({ code, chance: 0.12 })),
    ...(undoes !== undefined && { undoes: ({ key }: Readonly<Record<string, unknown>>) => String(key) }),
    ...(heartbeatMs !== undefined && { beatsMs: heartbeatMs / 2 }),
  }
}

/** Whether a machine of the service takes a type. */
export const takes = (machine: AnyMachine, type: string): boolean => definitionOf(machine).receives.has(type)
