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

/** Where something begins. */
export interface Place {
  readonly definition: MachineDefinition
  readonly id: string
  readonly before: Before
  readonly context: Context
}
type Creating = StartInput | MessageInput

/** What has no life yet. Written out, since it is made for every new instance: objects spread into one took five times as long. */
// prettier-ignore
const unborn = (machine: string, id: string, state: string, k: number, partition: number): Instance => ({
  k, machine, id, partition, incarnation: '', version: 0, status: 'live', state, seq: 0, entry: 0, enteredAt: 0,
  data: {}, dataText: '{}', calls: null, timers: null, dueAt: null, joined: null, stamp: 0, parent: null,
  startHash: '', stalled: null, correlation: '', priority: 0, fairKey: null, startedAt: 0, endedAt: null,
})
const ALIVE = { status: 'live', calls: null, timers: null, joined: null, stalled: null, endedAt: null } as const

/** A first life, or another one: its numbers go on, so that what is late from the life before is known as such. */
function born(
  { definition, id, before, context }: Place,
  input: Creating,
  made: NonNullable<Context['create']>,
): Draft {
  const { name: machine, initial: state, version, priority } = definition
  const { k, partition, incarnation } = made
  const { correlation } = input
  const startedAt = context.now
  const parent = input.kind === 'start' ? (input.parent ?? null) : null
  const draft = new Draft(definition, before.instance ?? unborn(machine, id, state, k, partition), before, context)
  Object.assign(draft.next, ALIVE, { incarnation, version, priority, correlation, startedAt, parent })
  return draft
}

/** Creates an instance. Where its first transition fails, nothing is. */
function create(draft: Draft, input: Creating, name: string, given: () => unknown): Outcome {
  const { definition, next, before } = draft
  const begin = (): Ended => {
    const cause = causeOf(draft, input, 'start', name)
    const change = draft.setData(definition.dataOf(given()), name, 'BAD_DATA')
    next.startHash = jsonHash(change)
    next.stamp = Math.max(next.stamp, input.stamp)
    const begun = emitted(definition.begin?.emit ?? [], () => givenOf(draft, cause))
    const entered = enter(draft, definition.initial, null, cause)
    const all = [...begun, ...entered.emitted]
    const row = { ...entered, from: null, emitted: all, change }
    draft.record(cause, input.kind === 'message' ? { ...row, unit: true, ...redriven(input) } : row)
    follow(draft, cause)
    return { fate: 'applied' }
  }
  const ended = draft.attempt(begin, (error): Ended => ({ fate: 'dead', ...deadBy(draft, error) }))
  if (ended.fate !== 'applied') return nothing(before, ended)
  const own = draft.journal.length
  const decided: Decided[] = []
  retryWaiting(draft, decided)
  return outcomeOf(draft, ended, own, decided, true)
}

/** An input for an instance that is not there. */
export function startNew(place: Place, input: Creating): Outcome {
  const { definition, before } = place
  const made = place.context.create
  if (input.kind === 'start') {
    if (made === null) return nothing(before, { fate: 'late' })
    return create(born(place, input, made), input, 'run', () => input.data)
  }
  const read = decideAbout(definition, input)
  if (read.kind === 'build') return nothing(before, { fate: 'build' })
  if (read.kind === 'bad') return nothing(before, { fate: 'dead', code: 'BAD_DATA', message: read.problem })
  const { type, command, ifSeq } = input
  const start = definition.start.get(type)
  if (start !== undefined && ifSeq === undefined && made !== null)
    return create(born(place, input, made), input, type, () => ask(`start "${type}"`, start, read.input.data))
  if (command) return nothing(before, { fate: 'unknown' })
  return nothing(before, isFull(before.waiting, input) ? FULL : { fate: 'absent' })
}

/** A parent's child: adopted where it is its own already, by whatever life of it; given a new life where it has ended and that is asked for. */
function adopt(place: Place, instance: Instance, input: StartInput): Outcome {
  const { before, context } = place
  const { parent } = instance
  const by = input.parent
  if (by === undefined || parent?.machine !== by.machine || parent.id !== by.id)
    return nothing(before, { fate: 'taken' })
  if (input.restart === true && hasEnded(instance.status) && context.create !== null) {
    const { k, partition } = instance
    return create(born(place, input, { ...context.create, k, partition }), input, 'restart', () => input.data)
  }
  const adopted = parent.incarnation === by.incarnation ? instance : Object.freeze({ ...instance, parent: by })
  return { ...nothing(before, { fate: 'exists' }), instance: adopted }
}

/** A start of what is there already. */
export function startAgain(place: Place, instance: Instance, input: StartInput): Outcome {
  const { definition, before } = place
  if (input.parent !== undefined) return adopt(place, instance, input)
  const { name, schema } = definition
  const checked = check(schema, definition.dataOf(input.data), `the data of ${name} "${instance.id}"`)
  if ('problem' in checked) return nothing(before, { fate: 'dead', code: 'BAD_DATA', message: checked.problem })
  return nothing(before, { fate: jsonHash(checked.value) === instance.startHash ? 'exists' : 'conflict' })
}
