import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Machine } from 'pawl'
import { mermaid } from '../../src/machine/describe.ts'

/** A drawing in a README: a heading that names the machine, and a block behind it. */
const block = (name: string): RegExp => new RegExp(`(### ${name}\n+\`\`\`mermaid\n)([^\`]*)(\`\`\`)`)

/**
 * What differs between the drawings of machines in the README of a folder, under a heading `### name`, and what is drawn of them now: empty where
 * nothing does. With DRAW=1 in the environment the README is written anew.
 */
export function drawingFaults(folder: string, machines: readonly Machine[]): readonly string[] {
  const path = join(folder, 'README.md')
  if (!existsSync(path)) return [`${path} is missing`]
  let text = readFileSync(path, 'utf8')
  const faults: string[] = []
  for (const one of machines) {
    const drawn = mermaid(one)
    const found = block(one.name).exec(text)
    if (found === null) faults.push(`README.md has no drawing under "### ${one.name}"`)
    else if (found[2] !== drawn) faults.push(`the drawing of ${one.name} is old: write it anew with DRAW=1`)
    text = text.replace(block(one.name), (_, head: string, _old, tail: string) => `${head}${drawn}${tail}`)
  }
  if (process.env['DRAW'] === '1' && faults.every((fault) => fault.includes('is old'))) {
    writeFileSync(path, text)
    return []
  }
  return faults
}
