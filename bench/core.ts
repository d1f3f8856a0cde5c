// node --conditions=pawl-source bench/core.ts: what the pure transition costs, for each step of a checkout, on one core.
//
// CPU time of this process, the least of many rounds: what else runs on the machine makes rounds longer, never shorter.
import { createHash } from 'node:crypto'
import { incarnation } from '../src/base/id.ts'
import { freezeJson } from '../src/base/json.ts'
import type { Before, Context } from '../src/core/draft.ts'
import type { Input, Instance } from '../src/core/model.ts'
import { dispatch } from '../src/core/transition.ts'
import { definitionOf } from '../src/machine/definition.ts'
import { outside } from './app.ts'
import { round as rounded, type Measured } from './row.ts'
import { checkout, checkoutData } from './works.ts'

const COUNT = 2_000
const ROUNDS = 60
const NOW = 1_790_000_000_000
const STEPS = ['start', 'reserve done', 'charge done', 'ship done']

const definition = definitionOf(checkout)
const nobody: Before = { instance: null, waiting: [], children: new Map(), fresh: [] }

/** Everything that is not the transition itself is made before the clock is read. */
interface One {
  readonly id: string
  readonly before: Before
  readonly input: Input
  readonly context: Context
}

/** User and system time together: the kernel only guesses how they are shared out. */
function cpuUs(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const idOf = (n: number): string => createHash('sha256').update(String(n)).digest('hex').slice(0, 36)

function started(n: number): One {
  const id = idOf(n)
  const data = freezeJson(checkoutData(id), 'data')
  const create = { k: n, partition: n % 64, incarnation: incarnation(outside.clock, outside.random) }
  const context = { now: NOW, leaseMs: 10_000, session: '0192f4c6-0000-7000-8000-000000000000', create }
  return { id, before: nobody, input: { kind: 'start', id, at: NOW, correlation: id, stamp: 0, data }, context }
}

/** The answer of the one call that is open. */
function answered({ id, context }: One, instance: Instance): One {
  const [name, call] = Object.entries(instance.calls ?? {}).find(([, { settled }]) => settled === undefined)!
  const output = freezeJson({ ref: call.key }, 'the output')
  const base = { id: call.key, at: NOW, correlation: '', stamp: 0, entry: call.entry!, attempt: 1, jitter: 0.5 }
  const input: Input = { kind: 'result', call: name, key: call.key, outcome: { kind: 'done', output }, ...base }
  return { id, before: { ...nobody, instance }, input, context: { ...context, create: null } }
}

/** One round: µs of each step. */
function round(): readonly number[] {
  let ones: readonly One[] = Array.from({ length: COUNT }, (_, n) => started(n))
  return STEPS.map(() => {
    const instances: Instance[] = []
    const from = cpuUs()
    for (const { id, before, input, context } of ones)
      instances.push(dispatch(definition, id, before, input, context).instance!)
    const took = (cpuUs() - from) / COUNT
    const open = instances[0]?.calls !== null
    ones = open ? ones.map((one, i) => answered(one, instances[i]!)) : []
    return took
  })
}

/** The least µs of each step in so many rounds. */
function leastOf(rounds: number): readonly number[] {
  const least = STEPS.map(() => Infinity)
  for (let n = 0; n < rounds; n++) for (const [i, took] of round().entries()) least[i] = Math.min(least[i]!, took)
  return least
}

const mean = (values: readonly number[]): number => values.reduce((all, one) => all + one, 0) / values.length

/** Measures one row of the bench. */
export async function measure(): Promise<Measured> {
  const least = leastOf(ROUNDS)
  const steps = STEPS.map((name, i) => [`${name} µs`, rounded(least[i]!, 2)])
  return { figures: { transitionMicros: rounded(mean(least), 2), ...Object.fromEntries(steps) }, notes: [] }
}

if (import.meta.main) {
  const least = leastOf(Number(process.argv[2] ?? ROUNDS))
  for (const [i, name] of STEPS.entries()) console.log(`${name.padEnd(14)}${least[i]!.toFixed(2).padStart(8)} µs`)
  console.log(`${'mean'.padEnd(14)}${mean(least).toFixed(2).padStart(8)} µs`)
}
