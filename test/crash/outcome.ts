// What a kind of faults comes to, and the tools that it needs.
import { spawnSync } from 'node:child_process'

/** How a kind of faults is run. */
export interface FaultOptions {
  /** An empty folder; what is left in it belongs to faults. */
  readonly folder: string
  readonly seed: number
  /** Of the n-th reads and writes only every so many are tried, once n is over 20. */
  readonly every: number
  /** False: the short slice of CI. */
  readonly thorough: boolean
  readonly log: (line: string) => void
}

/** What came of one kind. */
export interface Outcome {
  readonly kind: string
  /** Numbers of the catalogue of faults. */
  readonly catalogue: string
  readonly injections: number
  /** After that many all was well. */
  readonly survived: number
  /** How the lives under the fault ended, and what else is worth a number. */
  readonly details: Readonly<Record<string, number>>
  /** Promises that were broken. */
  readonly faults: readonly string[]
  /** Why it was not run: it counts as nothing then. */
  readonly skipped?: string
}

/** Gathers the outcome of one kind. */
export class Tally {
  readonly #kind: string
  readonly #catalogue: string
  readonly #log: (line: string) => void
  readonly #details: Record<string, number> = {}
  readonly #faults: string[] = []
  #injections = 0
  #survived = 0

  constructor(kind: string, catalogue: string, log: (line: string) => void) {
    this.#kind = kind
    this.#catalogue = catalogue
    this.#log = log
  }

  /** One injection, with what was wrong after it. */
  add(what: string, faults: readonly string[]): void {
    this.#injections++
    if (faults.length === 0) this.#survived++
    this.#log(`${this.#kind}: ${what}${faults.length === 0 ? '' : `: FAULTS: ${faults.join('; ')}`}`)
    this.#faults.push(...faults.map((fault) => `${this.#kind}: ${what}: ${fault}`))
  }

  count(detail: string, n = 1): void {
    this.#details[detail] = (this.#details[detail] ?? 0) + n
  }

  /** `skipped`: why it was not run. */
  outcome(skipped?: string): Outcome {
    return {
      kind: this.#kind,
      catalogue: this.#catalogue,
      injections: this.#injections,
      survived: this.#survived,
      details: this.#details,
      faults: this.#faults,
      ...(skipped !== undefined && { skipped }),
    }
  }
}

/** Whether a program is there. */
export const hasProgram = (program: string): boolean =>
  spawnSync(program, ['--version'], { stdio: 'ignore' }).error === undefined

/** Whether this process may mount, and install packages. */
export const isRoot = (): boolean => process.getuid?.() === 0

/** Installs a package of Debian's, where `isThere` says that it is missing. Undefined: it is there now; else why not. */
export function install(name: string, isThere: () => boolean): string | undefined {
  if (isThere()) return undefined
  if (!isRoot() || !hasProgram('apt-get')) return `it needs \`apt-get install ${name}\`, as root`
  for (const args of [['update'], ['install', '-y', '--no-install-recommends', name]])
    spawnSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } })
  return isThere() ? undefined : `\`apt-get install ${name}\` failed`
}
