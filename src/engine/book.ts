// Books what the core decided into the batch: rows, sums, receipts, replies, and who is to be told.
import { conditionOf, messageCount } from '../core/counts.ts'
import { LIMITS } from '../core/draft.ts'
import type { ChildRecord, Input, MessageInput, NoticeInput, ResultInput, Waiting } from '../core/model.ts'
import type { Outcome } from '../core/transition.ts'
import type { WaitingRow } from '../store/store.ts'
import type { Batch, Touched } from './batch.ts'
import { instanceTarget, withoutDead, type Ledger } from './ledger.ts'
import type { Item } from './mailbox.ts'
import type { Publisher } from './publish.ts'
import type { Told } from './reply.ts'
import { isUnit, stored, type Router } from './route.ts'

/** What booking needs. */
export interface BookPorts {
  readonly router: Router
  readonly ledger: Ledger
  readonly publisher: Publisher
  readonly placeOfWaiting: () => number
}

const toldOf = (outcome: Outcome): Told => {
  const { fate, why, code, message, instance, journal, own } = outcome
  const entries = own === journal.length ? journal : journal.slice(0, own)
  const at = instance === null ? {} : { state: instance.state, seq: instance.seq, k: instance.k }
  const told: Told = { fate, entries, ...at }
  if (code === undefined && why === undefined) return told
  return {
    ...told,
    ...(why !== undefined && { why }),
    ...(code !== undefined && { code }),
    ...(message !== undefined && { message }),
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
    const { instance } = outcome
    touched.instance = instance
    touched.waiting = outcome.waiting
    touched.children = outcome.children
    touched.fresh = outcome.fresh
    touched.created ||= outcome.created
    if (instance !== null) {
      for (const entry of outcome.journal) {
        batch.journal(touched, entry, this.#ports.publisher.row(batch, touched, item, entry, instance), instance.k)
      }
    }
    for (const decided of outcome.decided) this.#decided(batch, touched, decided)
    this.#tells(touched, outcome)
    this.#settle(batch, touched, item, outcome)
  }

  /** A message that waited is decided about. */
  #decided(batch: Batch, touched: Touched, decided: Outcome['decided'][number]): void {
    const { waiting, fate, state, seq, why, code = 'HANDLER_FAILED', message = '' } = decided
    const { input } = waiting
    const { target, partition } = touched
    if (input.kind !== 'message') return
    const delivery = touched.rows.get(waiting.n)?.delivery
    batch.tally.add(messageCount('waiting'), -1)
    if (fate === 'dead') this.#ports.ledger.dead(batch, { target, partition, input, code, message, delivery })
    else batch.tally.add(messageCount(fate))
    const said = fate === 'dead' ? code : why
    this.#ports.ledger.receipt(
      batch,
      instanceTarget(target),
      { input, delivery },
      { outcome: fate, state, seq, ...(said !== undefined && { why: said }) },
    )
  }

  /** Whether the parent must hear of this. */
  #tells(touched: Touched, outcome: Outcome): void {
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
    const { input, delivery, reply } = item
    const { ledger } = this.#ports
    ledger.leaveInbox(batch, item)
    if (delivery?.deadLetter !== undefined) ledger.undead(batch, delivery.deadLetter, input)
    if (input.kind === 'message') this.#message(batch, touched, item, input, outcome)
    else if (input.kind === 'start') this.#start(batch, touched, item, input, outcome)
    else if (input.kind === 'cancel' || input.kind === 'operator') this.#order(batch, touched, item, input, outcome)
    if (input.kind === 'result' && item.booked !== undefined) this.#booked(batch, item.booked, input, outcome)
    if (reply === undefined) return
    const told = toldOf(outcome)
    batch.after.push(() => reply(told))
  }

  #booked(
    batch: Batch,
    booked: NonNullable<Item['booked']>,
    { call, key, entry }: ResultInput,
    outcome: Outcome,
  ): void {
    const now = outcome.instance?.calls?.[call]
    const open = now !== undefined && now.key === key && now.entry === entry && now.settled === undefined
    const { failed } = outcome
    batch.after.push(() => booked({ nextAt: open ? now.nextAt : undefined, failed }))
  }

  #message(batch: Batch, touched: Touched, item: Item, input: MessageInput, outcome: Outcome): void {
    const { fate, instance } = outcome
    const { ledger } = this.#ports
    // The sender hears of it, and the law does not: nothing was accepted.
    if (fate === 'unknown' && item.reply !== undefined && item.storedOnly !== true && !item.counted) return
    if (!item.counted) ledger.accept(batch)
    const { target, partition } = touched
    const at = { ...(instance !== null && { state: instance.state, seq: instance.seq }) }
    const receipt = (said: 'applied' | 'ignored' | 'refused' | 'deferred' | 'dead', why?: string): void =>
      ledger.receipt(batch, instanceTarget(target), item, { outcome: said, ...at, ...(why !== undefined && { why }) })
    if (fate === 'applied' || fate === 'ignored' || fate === 'refused') {
      batch.tally.add(messageCount(fate))
      receipt(fate, outcome.why)
    } else if (fate === 'deferred' || fate === 'absent' || fate === 'build') {
      const why = fate === 'absent' ? 'instance' : fate === 'build' ? 'build' : (outcome.waitsFor ?? 'state')
      this.#wait(batch, touched, item, input, why)
      receipt('deferred')
    } else {
      const code = outcome.code ?? (fate === 'unknown' ? 'UNKNOWN_INSTANCE' : 'HANDLER_FAILED')
      const message = outcome.message ?? `there is no ${target.machine} "${target.id}"`
      ledger.dead(batch, { target, partition, input, code, message, delivery: item.delivery })
      receipt('dead', code)
    }
  }

  /** Puts an input among those that wait. Its time runs only where it waits for a state or for its instance. */
  #wait(batch: Batch, touched: Touched, item: Item, input: Waiting['input'], why: Waiting['why']): void {
    const keepMs = input.kind === 'message' ? input.keepMs : null
    const runs = why === 'state' || why === 'instance'
    const untilKept = runs && keepMs !== null ? batch.now + keepMs : null
    const until = why === 'build' ? batch.now + LIMITS.buildAgainMs : untilKept
    const kept = stored(input)
    const waiting: Waiting = {
      n: this.#ports.placeOfWaiting(),
      why,
      until,
      leftMs: runs ? null : keepMs,
      size: JSON.stringify(kept).length,
      input: kept,
    }
    const { instance, target, partition } = touched
    const delivery = item.delivery === undefined ? {} : { delivery: withoutDead(item.delivery) }
    const row: WaitingRow = { k: instance?.k ?? null, target, partition, waiting, ...delivery }
    touched.rows = new Map(touched.rows).set(waiting.n, row)
    touched.waiting = [...touched.waiting, waiting]
    batch.bytes += waiting.size
    if (input.kind === 'message') batch.tally.add(messageCount('waiting'))
    if (instance !== null && until !== null && (instance.dueAt === null || until < instance.dueAt))
      touched.instance = { ...instance, dueAt: until }
  }

  #start(batch: Batch, touched: Touched, item: Item, input: Extract<Input, { kind: 'start' }>, outcome: Outcome): void {
    const { fate, code, message } = outcome
    const { machine, id } = touched.target
    const refused = fate === 'dead' || fate === 'conflict'
    this.#ports.ledger.receipt(batch, instanceTarget(touched.target), item, {
      outcome: refused ? 'dead' : 'applied',
      ...(code !== undefined && { why: code }),
    })
    if (input.parent === undefined || (fate !== 'taken' && fate !== 'dead' && fate !== 'build')) return
    const problem =
      fate === 'taken'
        ? { code: 'CHILD_TAKEN', message: `${machine} "${id}" is there already, and is no child of this instance` }
        : { code: 'CHILD_REFUSED', message: message ?? `no worker knows the machine ${machine}` }
    this.#tellProblem(batch, item, input, problem)
  }

  /** Tells a parent, if it was one, that the child which it has started will never be there. */
  #tellProblem(
    batch: Batch,
    item: Item,
    { id: start, parent, correlation, stamp }: Extract<Input, { kind: 'start' }>,
    problem: NonNullable<NoticeInput['problem']>,
  ): void {
    if (parent === undefined) return
    const { machine, id } = item.target
    const child: ChildRecord = { machine, id, incarnation: '', seq: 0, state: '', status: 'failed', data: {} }
    const notice: NoticeInput = {
      kind: 'notice',
      id: `${start}-problem`,
      at: batch.now,
      correlation,
      stamp,
      child,
      parent: parent.incarnation,
      problem,
    }
    this.#ports.router.send(batch, item, parent, notice)
  }

  /** A cancel may wait for a call; what it or an operator's action came to is told to callers at other workers too. */
  #order(
    batch: Batch,
    touched: Touched,
    item: Item,
    input: Extract<Input, { kind: 'cancel' | 'operator' }>,
    outcome: Outcome,
  ): void {
    const { fate, why, code, instance } = outcome
    if (input.kind === 'cancel' && fate === 'deferred')
      this.#wait(batch, touched, item, input, outcome.waitsFor ?? 'call')
    const said = why ?? code ?? (fate === 'unknown' ? 'UNKNOWN_INSTANCE' : undefined)
    const told = fate === 'applied' || fate === 'ignored' || fate === 'refused' || fate === 'deferred' ? fate : 'dead'
    const at = { ...(instance !== null && { state: instance.state, seq: instance.seq }) }
    this.#ports.ledger.receipt(batch, instanceTarget(touched.target), item, {
      outcome: told,
      ...at,
      ...(said !== undefined && { why: said }),
    })
  }

  /** Tells the parents of what this batch has changed, once for each child. True: there was somebody to tell. */
  tellParents(batch: Batch): boolean {
    let told = false
    for (const touched of batch.touched.values()) {
      const { instance } = touched
      if (!touched.tells || instance === null || instance.parent === null) continue
      touched.tells = false
      told = true
      const { machine, id, incarnation, seq, state, data, parent, correlation } = instance
      const child: ChildRecord = { machine, id, incarnation, seq, state, status: conditionOf(instance), data }
      const stamp = Math.max(touched.stamp, instance.stamp)
      const notice: NoticeInput = {
        kind: 'notice',
        id: `${incarnation}-${seq}`,
        at: batch.now,
        correlation,
        stamp,
        child,
        parent: parent.incarnation,
      }
      const { box, target, partition } = touched
      this.#ports.router.send(
        batch,
        { box, target, partition, input: notice, counted: true, hops: 0, since: 0 },
        parent,
        notice,
      )
    }
    return told
  }

  /** True: the dead letter that this would redrive or discard is gone, and so nothing happens but that its operator is told. */
  gone(batch: Batch, item: Item): boolean {
    const letter = item.delivery?.deadLetter
    if (letter === undefined || !batch.gone.has(letter)) return false
    this.#ports.ledger.leaveInbox(batch, item)
    const { reply } = item
    const message = `the dead letter "${letter}" is gone: somebody else has redriven or discarded it`
    if (reply !== undefined)
      batch.after.push(() => reply({ fate: 'bad', code: 'UNKNOWN_DEAD_LETTER', message, entries: [] }))
    return true
  }

  /** Its instance was erased: a late message does not start it again. Whoever waits for an answer gets one. */
  removed(batch: Batch, item: Item): void {
    const { ledger } = this.#ports
    const { input, reply } = item
    const receipt = (outcome: 'dead' | 'unclaimed', why?: string): void =>
      ledger.receipt(batch, instanceTarget(item.target), item, { outcome, ...(why !== undefined && { why }) })
    ledger.leaveInbox(batch, item)
    if (input.kind === 'message') this.#late(batch, item, input, receipt)
    else if (input.kind === 'start') {
      receipt('dead', 'INSTANCE_REMOVED')
      const { machine, id } = item.target
      const message = `${machine} "${id}" was erased, and its id rests as long as receipts are kept`
      this.#tellProblem(batch, item, input, { code: 'CHILD_REMOVED', message })
    } else if (input.kind === 'cancel' || input.kind === 'operator') receipt('dead', 'UNKNOWN_INSTANCE')
    if (reply !== undefined) batch.after.push(() => reply({ fate: 'removed', entries: [] }))
  }

  /** An event for who was erased is nobody's; a command is an error to its sender, and where nobody waits a dead letter. */
  #late(
    batch: Batch,
    item: Item,
    input: MessageInput,
    receipt: (outcome: 'dead' | 'unclaimed', why?: string) => void,
  ): void {
    const { ledger } = this.#ports
    const { target, partition, delivery } = item
    if (delivery?.deadLetter !== undefined) ledger.undead(batch, delivery.deadLetter, input)
    const heard = item.reply !== undefined && item.storedOnly !== true
    if (input.command && heard && !item.counted) return
    if (!item.counted) ledger.accept(batch)
    if (input.command) {
      const message = `${target.machine} "${target.id}" was erased`
      ledger.dead(batch, { target, partition, input, code: 'UNKNOWN_INSTANCE', message, delivery })
      receipt('dead', 'UNKNOWN_INSTANCE')
    } else {
      ledger.unclaimed(batch)
      receipt('unclaimed')
    }
  }

  /** A message that came a second time: nothing of it is accepted. */
  duplicate(batch: Batch, item: Item, told: Told): void {
    const { ledger } = this.#ports
    ledger.leaveInbox(batch, item)
    if (item.counted && isUnit(item.input)) ledger.accept(batch, -1)
    const { reply } = item
    if (reply !== undefined) batch.after.push(() => reply(told))
  }
}
