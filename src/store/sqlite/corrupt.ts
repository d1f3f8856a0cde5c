// Rows whose text cannot be read: changed by hand, or damaged by a disk that says nothing of it. Each is named and told once, and stands
// alone: whoever reads many gets all others.
import { errorText, PawlError } from '../../base/errors.ts'
import { BadColumn, type Row } from './column.ts'

/** By what a row of each table is found. */
const KEYS = {
  pawl_instances: ['k'],
  pawl_waiting: ['n'],
  pawl_children: ['k', 'machine', 'id'],
  pawl_inbox: ['n'],
  pawl_dead_letters: ['n'],
  pawl_journal: ['k', 'seq'],
  pawl_events: ['partition', 'offset'],
} as const
type Table = keyof typeof KEYS

/** The rows that could not be read since the store was opened. */
export class Corrupt {
  readonly #tell: (error: PawlError) => void
  readonly #known = new Map<Table, Set<string>>()

  /** `tell` hears of each row once. */
  constructor(tell: (error: PawlError) => void) {
    this.#tell = tell
  }

  /** How many are known of a table: they may stand at the head of an index for ever, so who reads a page reads so many more. */
  known(table: Table): number {
    return this.#known.get(table)?.size ?? 0
  }

  /** One row; throws PawlError `ROW_CORRUPT`. `of`: the instance that it belongs to, where the row does not say it in words. */
  one<T>(
    table: Table,
    row: Row,
    make: (row: Row) => T,
    of: { readonly machine?: unknown; readonly id?: unknown } = row,
  ): T {
    try {
      return make(row)
    } catch (error) {
      if (!(error instanceof BadColumn)) throw error
      throw this.#found(table, row, of, error)
    }
  }

  /** All rows that can be read. */
  all<T>(table: Table, rows: readonly Row[], make: (row: Row) => T, of?: { readonly machine: string }): T[] {
    return rows.flatMap((row) => {
      try {
        return [this.one(table, row, make, { ...row, ...of })]
      } catch (error) {
        if (error instanceof PawlError && error.code === 'ROW_CORRUPT') return []
        throw error
      }
    })
  }

  #found(
    table: Table,
    row: Row,
    { machine, id }: { readonly machine?: unknown; readonly id?: unknown },
    { column, cause }: BadColumn,
  ): PawlError {
    const name = typeof id === 'string' ? id : ''
    const where = KEYS[table].map((key) => `${key} = ${JSON.stringify(row[key])}`).join(' and ')
    const whose = typeof machine === 'string' ? ` of ${machine} "${name}"` : ''
    const error = new PawlError(
      'ROW_CORRUPT',
      `${table}.${column}${whose} (${where}) cannot be read: ${errorText(cause)}. Only what belongs to this row waits: stop this worker, mend the column or restore a backup, and start again`,
      {
        cause,
        details: { table, column, where, ...(typeof machine === 'string' && { machine, id: name }) },
      },
    )
    const known = this.#known.get(table) ?? new Set()
    this.#known.set(table, known)
    if (known.has(where)) return error
    known.add(where)
    this.#tell(error)
    return error
  }
}
