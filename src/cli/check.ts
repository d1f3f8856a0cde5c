import { isPawlError } from '../base/errors.ts'
import { checkGraphs } from '../engine/deploy.ts'
import { checkApp } from '../machine/check-app.ts'
import { type Problem, warningsOf } from '../machine/problem.ts'
import { type AppFile, loadApp } from './app-file.ts'
import { needed } from './given.ts'
import { storePath, type Job, type ReachOptions, type Shell } from './shell.ts'
import { StoreFile } from './store-file.ts'

/** What was found. Warnings alone are no failure. */
interface Findings {
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
  readonly machines: readonly { readonly name: string; readonly version: number; readonly states: number }[]
}

const textOf = ({ where, text, rule }: Problem): string => `${where}: ${text} (${rule})`

/** The problems that a definition's error lists. */
function problemsOf(error: unknown): readonly string[] {
  if (isPawlError(error, 'BAD_DEFINITION')) {
    const { problems } = (error.details ?? {}) as { problems?: readonly Problem[] }
    return problems?.map(textOf) ?? [error.message]
  }
  if (isPawlError(error, 'BREAKS_INSTANCES')) {
    const { problems } = (error.details ?? {}) as { problems?: readonly string[] }
    return problems ?? [error.message]
  }
  throw error
}

/** What a deploy over this store would break. Nothing is written. */
async function againstStore(path: string, { machines }: AppFile, warn: (text: string) => void): Promise<void> {
  const file = new StoreFile(path, ({ message }) => warn(message))
  try {
    const read = {
      graphs: () => Promise.resolve(file.reader.graphs()),
      population: (machine: string) => Promise.resolve(file.reader.population(machine)),
      saveGraph: () => Promise.resolve(),
    }
    await checkGraphs(read, { machines: new Map(machines.map((one) => [one.name, one])) }, warn)
  } finally {
    file.close()
  }
}

async function find(job: Job, file: string, store: string | undefined): Promise<Findings> {
  const warnings: string[] = []
  let machines: Findings['machines'] = []
  try {
    const app = await loadApp(file, job.around.cwd)
    machines = app.machines.map(({ name, version, states }) => ({ name, version, states: states.size }))
    for (const one of app.exported) warnings.push(...warningsOf(one).map(textOf))
    checkApp(app.services, { services: app.services, store: 'memory:' })
    if (store !== undefined) await againstStore(storePath(store, job.around.cwd), app, (text) => warnings.push(text))
    return { problems: [], warnings, machines }
  } catch (error) {
    return { problems: problemsOf(error), warnings, machines }
  }
}

/** `pawl check`: the definitions of an app file, and what they would break on a store. */
export function check(shell: Shell): void {
  const example = `pawl check app.ts
pawl check app.ts --store sqlite:shop.db`
  const command = shell
    .command(
      'check <app>',
      'check the definitions of an app file; with --store, what a deploy over it would break',
      example,
    )
    .option('--store <store>', 'the store that it is to run on: sqlite:path; only read')
  shell.runs<ReachOptions>(command, async (job, o, [file]) => {
    const { terminal } = job
    const found = await find(job, needed(file, 'an app file'), o.store)
    const { problems, warnings, machines } = found
    if (problems.length > 0) job.fail()
    terminal.result({ ok: problems.length === 0, ...found }, () => {
      for (const text of problems) terminal.line(`${terminal.styled('bad', 'problem')}  ${text}`)
      for (const text of warnings) terminal.line(`${terminal.styled('doubt', 'warning')}  ${text}`)
      const names = machines.map(({ name, version, states }) => `${name} (version ${version}, ${states} states)`)
      if (problems.length === 0) terminal.line(`${terminal.styled('good', 'ok')}  ${names.join(', ')}`)
    })
  })
}
