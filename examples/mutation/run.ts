// npm run mutate-examples [-- NAME …]: takes each part out of each machine of the examples, one at a time; the example's tests must fail. What
// survives stands in survivors.json with its reason, or ends this run with 1. The tests of the drawings do not count: they see every edge.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'

const here = import.meta.dirname
const survivors = JSON.parse(readFileSync(join(here, 'survivors.json'), 'utf8')) as Record<string, string>
const vitest = join(here, '../../node_modules/vitest/vitest.mjs')

/** Whether the tests of an example pass. */
function passes(example: string, env: Record<string, string>): boolean {
  const options = [
    '--config',
    join(here, 'vitest.config.ts'),
    '--bail',
    '1',
    '-t',
    '^(?!.*the drawings? in the README)',
  ]
  const run = ['--conditions=pawl-source', vitest, 'run', `examples/${example}/`, ...options]
  return spawnSync(process.execPath, run, { env: { ...process.env, ...env }, stdio: 'ignore' }).status === 0
}

/** The parts of all machines that the tests of an example make. */
function partsOf(example: string): readonly string[] {
  const folder = mkdtempSync(join(tmpdir(), 'pawl-parts-'))
  const file = join(folder, 'parts')
  try {
    if (!passes(example, { PAWL_PARTS: file }))
      throw new Error(`the tests of ${example} fail as it is: mend that first`)
    return existsSync(file) ? [...new Set(readFileSync(file, 'utf8').trim().split('\n'))] : []
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const all = globSync('*/main.ts', { cwd: join(here, '..') })
  .map((path) => basename(dirname(path)))
  .filter((name) => name !== 'shop')
  .toSorted()
const asked = process.argv.slice(2)
const survived: string[] = []
for (const example of asked.length > 0 ? asked : all) {
  const parts = partsOf(example)
  let caught = 0
  for (const part of parts) {
    if (!passes(example, { PAWL_DROP: part })) {
      caught += 1
      continue
    }
    const name = `${example}/${part}`
    console.log(`  survives: ${name}${survivors[name] === undefined ? '' : ` (known: ${survivors[name]})`}`)
    if (survivors[name] === undefined) survived.push(name)
  }
  console.log(`${example}: ${caught} of ${parts.length} caught`)
}
if (survived.length > 0) {
  console.error(
    `not in survivors.json: write a test that fails without it, or why there is none:\n  ${survived.join('\n  ')}`,
  )
  process.exitCode = 1
}
