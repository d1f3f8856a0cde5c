// What commands ask of a store or of a running app. Two answer: `stored.ts` reads a file, `remote.ts` asks over HTTP. What they give is
// the JSON of the HTTP API, so a command does not know whom it asks.
import type { MachineGraph } from '../machine/definition.ts'
import type { Counts } from '../machine/types-app.ts'

/** An instance, as a list shows it. */
export interface InstanceLine {
  readonly id: string
  readonly state: string
  readonly status: string
  readonly seq: number
  readonly data: unknown
  readonly stalled?: { readonly code: string; readonly message: string }
}
/** An instance with what only its store knows: calls, timers, children, messages that wait. */
export type InstanceShown = InstanceLine & { readonly more?: Readonly<Record<string, unknown>> }

/** A row of the journal. Times are ISO 8601. */
export interface HistoryLine {
  readonly seq: number
  readonly at: string
  readonly from: string | null
  readonly to: string
  readonly outcome: string
  readonly changed: Readonly<Record<string, unknown>>
  readonly emitted: readonly { readonly type: string; readonly data: unknown }[]
  readonly cause: { readonly kind: string; readonly name: string; readonly id: string; readonly at: string }
  readonly by?: string
  readonly why?: string
}

/** A dead letter. `at` is ISO 8601. */
export interface LetterLine {
  readonly id: string
  readonly machine: string
  readonly instance?: string
  readonly at: string
  readonly message: { readonly type: string; readonly data: unknown }
  readonly error: { readonly code: string; readonly message: string }
}

/** A part of a list; `next` is for `after`, and absent on the last page. */
export interface Page<T> {
  readonly items: readonly T[]
  readonly next?: string
}

/** Which instances. */
export interface Query {
  readonly machine: string
  readonly state?: string | undefined
  readonly status?: string | undefined
  /** Why they stall. */
  readonly code?: string | undefined
  readonly limit: number
  readonly after?: string | undefined
}

/** What became of a message or an action. */
export interface ReceiptLine {
  readonly outcome: string
  readonly messageId: string
  readonly state?: string
  readonly seq?: number
  readonly became?: string
}

/** What is done to one instance, with the body of its request. `send` may carry its id and the `seq` that it insists on. */
export type Action =
  | {
      readonly do: 'send'
      readonly body: object
      readonly id?: string | undefined
      readonly ifSeq?: number | undefined
    }
  | { readonly do: 'cancel'; readonly why: string }
  | { readonly do: 'retry' | 'resolve' | 'move'; readonly body: object }

/** A store, or a running app. Everything rejects with PawlErrors. */
export interface Connection {
  machines(): Promise<readonly { readonly name: string; readonly version: number }[]>
  /** UNKNOWN_MACHINE. */
  graph(machine: string): Promise<MachineGraph>
  counts(): Promise<Counts>
  /** UNKNOWN_MACHINE. */
  list(query: Query): Promise<Page<InstanceLine>>
  /** UNKNOWN_INSTANCE. */
  show(machine: string, id: string): Promise<InstanceShown>
  /** One page, oldest first; UNKNOWN_INSTANCE. `next` is a `seq`. */
  history(
    machine: string,
    id: string,
    o: { readonly after: number; readonly limit: number },
  ): Promise<{ readonly items: readonly HistoryLine[]; readonly next?: number }>
  /** Opens what is needed to change something: called before many are changed, so that what fails for all is told once. */
  ready(): Promise<void>
  act(machine: string, id: string, action: Action): Promise<ReceiptLine>
  deadLetters(o: {
    readonly machine?: string | undefined
    readonly limit: number
    readonly after?: string | undefined
  }): Promise<Page<LetterLine>>
  redrive(id: string, body: object): Promise<ReceiptLine>
  discard(id: string, body: object): Promise<void>
  close(): Promise<void>
}
