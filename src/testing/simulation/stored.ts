import type { JournalEntry } from '../../core/model.ts'

/** A journal row as it is kept: events by their place in the log. */
export type StoredEntry = Omit<JournalEntry, 'emitted'> & {
  readonly emitted: readonly { readonly event?: readonly [partition: number, offset: number]; readonly type?: string }[]
}
