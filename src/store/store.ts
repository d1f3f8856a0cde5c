// The port of a store: what the engine asks of SQLite, PostgreSQL or the model in memory.
//
// A store decides nothing. It applies a `Change` that the core and the engine have computed, whole or not at all, and
// reads rows back. Every implementation passes src/testing/store-suite.ts.
//
// Ownership. A worker opens a session (a lease) and owns partitions through it. `commit` is fenced by the session: once
// another session has taken a partition over, a commit of the old one changes nothing and answers `fenced`; a take-over
// waits for a commit in flight. Anybody may `append` to the inbox. All methods may be called concurrently, but of one
// session only one `commit` is in flight; after `close` everything rejects with STORE_CLOSED. Nothing may rely on an answer
// coming in the same tick. Methods other than `commit` reject with a PawlError when the store fails: STORE_CORRUPT where it cannot be
// trusted any more (the process must end), STORE_FULL and STORE_READ_ONLY where it takes nothing for now.
import type { PawlError } from '../base/errors.ts'
import type { ChildRecord, Instance } from '../core/model.ts'
import type {
  DeadLetterRow,
  EventRow,
  InboxRow,
  JournalRead,
  JournalRow,
  ReceiptKey,
  ReceiptRow,
  Target,
  WaitingRow,
} from './rows.ts'
import type { MachineGraph } from '../machine/definition.ts'

export type * from './rows.ts'

/** Sums by name, see src/core/counts.ts; a change carries differences. */
export type Counts = Readonly<Record<string, number>>

/** All that one commit writes. Whole or not at all; every list may be empty; every row is written once. */
export interface Change {
  /** The k that are new here; the others exist and are updated. */
  readonly created: ReadonlySet<number>
  readonly instances: readonly Instance[]
  readonly journal: readonly JournalRow[]
  readonly events: readonly EventRow[]
  /** Children by their parent's k: inserted or replaced. */
  readonly children: readonly { readonly k: number; readonly child: ChildRecord }[]
  readonly waiting: readonly WaitingRow[]
  /** Waiting rows that changed why, until, leftMs or found their instance (k). */
  readonly rewaiting: readonly Pick<WaitingRow, 'k' | 'waiting'>[]
  readonly unwaiting: readonly number[]
  readonly inbox: readonly Omit<InboxRow, 'n'>[]
  /** Rows of the inbox about which this commit decides. */
  readonly read: readonly number[]
  /** Written or replaced. */
  readonly receipts: readonly ReceiptRow[]
  readonly deadLetters: readonly DeadLetterRow[]
  /** Dead letters that go. If one is not there any more the commit answers `rejected` with nothing written. */
  readonly undead: readonly string[]
  readonly counts: Counts
  /** Head and stamp of each partition after this commit, where they changed. */
  readonly heads: readonly PartitionHead[]
}

/** A change of nothing: what small changes begin from. */
export const NO_CHANGE: Change = {
  created: new Set(),
  instances: [],
  journal: [],
  events: [],
  children: [],
  waiting: [],
  rewaiting: [],
  unwaiting: [],
  inbox: [],
  read: [],
  receipts: [],
  deadLetters: [],
  undead: [],
  counts: {},
  heads: [],
}

/** How far a partition has come. `head`: the offset of its newest event, 0: none. */
export interface PartitionHead {
  readonly partition: number
  readonly head: number
  readonly stamp: number
}

/** What became of a commit. */
export type CommitResult =
  | { readonly kind: 'applied'; /** Places of the rows of `inbox`, in order. */ readonly inbox: readonly number[] }
  /** The session is gone: nothing was written, and nothing of it ever will be. */
  | { readonly kind: 'fenced' }
  /** Nothing is known, or a passing trouble: send the identical change again under the same number. */
  | { readonly kind: 'transient'; readonly error: unknown }
  /** Nothing was written, and nothing can be for now. */
  | { readonly kind: 'full' | 'read-only'; readonly error: unknown }
  /** Nothing was written, and this change never can be: one of its rows is at fault. */
  | { readonly kind: 'rejected'; readonly error: unknown }
  /** The store cannot be trusted any more (EIO): the process must end. */
  | { readonly kind: 'broken'; readonly error: unknown }

/** An instance with all that hangs on it. */
export interface Loaded {
  readonly instance: Instance
  readonly waiting: readonly WaitingRow[]
  readonly children: readonly ChildRecord[]
}
/** What `load` found for one target: no instance, perhaps messages that wait for it. */
export interface Found {
  readonly target: Target
  readonly loaded: Loaded | null
  /** Waiting for an instance of that name; empty where there is one. */
  readonly orphans: readonly WaitingRow[]
  /** A row of it cannot be read, so nobody knows what is there: `loaded` is null and `orphans` empty. */
  readonly corrupt?: PawlError
}

/** A worker, as others see it. */
export interface SessionRow {
  readonly session: string
  readonly build: string
  readonly expiresAt: number
  readonly partitions: number
}

/** What a renewal finds. */
export interface Renewal {
  /** False: the session is gone, and there is nothing to be said of it. */
  readonly alive: boolean
  /** The store's clock. */
  readonly now: number
  /** Sessions that have not expired, this one included. */
  readonly sessions: number
  /** Partitions that this one owns. */
  readonly partitions: number
}

/** A page of instances. `after`: `next` of the page before. Ended ones newest first; live and stalled oldest first. */
export interface ListQuery {
  readonly machine: string
  readonly state?: string | readonly string[]
  readonly status?: 'running' | 'waiting' | 'stalled' | 'done' | 'failed' | 'cancelled'
  readonly stallCode?: string
  readonly limit: number
  readonly after?: string
}

/** How long what is over is kept: rows older than these times (ms since 1970) may go. Undefined: kept. */
export interface RetentionCut {
  readonly endedBefore?: number
  readonly receiptsBefore: number
  readonly deadBefore?: number
  /** Rows at most that one call deletes. */
  readonly limit: number
}

/** What the instance of a name was, after it is gone. */
export interface Tombstone {
  readonly target: Target
  readonly at: number
  readonly why: string
  readonly by?: string
}

/** The two conservation laws' right sides, recounted from the tables (with what retention has carried). */
export interface Recount {
  readonly instances: Readonly<
    Record<
      string,
      {
        readonly started: number
        readonly running: number
        readonly waiting: number
        readonly stalled: number
        readonly done: number
        readonly failed: number
        readonly cancelled: number
        readonly removed: number
        readonly states: Readonly<Record<string, number>>
      }
    >
  >
  readonly messages: {
    readonly accepted: number
    readonly applied: number
    readonly ignored: number
    readonly refused: number
    readonly unclaimed: number
    readonly waiting: number
    readonly pending: number
    readonly dead: number
    readonly discarded: number
  }
}

/** Inside the caller's transaction on an embedded store. */
export interface StoreTransaction {
  sql(text: string, values?: readonly unknown[]): readonly Readonly<Record<string, unknown>>[]
  append(rows: readonly Omit<InboxRow, 'n'>[], counts: Counts): void
}

/** A store. */
export interface Store {
  /** What this one can do; the suite skips what it declares not to have. */
  readonly features: {
    /** Several sessions share it, and can lose their partitions. */
    readonly sessions: boolean
    /** `transaction` takes SQL. */
    readonly sql: boolean
    /** `backup` works. */
    readonly backup: boolean
  }
  /** Creates or migrates the tables. Refuses another number of partitions than it was made with (PARTITIONS_DIFFER), a newer
   *  schema (STORE_NEWER), a file in use (STORE_IN_USE). `partitions` undefined: as it was made, else 64. */
  open(o: {
    readonly partitions?: number
    /** Hears, once for each, of rows whose text cannot be read (ROW_CORRUPT). Whoever reads many gets all others; `load` says it of its
     *  target, and what asks for one row or for a log rejects with it. */
    readonly onCorrupt?: (error: PawlError) => void
  }): Promise<{
    readonly partitions: number
    /** Random, for the life of the store. */ readonly storeId: string
    readonly created: boolean
  }>
  close(): Promise<void>
  /** The store's clock. */
  now(): Promise<number>

  // ── sessions and partitions ──
  openSession(o: {
    readonly build: string
    readonly leaseMs: number
  }): Promise<{ readonly session: string; readonly expiresAt: number }>
  renew(session: string, leaseMs: number): Promise<Renewal>
  /** Takes partitions that nobody owns, those of expired sessions included (whose rows go), until the session has at most
   *  `want`. Waits for their commits in flight. Answers all that the session owns now. */
  acquire(session: string, want: number): Promise<readonly PartitionHead[]>
  release(session: string, partitions: readonly number[]): Promise<void>
  /** Gives everything back. Its numbers are never used again. */
  closeSession(session: string): Promise<void>
  sessions(): Promise<readonly SessionRow[]>

  // ── writing ──
  /** All of it or nothing, if the session lives. The same (session, n) sent again is applied once and answers `applied`. */
  commit(session: string, n: number, change: Change): Promise<CommitResult>
  /** Makes sure that number `n` is never applied any more, or tells that it was. */
  burn(session: string, n: number): Promise<'burnt' | 'applied' | 'fenced'>
  /** Anybody, at any time. */
  append(rows: readonly Omit<InboxRow, 'n'>[], counts: Counts): Promise<readonly number[]>
  /** The caller's rows and messages in one commit. Rejects with NO_SQL where `features.sql` is false. */
  transaction<T>(work: (tx: StoreTransaction) => T): Promise<T>

  // ── reading, for owners ──
  load(targets: readonly Target[]): Promise<readonly Found[]>
  /** The head of the inbox of these partitions: by priority, then n. */
  inbox(partitions: readonly number[], limit: number): Promise<readonly InboxRow[]>
  /** Instances with `dueAt` at or before `until`, earliest first. */
  due(
    partitions: readonly number[],
    until: number,
    limit: number,
  ): Promise<readonly (Target & { readonly dueAt: number })[]>
  /** The earliest `dueAt`, or `until` of an orphan; null: none. */
  nextDue(partitions: readonly number[]): Promise<number | null>
  /** Orphans (`why` instance or build) whose `until` is at or before that time. */
  expired(partitions: readonly number[], until: number, limit: number): Promise<readonly WaitingRow[]>
  /** Live instances with an open call, newest (greatest k) first, below `before`. */
  openCalls(
    partitions: readonly number[],
    before: number | null,
    limit: number,
  ): Promise<readonly { readonly k: number; readonly target: Target }[]>
  receipts(keys: readonly ReceiptKey[]): Promise<readonly ReceiptRow[]>
  /** The first of `count` numbers in a row that nobody was given before (gaps are fine): keys of instances (`k`), places of waiting
   *  messages (`waiting`). From 1. */
  allot(what: 'k' | 'waiting', count: number): Promise<number>
  tombstone(target: Target): Promise<Tombstone | null>

  // ── reading, for everybody ──
  journal(k: number, after: number, limit: number): Promise<readonly JournalRead[]>
  list(query: ListQuery): Promise<{ readonly items: readonly Instance[]; readonly next?: string }>
  deadLetters(query: {
    readonly machine?: string
    readonly limit: number
    readonly after?: string
  }): Promise<{ readonly items: readonly DeadLetterRow[]; readonly next?: string }>
  deadLetter(id: string): Promise<DeadLetterRow | null>
  events(partition: number, after: number, limit: number): Promise<readonly EventRow[]>
  counts(): Promise<Counts>
  recount(): Promise<Recount>

  // ── the life of the store ──
  graphs(): Promise<
    readonly { readonly name: string; readonly version: number; readonly hash: string; readonly graph: MachineGraph }[]
  >
  saveGraph(graph: MachineGraph, hash: string): Promise<void>
  /** (state, version) of live and stalled instances of a machine, with how many there are. */
  population(
    machine: string,
  ): Promise<readonly { readonly version: number; readonly state: string; readonly count: number }[]>
  /** Deletes what is over, one batch; answers how many rows went; 0: nothing is left to do. In the same transaction it adds what
   *  it deletes to the carried sums. Instances and dead letters of partitions that another session owns are left to that one. */
  retain(session: string, cut: RetentionCut): Promise<number>
  /** Erases one ended instance with its journal, and leaves a tombstone. False: it is not there, it lives, or another session owns its
   *  partition, and may be looking at it. */
  remove(session: string, stone: Tombstone): Promise<boolean>
  /** A whole copy into a new file. Rejects with NO_BACKUP where `features.backup` is false. */
  backup(path: string): Promise<void>
}
