import { checkAddresses } from './check-machine.ts'
import type { MachineDefinition, MessageDefinition } from './definition.ts'
import { checkKeys } from './erase-call.ts'
import { graphed } from './erase-machine.ts'
import type { Graphed } from './graph.ts'
import { withAhead } from './graph.ts'
import { machineObject } from './machine.ts'
import { asMessage } from './made.ts'
import type { Raw } from './place.ts'
import { Place } from './place.ts'
import { refuse } from './problem.ts'
import { compileBegin, compileStates } from './saga-compile.ts'
import type { SagaData } from './saga-data.ts'
import { sagaSchema } from './saga-data.ts'
import type { Part, SagaPlan, SagaScope } from './saga-plan.ts'
import { readPlan } from './saga-plan.ts'
import type { MakeSaga } from './types-saga.ts'

/** Adds a message under its type; two different ones of one name cannot be told apart. */
const add = (place: Place, messages: Map<string, MessageDefinition>, message: MessageDefinition): void => {
  const other = messages.get(message.type)
  if (other !== undefined && other !== message)
    place.say('name-twice', `two different messages are named "${message.type}"`)
  messages.set(message.type, message)
}

const optionalMessage = (place: Place, raw: unknown, what: string): MessageDefinition | undefined => {
  const message = asMessage(raw)
  if (message === undefined && raw !== undefined)
    place.say('bad-shape', `\`${what}\` is no message: pass what event() or command() returned`)
  return message
}

const readFairBy = (place: Place, raw: unknown): MachineDefinition['fairBy'] => {
  const fairBy = place.callback<(given: { readonly id: string; readonly input: unknown }) => string>(raw, '`fairBy`')
  return fairBy && (({ id, data }) => fairBy({ id, input: (data as SagaData).input }))
}

/** What a saga emits. */
const emitsOf = (place: Place, plan: SagaPlan): ReadonlyMap<string, MessageDefinition> => {
  const emits = new Map<string, MessageDefinition>()
  for (const { message } of [...plan.begin, ...plan.steps.flatMap((step) => step.emits), ...plan.failed])
    add(place, emits, message)
  return emits
}

/** What starts, cancels and moves a saga. */
const readMessages = (place: Place, raw: Raw, plan: SagaPlan) => {
  const start = optionalMessage(place, raw['start'], 'start')
  const cancel = optionalMessage(place, raw['cancel'], 'cancel')
  const receives = new Map<string, MessageDefinition>()
  for (const message of [start, cancel, ...plan.steps.map((step) => step.wait?.message)]) {
    if (message !== undefined) add(place, receives, message)
  }
  if (cancel !== undefined && plan.steps.some((step) => step.wait?.message === cancel)) {
    place.say('bad-step', `waits for "${cancel.type}", which is its \`cancel\`: give one of them a message of its own`)
  }
  return { start, cancel, receives }
}

const compile = (rawName: unknown, options: unknown, parts: readonly Part[], rawOutput: unknown): object => {
  const place = new Place([], typeof rawName === 'string' && rawName !== '' ? rawName : 'saga')
  const raw = place.fields(options ?? null, 'what saga() is given')
  place.keys(raw, ['version', 'input', 'start', 'cancel', 'priority', 'fairBy'], 'a saga')
  const plan = readPlan(place, parts)
  const { start, cancel, receives } = readMessages(place, raw, plan)
  const name = place.name(rawName, 'the name of the saga')
  const emits = emitsOf(place, plan)
  checkAddresses(place, name, receives.values(), emits.values())
  const output = place.needed<(scope: SagaScope) => unknown>(rawOutput, 'what done() is given')
  const states = withAhead(compileStates(plan))
  for (const state of states.values())
    checkKeys(place.at(`${place.where}, state "${state.name}"`), state.call?.activities.keys() ?? [])
  const version = place.whole(raw['version'], '`version`', 1, 1)
  const graph: Graphed = { name, version, initial: plan.steps[0]?.name ?? 'done', states, receives, emits }
  const definition: MachineDefinition = {
    kind: 'machine',
    ...graph,
    ...graphed(graph),
    schema: sagaSchema(place.schema(raw['input'], '`input`')),
    children: new Map(),
    start: new Map(start === undefined ? [] : [[start.type, (message: unknown) => message]]),
    correlate: new Map(),
    begin: compileBegin(plan),
    groups: [],
    finals: new Set(['done', 'undone']),
    priority: place.whole(raw['priority'], '`priority`', -Infinity, 0),
    fairBy: readFairBy(place, raw['fairBy']),
    migrate: new Map(),
    cancelBy: new Set(cancel === undefined ? [] : [cancel.type]),
    dataOf: (input) => ({ input, results: {} }),
    output: (id, data) => {
      const { input, results } = data as SagaData
      return output?.({ id, input, results })
    },
  }
  refuse(place.problems)
  return machineObject(definition, [])
}

/** Each call gives a new builder, so that what two sagas begin with can be shared. */
const builder = (name: unknown, options: unknown, parts: readonly Part[]): object => {
  const and = (part: Part): object => builder(name, options, [...parts, part])
  return Object.freeze({
    step: (step: unknown, o: unknown) => and({ kind: 'step', name: step, options: o }),
    parallel: (step: unknown, branches: unknown) => and({ kind: 'parallel', name: step, options: branches }),
    wait: (step: unknown, o: unknown) => and({ kind: 'wait', name: step, options: o }),
    pivot: () => and({ kind: 'pivot' }),
    emit: (type: unknown, data: unknown) => and({ kind: 'emit', type, data }),
    failed: (type: unknown, data: unknown) => and({ kind: 'failed', type, data }),
    done: (output: unknown) => compile(name, options, parts, output),
  })
}

/**
 * A straight line of steps with undos, compiled to a machine by `done()`, which throws PawlError `BAD_DEFINITION` with all problems at
 * once. A builder may be used again: each call gives a new one.
 */
export const saga: MakeSaga = (name: string, o: unknown) => builder(name, o, []) as never
