// What operators do about a random instance that has stalled.
import type { SeededRandom } from '../../../base/random.ts'
import { instanceOf } from '../../../store/memory/rows.ts'
import type { InstanceRow } from '../../../store/memory/rows.ts'
import type { Wish } from '../wish.ts'
import { PAST } from './draw-saga.ts'
import type { RandomData, SagaSketch, ServiceSketch } from './sketch.ts'

/** Once as it is done with anything that has stalled; then by force, until it has ended. */
export function mendRandomly(
  random: SeededRandom,
  row: InstanceRow,
  times: number,
  { sagas }: ServiceSketch,
): Wish | undefined {
  const target = { machine: row.machine, id: row.id }
  const saga = sagas.find(({ name }) => name === row.machine)
  if (saga !== undefined) return mendSaga(saga, row, times)
  if (times <= 1 || random.chance(0.2)) return undefined
  const how = random.pick(['newKey', 'correct', 'cancel'] as const)
  if (how === 'cancel') return { do: 'cancel', target }
  if (how === 'newKey') return { do: 'operate', target, action: { do: 'retry', newKey: true } }
  const { sum } = instanceOf(row).data as unknown as RandomData
  return { do: 'operate', target, action: { do: 'move', to: row.state, data: { sum: sum + 1, gen: 1 } } }
}

/** What a saga did under its old key would never be undone; after its pivot nothing is, and what it waits for in vain is given to it. */
function mendSaga({ parts }: SagaSketch, row: InstanceRow, times: number): Wish | undefined {
  const target = { machine: row.machine, id: row.id }
  // A cancel of what is being undone already is ignored.
  if (!row.state.startsWith(PAST)) return times % 2 === 1 ? undefined : { do: 'cancel', target }
  const waits = parts.some((part) => part.is === 'wait' && part.name === row.state)
  if (!waits) return { do: 'operate', target, action: { do: 'retry', newKey: true } }
  const steps = parts.flatMap((part) => ('name' in part ? [part.name] : []))
  const to = steps[steps.indexOf(row.state) + 1] ?? 'done'
  return { do: 'operate', target, action: { do: 'move', to, payload: { to: row.id, v: 2 } } }
}
