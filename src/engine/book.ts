// Books what the core decided into the batch: rows, sums, hops, receipts, dead letters, replies.
//
// The law of messages is kept here: what comes in adds to `accepted` once, and each decision adds to exactly one of the
// others. `pending` and `waiting` are left again by the decision.
import { carriedMessages, conditionOf, messageCount, type MessageFigure } from '../core/counts.ts'
import type { Context } from '../core/draft.ts'
import type {
  ChildRecord,
  Emitted,
  Input,
  Instance,
  JournalEntry,
  MessageInput,
  NoticeInput,
  Waiting,
} from '../core/model.ts'
import { readPayload } from '../core/reading.ts'
import type { Outcome } from '../core/transition.ts'
import type { Delivery, ReceiptRow, WaitingRow } from '../store/store.ts'
import type { Batch, Touched } from './batch.ts'
import type { EventLetter, Item } from './mailbox.ts'
import type { Ownership } from './ownership.ts'
import type { Registry } from './registry.ts'
import { isUnit, stored, type Router } from './route.ts'
import type { Reply, Told } from './reply.ts'

/** A message of a newer build is looked at again after that long. */
const BUILD_AGAIN_MS = 60_000
/** Stamps count 1,024 to the millisecond. */
export const STAMPS_PER_MS = 1_024

/** What booking needs from outside. */
export interface BookPorts {
  readonly registry: Registry
  readonly ownership: Ownership
  readonly router: Router
  /** A new unique id, for dead letters. */
  readonly newId: () => string
  readonly placeOfWaiting: () => number
}

/** The target of a receipt: parts joined by U+0000, which no id holds. */
export const receiptTarget = (item: Item): string =>
  item.input.kind === 'event' ? `${item.input.type}\0${item.input.key}` : `${item.target.machine}\0${item.target.id}`
/** Under what a receipt is kept in a batch. */
export const receiptKey = (row: { readonly target: string; readonly source: string; readonly id: string }): string =>
  `${row.target}\0\0${row.source}\0\0${row.id}`

const toldOf = (outcome: Outcome): Told => {
  const { fate, why, code, message, instance } = outcome
  return {
    fate,
    ...(why !== undefined && { why }),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
    ...(instance !== null && { state: instance.state, seq: instance.seq, k: instance.k }),
    entries: outcome.journal.slice(0, outcome.own),
  }
}

/** Books outcomes. */
export class Booker {
  readonly #ports: BookPorts
  constructor(ports: BookPorts) {
    this.#ports = ports
  }

  /** One outcome of one item. */
  book(batch: Batch, touched: Touched, item: Item, outcome: Outcome): void {
    touched.instance = outcome.instance
    touched.waiting = outcome.waiting
    touched.children = outcome.children
    touched.fresh = outcome.fresh
    touched.created ||= outcome.created
    for (const entry of outcome.journal) this.#row(batch, touched, item, entry)
    for (const decided of outcome.decided) this.#decided(batch, touched, decided)
    this.#told(touched, outcome)
    this.#settle(batch, touched, item, outcome)
  }

  #row(batch: Batch, touched: Touched, item: Item, entry: JournalEntry): void {
    const { instance } = touched
    if (instance === null) return
    const events: (readonly [number, number])[] = []
    for (const [index, emitted] of entry.emitted.entries()) {
      if (emitted.message.kind === 'event') events.push(this.#event(batch, touched, item, entry, emitted, instance))
      else this.#command(batch, touched, item, entry, emitted, `${instance.incarnation}-${entry.seq}-${index}`)
    }
    batch.journal(touched, entry, events, instance.k)
    if (entry.spawned.length > 0 || entry.cancelled.length > 0) this.#family(batch, touched, item, entry, instance)
  }

  /** Numbers an event into its emitter's partition, and sends it to all who hear it. */
  #event(
    batch: Batch,
    touched: Touched,
    item: Item,
    entry: JournalEntry,
    { message, data, key }: Emitted,
    instance: Instance,
  ): readonly [number, number] {
    const { partition } = touched
    const { offset, stamp } = this.#number(batch, partition, Math.max(touched.stamp, instance.stamp))
    touched.stamp = stamp
    const id = `e${partition}-${offset}`
    const { correlation } = entry.cause
    batch.event({
      partition,
      offset,
      stamp,
      k: instance.k,
      seq: entry.seq,
      id,
      type: message.type,
      version: message.version,
      key,
      data,
      at: batch.now,
      correlation,
    })
    const input: MessageInput = {
      kind: 'message',
      command: false,
      type: message.type,
      version: message.version,
      data,
      keepMs: message.keepMs,
      id,
      at: batch.now,
      correlation,
      stamp,
      checked: message,
    }
    batch.tally.add(messageCount('accepted'), Math.max(1, this.#fanOut(batch, item, key, input).length))
    return [partition, offset]
  }

  #number(batch: Batch, partition: number, after: number): { readonly offset: number; readonly stamp: number } {
    const { head, stamp } = batch.heads.get(partition) ?? this.#ports.ownership.head(partition)
    const next = { head: head + 1, stamp: Math.max(batch.now * STAMPS_PER_MS, stamp, after) + 1 }
    batch.heads.set(partition, next)
    return { offset: next.head, stamp: next.stamp }
  }

  /** Sends an event to its hearers; none: it is unclaimed. Answers who they are. `replies` makes each one's reply. */
  #fanOut(
    batch: Batch,
    item: Item,
    key: string,
    input: MessageInput,
    replies?: (machine: string, id: string) => Reply,
  ): readonly string[] {
    const hearers = this.#ports.registry.hearers(input.type, key, input.data)
    if (hearers.length === 0) this.#unclaimed(batch)
    for (const hearer of hearers) {
      const { machine, id } = hearer
      if (id === undefined)
        this.#dead(
          batch,
          { machine, id: '' },
          item.partition,
          input,
          'HANDLER_FAILED',
          `${machine}, correlate "${input.type}": ${hearer.problem}`,
        )
      else this.#ports.router.send(batch, item, { machine, id }, input, replies?.(machine, id))
    }
    return hearers.map(({ machine }) => machine)
  }

  #unclaimed(batch: Batch): void {
    batch.tally.add(messageCount('unclaimed'))
    batch.tally.add(carriedMessages('unclaimed'))
  }

  #command(
    batch: Batch,
    touched: Touched,
    item: Item,
    entry: JournalEntry,
    { message, data, key }: Emitted,
    id: string,
  ): void {
    const input: MessageInput = {
      kind: 'message',
      command: true,
      type: message.type,
      version: message.version,
      data,
      keepMs: message.keepMs,
      id,
      at: batch.now,
      correlation: entry.cause.correlation,
      stamp: Math.max(touched.stamp, touched.instance?.stamp ?? 0),
      checked: message,
    }
    batch.tally.add(messageCount('accepted'))
    this.#ports.router.send(batch, item, { machine: message.to ?? '', id: key }, input)
  }

  #family(batch: Batch, touched: Touched, item: Item, entry: JournalEntry, instance: Instance): void {
    const base = { at: batch.now, correlation: entry.cause.correlation, stamp: Math.max(touched.stamp, instance.stamp) }
    const parent = { machine: instance.machine, id: instance.id, incarnation: instance.incarnation }
    for (const spawn of entry.spawned) {
      const input: Input = {
        kind: 'start',
        id: `${instance.incarnation}-${entry.seq}-${spawn.id}`,
        ...base,
        data: spawn.data,
        parent,
        ...(spawn.restart && { restart: true }),
      }
      this.#ports.router.send(batch, item, { machine: spawn.machine, id: spawn.id }, input)
    }
    for (const { machine, id } of entry.cancelled) {
      this.#ports.router.send(
        batch,
        item,
        { machine, id },
        {
          kind: 'cancel',
          id: `${instance.incarnation}-${entry.seq}-${id}`,
          ...base,
          why: `its parent ${instance.machine} "${instance.id}" was cancelled`,
        },
      )
    }
  }

  #decided(batch: Batch, touched: Touched, decided: Outcome['decided'][number]): void {
    const { waiting, fate } = decided
    const delivery = touched.rows.get(waiting.n)?.delivery
    if (waiting.input.kind !== 'message') return
    batch.tally.add(messageCount('waiting'), -1)
    if (fate === 'dead')
      this.#dead(
        batch,
        touched.target,
        touched.partition,
        waiting.input,
        decided.code ?? 'HANDLER_FAILED',
        decided.message ?? '',
        delivery,
      )
    else batch.tally.add(messageCount(fate))
    this.#receipt(batch, touched.target, waiting.input, delivery, {
      outcome: fate,
      state: decided.state,
      seq: decided.seq,
      ...(decided.why !== undefined && { why: decided.why }),
    })
  }

  #dead(
    batch: Batch,
    target: { machine: string; id: string },
    partition: number,
    input: MessageInput,
    code: string,
    message: string,
    delivery?: Delivery,
  ): void {
    const id = this.#ports.newId()
    const { deadLetter: _, ...kept } = delivery ?? {}
    batch.deadLetter({
      id,
      machine: target.machine,
      instance: target.id,
      partition,
      at: batch.now,
      code,
      message,
      input: stored(input),
      ...(delivery !== undefined && { delivery: kept }),
    })
  }

  #receipt(
    batch: Batch,
    target: { machine: string; id: string },
    input: Input,
    delivery: Delivery | undefined,
    said: Pick<ReceiptRow, 'outcome' | 'why' | 'state' | 'seq'>,
  ): void {
    if (delivery?.dedup === undefined && delivery?.receipt !== true) return
    const row: ReceiptRow = {
      target: `${target.machine}\0${target.id}`,
      source: delivery.dedup?.source ?? '',
      id: input.id,
      hash: delivery.dedup?.hash ?? '',
      at: batch.now,
      ...said,
    }
    batch.receipts.set(receiptKey(row), row)
  }

  /** Whether the parent must hear of this. */
  #told(touched: Touched, outcome: Outcome): void {
    const { instance, before } = touched
    if (instance === null || instance.parent === null) return
    if (
      outcome.fate === 'exists' ||
      instance.seq !== before.instance?.seq ||
      instance.status !== before.instance.status
    )
      touched.tells = true
  }

  /** What the input itself comes to. */
  #settle(batch: Batch, touched: Touched, item: Item, outcome: Outcome): void {
    const { input, delivery } = item
    if (input.kind === 'event') return
    this.leaveInbox(batch, item)
    if (delivery?.deadLetter !== undefined) this.#undead(batch, delivery.deadLetter, input)
    if (input.kind === 'message') this.#message(batch, touched, item, input, outcome)
    else if (input.kind === 'cancel' && outcome.fate === 'deferred')
      this.#wait(batch, touched, item, input, outcome.waitsFor ?? 'call')
    else if (input.kind === 'start') this.#start(batch, touched, item, input, outcome)
    if (input.kind === 'cancel' || input.kind === 'operator') this.#answer(batch, touched, item, input, outcome)
    const { reply } = item
    if (reply !== undefined) {
      const told = toldOf(outcome)
      batch.after.push(() => reply(told))
    }
  }

  /** What a cancel or an operator's action came to, for a caller at another worker. */
  #answer(batch: Batch, touched: Touched, item: Item, input: Input, { fate, why, code, instance }: Outcome): void {
    const outcome =
      fate === 'applied' || fate === 'ignored' || fate === 'refused' || fate === 'deferred' ? fate : 'dead'
    const said = why ?? code ?? (fate === 'unknown' ? 'UNKNOWN_INSTANCE' : undefined)
    const at = { ...(instance !== null && { state: instance.state, seq: instance.seq }) }
    this.#receipt(batch, touched.target, input, item.delivery, {
      outcome,
      ...at,
      ...(said !== undefined && { why: said }),
    })
  }

  /** A dead letter goes: redriven as this very input, or discarded by an operator. */
  #undead(batch: Batch, deadLetter: string, input: Input): void {
    batch.open.undead.push(deadLetter)
    batch.tally.add(messageCount('dead'), -1)
    if (input.kind === 'message') return
    batch.tally.add(messageCount('discarded'))
    batch.tally.add(carriedMessages('discarded'))
  }

  /** An item that came from the inbox leaves it in this commit. */
  leaveInbox(batch: Batch, item: Item): void {
    if (item.inbox === undefined) return
    batch.open.read.push(item.inbox)
    if (isUnit(item.input)) batch.tally.add(messageCount('pending'), -1)
  }

  #message(batch: Batch, touched: Touched, item: Item, input: MessageInput, outcome: Outcome): void {
    const { fate } = outcome
    // The sender hears of it, and the law does not: nothing was accepted.
    if (fate === 'unknown' && item.reply !== undefined && item.storedOnly !== true && !item.counted) return
    if (!item.counted) batch.tally.add(messageCount('accepted'))
    const at = { ...(outcome.instance !== null && { state: outcome.instance.state, seq: outcome.instance.seq }) }
    const receipt = (said: ReceiptRow['outcome'], why?: string): void =>
      this.#receipt(batch, touched.target, input, item.delivery, {
        outcome: said,
        ...at,
        ...(why !== undefined && { why }),
      })
    if (fate === 'applied' || fate === 'ignored' || fate === 'refused') {
      batch.tally.add(messageCount(fate satisfies MessageFigure))
      receipt(fate, outcome.why)
    } else if (fate === 'deferred' || fate === 'absent' || fate === 'build') {
      this.#wait(
        batch,
        touched,
        item,
        input,
        fate === 'absent' ? 'instance' : fate === 'build' ? 'build' : (outcome.waitsFor ?? 'state'),
      )
      receipt('deferred')
    } else {
      const code = outcome.code ?? (fate === 'unknown' ? 'UNKNOWN_INSTANCE' : 'HANDLER_FAILED')
      this.#dead(
        batch,
        touched.target,
        touched.partition,
        input,
        code,
        outcome.message ?? `there is no ${touched.target.machine} "${touched.target.id}"`,
        item.delivery,
      )
      receipt('dead', code)
    }
  }

  /** Puts an input among those that wait. Its time runs only where it waits for a state or for its instance. */
  #wait(batch: Batch, touched: Touched, item: Item, input: Waiting['input'], why: Waiting['why']): void {
    const keepMs = input.kind === 'message' ? input.keepMs : null
    const runs = why === 'state' || why === 'instance'
    const until = why === 'build' ? batch.now + BUILD_AGAIN_MS : runs && keepMs !== null ? batch.now + keepMs : null
    const kept = stored(input)
    const waiting: Waiting = {
      n: this.#ports.placeOfWaiting(),
      why,
      until,
      leftMs: runs ? null : keepMs,
      size: JSON.stringify(kept).length,
      input: kept,
    }
    const row: WaitingRow = {
      k: touched.instance?.k ?? null,
      target: touched.target,
      partition: touched.partition,
      waiting,
      ...(item.delivery !== undefined && { delivery: withoutDead(item.delivery) }),
    }
    touched.rows = new Map(touched.rows).set(waiting.n, row)
    touched.waiting = [...touched.waiting, waiting]
    if (input.kind === 'message') batch.tally.add(messageCount('waiting'))
    const { instance } = touched
    if (instance !== null && until !== null && (instance.dueAt === null || until < instance.dueAt))
      touched.instance = { ...instance, dueAt: until }
  }

  #start(batch: Batch, touched: Touched, item: Item, input: Extract<Input, { kind: 'start' }>, outcome: Outcome): void {
    const { fate } = outcome
    this.#receipt(batch, touched.target, input, item.delivery, {
      outcome: fate === 'dead' || fate === 'conflict' ? 'dead' : 'applied',
      ...(outcome.code !== undefined && { why: outcome.code }),
    })
    if (input.parent === undefined || (fate !== 'taken' && fate !== 'dead' && fate !== 'build')) return
    const problem =
      fate === 'taken'
        ? {
            code: 'CHILD_TAKEN',
            message: `${touched.target.machine} "${touched.target.id}" is there already, and is no child of this instance`,
          }
        : { code: 'CHILD_REFUSED', message: outcome.message ?? `no worker knows the machine ${touched.target.machine}` }
    const child: ChildRecord = {
      machine: touched.target.machine,
      id: touched.target.id,
      incarnation: '',
      seq: 0,
      state: '',
      status: 'failed',
      data: {},
    }
    const notice: NoticeInput = {
      kind: 'notice',
      id: `${input.id}-problem`,
      at: batch.now,
      correlation: input.correlation,
      stamp: input.stamp,
      child,
      parent: input.parent.incarnation,
      problem,
    }
    this.#ports.router.send(batch, item, { machine: input.parent.machine, id: input.parent.id }, notice)
  }

  /** Tells the parents of what this batch has changed, once for each child. True: there was somebody to tell. */
  tellParents(batch: Batch): boolean {
    let told = false
    for (const touched of batch.touched.values()) {
      const { instance } = touched
      if (!touched.tells || instance === null || instance.parent === null) continue
      touched.tells = false
      told = true
      const { machine, id, incarnation, seq, state, data, parent } = instance
      const child: ChildRecord = { machine, id, incarnation, seq, state, status: conditionOf(instance), data }
      const notice: NoticeInput = {
        kind: 'notice',
        id: `${incarnation}-${seq}`,
        at: batch.now,
        correlation: instance.correlation,
        stamp: Math.max(touched.stamp, instance.stamp),
        child,
        parent: parent.incarnation,
      }
      const from: Item = {
        box: touched.box,
        target: touched.target,
        partition: touched.partition,
        input: notice,
        counted: true,
        hops: 0,
        since: 0,
      }
      this.#ports.router.send(batch, from, { machine: parent.machine, id: parent.id }, notice)
    }
    return told
  }

  /** Numbers an event from outside into the log and sends it on. */
  event(batch: Batch, item: Item, letter: EventLetter): void {
    this.leaveInbox(batch, item)
    const { reply } = item
    const message = this.#ports.registry.message(letter.type)
    const read = message === undefined ? { value: letter.data } : readPayload(message, letter.version, letter.data)
    const base = {
      type: letter.type,
      version: message?.version ?? letter.version,
      id: letter.id,
      at: letter.at,
      correlation: letter.correlation,
      ...(letter.by !== undefined && { by: letter.by }),
      ...(letter.source !== undefined && { source: letter.source }),
    }
    if ('problem' in read) {
      if (!item.counted) batch.tally.add(messageCount('accepted'))
      this.#dead(
        batch,
        { machine: '', id: letter.key },
        item.partition,
        {
          kind: 'message',
          command: false,
          ...base,
          version: letter.version,
          data: letter.data,
          keepMs: letter.keepMs,
          stamp: 0,
        },
        'BAD_DATA',
        read.problem,
      )
      if (reply !== undefined)
        batch.after.push(() => reply({ fate: 'dead', code: 'BAD_DATA', message: read.problem, entries: [] }))
      return
    }
    const { offset, stamp } = this.#number(batch, item.partition, 0)
    batch.event({
      partition: item.partition,
      offset,
      stamp,
      k: null,
      seq: null,
      key: letter.key,
      data: read.value,
      ...base,
    })
    const input: MessageInput = {
      kind: 'message',
      command: false,
      ...base,
      data: read.value,
      keepMs: letter.keepMs,
      stamp,
      ...(message !== undefined && { checked: message }),
    }
    const heard: { machine: string; id: string; told: Told }[] = []
    let open = 1
    const close = (): void => {
      open -= 1
      if (open === 0) reply?.({ fate: 'event', entries: [], heard })
    }
    const replies = (machine: string, id: string): Reply => {
      open += 1
      return (told) => {
        heard.push({ machine, id, told })
        close()
      }
    }
    const count = this.#fanOut(batch, item, letter.key, input, reply === undefined ? undefined : replies).length
    batch.tally.add(messageCount('accepted'), Math.max(1, count) - (item.counted ? 1 : 0))
    if (item.delivery?.dedup !== undefined || item.delivery?.receipt === true) {
      const row: ReceiptRow = {
        target: receiptTarget(item),
        source: item.delivery.dedup?.source ?? '',
        id: letter.id,
        hash: item.delivery.dedup?.hash ?? '',
        at: batch.now,
        outcome: count === 0 ? 'unclaimed' : 'applied',
      }
      batch.receipts.set(receiptKey(row), row)
    }
    batch.after.push(close)
  }

  /** Its instance was erased: a late message does not start it again. */
  removed(batch: Batch, item: Item): void {
    this.leaveInbox(batch, item)
    if (isUnit(item.input)) {
      if (!item.counted) batch.tally.add(messageCount('accepted'))
      if (item.delivery?.deadLetter !== undefined && item.input.kind === 'message')
        this.#undead(batch, item.delivery.deadLetter, item.input)
      this.#unclaimed(batch)
    }
    const { reply } = item
    if (reply !== undefined) batch.after.push(() => reply({ fate: 'removed', entries: [] }))
  }

  /** A message that came a second time: nothing of it is accepted. */
  duplicate(batch: Batch, item: Item, told: Told): void {
    this.leaveInbox(batch, item)
    if (item.counted && isUnit(item.input)) batch.tally.add(messageCount('accepted'), -1)
    const { reply } = item
    if (reply !== undefined) batch.after.push(() => reply(told))
  }
}

const withoutDead = (delivery: Delivery): Delivery => {
  const { deadLetter: _, ...rest } = delivery
  return rest
}

/** What a dispatch is told from outside, but for what creation needs. */
export type DispatchContext = Omit<Context, 'create'>
