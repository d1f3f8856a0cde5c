// What a run is like: how large, how fast, how bad. Drawn from the seed, each thing for itself (a swarm): some runs have no faults of a
// kind and many of another, which finds what a mean run never would.
import type { SeededRandom } from '../../base/random.ts'
import type { ChaosRates } from './chaos.ts'
import type { WorkerOptions } from './worker.ts'
import type { WorkloadSize } from './workload.ts'

/** A run but its details. JSON. */
export interface Setting {
  readonly size: WorkloadSize
  readonly leaseMs: number
  readonly partitions: number
  readonly workers: number
  /** The share of wishes that go by a worker's door. */
  readonly doors: number
  readonly retention: NonNullable<WorkerOptions['engine']['retention']>
  readonly tuning: NonNullable<WorkerOptions['engine']['tuning']>
  readonly rates: ChaosRates
  /** When it is over it goes on for that long: what is over stays over. Where that is long, no poll is left out before it either. */
  readonly afterMs: number
}

/** What is asked of a drawn setting. */
export interface SettingOptions {
  /** `calm`: nothing goes wrong. */
  readonly calm: boolean
  readonly size?: Partial<WorkloadSize> | undefined
  readonly leaseMs?: number | undefined
  readonly workers?: number | undefined
  readonly tuning?: WorkerOptions['engine']['tuning']
}

/** Many polls of everybody, and a few of the slowest chores. */
export const LONG_REST_MS = 15_000

/** Longer than anybody goes on sending: what comes twice is known. */
const RECEIPTS_MS = 3_600_000

/** Draws a setting. */
export function drawSetting(random: SeededRandom, o: SettingOptions): Setting {
  const retention = drawRetention(random)
  const drawn = drawSize(random)
  // The id of a child that retention took rests as long as receipts do: its parent could not give it a new life.
  const pools = retention.endedMs === undefined ? drawn.pools : 0
  // Now and then it runs out while a few calls of the store are on their way: ownership changes all the time.
  const leaseMs = random.chance(0.03) ? 150 : random.pick([600, 2_000, 2_000, 6_000, 6_000, 6_000, 6_000, 6_000])
  const tuning = {
    batchItems: random.pick([1, 3, 1_000]),
    cacheBytes: random.pick([0, 64 * 1024 * 1024]),
    allRemote: random.chance(0.25),
    pollMs: random.pick([100, 500, 500, 2_000, 2_000, 2_000, 2_000, 2_000]),
  }
  return {
    size: { ...drawn, pools, ...o.size },
    leaseMs: o.leaseMs ?? leaseMs,
    partitions: random.pick([2, 4, 8]),
    workers: o.workers ?? random.pick([2, 2, 3]),
    doors: random.pick([0, 0.5, 0.9]),
    retention,
    tuning: o.tuning ?? tuning,
    rates: drawRates(random, o.calm),
    afterMs: random.chance(0.1) ? LONG_REST_MS : 1_000,
  }
}

function drawRetention(random: SeededRandom): Setting['retention'] {
  if (!random.chance(0.3)) return { receiptsMs: RECEIPTS_MS }
  return { receiptsMs: RECEIPTS_MS, endedMs: random.pick([1_000, 6_000]), deadMs: 6_000 }
}

/** Most runs are small: a run of every kind takes as long as ten of one kind, and ten find more. */
function drawSize(random: SeededRandom): WorkloadSize {
  const deploys = random.chance(0.25)
  const how = random.next()
  if (how < 0.05) return { orders: 4, checkouts: 4, counters: 2, pools: 1, deploys, spanMs: 12_000 }
  const some = (): number => 1 + random.int(how < 0.25 ? 2 : 3)
  const kinds = { orders: 0, checkouts: 0, counters: 0, pools: 0 }
  for (let left = how < 0.25 ? 3 : random.pick([1, 1, 2]); left > 0; left--) {
    const kind = random.pick(['orders', 'orders', 'checkouts', 'checkouts', 'counters', 'counters', 'pools'] as const)
    kinds[kind] = kind === 'pools' || kind === 'counters' ? 1 + random.int(2) : some()
  }
  return { ...kinds, deploys, spanMs: random.pick([1_500, 4_000, 4_000, 8_000]) }
}

function drawRates(random: SeededRandom, calm: boolean): ChaosRates {
  const rate = (most: number): number => {
    const drawn = random.next() * most
    return random.chance(0.3) || calm ? 0 : drawn
  }
  const network = { lost: rate(0.05), unanswered: rate(0.05), late: rate(0.08), slow: rate(0.05) }
  return {
    network: { ...network, slowMs: random.pick([50, 800, 8_000]) },
    courses: { broken: rate(0.2), unheard: rate(0.15), silent: rate(0.08), late: rate(0.05) },
  }
}
