// The kinds of faults besides the kills of driver.ts, by name.
import { clockJumps, fakeTimeLibrary } from './clocks.ts'
import { fullDisks } from './full-disk.ts'
import { hasProgram, install, type FaultOptions, type Outcome } from './outcome.ts'
import { pauses } from './pauses.ts'
import { powerLoss } from './power.ts'
import { systemCallFaults } from './system-calls.ts'

/** One kind. `install` sees to what it needs, and says why it cannot. */
export interface FaultKind {
  readonly run: (o: FaultOptions) => Promise<readonly Outcome[]>
  readonly install?: () => string | undefined
}

/** Names, as the command line knows them. */
export type FaultName = 'calls' | 'pauses' | 'clocks' | 'disks' | 'power'

/** All kinds. */
export const FAULTS: Readonly<Record<FaultName, FaultKind>> = {
  calls: { run: systemCallFaults, install: () => install('strace', () => hasProgram('strace')) },
  pauses: { run: pauses },
  clocks: { run: clockJumps, install: () => install('faketime', () => fakeTimeLibrary() !== undefined) },
  disks: { run: fullDisks },
  power: { run: powerLoss },
}
