// Definitions whose callbacks are run twice and compared. A callback that answers differently, asks the clock or chance, or changes what
// it is given is named: machine, edge and field. The second answer is dropped; the engine goes on with the first.
import { ambientAsked } from '../../base/ambient.ts'
import { errorText } from '../../base/errors.ts'
import type {
  AnySchema,
  CallDefinition,
  ChildDefinition,
  EdgeDefinition,
  EmitDefinition,
  FollowDefinition,
  GroupDefinition,
  MachineDefinition,
  MigrateDefinition,
  StateDefinition,
  TimerDefinition,
} from '../../machine/definition.ts'

/** Told where a callback is not pure, and how. */
export type OnImpure = (text: string) => void

/** Twice at each call, as long as this is heard. */
type Twice = <A extends readonly unknown[], R>(where: string, callback: (...args: A) => R) => (...args: A) => R
type MaybeTwice = <A extends readonly unknown[], R>(
  where: string,
  callback: ((...args: A) => R) | undefined,
) => ((...args: A) => R) | undefined

const hearers = new Map<string, Set<OnImpure>>()
const checked = new WeakMap<MachineDefinition, MachineDefinition>()

/** Hears of impure callbacks of these machines; what it returns ends that. */
export function onImpure(machines: Iterable<string>, hear: OnImpure): () => void {
  const names = [...machines]
  for (const name of names) {
    const heard = hearers.get(name)
    if (heard === undefined) hearers.set(name, new Set([hear]))
    else heard.add(hear)
  }
  return () => {
    for (const name of names) hearers.get(name)?.delete(hear)
  }
}

/** The same machine, whose callbacks are looked at. */
export function checkedTwice(machine: MachineDefinition): MachineDefinition {
  const known = checked.get(machine)
  if (known !== undefined) return known
  const made = machineOf(machine)
  checked.set(machine, made)
  return made
}

interface Outcome {
  value?: unknown
  error?: unknown
}
function attempt(work: () => unknown): Outcome {
  const outcome: Outcome = {}
  try {
    outcome.value = work()
  } catch (error) {
    outcome.error = error
  }
  return outcome
}

const twiceFor =
  (machine: string): Twice =>
  (where, callback) =>
  (...args) => {
    let first: Outcome = {}
    let second: Outcome = {}
    const asked = ambientAsked(() => {
      first = attempt(() => callback(...args))
      second = attempt(() => callback(...args))
    })
    const fault = asked === undefined ? faultOf(first, second) : `asks ${asked}: use \`now\`, or let an activity ask`
    if (fault !== undefined)
      for (const hear of hearers.get(machine) ?? [])
        hear(`${machine}, ${where}: ${fault}; callbacks run again with the same must answer the same`)
    if ('error' in first) throw first.error
    return first.value as ReturnType<typeof callback>
  }

/** What V8 says of what is frozen. */
const MUTATES = /read.only property|object is not extensible|Cannot delete property/

function faultOf(first: Outcome, second: Outcome): string | undefined {
  if ('error' in first && first.error instanceof TypeError && MUTATES.test(first.error.message))
    return `changes what it is given (${first.error.message}): return the changed fields`
  if ('error' in first || 'error' in second) {
    const [one, other] = [first, second].map((o) => ('error' in o ? `throws "${errorText(o.error)}"` : 'answers'))
    return one === other ? undefined : `${one}, and run again it ${other}`
  }
  const place = difference(first.value, second.value, '')
  if (place === undefined) return undefined
  const [one, other] = [first.value, second.value].map((value) => shown(at(value, place)))
  return `${place === '' ? 'it' : `field "${place}"`} is ${one}, and run again ${other}`
}

const shown = (value: unknown): string => (JSON.stringify(value) as string | undefined) ?? String(value)
const at = (value: unknown, place: string): unknown =>
  place === '' ? value : place.split('.').reduce<unknown>((of, key) => (of as Record<string, unknown>)[key], value)

/** Where two values differ first, as a path; undefined: nowhere. Functions are taken to be equal. */
function difference(one: unknown, other: unknown, place: string): string | undefined {
  if (Object.is(one, other) || (typeof one === 'function' && typeof other === 'function')) return undefined
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) return place
  if (one instanceof Date && other instanceof Date) return one.getTime() === other.getTime() ? undefined : place
  const keys = new Set([...Object.keys(one), ...Object.keys(other)])
  for (const key of keys) {
    const [a, b] = [(one as Record<string, unknown>)[key], (other as Record<string, unknown>)[key]]
    const found = difference(a, b, place === '' ? key : `${place}.${key}`)
    if (found !== undefined) return found
  }
  return undefined
}

/** The parts of one machine. */
class Parts {
  readonly twice: Twice
  readonly maybe: MaybeTwice
  readonly #groups = new Map<GroupDefinition, GroupDefinition>()

  constructor(machine: string) {
    this.twice = twiceFor(machine)
    this.maybe = (where, callback) => callback && this.twice(where, callback)
  }

  edge(where: string, edge: EdgeDefinition): EdgeDefinition {
    return edge.map((step, index) => {
      const which = edge.length === 1 ? where : `${where}, step ${index + 1}`
      const to = step.to === undefined ? which : `${which} → ${step.to}`
      return {
        to: step.to,
        if: this.maybe(`${to}, \`if\``, step.if),
        set: this.maybe(`${to}, \`set\``, step.set),
        emit: this.emit(to, step.emit),
      }
    })
  }

  emit(where: string, emits: readonly EmitDefinition[]): readonly EmitDefinition[] {
    return emits.map(({ message, give }) => ({
      message,
      give: this.twice(`${where}, \`emit\` of ${message.type}`, give),
    }))
  }

  edges(where: string, edges: ReadonlyMap<string, EdgeDefinition>): ReadonlyMap<string, EdgeDefinition> {
    return new Map([...edges].map(([name, edge]) => [name, this.edge(`${where} ${name}`, edge)]))
  }

  timers(where: string, timers: readonly TimerDefinition[]): readonly TimerDefinition[] {
    return timers.map(({ name, due, edge }) => ({
      name,
      due: this.twice(`${where}, timer ${name}`, due),
      edge: this.edge(`${where}, timer ${name}`, edge),
    }))
  }

  group(group: GroupDefinition): GroupDefinition {
    const known = this.#groups.get(group)
    if (known !== undefined) return known
    const where = `group ${group.name}`
    const made = { ...group, on: this.edges(`${where}, on`, group.on), after: this.timers(where, group.after) }
    this.#groups.set(group, made)
    return made
  }

  call(where: string, call: CallDefinition): CallDefinition {
    return {
      ...call,
      plan: this.twice(`${where}, \`input\``, call.plan),
      key: this.maybe(`${where}, \`key\``, call.key),
    }
  }

  follow(where: string, follow: FollowDefinition): FollowDefinition {
    const here = `${where}, until ${follow.kind}`
    return { ...follow, if: this.maybe(`${here}, \`if\``, follow.if), any: this.edges(here, follow.any) }
  }

  state(state: StateDefinition): StateDefinition {
    const where = `state ${state.name}`
    return {
      ...state,
      call: state.call && this.call(where, state.call),
      done: state.done && this.edge(`${where}, done`, state.done),
      fail: this.edges(`${where}, fail`, state.fail),
      on: this.edges(`${where}, on`, state.on),
      join: new Map([...state.join].map(([type, set]) => [type, this.maybe(`${where}, join ${type}`, set)])),
      after: this.timers(where, state.after),
      always: this.edge(`${where}, always`, state.always),
      until: state.until.map((follow) => this.follow(where, follow)),
      emit: this.emit(`${where}, on entry`, state.emit),
      groups: state.groups.map((group) => this.group(group)),
      cancel: state.cancel && this.edge(`${where}, cancel`, state.cancel),
    }
  }

  schema(schema: AnySchema): AnySchema {
    const standard = schema['~standard']
    const validate = this.twice('the schema of its data', (value: unknown) => standard.validate(value))
    return { '~standard': { ...standard, validate } }
  }

  child(child: ChildDefinition): ChildDefinition {
    return { ...child, of: checkedTwice(child.of), each: this.twice(`children ${child.kind}, \`each\``, child.each) }
  }

  migrate(version: number, migrate: MigrateDefinition): MigrateDefinition {
    return { ...migrate, to: this.twice(`migrate from version ${version}`, migrate.to) }
  }
}

const mapped = <K, V>(map: ReadonlyMap<K, V>, by: (value: V, key: K) => V): ReadonlyMap<K, V> =>
  new Map([...map].map(([key, value]) => [key, by(value, key)]))

function machineOf(machine: MachineDefinition): MachineDefinition {
  // What is known of one that lives elsewhere has no callbacks.
  if (machine.kind === 'contract') return machine
  const parts = new Parts(machine.name)
  const { twice } = parts
  return {
    ...machine,
    schema: parts.schema(machine.schema),
    children: mapped(machine.children, (child) => parts.child(child)),
    start: mapped(machine.start, (start, type) => twice(`start by ${type}`, start)),
    correlate: mapped(machine.correlate, (correlate, type) => twice(`correlate ${type}`, correlate)),
    begin: machine.begin && parts.edge('its begin', [machine.begin])[0],
    groups: machine.groups.map((group) => parts.group(group)),
    states: mapped(machine.states, (state) => parts.state(state)),
    fairBy: parts.maybe('fairBy', machine.fairBy),
    migrate: mapped(machine.migrate, (migrate, version) => parts.migrate(version, migrate)),
    output: twice('its output', machine.output),
  }
}
