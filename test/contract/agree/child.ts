// A process of its own for one break of a store: sequences of commands until the two stores differ. Prints what differs.
import fc from 'fast-check'
import { errorText } from '../../../src/base/errors.ts'
import { Disagreement } from './place.ts'
import { rawProperty } from './run.ts'

const [sequences, seed] = process.argv.slice(2).map(Number)
const { errorInstance: error, numRuns } = await fc.check(rawProperty(), {
  numRuns: sequences!,
  seed: seed!,
  endOnFailure: true,
})
if (error !== null && error !== undefined)
  console.log(
    error instanceof Disagreement ? `after ${numRuns} sequences: ${error.message}` : `no program: ${errorText(error)}`,
  )
