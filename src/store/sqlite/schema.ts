// The tables of the SQLite store, as the list of migrations that makes them.
//
// Names begin with `pawl_`, since a user's own tables may live in the same file. What the layout is built on, measured by
// bench/raw.ts with UUID ids and a million finished instances:
//
// – `k`, a surrogate in the order of creation, is what everything hangs on. What users choose (ids, random) goes into one
//   table, once in an instance's life, many at once (ids.ts).
// – No index holds a column that changes with every transition. Those of the live, the stalled, the due and the ended are partial:
//   written at the start, at the end and by real waits only.
// – Names from definitions (machines, states, types) are numbers into `pawl_names`. What can be derived is not stored: null stands
//   for "as its neighbour" (see rows.ts), and a null costs one byte.

/** One step of the schema. Its place in the list, counted from 1, is the version that it leads to. */
export interface Migration {
  /** What it is for, as shown in errors. */
  readonly title: string
  readonly sql: string
}

const INSTANCES = `
  create table pawl_names (n integer primary key, name text not null unique) strict;
  create table pawl_instances (
    k integer primary key, machine integer not null, id text not null, partition integer not null, incarnation text not null,
    version integer not null, status integer not null, state integer not null, seq integer not null, entry integer not null,
    entered_at integer not null, open integer not null, data text not null, calls text, timers text, due_at integer, joined text,
    stamp integer not null, parent text, start_hash text not null, stalled text, correlation text, priority integer not null,
    fair_key text, started_at integer not null, ended_at integer
  ) strict;
  create table pawl_ids (hash integer not null, k integer not null, primary key (hash, k)) strict, without rowid;
  create index pawl_instances_live on pawl_instances (machine) where status = 0;
  create index pawl_instances_stalled on pawl_instances (machine) where status = 1;
  create index pawl_instances_ended on pawl_instances (machine, status, ended_at) where status > 1;
  create index pawl_instances_due on pawl_instances (due_at) where due_at is not null;
  create table pawl_journal (
    k integer not null, seq integer not null, at integer not null, kind integer not null, outcome integer not null, name integer,
    cause_id text, cause_before integer not null, "from" integer, "to" integer not null, change text, opened integer,
    effects text,
    primary key (k, seq)
  ) strict, without rowid;
  create table pawl_lives (
    k integer not null, seq integer not null, incarnation text not null, correlation text, primary key (k, seq)
  ) strict, without rowid;
  create table pawl_children (
    k integer not null, machine text not null, id text not null, incarnation text not null, seq integer not null, state text not null,
    status text not null, data text not null, primary key (k, machine, id)
  ) strict, without rowid;`

const MESSAGES = `
  create table pawl_events (
    partition integer not null, offset integer not null, stamp integer not null, k integer, seq integer, id text, type integer not null,
    version integer not null, key text not null, data text not null, at integer, correlation text not null,
    primary key (partition, offset)
  ) strict, without rowid;
  create index pawl_events_outside on pawl_events (stamp) where k is null;
  create table pawl_inbox (
    n integer primary key, partition integer not null, priority integer not null, unit integer not null, letter text not null
  ) strict;
  create index pawl_inbox_order on pawl_inbox (priority desc, n);
  create table pawl_waiting (
    n integer primary key, k integer, machine text not null, id text not null, partition integer not null, why text not null,
    until integer, left_ms integer, size integer not null, unit integer not null, input text not null, delivery text
  ) strict;
  create index pawl_waiting_k on pawl_waiting (k) where k is not null;
  create index pawl_waiting_orphans on pawl_waiting (id, machine) where k is null;
  create index pawl_waiting_until on pawl_waiting (until) where k is null and until is not null;
  create table pawl_receipts (
    bucket integer not null, target text not null, source text not null, id text not null, hash text not null, at integer not null,
    outcome text not null, why text, state text, seq integer, primary key (bucket, target, source, id)
  ) strict, without rowid;
  create table pawl_dead_letters (
    n integer primary key, id text not null unique, machine text not null, instance text not null, partition integer not null,
    at integer not null, code text not null, message text not null, unit integer not null, input text not null, delivery text
  ) strict;
  create index pawl_dead_letters_at on pawl_dead_letters (at);`

const BOOKS = `
  create table pawl_meta (name text primary key, value text not null) strict, without rowid;
  create table pawl_partitions (n integer primary key, head integer not null, stamp integer not null) strict;
  create table pawl_counters (name text primary key, value integer not null) strict, without rowid;
  create table pawl_machines (
    name text not null, version integer not null, hash text not null, graph text not null, primary key (name, version)
  ) strict, without rowid;
  create table pawl_tombstones (
    machine text not null, id text not null, at integer not null, why text not null, "by" text, primary key (machine, id)
  ) strict, without rowid;
  create index pawl_tombstones_at on pawl_tombstones (at);`

/** From an empty file to the present schema. Only ever appended to: what was released is in somebody's file. */
export const migrations: readonly Migration[] = [{ title: 'the first tables', sql: INSTANCES + MESSAGES + BOOKS }]
