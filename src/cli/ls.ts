import type { Counts } from '../machine/types-app.ts'
import type { Page, InstanceLine } from './connection.ts'
import { badUsage } from './exit.ts'
import { count } from './given.ts'
import { connected, reaching, type Job, type ReachOptions, type Shell } from './shell.ts'
import { inLine, plain } from './terminal.ts'

const PAGE = 20
const STATUSES = ['running', 'waiting', 'stalled', 'done', 'failed', 'cancelled']

interface Options extends ReachOptions {
  readonly state?: string
  readonly status?: string
  readonly code?: string
  readonly limit?: string
  readonly after?: string
}

function overview({ terminal }: Job, counts: Counts): void {
  terminal.result(counts, () => {
    const machines = Object.entries(counts.instances).toSorted(([a], [b]) => (a < b ? -1 : 1))
    const figures = ['started', ...STATUSES, 'removed'] as const
    const rows = machines.map(([name, of]) => [
      name,
      ...figures.map((one) => `${of[one as keyof typeof of] as number}`),
    ])
    terminal.table(
      ['machine', ...figures],
      rows.map((row) => row.map(plain)),
    )
    const { accepted, ...became } = counts.messages
    const parts = Object.entries(became).filter(([, n]) => n > 0)
    terminal.line()
    terminal.line(`messages: ${[`${accepted} accepted`, ...parts.map(([name, n]) => `${n} ${name}`)].join(', ')}`)
  })
}

function page({ terminal }: Job, { items, next }: Page<InstanceLine>): void {
  terminal.result({ items, ...(next !== undefined && { next }) }, () => {
    if (items.length === 0 && next === undefined) return terminal.line('none')
    const rows = items.map(({ id, state, status, seq, stalled, data }) =>
      [id, status, state, `${seq}`, stalled === undefined ? data : `${stalled.code}: ${stalled.message}`].map(inLine),
    )
    terminal.table(['id', 'status', 'state', 'seq', 'data, or why it stalls'], rows, [1])
    if (next !== undefined) terminal.note(`more: --after ${next}`, 'faint')
  })
}

/** `pawl ls`: what there is of each machine, or the instances of one. */
export function ls(shell: Shell): void {
  const example = `pawl ls --store sqlite:shop.db
pawl ls order --status stalled --code WORKER_DIED --store sqlite:shop.db`
  const command = shell
    .command('ls [machine]', 'how many instances there are by machine; of one machine, its instances', example)
    .option('--state <state>', 'only those in this state')
    .option('--status <status>', `only those that are ${STATUSES.join(', ')}`)
    .option('--code <code>', 'only those that stall with this code')
    .option('--limit <n>', `how many (default ${PAGE}); living ones oldest first, then ended ones newest first`)
    .option('--after <cursor>', 'the `next` of the page before')
  shell.runs<Options>(reaching(command), async (job, o, [machine]) => {
    const { state, status, code, after } = o
    if (status !== undefined && !STATUSES.includes(status))
      throw badUsage(`--status ${status}: write ${STATUSES.join(', ')}`)
    if (code !== undefined && status !== undefined && status !== 'stalled')
      throw badUsage('--code is why an instance stalls: leave --status out')
    const limit = count(o.limit, '--limit') ?? PAGE
    if (machine === undefined && [state, status, code, after, o.limit].some((one) => one !== undefined))
      throw badUsage('name the machine whose instances are meant: pawl ls order …')
    await connected(o, job, async (to) => {
      if (machine === undefined) return overview(job, await to.counts())
      const meant = code === undefined ? status : 'stalled'
      page(job, await to.list({ machine, state, status: meant, code, limit, after }))
    })
  })
}
