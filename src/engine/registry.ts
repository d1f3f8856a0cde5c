// What this worker runs: machines and bodies by name, and who hears which event.
import { errorText } from '../base/errors.ts'
import { checkId } from '../base/id.ts'
import { jsonHash } from '../base/json.ts'
import type {
  ActivityBody,
  ActivityDefinition,
  MachineDefinition,
  MessageDefinition,
  ServiceDefinition,
} from '../machine/definition.ts'

/** Who hears an event: instances, or, where `correlate` threw, the machine with what it threw. */
export type Hearer =
  | { readonly machine: string; readonly id: string }
  | { readonly machine: string; readonly id: undefined; readonly problem: string }

/** Whom a machine's `correlate` names, each once. One that is no id is told, and keeps no other from it. */
function correlated(machine: string, correlate: () => string | readonly string[] | null): readonly Hearer[] {
  try {
    const given = correlate()
    const ids = given === null ? [] : typeof given === 'string' ? [given] : given
    const known = new Set<string>()
    const bad: Hearer[] = []
    for (const id of ids) {
      try {
        known.add(checkId(id, 'what it returned'))
      } catch (error) {
        bad.push({ machine, id: undefined, problem: errorText(error) })
      }
    }
    return [...[...known].map((id) => ({ machine, id })), ...bad]
  } catch (error) {
    return [{ machine, id: undefined, problem: errorText(error) }]
  }
}

/** The definitions of all services of one app. */
export class Registry {
  readonly machines = new Map<string, MachineDefinition>()
  /** A hash of all graphs: what this worker is called among others of the same store. */
  readonly build: string
  readonly #bodies = new Map<string, ActivityBody>()
  readonly #hearers = new Map<string, MachineDefinition[]>()
  readonly #messages = new Map<string, MessageDefinition>()

  constructor(services: readonly ServiceDefinition[]) {
    for (const service of services) {
      for (const machine of service.machines) this.#add(machine)
      for (const [name, body] of service.bodies) this.#bodies.set(name, body)
    }
    this.build = jsonHash([...this.machines.values()].map((machine) => machine.graphHash).sort())
  }

  #add(machine: MachineDefinition): void {
    this.machines.set(machine.name, machine)
    for (const message of machine.emits.values()) this.#messages.set(message.type, message)
    for (const message of machine.receives.values()) {
      this.#messages.set(message.type, message)
      if (message.kind !== 'event') continue
      const hearers = this.#hearers.get(message.type)
      if (hearers === undefined) this.#hearers.set(message.type, [machine])
      else hearers.push(machine)
    }
    for (const state of machine.states.values()) {
      for (const activity of state.call?.activities.values() ?? []) {
        if (activity.run !== undefined && !this.#bodies.has(activity.name))
          this.#bodies.set(activity.name, activity.run)
      }
    }
  }

  /** The body of an activity: what a service implements, else its own `run`. */
  body(activity: ActivityDefinition): ActivityBody | undefined {
    return this.#bodies.get(activity.name) ?? activity.run
  }

  /** A message by its type, where some machine here receives or emits it. */
  message(type: string): MessageDefinition | undefined {
    return this.#messages.get(type)
  }

  /** The instances that hear an event of that key. A machine's `correlate` that throws is told, and keeps no other machine from it. */
  hearers(type: string, key: string, data: unknown): readonly Hearer[] {
    const machines = this.#hearers.get(type)
    if (machines === undefined) return []
    const all: Hearer[] = []
    for (const machine of machines) {
      const correlate = machine.correlate.get(type)
      if (correlate === undefined) all.push({ machine: machine.name, id: key })
      else all.push(...correlated(machine.name, () => correlate(data)))
    }
    return all
  }

  /** Those of one machine. */
  heardBy(machine: string, type: string, key: string, data: unknown): readonly Hearer[] {
    return this.hearers(type, key, data).filter((hearer) => hearer.machine === machine)
  }
}
