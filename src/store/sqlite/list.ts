// Pages of instances. Living ones come oldest first, in the order of `k`; ended ones newest first, in the order of their end.
//
// A page goes through sections (live, stalled, ended), and its cursor names the section and the place in it, so that a page stays
// right while rows come, change and go: at worst an instance that moved between two pages is seen twice, in both conditions.
import type { DatabaseSync, StatementSync } from 'node:sqlite'
import { PawlError } from '../../base/errors.ts'
import type { Instance } from '../../core/model.ts'
import type { ListQuery } from '../store.ts'
import { Corrupt } from './corrupt.ts'
import type { Names } from './names.ts'
import { instanceOf, statusNumber, type Row } from './rows.ts'

type Section = 'live' | 'stalled' | 'ended'
/** Where a page went on: for living ones `k`, for ended ones the time of their end and `k`. */
type Place = readonly [section: Section, first: number, k: number]

const IN_STATES = '(?2 is null or state in (select value from json_each(?2)))'
const STATEMENTS = {
  live: `select * from pawl_instances indexed by pawl_instances_live where machine = ?1 and status = 0 and ${IN_STATES} and k > ?3
    and (?4 is null or open = ?4) order by k limit ?5`,
  stalled: `select * from pawl_instances indexed by pawl_instances_stalled where machine = ?1 and status = 1 and ${IN_STATES} and k > ?3
    and (?4 is null or stalled ->> '$.code' = ?4) order by k limit ?5`,
  ended: `select * from pawl_instances indexed by pawl_instances_ended where machine = ?1 and status = ?6 and status > 1 and ${IN_STATES}
    and ended_at <= ?3 and (ended_at < ?3 or k < ?4) order by ended_at desc, k desc limit ?5`,
} as const

const SECTIONS: Readonly<Record<NonNullable<ListQuery['status']>, Section>> = {
  running: 'live',
  waiting: 'live',
  stalled: 'stalled',
  done: 'ended',
  failed: 'ended',
  cancelled: 'ended',
}

/** The sections that a query looks into, in the order of the page. */
function sectionsOf(query: ListQuery): readonly Section[] {
  const sections: readonly Section[] =
    query.status === undefined ? ['live', 'stalled', 'ended'] : [SECTIONS[query.status]]
  // Nothing else has a code.
  return query.stallCode === undefined ? sections : sections.filter((section) => section === 'stalled')
}

function placeOf(after: string | undefined): Place | undefined {
  if (after === undefined) return undefined
  const [section, first, k] = after.split(':')
  if (
    (section !== 'live' && section !== 'stalled' && section !== 'ended') ||
    !Number.isFinite(Number(first)) ||
    !Number.isFinite(Number(k))
  )
    throw new PawlError('BAD_CURSOR', `after: '${after}' is no cursor of a list: pass the \`next\` of the page before`)
  return [section, Number(first), Number(k)]
}

/** Lists instances. */
export class Lister {
  readonly #names: Names
  readonly #corrupt: Corrupt
  readonly #live: StatementSync
  readonly #stalled: StatementSync
  readonly #ended: StatementSync

  constructor(db: DatabaseSync, names: Names, corrupt = new Corrupt(() => {})) {
    this.#names = names
    this.#corrupt = corrupt
    this.#live = db.prepare(STATEMENTS.live)
    this.#stalled = db.prepare(STATEMENTS.stalled)
    this.#ended = db.prepare(STATEMENTS.ended)
  }

  /** See `Store.list`. Throws PawlError `BAD_CURSOR`. */
  list(query: ListQuery): { readonly items: readonly Instance[]; readonly next?: string } {
    const sections = sectionsOf(query)
    const place = placeOf(query.after)
    const rows: (readonly [Section, Row])[] = []
    // One more than asked for tells whether there is another page.
    for (const section of sections.slice(place === undefined ? 0 : Math.max(0, sections.indexOf(place[0])))) {
      if (rows.length > query.limit) break
      const from = place !== undefined && place[0] === section ? place : undefined
      for (const row of this.#section(section, query, from, query.limit + 1 - rows.length)) rows.push([section, row])
    }
    const page = rows.slice(0, query.limit)
    const last = page.at(-1)
    const read = (row: Row): Instance => instanceOf(row, this.#names)
    const items = this.#corrupt.all(
      'pawl_instances',
      page.map(([, row]) => row),
      read,
      query,
    )
    if (rows.length <= query.limit || last === undefined) return { items }
    const [section, row] = last
    return { items, next: `${section}:${section === 'ended' ? String(row['ended_at']) : '0'}:${String(row['k'])}` }
  }

  #section(section: Section, query: ListQuery, from: Place | undefined, limit: number): readonly Row[] {
    const machine = this.#names.find(query.machine)
    const states =
      query.state === undefined ? null : JSON.stringify([query.state].flat().map((state) => this.#names.find(state)))
    if (section === 'stalled') return this.#stalled.all(machine, states, from?.[2] ?? 0, query.stallCode ?? null, limit)
    if (section === 'live') {
      const open = query.status === undefined ? null : query.status === 'running' ? 1 : 0
      return this.#live.all(machine, states, from?.[2] ?? 0, open, limit)
    }
    const statuses =
      query.status === undefined
        ? (['done', 'failed', 'cancelled'] as const)
        : [query.status as 'done' | 'failed' | 'cancelled']
    const before = from?.[1] ?? Number.MAX_SAFE_INTEGER
    const rows = statuses.flatMap((status) =>
      this.#ended.all(machine, states, before, from?.[2] ?? Number.MAX_SAFE_INTEGER, limit, statusNumber(status)),
    )
    return rows.toSorted(newestFirst).slice(0, limit)
  }
}

const newestFirst = (a: Row, b: Row): number =>
  (b['ended_at'] as number) - (a['ended_at'] as number) || (b['k'] as number) - (a['k'] as number)
