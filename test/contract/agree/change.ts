// Changes for the port, made of parts. Each is one that an engine could have computed, unless it is told to be at fault.
import type { ChildRecord, Instance, JournalEntry } from '../../../src/core/model.ts'
import { conditionOf, instanceCount, messageCount } from '../../../src/core/counts.ts'
import type {
  Change,
  JournalRow,
  Loaded,
  PartitionHead,
  ReceiptRow,
  Store,
  Target,
  WaitingRow,
} from '../../../src/store/store.ts'
import {
  callOf,
  changeOf,
  childOf,
  deadOf,
  entryOf,
  eventOf,
  hostileData,
  hostileIds,
  incarnationOf,
  instanceOf,
  letterOf,
  messageOf,
  PARTITIONS,
  receiptOf,
  rowOf,
  waitingOf,
} from '../../../src/testing/store/fixture.ts'

/** Names that the commands speak of. */
export const TARGETS: readonly Target[] = [
  { machine: 'order', id: 'o-1' },
  { machine: 'order', id: 'o-2' },
  { machine: 'order', id: hostileIds[0]! },
  { machine: '__proto__', id: 'constructor' },
  { machine: 'crew', id: 'o-1' },
  { machine: 'crew', id: hostileIds[4]! },
  { machine: 'crew', id: hostileIds[6]! },
]
/** One of them. */
export const targetOf = (name: number): Target => TARGETS[name % TARGETS.length]!
const placeOf = (target: Target): number => TARGETS.findIndex((one) => nameOf(one) === nameOf(target))

/** What a change is made of. Numbers choose among what there is. `untilMs`, `dueMs`: from now. */
export type Part =
  | {
      readonly do: 'put'
      readonly name: number
      readonly status: number
      readonly state: number
      /** Bits: which columns are filled. */
      readonly shape: number
      readonly dueMs: number | null
      readonly rows: number
      readonly events: number
      /** A new life, where it is there. */
      readonly again: boolean
    }
  | { readonly do: 'wait'; readonly name: number; readonly unit: boolean; readonly untilMs: number | null; readonly size: number }
  | { readonly do: 'rewait'; readonly nth: number; readonly untilMs: number | null; readonly adopt: boolean }
  | { readonly do: 'unwait'; readonly nth: number }
  | { readonly do: 'letter'; readonly name: number; readonly priority: number; readonly unit: boolean }
  | { readonly do: 'decide'; readonly count: number }
  | { readonly do: 'receipt'; readonly id: number; readonly outcome: number }
  | { readonly do: 'dead'; readonly id: number; readonly name: number; readonly unit: boolean }
  | { readonly do: 'undead'; readonly id: number }
  | { readonly do: 'outside'; readonly partition: number } // prettier-ignore

/** One row of a change is wrong: the whole must be refused, by both in the same way. */
export type Fault = (typeof FAULTS)[number]
export const FAULTS = [
  'created twice',
  'created twice at once',
  'name taken',
  'name taken at once',
  'updated and not there',
  'journal row twice',
  'journal of nobody',
  'event twice',
  'read twice',
  'unwaited and not there',
  'unwaited twice',
  'rewaited and not there',
  'waits twice',
  'waits twice at once',
  'dead twice',
  'not dead',
  'undead twice',
] as const

const STATUSES = ['live', 'live', 'live', 'stalled', 'done', 'failed', 'cancelled', 'live'] as const
const STATES = ['placed', 'on its way', 'done', '__proto__'] as const
const OUTCOMES = ['applied', 'ignored', 'refused', 'late'] as const
const CAUSES = ['message', 'timer', 'result', 'child', 'always', 'cancel', 'operator', 'migrate'] as const
const RECEIPTS = ['applied', 'ignored', 'refused', 'deferred', 'unclaimed', 'dead', 'stored'] as const
const NOBODY = 4_711

type Growing<T> = { -readonly [K in keyof T]: T[K] extends readonly (infer X)[] ? X[] : T[K] }
type Open = Growing<Omit<Change, 'created' | 'counts'>> & { created: Set<number>; counts: Record<string, number> }
const open = (): Open => ({ ...(structuredClone(changeOf({})) as Open), created: new Set(), counts: {} })
const bit = (shape: number, n: number): boolean => (shape & (1 << n)) !== 0

/** Makes changes of what is there when it is asked. */
export class ChangeMaker {
  readonly #store: () => Store
  readonly #now: () => number
  #heads: readonly PartitionHead[] = []
  #lives = 100

  constructor(store: () => Store, now: () => number) {
    this.#store = store
    this.#now = now
  }

  async make(session: string, parts: readonly Part[], fault: Fault | undefined): Promise<Change> {
    const change = open()
    this.#heads = await this.#store().acquire(session, PARTITIONS)
    const found = new Map<string, Found>()
    for (const { target, loaded, orphans } of await this.#store().load(TARGETS)) {
      const waiting = [...(loaded?.waiting ?? []), ...orphans]
      found.set(nameOf(target), { target, loaded, waiting, used: new Set(), put: false })
    }
    for (const part of parts) await this.#part(change, found, part)
    if (fault !== undefined) await this.#spoil(change, found, fault)
    return change
  }

  async #part(change: Open, found: ReadonlyMap<string, Found>, part: Part): Promise<void> {
    const waiting = [...found.values()].flatMap((one) => one.waiting.filter((row) => !one.used.has(row.waiting.n)))
    switch (part.do) {
      case 'put':
        return this.#put(change, found.get(nameOf(targetOf(part.name)))!, part)
      case 'wait':
        return this.#wait(change, found.get(nameOf(targetOf(part.name)))!, part)
      case 'rewait':
      case 'unwait': {
        const row = waiting[part.nth % Math.max(1, waiting.length)]
        if (row !== undefined) this.#again(change, found.get(nameOf(row.target))!, row, part)
        return
      }
      case 'letter':
        return void change.inbox.push(this.#letter(part))
      case 'decide': {
        const rows = await this.#store().inbox([0, 1, 2, 3], part.count + 1)
        change.read.push(...rows.map(({ n }) => n).filter((n) => !change.read.includes(n)))
        return
      }
      case 'receipt':
        return this.#receipt(change, part)
      case 'dead':
        return this.#dead(change, part)
      case 'undead':
        return this.#undead(change, part.id)
      case 'outside':
        return void this.#event(change, part.partition % PARTITIONS, {
          k: null,
          seq: null,
          id: `from outside ${this.#now()}`,
        })
    }
  }

  async #undead(change: Open, nth: number): Promise<void> {
    const { items } = await this.#store().deadLetters({ limit: 8 })
    const letter = items[nth % Math.max(1, items.length)]
    if (letter !== undefined && !change.undead.includes(letter.id)) change.undead.push(letter.id)
  }

  #letter({ name, priority, unit }: Extract<Part, { do: 'letter' }>): Change['inbox'][number] {
    const { machine, id } = targetOf(name)
    const input = unit
      ? messageOf(`m-${name}`)
      : ({ kind: 'cancel', why: 'w', id: 'c', at: 1, correlation: 'c', stamp: 0 } as const)
    return letterOf(id, {
      partition: name % PARTITIONS,
      priority,
      letter: { kind: 'input', target: { machine, id }, input },
    })
  }

  #receipt(change: Open, { id, outcome }: Extract<Part, { do: 'receipt' }>): void {
    if (change.receipts.some((row) => row.id === `r-${id}`)) return
    const said: Partial<ReceiptRow> = { at: this.#now(), outcome: RECEIPTS[outcome % RECEIPTS.length]! }
    change.receipts.push(receiptOf(`r-${id}`, { ...said, ...(outcome % 2 === 0 ? {} : { why: 'if', state: 'placed', seq: outcome }) })) // prettier-ignore
  }

  #dead(change: Open, { id, name, unit }: Extract<Part, { do: 'dead' }>): void {
    const { machine, id: instance } = targetOf(name)
    const letter = deadOf(`d-${id}-${this.#now()}-${++this.#lives}`, { machine, instance, at: this.#now() })
    change.deadLetters.push(unit ? letter : { ...letter, input: { kind: 'start', data: hostileData, id: 's', at: 1, correlation: 'c', stamp: 0 }, delivery: { dedup: { source: 's', hash: 'h' } } }) // prettier-ignore
  }

  #event(change: Open, partition: number, more: Parameters<typeof eventOf>[2]): readonly [number, number] {
    const before = change.heads.find((head) => head.partition === partition)
    const head = (before ?? this.#heads.find((head) => head.partition === partition))!.head + 1
    const stamp = this.#now() * 1_024 + head
    change.heads = [...change.heads.filter((one) => one !== before), { partition, head, stamp }]
    change.events.push(eventOf(partition, head, { stamp, at: this.#now(), ...more, data: hostileData }))
    return [partition, head]
  }

  // ── instances ──

  async #put(change: Open, found: Found, part: Extract<Part, { do: 'put' }>): Promise<void> {
    if (found.put) return
    found.put = true
    const before = found.loaded?.instance
    const k = before?.k ?? (await this.#store().allot('k', 1))
    if (before === undefined) change.created.add(k)
    const lives = before === undefined || (part.again && before.endedAt !== null)
    const after = this.#instance(found.target, k, part, before, lives)
    found.k = k
    change.instances.push(after)
    this.#journal(change, after, part, before?.seq ?? 0, lives)
    if (bit(part.shape, 0)) change.children.push({ k, child: this.#child(found.target, part) })
    if (before === undefined) for (const row of found.waiting) this.#adopt(change, found, row, k)
    const count = (name: string, by: number): void => void (change.counts[name] = (change.counts[name] ?? 0) + by)
    if (lives) count(instanceCount(after.machine, 'started'), 1)
    if (before !== undefined) count(instanceCount(before.machine, conditionOf(before)), -1)
    count(instanceCount(after.machine, conditionOf(after)), 1)
  }

  #child({ machine }: Target, { state, events }: Extract<Part, { do: 'put' }>): ChildRecord {
    return childOf(`n-${state}`, { machine: events === 0 ? 'node' : machine, seq: state, data: hostileData })
  }

  #adopt(change: Open, found: Found, row: WaitingRow, k: number): void {
    if (found.used.has(row.waiting.n)) return
    found.used.add(row.waiting.n)
    change.rewaiting.push({ k, waiting: { ...row.waiting, why: 'state' } })
  }

  #instance(
    { machine, id }: Target,
    k: number,
    { status: s, state, shape, dueMs }: Extract<Part, { do: 'put' }>,
    before: Instance | undefined,
    lives: boolean,
  ): Instance {
    const now = this.#now()
    const status = STATUSES[s % STATUSES.length]!
    const ended = status !== 'live' && status !== 'stalled'
    const settled = callOf({ settled: { done: true, output: hostileData } })
    const calls = bit(shape, 1) ? { a: callOf(), 'b/0': settled } : bit(shape, 2) ? { 'b/0': settled } : null
    const incarnation = lives ? incarnationOf(++this.#lives) : before!.incarnation
    return instanceOf(k, {
      machine,
      id,
      partition: placeOf({ machine, id }) % PARTITIONS,
      incarnation,
      correlation: !lives ? before!.correlation : bit(shape, 3) ? incarnation : `c-${k}`,
      version: bit(shape, 4) ? 2 : 1,
      status,
      state: STATES[state % STATES.length]!,
      seq: before?.seq ?? 0,
      entry: 1 + (shape % 3),
      enteredAt: now,
      data: bit(shape, 5) ? hostileData : { n: shape },
      calls: ended ? null : calls,
      timers: bit(shape, 6) && !ended ? { __proto: { due: now, entry: 1 }, t: { due: 1, entry: 2 } } : null,
      dueAt: status === 'live' && dueMs !== null ? now + dueMs : null,
      joined: bit(shape, 7) ? ['a', 'b'] : null,
      stamp: now * 1_024 + shape,
      parent: bit(shape, 8) ? { machine: 'crew', id: 'p', incarnation: incarnationOf(1) } : null,
      startHash: lives ? `hash-${this.#lives}` : before!.startHash,
      stalled: status === 'stalled' ? { code: bit(shape, 9) ? 'A' : 'B', message: 'm', cause: messageOf('m') } : null,
      priority: shape % 3,
      fairKey: bit(shape, 9) ? 'f' : null,
      startedAt: lives ? now : before!.startedAt,
      endedAt: ended ? now : null,
    })
  }

  #journal(change: Open, after: Instance, part: Extract<Part, { do: 'put' }>, seq: number, lives: boolean): void {
    const rows: JournalRow[] = []
    for (let i = 1; i <= part.rows + 1; i++) {
      const events = i === 1 ? Array.from({ length: part.events }, () => this.#event(change, after.partition, { k: after.k, seq: seq + i })) : [] // prettier-ignore
      const entry = this.#entry(after, part, seq + i, i === 1 && lives)
      const emitted = [
        ...events.map(() => ({
          message: { kind: 'event', type: 'order.placed' } as never,
          data: hostileData,
          key: 'x',
        })),
        ...(bit(part.shape, 4) && i > 1 ? [{ message: { kind: 'command', type: 'c' } as never, data: hostileData, key: 'y' }] : []), // prettier-ignore
      ]
      rows.push({ k: after.k, entry: { ...entry, emitted }, events })
    }
    change.journal.push(...rows)
    const last = change.instances.findIndex((one) => one.k === after.k)
    change.instances[last] = { ...after, seq: seq + part.rows + 1 }
  }

  #entry(after: Instance, { shape, status }: Extract<Part, { do: 'put' }>, seq: number, starts: boolean): JournalEntry {
    const now = this.#now()
    const kind = starts ? ('start' as const) : CAUSES[(seq + shape) % CAUSES.length]!
    const ids = [`m-${seq}`, `${after.incarnation}-${seq}-x`, '~odd', `~${after.incarnation}`, after.incarnation]
    const late = { kind, name: 'n', id: ids[(shape + seq) % ids.length]!, at: bit(shape, 1) ? now : now - 5 }
    return entryOf(seq, {
      at: now,
      cause: { ...late, correlation: bit(shape, 2) ? after.correlation : 'other', ...(bit(shape, 3) ? { by: 'ann', source: 's' } : {}) }, // prettier-ignore
      from: starts ? null : 'placed',
      to: after.state,
      outcome: OUTCOMES[(status + seq) % OUTCOMES.length]!,
      unit: bit(shape, 4 + (seq % 3)),
      change: starts ? after.data : bit(shape, 5) ? hostileData : null,
      removed: bit(shape, 6) ? ['gone'] : [],
      spawned: bit(shape, 7) ? [{ kind: 'k', machine: 'node', id: 'n-1', data: {}, restart: false }] : [],
      opened: bit(shape, 8) ? ['a'] : [],
      dropped: bit(shape, 9) ? ['b'] : [],
      ...(bit(shape, 0) ? { by: 'bob', why: 'w' } : {}),
    })
  }

  // ── what waits ──

  async #wait(change: Open, found: Found, { unit, untilMs, size }: Extract<Part, { do: 'wait' }>): Promise<void> {
    const n = await this.#store().allot('waiting', 1)
    const k = found.k ?? found.loaded?.instance.k ?? null
    const until = untilMs === null ? null : this.#now() + untilMs
    const input = unit ? messageOf(`w-${n}`, { data: hostileData }) : ({ kind: 'cancel', why: 'w', id: 'c', at: 1, correlation: 'c', stamp: 0 } as const) // prettier-ignore
    const row = waitingOf(n, 'x', { until, leftMs: until === null ? 7 : null, size, input, why: k === null ? 'instance' : 'state' }) // prettier-ignore
    const partition = placeOf(found.target) % PARTITIONS
    // It is not created later in this very change: that one would adopt it.
    const whole = {
      ...row,
      k,
      target: found.target,
      partition,
      ...(size % 2 === 0 ? {} : { delivery: { receipt: true } }),
    }
    found.put = true
    change.waiting.push(whole)
    change.counts[messageCount('waiting')] = (change.counts[messageCount('waiting')] ?? 0) + (unit ? 1 : 0)
  }

  #again(change: Open, found: Found, row: WaitingRow, part: Extract<Part, { do: 'rewait' | 'unwait' }>): void {
    found.used.add(row.waiting.n)
    if (part.do === 'unwait') return void change.unwaiting.push(row.waiting.n)
    const until = part.untilMs === null ? null : this.#now() + part.untilMs
    const k = found.k ?? row.k
    change.rewaiting.push({ k, waiting: { ...row.waiting, until, leftMs: until === null ? 9 : null, why: part.adopt ? 'call' : 'state' } }) // prettier-ignore
  }

  // ── at fault ──

  async #spoil(change: Open, found: ReadonlyMap<string, Found>, fault: Fault): Promise<void> {
    const there = [...found.values()].find(({ loaded }) => loaded !== null)?.loaded?.instance
    const waits = [...found.values()].flatMap(({ waiting, used }) =>
      waiting.filter((row) => !used.has(row.waiting.n)),
    )[0]
    const [letter] = await this.#store().inbox([0, 1, 2, 3], 1)
    const fresh = await this.#store().allot('k', 2)
    const [dead] = (await this.#store().deadLetters({ limit: 8 })).items
    const nobody = instanceOf(NOBODY * 100, { id: 'nobody' })
    const spoil: Readonly<Record<Fault, () => void>> = {
      'created twice': () => there && this.#create(change, { ...instanceOf(there.k), id: 'new' }),
      'name taken': () => there && this.#create(change, instanceOf(fresh, { machine: there.machine, id: there.id })),
      'created twice at once': () => [1, 2].map((i) => this.#create(change, instanceOf(fresh, { id: `new ${i}` }))),
      'name taken at once': () => [0, 1].map((i) => this.#create(change, instanceOf(fresh + i, { id: 'new' }))),
      'updated and not there': () => change.instances.push(nobody),
      'journal row twice': () => there && change.journal.push(rowOf(there.k, there.seq)),
      'journal of nobody': () => change.journal.push(rowOf(nobody.k, 1)),
      'event twice': () => change.events.push(eventOf(3, 99), eventOf(3, 99)),
      'read twice': () => change.read.push(...(letter === undefined ? [NOBODY * 1_000] : [letter.n, letter.n])),
      'unwaited and not there': () => change.unwaiting.push(NOBODY * 1_000),
      'rewaited and not there': () =>
        change.rewaiting.push({ k: null, waiting: waitingOf(NOBODY * 1_000, 'x').waiting }),
      'waits twice': () => waits && change.waiting.push(waits),
      'unwaited twice': () => waits && change.unwaiting.push(waits.waiting.n, waits.waiting.n),
      'waits twice at once': () => change.waiting.push(waitingOf(NOBODY * 1_000, 'x'), waitingOf(NOBODY * 1_000, 'x')),
      'undead twice': () => dead && change.undead.push(dead.id, dead.id),
      'dead twice': () => change.deadLetters.push(deadOf('twice'), deadOf('twice')),
      'not dead': () => change.undead.push('nobody'),
    }
    spoil[fault]()
  }

  #create(change: Open, instance: Instance): void {
    change.created.add(instance.k)
    change.instances.push(instance)
  }
}

interface Found {
  readonly target: Target
  readonly loaded: Loaded | null
  readonly waiting: readonly WaitingRow[]
  /** Waiting rows that this change has written. */
  readonly used: Set<number>
  /** It is written in this change. */
  put: boolean
  k?: number
}
const nameOf = ({ machine, id }: Target): string => `${machine}\0${id}`
