// Everything that can happen to one instance, in every order, up to a bound: breadth first, so that what breaks a property is the shortest run.
//
// E1  A run is played from its beginning on the engine that ships; the same moves give the same run.
// E2  Where a run has come to what another one has come to (the instance, its calls, what waits, all that a property may see), it is not gone
//     on with: what follows is the same.
// E3  A crash between two commits of a move, and a crash after it, are moves of their own. A crash before a commit is the one after the
//     commit before.
import { PawlError } from '../../base/errors.ts'
import { definitionOf } from '../../machine/definition.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import { possibilitiesOf } from './behaviour.ts'
import { Run } from './run.ts'
import type { Move } from './run.ts'
import type { Explored, Exploration, ExploreOptions } from './types.ts'

const RUNS = 10_000

/** A run that may be gone on with. */
interface Node {
  readonly moves: readonly Move[]
  readonly words: readonly string[]
}

/**
 * Runs one instance through all that can happen, in every order: these messages, timers, what its activities may do, a crash after each commit.
 * `property` is asked after each step; where it is false, `counterexample` is the shortest run, in words. Rejects with what `property` throws,
 * with `NOT_PURE` and `NO_BODY` as a harness does.
 */
export async function explore<M extends AnyMachine>(machine: M, o: ExploreOptions<M>): Promise<Exploration> {
  const { steps, runs: runsMax = RUNS } = o.bound
  if (!(Number.isInteger(steps) && steps >= 1 && runsMax >= 1))
    throw new PawlError('BAD_BOUND', `a bound of ${steps} steps and ${runsMax} runs: give whole numbers from 1`)
  const possibilities = new Map((o.activities ?? []).map(possibilitiesOf).map((one) => [one.activity, one.doings]))
  const setting = {
    machine: definitionOf(machine),
    id: o.id ?? 'explored',
    data: o.data,
    messages: o.messages ?? [],
    possibilities,
  }
  const known = new Set<string>()
  const holds = o.property as (seen: Explored<AnyMachine>) => boolean
  const queue: Node[] = [{ moves: [], words: [] }]
  let runs = 0
  for (let next = 0; next < queue.length; next++) {
    if (runs >= runsMax) return { runs, complete: false }
    const { moves, words } = queue[next]!
    runs += 1
    const run = await Run.play(machine, setting, moves)
    try {
      const told = [...words, run.words]
      if (!holds(run.seen())) return { runs, complete: false, counterexample: told }
      // In the midst of the last move, too: what it does in one commit after the other may be cut off at each.
      const last = moves.at(-1)
      if (last !== undefined && last.cut === undefined)
        for (let cut = 1; cut < run.commits; cut++)
          queue.push({ moves: [...moves.slice(0, -1), { ...last, cut }], words })
      const signature = run.signature()
      if (moves.length >= steps || known.has(signature)) continue
      known.add(signature)
      for (const move of run.moves()) queue.push({ moves: [...moves, move], words: told })
    } finally {
      run.end()
    }
  }
  return { runs, complete: true }
}
