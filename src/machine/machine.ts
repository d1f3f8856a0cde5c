import { checkMachine } from './check-machine.ts'
import type { MachineDefinition } from './definition.ts'
import { define } from './definition.ts'
import { readMachine } from './erase-machine.ts'
import { Place } from './place.ts'
import type { Problem } from './problem.ts'
import { keepWarnings, refuse } from './problem.ts'
import type { MakeMachine } from './types-machine.ts'

/** The public object of a machine or a contract, tied to its definition. */
export function machineObject(definition: MachineDefinition, warnings: readonly Problem[]): object {
  const { kind, name, version } = definition
  const object = Object.freeze({ kind, name, version })
  keepWarnings(object, warnings)
  return define(object, definition)
}

/** Throws what is wrong; gives back what is only doubtful. */
export function refuseAllBut(problems: readonly Problem[]): readonly Problem[] {
  refuse(problems.filter(({ rule }) => rule !== 'stale'))
  return problems
}

const makeMachine = (name: unknown, options: unknown): object => {
  const place = new Place([], typeof name === 'string' && name !== '' ? name : 'machine')
  const raw = place.fields(options ?? null, 'the definition')
  const { definition, reading } = readMachine(place, name, raw)
  checkMachine(place, raw, definition, reading)
  return machineObject(definition, refuseAllBut(place.problems))
}

/**
 * Defines a finite state machine as one plain object: its data, messages, states and edges. Throws PawlError `BAD_DEFINITION` with all
 * problems at once, each with what to do.
 */
export const machine: MakeMachine = (name: string, definition: unknown) => makeMachine(name, definition) as never
