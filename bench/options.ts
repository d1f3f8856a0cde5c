// What can be said on the command line of the bench.
import { parseArgs } from 'node:util'
import { questions, type Sizes } from './questions.ts'

/** What is to be measured, and how it is told. */
export interface Options extends Sizes {
  /** By their names, in this order. */
  readonly questions: readonly string[]
  /** Of each row; medians are told. */
  readonly runs: number
  readonly json: boolean
  readonly help: boolean
}

/** What is wrong with the command line, in words for whoever typed it. */
export class UsageError extends Error {}

const ALL = 'all'

/** For whoever asks, and for whoever mistypes. */
export const help = (): string => `Measures Pawl and, on the same disk with the same rows, the raw store.

  npm run bench                        checkouts with 1, 100 and 1,000 in flight, beside 1,000,000 finished instances
  npm run bench -- QUESTION…           one or several of these, or \`${ALL}\`:

${Object.entries(questions)
  .map(([name, { asks }]) => `    ${name.padEnd(14)}${asks}`)
  .join('\n')}

  --json                               one JSON object a line
  --runs 3                             of each row: medians, with the least and the most; default 1
  --profile                            the same as the question \`profile\`
  --store sqlite|sqlite:<path>|memory  default sqlite: a file in the folder for temporary files; <path> must not exist
  --in-flight 1,100,1000               processes under way at once; one row for each number
  --seconds 5                          how long each row is measured
  --ids uuid|sequential                default uuid
  --preload 1000000                    finished instances in the store before; default 0 in memory
  --share 0.1                          of what a question counts (waiting, children, messages, running, finished ones)`

const PRELOAD = 1_000_000
const PRELOAD_MAX = 100_000_000
const IN_FLIGHT_MAX = 100_000
const RUNS_MAX = 100
/** What the store in memory can be asked: the others are about files. */
const IN_MEMORY = ['checkout', 'event-wait', 'compensation', 'pair', 'empty', 'retention', 'transition']

const whole = (name: string, text: string, least: number, most: number): number => {
  const n = Number(text.replaceAll('_', ''))
  if (text.trim() !== '' && Number.isInteger(n) && n >= least && n <= most) return n
  throw new UsageError(`--${name} ${text}: write a whole number from ${least} to ${most}`)
}

const within = (name: string, text: string, least: number, most: number): number => {
  const n = Number(text)
  if (text.trim() !== '' && n >= least && n <= most) return n
  throw new UsageError(`--${name} ${text}: write a number from ${least} to ${most}`)
}

const oneOf = <T extends string>(name: string, text: string, known: readonly T[]): T => {
  const found = known.find((one) => one === text)
  if (found === undefined) throw new UsageError(`${name} ${text}: there are ${known.join(', ')}`)
  return found
}

const storeOf = (text: string): string => {
  if (text === 'memory' || text === 'sqlite' || (text.startsWith('sqlite:') && text.length > 'sqlite:'.length))
    return text
  throw new UsageError(`--store ${text}: there are sqlite, sqlite:<path of a file that does not exist>, memory`)
}

function questionsOf(names: readonly string[], store: string): readonly string[] {
  const known = Object.keys(questions)
  const asked = names.length === 0 ? ['checkout'] : names.includes(ALL) ? known : names
  for (const name of asked) {
    oneOf('the question', name, known)
    if (store === 'memory' && !IN_MEMORY.includes(name))
      throw new UsageError(`the question ${name} is about a file: the store in memory answers ${IN_MEMORY.join(', ')}`)
  }
  return asked
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        store: { type: 'string', default: 'sqlite' },
        'in-flight': { type: 'string' },
        seconds: { type: 'string', default: '5' },
        runs: { type: 'string', default: '1' },
        ids: { type: 'string', default: 'uuid' },
        preload: { type: 'string' },
        share: { type: 'string', default: '1' },
        profile: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    })
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Reads the arguments; throws UsageError. */
export function optionsOf(argv: readonly string[]): Options {
  const { values, positionals } = read(argv)
  const store = storeOf(values.store)
  const preload = values.preload ?? String(store === 'memory' ? 0 : PRELOAD)
  const inFlight = values['in-flight']?.split(',').map((text) => whole('in-flight', text, 1, IN_FLIGHT_MAX))
  return {
    questions: questionsOf(values.profile ? [...positionals, 'profile'] : positionals, store),
    store,
    ...(inFlight !== undefined && { inFlight }),
    seconds: within('seconds', values.seconds, 0.1, 3_600),
    runs: whole('runs', values.runs, 1, RUNS_MAX),
    ids: oneOf('--ids', values.ids, ['uuid', 'sequential']),
    preload: whole('preload', preload, 0, PRELOAD_MAX),
    share: within('share', values.share, 0.0001, 1),
    json: values.json,
    help: values.help,
  }
}
