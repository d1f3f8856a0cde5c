// Loaded before anything else (`--import`): breaks one source file on its way into this process. No file on the disk changes, so any
// number of mutants may run at once, beside whoever works in the same folder.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import type { Mutant } from './mutant.ts'
import { mutated } from './source.ts'

const given = process.env['PAWL_MUTANT']

if (given !== undefined) {
  const mutant = JSON.parse(given) as Mutant
  const url = new URL(`../../${mutant.file}`, import.meta.url).href
  registerHooks({
    load: (loaded, context, next) =>
      loaded === url
        ? { format: 'module-typescript', source: mutated(mutant, fileURLToPath(url)), shortCircuit: true }
        : next(loaded, context),
  })
}
