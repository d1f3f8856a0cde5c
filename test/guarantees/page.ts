// docs/guarantees.md, made of the promises and of the records of runs.
import { format, resolveConfig } from 'prettier'
import { fileURLToPath } from 'node:url'
import { notPromised, promises, type Promised } from './promises.ts'
import type { CrashRecord, MutantRecord, Records, SimulationRecord } from './records.ts'
import type { Origin } from '../support/record.ts'

/** Where the page lies. */
export const PAGE = fileURLToPath(new URL('../../docs/guarantees.md', import.meta.url))

const number = (n: number): string => n.toLocaleString('en', { maximumFractionDigits: 1 })
const link = (file: string): string => `[${file}](../${file})`
const cell = (text: string): string => text.replaceAll('|', '\\|')
const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((row) => `| ${row.map(cell).join(' | ')} |`).join('\n')
const origin = ({ at, commit, command, node, machine }: Origin): string =>
  `\`${command}\` on ${at.slice(0, 10)}, commit \`${commit}\`, Node ${node}, ${machine}.`

/** The page as it must be committed. */
export async function pageOf(records: Records): Promise<string> {
  const { simulation, mutants, crash } = records
  const caught = mutants.mutants.filter(({ seed }) => seed !== undefined)
  const text = [
    '# Guarantees',
    '',
    'What Pawl promises, how each promise is checked, and what proves that the check works: deliberate breaks of the engine (mutants) that it has caught. This page is made by `npm run guarantees` of the records in [evidence](evidence); a test fails where it is edited by hand or out of date.',
    '',
    table(
      ['promise', 'in short', 'checks', 'mutants caught'],
      promises.map((one) => {
        const of = mutants.mutants.filter(({ invariants }) => invariants.includes(one.id))
        const dead = of.filter(({ seed }) => seed !== undefined).length
        return [
          `[${one.id}](#${one.id.toLowerCase()})`,
          shortOf(one),
          String(one.checks.length),
          `${dead} of ${of.length}`,
        ]
      }),
    ),
    '',
    ...promises.flatMap((one) => sectionOf(one, mutants.mutants)),
    '## The runs',
    '',
    ...simulated(simulation),
    `Mutants: ${caught.length} of ${mutants.mutants.length} caught by the same simulation. The engine without a break was run on the ${number(mutants.control)} seeds that caught them, and accused by ${mutants.accused}. ${origin(mutants)}`,
    '',
    ...crashed(crash),
    'The simulation runs on a model of a store. [A test](../test/contract/stores-agree.test.ts) gives the model and the SQLite store the same random commands, and the same engine, and compares every answer and in the end every table.',
    '',
    '## Not promised',
    '',
    ...notPromised.map((one) => `- ${one}`),
    '',
  ].join('\n')
  return format(text, { ...(await resolveConfig(PAGE)), parser: 'markdown' })
}

/** Up to the first full stop, colon or semicolon. */
const shortOf = ({ words }: Promised): string => /^[^.;:]*/.exec(words)![0]

function sectionOf({ id, words, checks }: Promised, mutants: readonly MutantRecord[]): readonly string[] {
  const of = mutants.filter(({ invariants }) => invariants.includes(id))
  const rows = of.map(({ name, breaks, seed, step, check }) => [
    `\`${name}\``,
    breaks,
    seed === undefined ? '**survives**' : `seed ${seed}, step ${number(step!)}, by ${check}`,
  ])
  return [
    `## ${id}`,
    '',
    words,
    '',
    ...checks.map(([file, what]) => `- ${link(file)}: ${what}`),
    '',
    table(['mutant', 'what a user would lose', 'caught'], rows),
    '',
  ]
}

function simulated(record: SimulationRecord): readonly string[] {
  const { seeds, from, seconds, sums, counts, failed } = record
  const { transitions = 0, commits = 0, steps = 0, virtualMs = 0 } = sums
  const verdict = failed.length === 0 ? 'no promise was broken' : `seeds ${failed.join(', ')} broke a promise`
  return [
    `Simulation: seeds ${from} to ${number(from + seeds - 1)} in ${number(seconds)} s, ${number(transitions)} transitions in ${number(commits)} commits, ${number(steps)} steps of the scheduler, ${number(virtualMs / 3_600_000)} hours of virtual time; ${verdict}. ${origin(record)}`,
    '',
    `What it met, faults that were put in among it: ${number(Object.keys(counts).length)} different things.`,
    '',
    table(['kind', 'how often'], met(counts)),
    '',
  ]
}

/** By the first word of a name, which is its kind. */
function met(counts: SimulationRecord['counts']): readonly (readonly string[])[] {
  const kinds = new Map<string, string[]>()
  for (const [name, count] of Object.entries(counts).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
    const [kind, ...rest] = name.split(' ')
    const said = `${rest.join(' ')} ${number(count)}`.trim()
    kinds.set(kind!, [...(kinds.get(kind!) ?? []), said])
  }
  return [...kinds].map(([kind, said]) => [kind, said.join(' · ')])
}

function crashed(record: CrashRecord): readonly string[] {
  const { outcomes, seconds, seed } = record
  const rows = outcomes.map(({ kind, catalogue, injections, survived, faults, skipped }) =>
    skipped === undefined
      ? [kind, catalogue, number(injections), number(survived), number(faults.length)]
      : [kind, catalogue, 'not run', skipped, ''],
  )
  return [
    `Real processes on a real disk, seed ${seed}, ${number(seconds)} s. ${origin(record)}`,
    '',
    table(['fault', 'catalogue', 'injected', 'all was well after', 'promises broken'], rows),
    '',
  ]
}
