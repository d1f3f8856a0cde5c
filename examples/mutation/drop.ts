// What stands between `machine` and its definition in a mutation run: one part is left out, or all parts are noted.
import { appendFileSync } from 'node:fs'
import { partsOf, without } from './parts.ts'

const noted = process.env['PAWL_PARTS']
const dropped = process.env['PAWL_DROP']

/** Whether a file of an example made this machine: `pawl/testing` makes machines too. */
const byAnExample = (): boolean => /\/examples\/(?!mutation\/)/.test(new Error('who asks').stack ?? '')

/** The definition without the part that is to be left out, where it is of this machine. A part is named `machine: path`. */
export function dropFrom(machine: string, definition: unknown): unknown {
  const raw = definition as Record<string, unknown>
  if (!byAnExample()) return raw
  const version = typeof raw['version'] === 'number' ? `@${raw['version']}` : ''
  for (const { path } of partsOf(raw)) {
    const name = `${machine}${version}: ${path.join(' / ')}`
    if (noted !== undefined) appendFileSync(noted, `${name}\n`)
    if (name === dropped) return without(raw, path)
  }
  return raw
}
