// `npm run example NAME`: starts examples/NAME/main.ts. Without a name, or with one that is not there, it says which there are.
import { spawnSync } from 'node:child_process'
import { existsSync, globSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))

/** The first line of a README under its title says what the example shows. */
const about = (name) => {
  const readme = join(here, name, 'README.md')
  if (!existsSync(readme)) return ''
  return (
    readFileSync(readme, 'utf8')
      .split('\n')
      .slice(1)
      .find((line) => line.trim() !== '') ?? ''
  )
}

const names = globSync('*/main.ts', { cwd: here })
  .map((path) => basename(dirname(path)))
  .toSorted()
const [name, ...rest] = process.argv.slice(2)

if (name === undefined || !names.includes(name)) {
  if (name !== undefined && name !== '--help') console.error(`there is no example "${name}"`)
  console.log('npm run example NAME, where NAME is one of:')
  for (const one of names) console.log(`  ${one.padEnd(14)} ${about(one)}`)
  process.exit(name === '--help' || name === undefined ? 0 : 1)
}
const main = join(here, name, 'main.ts')
const { status } = spawnSync(process.execPath, ['--conditions=pawl-source', main, ...rest], { stdio: 'inherit' })
process.exit(status ?? 1)
