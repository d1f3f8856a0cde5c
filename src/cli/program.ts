// The command line as a whole: all commands, and what their help has in common.
import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { cancel } from './cancel.ts'
import { check } from './check.ts'
import { completion } from './completion.ts'
import { deadLetters } from './dead-letters.ts'
import { doctor } from './doctor.ts'
import { EXITS, type Exit } from './exit.ts'
import { graph } from './graph.ts'
import { history } from './history.ts'
import { ls } from './ls.ts'
import { move } from './move.ts'
import { newProject } from './new.ts'
import { resolve } from './resolve.ts'
import { retry } from './retry.ts'
import { send } from './send.ts'
import { Shell } from './shell.ts'
import { show } from './show.ts'
import type { Surroundings } from './terminal.ts'

const COMMANDS = [
  ls,
  show,
  history,
  send,
  retry,
  resolve,
  move,
  cancel,
  deadLetters,
  graph,
  check,
  doctor,
  newProject,
  completion,
]

/** Columns of the help texts; the same everywhere, since the reference is made of them. */
const HELP_WIDTH = 100

const version = (): string =>
  (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }).version

const footer = `
Look at a store with --store sqlite:path (read beside a running app), or ask a running app with --url and --token. To change
something on a store, stop its app and add --app: this process then opens the store with it, does what is due there meanwhile,
and closes it. PAWL_STORE, PAWL_APP, PAWL_URL and PAWL_TOKEN stand for those options; a token is safer there than in a list of
processes.

Exit codes: ${Object.values(EXITS)
  .map(([code, says]) => `${code} ${says}`)
  .join('; ')}.`

/** All commands, ready to parse a line. */
export function shellOf(around: Surroundings): Shell {
  const program = new Command('pawl')
    .description('Look at durable state machines, and move what is stuck.')
    .version(version(), '-V, --version')
    .exitOverride()
    .showSuggestionAfterError()
    .configureHelp({ helpWidth: HELP_WIDTH })
    .configureOutput({
      writeOut: (text) => void around.out.write(text),
      writeErr: (text) => void around.err.write(text),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText('after', footer)
  const shell = new Shell(around, program)
  for (const add of COMMANDS) add(shell)
  return shell
}

/** Runs one command line (without the names of Node and the script). Never rejects for what is given. */
export async function run(args: readonly string[], around: Surroundings): Promise<Exit> {
  const shell = shellOf(around)
  try {
    await shell.program.parseAsync(args, { from: 'user' })
    return shell.exit
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? EXITS.ok[0] : EXITS.usage[0]
  }
}
