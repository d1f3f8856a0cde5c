// Operators: they look at what has stalled and at the dead letters, find out at the services what has really happened, and act.
// Several of them may act on the same thing at once.
import { seededRandom } from '../../base/random.ts'
import type { SeededRandom } from '../../base/random.ts'
import type { CallRecord, OperatorInput } from '../../core/model.ts'
import type { InstanceRow } from '../../store/memory/rows.ts'
import { read } from '../../store/memory/rows.ts'
import type { Space } from '../../store/memory/space.ts'
import type { DeadLetterRow } from '../../store/store.ts'
import type { Clients } from './clients.ts'
import type { Coverage } from './coverage.ts'
import type { Life } from './scheduler.ts'
import type { SimulatedService } from './service.ts'
import type { Wish } from './wish.ts'
import type { World } from './world.ts'

/** What operators need. */
export interface OperatorOptions {
  readonly life: Life
  readonly random: SeededRandom
  readonly space: Space
  readonly world: World
  readonly clients: Clients
  readonly services: readonly SimulatedService[]
  readonly looks: readonly Look[]
  readonly coverage: Coverage
}

/** An operator looks at what there is, at that time from the start. `seed`: of what he picks and does. */
export interface Look {
  readonly atMs: number
  readonly seed: number
}

/** Draws when operators look within `spanMs`. `everyMs`: mean time between two looks; Infinity: nobody looks. */
export function drawLooks(random: SeededRandom, everyMs: number, spanMs: number): readonly Look[] {
  const looks: Look[] = []
  if (everyMs === Infinity) return looks
  for (let atMs = random.int(2 * everyMs); atMs < spanMs; atMs += 1 + random.int(2 * everyMs))
    looks.push({ atMs, seed: random.int(2 ** 32) })
  return looks
}

/** States along whose edges an operator may move what has stalled there, without a lie. */
const MOVES: Readonly<Record<string, string>> = {
  'invoice charging': 'reminding',
  'invoice reminding': 'unpaid',
  'node booting': 'broken',
  'tally noting': 'open',
}

/** All operators. */
export class Operators {
  readonly #o: OperatorOptions
  /** Who knows better what to do about instances of these machines. */
  readonly #owners: ReadonlyMap<string, SimulatedService>
  /** How often an instance was found stalled, by k. */
  readonly #found = new Map<number, number>()
  #count = 0
  #on = true

  constructor(o: OperatorOptions) {
    this.#o = o
    this.#owners = new Map(o.services.flatMap((one) => one.builds.old.map(({ name }) => [name, one])))
    for (const look of o.looks) void o.life.wait(look.atMs, 'operators look').then(() => this.#look(look))
  }

  /** They do nothing more of their own accord. */
  stop(): void {
    this.#on = false
  }

  /** Has all that is stalled tried again. */
  retryAll(): void {
    for (const row of this.#stalled())
      this.#ask(this.#known(this.#o.random, row) ?? { do: 'operate', target: targetOf(row), action: RETRY })
  }

  /** What those do about it whose machine it is. */
  #known(random: SeededRandom, row: InstanceRow): Wish | undefined {
    const times = (this.#found.get(row.k) ?? 0) + 1
    this.#found.set(row.k, times)
    return this.#owners.get(row.machine)?.mend?.(random, row, times)
  }

  #look({ seed }: Look): void {
    if (!this.#on) return
    const random = seededRandom(seed)
    const wish = random.chance(0.6) ? this.#mend(random) : this.#deadLetter(random)
    if (wish === undefined) return
    this.#ask(wish)
    if (random.chance(0.3)) this.#ask(wish)
  }

  #ask(wish: Wish): void {
    const what = wish.do === 'operate' ? wish.action.do : wish.do
    this.#o.coverage.add(`operator asks to ${what}`)
    this.#o.clients.ask(`op${++this.#count}`, wish)
  }

  #stalled(): readonly InstanceRow[] {
    return [...this.#o.space.instances.values()].filter(({ condition }) => condition === 'stalled')
  }

  #mend(random: SeededRandom): Wish | undefined {
    const rows = this.#stalled()
    if (rows.length === 0) return undefined
    const row = random.pick(rows)
    const known = random.chance(0.7) ? this.#known(random, row) : undefined
    if (known !== undefined) return known
    const target = targetOf(row)
    const to = MOVES[`${row.machine} ${row.state}`]
    const does = random.pick(['retry', 'resolve', 'resolve', 'move', 'cancel'] as const)
    if (does === 'cancel')
      return row.machine === 'pool' || row.machine === 'node' ? undefined : { do: 'cancel', target }
    if (does === 'move' && to !== undefined) return { do: 'operate', target, action: { do: 'move', to } }
    const resolution = does === 'resolve' ? this.#resolution(random, row) : undefined
    return { do: 'operate', target, action: resolution ?? RETRY }
  }

  /** What the service says of a call whose retries are exhausted. */
  #resolution(random: SeededRandom, row: InstanceRow): OperatorInput['action'] | undefined {
    const { calls } = read<{ readonly calls: Readonly<Record<string, CallRecord>> | null }>(row)
    const open = Object.entries(calls ?? {}).filter(([, { settled }]) => settled?.done !== true)
    if (open.length === 0) return undefined
    const [call, { activity, key, input }] = random.pick(open)
    const found = this.#o.world.inquire(activity, key, input as Readonly<Record<string, unknown>>)
    if ('answer' in found) return { do: 'resolve', call, result: found.answer }
    return found.code === undefined ? undefined : { do: 'resolve', call, failure: found.code }
  }

  #deadLetter(random: SeededRandom): Wish | undefined {
    const { space } = this.#o
    if (space.dead.size === 0) return undefined
    const { id, machine, instance, input } = read<DeadLetterRow>(random.pick([...space.dead.values()]))
    if (random.chance(0.3) || input.kind !== 'message') return { do: 'discard', letter: id }
    const redrive = { do: 'redrive', letter: id, target: { machine, id: instance } } as const
    // What was sent without its id gets one.
    const mended = this.#owners.get(machine)?.fix?.(input.type, input.data)
    if (mended !== undefined) return { ...redrive, data: mended }
    const fixed = input.type === 'counter.add' && !Object.hasOwn(input.data as object, 'id')
    return fixed ? { ...redrive, data: { id: `fixed-${id.slice(-6)}` } } : redrive
  }
}

const RETRY: OperatorInput['action'] = { do: 'retry', newKey: false }
const targetOf = ({ machine, id }: InstanceRow): { readonly machine: string; readonly id: string } => ({ machine, id })
