import { badUsage } from './exit.ts'
import { count, json, needed } from './given.ts'
import { doToInstances, livingOnes, manyInstances, type ManyInstances } from './many.ts'
import { reaching, type ReachOptions, type Shell } from './shell.ts'

type Options = ManyInstances &
  ReachOptions & { readonly type?: string; readonly data?: string; readonly id?: string; readonly ifSeq?: string }

/** `pawl send`: an event or a command to one instance. */
export function send(shell: Shell): void {
  const example = `pawl send order o-17 --type PaymentReceived --data '{"order": "o-17"}' --store sqlite:shop.db --app app.ts
pawl send order --all --state waiting --type Remind --data @remind.json --dry-run --url http://127.0.0.1:4400`
  const command = shell
    .command('send <machine> [id]', 'send a message to an instance', example)
    .option('--type <type>', 'the type of the event or command')
    .option('--data <json>', 'its payload, default {}; @file.json reads a file')
    .option('--id <id>', 'the id of the message: what comes twice under one id is applied once')
    .option('--if-seq <n>', 'only if the instance is still at this seq')
  shell.runs<Options>(reaching(manyInstances(command)), async (job, o, args) => {
    const type = needed(o.type, '--type: the type of the message')
    if (o.all === true && o.ifSeq !== undefined) throw badUsage('--if-seq is for one instance')
    const ifSeq = count(o.ifSeq, '--if-seq', 0)
    const body = { type, data: json(o.data ?? '{}', '--data', job.around.cwd) }
    await doToInstances(job, o, args, {
      verb: 'send',
      statuses: livingOnes,
      do: (to, id) => to.act(args[0]!, id, { do: 'send', body, id: o.id, ifSeq }),
    })
  })
}
