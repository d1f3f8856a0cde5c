// What can be said on the command line of the bench.
import { parseArgs } from 'node:util'
import { works } from './works.ts'

/** What is to be measured: one row for each number of processes in flight. */
export interface Options {
  readonly work: string
  /** `sqlite` is a file in the folder for temporary files, `sqlite:<path>` one on a disk of your choice, `memory` no file. */
  readonly store: string
  readonly inFlight: readonly number[]
  /** How long each row is measured, after a second of warming up. */
  readonly seconds: number
  readonly ids: 'uuid' | 'sequential'
  /** Finished instances that are in the store before. */
  readonly preload: number
  readonly json: boolean
  readonly help: boolean
}

/** What is wrong with the command line, in words for whoever typed it. */
export class UsageError extends Error {}

export const HELP = `Measures Pawl and, on the same disk with the same rows, the raw store.

  npm run bench                        checkouts with 1, 100 and 1,000 in flight, beside 1,000,000 finished instances
  npm run bench -- --json              one JSON object a line
  --work ${Object.keys(works).join('|')}
  --store sqlite|sqlite:<path>|memory  default sqlite: a file in the folder for temporary files; <path> must not exist
  --in-flight 1,100,1000               processes under way at once; one row for each number
  --seconds 5                          how long each row is measured
  --ids uuid|sequential                default uuid
  --preload 1000000                    finished instances in the store before; default 0 in memory`

const PRELOAD = 1_000_000
const PRELOAD_MAX = 100_000_000
const IN_FLIGHT_MAX = 100_000

const whole = (name: string, text: string, least: number, most: number): number => {
  const n = Number(text.replaceAll('_', ''))
  if (text.trim() !== '' && Number.isInteger(n) && n >= least && n <= most) return n
  throw new UsageError(`--${name} ${text}: write a whole number from ${least} to ${most}`)
}

const oneOf = <T extends string>(name: string, text: string, known: readonly T[]): T => {
  const found = known.find((one) => one === text)
  if (found === undefined) throw new UsageError(`--${name} ${text}: there are ${known.join(', ')}`)
  return found
}

const secondsOf = (text: string): number => {
  const seconds = Number(text)
  if (text.trim() !== '' && seconds >= 0.1 && seconds <= 3_600) return seconds
  throw new UsageError(`--seconds ${text}: write a number from 0.1 to 3600`)
}

const storeOf = (text: string): string => {
  if (text === 'memory' || text === 'sqlite' || (text.startsWith('sqlite:') && text.length > 'sqlite:'.length))
    return text
  throw new UsageError(`--store ${text}: there are sqlite, sqlite:<path of a file that does not exist>, memory`)
}

function read(argv: readonly string[]) {
  try {
    return parseArgs({
      args: [...argv],
      options: {
        work: { type: 'string', default: 'checkout' },
        store: { type: 'string', default: 'sqlite' },
        'in-flight': { type: 'string', default: '1,100,1000' },
        seconds: { type: 'string', default: '5' },
        ids: { type: 'string', default: 'uuid' },
        preload: { type: 'string' },
        json: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    }).values
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error))
  }
}

/** Reads the arguments; throws UsageError. */
export function optionsOf(argv: readonly string[]): Options {
  const values = read(argv)
  const store = storeOf(values.store)
  const preload = values.preload ?? String(store === 'memory' ? 0 : PRELOAD)
  return {
    work: oneOf('work', values.work, Object.keys(works)),
    store,
    inFlight: values['in-flight'].split(',').map((text) => whole('in-flight', text, 1, IN_FLIGHT_MAX)),
    seconds: secondsOf(values.seconds),
    ids: oneOf('ids', values.ids, ['uuid', 'sequential']),
    preload: whole('preload', preload, 0, PRELOAD_MAX),
    json: values.json,
    help: values.help,
  }
}
