// What lies between a worker and the space: for users nothing, for the simulation a network and a server under load.
import type { Instance } from '../../core/model.ts'
import type { Store } from '../store.ts'
import type { ChangeRows } from './write.ts'

/** One call on its way. */
export interface StoreCall {
  readonly name: Exclude<keyof Store, 'features'>
  readonly session?: string
  readonly n?: number
}

/** What becomes of a call before anything of it has taken effect. */
export type Arrival =
  | 'ok'
  /** It is lost on the way: nothing is written, the caller learns that nothing is known. */
  | 'transient'
  /** The caller learns at once that nothing is known, and yet it goes its way and may take effect later. */
  | 'late'
  | 'full'
  | 'read-only'

/** Decides about each call on its way. Each promise takes as long as the simulation wants. */
export interface Reach {
  /** Before the call has looked at anything. */
  arrive(call: StoreCall): Promise<Arrival>
  /** Of a commit: it has seen its session, and has no lock yet. A take-over may come now. */
  seen(call: StoreCall): Promise<void>
  /** Of a commit: it holds its locks, and nothing of it can be seen. A take-over waits for it. */
  locked(call: StoreCall): Promise<void>
  /** It has taken effect, and the answer is on its way: `lost` means that the caller learns that nothing is known. */
  answer(call: StoreCall): Promise<'ok' | 'lost'>
  /** A commit has just taken effect: the tables are as it left them. Called in the same instant. */
  written(session: string, n: number, rows: ChangeRows): void
  /** Whether the store refuses this row for what is in it, now and always. */
  isBad(row: Pick<Instance, 'machine' | 'id' | 'status'>): boolean
}
