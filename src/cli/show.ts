import type { InstanceShown } from './connection.ts'
import { needed } from './given.ts'
import { connected, reaching, type Job, type ReachOptions, type Shell } from './shell.ts'
import { inLine, plain } from './terminal.ts'

function write({ terminal }: Job, machine: string, shown: InstanceShown): void {
  const { id, state, status, seq, stalled, data, more = {} } = shown
  terminal.line(
    `${terminal.styled('strong', `${machine} ${plain(id)}`)}: ${terminal.word(status)} in "${plain(state)}", seq ${seq}`,
  )
  if (stalled !== undefined)
    terminal.line(`  stalled: ${terminal.styled('bad', plain(stalled.code))}: ${plain(stalled.message)}`)
  for (const [name, value] of Object.entries({ data, ...more })) {
    if (Array.isArray(value)) {
      terminal.line(`  ${name}:`)
      for (const item of value as unknown[]) terminal.line(`    ${inLine(item)}`)
    } else terminal.line(`  ${name}: ${inLine(value)}`)
  }
}

/** `pawl show`: one instance as it stands. */
export function show(shell: Shell): void {
  const example = 'pawl show order o-17 --store sqlite:shop.db'
  const command = shell.command('show <machine> <id>', 'how an instance stands, and what it waits for', example)
  shell.runs<ReachOptions>(reaching(command), (job, o, [machine, id]) =>
    connected(o, job, async (to) => {
      const shown = await to.show(needed(machine, 'a machine'), needed(id, 'an id'))
      job.terminal.result(shown, () => write(job, machine!, shown))
    }),
  )
}
