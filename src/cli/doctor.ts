import { badUsage } from './exit.ts'
import { Examination } from './examine.ts'
import { Findings } from './findings.ts'
import { storePath, type Job, type ReachOptions, type Shell } from './shell.ts'
import { StoreFile } from './store-file.ts'
import { plain } from './terminal.ts'

type Options = Pick<ReachOptions, 'store'> & { readonly strict?: boolean }

function examine(job: Job, path: string, isStrict: boolean): void {
  const { terminal } = job
  const findings = new Findings()
  const file = new StoreFile(path, ({ message }) => findings.add('readable', message))
  try {
    const seen = new Examination(file, findings).run((done, all) =>
      terminal.progress(`doctor: ${done} of ${all} instances`),
    )
    const { rules } = findings
    const isIll = rules.some(({ grade }) => grade === 'finding' || isStrict)
    if (isIll) job.fail()
    terminal.result({ ok: !isIll, ...seen, findings: rules }, () => {
      for (const { rule, grade, says, count, first } of rules) {
        terminal.line(
          `${terminal.styled(grade === 'finding' ? 'bad' : 'doubt', grade)}  ${rule}, ${count} times: ${says}`,
        )
        for (const text of first) terminal.line(`    ${plain(text)}`)
      }
      const what = `${seen.instances} instances, ${seen.rows} rows of their journals`
      terminal.line(
        isIll ? `${terminal.styled('bad', 'not well')}  ${what}` : `${terminal.styled('good', 'well')}  ${what}`,
      )
    })
  } finally {
    file.close()
  }
}

/** `pawl doctor`: whether a store keeps the promises. */
export function doctor(shell: Shell): void {
  const example = 'pawl doctor --store sqlite:shop.db'
  const command = shell
    .command(
      'doctor',
      'recount both laws and verify the invariants of a store; changes nothing, exits 1 on a finding',
      example,
    )
    .option('--store <store>', 'the store to examine: sqlite:path (or PAWL_STORE); its app may run')
    .option('--strict', 'doubts count as findings')
  shell.runs<Options>(command, async (job, o) => {
    const store = o.store ?? job.around.env.PAWL_STORE
    if (store === undefined) throw badUsage('the doctor looks at the store itself: --store sqlite:path')
    await Promise.resolve(examine(job, storePath(store, job.around.cwd), o.strict === true))
  })
}
