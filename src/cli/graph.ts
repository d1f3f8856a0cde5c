import { PawlError } from '../base/errors.ts'
import type { MachineGraph } from '../machine/definition.ts'
import { drawnGraph } from '../machine/describe.ts'
import { loadApp } from './app-file.ts'
import { dot } from './dot.ts'
import { badUsage } from './exit.ts'
import { connected, reaching, reachOf, type Job, type ReachOptions, type Shell } from './shell.ts'

const FORMATS: Readonly<Record<string, (graph: MachineGraph) => string>> = {
  mermaid: drawnGraph,
  dot,
  json: (graph) => `${JSON.stringify(graph, null, 2)}\n`,
}

type Options = ReachOptions & { readonly format?: string; readonly json?: boolean }

/** Of the app file where nothing else is named; a machine that is not named must be the only one. */
async function graphOf(job: Job, given: Options, machine: string | undefined): Promise<MachineGraph> {
  // An app file that is named stands before a store that only the environment names.
  const o = given.app === undefined ? reachOf(given, job.around) : given
  if (o.store !== undefined || o.url !== undefined)
    return connected(o, job, async (to) => {
      const names = new Set((await to.machines()).map(({ name }) => name))
      return to.graph(machine ?? only([...names]))
    })
  if (o.app === undefined) throw badUsage('say where the machine is: --app app.ts, --store, or --url')
  const { machines } = await loadApp(o.app, job.around.cwd)
  const name = machine ?? only(machines.map((one) => one.name))
  const found = machines.find((one) => one.name === name)
  if (found !== undefined) return found.graph
  throw new PawlError(
    'UNKNOWN_MACHINE',
    `${o.app} has no machine "${name}"; there are: ${machines.map((one) => one.name).join(', ')}`,
  )
}

function only(names: readonly string[]): string {
  const [first] = names
  if (first !== undefined && names.length === 1) return first
  throw badUsage(`name the machine: ${names.join(', ') || 'there is none'}`)
}

/** `pawl graph`: a machine as a drawing, or as data. */
export function graph(shell: Shell): void {
  const example = `pawl graph order --app app.ts
pawl graph order --format dot --store sqlite:shop.db | dot -Tsvg > order.svg`
  const command = shell
    .command('graph [machine]', 'the graph of a machine: a drawing for Mermaid or Graphviz, or JSON', example)
    .option('--format <format>', `${Object.keys(FORMATS).join(', ')} (default mermaid; json with --json)`)
  shell.runs<Options>(reaching(command), async (job, o, [machine]) => {
    const format = o.format ?? (o.json === true ? 'json' : 'mermaid')
    const write = Object.hasOwn(FORMATS, format) ? FORMATS[format] : undefined
    if (write === undefined) throw badUsage(`--format ${format}: write ${Object.keys(FORMATS).join(', ')}`)
    job.terminal.line(write(await graphOf(job, o, machine)).trimEnd())
  })
}
