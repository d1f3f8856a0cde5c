// All mutants, by the promises that they break.
import { atomicity } from './atomicity.ts'
import { calls } from './calls.ts'
import { events } from './events.ts'
import { messages } from './messages.ts'
import type { Mutant } from './mutant.ts'
import { sagas } from './sagas.ts'
import { standstill } from './standstill.ts'

/** The catalogue. */
export const mutants: readonly Mutant[] = [...atomicity, ...messages, ...calls, ...events, ...sagas, ...standstill]
