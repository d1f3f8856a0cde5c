// What stands on the stage of one run before it begins: the scheduler, the store with its network, the world, the checks (the ground);
// and who acts there: workers, clients, chaos, operators (the actors). Everything is made of the plan.
import { seededRandom } from '../../base/random.ts'
import type { SeededRandom } from '../../base/random.ts'
import type { MessageDefinition } from '../../machine/definition.ts'
import { definitionOf } from '../../machine/definition.ts'
import { read } from '../../store/memory/rows.ts'
import { Space } from '../../store/memory/space.ts'
import { ModelStore } from '../../store/memory/store.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { Build } from './builds.ts'
import { Chaos } from './chaos.ts'
import { Clients } from './clients.ts'
import type { WorkerDoor } from './clients.ts'
import { Coverage } from './coverage.ts'
import { Invariants } from './invariants.ts'
import { Network } from './network.ts'
import { Operators } from './operators.ts'
import type { Plan } from './plan.ts'
import { Scheduler } from './scheduler.ts'
import type { ServiceJudge, SimulatedService } from './service.ts'
import { servicesOf } from './services.ts'
import type { StoredEntry } from './stored.ts'
import { Story } from './story.ts'
import { Truth } from './truth.ts'
import type { TruthOptions } from './truth.ts'
import { Violations } from './violation.ts'
import { Witness } from './witness.ts'
import { SimulatedWorker } from './worker.ts'
import { World } from './world.ts'

/** When every run begins, ms since 1970. */
export const START_MS = Date.UTC(2026, 0, 1)

/** What a run needs that is nobody's. */
export interface Ground {
  readonly plan: Plan
  readonly scheduler: Scheduler
  readonly violations: Violations
  readonly coverage: Coverage
  readonly story: Story
  readonly space: Space
  readonly services: readonly SimulatedService[]
  readonly invariants: Invariants
  readonly judges: readonly ServiceJudge[]
  readonly network: Network
  readonly world: World
  /** Draws what actors are made of. */
  readonly random: SeededRandom
}

/** Who acts in a run. */
export interface Actors {
  readonly workers: readonly SimulatedWorker[]
  readonly clients: Clients
  readonly chaos: Chaos
  readonly operators: Operators
}

/** Lays the ground. `traceSteps`: steps that the trace keeps; `told`: whether the story is. */
export function makeGround(plan: Plan, o: { readonly traceSteps: number; readonly told: boolean }): Ground {
  // Not the streams that the plan was drawn from.
  const random = seededRandom(plan.seed + 2 ** 40)
  const { traceSteps } = o
  const drawn = plan.drawn === undefined ? {} : { drawn: plan.drawn }
  const scheduler = new Scheduler({ random: random.fork(), startMs: START_MS, traceSteps, ...drawn })
  const story = new Story(o.told, () => scheduler.sinceMs)
  const coverage = new Coverage()
  const violations = new Violations(() => scheduler.steps)
  const space = new Space({ clock: { now: () => scheduler.nowMs }, random: random.fork() })
  const services = servicesOf(plan.services)
  const graphs = services.flatMap(({ builds }) => [...builds.old, ...builds.new]).map((one) => definitionOf(one).graph)
  const invariants = new Invariants({ space, violations, graphs })
  const judges = services.flatMap(({ judge }) => judge?.(violations) ?? [])
  const whose = (session: string): string => network.sessions.get(session) ?? session
  const witness = new Witness({ space, coverage, story, whose })
  const written = (session: string, n: number, rows: ChangeRows): void => {
    witness.written(session, n, rows)
    invariants.written(session, n, rows)
    if (judges.length === 0) return
    const entries = rows.journal.map((row) => ({ k: row.k, entry: read<StoredEntry>(row) }))
    for (const judge of judges) judge.written(rows, entries)
  }
  const seed = random.int(2 ** 32)
  const seen = { space, coverage, story }
  const server = scheduler.actor('server').life
  const network: Network = new Network({ server, seed, written, only: plan.faults, ...seen })
  const world = new World({
    life: scheduler.actor('world').life,
    random: random.fork(),
    violations,
    deeds: services.flatMap(({ deeds }) => deeds),
    isDurable: (key) => invariants.isDurable(key),
    only: plan.courses,
    ...seen,
  })
  return { plan, scheduler, violations, services, invariants, judges, network, world, random, ...seen }
}

/** Puts everybody on it. `build`: what a worker that starts is built of; `onError`: told what engines log as errors. */
export function makeActors(
  ground: Ground,
  o: { readonly build: () => Build; readonly onError: (text: string) => void },
): Actors {
  const { plan, scheduler, space, network, world, services, coverage, story, invariants, violations, random } = ground
  const { setting, looks, acts } = plan
  const { leaseMs, partitions, tuning, retention, doors, rates } = setting
  const truth = new Truth({ space, invariants, violations, output: outputBy(services) })
  const engine = { leaseMs, graceMs: 2_000, partitions, tuning, retention }
  const common = { scheduler, space, network, world, truth, engine, services, coverage, story, ...o }
  const workers = Array.from({ length: setting.workers }, (_, i) => {
    const skewMs = random.int(2_000) - 1_000
    return new SimulatedWorker({ ...common, name: `w${i + 1}`, skewMs, random: random.fork() })
  })
  const worker = (wishes: SeededRandom): WorkerDoor | undefined => {
    const open = workers.flatMap(({ door }) => (door === undefined ? [] : [door]))
    return open.length === 0 ? undefined : (id, wish) => wishes.pick(open).ask(id, wish)
  }
  const life = scheduler.actor('clients').life
  const store = new ModelStore(space, { reach: network.reach('clients', life) })
  const messages = messagesOf(services)
  const seed = random.int(2 ** 31)
  const clients = new Clients({ life, seed, store, partitions, worker, doors, messages, coverage, story })
  space.make(partitions)
  const acted = { network, world, space, workers, rates, acts, coverage, story }
  const chaos = new Chaos({ life: scheduler.actor('chaos').life, ...acted })
  const asked = { space, world, clients, services, looks, coverage, random: random.fork() }
  const operators = new Operators({ life: scheduler.actor('operators').life, ...asked })
  return { workers, clients, chaos, operators }
}

/** What `result` gives for an instance of these services. */
function outputBy(services: readonly SimulatedService[]): TruthOptions['output'] {
  const definitions = new Map(
    services.flatMap(({ builds }) => builds.old.map((machine) => [definitionOf(machine).name, definitionOf(machine)])),
  )
  return (machine, id, data) => definitions.get(machine)!.output(id, data)
}

/** All messages of these services, by type. */
function messagesOf(services: readonly SimulatedService[]): ReadonlyMap<string, MessageDefinition> {
  const messages = new Map<string, MessageDefinition>()
  for (const { builds } of services)
    for (const machine of [...builds.old, ...builds.new]) {
      const { receives, emits } = definitionOf(machine)
      for (const [type, message] of [...receives, ...emits]) messages.set(type, message)
    }
  return messages
}
