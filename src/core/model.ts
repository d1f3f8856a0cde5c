// The words of the core as types: an instance, what comes to it, and what became of that. Plain data, all of it JSON.
//
// Times are ms since 1970 by the store's clock. A `stamp` is a hybrid logical clock: 1,024 times such a time, plus a
// counter; it fits a JavaScript number until the year 2248.
import type { CallFailure, MessageDefinition } from '../machine/definition.ts'

/** What is stored of an instance's condition. Running and waiting are derived: a call is open, or none is. */
export type StoredStatus = 'live' | 'stalled' | 'done' | 'failed' | 'cancelled'
/** Whether an instance has ended. */
export const hasEnded = (status: StoredStatus): boolean => status !== 'live' && status !== 'stalled'

/** A call of the present entry, open until all calls of the state are settled and an edge was taken. */
export interface CallRecord {
  readonly activity: string
  readonly key: string
  /** The transition that opened it; kept over migration. With the name it tells calls apart that have one key of the user's. */
  readonly entry?: number
  readonly input: unknown
  /** Attempts that have failed so far. */
  readonly attempts: number
  /** Some attempt ended unknown: it may have happened. Sticky. */
  readonly unknown: boolean
  /** When the entry opened it. */
  readonly openedAt: number
  /** When the next attempt may start; absent: at once. */
  readonly nextAt?: number
  /** When it is settled as unknown, whatever its attempts do (a saga's `within`). */
  readonly deadlineAt?: number
  /** Take-overs in a row that found an attempt possibly running. */
  readonly recoveries: number
  /** The session whose worker may be running an attempt. */
  readonly runner?: string
  readonly progress?: unknown
  /** Present once it is settled. */
  readonly settled?: CallSettlement
}

/** How a call ended. `exhausted`: its retries were used up, or an operator said so. */
export type CallSettlement =
  { readonly done: true; readonly output: unknown } | { readonly done: false; readonly error: CallFailure }

/** A timer of the present state or of a group. `entry`: the transition that entered that state or group. */
export interface TimerRecord {
  readonly due: number
  readonly entry: number
}

/** Why an instance waits for an operator, and what it was looking at then. */
export interface Stall {
  readonly code: string
  readonly message: string
  /** Tried again by an operator's retry. Absent: a call stands settled without an edge for it. */
  readonly cause?: Input
  /** Children that have come to another state meanwhile: their edges are taken when the instance goes on. */
  readonly arrivals?: readonly { readonly machine: string; readonly id: string }[]
}

/** Who is told of every change of a child. */
export interface ParentRef {
  readonly machine: string
  readonly id: string
  readonly incarnation: string
}

/** One instance, as committed. Deep-frozen. */
export interface Instance {
  /** Surrogate key, in the order of creation; what all other rows hang on. */
  readonly k: number
  readonly machine: string
  readonly id: string
  readonly partition: number
  readonly incarnation: string
  readonly version: number
  readonly status: StoredStatus
  readonly state: string
  /** Number of the newest journal row. */
  readonly seq: number
  /** Sequence number of the transition that entered the present state. */
  readonly entry: number
  readonly enteredAt: number
  readonly data: Readonly<Record<string, unknown>>
  /** `data` as it is stored. */
  readonly dataText: string
  readonly calls: Readonly<Record<string, CallRecord>> | null
  readonly timers: Readonly<Record<string, TimerRecord>> | null
  /** When something falls due that only the store remembers; null: nothing does. */
  readonly dueAt: number | null
  /** Messages of a `join` that have come. */
  readonly joined: readonly string[] | null
  readonly stamp: number
  readonly parent: ParentRef | null
  /** Hash of the input it was started with. */
  readonly startHash: string
  readonly stalled: Stall | null
  readonly correlation: string
  readonly priority: number
  readonly fairKey: string | null
  readonly startedAt: number
  readonly endedAt: number | null
}

/** A child as its parent's store knows it: by its last notice. */
export interface ChildRecord {
  readonly machine: string
  readonly id: string
  readonly incarnation: string
  readonly seq: number
  readonly state: string
  /** As callbacks see it; a child that runs is `running` or `waiting`. */
  readonly status: 'running' | 'waiting' | 'stalled' | 'done' | 'failed' | 'cancelled'
  readonly data: unknown
}

/** What all inputs carry. */
export interface InputBase {
  /** The message's id, the call's key, or `<incarnation>-<entry>-<timer>`. */
  readonly id: string
  /** When it was sent or fell due. */
  readonly at: number
  readonly by?: string
  readonly source?: string
  readonly correlation: string
  /** Of what it follows from; 0 from outside. */
  readonly stamp: number
}

/** An event or a command, at one target. */
export interface MessageInput extends InputBase {
  readonly kind: 'message'
  readonly command: boolean
  readonly type: string
  readonly version: number
  readonly data: unknown
  readonly keepMs: number
  readonly ifSeq?: number
  /** Why an operator sent it again. */
  readonly why?: string
  /** In memory only, never stored: the definition by which this very payload was checked in this process. */
  readonly checked?: MessageDefinition
}
/** Creates an instance: by `run`, or by a parent. */
export interface StartInput extends InputBase {
  readonly kind: 'start'
  readonly data: unknown
  readonly parent?: ParentRef
  /** A child that has ended gets a new life. */
  readonly restart?: boolean
}
/** How one attempt of a call ended. */
export interface ResultInput extends InputBase {
  readonly kind: 'result'
  readonly call: string
  readonly key: string
  /** The call's `entry`. */
  readonly entry?: number
  /** Number of the attempt, 1 for the first. A failure counts only from the newest. */
  readonly attempt: number
  readonly outcome:
    | { readonly kind: 'done'; readonly output: unknown }
    | { readonly kind: 'failure'; readonly code: string; readonly message: string; readonly details?: unknown }
    /** A timeout, a lost connection, a crash, an error that is not declared. */
    | { readonly kind: 'unknown'; readonly message: string }
    /** A take-over found it open: an attempt may have been running. */
    | {
        readonly kind: 'recovered'
        readonly runner: string
        /** Its owner had stopped gracefully: none was running, and nothing is counted. */
        readonly released?: boolean
      }
    /** A graceful stop: no attempt of it is running any more. */
    | {
        readonly kind: 'released'
        /** One was given up before it had answered: it may have happened. */
        readonly ran?: boolean
      }
    /** Progress by `heartbeat`, to be kept. */
    | { readonly kind: 'progress'; readonly progress: unknown }
  /** In [0, 1): drawn by the engine, for the jitter of the next attempt. */
  readonly jitter: number
}
/** Something has fallen due: timers, deadlines of calls, waiting messages that were kept too long. */
export interface TimerInput extends InputBase {
  readonly kind: 'timer'
}
/** A child's present condition. */
export interface NoticeInput extends InputBase {
  readonly kind: 'notice'
  readonly child: ChildRecord
  /** Of the parent that it is for. */
  readonly parent: string
  /** It could not be started: the id belongs to somebody else, or its data were refused. */
  readonly problem?: { readonly code: string; readonly message: string }
}
/** Takes the machine's cancel edge. */
export interface CancelInput extends InputBase {
  readonly kind: 'cancel'
  readonly why: string
}
/** What an operator does. */
export interface OperatorInput extends InputBase {
  readonly kind: 'operator'
  readonly why: string
  readonly action:
    | { readonly do: 'retry'; readonly newKey: boolean }
    | { readonly do: 'resolve'; readonly call?: string; readonly result: unknown }
    | { readonly do: 'resolve'; readonly call?: string; readonly failure: string }
    /** A dead letter of this instance goes. */
    | { readonly do: 'discard'; readonly letter: string }
    | {
        readonly do: 'move'
        readonly to: string
        readonly payload?: unknown
        readonly data?: Readonly<Record<string, unknown>>
      }
}

/** Whatever comes to an instance. */
export type Input = MessageInput | StartInput | ResultInput | TimerInput | NoticeInput | CancelInput | OperatorInput

/** A message, or a cancel, that was looked at and waits. */
export interface Waiting {
  /** Its place: unique and growing within the store. */
  readonly n: number
  /** `state`: for a state that takes it; `call`: for an open call; `stalled`: for an operator; `instance`: for its instance;
   *  `build`: for a worker that knows its machine, type or version. */
  readonly why: 'state' | 'call' | 'stalled' | 'instance' | 'build'
  /** When it has waited too long; null while that time does not run. */
  readonly until: number | null
  /** What was left of its `keep` when the time stopped, in ms. */
  readonly leftMs: number | null
  /** Characters of its stored text, for the limit of 256 KB. */
  readonly size: number
  readonly input: MessageInput | CancelInput
}

/** What became of a message at one target. */
export type Fate = 'applied' | 'ignored' | 'refused' | 'deferred' | 'unclaimed' | 'dead'
/** Why a message was refused. */
export type RefusedWhy = 'if' | 'seq' | 'ended' | 'pivot' | 'not-stalled'

/** Why a transition happened, as the journal keeps it. */
export interface JournalCause {
  readonly kind: 'start' | 'message' | 'result' | 'timer' | 'child' | 'always' | 'cancel' | 'operator' | 'migrate'
  readonly name: string
  readonly id: string
  readonly at: number
  readonly by?: string
  readonly source?: string
  readonly correlation: string
}

/** A message that a transition emits, with its payload checked. */
export interface Emitted {
  readonly message: MessageDefinition
  readonly data: unknown
  /** An event's subject, a command's instance. */
  readonly key: string
}

/** A child to be started (or adopted). */
export interface Spawn {
  readonly kind: string
  readonly machine: string
  readonly id: string
  readonly data: unknown
  readonly restart: boolean
}

/** One row of the journal, with what it let happen. */
export interface JournalEntry {
  readonly seq: number
  readonly at: number
  readonly cause: JournalCause
  readonly from: string | null
  readonly to: string
  readonly outcome: 'applied' | 'ignored' | 'refused' | 'late'
  /** It decided about an event or a command: counted by the law of messages. */
  readonly unit: boolean
  /** The changed fields; a field that was removed is null here and named in `removed`. */
  readonly change: Readonly<Record<string, unknown>> | null
  readonly removed: readonly string[]
  readonly emitted: readonly Emitted[]
  readonly spawned: readonly Spawn[]
  /** Names of the calls it opened. */
  readonly opened: readonly string[]
  /** Names of the calls that it gave up: superseded before they started, or interrupted. */
  readonly dropped: readonly string[]
  /** Children that a cancel of their parent cancels too. */
  readonly cancelled: readonly { readonly machine: string; readonly id: string }[]
  readonly by?: string
  readonly why?: string
}
