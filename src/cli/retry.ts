import { needed } from './given.ts'
import { doToInstances, manyInstances, type ManyInstances } from './many.ts'
import { reaching, type ReachOptions, type Shell } from './shell.ts'

type Options = ManyInstances & ReachOptions & { readonly why?: string; readonly newKey?: boolean }

/** `pawl retry`: what stalled is tried again. */
export function retry(shell: Shell): void {
  const example = `pawl retry order o-17 --why "the bank is back" --store sqlite:shop.db --app app.ts
pawl retry order --all --code WORKER_DIED --dry-run --url http://127.0.0.1:4400`
  const command = shell
    .command('retry <machine> [id]', 'try what stalled again', example)
    .option('--why <text>', 'for the journal')
    .option('--new-key', 'under a new idempotency key, where the other side answers the old one with the old failure')
  shell.runs<Options>(reaching(manyInstances(command)), async (job, o, args) => {
    const why = o.dryRun === true ? '' : needed(o.why, '--why: it goes into the journal')
    const body = { why, ...(o.newKey === true && { newKey: true }) }
    await doToInstances(job, o, args, {
      verb: 'retry',
      statuses: ['stalled'],
      do: (to, id) => to.act(args[0]!, id, { do: 'retry', body }),
    })
  })
}
