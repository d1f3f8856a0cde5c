// What a run that is kept as evidence says of itself, so that anybody can do it again.
import { spawnSync } from 'node:child_process'
import { availableParallelism, cpus, release } from 'node:os'
import { fileURLToPath } from 'node:url'

/** When, of what, how, and where. */
export interface Origin {
  /** When it began, ISO 8601. */
  readonly at: string
  /** The commit; with `+` behind it where files had been changed since. */
  readonly commit: string
  readonly command: string
  readonly node: string
  readonly machine: string
}

const root = fileURLToPath(new URL('../..', import.meta.url))
const git = (...args: readonly string[]): string =>
  spawnSync('git', args, { cwd: root, encoding: 'utf8' }).stdout?.trim() ?? ''

/** Of this process. `script`: what npm calls it; where the record is written is no part of how it was run. */
export function originOf(script: string, startedAt: Date): Origin {
  const given = process.argv.slice(2)
  const json = given.indexOf('--json')
  const args = json < 0 ? given : given.toSpliced(json, 2)
  const changed = git('status', '--porcelain', '--untracked-files=no') === '' ? '' : '+'
  return {
    at: startedAt.toISOString(),
    commit: `${git('rev-parse', '--short=12', 'HEAD')}${changed}`,
    command: [`npm run ${script}`, ...(args.length > 0 ? ['--', ...args] : [])].join(' '),
    node: process.version,
    machine: `${process.platform} ${release()}, ${availableParallelism()} cores, ${cpus()[0]?.model.trim() ?? 'unknown'}`,
  }
}
