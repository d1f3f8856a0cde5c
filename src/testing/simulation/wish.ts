import type { OperatorInput } from '../../core/model.ts'
import type { ReceiptRow, Target } from '../../store/store.ts'

/** What somebody wants to happen once. */
export type Wish =
  | { readonly do: 'start'; readonly target: Target; readonly data: unknown }
  | { readonly do: 'command'; readonly target: Target; readonly message: unknown; readonly data: unknown }
  | { readonly do: 'event'; readonly message: unknown; readonly data: unknown }
  | { readonly do: 'cancel'; readonly target: Target }
  /** An operator's. */
  | { readonly do: 'operate'; readonly target: Target; readonly action: OperatorInput['action'] }
  | { readonly do: 'redrive'; readonly letter: string; readonly target: Target; readonly data?: unknown }
  | { readonly do: 'discard'; readonly letter: string }
  /** Waits for the end of an instance, once. */
  | { readonly do: 'await'; readonly target: Target }

/** How a wish ended. `refused` of an operator: there was nothing of that kind to be done any more. */
export type Ending = ReceiptRow['outcome']
