// A random machine as plain data: what a user could have written, drawn from a seed. One file makes a definition of it
// (build.ts), another one, which knows nothing of the core, says from it what a journal may tell (reference.ts).

/** What an instance of a random machine keeps. `sum` depends on all that has happened to it, and on its order. */
export interface RandomData {
  /** How often it was changed: what goes round and round comes to an end by it. */
  readonly hops: number
  readonly sum: number
  /** How many children it has of each kind. */
  readonly kids: number
  readonly note?: string
  /** Whose turn it is. */
  readonly fair: string
  /** The version that it was made into. */
  readonly gen?: number
}

/** What a random message says: whom it is for, and a number. */
export interface RandomPayload {
  readonly to: string
  readonly v: number
}

/** Holds where `(sum + seen) % of === rest`. */
export interface Guard {
  readonly of: number
  readonly rest: number
}

/** Messages of one type that a step or an entry emits. */
export interface Tell {
  readonly type: string
  /** How many; the payload itself where it is one, a list where they are more. */
  readonly many: number
  /** Whom it may be for; picked by the data. Empty: the first child of that kind. */
  readonly names: readonly string[]
  readonly kind?: string
}

/** One step of an edge. */
export interface Step {
  /** Distinguishes what it changes from what every other step changes. */
  readonly tag: number
  readonly to?: string
  readonly when?: Guard
  /** Only as long as the instance is young: it leads back. */
  readonly early: boolean
  readonly sets: 'function' | 'fields' | 'nothing'
  readonly tells: readonly Tell[]
  /** What goes wrong in it now and then: it throws, needs a field that is not there, or returns what does not fit. */
  readonly flaw?: 'throws' | 'needs' | 'unfit'
}

/** A timer of a state or a group. */
export interface TimerSketch {
  readonly name: string
  readonly ms: number
  /** How it is written: by its duration, or by a name and `in`, `at`, or an `at` that says never. */
  readonly form: 'duration' | 'in' | 'at' | 'never'
  readonly steps: readonly Step[]
}

/** What a state calls, by the names of its activities. */
export interface CallSketch {
  readonly shape: 'one' | 'named' | 'list'
  readonly activities: readonly string[]
  /** A key of the user's own. */
  readonly keyed: boolean
}

/** How a state follows children of one kind. */
export interface FollowSketch {
  readonly kind: string
  readonly all: readonly string[]
  readonly any: Readonly<Record<string, readonly Step[]>>
  readonly spawn: boolean
  readonly when?: Guard
}

/** One state. */
export interface StateSketch {
  readonly name: string
  readonly final?: 'done' | 'failed' | 'cancelled'
  readonly call?: CallSketch
  readonly done?: readonly Step[]
  /** By failure; `*`: one edge for all. */
  readonly fail?: Readonly<Record<string, readonly Step[]>>
  /** An empty list: `{}`. */
  readonly on: Readonly<Record<string, readonly Step[]>>
  readonly join?: Readonly<Record<string, Step | true>>
  readonly after: readonly TimerSketch[]
  readonly always: readonly Step[]
  readonly until: readonly FollowSketch[]
  readonly tells: readonly Tell[]
}

/** What holds in several states. */
export interface GroupSketch {
  readonly name: string
  readonly states: readonly string[]
  readonly on: Readonly<Record<string, readonly Step[]>>
  readonly after: readonly TimerSketch[]
}

/** One kind of children. */
export interface KidsSketch {
  readonly kind: string
  readonly of: string
  readonly restart: boolean
  readonly onCancel?: 'keep' | 'cancel'
  /** Their names are not made of their parent's: another parent may have them. */
  readonly shared: boolean
}

/** How instances of the first version become those of the second. */
export interface MigrationSketch {
  readonly from: 'machine' | 'contract'
  readonly renames: Readonly<Record<string, string>>
  readonly calls?: 'keep' | 'drop'
}

/** A machine. */
export interface MachineSketch {
  readonly name: string
  readonly version: number
  readonly states: readonly StateSketch[]
  readonly groups: readonly GroupSketch[]
  readonly cancel?: readonly Step[]
  readonly children: readonly KidsSketch[]
  /** Types that create an instance. */
  readonly start: readonly string[]
  readonly priority?: number
  readonly fair: boolean
  readonly migrate?: MigrationSketch
}

/** A message type. `fans`: several instances hear it, or none. */
export interface MessageSketch {
  readonly kind: 'event' | 'command'
  readonly type: string
  readonly to?: string
  readonly fans: boolean
}

/** An activity. */
export interface ActivitySketch {
  readonly name: string
  readonly failures: readonly string[]
  readonly attempts: number
  readonly timeoutMs: number
  readonly withinMs?: number
  readonly heartbeatMs?: number
  readonly concurrency?: number
  readonly rate?: number
  readonly interruptible: boolean
  /** The activity that it undoes. */
  readonly undoes?: string
}

/** One part of a saga, in the order in which it is written. */
export type SagaPart =
  | { readonly is: 'step'; readonly name: string; readonly branches: readonly BranchSketch[]; readonly alone: boolean }
  | {
      readonly is: 'wait'
      readonly name: string
      readonly type: string
      readonly withinMs?: number
      readonly goesOn: boolean
    }
  | { readonly is: 'pivot' }
  | { readonly is: 'emit' | 'failed'; readonly type: string }

/** One call of a saga. */
export interface BranchSketch {
  readonly name: string
  readonly activity: string
  readonly withinMs?: number
  readonly otherwise?: 'stall' | 'undo' | 'value'
  readonly undo?: string
  /** Where its result says so there is nothing to undo. */
  readonly mayNeedNoUndo: boolean
}

/** A saga. */
export interface SagaSketch {
  readonly name: string
  readonly parts: readonly SagaPart[]
  readonly start?: string
  readonly cancel?: string
  readonly priority?: number
  readonly fair: boolean
}

/** All that is deployed together. */
export interface ServiceSketch {
  readonly messages: readonly MessageSketch[]
  readonly activities: readonly ActivitySketch[]
  /** Children come before their parents. */
  readonly machines: readonly MachineSketch[]
  /** The second version of one of them. */
  readonly next?: MachineSketch
  readonly sagas: readonly SagaSketch[]
  /** Instances that are started from outside, by machine. */
  readonly roots: Readonly<Record<string, readonly string[]>>
}
