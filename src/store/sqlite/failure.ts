// What an error of SQLite means for the store.
import { errorText, isPawlError, PawlError } from '../../base/errors.ts'
import type { CommitResult } from '../store.ts'

/** The code of an error about a row that must be there and is not: who computed the change has lost the thread. */
const ROWS_MISSING = 'ROWS_MISSING'
/** That error. The commit is undone and answers `broken`. */
export const rowsMissing = (message: string): PawlError => new PawlError(ROWS_MISSING, message)

/** How a commit that threw has ended. */
export type FailureKind = Exclude<CommitResult['kind'], 'applied' | 'fenced'>

// Primary result codes, https://sqlite.org/rescode.html
const BUSY = 5
const LOCKED = 6
const READONLY = 8
const IOERR = 10
const CORRUPT = 11
const FULL = 13
const CANTOPEN = 14
const PROTOCOL = 15
const NOTADB = 26
// A full disk also shows where the shared memory beside the file cannot grow.
const IOERR_SHMSIZE = IOERR | (19 << 8)

const sqliteCode = (error: unknown): number | undefined => {
  if (typeof error !== 'object' || error === null) return undefined
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode : undefined
}

/** Which kind an error is. What is no error of SQLite (a value that cannot be bound) is the fault of a row. */
export function failureKind(error: unknown): FailureKind {
  if (isPawlError(error, ROWS_MISSING)) return 'broken'
  if (isPawlError(error, 'THREAD_LOST')) return 'transient'
  const code = sqliteCode(error)
  if (code === undefined) return 'rejected'
  if (code === IOERR_SHMSIZE) return 'full'
  switch (code & 0xff) {
    case BUSY:
    case LOCKED:
    case PROTOCOL:
      return 'transient'
    case FULL:
      return 'full'
    case READONLY:
      return 'read-only'
    // After EIO the page cache may have dropped what was written: nothing that is read can be trusted.
    case IOERR:
    case CORRUPT:
    case CANTOPEN:
    case NOTADB:
      return 'broken'
    default:
      return 'rejected'
  }
}

const CODES: Readonly<Record<FailureKind, readonly [code: string, advice: string]>> = {
  transient: ['STORE_BUSY', 'another connection holds it: close what else writes to this file'],
  full: ['STORE_FULL', 'the disk is full: make room, Pawl goes on by itself'],
  'read-only': [
    'STORE_READ_ONLY',
    'it cannot be written: check the owner and the mode of the file and of its directory, its disk, the limit of open files',
  ],
  broken: ['STORE_CORRUPT', 'it is damaged or its disk fails: check the disk, then restore a backup'],
  rejected: ['STORE_FAILED', 'see `cause`'],
}

const CANNOT_OPEN =
  'a file beside it cannot be opened: check the room on its disk, the mode of its directory, the limit of open files'

/** Whether the disk or the file is at fault, after which nothing can be trusted. */
export const isDiskFailure = (error: unknown): boolean => !isPawlError(error) && failureKind(error) === 'broken'

/** The error that a method other than `commit` rejects with. A `PawlError` stays what it is. */
export function storeError(error: unknown, path: string): PawlError {
  if (error instanceof PawlError) return error
  const [code, usual] = CODES[failureKind(error)]
  const advice = ((sqliteCode(error) ?? 0) & 0xff) === CANTOPEN ? CANNOT_OPEN : usual
  return new PawlError(code, `the store ${path}: ${errorText(error)}; ${advice}`, { cause: error, details: { path } })
}
