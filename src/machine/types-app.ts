// Types of a running app: what is sent, what became of it, instances, operators, options of `pawl`. Types only.
import type { Duration } from '../base/duration.ts'
import type { HttpOptions } from './types-http.ts'
import type { CallError, Implementation, Sql } from './types-activity.ts'
import type { Give } from './types-data.ts'
import type { Cause } from './types-edge.ts'
import type { AnyMachine } from './types-machine.ts'
import type { Message } from './types-message.ts'
import type { Status } from './types-state.ts'

/** A row as a store gives it. */
export type Row = Readonly<Record<string, unknown>>

/**
 * `id`: the sender's own id for this message, default a new one; what comes twice under one id is applied once, and one id with another payload to
 * the same target is the error MESSAGE_ID_REUSED. `by`: who sends it, for `cause.by`.
 */
export interface Sender {
  id?: string
  by?: string
}
/** How an event is sent. */
export type EmitOptions = Sender &
  (
    | {
        /**
         * What to wait for, default 'applied': everyone who hears it has looked at it. Where the message becomes a dead letter, the promise rejects
         * with that letter's code, and the `messageId` is on the error.
         */
        until?: 'applied' | 'stored'
        /**
         * How long to wait, default '5 seconds'. After that the receipt says `stored` where the message is safe by then, and it goes its way; else
         * the promise rejects with WITHIN_ELAPSED: the message may still be applied, or be lost with this process. Send it again under its `id`.
         */
        within?: Duration
        sql?: undefined
      }
    | {
        /** PostgreSQL: the caller's transaction. The message commits with the caller's rows, or not at all; the receipt is always `stored`. */
        sql: Sql
        until?: 'stored'
        within?: undefined
      }
  )
/** How a message is sent to one instance. */
export type SendOptions = EmitOptions & {
  /** Only if the instance is still at this `seq`; else it is `refused`. */
  ifSeq?: number
}
/** The instance as it was after it had looked at the message. */
export interface Seen<S> {
  readonly messageId: string
  readonly state: S
  readonly seq: number
  readonly emitted: readonly Message[]
}
/** Nobody has looked at the message yet. */
export interface Unseen {
  readonly messageId: string
  readonly state?: undefined
  readonly seq?: undefined
  readonly emitted?: undefined
}
/** What became of a message. A command to an instance that does not exist gets none, but the error UNKNOWN_INSTANCE; where nobody waits for that, it is a dead letter. */
export type Receipt<S = string> =
  /** An edge was taken · no state that can be reached names it, or one says `'x': {}`, or it is an event after the end. */
  | (Seen<S> & { readonly outcome: 'applied' | 'ignored' })
  /**
   * The state names it, but no `if` held · `ifSeq` was another · a command or a cancel after the end · a saga's cancel after its pivot · an
   * operator's retry or resolve of what is not stalled.
   */
  | (Seen<S> & { readonly outcome: 'refused'; readonly why: 'if' | 'seq' | 'ended' | 'pivot' | 'not-stalled' })
  /**
   * It waits for a state that takes it, no longer than its `keep`; or, as long as that takes, for an open call or an operator; an event also, no
   * longer than its `keep`, for the instance itself.
   */
  | ((Seen<S> | Unseen) & { readonly outcome: 'deferred' })
  /** It is safe; nobody has looked at it yet. */
  | (Unseen & { readonly outcome: 'stored' })
  /** This id was here before; `became` is what has come of it by now. */
  | ((Seen<S> | Unseen) & {
      readonly outcome: 'duplicate'
      readonly became: 'applied' | 'ignored' | 'refused' | 'deferred' | 'stored' | 'unclaimed' | 'dead'
      /** Of `refused` as there, of `dead` the dead letter's code. */
      readonly why?: string
    })
/** An event is heard by any number of instances: a receipt for each that is known. `applied`: all of them have looked at it. */
export interface Emission {
  readonly messageId: string
  readonly outcome: 'applied' | 'stored' | 'duplicate'
  readonly heard: readonly (Receipt & { readonly machine: string; readonly id: string })[]
}

/** An instance as it stands. `stalled`: why it waits for an operator. */
export interface Snapshot<M extends AnyMachine> {
  readonly id: string
  readonly state: M['~states']
  readonly data: M['~data']
  readonly seq: number
  readonly status: Status
  readonly stalled?: { readonly code: string; readonly message: string }
}
/**
 * One transition. `from`, `to` and the changed fields are those of the version of that time, and therefore not typed. `late`: nobody waited for it
 * any more.
 */
export interface JournalRow {
  readonly seq: number
  readonly at: Date
  readonly from: string | null
  readonly to: string
  readonly changed: Row
  readonly emitted: readonly Message[]
  readonly cause: Cause & {
    readonly kind: 'start' | 'message' | 'result' | 'timer' | 'child' | 'always' | 'cancel' | 'operator' | 'migrate'
    readonly name: string
  }
  readonly outcome: 'applied' | 'ignored' | 'refused' | 'late'
  readonly by?: string
  readonly why?: string
}
/** What `result` gives: a saga's output, a machine's data. */
export type ResultOf<M extends AnyMachine> = M extends { readonly '~output': infer O } ? O : M['~data']
/** Who does it, and why. */
export interface Reason {
  /** For the journal, with `by`. */
  why: string
  by?: string
}
/** One instance. */
export interface Handle<M extends AnyMachine> {
  readonly id: string
  /** As it stands now. */
  state(): Promise<Snapshot<M>>
  /** Oldest first; `after`: from behind this `seq`. */
  history(o?: { after?: number; limit?: number }): AsyncIterable<JournalRow>
  /** Sends it a message. */
  send(message: M['~takes'], o?: SendOptions): Promise<Receipt<M['~states']>>
  /**
   * For what never ends: when it is, or comes to be, in that state, be it only for a moment. The snapshot is of the instance as it stands then:
   * where it went on at once its `state` is a later one.
   */
  reaches(state: M['~states'] | readonly M['~states'][], o?: { within?: Duration }): Promise<Snapshot<M>>
  /** A saga's output, a machine's data. Rejects with INSTANCE_ENDED where it ended failed or cancelled; waits on where it stalls, unless `rejectOnStall`. */
  result(o?: { within?: Duration; rejectOnStall?: boolean }): Promise<ResultOf<M>>
  /**
   * Takes the machine's `cancel` edge; a saga undoes what it did. An open call is waited for; one whose retries are exhausted is not: the cancel acts
   * at once, and of a saga that step counts as unknown and is undone.
   */
  cancel(o: Reason): Promise<Receipt<M['~states']>>
}
/** What `run` gives. */
export interface Started<M extends AnyMachine> extends Handle<M> {
  /** False: it was there already, with the same data. */
  readonly created: boolean
}
/** A page of a list. */
export interface Page<T> {
  readonly items: readonly T[]
  /** For `after`; absent on the last page. */
  readonly next?: string
}
/** A message that could not be applied. */
export interface DeadLetter {
  readonly id: string
  readonly message: Message
  readonly machine: string
  readonly instance?: string
  readonly at: Date
  readonly error: { readonly code: string; readonly message: string }
}
/** How a call ended: a result or a failure. */
export type Settled = { result: unknown; failure?: undefined } | { failure: string; result?: undefined }
/**
 * Which instances: for `retry` and `resolve` of those that stall, for `cancel` of those that have not ended. `code`: why they stall. `limit`:
 * default 1,000, oldest first. `dryRun`: `matched` is counted, nothing is done.
 */
export interface Which<M extends AnyMachine> {
  state?: M['~states'] | readonly M['~states'][]
  status?: 'stalled'
  code?: string
  limit?: number
  dryRun?: boolean
}
/** What became of them. `failed`: with the code of the error, or why it was refused; the others are not kept from it. */
export interface Bulk {
  readonly matched: number
  readonly done: number
  readonly failed: readonly { readonly id: string; readonly code: string }[]
}
/** What an operator does, and why; a row of the journal each. */
export interface Operate {
  /** Tries what stalled again. `newKey`: under a new idempotency key, where the other side answers the old one with the old failure. */
  retry<M extends AnyMachine>(machine: M, id: string, o: Reason & { newKey?: boolean }): Promise<Receipt<M['~states']>>
  /** Says how a call ended: its result, or one of its failures. `call`: its name, where several are open. */
  resolve<M extends AnyMachine>(
    machine: M,
    id: string,
    o: Reason & { call?: string } & Settled,
  ): Promise<Receipt<M['~states']>>
  /** Along a declared edge. `payload`: what that edge is given (a message, a result); `data`: fields to correct first. What has stalled
   *  may be moved to the state that it stands in, with `data` alone: what stalled it is tried again. */
  move<M extends AnyMachine>(
    machine: M,
    id: string,
    o: Reason & { to: M['~states']; payload?: unknown; data?: Partial<M['~data']> },
  ): Promise<Receipt<M['~states']>>
  /** One of these for every instance that matches, each a transition of its own. */
  each<M extends AnyMachine>(
    machine: M,
    which: Which<M>,
    action: Reason &
      ({ do: 'retry'; newKey?: boolean } | ({ do: 'resolve'; call?: string } & Settled) | { do: 'cancel' }),
  ): Promise<Bulk>
  /** Redrive: send it again; `data` is the payload, edited. */
  readonly deadLetters: {
    list(o?: { machine?: string; limit?: number; after?: string }): Promise<Page<DeadLetter>>
    redrive(id: string, o: Reason & { data?: unknown }): Promise<Receipt>
    discard(id: string, o: Reason): Promise<void>
  }
}

/** What is deployed together. */
export interface Service {
  readonly name: string
  readonly '~service': string
}
/** `service`: names what is deployed together. */
export interface MakeService {
  /** What is deployed together. `activities`: the bodies of those that are declared without `run`. */
  (name: string, o: { machines?: readonly AnyMachine[]; activities?: readonly Implementation[] }): Service
}
/** What takes messages of type T. */
export type Target<T, S> = { readonly name: string; readonly '~takes': T; readonly '~states': S }
/**
 * The caller's rows and messages in one commit. `emit` and `send` return the message's id. SQL_REFUSED for SQL that would end the transaction,
 * change the connection or write to tables that begin with `pawl_`.
 */
export interface Transaction {
  sql(text: string, values?: readonly unknown[]): readonly Row[]
  emit(message: Message, o?: Sender): string
  send<T>(to: Target<T, unknown>, id: string, message: NoInfer<T>, o?: Sender): string
}
/** Said of work that returns a promise. */
export interface Asynchronous {
  'the work of a transaction is synchronous': never
}
/** Instances by machine, messages of the whole store. `started` and `accepted` are the sums of the others; `states` counts the living. */
export interface Counts {
  readonly instances: {
    readonly [machine: string]: Readonly<Record<'started' | Status | 'removed', number>> & {
      readonly states: Readonly<Record<string, number>>
    }
  }
  readonly messages: Readonly<
    Record<
      'accepted' | 'applied' | 'ignored' | 'refused' | 'unclaimed' | 'waiting' | 'pending' | 'dead' | 'discarded',
      number
    >
  >
}
/** Which transition of which instance. */
export interface Where {
  readonly machine: string
  readonly id: string
  readonly seq: number
}
/** Which attempt of which call. */
export interface AttemptOf extends Where {
  readonly activity: string
  readonly call: string
  readonly key: string
  readonly attempt: number
}
/** What this worker did; told after it is committed. `ms`: how long it took. `size`: transitions. `late-timer`: fired over a second after it was due. */
export type Lifecycle = { readonly at: Date } & (
  | (Where &
      (
        | ({ readonly kind: 'transition' } & Pick<JournalRow, 'from' | 'to' | 'cause' | 'outcome'>)
        | { readonly kind: 'stalled'; readonly error: DeadLetter['error'] }
        | { readonly kind: 'late-timer'; readonly timer: string; readonly lateMs: number }
      ))
  | (AttemptOf &
      (
        | { readonly kind: 'attempt-started' }
        | { readonly kind: 'attempt-succeeded'; readonly ms: number }
        | {
            readonly kind: 'attempt-failed'
            readonly ms: number
            readonly error: CallError<string>
            /** Absent: it is not tried again. */ readonly nextAt?: Date
          }
      ))
  | { readonly kind: 'commit'; readonly size: number; readonly ms: number }
  | { readonly kind: 'dead-letter'; readonly letter: DeadLetter }
  | { readonly kind: 'partition-acquired' | 'partition-lost'; readonly partition: number }
)
/** `ready`: this worker takes work now. `alive`: false means that only a new process will help. `problems`: in words, the worst first. */
export interface Health {
  readonly ready: boolean
  readonly alive: boolean
  readonly store: 'ok' | 'read-only' | 'full' | 'unreachable'
  readonly problems: readonly string[]
}
/** `build`: a hash of the definitions that it runs. `lagMs`: the age of the oldest message that is ready. `busy`: the share of its time at work, 0 to 1. */
export interface WorkerInfo {
  readonly session: string
  readonly build: string
  readonly partitions: number
  readonly lagMs: number
  readonly busy: number
  readonly expiresAt: Date
}
/** What is logged. */
export interface LogRecord {
  readonly at: Date
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly text: string
  readonly machine?: string
  readonly id?: string
  readonly error?: unknown
  readonly more?: Row
}
/** A running app: what `pawl` returns. */
export interface App {
  /** Opens the store, checks what it holds against the code, and takes work. */
  start(): Promise<void>
  /** Takes nothing new, waits for running attempts (`grace`), then hands over to the other workers. */
  stop(): Promise<void>
  /** Without `id` it gets a UUIDv7. The same id and the same data: the same instance. Other data: the error ALREADY_STARTED_WITH_OTHER_INPUT. */
  run<M extends AnyMachine>(machine: M, o: { id?: string; data: Give<M>; by?: string }): Promise<Started<M>>
  /** Reads nothing yet: that there is no such instance shows at the first call, as UNKNOWN_INSTANCE. */
  get<M extends AnyMachine>(machine: M, id: string): Handle<M>
  /** Sends a message to one instance. */
  send<T, S>(to: Target<T, S>, id: string, message: NoInfer<T>, o?: SendOptions): Promise<Receipt<S>>
  /** Tells whoever listens. */
  emit(message: Message, o?: EmitOptions): Promise<Emission>
  /** The embedded store only: the caller's rows and messages in one commit. On PostgreSQL give `sql` to `send` and `emit`. */
  transaction<T>(work: (tx: Transaction) => T extends PromiseLike<unknown> ? Asynchronous : T): Promise<T>
  /** Instances of a machine. */
  list<M extends AnyMachine>(
    machine: M,
    o?: { state?: M['~states']; status?: Status; limit?: number; after?: string },
  ): Promise<Page<Snapshot<M>>>
  /** How many there are. */
  counts(): Promise<Counts>
  readonly operate: Operate
  /** Returns what ends it. What a listener throws is logged, and changes nothing. */
  on(listener: (event: Lifecycle) => void): () => void
  /** How it is. */
  health(): Promise<Health>
  /** All that hold a lease on this store. */
  workers(): Promise<readonly WorkerInfo[]>
  /**
   * Erases an ended instance with its journal; INSTANCE_NOT_ENDED where it lives, OWNED_ELSEWHERE where another worker of the store has it: ask that one. Its id, `why` and `by` stay as long as receipts do, so that a late
   * message does not start it again. Events that it emitted are not part of it.
   */
  remove<M extends AnyMachine>(machine: M, id: string, o: Reason): Promise<void>
  /** The embedded store only: a whole copy into a new file, while it runs. */
  backup(path: string): Promise<void>
  /** The HTTP API, for any web-standard server; `http` of the options opens it. Answers, whatever it is asked: it never rejects. */
  fetch(request: Request): Promise<Response>
}
/** What subpath exports make of a connection: `postgres(pool)` of pawl/postgres. */
export interface Store {
  readonly '~store': string
}
/** What subpath exports make of a broker: `kafka(…)` of pawl/kafka. Reserved. */
export interface Transport {
  readonly '~transport': string
}
/** What `pawl` is given. */
export interface PawlOptions {
  services: readonly Service[]
  /** 'sqlite:shop.db', 'memory:', 'postgres://…', or an object. */
  store: string | Store
  /** Reserved: refused with BAD_DEFINITION. */
  transports?: { readonly [name: string]: Transport }
  /** Shares of all ids, which workers divide among them: default 64. Fixed when the store is made: another number is refused at start. */
  partitions?: number
  /** How long a worker that says nothing keeps its share, default '10 seconds'; so what a crash interrupts goes on after that. */
  lease?: Duration
  /** What `stop()` and an undo wait for running attempts, default '10 seconds'. */
  grace?: Duration
  /**
   * How long is kept what is over: ended instances with their journal, and dead letters (then counted `discarded`), both by default for ever; receipts,
   * by which a message that comes twice is known, '7 days'. `ended` may not be shorter than `receipts`: a late message would start it again.
   */
  retention?: { ended?: Duration; receipts?: Duration; deadLetters?: Duration }
  /** Default: none. */
  log?: (record: LogRecord) => void
  /** How `app.fetch` is opened. Left out, it answers nobody but those who ask whether the worker is alive and ready. */
  http?: HttpOptions
}
