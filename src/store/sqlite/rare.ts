// What most files have none of. A new instance is looked for there before it is created; where there is nothing, nothing is asked.
import type { DatabaseSync } from 'node:sqlite'

/** Whether there may be any. True stays true: for as long as the file is open a look costs little. */
export interface Rare {
  /** Waiting messages whose instance is not there. */
  orphans: boolean
  tombstones: boolean
}

/** Looks what there is. */
export function rareOf(db: DatabaseSync): Rare {
  const row = db
    .prepare(
      `select exists (select 1 from pawl_waiting where k is null) orphans, exists (select 1 from pawl_tombstones) tombstones`,
    )
    .get()!
  return { orphans: row['orphans'] === 1, tombstones: row['tombstones'] === 1 }
}
