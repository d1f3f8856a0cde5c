// All that a run decides by chance, as data: so a run can be kept, repeated with some of its faults alone, and made smaller.
//
// What a plan says is done; what it leaves out (faults of single calls, courses of single attempts) is drawn as the run goes, and told
// in its report: the plan of the report has it all.
import { seededRandom } from '../../base/random.ts'
import { drawActs } from './chaos.ts'
import type { Act } from './chaos.ts'
import type { NetworkFault } from './network.ts'
import { drawLooks } from './operators.ts'
import type { Look } from './operators.ts'
import { drawSetting } from './setting.ts'
import type { Setting } from './setting.ts'
import type { SimulatedService } from './service.ts'
import { drawServices, servicesOf } from './services.ts'
import { messageType } from './wish.ts'
import type { Wish } from './wish.ts'
import type { WorkerOptions } from './worker.ts'
import type { Planned, WorkloadSize } from './workload.ts'
import type { WorldFault } from './world.ts'

/** A run. JSON. */
export interface Plan {
  /** Of ids, of how long things take, and of what is drawn as it goes. */
  readonly seed: number
  /** Names of the services that it is about. */
  readonly services: readonly string[]
  readonly setting: Setting
  readonly wishes: readonly Planned[]
  readonly acts: readonly Act[]
  readonly looks: readonly Look[]
  /** What goes wrong on the way to the store. */
  readonly faults?: readonly NetworkFault[]
  /** How attempts go that do not go well. */
  readonly courses?: readonly WorldFault[]
  /** Steps in which what moves next is drawn; in others what was ready first moves. Default: all. */
  readonly drawn?: readonly [from: number, to: number]
}

/** What is asked of a drawn plan; all but the seed is drawn from it where it is left out. */
export interface PlanOptions {
  readonly seed: number
  /** Default: drawn. `calm`: nothing goes wrong. */
  readonly chaos?: 'calm' | 'drawn'
  readonly size?: Partial<WorkloadSize>
  /** Default 2 or 3. */
  readonly workers?: number
  readonly tuning?: WorkerOptions['engine']['tuning']
  readonly leaseMs?: number
  /** Default: drawn. */
  readonly services?: readonly string[]
}

/** Draws a plan from its seed. */
export function drawPlan(o: PlanOptions): Plan {
  const root = seededRandom(o.seed)
  const [workload, settings, chaos, operators] = [root.fork(), root.fork(), root.fork(), root.fork()]
  const calm = o.chaos === 'calm'
  const { size: asked, leaseMs, workers, tuning } = o
  const setting = drawSetting(settings, { calm, size: asked, leaseMs, workers, tuning })
  const services = o.services ?? drawServices(root.fork(), setting, o.seed)
  const spanMs = 2 * setting.size.spanMs
  // Drawn in any case: a calm run asks for the same as its bad twin.
  const everyMs = chaos.chance(0.1) ? Infinity : chaos.pick([500, 1_500, 5_000])
  const looksEveryMs = operators.pick([Infinity, 400, 2_000])
  return {
    seed: o.seed,
    services,
    setting,
    wishes: servicesOf(services).flatMap((service) => planned(service, workload, setting.size)),
    acts: drawActs(chaos, {
      everyMs: calm ? Infinity : everyMs,
      spanMs,
      workers: setting.workers,
      leaseMs: setting.leaseMs,
    }),
    looks: drawLooks(operators, calm ? Infinity : looksEveryMs, spanMs),
  }
}

function planned(
  service: SimulatedService,
  workload: ReturnType<typeof seededRandom>,
  size: WorkloadSize,
): readonly Planned[] {
  return service.plan(workload, size).map((one) => ({ ...one, wish: named(one.wish) }))
}

/** A wish whose message is its type. */
const named = (wish: Wish): Wish => ('message' in wish ? { ...wish, message: messageType(wish.message) } : wish)
