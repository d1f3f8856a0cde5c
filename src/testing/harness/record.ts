// What has become durable, as a test asks about it: paths, calls, what was emitted, how each instance stands.
//
// R1  Everything here comes from changes that a store has applied; what an attempt did is told by the engine after its commit.
import type { Instance, JournalEntry } from '../../core/model.ts'
import type { TimedEvent } from '../../observe/lifecycle.ts'
import type { Change } from '../../store/store.ts'
import type { Called } from './types.ts'

/** One step of an instance. */
export interface Step {
  readonly from: string | null
  readonly to: string
  readonly cause: JournalEntry['cause']
  readonly outcome: JournalEntry['outcome']
  /** It entered `to`. */
  readonly entered: boolean
}

/** One instance as it stands, and how it came there. */
export interface Recorded {
  instance: Instance
  steps: Step[]
}

/** A call, as it is kept. */
class Call implements Called {
  readonly name: string
  readonly key: string
  readonly input: unknown
  attempts = 0
  settled: Called['outcome'] | undefined
  /** No instance has it open any more. */
  gone = false
  constructor(name: string, key: string, input: unknown) {
    this.name = name
    this.key = key
    this.input = input
  }
  /** One that was given up may have happened where it had begun. */
  get outcome(): Called['outcome'] {
    if (this.settled !== undefined) return this.settled
    if (!this.gone) return 'open'
    return this.attempts > 0 ? 'unknown' : 'not done'
  }
  toJSON(): Called {
    const { name, key, input, attempts, outcome } = this
    return { name, key, input, attempts, outcome }
  }
}

const callId = (key: string, name: string, entry: number | undefined): string => `${key} ${name} ${entry ?? ''}`
/** Names an instance, in maps and in texts. */
export const nameOf = (machine: string, id: string): string => `${machine} ${id}`

/** What one test has seen. */
export class Record {
  readonly instances = new Map<string, Recorded>()
  readonly emitted: { readonly type: string; readonly data: unknown }[] = []
  readonly calls: Call[] = []
  readonly #open = new Map<number, Map<string, Call>>()
  readonly #byKey = new Map<string, Call>()

  /** A store has applied this. */
  committed({ instances, journal }: Change): void {
    const byK = new Map(instances.map((instance) => [instance.k, instance]))
    for (const { k, entry } of journal) {
      const instance = byK.get(k)
      if (instance !== undefined) this.#stepped(instance, entry)
    }
    for (const instance of instances) {
      const recorded = this.instances.get(nameOf(instance.machine, instance.id))
      if (recorded === undefined) this.instances.set(nameOf(instance.machine, instance.id), { instance, steps: [] })
      else recorded.instance = instance
      this.#called(instance)
    }
  }

  #stepped(instance: Instance, { seq, from, to, cause, outcome, opened, emitted }: JournalEntry): void {
    const name = nameOf(instance.machine, instance.id)
    let recorded = this.instances.get(name)
    // A new life begins: its path is another one.
    if (recorded === undefined || from === null) this.instances.set(name, (recorded = { instance, steps: [] }))
    const entered = outcome === 'applied' && (from !== to || seq === instance.entry || opened.length > 0)
    recorded.steps.push({ from, to, cause, outcome, entered })
    for (const { message, data } of emitted) this.emitted.push({ type: message.type, data })
  }

  #called(instance: Instance): void {
    const before = this.#open.get(instance.k)
    if (instance.calls === null && before === undefined) return
    const now = new Map<string, Call>()
    for (const [name, { activity, key, input, entry, settled }] of Object.entries(instance.calls ?? {})) {
      const id = callId(key, name, entry)
      let call = before?.get(id)
      if (call === undefined) {
        this.calls.push((call = new Call(activity, key, input)))
        this.#byKey.set(`${key} ${name}`, call)
      }
      if (settled !== undefined) call.settled ??= settled.done ? 'done' : settled.error.outcome
      now.set(id, call)
    }
    for (const [id, call] of before ?? []) if (!now.has(id)) call.gone = true
    if (now.size > 0) this.#open.set(instance.k, now)
    else this.#open.delete(instance.k)
  }

  /** What a worker told: how attempts went. */
  told(event: TimedEvent): void {
    if (event.kind === 'attempt-started') this.#of(event, (call) => (call.attempts += 1))
    else if (event.kind === 'attempt-succeeded') this.#of(event, (call) => (call.settled ??= 'done'))
    else if (event.kind === 'attempt-failed' && event.nextAt === undefined)
      this.#of(event, (call) => (call.settled ??= event.error.outcome))
  }

  #of({ key, call: name }: { readonly key: string; readonly call: string }, work: (call: Call) => void): void {
    const call = this.#byKey.get(`${key} ${name}`)
    if (call !== undefined) work(call)
  }

  /** The states that an instance has entered; undefined: there is none of that name. */
  path(machine: string, id: string): readonly string[] | undefined {
    return this.instances
      .get(nameOf(machine, id))
      ?.steps.filter((step) => step.entered)
      .map((step) => step.to)
  }

  /** How an instance came to where it stands, in one line. */
  story(machine: string, id: string): string {
    const recorded = this.instances.get(nameOf(machine, id))
    if (recorded === undefined) return `${machine} "${id}" is not there`
    const steps = runsOf(recorded.steps.map(stepText))
    const { stalled } = recorded.instance
    if (stalled !== null) steps.push(`stalled: ${stalled.code}, ${stalled.message}`)
    const shown = steps.length > STEPS_SHOWN ? ['…', ...steps.slice(-STEPS_SHOWN)] : steps
    return `${machine} "${id}": ${shown.join(' → ')}`
  }
}

/** The newest steps tell what went wrong. */
const STEPS_SHOWN = 30

/** The same step again and again, once. */
function runsOf(steps: readonly string[]): string[] {
  const runs: { readonly text: string; count: number }[] = []
  for (const text of steps) {
    const last = runs.at(-1)
    if (last?.text === text) last.count += 1
    else runs.push({ text, count: 1 })
  }
  return runs.map(({ text, count }) => (count === 1 ? text : `${text} ×${count}`))
}

/** One step in words: `confirming (warehouse.reserve done)`. */
function stepText({ to, cause, outcome, entered }: Step): string {
  const why = cause.kind === 'start' && cause.name === '' ? 'start' : cause.name === '' ? cause.kind : cause.name
  if (outcome !== 'applied') return `${to} (${why} ${outcome})`
  return entered ? `${to} (${why})` : `${to} (${why}, stays)`
}
