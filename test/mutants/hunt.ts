// Hunts mutants: each in a process of its own, some at a time. Where one was caught last is only a hint (caught.json): seeds mean
// something else whenever the simulation changes, and then the search goes on from seed 1.
import { fork } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Hunt, Hunted } from './child.ts'
import { checksOf } from './mutant.ts'
import type { Catch, Mutant } from './mutant.ts'
import { mutated } from './source.ts'

const CHILD = fileURLToPath(new URL('child.ts', import.meta.url))
const PRELOAD = new URL('mutate.ts', import.meta.url).href
const HINTS = new URL('caught.json', import.meta.url)

/** Where each mutant was caught last, by its name. */
export type Hints = Readonly<Record<string, Pick<Catch, 'seed' | 'step' | 'check'>>>

/** What a hunt came to. */
export interface Result extends Hunted {
  readonly mutant: Mutant
  /** Why it could not be run at all. */
  readonly broken?: string
}

/** How to hunt. */
export interface HuntOptions {
  readonly mutants: readonly Mutant[]
  /** Seeds from 1 that are tried before a mutant counts as a survivor. */
  readonly seeds: number
  /** Processes at a time. */
  readonly jobs: number
  readonly hints: Hints
  readonly onResult?: (result: Result) => void
}

/** The hints of this folder. */
export const readHints = (): Hints => JSON.parse(readFileSync(HINTS, 'utf8')) as Hints

/** Keeps where mutants were caught, beside what is known of others. */
export function writeHints(results: readonly Result[], known: Hints): void {
  const hints: Record<string, Hints[string]> = { ...known }
  for (const { mutant, caught } of results) {
    if (caught === undefined) delete hints[mutant.name]
    else hints[mutant.name] = { seed: caught.seed, step: caught.step, check: caught.check }
  }
  const sorted = Object.entries(hints).toSorted(([a], [b]) => (a < b ? -1 : 1))
  const lines = sorted.map(([name, hint]) => `  ${JSON.stringify(name)}: ${spaced(hint)}`)
  writeFileSync(HINTS, `{\n${lines.join(',\n')}\n}\n`)
}

/** As prettier lays it out. */
const spaced = ({ seed, step, check }: Hints[string]): string =>
  `{ "seed": ${seed}, "step": ${step}, "check": ${JSON.stringify(check)} }`

/** All mutants, the results in their order. */
export async function huntAll(o: HuntOptions): Promise<readonly Result[]> {
  const results: Result[] = []
  const left = [...o.mutants.entries()]
  const job = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const [at, mutant] = next
      const result = await huntOne(mutant, o)
      results[at] = result
      o.onResult?.(result)
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, o.jobs) }, job))
  return results
}

async function huntOne(mutant: Mutant, { seeds, hints }: HuntOptions): Promise<Result> {
  try {
    mutated(mutant, fileURLToPath(new URL(`../../${mutant.file}`, import.meta.url)))
    const hint = hints[mutant.name]?.seed
    const range = Array.from({ length: seeds }, (_, i) => i + 1)
    const order = hint === undefined ? range : [hint, ...range.filter((seed) => seed !== hint)]
    return { mutant, ...(await run({ seeds: order, checks: checksOf(mutant) }, mutant)) }
  } catch (error) {
    return { mutant, seeds: 0, broken: error instanceof Error ? error.message : String(error) }
  }
}

/** The same seeds without any break: nothing may be found. */
export async function control(seeds: readonly number[], jobs: number): Promise<readonly Catch[]> {
  const parts = Array.from({ length: jobs }, (_, at) => seeds.filter((_seed, i) => i % jobs === at))
  const hunted = await Promise.all(parts.map((part) => run({ seeds: part, checks: [] }, undefined)))
  return hunted.flatMap(({ caught, other }) => caught ?? other ?? [])
}

/** One process. Rejects where it ends without an answer: its source was no program any more. */
function run(hunt: Hunt, mutant: Mutant | undefined): Promise<Hunted> {
  const { PAWL_MUTANT: _, ...env } = process.env
  const child = fork(CHILD, [], {
    execArgv: ['--conditions=pawl-source', '--import', PRELOAD],
    env: mutant === undefined ? env : { ...env, PAWL_MUTANT: JSON.stringify(mutant) },
    stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
  })
  return new Promise((resolve, reject) => {
    let said = ''
    child.stderr?.on('data', (text: Buffer) => (said += text.toString()))
    child.on('message', (hunted: Hunted) => resolve(hunted))
    child.on('error', reject)
    child.on('close', (code, signal) => {
      reject(
        new Error(`mutant ${mutant?.name ?? 'none'}: its process ended with ${code ?? signal}\n${said.slice(-2_000)}`),
      )
    })
    child.send(hunt)
  })
}
