// The erased definition: what `machine()`, `saga()` and `contract()` make of a user's object, once.
//
// Everything behind the public API (core, engine, stores) sees only these shapes: edges are lists of steps, `set` is a
// function, durations are milliseconds, names are looked up in Maps (so that a message called `__proto__` is a name like
// any other). There is one cast where a definition is made and one way back: `definitionOf`.
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { PawlError } from '../base/errors.ts'

/** Any schema of the Standard Schema kind; synchronous, JSON in and JSON out. */
export type AnySchema = StandardSchemaV1<unknown, unknown>

/** Fields of an instance's data, or of a payload. */
export type Fields = Readonly<Record<string, unknown>>

/** How a call ended that is not done. `code` is a declared failure, `other`, or, in sagas, `within` and `cancel`. */
export interface CallFailure {
  readonly code: string
  readonly message: string
  readonly details?: unknown
  readonly outcome: 'not done' | 'unknown'
}

/** What started a transition, as callbacks see it. */
export interface GivenCause {
  readonly id: string
  readonly at: Date
  readonly by?: string
  readonly source?: string
  readonly correlation: string
}

/** One child as its parent sees it: by the last notice. */
export interface GivenChild {
  readonly id: string
  readonly state: string
  readonly data: unknown
  readonly status: 'running' | 'waiting' | 'stalled' | 'done' | 'failed' | 'cancelled'
}

/** What a callback is given. Which of the optional ones are there depends on the edge. */
export interface Given {
  readonly id: string
  readonly data: Fields
  readonly cause: GivenCause
  readonly now: Date
  need(this: void, field: string): unknown
  readonly message?: unknown
  readonly result?: unknown
  /** By name of the call, or by place where the state calls a list. */
  readonly results?: unknown
  readonly error?: CallFailure
  readonly errors?: unknown
  readonly child?: GivenChild
  readonly children?: Readonly<Record<string, readonly GivenChild[]>>
  readonly why?: string
  /** For compiled sagas only: what became of a call of the state, with its idempotency key; undefined for one that was never started. */
  settled?(name: string): SettledCall | undefined
}

/** What became of one call of a state. */
export interface SettledCall {
  readonly key: string
  readonly result?: unknown
  readonly error?: CallFailure
}

/** `emit` of one type: one payload, several, or null for none. */
export interface EmitDefinition {
  readonly message: MessageDefinition
  readonly give: (given: Given) => unknown
}

/** One step of an edge. `to` undefined: stay. */
export interface StepDefinition {
  readonly to: string | undefined
  readonly if: ((given: Given) => boolean) | undefined
  readonly set: ((given: Given) => Fields) | undefined
  readonly emit: readonly EmitDefinition[]
}

/** The first step whose `if` holds is taken. */
export type EdgeDefinition = readonly StepDefinition[]

/** A timer of a state or a group. `name` is what a stored timer is known by. */
export interface TimerDefinition {
  readonly name: string
  /** When it is due, in ms since 1970; null: never. Asked once, on entry. */
  readonly due: (given: Given) => number | null
  readonly edge: EdgeDefinition
}

/** An event or a command. */
export interface MessageDefinition {
  readonly kind: 'event' | 'command'
  readonly type: string
  readonly schema: AnySchema
  readonly version: number
  readonly keepMs: number
  /** An event's subject; a command's instance. */
  readonly key: ((data: unknown) => string) | undefined
  /** A command's machine. */
  readonly to: string | undefined
  /** From each older version to the present one. */
  readonly upcast: ReadonlyMap<number, (old: unknown) => unknown>
}

/** What an attempt is given by the engine. */
export interface AttemptContext {
  readonly idempotencyKey: string
  readonly attempt: number
  readonly signal: AbortSignal
  heartbeat(this: void, progress?: unknown): void
  readonly lastProgress?: unknown
  fail(this: void, code: string, message?: string, details?: unknown): never
}

/** The body of an activity. */
export type ActivityBody = (input: unknown, attempt: AttemptContext) => unknown

/** An activity with its defaults filled in. */
export interface ActivityDefinition {
  readonly name: string
  readonly input: AnySchema
  readonly output: AnySchema
  readonly failures: readonly string[]
  readonly retry: {
    readonly attempts: number
    readonly firstMs: number
    readonly factor: number
    readonly maxMs: number
    /** From the first attempt of a call; undefined: no limit. */
    readonly withinMs: number | undefined
  }
  readonly timeoutMs: number
  readonly heartbeatMs: number | undefined
  readonly concurrency: number | undefined
  readonly rate: { readonly count: number; readonly perMs: number } | undefined
  readonly interruptible: boolean
  /** Reserved options that were set: `pool`, `thread`, `sql`. */
  readonly reserved: readonly string[]
  readonly run: ActivityBody | undefined
}

/** One call that an entry opens. `withinMs`: after that long it is settled as unknown, with the code `within`. */
export interface PlannedCall {
  readonly name: string
  readonly activity: ActivityDefinition
  readonly input: unknown
  readonly withinMs?: number
}

/** What a state calls. An empty plan means that there is nothing to wait for: `done` is taken at once. */
export interface CallDefinition {
  readonly shape: 'one' | 'named' | 'list'
  /** The activities, by the name of the call; for `list` the one activity, under its own name. */
  readonly activities: ReadonlyMap<string, ActivityDefinition>
  readonly plan: (given: Given) => readonly PlannedCall[]
  readonly key: ((given: Given) => string) | undefined
  readonly interruptible: boolean
}

/** How a state follows children of one kind. */
export interface FollowDefinition {
  readonly kind: string
  /** Empty: `all` was not given. */
  readonly all: ReadonlySet<string>
  readonly spawn: boolean
  readonly if: ((given: Given) => boolean) | undefined
  readonly any: ReadonlyMap<string, EdgeDefinition>
}

/** One state. */
export interface StateDefinition {
  readonly name: string
  readonly call: CallDefinition | undefined
  readonly done: EdgeDefinition | undefined
  /** By failure code; `other`; `*` where one edge serves all. A step list that holds nowhere stalls the instance. */
  readonly fail: ReadonlyMap<string, EdgeDefinition>
  readonly on: ReadonlyMap<string, EdgeDefinition>
  readonly join: ReadonlyMap<string, ((given: Given) => Fields) | undefined>
  readonly after: readonly TimerDefinition[]
  readonly always: EdgeDefinition
  readonly until: readonly FollowDefinition[]
  readonly emit: readonly EmitDefinition[]
  /** A function where it depends on the data (a saga that was cancelled). */
  readonly final: 'done' | 'failed' | 'cancelled' | ((data: Fields) => 'done' | 'failed' | 'cancelled') | undefined
  /** Groups that hold here, in the order of the definition. */
  readonly groups: readonly GroupDefinition[]
  /** What a cancel does here: the machine's `cancel` edge, or a saga's own. Undefined: the instance ends where it is. */
  readonly cancel: EdgeDefinition | undefined
  /** Sagas: `pivot` refuses a cancel here, `undoing` ignores it. */
  readonly cancelRule: 'pivot' | 'undoing' | undefined
  /** Types that this state or one of its groups names, in `on` or `join`. */
  readonly named: ReadonlySet<string>
  /** Types that some state names which can be reached from here by one edge or more. */
  readonly ahead: ReadonlySet<string>
}

/** What holds in several states. */
export interface GroupDefinition {
  readonly name: string
  readonly states: ReadonlySet<string>
  readonly on: ReadonlyMap<string, EdgeDefinition>
  readonly after: readonly TimerDefinition[]
}

/** One kind of children. */
export interface ChildDefinition {
  readonly kind: string
  readonly of: MachineDefinition
  readonly each: (given: Given) => readonly { readonly id: string; readonly data: unknown }[]
  readonly restart: boolean
  readonly onCancel: 'keep' | 'cancel'
}

/** From one older version to the present one. */
export interface MigrateDefinition {
  readonly from: MachineDefinition
  readonly to: (old: { readonly state: string; readonly data: unknown; readonly calls: readonly string[] }) => {
    readonly state: string
    readonly data: unknown
    readonly calls?: 'keep' | 'drop'
  }
}

/** A machine, or (`kind: 'contract'`) what is known of one that lives elsewhere: then there are names only. */
export interface MachineDefinition {
  readonly kind: 'machine' | 'contract'
  readonly name: string
  readonly version: number
  readonly schema: AnySchema
  readonly receives: ReadonlyMap<string, MessageDefinition>
  readonly emits: ReadonlyMap<string, MessageDefinition>
  readonly children: ReadonlyMap<string, ChildDefinition>
  /** Messages that create an instance, with what they make of their payload. */
  readonly start: ReadonlyMap<string, (message: unknown) => unknown>
  readonly correlate: ReadonlyMap<string, (message: unknown) => string | readonly string[] | null>
  /** Contracts: the first of their states. */
  readonly initial: string
  /** Steps that are emitted and set when an instance is created, before the initial state is entered (sagas). */
  readonly begin: StepDefinition | undefined
  readonly groups: readonly GroupDefinition[]
  readonly states: ReadonlyMap<string, StateDefinition>
  readonly finals: ReadonlySet<string>
  readonly priority: number
  readonly fairBy: ((given: { readonly id: string; readonly data: unknown }) => string) | undefined
  readonly migrate: ReadonlyMap<number, MigrateDefinition>
  /** Commands that mean a cancel (sagas). */
  readonly cancelBy: ReadonlySet<string>
  /** What `run` is given made into the data; identity for machines, `{ input, results }` for sagas. */
  readonly dataOf: (input: unknown) => unknown
  /** What `result()` gives: a saga's output, a machine's data. */
  readonly output: (id: string, data: unknown) => unknown
  /** Hash of the graph (names, states, edges, messages), 22 characters: tells whether a deploy changed it. */
  readonly graphHash: string
  /** The graph as plain JSON: for drawings, `machines` rows and the check of what a deploy breaks. */
  readonly graph: MachineGraph
}

/** A machine's graph as data. */
export interface MachineGraph {
  readonly name: string
  readonly version: number
  readonly initial: string
  readonly states: readonly { readonly name: string; readonly final?: string; readonly calls: readonly string[] }[]
  readonly edges: readonly {
    readonly from: string
    /** Absent: stays. */
    readonly to?: string
    readonly kind: 'message' | 'result' | 'failure' | 'timer' | 'always' | 'child' | 'join' | 'cancel'
    readonly name: string
    readonly emits: readonly string[]
  }[]
  readonly receives: readonly string[]
  readonly emits: readonly string[]
}

/** What a service holds, erased. */
export interface ServiceDefinition {
  readonly name: string
  readonly machines: readonly MachineDefinition[]
  readonly bodies: ReadonlyMap<string, ActivityBody>
}

const definitions = new WeakMap<object, unknown>()

/** Ties a public object to its erased definition. Called only where the object is made. */
export function define<T extends object>(object: T, definition: unknown): T {
  definitions.set(object, definition)
  return object
}

function lookup(object: unknown, what: string, kinds: readonly string[]): unknown {
  const found = typeof object === 'object' || typeof object === 'function' ? definitions.get(object ?? {}) : undefined
  // All kinds share one map: an activity must not pass for a machine.
  if (found === undefined || !kinds.includes((object as { kind: string }).kind))
    throw new PawlError('BAD_DEFINITION', `this is no ${what} that Pawl made: pass what ${what}() returned`)
  return found
}

/** The erased definition of what `machine`, `saga` or `contract` returned. */
export const definitionOf = (machine: unknown): MachineDefinition =>
  lookup(machine, 'machine', ['machine', 'contract']) as MachineDefinition
/** The erased definition of what `event` or `command` returned. */
export const messageOf = (message: unknown): MessageDefinition =>
  lookup(message, 'event', ['event', 'command']) as MessageDefinition
/** The erased definition of what `activity` returned. */
export const activityOf = (activity: unknown): ActivityDefinition =>
  lookup(activity, 'activity', ['activity']) as ActivityDefinition
/** The erased definition of what `service` returned. */
export const serviceOf = (service: unknown): ServiceDefinition =>
  lookup(service, 'service', ['service']) as ServiceDefinition
