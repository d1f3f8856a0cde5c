// Receipts lie in buckets by the time they were written, so that what is too old goes as one range, and new ones lie side by side.
//
// A bucket is named by its end: all in it is older. It is an eighth as wide as receipts are kept, so that they are kept an eighth
// longer at most, and a lookup, which asks every bucket (a key cannot be unique over several), asks ten. How long they are kept is known
// from the cuts of retention; who changes it changes the width of buckets to come, and no row is written again.
import type { DatabaseSync, StatementSync } from 'node:sqlite'

const SHARE = 8
/** Before retention has come for the first time. */
const FIRST_MS = 3_600_000
const LEAST_MS = 1_000
/** The clock has gone on a little between the cut and its hearing: only what differs by more is another retention. */
const SAME = 0.05

/** The buckets of receipts. */
export class Buckets {
  readonly #store: StatementSync
  #ms: number
  // One time has one bucket for ever: of two receipts of one key and one time in two buckets nobody could tell the newer.
  #msBefore: number
  #since: number

  constructor(db: DatabaseSync) {
    const row = db.prepare("select value from pawl_meta where name = 'receipts'").get()
    this.#store = db.prepare(
      "insert into pawl_meta values ('receipts', ?) on conflict do update set value = excluded.value",
    )
    const [ms = FIRST_MS, msBefore = ms, since = 0] =
      row === undefined ? [] : String(row['value']).split(' ').map(Number)
    this.#ms = ms
    this.#msBefore = msBefore
    this.#since = since
  }

  /** The bucket of a time. */
  of(at: number): number {
    const ms = at > this.#since ? this.#ms : this.#msBefore
    return (Math.floor(at / ms) + 1) * ms
  }

  /** From `now` on receipts are kept that long. Inside a transaction. */
  fit(keptMs: number, now: number): void {
    if (keptMs <= 0) return
    const ms = Math.max(LEAST_MS, Math.round(keptMs / SHARE))
    if (Math.abs(ms - this.#ms) <= this.#ms * SAME) return
    if (now > this.#since) this.#msBefore = this.#ms
    this.#ms = ms
    this.#since = now
    this.#store.run(`${ms} ${this.#msBefore} ${now}`)
  }
}
