import { badUsage } from './exit.ts'
import { json, needed } from './given.ts'
import { doToInstances, manyInstances, type ManyInstances } from './many.ts'
import { reaching, type ReachOptions, type Shell } from './shell.ts'

type Options = ManyInstances &
  ReachOptions & { readonly why?: string; readonly call?: string; readonly result?: string; readonly failure?: string }

/** `pawl resolve`: says how a call ended. */
export function resolve(shell: Shell): void {
  const example = `pawl resolve order o-17 --result '{"payment": "p-9"}' --why "seen at the bank" --store sqlite:shop.db --app app.ts
pawl resolve order --all --state charging --failure Declined --dry-run --url http://127.0.0.1:4400`
  const command = shell
    .command(
      'resolve <machine> [id]',
      'say how a call ended of what stalled: its result, or one of its failures',
      example,
    )
    .option('--result <json>', 'it was done, and gave this; @file.json reads a file')
    .option('--failure <code>', 'it was not done, with this declared failure')
    .option('--call <name>', 'which call, where several are open')
    .option('--why <text>', 'for the journal')
  shell.runs<Options>(reaching(manyInstances(command)), async (job, o, args) => {
    if ((o.result === undefined) === (o.failure === undefined)) throw badUsage('give either --result or --failure')
    const why = o.dryRun === true ? '' : needed(o.why, '--why: it goes into the journal')
    const settled =
      o.failure === undefined ? { result: json(o.result, '--result', job.around.cwd) } : { failure: o.failure }
    const body = { why, ...settled, ...(o.call !== undefined && { call: o.call }) }
    await doToInstances(job, o, args, {
      verb: 'resolve',
      statuses: ['stalled'],
      do: (to, id) => to.act(args[0]!, id, { do: 'resolve', body }),
    })
  })
}
