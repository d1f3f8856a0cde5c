// One thing to do, for one or for all that match. All: first they are listed, then each is done for itself; what one refuses keeps no
// other from it.
import type { Command } from 'commander'
import { errorText, isPawlError } from '../base/errors.ts'
import type { Connection, ReceiptLine } from './connection.ts'
import { badUsage } from './exit.ts'
import { count, needed } from './given.ts'
import type { Job, ReachOptions } from './shell.ts'
import { connected } from './shell.ts'
import { plain } from './terminal.ts'

const LIMIT = 1_000
const PAGE = 500
/** Done at once: the engine commits together what comes together. */
const AT_ONCE = 16
const SHOWN = 20

/** Options of what may be done to many. */
export interface ManyOptions {
  readonly all?: boolean
  readonly code?: string
  readonly limit?: string
  readonly dryRun?: boolean
  readonly yes?: boolean
}
/** Options of what may be done to many instances. */
export interface ManyInstances extends ManyOptions {
  readonly state?: string
  readonly status?: string
}

/** Adds the options of `ManyOptions`. */
export const many = (command: Command): Command =>
  command
    .option('--all', 'all that match, instead of one')
    .option('--code <code>', 'with --all: only those with this error code')
    .option('--limit <n>', `with --all: at most so many (default ${LIMIT}), oldest first`)
    .option('--dry-run', 'say what would be done, and do nothing')
    .option('--yes', 'with --all: do it')

/** Adds the options of `ManyInstances`. */
export const manyInstances = (command: Command): Command =>
  many(command)
    .option('--state <state>', 'with --all: only those in this state')
    .option('--status <status>', 'with --all: only running, waiting or stalled ones')

/** What is done to each. */
export interface Deed {
  /** In the words of the user: 'retry'. */
  readonly verb: string
  readonly do: (to: Connection, id: string) => Promise<ReceiptLine>
  /** Conditions of instances that it can mean. */
  readonly statuses: readonly string[]
}

const LIVING = ['running', 'waiting', 'stalled']
/** Whatever has not ended. */
export const livingOnes: readonly string[] = ['waiting', ...LIVING]

function statusesOf({ statuses }: Deed, o: ManyInstances): readonly string[] {
  if (o.status !== undefined && !LIVING.includes(o.status))
    throw badUsage(`--status ${o.status}: write ${LIVING.join(', ')}`)
  // Nothing else has a code.
  const meant = o.code === undefined ? statuses : ['stalled']
  const chosen = o.status === undefined ? meant : meant.filter((status) => status === o.status)
  if (chosen.length === 0) throw badUsage(`--status ${o.status}: only stalled ones can be meant here`)
  return chosen
}

/** The ids of a list, page by page, each once. */
async function gather<T extends { readonly id: string }>(
  found: Map<string, T>,
  limit: number,
  page: (after: string | undefined, limit: number) => Promise<{ readonly items: readonly T[]; readonly next?: string }>,
  takes: (item: T) => boolean = () => true,
): Promise<void> {
  for (let after: string | undefined; found.size <= limit;) {
    const { items, next } = await page(after, Math.min(PAGE, limit + 1))
    for (const item of items) if (takes(item)) found.set(item.id, item)
    if (next === undefined) return
    after = next
  }
}

interface Found {
  readonly ids: readonly string[]
  readonly isMore: boolean
}
const cutTo = (found: ReadonlyMap<string, unknown>, limit: number): Found => ({
  ids: [...found.keys()].slice(0, limit),
  isMore: found.size > limit,
})

async function matching(to: Connection, machine: string, deed: Deed, o: ManyInstances): Promise<Found> {
  const limit = count(o.limit, '--limit') ?? LIMIT
  const found = new Map<string, { readonly id: string }>()
  // What comes to wait, or to run, while the lists are read is in one of them.
  for (const status of statusesOf(deed, o))
    await gather(found, limit, (after, size) =>
      to.list({ machine, status, state: o.state, code: o.code, limit: size, after }),
    )
  return cutTo(found, limit)
}

/** Dead letters that match. */
export async function matchingLetters(to: Connection, machine: string | undefined, o: ManyOptions): Promise<Found> {
  const limit = count(o.limit, '--limit') ?? LIMIT
  const found = new Map<string, { readonly id: string; readonly error: { readonly code: string } }>()
  await gather(
    found,
    limit,
    (after, size) => to.deadLetters({ machine, limit: size, after }),
    ({ error }) => o.code === undefined || error.code === o.code,
  )
  return cutTo(found, limit)
}

/** What became of all of them. */
interface Sum {
  readonly matched: number
  readonly done: number
  readonly failed: readonly { readonly id: string; readonly code: string; readonly message: string }[]
}

async function each(
  job: Job,
  verb: string,
  ids: readonly string[],
  work: (id: string) => Promise<unknown>,
): Promise<Sum> {
  const failed: { id: string; code: string; message: string }[] = []
  let next = 0
  let over = 0
  const worker = async (): Promise<void> => {
    for (let id = ids[next++]; id !== undefined; id = ids[next++]) {
      try {
        await work(id)
      } catch (error) {
        failed.push({ id, code: isPawlError(error) ? error.code : 'ERROR', message: errorText(error) })
        // Nobody is there any more: the others would fail the same way, one by one.
        if (isPawlError(error, 'SERVER_UNREACHABLE')) throw error
      }
      job.terminal.progress(`${verb}: ${++over} of ${ids.length}, ${failed.length} failed`)
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  job.terminal.clear()
  return { matched: ids.length, done: ids.length - failed.length, failed }
}

function checkMany(o: ManyOptions): void {
  if (o.dryRun !== true && o.yes !== true)
    throw badUsage('with --all: look first with --dry-run, then add --yes to do it')
}

/** Does it to all that were found, or says what would be done. */
export async function doAll(
  job: Job,
  to: Connection,
  o: ManyOptions,
  verb: string,
  { ids, isMore }: Found,
  work: (id: string) => Promise<unknown>,
): Promise<void> {
  const { terminal } = job
  checkMany(o)
  if (o.dryRun !== true && ids.length > 0) await to.ready()
  if (isMore) terminal.note(`more than ${ids.length} match: these are the first; run it again for the rest`, 'doubt')
  if (o.dryRun === true) {
    terminal.result({ dryRun: true, matched: ids.length, ids }, () => {
      terminal.line(`${verb}: ${ids.length} match; nothing was done`)
      for (const id of ids.slice(0, SHOWN)) terminal.line(`  ${plain(id)}`)
      if (ids.length > SHOWN) terminal.line(`  … and ${ids.length - SHOWN} more (--json lists all)`)
    })
    return
  }
  const sum = await each(job, verb, ids, work)
  if (sum.failed.length > 0) job.fail()
  terminal.result(sum, () => {
    terminal.line(
      `${verb}: ${sum.done} of ${sum.matched} done${sum.failed.length > 0 ? `, ${sum.failed.length} failed` : ''}`,
    )
    for (const { id, code, message } of sum.failed.slice(0, SHOWN))
      terminal.line(`  ${plain(id)}: ${terminal.styled('bad', code)}: ${plain(message)}`)
    if (sum.failed.length > SHOWN) terminal.line(`  … and ${sum.failed.length - SHOWN} more (--json lists all)`)
  })
}

/** What became of one, in words. */
export function receiptText({ terminal }: Job, receipt: ReceiptLine): string {
  const { outcome, became, state, seq } = receipt
  const now = state === undefined ? '' : `, now in "${plain(state)}" at seq ${seq}`
  return `${terminal.word(outcome)}${became === undefined ? '' : ` (it was ${became})`}${now}`
}

/** Runs a command for one instance, or for all that match. */
export async function doToInstances(
  job: Job,
  o: ManyInstances & ReachOptions,
  [machineGiven, id]: readonly (string | undefined)[],
  deed: Deed,
): Promise<void> {
  const machine = needed(machineGiven, 'a machine')
  if (id === undefined && o.all !== true) throw badUsage('give the id of an instance, or --all')
  if (id !== undefined && o.all === true) throw badUsage('give either an id or --all, not both')
  if (id === undefined) checkMany(o)
  const { terminal } = job
  await connected(o, job, async (to) => {
    if (id === undefined)
      return doAll(job, to, o, deed.verb, await matching(to, machine, deed, o), (one) => deed.do(to, one))
    if (o.dryRun === true) {
      const { state, status } = await to.show(machine, id)
      return terminal.result({ dryRun: true, matched: 1, ids: [id] }, () =>
        terminal.line(`${deed.verb}: ${machine} ${plain(id)} is ${status} in "${plain(state)}"; nothing was done`),
      )
    }
    const receipt = await deed.do(to, id)
    terminal.result(receipt, () => terminal.line(`${deed.verb} ${machine} ${plain(id)}: ${receiptText(job, receipt)}`))
  })
}
