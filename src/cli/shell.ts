// What all commands share: how they are declared, where they write, whom they ask, and how they end.
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { errorText, isPawlError } from '../base/errors.ts'
import type { Connection } from './connection.ts'
import { badUsage, EXITS, exitOf, type Exit } from './exit.ts'
import { Remote } from './remote.ts'
import { Stored } from './stored.ts'
import { Terminal, type Surroundings } from './terminal.ts'

/** Options of every command that asks a store or an app. */
export interface ReachOptions {
  readonly store?: string
  readonly app?: string
  readonly url?: string
  readonly token?: string
}

/** One run of a command. */
export interface Job {
  readonly terminal: Terminal
  readonly around: Surroundings
  /** Ends with another exit code than 0. */
  fail(): void
}

/** One command line. */
export class Shell {
  readonly around: Surroundings
  readonly program: Command
  exit: Exit = EXITS.ok[0]

  constructor(around: Surroundings, program: Command) {
    this.around = around
    this.program = program
  }

  /** Declares a command. `usage`: its name with arguments, after those of the command that it belongs to. */
  command(usage: string, says: string, example: string, parent: Command = this.program): Command {
    return parent
      .command(usage)
      .description(says)
      .option('--json', 'print one JSON document')
      .addHelpText('after', `\nExample:\n${example.replaceAll(/^/gm, '  ')}`)
  }

  /** What a command does. Whatever it throws is told, and becomes the exit code. */
  runs<O>(command: Command, work: (job: Job, o: O, args: readonly (string | undefined)[]) => Promise<void>): void {
    command.action(async () => {
      const o = command.opts<O & { readonly json?: boolean }>()
      const terminal = new Terminal(this.around, o.json === true)
      const job: Job = {
        terminal,
        around: this.around,
        fail: () => {
          this.exit = EXITS.failed[0]
        },
      }
      try {
        await work(job, o, command.processedArgs as (string | undefined)[])
      } catch (error) {
        terminal.clear()
        this.exit = exitOf(error)
        tell(terminal, error)
      }
    })
  }
}

function tell(terminal: Terminal, error: unknown): void {
  const code = isPawlError(error) ? error.code : 'ERROR'
  const message = errorText(error)
  const details = isPawlError(error) ? error.details : undefined
  if (terminal.isJson) terminal.note(JSON.stringify({ code, message, ...(details !== undefined && { details }) }))
  else terminal.note(`pawl: ${code}: ${message}`, 'bad')
}

/** Adds the options that say whom to ask. */
export const reaching = (command: Command): Command =>
  command
    .option('--store <store>', 'the store to open: sqlite:path (or PAWL_STORE)')
    .option('--app <file>', 'the app that works on the store; needed to change something (or PAWL_APP)')
    .option('--url <url>', 'a running app, instead of a store (or PAWL_URL)')
    .option('--token <token>', 'the token of the running app (or PAWL_TOKEN)')

/** Whom to ask: what the command line leaves open the environment may say. BAD_OPTION where it says two. */
export function reachOf<O extends ReachOptions>(o: O, { env }: Job['around']): O {
  if (o.url !== undefined && o.store !== undefined) throw badUsage('give either --store or --url, not both')
  const [store, url] = o.url === undefined && o.store === undefined ? [env.PAWL_STORE, env.PAWL_URL] : []
  if (store !== undefined && url !== undefined)
    throw badUsage('PAWL_STORE and PAWL_URL are set: say which by an option')
  const [app, token] = [o.app ?? env.PAWL_APP, o.token ?? env.PAWL_TOKEN]
  return {
    ...o,
    ...(store !== undefined && { store }),
    ...(url !== undefined && { url }),
    ...(app !== undefined && { app }),
    ...(token !== undefined && { token }),
  }
}

/** The path of a store that is a file; BAD_OPTION. */
export function storePath(store: string, cwd: string): string {
  const path = store.startsWith('sqlite:') ? store.slice('sqlite:'.length) : ''
  if (path !== '') return resolve(cwd, path)
  throw badUsage(`--store ${store}: write sqlite:path/of/a/file.db`)
}

function connect(given: ReachOptions, { terminal, around }: Job): Connection {
  const o = reachOf(given, around)
  if (o.url !== undefined) {
    if (!URL.canParse(o.url) || !/^https?:/.test(o.url)) throw badUsage(`--url ${o.url}: write http://host:port`)
    return new Remote(o.url, o.token)
  }
  if (o.store === undefined) throw badUsage('say whom to ask: --store sqlite:path, or --url http://host:port')
  return new Stored({
    path: storePath(o.store, around.cwd),
    app: o.app,
    cwd: around.cwd,
    warn: (text) => terminal.note(`pawl: ${text}`, 'doubt'),
  })
}

/** Works with a connection, and closes it. */
export async function connected<T>(o: ReachOptions, job: Job, work: (to: Connection) => Promise<T>): Promise<T> {
  const to = connect(o, job)
  try {
    return await work(to)
  } finally {
    await to.close()
  }
}
