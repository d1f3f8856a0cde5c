// The records of runs that docs/guarantees.md is made of. Each is written by the command that stands in it, and committed.
import { readFileSync } from 'node:fs'
import type { Origin } from '../support/record.ts'

/** Of `npm run simulate`. */
export interface SimulationRecord extends Origin {
  readonly from: number
  readonly seeds: number
  readonly seconds: number
  /** `steps`, `commits`, `transitions`, `virtualMs`. */
  readonly sums: Readonly<Record<string, number>>
  /** What went wrong on purpose, how wishes ended, what was reached. */
  readonly counts: Readonly<Record<string, number>>
  readonly failed: readonly number[]
}

/** One mutant, and where it was caught; without `seed`: it survived. */
export interface MutantRecord {
  readonly name: string
  readonly invariants: readonly string[]
  readonly breaks: string
  readonly seed?: number
  readonly step?: number
  readonly check?: string
}

/** Of `npm run mutants`. */
export interface MutantsRecord extends Origin {
  /** Seeds that the engine without a break was run on, and how many of them accused it. */
  readonly control: number
  readonly accused: number
  readonly mutants: readonly MutantRecord[]
}

/** Of `npm run crash`. */
export interface CrashRecord extends Origin {
  readonly seconds: number
  readonly seed: number
  readonly outcomes: readonly {
    readonly kind: string
    readonly catalogue: string
    readonly injections: number
    readonly survived: number
    readonly faults: readonly string[]
    readonly skipped?: string
  }[]
}

/** All of them. */
export interface Records {
  readonly simulation: SimulationRecord
  readonly mutants: MutantsRecord
  readonly crash: CrashRecord
}

const read = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../docs/evidence/${name}.json`, import.meta.url), 'utf8'))

/** As they are committed. */
export const readRecords = (): Records => ({
  simulation: read('simulation') as SimulationRecord,
  mutants: read('mutants') as MutantsRecord,
  crash: read('crash') as CrashRecord,
})
