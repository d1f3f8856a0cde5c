// Runs that have broken a promise once, made small and kept: `regressions/NAME.json`.
import { fork } from 'node:child_process'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { Plan } from '../../src/testing/simulation/plan.ts'
import type { Violation } from '../../src/testing/simulation/violation.ts'
import { mutants } from '../mutants/catalogue.ts'
import type { Mutant } from '../mutants/mutant.ts'
import { seldom } from '../mutants/seldom.ts'

/** One of them. */
export interface Regression {
  /** The promise that it breaks where the engine is broken. */
  readonly check: string
  /** What it said then. */
  readonly text: string
  /** The break of the engine with which it fails, by its name in the catalogue of mutants; absent: none is kept. */
  readonly mutant?: string
  readonly plan: Plan
}

const FOLDER = new URL('regressions/', import.meta.url)
const PRELOAD = new URL('../mutants/mutate.ts', import.meta.url).href
const REPLAY = fileURLToPath(new URL('replay.ts', import.meta.url))

/** Names of all that are kept. */
export const regressionNames = (): readonly string[] =>
  readdirSync(FOLDER)
    .filter((name) => name.endsWith('.json'))
    .map((name) => name.slice(0, -'.json'.length))
    .toSorted()

/** One that is kept. */
export const readRegression = (name: string): Regression =>
  JSON.parse(readFileSync(new URL(`${name}.json`, FOLDER), 'utf8')) as Regression

/** Keeps one. */
export function writeRegression(name: string, regression: Regression): void {
  writeFileSync(new URL(`${name}.json`, FOLDER), `${JSON.stringify(regression, undefined, 2)}\n`)
}

/** A break of the engine, by its name. Throws where there is none. */
export function mutantOf(name: string): Mutant {
  const mutant = [...mutants, ...seldom].find((one) => one.name === name)
  if (mutant === undefined) throw new Error(`there is no mutant ${name}: see test/mutants/catalogue.ts and seldom.ts`)
  return mutant
}

/** How a process breaks the engine, and with which arguments it starts. */
export const broken = (name: string) => ({
  execArgv: ['--conditions=pawl-source', '--import', PRELOAD],
  env: { ...process.env, PAWL_MUTANT: JSON.stringify(mutantOf(name)) },
})

/** What a plan breaks where the engine is broken by a mutant. Rejects where the process dies. */
export function replayBroken(name: string, plan: Plan): Promise<readonly Violation[]> {
  const child = fork(REPLAY, [], broken(name))
  return new Promise((resolve, reject) => {
    child.once('message', (violations) => resolve(violations as readonly Violation[]))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`the process of mutant ${name} ended with ${code}`)))
    child.send(plan)
  })
}
