// How an instance begins: by `run`, by a message that its machine's `start` names, or by its parent.
import { jsonHash } from '../base/json.ts'
import type { MachineDefinition } from '../machine/definition.ts'
import { causeOf, Draft, type Before, type Context } from './draft.ts'
import { emitted } from './emit.ts'
import { enter } from './entry.ts'
import { ask, check } from './failure.ts'
import { redriven } from './fate.ts'
import { follow } from './follow.ts'
import { givenOf } from './given.ts'
import { hasEnded, type Instance, type MessageInput, type StartInput } from './model.ts'
import { nothing, outcomeOf, type Ended, type Outcome } from './outcome.ts'
import { decideAbout } from './reading.ts'
import { deadBy, FULL, isFull, retryWaiting, type Decided } from './waiting.ts'

type Create = NonNullable<Context['create']>

/** What has no life yet. */
const blank = (definition: MachineDefinition, id: string, { k, partition }: Create): Instance => ({
  ...{ k, machine: definition.name, id, partition, incarnation: '', version: 0, priority: 0, fairKey: null },
  ...{ status: 'live', state: definition.initial, seq: 0, entry: 0, enteredAt: 0, data: {}, dataText: '{}' },
  ...{ calls: null, timers: null, dueAt: null, joined: null, stamp: 0, parent: null, startHash: '', stalled: null },
  ...{ correlation: '', startedAt: 0, endedAt: null },
})

/** A first life, or another one: its numbers go on, so that what is late from the life before is known as such. */
const born = (
  definition: MachineDefinition,
  base: Instance,
  input: StartInput | MessageInput,
  at: number,
  incarnation: string,
): Instance => ({
  ...base,
  ...{ incarnation, version: definition.version, priority: definition.priority, correlation: input.correlation },
  ...{ status: 'live', calls: null, timers: null, joined: null, stalled: null, startedAt: at, endedAt: null },
  parent: input.kind === 'start' ? (input.parent ?? null) : null,
})

/** Creates an instance. Where its first transition fails, nothing is. */
function create(draft: Draft, input: StartInput | MessageInput, name: string, given: () => unknown): Outcome {
  const { definition, next, before } = draft
  const decided: Decided[] = []
  const begin = (): Ended => {
    const cause = causeOf(input, 'start', name)
    const change = draft.setData(definition.dataOf(given()), name, 'BAD_DATA')
    next.startHash = jsonHash(change)
    next.stamp = Math.max(next.stamp, input.stamp)
    const begun = emitted(definition.begin?.emit ?? [], () => givenOf(draft, cause))
    const entered = enter(draft, definition.initial, null, cause)
    const all = [...begun, ...entered.emitted]
    const row = { ...entered, from: null, emitted: all, change, unit: input.kind === 'message' }
    draft.record(cause, input.kind === 'message' ? { ...row, ...redriven(input) } : row)
    follow(draft, cause)
    return { fate: 'applied' }
  }
  const ended = draft.attempt(begin, (error): Ended => ({ fate: 'dead', ...deadBy(draft, error) }))
  if (ended.fate !== 'applied') return nothing(before, ended)
  const own = draft.journal.length
  retryWaiting(draft, decided)
  return outcomeOf(draft, ended, own, decided, true)
}

const draftOf = (
  definition: MachineDefinition,
  base: Instance,
  before: Before,
  input: StartInput | MessageInput,
  context: Context,
): Draft => {
  const incarnation = context.create?.incarnation ?? ''
  const draft = new Draft(definition, base, before, context)
  draft.next = born(definition, base, input, context.now, incarnation)
  return draft
}

/** An input for an instance that is not there. */
export function startNew(
  definition: MachineDefinition,
  id: string,
  before: Before,
  input: StartInput | MessageInput,
  context: Context,
): Outcome {
  const { create: made } = context
  const draftNew = (by: StartInput | MessageInput): Draft =>
    draftOf(definition, blank(definition, id, made!), before, by, context)
  if (input.kind === 'start')
    return made === null ? nothing(before, { fate: 'late' }) : create(draftNew(input), input, 'run', () => input.data)
  const read = decideAbout(definition, input)
  if (read.kind === 'build') return nothing(before, { fate: 'build' })
  if (read.kind === 'bad') return nothing(before, { fate: 'dead', code: 'BAD_DATA', message: read.problem })
  const { type, command, ifSeq } = input
  const start = definition.start.get(type)
  if (start !== undefined && ifSeq === undefined && made !== null)
    return create(draftNew(input), input, type, () => ask(`start "${type}"`, start, read.input.data))
  if (command) return nothing(before, { fate: 'unknown' })
  return nothing(before, isFull(before.waiting, input) ? FULL : { fate: 'absent' })
}

/** A parent's child: adopted where it is its own already, by whatever life of it; given a new life where it has ended and that is asked for. */
function adopt(
  definition: MachineDefinition,
  instance: Instance,
  before: Before,
  input: StartInput,
  context: Context,
): Outcome {
  const { parent } = instance
  const by = input.parent
  if (by === undefined || parent?.machine !== by.machine || parent.id !== by.id)
    return nothing(before, { fate: 'taken' })
  if (input.restart === true && hasEnded(instance.status) && context.create !== null)
    return create(draftOf(definition, instance, before, input, context), input, 'restart', () => input.data)
  const adopted = parent.incarnation === by.incarnation ? instance : Object.freeze({ ...instance, parent: by })
  return { ...nothing(before, { fate: 'exists' }), instance: adopted }
}

/** A start of what is there already. */
export function startAgain(
  definition: MachineDefinition,
  instance: Instance,
  before: Before,
  input: StartInput,
  context: Context,
): Outcome {
  if (input.parent !== undefined) return adopt(definition, instance, before, input, context)
  const checked = check(
    definition.schema,
    definition.dataOf(input.data),
    `the data of ${definition.name} "${instance.id}"`,
  )
  if ('problem' in checked) return nothing(before, { fate: 'dead', code: 'BAD_DATA', message: checked.problem })
  return nothing(before, { fate: jsonHash(checked.value) === instance.startHash ? 'exists' : 'conflict' })
}
