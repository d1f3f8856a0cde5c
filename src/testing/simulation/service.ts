// What a run is about: machines in two builds, the services that they call, and what is asked of them.
import type { AnyActivity } from '../../machine/types-activity.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import type { SeededRandom } from '../../base/random.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import type { ChangeRows } from '../../store/memory/write.ts'
import type { Build } from './builds.ts'
import type { StoredEntry } from './stored.ts'
import type { Violations } from './violation.ts'
import type { Wish } from './wish.ts'
import type { Planned, WorkloadSize } from './workload.ts'
import type { Deed, World } from './world.ts'

/** A journal row that a commit has written, with its instance. */
export interface WrittenEntry {
  readonly k: number
  readonly entry: StoredEntry
}

/** Judges the instances of one service in one run, by what it knows of their definitions. */
export interface ServiceJudge {
  /** What it has seen, for the report of a run. */
  readonly counts: Readonly<Record<string, number>>
  /** A commit has just taken effect. */
  written(rows: ChangeRows, entries: readonly WrittenEntry[]): void
  /** The run is over. `rows`: the newest row of every instance that ever was. */
  ended(rows: readonly InstanceRow[], world: World, violations: Violations): void
}

/** What is deployed together, as a run needs it. */
export interface SimulatedService {
  readonly builds: Readonly<Record<Build, readonly AnyMachine[]>>
  readonly activities: readonly AnyActivity[]
  readonly deeds: readonly Deed[]
  /** What is asked of it; each wish has an id that no other service gives. */
  readonly plan: (random: SeededRandom, size: WorkloadSize) => readonly Planned[]
  /** What an operator does about one of its instances that has stalled, the `times`-th time that it is found so; undefined: as with any other. */
  readonly mend?: (random: SeededRandom, row: InstanceRow, times: number) => Wish | undefined
  /** The payload of a dead letter as it should have been; undefined: it is no message of this service. */
  readonly fix?: (type: string, data: unknown) => unknown
  readonly judge?: (violations: Violations) => ServiceJudge
  /** Parts of the public API that its definitions use, each with how often. */
  readonly uses?: Readonly<Record<string, number>>
}
