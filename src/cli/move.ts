import { json, jsonObject, needed } from './given.ts'
import { doToInstances, livingOnes, manyInstances, type ManyInstances } from './many.ts'
import { reaching, type ReachOptions, type Shell } from './shell.ts'

type Options = ManyInstances &
  ReachOptions & { readonly why?: string; readonly to?: string; readonly payload?: string; readonly data?: string }

/** `pawl move`: along a declared edge, by hand. */
export function move(shell: Shell): void {
  const example = `pawl move order o-17 --to shipped --why "the parcel is out" --store sqlite:shop.db --app app.ts
pawl move order --all --state packing --to shipped --dry-run --url http://127.0.0.1:4400`
  const command = shell
    .command('move <machine> [id]', 'move along a declared edge of the state', example)
    .option('--to <state>', 'where that edge leads; the state itself, with --data, tries what stalled again')
    .option('--payload <json>', 'what the edge is given: a message, a result; @file.json reads a file')
    .option('--data <json>', 'fields to correct before; @file.json reads a file')
    .option('--why <text>', 'for the journal')
  shell.runs<Options>(reaching(manyInstances(command)), async (job, o, args) => {
    const { cwd } = job.around
    const to = needed(o.to, '--to: the state to move to')
    const why = o.dryRun === true ? '' : needed(o.why, '--why: it goes into the journal')
    const payload = json(o.payload, '--payload', cwd)
    const data = jsonObject(o.data, '--data', cwd)
    const body = { why, to, ...(payload !== undefined && { payload }), ...(data !== undefined && { data }) }
    await doToInstances(job, o, args, {
      verb: 'move',
      statuses: livingOnes,
      do: (connection, id) => connection.act(args[0]!, id, { do: 'move', body }),
    })
  })
}
