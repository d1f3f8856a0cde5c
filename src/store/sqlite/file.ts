// The file of a store: where it really is, who holds it, and a connection to it.
import {
  accessSync,
  chmodSync,
  closeSync,
  constants,
  existsSync,
  lstatSync,
  openSync,
  realpathSync,
  statSync,
} from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import { failureKind, storeError } from './failure.ts'

/** A connection, and the lock that makes it the only writer's. */
export interface OpenFile {
  readonly db: DatabaseSync
  /** With symbolic links resolved; `:memory:` for none. */
  readonly path: string
  /** Closes both. */
  close(): void
}

const PRIVATE = 0o600
/** What is none of others' business. */
const OTHERS = 0o077
// A user's own connection may write to the same file: its transactions are waited for this long.
const BUSY_TIMEOUT_MS = 5_000
// 32 MiB of pages: with a million instances in the file 64 MiB were no faster (bench/), and 16 MiB hardly slower.
const PRAGMAS = `
  pragma journal_mode = wal;
  pragma synchronous = full;
  pragma foreign_keys = off;
  pragma cache_size = -32768;
  pragma wal_autocheckpoint = 4000;
  pragma journal_size_limit = 67108864;`

const badPath = (path: string, why: string, cause?: unknown): PawlError =>
  new PawlError('STORE_PATH', `the store ${path}: ${why}`, { details: { path }, cause })

const readOnly = (path: string, cause: unknown): PawlError =>
  new PawlError(
    'STORE_READ_ONLY',
    `the store ${path} cannot be written: check the owner and the mode of the file and of its directory`,
    { details: { path }, cause },
  )

/** Where the file is, or will be. Two names of one file must meet in one lock. */
function resolvePath(path: string): string {
  const found = lstatSync(path, { throwIfNoEntry: false })
  if (found !== undefined) {
    if (!existsSync(path)) throw badPath(path, 'it is a link to a file that does not exist: create that first')
    if (statSync(path).isDirectory()) throw badPath(path, 'it is a directory: give the name of a file in it')
    return realpathSync(path)
  }
  if (!existsSync(dirname(path))) throw badPath(path, `the directory ${dirname(path)} does not exist: create it first`)
  return join(realpathSync(dirname(path)), basename(path))
}

/** SQLite opens read-only what it may not write, and fails at the first commit only. Looking opens nothing (see below). */
function checkAccess(path: string): void {
  try {
    accessSync(dirname(path), constants.W_OK)
    if (existsSync(path)) accessSync(path, constants.R_OK | constants.W_OK)
  } catch (error) {
    throw readOnly(path, error)
  }
}

/**
 * Takes from everybody but its owner what they may do with a file: it was copied, restored or made by hand under a usual umask, and holds
 * customers' data. By name: opening and closing it here would drop every lock that this process holds on it (POSIX), the store's own among
 * them. Throws PawlError `STORE_MODE` where it belongs to somebody else.
 */
function makePrivate(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false })
  if (found === undefined || (found.mode & OTHERS) === 0) return
  try {
    chmodSync(path, found.mode & ~OTHERS & 0o777)
  } catch (error) {
    throw new PawlError(
      'STORE_MODE',
      `others may read or write ${path} (mode ${(found.mode & 0o777).toString(8)}), and that cannot be changed here: run \`chmod 600\` as its owner`,
      { cause: error, details: { path } },
    )
  }
}

/** Creates the file, for its owner alone, or makes one that exists so. */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, 'wx', PRIVATE))
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') {
      makePrivate(path)
      return
    }
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS') throw readOnly(path, error)
    if (code === 'ENOSPC' || code === 'EDQUOT')
      throw new PawlError('STORE_FULL', `the store ${path} cannot be created: the disk is full`, {
        cause: error,
        details: { path },
      })
    throw badPath(path, 'it cannot be created', error)
  }
}

/** Locks of open stores: one that nobody points to would be closed with its object, and another process would come in. */
const locks = new Set<DatabaseSync>()

/**
 * Holds `<path>-lock` for as long as this connection is open: Node has no flock, and a lease in the file would make a restart after
 * kill -9 wait. The operating system frees it with the process. Throws `STORE_IN_USE`, also for a second open in one process.
 */
function lock(path: string): DatabaseSync {
  const name = `${path}-lock`
  createPrivate(name)
  let db: DatabaseSync | undefined
  try {
    db = new DatabaseSync(name, { timeout: 0 })
    db.exec('pragma journal_mode = delete; begin exclusive')
    locks.add(db)
    return db
  } catch (error) {
    db?.close()
    if (failureKind(error) !== 'transient') throw storeError(error, name)
    throw new PawlError(
      'STORE_IN_USE',
      `the store ${path} is open already, here or in another process: stop that one first, or use another file`,
      { cause: error, details: { path } },
    )
  }
}

function release(held: DatabaseSync): void {
  locks.delete(held)
  held.close()
}

/** A connection to a file that is there, with the settings that the store writes with. */
export function connect(path: string): DatabaseSync {
  const db = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS })
  try {
    db.exec(PRAGMAS)
    // What cannot be opened for writing in this moment SQLite opens for reading, for as long as the connection lasts: better none at all.
    db.exec('begin immediate; rollback')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Opens the file, creating it if there is none, and holds its lock. Throws PawlErrors as `Store.open` says. */
export function openFile(path: string): OpenFile {
  if (path === ':memory:') {
    const db = new DatabaseSync(path)
    db.exec('pragma foreign_keys = off')
    return { db, path, close: () => db.close() }
  }
  const real = resolvePath(path)
  checkAccess(real)
  const held = lock(real)
  let db: DatabaseSync | undefined
  try {
    createPrivate(real)
    for (const beside of ['-wal', '-shm']) makePrivate(`${real}${beside}`)
    db = connect(real)
  } catch (error) {
    db?.close()
    release(held)
    throw storeError(error, real)
  }
  const opened = db
  return {
    db: opened,
    path: real,
    close() {
      try {
        opened.close()
      } finally {
        release(held)
      }
    },
  }
}

/** Creates an empty file for a backup; throws PawlError `BACKUP_EXISTS` where there is one already. */
export function createBackupFile(path: string): void {
  if (existsSync(path))
    throw new PawlError('BACKUP_EXISTS', `the file ${path} exists: a backup never overwrites, give another name`, {
      details: { path },
    })
  const directory = dirname(path)
  if (!existsSync(directory)) throw badPath(path, `the directory ${directory} does not exist: create it first`)
  createPrivate(path)
  chmodSync(path, PRIVATE)
}

const OLDEST = [3, 51, 3] as const

/** Throws PawlError `SQLITE_TOO_OLD` for versions with the WAL-reset corruption bug, mended in 3.51.3. */
export function checkVersion(version: string): void {
  const parts = version.split('.').map(Number)
  const place = OLDEST.findIndex((least, i) => (parts[i] ?? 0) !== least)
  if (place === -1 || (parts[place] ?? 0) > OLDEST[place]!) return
  throw new PawlError(
    'SQLITE_TOO_OLD',
    `this Node bundles SQLite ${version}, which may corrupt a file in WAL mode: use Node 22.22.3, 24.15.0 or newer (SQLite ${OLDEST.join('.')})`,
    { details: { version } },
  )
}
