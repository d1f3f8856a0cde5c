// The people and services that use the system: they start instances, send messages, send them twice, ask again when nobody
// answers, and remember what they were told.
//
// They come in by two doors: straight into the store's inbox (as another service does, or a user's own transaction), with a
// receipt as the answer; or through a worker, which may die under them.
import { jsonHash } from '../../base/json.ts'
import { partitionOf } from '../../base/id.ts'
import { seededRandom } from '../../base/random.ts'
import type { SeededRandom } from '../../base/random.ts'
import { messageCount } from '../../core/counts.ts'
import type { Input } from '../../core/model.ts'
import type { MessageDefinition } from '../../machine/definition.ts'
import type { Letter, Store } from '../../store/store.ts'
import type { Coverage } from './coverage.ts'
import type { Life } from './scheduler.ts'
import type { Story } from './story.ts'
import { messageType } from './wish.ts'
import type { Ending, Wish } from './wish.ts'

/** A worker's own door. `undefined`: nothing is known. */
export type WorkerDoor = (id: string, wish: Wish) => Promise<Ending | undefined>

/** What clients need. */
export interface ClientOptions {
  readonly life: Life
  /** What each wish draws comes of it and of the wish's id. */
  readonly seed: number
  /** A way into the store that is nobody's worker. */
  readonly store: Store
  readonly partitions: number
  /** A worker that is alive, or undefined. */
  readonly worker: (random: SeededRandom) => WorkerDoor | undefined
  /** By type. */
  readonly messages: ReadonlyMap<string, MessageDefinition>
  readonly coverage: Coverage
  readonly story: Story
  /** The share of wishes that go by a worker's door, 0 to 1. */
  readonly doors: number
}

/** The source of all messages: receipts are found under it. */
const SOURCE = 'simulation'
const PATIENCE_MS = 6_000
const TRIES = 40
/** What has no letter of its own. */
const ONLY_BY_DOOR: ReadonlySet<Wish['do']> = new Set(['await', 'redrive', 'discard', 'remove'] as const)

/** All clients. */
export class Clients {
  readonly #o: ClientOptions
  #busy = 0
  /** What is drawn for a wish; and which way it goes: a copy of it must go the same way, since each is deduplicated for itself. */
  readonly #ways = new Map<string, { readonly random: SeededRandom; readonly byDoor: boolean }>()
  /** By target: how many messages were sent to it, and the last of them that arrived. */
  readonly #sent = new Map<string, { sent: number; arrived: number }>()
  /** By counter: what was sent to be added, and what was said to be. */
  readonly added = new Map<string, { readonly sent: Set<string>; readonly applied: Set<string> }>()
  /** Instances that were said to be started, as `machine id`. */
  readonly started = new Set<string>()

  constructor(o: ClientOptions) {
    this.#o = o
  }

  /** Wishes that are not done yet. */
  get busy(): number {
    return this.#busy
  }

  /** Asks for it until somebody says what became of it. */
  ask(id: string, wish: Wish): void {
    this.#busy++
    const added = wish.do === 'command' || wish.do === 'redrive' ? addedBy(wish) : undefined
    const book = added === undefined ? undefined : this.#bookOf(added.counter)
    if (added !== undefined) book?.sent.add(added.id)
    this.#o.story.tell('client', () => `asks ${id}: ${wishText(wish)}`)
    void this.#insist(id, wish).then((outcome) => {
      this.#busy--
      const name = wish.do === 'operate' ? wish.action.do : wish.do
      this.#o.coverage.add(`answer ${name} ${outcome ?? 'unknown'}`)
      this.#o.story.tell('client', () => `is told of ${id}: ${outcome ?? 'nothing'}`)
      if (added !== undefined && outcome === 'applied') book?.applied.add(added.id)
      if (wish.do === 'start' && outcome === 'applied') this.started.add(`${wish.target.machine} ${wish.target.id}`)
    })
  }

  #bookOf(counter: string) {
    let book = this.added.get(counter)
    if (book === undefined) this.added.set(counter, (book = { sent: new Set(), applied: new Set() }))
    return book
  }

  async #insist(id: string, wish: Wish): Promise<Ending | undefined> {
    const { life } = this.#o
    const { random } = this.#wayOf(id, wish)
    for (let left = TRIES; left > 0; left--) {
      const outcome = await this.#once(id, wish)
      if (outcome !== undefined) return outcome
      await life.wait(random.int(2_000), 'client waits')
    }
    return undefined
  }

  async #once(id: string, wish: Wish): Promise<Ending | undefined> {
    const { life, worker } = this.#o
    const { random, byDoor } = this.#wayOf(id, wish)
    const door = byDoor ? worker(random) : undefined
    if (door === undefined && byDoor) return undefined
    const answer = door === undefined ? this.#byInbox(id, wish, random) : door(id, wish)
    const patience = deferred()
    const cancel = life.clock.after(PATIENCE_MS, patience.resolve)
    return await Promise.race([answer.catch(() => undefined), patience.promise]).finally(cancel)
  }

  #wayOf(id: string, wish: Wish) {
    let way = this.#ways.get(id)
    if (way === undefined) {
      const random = seededRandom(this.#o.seed + partitionOf(id, 2 ** 31))
      this.#ways.set(id, (way = { random, byDoor: random.chance(this.#o.doors) || ONLY_BY_DOOR.has(wish.do) }))
    }
    return way
  }

  /** Counts what arrives behind something that was sent after it. */
  async #arrives<T>(key: string, send: () => Promise<T>): Promise<T> {
    let order = this.#sent.get(key)
    if (order === undefined) this.#sent.set(key, (order = { sent: 0, arrived: 0 }))
    const mine = ++order.sent
    const answer = await send()
    if (mine < order.arrived) this.#o.coverage.add('fault messages overtake each other')
    order.arrived = Math.max(order.arrived, mine)
    return answer
  }

  /** Appends it to the inbox, and looks for its receipt. */
  async #byInbox(id: string, wish: Wish, random: SeededRandom): Promise<Ending | undefined> {
    const { life, store, partitions, messages } = this.#o
    if (!isLetterable(wish)) return undefined
    const letter = letterOf(id, wish, messages, life.clock.now())
    const key = letter.kind === 'event' ? letter.key : letter.target.id
    const counts = isMessage(wish) ? { [messageCount('accepted')]: 1, [messageCount('pending')]: 1 } : {}
    const row = { partition: partitionOf(key, partitions), priority: 0, letter }
    await this.#arrives(key, () => store.append([row], counts))
    // A cancel or an operator's action leaves no receipt.
    if (wish.do === 'cancel' || wish.do === 'operate') return 'stored'
    const target = letter.kind === 'event' ? `${letter.type}\0${key}` : `${letter.target.machine}\0${key}`
    for (let left = 5; left > 0; left--) {
      await life.wait(random.int(1_500), 'client looks for a receipt')
      const [receipt] = await store.receipts([{ target, source: SOURCE, id }])
      if (receipt !== undefined && receipt.outcome !== 'deferred') return receipt.outcome
    }
    return undefined
  }
}

/** A promise, and what resolves it. */
function deferred(): { readonly promise: Promise<undefined>; readonly resolve: () => void } {
  let resolve = (): void => undefined
  const promise = new Promise<undefined>((settle) => (resolve = () => settle(undefined)))
  return { promise, resolve }
}

/** A wish in words. */
function wishText(wish: Wish): string {
  switch (wish.do) {
    case 'event':
      return `event ${messageType(wish.message)} ${JSON.stringify(wish.data)}`
    case 'command':
      return `command ${messageType(wish.message)} to ${nameOf(wish.target)} ${JSON.stringify(wish.data)}`
    case 'start':
      return `start ${nameOf(wish.target)} ${JSON.stringify(wish.data)}`
    case 'operate':
      return `${wish.action.do} ${nameOf(wish.target)}`
    case 'discard':
      return `discard dead letter ${wish.letter}`
    case 'redrive':
      return `redrive dead letter ${wish.letter}`
    case 'cancel':
    case 'await':
    case 'remove':
      return `${wish.do} ${nameOf(wish.target)}`
  }
}
const nameOf = ({ machine, id }: { readonly machine: string; readonly id: string }): string => `${machine} ${id}`

/** What a command adds to a counter. */
function addedBy({ target, data }: Extract<Wish, { do: 'command' | 'redrive' }>) {
  const { id } = (data ?? {}) as { readonly id?: string }
  return target.machine === 'counter' && id !== undefined ? { counter: target.id, id } : undefined
}

const isMessage = (wish: Wish): boolean => wish.do === 'command' || wish.do === 'event'

type Letterable = Exclude<Wish, { do: 'await' | 'redrive' | 'discard' | 'remove' }>
const isLetterable = (wish: Wish): wish is Letterable => !ONLY_BY_DOOR.has(wish.do)

/** What a wish looks like in the inbox. */
function letterOf(id: string, wish: Letterable, messages: ReadonlyMap<string, MessageDefinition>, at: number): Letter {
  const base = { id, at, correlation: id, source: SOURCE }
  if (wish.do === 'event') {
    const { type, version, keepMs, key } = messages.get(messageType(wish.message))!
    const delivery = { dedup: { source: SOURCE, hash: jsonHash(wish.data) }, receipt: true }
    return { kind: 'event', type, version, key: key!(wish.data), data: wish.data, keepMs, ...base, delivery }
  }
  const { target } = wish
  const data = 'data' in wish ? wish.data : null
  const delivery = { dedup: { source: SOURCE, hash: jsonHash(data) }, receipt: true }
  return { kind: 'input', target, input: inputOf(wish, messages, base), delivery }
}

type Base = Pick<Input, 'id' | 'at' | 'correlation' | 'source'>
function inputOf(
  wish: Exclude<Letterable, { do: 'event' }>,
  messages: ReadonlyMap<string, MessageDefinition>,
  base: Base,
): Input {
  const stamped = { ...base, stamp: 0 } as Base & { stamp: number }
  switch (wish.do) {
    case 'start':
      return { ...stamped, kind: 'start', data: wish.data }
    case 'command': {
      const { type, version, keepMs } = messages.get(messageType(wish.message))!
      const ifSeq = wish.ifSeq === undefined ? {} : { ifSeq: wish.ifSeq }
      return { ...stamped, kind: 'message', command: true, type, version, keepMs, data: wish.data, ...ifSeq }
    }
    case 'cancel':
      return { ...stamped, kind: 'cancel', why: 'changed my mind' }
    case 'operate':
      return { ...stamped, kind: 'operator', why: 'mended', action: wish.action }
  }
}
