import type { Connection, HistoryLine } from './connection.ts'
import { count, needed } from './given.ts'
import { connected, reaching, type Job, type ReachOptions, type Shell } from './shell.ts'
import { inLine, plain } from './terminal.ts'

const PAGE = 500

interface Options extends ReachOptions {
  readonly after?: string
  readonly limit?: string
}

async function rowsOf(
  job: Job,
  to: Connection,
  target: readonly [machine: string, id: string],
  o: { readonly after: number; readonly limit: number },
): Promise<readonly HistoryLine[]> {
  const rows: HistoryLine[] = []
  for (let after: number | undefined = o.after; after !== undefined && rows.length < o.limit;) {
    const page = await to.history(...target, { after, limit: Math.min(PAGE, o.limit - rows.length) })
    rows.push(...page.items)
    after = page.next
    job.terminal.progress(`history: ${rows.length} rows`)
  }
  return rows
}

function write({ terminal }: Job, rows: readonly HistoryLine[]): void {
  for (const { seq, at, from, to, outcome, cause, changed, emitted, by, why } of rows) {
    const way = from === null ? plain(to) : from === to ? `in ${plain(to)}` : `${plain(from)} → ${plain(to)}`
    const said = outcome === 'applied' ? '' : ` ${terminal.word(outcome)}`
    const who =
      by === undefined && why === undefined
        ? ''
        : ` (${[by, why]
            .filter((one) => one !== undefined)
            .map(plain)
            .join(': ')})`
    terminal.line(
      `${`${seq}`.padStart(4)}  ${terminal.styled('faint', at)}  ${way}${said}  by ${cause.kind} ${plain(cause.name)}${who}`,
    )
    if (Object.keys(changed).length > 0) terminal.line(`      ${terminal.styled('faint', 'set')} ${inLine(changed)}`)
    for (const { type, data } of emitted)
      terminal.line(`      ${terminal.styled('faint', 'emitted')} ${plain(type)} ${inLine(data)}`)
  }
}

/** `pawl history`: the journal of one instance. */
export function history(shell: Shell): void {
  const example = 'pawl history order o-17 --store sqlite:shop.db'
  const command = shell
    .command(
      'history <machine> <id>',
      'all transitions of an instance, oldest first: why, by whom, what changed',
      example,
    )
    .option('--after <seq>', 'only those behind this seq')
    .option('--limit <n>', 'so many at most (default: all)')
  shell.runs<Options>(reaching(command), (job, o, [machine, id]) => {
    const after = count(o.after, '--after', 0) ?? 0
    const limit = count(o.limit, '--limit') ?? Number.MAX_SAFE_INTEGER
    const target = [needed(machine, 'a machine'), needed(id, 'an id')] as const
    return connected(o, job, async (to) => {
      const rows = await rowsOf(job, to, target, { after, limit })
      job.terminal.result(rows, () => write(job, rows))
    })
  })
}
