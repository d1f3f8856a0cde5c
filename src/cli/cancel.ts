import { needed } from './given.ts'
import { doToInstances, livingOnes, manyInstances, type ManyInstances } from './many.ts'
import { reaching, type ReachOptions, type Shell } from './shell.ts'

type Options = ManyInstances & ReachOptions & { readonly why?: string }

/** `pawl cancel`: takes the machine's cancel edge. */
export function cancel(shell: Shell): void {
  const example = `pawl cancel order o-17 --why "customer called" --store sqlite:shop.db --app app.ts
pawl cancel order --all --state waiting --dry-run --url http://127.0.0.1:4400`
  const command = shell
    .command('cancel <machine> [id]', "take the machine's cancel edge; a saga undoes what it did", example)
    .option('--why <text>', 'for the journal')
  shell.runs<Options>(reaching(manyInstances(command)), async (job, o, args) => {
    const why = o.dryRun === true ? '' : needed(o.why, '--why: it goes into the journal')
    await doToInstances(job, o, args, {
      verb: 'cancel',
      statuses: livingOnes,
      do: (to, id) => to.act(args[0]!, id, { do: 'cancel', why }),
    })
  })
}
