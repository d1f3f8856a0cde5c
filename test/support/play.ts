// Plays one instance through the pure core, and keeps what lies between two dispatches as an engine would.
//
// Every dispatch is checked while it is played: it is run twice on equal, deep-frozen inputs and must answer the same (a
// core that mutates, reads a clock or draws would not); what is kept goes through JSON text, as through a store; the
// journal must be a path in the machine's graph, numbered without a gap (I3).
import { isDeepStrictEqual } from 'node:util'
import { expect } from 'vitest'
import { freezeJson } from '../../src/base/json.ts'
import { childKey } from '../../src/core/family.ts'
import type { ChildRecord, Emitted, Input, Instance, JournalEntry, Waiting } from '../../src/core/model.ts'
import { dispatch, type Outcome } from '../../src/core/transition.ts'
import { definitionOf, type MachineDefinition, type MessageDefinition } from '../../src/machine/definition.ts'

/** Where every play begins: a round time, so that what is due can be read. */
export const START_MS = Date.UTC(2026, 0, 1)
export const SECOND = 1_000
export const MINUTE = 60 * SECOND
export const HOUR = 60 * MINUTE
export const LEASE_MS = 10 * SECOND

type Base = Pick<Input, 'id' | 'at' | 'correlation' | 'stamp'>
type Sent = { readonly type: string; readonly data: unknown }
/** An input without what all inputs carry. */
export type Bare = Input extends infer I ? (I extends Input ? Omit<I, keyof Base> & Partial<Input> : never) : never

const incarnationOf = (n: number): string => `inc${String(n).padStart(23, '0')}`
const through = <T>(value: T): T =>
  value === undefined ? value : freezeJson(JSON.parse(JSON.stringify(value)), 'kept')

export interface PlayOptions {
  readonly id?: string
  readonly data?: unknown
  readonly now?: number
  /** False: nothing is started. */
  readonly start?: boolean
  readonly parent?: Instance['parent']
}

/** One instance. */
export class Play {
  definition: MachineDefinition
  readonly id: string
  now: number
  instance: Instance | null = null
  waiting: readonly Waiting[] = []
  children: ReadonlyMap<string, ChildRecord> = new Map()
  fresh: readonly string[] = []
  journal: JournalEntry[] = []
  /** False: what was opened is not started before `commit()`. */
  commits = true
  last!: Outcome
  #n = 0
  #lives = 0

  constructor(machine: object, id: string, now: number) {
    this.definition = definitionOf(machine)
    this.id = id
    this.now = now
  }

  /** What every input carries. */
  base(): Base {
    return { id: `m${++this.#n}`, at: this.now, correlation: 'c', stamp: 0 }
  }

  commit(): this {
    this.fresh = []
    return this
  }

  /** Another build runs from now on. */
  deploy(machine: object): this {
    this.definition = definitionOf(machine)
    return this
  }

  /** Dispatches, checks, and keeps. */
  give(bare: Bare): Outcome {
    return this.dispatch({ ...this.base(), ...bare } as Input)
  }

  dispatch(input: Input): Outcome {
    const before = { instance: this.instance, waiting: this.waiting, children: this.children, fresh: this.fresh }
    const context = {
      now: this.now,
      leaseMs: LEASE_MS,
      session: 's1',
      create: { k: this.instance?.k ?? 7, partition: 3, incarnation: incarnationOf(++this.#lives) },
    }
    const told = JSON.stringify([before, input])
    const outcome = dispatch(this.definition, this.id, before, deepFrozen(input), context)
    const again = dispatch(this.definition, this.id, before, deepFrozen(input), context)
    if (!isDeepStrictEqual(outcome, again)) expect(again, 'the same input, dispatched twice').toEqual(outcome)
    expect(JSON.stringify([before, input]), 'the input after the dispatch').toBe(told)
    this.#check(before.instance, outcome)
    this.#keep(input, outcome)
    this.last = outcome
    return outcome
  }

  #check(before: Instance | null, outcome: Outcome): void {
    let seq = before?.seq ?? 0
    let at = before?.state ?? null
    for (const row of outcome.journal) {
      expect(row.seq, 'the sequence has no gap').toBe(++seq)
      if (row.cause.kind !== 'start') expect(row.from, 'the journal is a path').toBe(at)
      expect(isDeclared(this.definition, row), `an edge from ${row.from} to ${row.to} by ${row.cause.kind}`).toBe(true)
      at = row.to
    }
    const { instance } = outcome
    if (instance === null) return
    expect([instance.seq, instance.state]).toEqual([seq, at])
    expect(instance.data).toEqual(JSON.parse(instance.dataText))
    if (instance.status !== 'live') expect(instance.dueAt, 'what is not live has no alarm').toBeNull()
    const ended = instance.status !== 'live' && instance.status !== 'stalled'
    expect(instance.endedAt !== null).toBe(ended)
    if (ended) expect([instance.calls, instance.timers, outcome.waiting]).toEqual([null, null, []])
    expect(instance.stalled !== null).toBe(instance.status === 'stalled')
  }

  #keep(input: Input, outcome: Outcome): void {
    const { instance } = outcome
    expect(through(instance), 'an instance is JSON').toEqual(instance)
    const rows = outcome.journal.map((row) => ({ ...row, emitted: [] }))
    expect(through(rows)).toEqual(rows)
    this.instance = through(instance)
    this.waiting = through(outcome.waiting)
    this.children = new Map([...outcome.children].map(([key, child]) => [key, through(child)]))
    this.fresh = this.commits ? [] : outcome.fresh
    this.journal.push(...outcome.journal)
    const { fate } = outcome
    if (input.kind !== 'message' && input.kind !== 'cancel') return
    const why =
      fate === 'deferred' ? outcome.waitsFor! : fate === 'absent' ? 'instance' : fate === 'build' ? 'build' : undefined
    if (why !== undefined) this.#wait(input, why)
  }

  /** As the engine does it. */
  #wait(input: Waiting['input'], why: Waiting['why']): void {
    const keepMs = input.kind === 'message' ? input.keepMs : null
    const runs = why === 'state' || why === 'instance'
    const until = why === 'build' ? this.now + MINUTE : runs && keepMs !== null ? this.now + keepMs : null
    const size = JSON.stringify(input).length
    this.waiting = [...this.waiting, { n: ++this.#n, why, until, leftMs: runs ? null : keepMs, size, input }]
  }

  // ── what may come ──

  run(data: unknown, more: { parent?: NonNullable<Instance['parent']>; restart?: boolean } = {}): Outcome {
    return this.give({ kind: 'start', data, ...more })
  }

  message(message: Sent, more: { ifSeq?: number; version?: number; stamp?: number; by?: string } = {}): Input {
    const definition: MessageDefinition | undefined = this.definition.receives.get(message.type)
    return {
      ...this.base(),
      kind: 'message',
      command: definition?.kind === 'command',
      type: message.type,
      version: definition?.version ?? 1,
      data: message.data,
      keepMs: definition?.keepMs ?? HOUR,
      ...more,
    }
  }

  send(message: Sent, more: { ifSeq?: number; version?: number; stamp?: number; by?: string } = {}): Outcome {
    return this.dispatch(this.message(message, more))
  }

  /** The one open call, or the one of that name. */
  call(name?: string): string {
    const open = Object.keys(this.instance?.calls ?? {})
    const found = name ?? open[0]
    if (found === undefined || !open.includes(found)) throw new Error(`no call ${name ?? ''} is open: ${open.join()}`)
    return found
  }

  /** How an attempt ended: the newest, unless said otherwise. */
  attempt(
    outcome: Extract<Input, { kind: 'result' }>['outcome'],
    name?: string,
    more: { attempt?: number; key?: string; jitter?: number } = {},
  ): Outcome {
    const call = this.call(name)
    const record = this.instance!.calls![call]!
    return this.give({
      kind: 'result',
      call,
      key: record.key,
      attempt: record.attempts + 1,
      jitter: 0.5,
      outcome,
      ...more,
    })
  }
  done(output: unknown, name?: string, more: { attempt?: number; key?: string } = {}): Outcome {
    return this.attempt({ kind: 'done', output }, name, more)
  }
  fail(code: string, name?: string, more: { attempt?: number; key?: string } = {}): Outcome {
    return this.attempt({ kind: 'failure', code, message: `it said ${code}` }, name, more)
  }
  unknown(name?: string, more: { attempt?: number; jitter?: number } = {}): Outcome {
    return this.attempt({ kind: 'unknown', message: 'connection reset' }, name, more)
  }
  /** Attempts fail until the retries are used up. */
  exhaust(name?: string): Outcome {
    for (let i = 0; i < 20; i++) {
      const outcome = this.unknown(name)
      if (
        outcome.instance?.calls?.[this.last.instance === null ? '' : (name ?? Object.keys(outcome.instance.calls)[0]!)]
          ?.settled !== undefined
      )
        return outcome
      if (outcome.journal.length > 0) return outcome
    }
    throw new Error('still open after 20 attempts')
  }

  /** Time passes and the alarm rings, as often as one is due on the way. */
  after(ms: number): Outcome {
    const until = this.now + ms
    for (let rings = 0; ; rings++) {
      const due = this.instance?.dueAt ?? null
      if (due === null || due > until) break
      expect(rings, 'alarms in a row').toBeLessThan(1_000)
      this.now = Math.max(this.now, due)
      this.ring()
    }
    this.now = until
    return this.last
  }

  /** The alarm rings now, whether something is due or not. */
  ring(): Outcome {
    return this.give({ kind: 'timer' })
  }

  cancel(why = 'no more', by?: string): Outcome {
    return this.give({ kind: 'cancel', why, ...(by !== undefined && { by }) })
  }
  operate(action: Extract<Input, { kind: 'operator' }>['action'], why = 'by hand'): Outcome {
    return this.give({ kind: 'operator', why, by: 'ann', action })
  }
  retry(newKey = false): Outcome {
    return this.operate({ do: 'retry', newKey })
  }

  /** A child tells where it is. */
  tell(machine: string, id: string, state: string, more: Partial<ChildRecord> = {}): Outcome {
    const known = this.children.get(childKey(machine, id))
    const child: ChildRecord = {
      machine,
      id,
      incarnation: 'inc-of-child',
      seq: (known?.seq ?? 0) + 1,
      state,
      status: 'waiting',
      data: {},
      ...more,
    }
    return this.give({ kind: 'notice', child, parent: this.instance!.incarnation })
  }

  // ── what is to be seen ──

  get state(): string | undefined {
    return this.instance?.state
  }
  get status(): string | undefined {
    return this.instance?.status
  }
  get data(): Readonly<Record<string, unknown>> {
    return this.instance!.data
  }
  get stalled(): string | undefined {
    return this.instance?.stalled?.code
  }
  get row(): JournalEntry {
    return this.journal.at(-1)!
  }
  /** The states, as entered. */
  get path(): readonly string[] {
    return this.journal.filter((row) => row.from !== row.to || row.opened.length > 0).map((row) => row.to)
  }
  get emitted(): readonly { readonly type: string; readonly data: unknown; readonly key: string }[] {
    return this.journal.flatMap((row) =>
      row.emitted.map(({ message, data, key }: Emitted) => ({ type: message.type, data, key })),
    )
  }
}

/** An instance of a machine, started with `data`. */
export function play(machine: object, data: unknown = {}, o: PlayOptions = {}): Play {
  const played = new Play(machine, o.id ?? 'i1', o.now ?? START_MS)
  if (o.start === false) return played
  const outcome = played.run(data, o.parent ? { parent: o.parent } : {})
  if (outcome.fate !== 'applied') throw new Error(`it did not start: ${outcome.code} ${outcome.message}`)
  return played
}

function deepFrozen<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value
  for (const part of Object.values(value)) deepFrozen(part)
  return Object.freeze(value)
}

/** Whether a row is a declared way: an edge of its kind, a row that changes nothing, or one of an operator or a migration. */
export function isDeclared(definition: MachineDefinition, row: JournalEntry): boolean {
  const { cause, from, to, outcome } = row
  if (cause.kind === 'start') return to === definition.initial
  if (cause.kind === 'migrate') return true
  if (outcome !== 'applied') return from === to && row.change === null && row.emitted.length === 0
  const edges = definition.graph.edges.filter((edge) => edge.from === from)
  if (from === to && !edges.some((edge) => edge.to === to)) return true
  const kinds = {
    result: ['result', 'failure'],
    timer: ['timer', 'failure'],
    always: ['always', 'result', 'join', 'child'],
    child: ['child'],
  }
  const allowed: readonly string[] | undefined =
    cause.kind === 'operator' ? undefined : cause.kind in kinds ? kinds[cause.kind as keyof typeof kinds] : [cause.kind]
  return (
    edges.some((edge) => (edge.to ?? from) === to && (allowed === undefined || allowed.includes(edge.kind))) ||
    from === to
  )
}
