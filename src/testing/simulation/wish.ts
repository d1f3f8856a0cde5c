import type { OperatorInput } from '../../core/model.ts'
import { messageOf } from '../../machine/definition.ts'
import type { ReceiptRow, Target } from '../../store/store.ts'

/** What somebody wants to happen once. A message is what `event` or `command` returned, or its type. */
export type Wish =
  | { readonly do: 'start'; readonly target: Target; readonly data: unknown }
  | {
      readonly do: 'command'
      readonly target: Target
      readonly message: unknown
      readonly data: unknown
      readonly ifSeq?: number
    }
  /** `together`: in a transaction, with a second message that is the same but for its id. */
  | { readonly do: 'event'; readonly message: unknown; readonly data: unknown; readonly together?: boolean }
  | { readonly do: 'cancel'; readonly target: Target }
  /** An operator's. */
  | { readonly do: 'operate'; readonly target: Target; readonly action: OperatorInput['action'] }
  | { readonly do: 'redrive'; readonly letter: string; readonly target: Target; readonly data?: unknown }
  | { readonly do: 'discard'; readonly letter: string }
  /** Erases an instance that has ended. */
  | { readonly do: 'remove'; readonly target: Target }
  /** Waits for the end of an instance, once. */
  | { readonly do: 'await'; readonly target: Target }

/** How a wish ended. `refused` of an operator: there was nothing of that kind to be done any more. */
export type Ending = ReceiptRow['outcome']

/** The type of a wish's message. */
export const messageType = (message: unknown): string =>
  typeof message === 'string' ? message : messageOf(message).type
