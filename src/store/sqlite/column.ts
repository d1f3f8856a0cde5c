// JSON in the columns of a row.
import { freezeOwnJson } from '../../base/json.ts'

/** A row as node:sqlite gives it. */
export type Row = Readonly<Record<string, unknown>>

/** The text of a column cannot be read: it is no JSON, or another kind of value than is ever written there. */
export class BadColumn extends Error {
  readonly column: string
  constructor(column: string, cause: unknown) {
    super(`the column ${column} cannot be read`, { cause })
    this.name = 'BadColumn'
    this.column = column
  }
}

/** The value of a column's text; throws `BadColumn`. */
export const jsonIn = (column: string, text: unknown): unknown => {
  try {
    return JSON.parse(text as string) as unknown
  } catch (error) {
    throw new BadColumn(column, error)
  }
}

/** The payload of a row, which may be anything; all else is an object. Frozen; throws `BadColumn`. */
export const payload = (row: Row, what: string): unknown => freezeOwnJson(jsonIn('data', row['data']), what)
/** The object of a column. Frozen; throws `BadColumn`. */
export const parsed = <T extends object>(row: Row, column: string, what: string): T => {
  const value = jsonIn(column, row[column])
  if (typeof value !== 'object' || value === null) throw new BadColumn(column, new Error('it holds no object'))
  return freezeOwnJson(value as T, what)
}
/** The same, of a column that may be empty. */
export const parsedOrNull = <T extends object | null>(row: Row, column: string, what: string): T | null =>
  row[column] === null ? null : parsed<NonNullable<T>>(row, column, what)
