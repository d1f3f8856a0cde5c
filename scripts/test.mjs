// Everything that must hold, stage by stage; the first stage that fails ends the run and is named.
// Arguments go to vitest: `npm test -- --project unit`.
import { spawnSync } from 'node:child_process'

const stages = [
  { name: 'types', command: 'tsc', args: ['--noEmit', '--checkers', '2'] },
  { name: 'lint', command: 'oxlint', args: ['--type-aware', '--deny-warnings'] },
  { name: 'format', command: 'prettier', args: ['--check', '--log-level', 'warn', '.'] },
  { name: 'tests', command: 'vitest', args: ['run', '--allowOnly=false', ...process.argv.slice(2)] },
]

for (const { name, command, args } of stages) {
  const started = performance.now()
  console.log(`\n── ${name}: ${command} ${args.join(' ')}`)
  const run = spawnSync(command, args, { stdio: 'inherit', shell: process.platform === 'win32' })
  if (run.error) console.error(run.error.message)
  if (run.status !== 0) {
    console.error(`── ${name} failed`)
    process.exit(run.status ?? 1)
  }
  console.log(`── ${name} passed in ${((performance.now() - started) / 1000).toFixed(1)} s`)
}
