// What a user's SQL may do inside a transaction of Pawl: anything to tables of the user's own, and read the others.
//
// SQLite itself tells what a statement is about to do (its authorizer), triggers and views included. Node has it from 24.10 on; before
// that the text is looked at, which refuses a little more: a statement that writes and only reads a table of Pawl's.
import { constants, type DatabaseSync, type StatementSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'

/** Why something is refused. */
type Why = 'transaction' | 'connection' | 'tables'

const REASONS: Readonly<Record<Why, string>> = {
  transaction:
    'Pawl begins and ends the transaction itself: throw to undo it, return to commit it; savepoints are not for it either',
  connection:
    'attach, detach and pragma change the connection, which is the store’s: read a setting with `select * from pragma_<name>`, and change it over a connection of your own',
  tables: 'tables that begin with pawl_ are the store’s: read them, and change what is in them through the app',
}

const isOurs = (name: string | null): boolean => name !== null && /^pawl_/i.test(name)

const TRANSACTION = new Set([constants.SQLITE_TRANSACTION, constants.SQLITE_SAVEPOINT])
const CONNECTION = new Set([constants.SQLITE_ATTACH, constants.SQLITE_DETACH, constants.SQLITE_PRAGMA])
const READING = new Set([
  constants.SQLITE_READ,
  constants.SQLITE_SELECT,
  constants.SQLITE_FUNCTION,
  constants.SQLITE_RECURSIVE,
  constants.SQLITE_ANALYZE,
])
const ROWS = new Set([constants.SQLITE_INSERT, constants.SQLITE_UPDATE, constants.SQLITE_DELETE])

/** https://sqlite.org/c3ref/c_alter_table.html tells what the two names are: the second of rows is a column. */
function whyNot(action: number, first: string | null, second: string | null): Why | undefined {
  if (TRANSACTION.has(action)) return 'transaction'
  if (CONNECTION.has(action)) return 'connection'
  if (READING.has(action)) return undefined
  return isOurs(first) || (!ROWS.has(action) && isOurs(second)) ? 'tables' : undefined
}

const COMMENTS_AND_TEXTS = /--[^\n]*|\/\*[\s\S]*?(?:\*\/|$)|'(?:[^']|'')*'/g

/** The same by the look of the text; it may refuse what would do no harm. */
export function whyNotByText(text: string): Why | undefined {
  const bare = text.replace(COMMENTS_AND_TEXTS, ' ').replace(/^[\s;]+/, '')
  if (/^(begin|commit|end|rollback|savepoint|release)\b/i.test(bare)) return 'transaction'
  if (/^(attach|detach|pragma)\b/i.test(bare)) return 'connection'
  const writes = /\b(insert|update|delete|replace|create|drop|alter|reindex)\b/i.test(bare)
  return writes && /\bpawl_/i.test(bare) ? 'tables' : undefined
}

/** Stands between a user's statements and the store's connection. */
export class Guard {
  readonly #db: DatabaseSync
  readonly #byText: boolean
  #user: 'prepares' | 'runs' | undefined
  #refused: Why | undefined

  /** Before the store's own statements are prepared: they are prepared again when an authorizer is set. */
  constructor(db: DatabaseSync, byText = typeof (db as Partial<DatabaseSync>).setAuthorizer !== 'function') {
    this.#db = db
    this.#byText = byText
    if (!byText) db.setAuthorizer((action, first, second) => this.#authorize(action, first, second))
  }

  /** A statement of a user's. Throws PawlError `SQL_REFUSED`, and what SQLite says of a text that it does not understand. */
  prepare(text: string): StatementSync {
    const why = this.#byText ? whyNotByText(text) : undefined
    if (why !== undefined) throw refusal(why)
    return this.#as('prepares', () => this.#db.prepare(text))
  }

  /** Runs one: SQLite may prepare it again, and a trigger that was made meanwhile with it. */
  run<T>(work: () => T): T {
    return this.#as('runs', work)
  }

  #as<T>(user: 'prepares' | 'runs', work: () => T): T {
    this.#user = user
    this.#refused = undefined
    try {
      return work()
    } catch (error) {
      throw this.#refused === undefined ? error : refusal(this.#refused)
    } finally {
      this.#user = undefined
    }
  }

  #authorize(action: number, first: string | null, second: string | null): number {
    if (this.#user === undefined) return constants.SQLITE_OK
    // What reads a setting as a table prepares the pragma while it runs; those change nothing.
    if (this.#user === 'runs' && action === constants.SQLITE_PRAGMA) return constants.SQLITE_OK
    const why = whyNot(action, first, second)
    if (why === undefined) return constants.SQLITE_OK
    this.#refused = why
    return constants.SQLITE_DENY
  }
}

const refusal = (why: Why): PawlError =>
  new PawlError('SQL_REFUSED', `this statement is not for a transaction of Pawl: ${REASONS[why]}`, { details: { why } })
