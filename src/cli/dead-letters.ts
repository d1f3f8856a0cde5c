import type { Command } from 'commander'
import type { Connection } from './connection.ts'
import { badUsage } from './exit.ts'
import { count, json, needed } from './given.ts'
import { doAll, many, matchingLetters, receiptText, type ManyOptions } from './many.ts'
import { connected, reaching, type Job, type ReachOptions, type Shell } from './shell.ts'
import { inLine, plain } from './terminal.ts'

const PAGE = 20

type ListOptions = ReachOptions & { readonly machine?: string; readonly limit?: string; readonly after?: string }
type DoOptions = ManyOptions &
  ReachOptions & { readonly machine?: string; readonly why?: string; readonly data?: string }

function list(shell: Shell, parent: Command): void {
  const example = 'pawl dead-letters list --machine order --store sqlite:shop.db'
  const command = shell
    .command('list', 'messages that could not be applied, newest first', example, parent)
    .option('--machine <machine>', 'only those for this machine')
    .option('--limit <n>', `how many (default ${PAGE})`)
    .option('--after <cursor>', 'the `next` of the page before')
  shell.runs<ListOptions>(reaching(command), (job, o) =>
    connected(o, job, async (to) => {
      const { machine, after } = o
      const page = await to.deadLetters({ machine, after, limit: count(o.limit, '--limit') ?? PAGE })
      const { terminal } = job
      terminal.result(page, () => {
        if (page.items.length === 0) return terminal.line('no dead letters')
        const rows = page.items.map(({ id, at, machine: of, instance, message, error }) =>
          [id, at, `${of} ${instance ?? ''}`, message.type, error.code, error.message].map(inLine),
        )
        terminal.table(['id', 'at', 'for', 'type', 'code', 'message'], rows)
        if (page.next !== undefined) terminal.note(`more: --after ${page.next}`, 'faint')
      })
    }),
  )
}

/** One letter, or all that match. */
async function run(
  job: Job,
  o: DoOptions,
  id: string | undefined,
  verb: string,
  work: (to: Connection, id: string) => Promise<string>,
): Promise<void> {
  if (id === undefined && o.all !== true) throw badUsage('give the id of a dead letter, or --all')
  if (id !== undefined && o.all === true) throw badUsage('give either an id or --all, not both')
  const found = id === undefined ? undefined : { ids: [id], isMore: false }
  const { terminal } = job
  await connected(o, job, async (to) => {
    if (found === undefined || o.dryRun === true)
      return doAll(job, to, o, verb, found ?? (await matchingLetters(to, o.machine, o)), (one) => work(to, one))
    const became = await work(to, id!)
    terminal.result({ id, became }, () => terminal.line(`${verb} ${plain(id!)}: ${became}`))
  })
}

const doing = (command: Command): Command =>
  reaching(
    many(
      command
        .option('--machine <machine>', 'with --all: only those for this machine')
        .option('--why <text>', 'for the journal'),
    ),
  )

function redrive(shell: Shell, parent: Command): void {
  const example = `pawl dead-letters redrive 0198c2 --why "mended" --data '{"cents": 5}' --store sqlite:shop.db --app app.ts
pawl dead-letters redrive --all --code HANDLER_FAILED --dry-run --url http://127.0.0.1:4400`
  const command = shell
    .command('redrive [id]', 'send a dead letter again', example, parent)
    .option('--data <json>', 'its payload, mended; @file.json reads a file')
  shell.runs<DoOptions>(doing(command), async (job, o, [id]) => {
    const why = o.dryRun === true ? '' : needed(o.why, '--why: it goes into the journal')
    const data = json(o.data, '--data', job.around.cwd)
    if (o.all === true && data !== undefined) throw badUsage('--data is for one dead letter')
    const body = { why, ...(data !== undefined && { data }) }
    await run(job, o, id, 'redrive', async (to, one) => receiptText(job, await to.redrive(one, body)))
  })
}

function discard(shell: Shell, parent: Command): void {
  const example = `pawl dead-letters discard 0198c2 --why "a test of ours" --store sqlite:shop.db --app app.ts
pawl dead-letters discard --all --machine order --code BAD_DATA --dry-run --url http://127.0.0.1:4400`
  const command = shell.command('discard [id]', 'give a dead letter up', example, parent)
  shell.runs<DoOptions>(doing(command), async (job, o, [id]) => {
    const why = o.dryRun === true ? '' : needed(o.why, '--why: it goes into the journal')
    await run(job, o, id, 'discard', async (to, one) => {
      await to.discard(one, { why })
      return 'discarded'
    })
  })
}

/** `pawl dead-letters`: lists, redrives and discards them. */
export function deadLetters(shell: Shell): void {
  const parent = shell.program.command('dead-letters').description('messages that could not be applied')
  list(shell, parent)
  redrive(shell, parent)
  discard(shell, parent)
}
