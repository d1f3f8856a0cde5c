// Loaded before anything else (`--import`): breaks one source file on its way into this process. No file on the disk changes, so any
// number of mutants may run at once, beside whoever works in the same folder.
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { mutantNamed } from './catalogue.ts'
import { mutated } from './source.ts'

const root = new URL('../../', import.meta.url)
const mutant = mutantNamed(process.env['PAWL_MUTANT'])
const url = mutant === undefined ? undefined : new URL(mutant.file, root).href

if (mutant !== undefined)
  registerHooks({
    load: (loaded, context, next) => {
      if (loaded !== url) return next(loaded, context)
      return { format: 'module-typescript', source: mutated(mutant, fileURLToPath(url)), shortCircuit: true }
    },
  })
