// Makes definitions of sketches: what a user would have written, by the public API.
import type { Duration } from '../../../base/duration.ts'
import { activity } from '../../../machine/activity.ts'
import { contract } from '../../../machine/contract.ts'
import { machine } from '../../../machine/machine.ts'
import { command, event } from '../../../machine/message.ts'
import type { AnyActivity } from '../../../machine/types-activity.ts'
import type { AnyMachine } from '../../../machine/types-machine.ts'
import type { MessageType } from '../../../machine/types-message.ts'
import { fields } from '../schema.ts'
import { changes, flawed, guarded, holds, inputsOf, kidId, payloads } from './meaning.ts'
import type {
  ActivitySketch,
  CallSketch,
  FollowSketch,
  KidsSketch,
  MachineSketch,
  MessageSketch,
  MigrationSketch,
  RandomData,
  RandomPayload,
  StateSketch,
  Step,
  Tell,
  TimerSketch,
} from './sketch.ts'

/** What the callbacks of a random machine look at. */
interface Seen {
  readonly id: string
  readonly data: RandomData
  readonly now: Date
  need(this: void, field: string): unknown
  readonly message?: RandomPayload
  readonly result?: { readonly v: number }
  readonly results?: Readonly<Record<string, { readonly v: number } | undefined>>
  readonly error?: { readonly code: string }
  readonly child?: { readonly id: string; readonly state: string; readonly data: RandomData }
  readonly why?: string
}
type Written = Record<string, unknown>

/** What sketches are built with: all by name. */
export interface Parts {
  readonly messages: ReadonlyMap<string, MessageType>
  readonly activities: ReadonlyMap<string, AnyActivity>
  /** Machines that are made by now. */
  readonly machines: ReadonlyMap<string, AnyMachine>
}

const ms = (time: number): Duration => `${time} ms`
/** The schema of random data. */
export const RANDOM_DATA = fields<RandomData>('hops', 'sum', 'kids', 'note?', 'fair', 'gen?')
/** Of what is sent and of what activities are given and answer. */
export const PAYLOAD = fields<RandomPayload>('to', 'v')
const NUMBER = fields<{ v: number }>('v')
const UNDO = fields<{ key: string }>('key')

/** An event or a command. */
export function buildMessage({ kind, type, to }: MessageSketch): MessageType {
  const data = PAYLOAD
  const key = ({ to: whom }: RandomPayload): string => whom
  if (kind === 'event') return event(type, { data, key, keep: '9 seconds' })
  return to === undefined
    ? command(type, { data, keep: '9 seconds' })
    : command(type, { data, keep: '9 seconds', to, key })
}

/** An activity without a body. */
export function buildActivity(o: ActivitySketch): AnyActivity {
  const { attempts, withinMs } = o
  const retry = { attempts, first: '100 ms', max: '1 second', ...(withinMs && { within: ms(withinMs) }) } as const
  const options = {
    input: o.undoes === undefined ? NUMBER : UNDO,
    output: NUMBER,
    failures: o.failures,
    retry,
    timeout: ms(o.timeoutMs),
    ...(o.heartbeatMs !== undefined && { heartbeat: ms(o.heartbeatMs) }),
    ...(o.concurrency !== undefined && { concurrency: o.concurrency }),
    ...(o.rate !== undefined && { rate: { count: o.rate, per: '500 ms' } }),
    ...(o.interruptible && { interruptible: true }),
  }
  return activity(o.name, options as never)
}

/** What a step sees of what it is given, as one number. */
function seenBy({ message, result, results, error, child, why }: Seen): number {
  if (message !== undefined) return message.v
  if (error !== undefined) return error.code.length
  if (result !== undefined) return result.v
  if (results !== undefined) return Object.values(results).reduce((sum, one) => sum + (one?.v ?? 0), 0)
  if (child !== undefined) return child.state.length
  return why?.length ?? 0
}

const compute =
  (step: Step) =>
  (given: Seen): Written => {
    const { flaw, tag } = step
    const seen = seenBy(given)
    if (flaw === undefined || !flawed(step, given.data, seen)) return changes(step, given.data, seen)
    if (flaw === 'throws') throw new Error(`step ${tag} fails`)
    if (flaw === 'unfit') return { nonsense: tag }
    given.need('gen')
    return changes(step, given.data, seen)
  }

function set(step: Step): unknown {
  if (step.sets === 'nothing') return undefined
  if (step.sets === 'function') return compute(step)
  const names = Object.keys(changes(step, { hops: 0, sum: 0, kids: 0, fair: '' }, 0))
  return Object.fromEntries(names.map((name) => [name, (given: Seen) => compute(step)(given)[name]]))
}

function emit(tells: readonly Tell[]): Written | undefined {
  if (tells.length === 0) return undefined
  const give = (tell: Tell) => (given: Seen) => {
    const told = payloads(tell, given.id, given.data)
    return told.length === 0 ? null : told.length === 1 ? told[0] : told
  }
  return Object.fromEntries(tells.map((tell) => [tell.type, give(tell)]))
}

/** Leaves out what is undefined: a user would not have written it. */
const written = (o: Written): Written =>
  Object.fromEntries(Object.entries(o).filter(([, value]) => value !== undefined))

function writeStep(step: Step): Written {
  const chooses = step.when !== undefined || step.early
  return written({
    to: step.to,
    if: chooses ? (given: Seen) => holds(step, given.data, seenBy(given)) : undefined,
    set: set(step),
    emit: emit(step.tells),
  })
}

/** An edge: `{}`, the name of a state, one step or a list of them. */
function writeEdge(steps: readonly Step[]): unknown {
  const [first] = steps
  if (first === undefined) return {}
  return steps.length === 1 ? writeStep(first) : steps.map(writeStep)
}

const writeEdges = (edges: Readonly<Record<string, readonly Step[]>>): Written | undefined =>
  Object.keys(edges).length === 0
    ? undefined
    : Object.fromEntries(Object.entries(edges).map(([name, steps]) => [name, writeEdge(steps)]))

function writeTimer({ name, ms: time, form, steps }: TimerSketch): Written {
  const step = writeStep(steps[0]!)
  if (form === 'in') return { name, in: () => ms(time), ...step }
  const at = ({ now }: Seen): Date | string | null => {
    const due = new Date(now.getTime() + time)
    return form === 'never' ? null : time % 2 === 0 ? due : due.toISOString()
  }
  return { name, at, ...step }
}

/** All by their durations, or all by name: a user writes one or the other. */
function writeTimers(timers: readonly TimerSketch[]): unknown {
  if (timers.length === 0) return undefined
  if (timers[0]!.form !== 'duration') return timers.map(writeTimer)
  return Object.fromEntries(timers.map(({ ms: time, steps }) => [ms(time), writeEdge(steps)]))
}

function writeCall(call: CallSketch, { activities }: Parts): Written {
  const { shape, activities: names, keyed } = call
  const all = names.map((name) => activities.get(name)!)
  const inputs = (data: RandomData) => inputsOf(shape, names.length, data).map((v) => ({ v }))
  const key = keyed ? { key: ({ id, data }: Seen) => `${id} ${data.sum}` } : {}
  if (shape === 'list') return { call: [all[0]], input: ({ data }: Seen) => inputs(data), ...key }
  if (shape === 'one') return { call: all[0], input: ({ data }: Seen) => inputs(data)[0], ...key }
  const by = (i: number): string => `c${i}`
  return {
    call: Object.fromEntries(all.map((one, i) => [by(i), one])),
    input: Object.fromEntries(all.map((_, i) => [by(i), ({ data }: Seen) => inputs(data)[i]])),
    ...key,
  }
}

function writeFollow({ all, any, spawn, when }: FollowSketch): Written {
  return written({
    all: all.length === 0 ? undefined : all.length === 1 ? all[0] : all,
    any: writeEdges(any),
    spawn: spawn ? undefined : false,
    if: when === undefined ? undefined : ({ child }: Seen) => guarded(when, child!.data, 0),
  })
}

function writeState(state: StateSketch, parts: Parts): Written {
  const join = Object.entries(state.join ?? {}).map(
    ([type, step]) => [type, step === true ? true : compute(step)] as const,
  )
  const until = state.until.map((one) => [one.kind, writeFollow(one)] as const)
  const fail = state.fail?.['*'] === undefined ? state.fail && writeEdges(state.fail) : writeEdge(state.fail['*'])
  return written({
    final: state.final,
    ...(state.call === undefined ? {} : writeCall(state.call, parts)),
    done: state.done === undefined ? undefined : writeEdge(state.done),
    fail,
    on: writeEdges(state.on),
    join: join.length === 0 ? undefined : Object.fromEntries(join),
    after: writeTimers(state.after),
    always: state.always.length === 0 ? undefined : state.always.map(writeStep),
    until: until.length === 0 ? undefined : Object.fromEntries(until),
    emit: emit(state.tells),
  })
}

const writeKids = ({ kind, of, restart, onCancel, shared }: KidsSketch, { machines }: Parts): Written =>
  written({
    of: machines.get(of)!,
    each: ({ id, data }: Seen) =>
      Array.from({ length: data.kids }, (_, i) => ({
        id: shared ? `shared.${kind}${i}` : kidId(id, kind, i),
        data: { hops: 0, sum: i + 1, kids: i, fair: data.fair },
      })),
    restart: restart ? true : undefined,
    onCancel,
  })

/** Where a type comes up in a machine: what it has to declare. */
export function typesOf({ states, groups, cancel, start }: MachineSketch): {
  readonly receives: ReadonlySet<string>
  readonly emits: ReadonlySet<string>
} {
  const edges = (by: Readonly<Record<string, readonly Step[]>>): readonly Step[] => Object.values(by).flat()
  const timers = (after: readonly TimerSketch[]): readonly Step[] => after.flatMap(({ steps }) => steps)
  const steps: Step[] = [...(cancel ?? []), ...groups.flatMap((one) => [...edges(one.on), ...timers(one.after)])]
  for (const one of states) {
    steps.push(...(one.done ?? []), ...edges(one.fail ?? {}), ...edges(one.on), ...timers(one.after), ...one.always)
    steps.push(...one.until.flatMap(({ any }) => edges(any)))
  }
  const heard = [...states, ...groups].flatMap((one) => Object.keys(one.on))
  return {
    receives: new Set([...heard, ...states.flatMap((one) => Object.keys(one.join ?? {})), ...start]),
    emits: new Set([...states, ...steps].flatMap(({ tells }) => tells.map(({ type }) => type))),
  }
}

function writeMigration(sketch: MigrationSketch, before: AnyMachine, states: readonly StateSketch[]): Written {
  const { renames, calls } = sketch
  const named = contract(before.name, {
    data: RANDOM_DATA,
    states: states.map(({ name }) => name),
    finals: states.filter(({ final }) => final !== undefined).map(({ name }) => name),
  })
  return {
    1: {
      from: sketch.from === 'machine' ? before : named,
      to: ({ state, data }: { readonly state: string; readonly data: RandomData }) => ({
        state: renames[state] ?? state,
        data: { ...data, gen: 2 },
        ...(calls !== undefined && { calls }),
      }),
    },
  }
}

/** What an event starts an instance with. */
export const startOf = ({ v }: RandomPayload): RandomData => ({ hops: 0, sum: v, kids: v % 3, fair: `f${v % 2}` })

/** The instances that hear a message that fans out. */
export function hearers({ to, v }: RandomPayload, names: readonly string[]): readonly string[] | string | null {
  if (v % 7 === 0) return null
  return v % 3 === 0 ? to : [...new Set([to, names[v % names.length]!])]
}

/** A machine. `before`: its first version, where this is the second. `names`: who may hear what fans out. */
export function buildMachine(
  sketch: MachineSketch,
  parts: Parts,
  fans: ReadonlyMap<string, readonly string[]>,
  before?: { readonly machine: AnyMachine; readonly states: readonly StateSketch[] },
): AnyMachine {
  const { name, version, states, groups, cancel, children, start, priority, fair, migrate } = sketch
  const { receives, emits } = typesOf(sketch)
  const list = (types: ReadonlySet<string>) =>
    types.size === 0 ? undefined : [...types].map((type) => parts.messages.get(type)!)
  const correlated = [...receives].filter((type) => fans.has(type))
  const definition = written({
    version: version === 1 ? undefined : version,
    data: RANDOM_DATA,
    receives: list(receives),
    emits: list(emits),
    children:
      children.length === 0 ? undefined : Object.fromEntries(children.map((one) => [one.kind, writeKids(one, parts)])),
    start: start.length === 0 ? undefined : Object.fromEntries(start.map((type) => [type, startOf])),
    correlate:
      correlated.length === 0
        ? undefined
        : Object.fromEntries(correlated.map((type) => [type, (data: RandomPayload) => hearers(data, fans.get(type)!)])),
    initial: states[0]!.name,
    cancel: cancel === undefined ? undefined : writeEdge(cancel),
    groups:
      groups.length === 0
        ? undefined
        : Object.fromEntries(
            groups.map((one) => [
              one.name,
              written({ states: one.states, on: writeEdges(one.on), after: writeTimers(one.after) }),
            ]),
          ),
    states: Object.fromEntries(states.map((one) => [one.name, writeState(one, parts)])),
    priority,
    fairBy: fair ? ({ data }: { readonly data: RandomData }) => data.fair : undefined,
    migrate: migrate && before && writeMigration(migrate, before.machine, before.states),
  })
  return machine(name, definition as never) as AnyMachine
}
