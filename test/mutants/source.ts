import { readFileSync } from 'node:fs'
import type { Mutant } from './mutant.ts'

/** The source of a mutant's file with its break in it. Throws where the text to be replaced is not there exactly once. */
export function mutated({ name, file, find, replace }: Mutant, path: string): string {
  const parts = readFileSync(path, 'utf8').split(find)
  if (parts.length !== 2)
    throw new Error(
      `mutant ${name}: its text stands ${parts.length - 1} times in ${file}, not once; write anew what it breaks:\n${find}`,
    )
  return parts.join(replace)
}
