import type { Machine, Snapshot } from 'pawl'
import type { Harness } from 'pawl/testing'

/** An instance when nothing is ready any more. */
export async function seen<M extends Machine>(t: Harness, machine: M, id: string): Promise<Snapshot<M>> {
  await t.settle()
  return t.app.get(machine, id).state()
}
