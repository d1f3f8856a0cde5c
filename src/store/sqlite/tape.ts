// The rows of one transaction as a flat list of plain values: made by the writer (commit.ts), played on a connection, which may be that
// of another thread. Flat, since a list of plain values crosses to a thread at 10 ns a value, and objects at a hundred times that.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import { rowsMissing } from './failure.ts'

const marks = (n: number): string => Array.from({ length: n }, () => '?').join(', ')

// Of a running instance only what usually changes: no index holds one of these columns. `update` takes the same values and those after them.
const ADVANCED = `version = ?1, state = ?2, seq = ?3, entry = ?4, entered_at = ?5, open = ?6, data = ?7, calls = ?8, timers = ?9,
  joined = ?10, stamp = ?11, parent = ?12, priority = ?13, fair_key = ?14`

const STATEMENTS = {
  insert: `insert into pawl_instances values (${marks(26)})`,
  // No row is found where the instance was stalled, had ended or waited for a time.
  advance: `update pawl_instances set ${ADVANCED} where k = ?15 and status = 0 and due_at is null`,
  update: `update pawl_instances set ${ADVANCED}, incarnation = ?16, status = ?17, due_at = ?18, start_hash = ?19, stalled = ?20,
    correlation = ?21, started_at = ?22, ended_at = ?23 where k = ?15`,
  life: 'insert into pawl_lives select ?1, ?2, incarnation, correlation from pawl_instances where k = ?1',
  journal: `insert into pawl_journal values (${marks(13)})`,
  event: `insert into pawl_events values (${marks(12)})`,
  child: `insert or replace into pawl_children values (${marks(8)})`,
  waiting: `insert into pawl_waiting values (${marks(12)})`,
  rewaiting: 'update pawl_waiting set k = ?, why = ?, until = ?, left_ms = ? where n = ?',
  unwaiting: 'delete from pawl_waiting where n = ?',
  inbox: `insert into pawl_inbox values (${marks(5)})`,
  read: 'delete from pawl_inbox where n = ?',
  receipt: `insert or replace into pawl_receipts values (${marks(10)})`,
  dead: `insert into pawl_dead_letters values (null, ${marks(10)})`,
  undead: 'delete from pawl_dead_letters where id = ?',
  count: 'insert into pawl_counters values (?, ?) on conflict do update set value = value + excluded.value',
  head: 'insert into pawl_partitions values (?, ?, ?) on conflict do update set head = excluded.head, stamp = excluded.stamp',
  name: 'insert into pawl_names values (?, ?)',
  id: 'insert or ignore into pawl_ids values (?, ?)',
  meta: 'insert into pawl_meta values (?, ?) on conflict do update set value = excluded.value',
} as const

/** The statements that rows are written with. */
export type Verb = keyof typeof STATEMENTS
/** What a column holds. */
export type Value = string | number | null

const VERBS = Object.keys(STATEMENTS) as readonly Verb[]
const NUMBERS = Object.fromEntries(VERBS.map((verb, n) => [verb, n])) as Readonly<Record<Verb, number>>
const ADVANCE_VALUES = 15
const UPDATE_VALUES = 23

/** How many values a verb takes. */
const taken = (verb: Verb): number => {
  if (verb === 'advance' || verb === 'update') return UPDATE_VALUES
  if (verb === 'life') return 2
  return STATEMENTS[verb].split('?').length - 1
}
const TAKEN = VERBS.map(taken)

/** A row that must be there; who computed the change has lost the thread where it is not. */
const MUST_BE: Partial<Record<Verb, string>> = {
  read: 'row of the inbox',
  unwaiting: 'waiting row',
  rewaiting: 'waiting row',
  update: 'instance',
}

/** Rows in the order in which they are written: the number of a verb, then its values, over and over. */
export class Tape {
  readonly values: Value[] = []
  /** Rows so far. */
  rows = 0

  /** Adds a row. The values are those of the verb's statement, in order, as many as it has. */
  put(verb: Verb, ...values: readonly Value[]): void {
    this.values.push(NUMBERS[verb], ...values)
    this.rows += 1
  }
}

/** Plays tapes on one connection. */
export class Player {
  readonly #statements: readonly StatementSync[]
  readonly #update: StatementSync

  constructor(db: DatabaseSync) {
    this.#statements = VERBS.map((verb) => db.prepare(STATEMENTS[verb]))
    this.#update = this.#statements[NUMBERS.update]!
  }

  /**
   * Writes the rows, inside the transaction of the caller, who rolls back on an error: PawlErrors `NO_DEAD_LETTER` and `ROWS_MISSING`, or
   * what SQLite throws.
   */
  play(values: readonly Value[]): void {
    for (let at = 0; at < values.length;) {
      const number = values[at] as number
      const from = at + 1
      at = from + TAKEN[number]!
      const verb = VERBS[number]!
      const row = values.slice(from, at)
      if (verb === 'advance') this.#advance(row)
      else if (this.#statements[number]!.run(...row).changes !== 1) check(verb, row)
    }
  }

  #advance(row: readonly Value[]): void {
    if (this.#statements[NUMBERS.advance]!.run(...row.slice(0, ADVANCE_VALUES)).changes === 1) return
    if (this.#update.run(...row).changes !== 1) check('update', row)
  }
}

/** A statement that has not changed one row: whether that is right. */
function check(verb: Verb, row: readonly Value[]): void {
  if (verb === 'undead')
    throw new PawlError('NO_DEAD_LETTER', `dead letter ${row[0]} is gone: somebody has redriven it`)
  const what = MUST_BE[verb]
  if (what === undefined) return
  const key = verb === 'update' ? row[ADVANCE_VALUES - 1] : row.at(-1)
  throw rowsMissing(`the ${what} ${key} is to be changed, and is not there`)
}
