// What a transition lets happen beyond its instance: events are numbered into the log and go to all who hear them, commands
// to their one target, children are started and cancelled.
import type { Emitted, Input, Instance, JournalEntry, MessageInput } from '../core/model.ts'
import { readPayload } from '../core/reading.ts'
import type { JournalRow, ReceiptRow } from '../store/store.ts'
import type { Batch, Touched } from './batch.ts'
import { receiptTarget, type Ledger } from './ledger.ts'
import type { EventLetter, Item } from './mailbox.ts'
import type { Ownership } from './ownership.ts'
import type { Hearer, Registry } from './registry.ts'
import type { Reply, Told } from './reply.ts'
import type { Router } from './route.ts'

/** Stamps count 1,024 to the millisecond. */
export const STAMPS_PER_MS = 1_024

/** What publishing needs. */
export interface PublishPorts {
  readonly registry: Registry
  readonly ownership: Ownership
  readonly router: Router
  readonly ledger: Ledger
}

/** Where a row of the journal comes from. */
interface Site {
  readonly batch: Batch
  readonly touched: Touched
  readonly item: Item
  readonly entry: JournalEntry
  readonly instance: Instance
}

const none: JournalRow['events'] = []

/** Publishes for one lane. */
export class Publisher {
  readonly #ports: PublishPorts
  constructor(ports: PublishPorts) {
    this.#ports = ports
  }

  /** Publishes what a row of the journal emits. Answers the places of its events in the log. */
  row(batch: Batch, touched: Touched, item: Item, entry: JournalEntry, instance: Instance): JournalRow['events'] {
    const quiet = entry.emitted.length === 0
    if (quiet && entry.spawned.length === 0 && entry.cancelled.length === 0) return none
    const site: Site = { batch, touched, item, entry, instance }
    if (entry.spawned.length > 0 || entry.cancelled.length > 0) this.#family(site)
    if (quiet) return none
    const events: (readonly [number, number])[] = []
    for (const [index, emitted] of entry.emitted.entries()) {
      if (emitted.message.kind === 'event') events.push(this.#event(site, emitted))
      else this.#command(site, emitted, index)
    }
    return events
  }

  /** Numbers an event into its emitter's partition, and sends it to all who hear it. */
  #event({ batch, touched, item, entry, instance }: Site, { message, data, key }: Emitted): readonly [number, number] {
    const { partition } = touched
    const { type, version, keepMs } = message
    const { offset, stamp } = this.#number(batch, partition, Math.max(touched.stamp, instance.stamp))
    touched.stamp = stamp
    const base = {
      id: `e${partition}-${offset}`,
      at: batch.now,
      correlation: entry.cause.correlation,
      stamp,
      type,
      version,
      data,
    }
    batch.event({ partition, offset, k: instance.k, seq: entry.seq, key, ...base })
    const heard = this.#fanOut(batch, item, key, { kind: 'message', command: false, keepMs, checked: message, ...base })
    this.#ports.ledger.accept(batch, Math.max(1, heard.length))
    return [partition, offset]
  }

  #number(batch: Batch, partition: number, after: number): { readonly offset: number; readonly stamp: number } {
    const { head, stamp } = batch.headOf(partition) ?? this.#ports.ownership.head(partition)
    const next = { head: head + 1, stamp: Math.max(batch.now * STAMPS_PER_MS, stamp, after) + 1 }
    batch.heads.set(partition, next)
    return { offset: next.head, stamp: next.stamp }
  }

  /** Sends an event to its hearers and answers who they are; none: it is unclaimed. `replies` makes each one's reply. */
  #fanOut(
    batch: Batch,
    item: Item,
    key: string,
    input: MessageInput,
    replies?: (machine: string, id: string) => Reply,
  ): readonly Hearer[] {
    const { registry, router, ledger } = this.#ports
    const hearers = registry.hearers(input.type, key, input.data)
    if (hearers.length === 0) ledger.unclaimed(batch)
    for (const hearer of hearers) {
      const { machine, id } = hearer
      if (id !== undefined) router.send(batch, item, { machine, id }, input, replies?.(machine, id))
      else {
        const message = `${machine}, correlate "${input.type}": ${hearer.problem}`
        const code = 'HANDLER_FAILED'
        ledger.dead(batch, { target: { machine, id: '' }, partition: item.partition, input, code, message })
        const reply = replies?.(machine, '')
        if (reply !== undefined) batch.after.push(() => reply({ fate: 'dead', code, message, entries: [] }))
      }
    }
    return hearers
  }

  #command({ batch, touched, item, entry, instance }: Site, { message, data, key }: Emitted, index: number): void {
    const { type, version, keepMs } = message
    const input: MessageInput = {
      kind: 'message',
      command: true,
      type,
      version,
      data,
      keepMs,
      checked: message,
      id: `${instance.incarnation}-${entry.seq}-${index}`,
      at: batch.now,
      correlation: entry.cause.correlation,
      stamp: Math.max(touched.stamp, instance.stamp),
    }
    this.#ports.ledger.accept(batch)
    this.#ports.router.send(batch, item, { machine: message.to ?? '', id: key }, input)
  }

  /** Starts children, and cancels those that their parent's cancel takes along. */
  #family({ batch, touched, item, entry, instance }: Site): void {
    const { machine, id, incarnation } = instance
    const base = { at: batch.now, correlation: entry.cause.correlation, stamp: Math.max(touched.stamp, instance.stamp) }
    for (const child of entry.spawned) {
      const input: Input = {
        kind: 'start',
        id: `${incarnation}-${entry.seq}-${child.id}`,
        ...base,
        data: child.data,
        parent: {
          machine,
          id,
          incarnation,
        },
        ...(child.restart && { restart: true }),
      }
      this.#ports.router.send(batch, item, { machine: child.machine, id: child.id }, input)
    }
    const why = `its parent ${machine} "${id}" was cancelled`
    for (const child of entry.cancelled) {
      this.#ports.router.send(batch, item, child, {
        kind: 'cancel',
        id: `${incarnation}-${entry.seq}-${child.id}`,
        ...base,
        why,
      })
    }
  }

  /** Numbers an event from outside into the log and sends it on. */
  letter(batch: Batch, item: Item, letter: EventLetter): void {
    const { registry, ledger } = this.#ports
    const { partition, reply, safe } = item
    ledger.leaveInbox(batch, item)
    const message = registry.message(letter.type)
    const read = message === undefined ? { value: letter.data } : readPayload(message, letter.version, letter.data)
    if ('problem' in read) {
      this.#unreadable(batch, item, letter, read.problem)
      return
    }
    const { type, id, at, by, source, correlation, key, keepMs } = letter
    const { offset, stamp } = this.#number(batch, partition, 0)
    const base = { type, version: message?.version ?? letter.version, id, at, correlation, data: read.value, stamp }
    batch.event({ partition, offset, k: null, seq: null, key, ...base })
    const input: MessageInput = {
      kind: 'message',
      command: false,
      keepMs,
      ...base,
      ...(message !== undefined && { checked: message }),
      ...(by !== undefined && { by }),
      ...(source !== undefined && { source }),
    }
    const gathered = reply === undefined ? undefined : new Gathered(reply)
    const heard = this.#fanOut(
      batch,
      item,
      key,
      input,
      gathered && ((machine, hearer) => gathered.replyOf(machine, hearer)),
    )
    ledger.accept(batch, Math.max(1, heard.length) - (item.counted ? 1 : 0))
    ledger.receipt(batch, receiptTarget(item), item, becameOf(heard))
    if (safe !== undefined) batch.after.push(safe)
    if (gathered !== undefined) batch.after.push(() => gathered.close())
  }

  #unreadable(batch: Batch, item: Item, letter: EventLetter, problem: string): void {
    const { type, version, data, keepMs, id, at, correlation, key } = letter
    if (!item.counted) this.#ports.ledger.accept(batch)
    const input: MessageInput = {
      kind: 'message',
      command: false,
      type,
      version,
      data,
      keepMs,
      id,
      at,
      correlation,
      stamp: 0,
    }
    this.#ports.ledger.dead(batch, {
      target: { machine: '', id: key },
      partition: item.partition,
      input,
      code: 'BAD_DATA',
      message: problem,
    })
    const { reply } = item
    if (reply !== undefined)
      batch.after.push(() => reply({ fate: 'dead', code: 'BAD_DATA', message: problem, entries: [] }))
  }
}

/** What a receipt says of an event, as far as that is known when it is numbered. */
function becameOf(heard: readonly Hearer[]): Pick<ReceiptRow, 'outcome' | 'why'> {
  if (heard.some(({ id }) => id === undefined)) return { outcome: 'dead', why: 'HANDLER_FAILED' }
  return { outcome: heard.length === 0 ? 'unclaimed' : 'applied' }
}

/** Replies when all who hear an event have looked at it. */
class Gathered {
  readonly #reply: Reply
  readonly #heard: { readonly machine: string; readonly id: string; readonly told: Told }[] = []
  #open = 1

  constructor(reply: Reply) {
    this.#reply = reply
  }

  replyOf(machine: string, id: string): Reply {
    this.#open += 1
    return (told) => {
      this.#heard.push({ machine, id, told })
      this.close()
    }
  }

  close(): void {
    this.#open -= 1
    if (this.#open === 0) this.#reply({ fate: 'event', entries: [], heard: this.#heard })
  }
}
