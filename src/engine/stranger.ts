// A machine that this build does not know.
import type { MachineDefinition } from '../machine/definition.ts'

/** Stands for a machine that no service here has: whatever comes for it waits for a build that knows it. */
export const unknownMachine = (name: string): MachineDefinition => ({ ...EMPTY, name })
const EMPTY: MachineDefinition = {
  kind: 'contract',
  name: '',
  version: 0,
  schema: { '~standard': { version: 1, vendor: 'pawl', validate: (value) => ({ value }) } },
  receives: new Map(),
  emits: new Map(),
  children: new Map(),
  start: new Map(),
  correlate: new Map(),
  initial: '',
  begin: undefined,
  groups: [],
  states: new Map(),
  finals: new Set(),
  priority: 0,
  fairBy: undefined,
  migrate: new Map(),
  cancelBy: new Set(),
  dataOf: (input) => input,
  output: (_, data) => data,
  graphHash: '',
  graph: { name: '', version: 0, initial: '', states: [], edges: [], receives: [], emits: [] },
}
