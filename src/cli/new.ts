import { existsSync, globSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { PawlError } from '../base/errors.ts'
import { badUsage } from './exit.ts'
import { needed } from './given.ts'
import type { Shell } from './shell.ts'

/** Beside `dist` and `src`, in the package and in the repository alike. */
const root = fileURLToPath(new URL('../..', import.meta.url))
/** npm leaves files of this name out of a package. */
const RENAMED: Readonly<Record<string, string>> = { gitignore: '.gitignore' }

interface Package {
  readonly version: string
  readonly engines: { readonly node: string }
  readonly devDependencies: Readonly<Record<string, string>>
}

/** What a project needs, in the versions that this one was tested with. */
function packageOf(name: string): string {
  const own = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Package
  const { zod, typescript, '@types/node': types } = own.devDependencies
  return `${JSON.stringify(
    {
      name,
      version: '0.1.0',
      private: true,
      type: 'module',
      engines: own.engines,
      scripts: { start: 'node src/main.ts', test: 'node --test', types: 'tsc', check: 'pawl check src/app.ts' },
      dependencies: { pawl: own.version, zod },
      devDependencies: { '@types/node': types, typescript },
    },
    null,
    2,
  )}\n`
}

function checkName(name: string): void {
  if (!/^[a-z0-9][a-z0-9._-]{0,200}$/.test(name))
    throw badUsage(`"${name}" is no name for a package: write small letters, digits, and . _ - between them`)
}

function checkFree(folder: string): void {
  if (!existsSync(folder)) return
  if (!statSync(folder).isDirectory() || readdirSync(folder).length > 0)
    throw new PawlError(
      'FOLDER_NOT_EMPTY',
      `${folder} is there, and not empty: give another name, nothing is overwritten`,
    )
}

/** Writes the project; answers the names of its files. */
function write(folder: string, name: string): readonly string[] {
  const template = join(root, 'template')
  const files = globSync('**/*', { cwd: template }).filter((path) => statSync(join(template, path)).isFile())
  const written = ['package.json', ...files.map((path) => RENAMED[path] ?? path).toSorted()]
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'package.json'), packageOf(name), { flag: 'wx' })
  for (const path of files) {
    const to = join(folder, RENAMED[path] ?? path)
    mkdirSync(dirname(to), { recursive: true })
    writeFileSync(to, readFileSync(join(template, path), 'utf8').replaceAll('NAME', name), { flag: 'wx' })
  }
  return written
}

/** `pawl new`: a project that runs and passes its test. */
export function newProject(shell: Shell): void {
  const command = shell.command('new <folder>', 'make a project: one machine, its test, and HTTP', 'pawl new my-shop')
  shell.runs<object>(command, async (job, _, [given]) => {
    const folder = resolve(job.around.cwd, needed(given, 'the name of a folder'))
    const name = basename(folder)
    checkName(name)
    checkFree(folder)
    const files = write(folder, name)
    job.terminal.result({ folder, files }, () => {
      for (const file of files) job.terminal.line(`  ${file}`)
      job.terminal.line(`\nNow: cd ${given}; npm install; npm test; npm start`)
    })
    await Promise.resolve()
  })
}
