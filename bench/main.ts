// npm run bench: how fast Pawl is, beside how fast the raw store takes the same rows on the same disk. It prints what each figure is to be, and
// fails for none: on another machine, or beside other programs, they mean nothing.
import { help, optionsOf, UsageError, type Options } from './options.ts'
import { questions } from './questions.ts'
import { jsonOf, keepProfile, textOf } from './report.ts'
import { run } from './runner.ts'

async function answer(name: string, o: Options): Promise<void> {
  for (const { row, aims } of questions[name]?.rows(o) ?? []) {
    const result = await run(row, o)
    console.log(o.json ? jsonOf(name, result, aims) : `${textOf(name, result, aims)}\n`)
    if (row.kind === 'profile') keepProfile(result)
  }
}

async function main(o: Options): Promise<void> {
  if (o.help) console.log(help())
  else for (const name of o.questions) await answer(name, o)
}

try {
  await main(optionsOf(process.argv.slice(2)))
} catch (error) {
  if (!(error instanceof Error)) throw error
  const usage = error instanceof UsageError
  console.error(usage ? `${error.message}\n\n${help()}` : error.message)
  process.exitCode = usage ? 2 : 1
}
