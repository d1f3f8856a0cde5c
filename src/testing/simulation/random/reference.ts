// A second interpreter of random machines: simple, slow, and nothing but what the documentation says. From a row of the journal
// it says what that row may tell: where it leads, what the data are then, which messages go out, which calls are opened.
//
// What the journal does not tell (what an activity has answered, a payload that came by a worker's door) it tries: all that may be.
import { answerTo, changes, flawed, holds, inputsOf, payloads } from './meaning.ts'
import type { ActivitySketch, MachineSketch, RandomData, StateSketch, Step, Tell } from './sketch.ts'

/** An instance as its journal has told it so far. */
export interface Standing {
  readonly id: string
  readonly state: string
  readonly data: RandomData
  /** The data by which the calls that are open were made. */
  readonly called: RandomData
  readonly over: boolean
}

/** What a row may tell. */
export interface Permitted {
  readonly to: string
  readonly data: RandomData
  /** Types, in order. */
  readonly emitted: readonly string[]
  readonly opened: readonly string[]
  /** It changes nothing: journalled only. */
  readonly ignored?: true
}

/** Why a row was written, as far as the interpreter looks at it. */
export interface Why {
  readonly kind: string
  readonly name: string
  readonly why: string
  /** The payload's number, where it is known. */
  readonly v: number | undefined
}

const NUMBERS = Array.from({ length: 97 }, (_, v) => v)

/** Interprets one version of one machine. */
export class Reference {
  readonly #machine: MachineSketch
  readonly #states: ReadonlyMap<string, StateSketch>
  readonly #interruptible: ReadonlySet<string>
  readonly #failures: ReadonlyMap<string, readonly string[]>

  constructor(machine: MachineSketch, activities: readonly ActivitySketch[]) {
    this.#machine = machine
    this.#states = new Map(machine.states.map((state) => [state.name, state]))
    this.#interruptible = new Set(activities.flatMap((one) => (one.interruptible ? [one.name] : [])))
    this.#failures = new Map(activities.map(({ name, failures }) => [name, failures]))
  }

  /** How a new instance begins. */
  begins(id: string, data: RandomData): Permitted {
    return this.#entered(id, this.#machine.states[0]!.name, data, [])
  }

  /** Whether an instance that stands there has ended. */
  isFinal(state: string): boolean {
    return this.#states.get(state)?.final !== undefined
  }

  /** Whether a call that is open there keeps the state from being left. */
  holdsByCall(state: string): boolean {
    return this.#states.get(state)?.call?.activities.some((name) => !this.#interruptible.has(name)) === true
  }

  /** Where `always` leads from here; undefined: nowhere. */
  leadsAlways({ state, data }: Standing): string | undefined {
    return first(this.#states.get(state)?.always ?? [], data, 0)?.to
  }

  /** All that a row may tell that was written for this reason. */
  permitted(at: Standing, why: Why): readonly Permitted[] {
    const state = this.#states.get(at.state)
    if (state === undefined) return []
    switch (why.kind) {
      case 'message':
        return (why.v === undefined ? NUMBERS : [why.v]).flatMap((v) => this.#message(at, state, why.name, v))
      case 'result':
        return this.#result(at, state)
      case 'timer':
        return this.#timer(at, state, why.name)
      case 'always':
        return this.#one(at, why.name === 'done' ? (state.done ?? []) : state.always, 0)
      case 'child':
        return this.#child(at, state, why.name)
      case 'cancel':
        return this.#machine.cancel === undefined
          ? [{ to: at.state, data: at.data, emitted: [], opened: [] }]
          : this.#one(at, this.#machine.cancel, why.why.length)
      default:
        return []
    }
  }

  #groups(state: StateSketch) {
    return this.#machine.groups.filter(({ states }) => states.includes(state.name))
  }

  /** The state's own edge, then those of its groups; what none of them takes may be one that is joined. */
  #message(at: Standing, state: StateSketch, type: string, v: number): readonly Permitted[] {
    const edges = [state, ...this.#groups(state)].flatMap(({ on }) => (on[type] === undefined ? [] : [on[type]]))
    for (const edge of edges) {
      if (edge.length === 0) return [noted(at)]
      const step = first(edge, at.data, v)
      if (step !== undefined) return this.#taken(at, step, v)
    }
    const joined = state.join?.[type]
    if (joined === undefined) return []
    if (joined === true) return [{ to: at.state, data: at.data, emitted: [], opened: [] }]
    if (flawed(joined, at.data, v)) return []
    return [{ to: at.state, data: changed(at.data, changes(joined, at.data, v)), emitted: [], opened: [] }]
  }

  #result(at: Standing, { call, done, fail }: StateSketch): readonly Permitted[] {
    if (call === undefined) return []
    const answers = inputsOf(call.shape, call.activities.length, at.called).map(answerTo)
    const well = this.#one(
      at,
      done ?? [],
      answers.reduce((sum, v) => sum + v, 0),
    )
    const codes = new Set([...call.activities.flatMap((name) => this.#failures.get(name) ?? []), 'other'])
    const badly = [...codes].flatMap((code) =>
      this.#one(at, fail?.[code] ?? fail?.['other'] ?? fail?.['*'] ?? [], code.length),
    )
    return [...well, ...badly]
  }

  #timer(at: Standing, state: StateSketch, name: string): readonly Permitted[] {
    const timers = [state, ...this.#groups(state)].flatMap(({ after }) => after.filter((timer) => timer.name === name))
    return timers.flatMap(({ steps }) => this.#one(at, steps, 0))
  }

  #child(at: Standing, { until }: StateSketch, name: string): readonly Permitted[] {
    const [kind, state] = name.split('/')
    const steps = until.find((follow) => follow.kind === kind)?.any[state ?? '']
    return this.#one(at, steps ?? [], state?.length ?? 0)
  }

  #one(at: Standing, edge: readonly Step[], seen: number): readonly Permitted[] {
    const step = first(edge, at.data, seen)
    return step === undefined ? [] : this.#taken(at, step, seen)
  }

  #taken(at: Standing, step: Step, seen: number): readonly Permitted[] {
    const { to, sets, tells } = step
    if (to === undefined && sets === 'nothing' && tells.length === 0) return [noted(at)]
    if (flawed(step, at.data, seen)) return []
    const data = changed(at.data, changes(step, at.data, seen))
    const emitted = typesOf(tells, at.id, data)
    if (to === undefined) return [{ to: at.state, data, emitted, opened: [] }]
    return [this.#entered(at.id, to, data, emitted)]
  }

  #entered(id: string, to: string, data: RandomData, told: readonly string[]): Permitted {
    const { tells = [], call } = this.#states.get(to) ?? {}
    const names = call === undefined ? [] : inputsOf(call.shape, call.activities.length, data)
    const [activity = ''] = call?.activities ?? []
    const opened = names.map((_, i) =>
      call!.shape === 'one' ? activity : call!.shape === 'named' ? `c${i}` : `${activity}/${i}`,
    )
    return { to, data, emitted: [...told, ...typesOf(tells, id, data)], opened }
  }
}

const first = (edge: readonly Step[], data: RandomData, seen: number): Step | undefined =>
  edge.find((step) => holds(step, data, seen))

const noted = ({ state, data }: Standing): Permitted => ({ to: state, data, emitted: [], opened: [], ignored: true })

const typesOf = (tells: readonly Tell[], id: string, data: RandomData): readonly string[] =>
  tells.flatMap((tell) => payloads(tell, id, data).map(() => tell.type))

/** A field that is undefined among the changes goes. */
function changed(data: RandomData, fields: Readonly<Record<string, unknown>>): RandomData {
  const all = Object.entries({ ...data, ...fields }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(all) as unknown as RandomData
}
