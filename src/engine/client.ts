// Calls from this process: an input goes to its owner, and what became of it comes back once that is durable.
//
// Where the owner is another worker the input is stored for it, and the answer is read from its receipt: a hint may make that
// faster, never truer.
import { PawlError } from '../base/errors.ts'
import { checkId, uuidv7 } from '../base/id.ts'
import { freezeJson, jsonHash } from '../base/json.ts'
import { checkSize } from '../base/size.ts'
import { messageCount, Tally } from '../core/counts.ts'
import type { Input, Instance } from '../core/model.ts'
import type { MachineDefinition } from '../machine/definition.ts'
import type { Delivery, ReceiptRow, Target } from '../store/store.ts'
import { receiptTarget } from './ledger.ts'
import type { Engine } from './engine.ts'
import type { EventLetter, Item } from './mailbox.ts'
import type { Told } from './reply.ts'
import { boxOf } from './route.ts'
import { Wait, type Watcher } from './watch.ts'
import type { Alarm } from './wheel.ts'

/** A receipt, or an instance of another worker, is asked for soon, and then at times that double: thousands may wait for a slow one. */
const POLL_MS = { first: 50, most: 1_000 } as const
const laterMs = (ms: number): number => Math.min(POLL_MS.most, 2 * ms)
/** More than this in the boxes, and older than this: outside messages are refused. */
const OVERLOAD = { items: 50_000, ms: 10_000 } as const

/** Settings of one call. */
export interface Call {
  readonly delivery?: Delivery
  /** The id was made just now. */
  readonly isNew?: boolean
  /** Nobody waits for more than that it is safe. */
  readonly storedOnly?: boolean
  /** Called once the input is durable, where that is before anybody has looked at it. */
  readonly safe?: () => void
}

/** The engine, as the public API uses it. */
export class Client {
  readonly engine: Engine

  constructor(engine: Engine) {
    this.engine = engine
  }

  /** A machine of this app. */
  machine(name: string): MachineDefinition {
    const machine = this.engine.registry.machines.get(name)
    if (machine === undefined)
      throw new PawlError(
        'UNKNOWN_MACHINE',
        `this app has no machine "${name}"; there are: ${[...this.engine.registry.machines.keys()].join(', ') || 'none'}`,
      )
    return machine
  }

  newId(): string {
    return uuidv7(this.engine.clock, this.engine.random)
  }

  /** What all inputs from here carry. */
  base(
    id: string,
    by: string | undefined,
  ): { id: string; at: number; correlation: string; stamp: number; by?: string } {
    return { id, at: this.engine.time.now(), correlation: id, stamp: 0, ...(by !== undefined && { by }) }
  }

  /** By what a message with an id from outside is known again. */
  delivery(id: string | undefined, type: string, data: unknown, source = ''): Delivery | undefined {
    return id === undefined ? undefined : { dedup: { source, hash: jsonHash({ type, data }) } }
  }

  /** Gives an input to whoever owns its target. */
  async submit(target: Target, input: Input | EventLetter, call: Call = {}): Promise<Told> {
    const parts = this.engine.check()
    if (isOutside(input, call)) this.#refuseOverload()
    const item = parts.router.item(target, input, {
      since: this.engine.clock.monotonic(),
      counted: call.delivery?.deadLetter !== undefined,
      ...call,
    })
    if (!this.engine.ownership.owns(item.partition)) return this.#store(item)
    const told = await new Promise<Told>((resolve) => this.engine.post(Object.assign(item, { reply: resolve })))
    if (told.fate === 'gone') this.engine.check()
    if (told.fate === 'lost') call.safe?.()
    return told.fate === 'lost' && call.storedOnly !== true ? this.#receipt(item) : told
  }

  #refuseOverload(): void {
    const { mailbox, clock } = this.engine
    if (mailbox.size < OVERLOAD.items) return
    const oldest = mailbox.oldest()
    if (oldest !== undefined && clock.monotonic() - oldest > OVERLOAD.ms)
      throw new PawlError(
        'OVERLOADED',
        `${mailbox.size} messages wait, the oldest for more than ${OVERLOAD.ms} ms: send again later`,
      )
  }

  /** Its owner is somebody else. */
  async #store(item: Item): Promise<Told> {
    const { store } = this.engine
    const before = await this.#before(item)
    if (before !== undefined) return before
    const { router } = this.engine.parts
    const tally = new Tally()
    const unit = item.input.kind === 'message' || item.input.kind === 'event'
    if (unit) {
      tally.add(messageCount('pending'))
      // Until it is decided about, what is redriven lies in the inbox beside its dead letter.
      if (!item.counted || item.delivery?.deadLetter !== undefined) tally.add(messageCount('accepted'))
    }
    await store.append([router.row({ ...item, delivery: { ...item.delivery, receipt: true } })], tally.sums)
    item.safe?.()
    return item.storedOnly === true ? { fate: 'lost', entries: [] } : this.#receipt(item)
  }

  /** What came under its id before: the receipt that its owner writes now would look the same. */
  async #before(item: Item): Promise<Told | undefined> {
    const dedup = item.delivery?.dedup
    if (dedup === undefined || item.delivery?.deadLetter !== undefined) return undefined
    const key = { target: receiptTarget(item), source: dedup.source, id: item.input.id }
    const [receipt] = await this.engine.store.receipts([key])
    if (receipt === undefined) return undefined
    return { fate: receipt.hash === dedup.hash ? 'duplicate' : 'reused', receipt, entries: [] }
  }

  /** What becomes of an input that lies in the inbox of its owner, and asks for a receipt. */
  received(target: Target, input: Input): Promise<Told> {
    return this.#receipt(this.engine.parts.router.item(target, input, { since: 0, counted: true }))
  }

  /** Waits for the receipt that its owner writes. Whoever has not the time races this with a clock. */
  async #receipt(item: Item): Promise<Told> {
    const key = { target: receiptTarget(item), source: item.delivery?.dedup?.source ?? '', id: item.input.id }
    for (let ms: number = POLL_MS.first; ; ms = laterMs(ms)) {
      // The receipt of what is redriven is of its first coming as long as the dead letter is there. It goes in the commit that writes the
      // new one: where there is none then, somebody else has redriven or discarded it.
      const letter = item.delivery?.deadLetter
      const decided = letter === undefined || (await this.engine.store.deadLetter(letter)) === null
      const [receipt] = decided ? await this.engine.store.receipts([key]) : []
      if (receipt !== undefined) return toldBy(receipt)
      if (letter !== undefined && decided) return goneLetter(letter)
      await this.pause(ms)
      this.engine.check()
    }
  }

  pause(ms: number): Promise<void> {
    return new Promise((resolve) => void this.engine.wheel.set(ms, resolve))
  }

  /** An instance as it stands; UNKNOWN_INSTANCE where there is none. */
  async instance(target: Target): Promise<Instance> {
    const instance = await this.engine.peek(target)
    if (instance === null) throw unknownInstance(target)
    return instance
  }

  /** Resolves when `look` has found what it waits for; asks the store where the owner is another worker. */
  watch<T>(
    target: Target,
    look: (instance: Instance, passed: readonly string[]) => T | undefined,
    withinMs: number | undefined,
  ): Promise<T> {
    const { watchers, wheel, store } = this.engine
    const box = boxOf(target)
    return new Promise<T>((resolve, reject) => {
      let alarm: Alarm | undefined
      const wait = new Wait(look, resolve, reject, () => {
        watchers.delete(box, wait)
        wheel.cancel(alarm)
      })
      watchers.add(box, wait)
      if (withinMs !== undefined) alarm = wheel.set(withinMs, () => wait.failed(elapsed(target, withinMs)))
      // Where there is one worker it is told of everything: one look will do, and most find it in memory.
      const hot = store.features.sessions ? undefined : this.engine.hot(target)
      if (hot !== undefined) wait.told(hot, [])
      else void this.#poll(target, wait).catch((error: unknown) => wait.failed(error as Error))
    })
  }

  /** The states that an instance of another worker has passed since it was looked at. */
  async #passed(before: Instance, { k, seq }: Instance): Promise<readonly string[]> {
    if (k !== before.k || seq <= before.seq) return []
    return (await this.engine.store.journal(k, before.seq, PASSED)).map(({ to }) => to)
  }

  async #poll(target: Target, wait: Watcher & { readonly over: boolean }): Promise<void> {
    let before: Instance | undefined
    for (let ms: number = POLL_MS.first; ; ms = laterMs(ms)) {
      const instance = await this.instance(target)
      const passed = before === undefined ? [] : await this.#passed(before, instance)
      if (wait.told(instance, passed) || wait.over || !this.engine.store.features.sessions) return
      // What moves is looked at soon again; of its own instances this worker is told.
      if (instance.seq !== before?.seq) ms = POLL_MS.first
      before = instance
      const own = this.engine.ownership.owns(this.engine.parts.router.partitionOf(target.id))
      await this.pause(own ? POLL_MS.most : ms)
      if (wait.over) return
      this.engine.check()
    }
  }
}

/** Rows of the journal that are read of what an instance did between two looks. */
const PASSED = 1_000

/** What makes more work; operators and cancels make less of it. */
const isOutside = ({ kind }: Input | EventLetter, { delivery }: Call): boolean =>
  (kind === 'message' || kind === 'event' || kind === 'start') && delivery?.deadLetter === undefined

const elapsed = ({ machine, id }: Target, withinMs: number): PawlError =>
  new PawlError('WITHIN_ELAPSED', `${machine} "${id}" did not come there within ${withinMs} ms; it goes its way`)

/** There is no such instance. */
export const unknownInstance = (target: Target, messageId?: string): PawlError =>
  new PawlError(
    'UNKNOWN_INSTANCE',
    `there is no ${target.machine} "${target.id}"`,
    messageId === undefined ? {} : { messageId },
  )

const goneLetter = (letter: string): Told => ({
  fate: 'bad',
  code: 'UNKNOWN_DEAD_LETTER',
  message: `the dead letter "${letter}" is gone: somebody else has redriven or discarded it`,
  entries: [],
})

function toldBy(receipt: ReceiptRow): Told {
  const { outcome, why, state, seq } = receipt
  const at = { ...(state !== undefined && { state }), ...(seq !== undefined && { seq }), entries: [] }
  if (outcome === 'dead')
    return {
      fate: why === 'UNKNOWN_INSTANCE' ? 'unknown' : 'dead',
      code: why ?? 'HANDLER_FAILED',
      message: `it was refused with ${why ?? 'an error'}: see the dead letters`,
      ...at,
    }
  if (outcome === 'refused') return { fate: 'refused', why: (why ?? 'if') as NonNullable<Told['why']>, ...at }
  if (outcome === 'stored' || outcome === 'unclaimed') return { fate: 'deferred', ...at }
  return { fate: outcome, ...at }
}

/** Checks what a caller names. */
export const checkedId = (id: unknown, what: string): string => checkId(id, what)
/** Freezes what a caller gives; NOT_JSON where it cannot be stored, TOO_LARGE where it does not fit. */
export const checkedData = (data: unknown, what: string): unknown => checkSize(freezeJson(data, what), what)
