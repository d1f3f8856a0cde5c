// One place that two stores keep: the model in memory and a SQLite file. Whatever is asked goes to both, and both must answer alike.
//
// Where the port leaves a store free the two are translated into each other, and nowhere else:
//  – places of the inbox and numbers of `allot`: both grow as they like;
//  – cursors of pages: each store gets its own back;
//  – sessions: SQLite has one, so a new one ends the older (in the model by closing it, or by take-over where its lease is over);
//  – `retain` is run to its end, since which rows a batch takes first is not said, and receipts older than a cut may be kept a
//    little longer;
//  – children of an instance, graphs and populations are sets.
import type { Clock } from '../../../src/base/clock.ts'
import { isPawlError } from '../../../src/base/errors.ts'
import { seededRandom } from '../../../src/base/random.ts'
import { Space } from '../../../src/store/memory/space.ts'
import { ModelStore } from '../../../src/store/memory/store.ts'
import { sqliteStore } from '../../../src/store/sqlite/store.ts'
import type {
  Change,
  CommitResult,
  Found,
  InboxRow,
  ReceiptRow,
  RetentionCut,
  Store,
} from '../../../src/store/store.ts'
import { difference } from './difference.ts'

/** The two stores answered differently. */
export class Disagreement extends Error {}

type Settled<T> = { readonly value: T } | { readonly error: unknown }
const settled = async <T>(ask: () => Promise<T>): Promise<Settled<T>> => {
  try {
    return { value: await ask() }
  } catch (error) {
    return { error }
  }
}
const json = (value: unknown): unknown => JSON.parse(JSON.stringify(value ?? null))
const codeOf = (error: unknown): string => (isPawlError(error) ? error.code : String(error))
/** How an answer is compared, where it is not as it stands. */
type View<T> = (answer: T, whose: 'model' | 'sqlite') => unknown

const byText = <T>(of: (item: T) => string, items: readonly T[]): readonly T[] =>
  items.toSorted((a, b) => (of(a) < of(b) ? -1 : 1))
/** Between the cursors of both stores in the one that callers get; no cursor has it. */
const BOTH = '\u0001'

export interface PlaceOptions {
  readonly path: string
  readonly clock: Clock
  /** See `SqliteOptions`. */
  readonly idsInMemory?: number
}

/** Where both stores keep their rows. */
export class Place {
  readonly space: Space
  readonly clock: Clock
  path: string
  /** Rows of the inbox: places in the file, and those in the model. */
  readonly places = new Map<number, number>()
  /** The model's sessions by the file's. */
  readonly sessions = new Map<string, string>()
  /** The last numbers that each has given. */
  readonly given = { model: { k: 0, waiting: 0 }, sqlite: { k: 0, waiting: 0 } }
  /** Receipts that are older may be gone. */
  receiptsBefore = 0
  /** What was found first: whoever asked may have taken it for trouble with the store. */
  found: Disagreement | undefined
  readonly #idsInMemory: number | undefined
  #seed = 1

  constructor({ path, clock, idsInMemory }: PlaceOptions) {
    this.path = path
    this.clock = clock
    this.#idsInMemory = idsInMemory
    this.space = new Space({ clock, random: seededRandom(this.#seed++) })
  }

  /** A new connection, not yet open. */
  connect(): Pair {
    const idsInMemory = this.#idsInMemory
    const random = seededRandom(this.#seed++)
    const options = { clock: this.clock, random, ...(idsInMemory === undefined ? {} : { idsInMemory }) }
    return new Pair(this, new ModelStore(this.space), sqliteStore(this.path, options))
  }

  /** Throws what was found. */
  check(): void {
    if (this.found !== undefined) throw this.found
  }

  differ(text: string): void {
    const found = new Disagreement(text)
    this.found ??= found
    throw found
  }
}

/** Both stores as one. */
export class Pair implements Store {
  readonly features = { sessions: false, sql: false, backup: false } as const
  readonly place: Place
  readonly model: ModelStore
  readonly sqlite: Store
  partitions = 0

  constructor(place: Place, model: ModelStore, sqlite: Store) {
    this.place = place
    this.model = model
    this.sqlite = sqlite
  }

  /** Asks both, compares, and answers what SQLite says, or rejects as it does. */
  async #both<T>(what: string, ask: (store: Store) => Promise<T>, view: View<T> = (answer) => answer): Promise<T> {
    return this.#each(
      what,
      () => ask(this.model),
      () => ask(this.sqlite),
      view,
    )
  }

  async #each<T>(
    what: string,
    model: () => Promise<T>,
    sqlite: () => Promise<T>,
    view: View<T> = (answer) => answer,
  ): Promise<T> {
    const [ours, theirs] = [await settled(model), await settled(sqlite)]
    const seen = (of: Settled<T>, whose: 'model' | 'sqlite'): unknown =>
      'value' in of ? json(view(of.value, whose)) : { rejects: codeOf(of.error) }
    const [a, b] = [seen(ours, 'model'), seen(theirs, 'sqlite')]
    const parts = difference(a, b)
    if (parts !== undefined) this.place.differ(`${what}: ${parts}`)
    if ('error' in theirs) throw theirs.error
    return theirs.value
  }

  async open(o: { readonly partitions?: number }) {
    const view: View<Awaited<ReturnType<Store['open']>>> = ({ partitions, created }) => ({ partitions, created })
    const opened = await this.#both('open', (store) => store.open(o), view)
    this.partitions = opened.partitions
    return opened
  }
  async close(): Promise<void> {
    await this.#both('close', (store) => store.close())
  }
  now() {
    return this.#both('now', (store) => store.now())
  }

  // ── sessions ──

  async openSession(o: { readonly build: string; readonly leaseMs: number }) {
    const now = this.place.clock.now()
    for (const { id, expiresAt } of this.place.space.sessions.values())
      if (expiresAt >= now) await this.model.closeSession(id)
    const sessions: string[] = []
    const opened = await this.#both('openSession', async (store) => {
      const answer = await store.openSession(o)
      sessions.push(answer.session)
      return answer
    }, ({ expiresAt }) => expiresAt) // prettier-ignore
    this.place.sessions.set(sessions[1]!, sessions[0]!)
    return opened
  }
  #of(store: Store, session: string): string {
    return store === this.model ? (this.place.sessions.get(session) ?? session) : session
  }
  renew(session: string, leaseMs: number) {
    return this.#both('renew', (store) => store.renew(this.#of(store, session), leaseMs))
  }
  acquire(session: string, _want: number) {
    return this.#both('acquire', (store) => store.acquire(this.#of(store, session), this.partitions))
  }
  /** SQLite keeps them: there is nobody to take them. */
  async release(): Promise<void> {}
  async closeSession(session: string): Promise<void> {
    await this.#both('closeSession', (store) => store.closeSession(this.#of(store, session)))
  }
  sessions() {
    type Rows = Awaited<ReturnType<Store['sessions']>>
    const view: View<Rows> = (rows) => rows.map((row) => ({ ...row, session: null }))
    return this.#both('sessions', (store) => store.sessions(), view)
  }

  // ── writing ──

  async commit(session: string, n: number, change: Change): Promise<CommitResult> {
    const places: (readonly number[])[] = []
    const result = await this.#both(
      `commit ${n}`,
      async (store) => {
        const read =
          store === this.model ? change.read.map((place) => this.place.places.get(place) ?? place) : change.read
        const answer = await store.commit(this.#of(store, session), n, { ...change, read })
        places.push(answer.kind === 'applied' ? answer.inbox : [])
        return answer
      },
      ({ kind }) => ({ kind, inbox: change.inbox.length }),
    )
    this.#placed(places[0]!, places[1]!)
    return result
  }
  #placed(model: readonly number[], sqlite: readonly number[]): void {
    if (model.length !== sqlite.length) this.place.differ(`${model.length} and ${sqlite.length} places of the inbox`)
    for (const [i, place] of sqlite.entries()) this.place.places.set(place, model[i]!)
  }
  burn(session: string, n: number) {
    return this.#both(`burn ${n}`, (store) => store.burn(this.#of(store, session), n))
  }
  async append(rows: readonly Omit<InboxRow, 'n'>[], counts: Readonly<Record<string, number>>) {
    const places: (readonly number[])[] = []
    const ask = async (store: Store) => {
      const answer = await store.append(rows, counts)
      places.push(answer)
      return answer
    }
    const answer = await this.#both('append', ask, ({ length }) => length)
    this.#placed(places[0]!, places[1]!)
    return answer
  }
  /** As `append`, on SQLite inside a user's transaction. */
  async appendInTransaction(rows: readonly Omit<InboxRow, 'n'>[], counts: Readonly<Record<string, number>>) {
    const all = Array.from({ length: this.partitions }, (_, n) => n)
    const had = new Set((await this.sqlite.inbox(all, 1_000_000)).map(({ n }) => n))
    await this.sqlite.transaction((tx) => tx.append(rows, counts))
    const fresh = (await this.sqlite.inbox(all, 1_000_000)).map(({ n }) => n).filter((n) => !had.has(n))
    this.#placed(
      await this.model.append(rows, counts),
      fresh.toSorted((a, b) => a - b),
    )
  }
  async transaction<T>(): Promise<T> {
    throw new Error('the two stores have no transaction in common')
  }

  // ── reading ──

  load(targets: Parameters<Store['load']>[0]) {
    const key = ({ machine, id }: { readonly machine: string; readonly id: string }): string => `${machine}\0${id}`
    const view: View<readonly Found[]> = (found) =>
      found.map(({ target, loaded, orphans }) => ({
        target: key(target),
        orphans,
        loaded: loaded === null ? null : { ...loaded, children: byText(key, loaded.children) },
      }))
    return this.#both(`load ${JSON.stringify(targets)}`, (store) => store.load(targets), view)
  }
  inbox(partitions: readonly number[], limit: number) {
    const view: View<readonly InboxRow[]> = (rows, whose) =>
      rows.map((row) => ({ ...row, n: whose === 'model' ? row.n : this.place.places.get(row.n) }))
    return this.#both('inbox', (store) => store.inbox(partitions, limit), view)
  }
  due(partitions: readonly number[], until: number, limit: number) {
    return this.#both('due', (store) => store.due(partitions, until, limit))
  }
  nextDue(partitions: readonly number[]) {
    return this.#both('nextDue', (store) => store.nextDue(partitions))
  }
  expired(partitions: readonly number[], until: number, limit: number) {
    return this.#both('expired', (store) => store.expired(partitions, until, limit))
  }
  openCalls(partitions: readonly number[], before: number | null, limit: number) {
    return this.#both('openCalls', (store) => store.openCalls(partitions, before, limit))
  }
  receipts(keys: Parameters<Store['receipts']>[0]) {
    const kept: View<readonly ReceiptRow[]> = (rows) => rows.filter(({ at }) => at >= this.place.receiptsBefore)
    return this.#both('receipts', (store) => store.receipts(keys), kept)
  }
  async allot(what: 'k' | 'waiting', count: number): Promise<number> {
    let answer = 0
    for (const whose of ['model', 'sqlite'] as const) {
      answer = await this[whose].allot(what, count)
      if (answer <= this.place.given[whose][what]) this.place.differ(`${whose} has given ${what} ${answer} before`)
      this.place.given[whose][what] = answer + count - 1
    }
    return answer
  }
  tombstone(target: Parameters<Store['tombstone']>[0]) {
    return this.#both('tombstone', (store) => store.tombstone(target))
  }
  journal(k: number, after: number, limit: number) {
    return this.#both(`journal of ${k}`, (store) => store.journal(k, after, limit))
  }
  list(query: Parameters<Store['list']>[0]) {
    return this.#page(`list ${JSON.stringify(query)}`, query.after, (store, after) =>
      store.list({ ...query, ...after }),
    )
  }
  deadLetters(query: Parameters<Store['deadLetters']>[0]) {
    return this.#page('deadLetters', query.after, (store, after) => store.deadLetters({ ...query, ...after }))
  }
  async #page<T>(
    what: string,
    cursor: string | undefined,
    ask: (
      store: Store,
      after: { readonly after?: string },
    ) => Promise<{ readonly items: readonly T[]; readonly next?: string }>,
  ): Promise<{ readonly items: readonly T[]; readonly next?: string }> {
    const nexts: (string | undefined)[] = []
    const each = async (store: Store, after: string | undefined) => {
      const page = await ask(store, after === undefined ? {} : { after })
      nexts.push(page.next)
      return page
    }
    const [model, sqlite = model] = cursor?.split(BOTH) ?? []
    const view: View<{ readonly items: readonly T[]; readonly next?: string }> = ({ items, next }) => [items, next !== undefined] // prettier-ignore
    const page = await this.#each(
      what,
      () => each(this.model, model),
      () => each(this.sqlite, sqlite),
      view,
    )
    return page.next === undefined ? page : { ...page, next: nexts.join(BOTH) }
  }
  deadLetter(id: string) {
    return this.#both('deadLetter', (store) => store.deadLetter(id))
  }
  events(partition: number, after: number, limit: number) {
    return this.#both('events', (store) => store.events(partition, after, limit))
  }
  counts() {
    const view: View<Readonly<Record<string, number>>> = (counts) =>
      Object.fromEntries(Object.entries(counts).filter(([, count]) => count !== 0))
    return this.#both('counts', (store) => store.counts(), view)
  }
  recount() {
    return this.#both('recount', (store) => store.recount())
  }
  graphs() {
    type Graphs = Awaited<ReturnType<Store['graphs']>>
    const view: View<Graphs> = (graphs) => byText(({ name, version }) => `${name} ${version}`, graphs)
    return this.#both('graphs', (store) => store.graphs(), view)
  }
  async saveGraph(...args: Parameters<Store['saveGraph']>): Promise<void> {
    await this.#both('saveGraph', (store) => store.saveGraph(...args))
  }
  population(machine: string) {
    type Rows = Awaited<ReturnType<Store['population']>>
    const view: View<Rows> = (rows) => byText(({ version, state }) => `${version} ${state}`, rows)
    return this.#both('population', (store) => store.population(machine), view)
  }

  // ── the end ──

  async retain(session: string, cut: RetentionCut): Promise<number> {
    const whole = async (store: Store): Promise<number> => {
      let all = 0
      for (let rows = 1; rows > 0; all += rows) {
        rows = await store.retain(this.#of(store, session), cut)
        if (all > 100_000) throw new Error('retention comes to no end')
      }
      return all
    }
    const alive = this.place.space.sessions.has(this.#of(this.model, session))
    if (alive) this.place.receiptsBefore = Math.max(this.place.receiptsBefore, cut.receiptsBefore)
    return this.#both('retain', whole, () => null)
  }
  remove(session: string, stone: Parameters<Store['remove']>[1]) {
    return this.#both('remove', (store) => store.remove(this.#of(store, session), stone))
  }
  async backup(): Promise<void> {
    throw new Error('the two stores have no backup in common')
  }
}
