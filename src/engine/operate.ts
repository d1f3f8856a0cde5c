// What operators do: retry, resolve, move, cancel, and what becomes of dead letters. Each says who and why.
import { PawlError } from '../base/errors.ts'
import { carriedMessages, messageCount } from '../core/counts.ts'
import type { MessageInput, OperatorInput } from '../core/model.ts'
import { definitionOf } from '../machine/definition.ts'
import type { Bulk, DeadLetter, Operate, Page, Reason, Receipt, Settled, Which } from '../machine/types-app.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import { NO_CHANGE, type DeadLetterRow, type Target } from '../store/store.ts'
import { checkedData, checkedId, type Client } from './client.ts'
import { checkStates, reasonOf } from './handle.ts'
import { checkLimit, checkOptions, checkSettled } from './options.ts'
import { codeOf, receiptOf } from './receipt.ts'
import { correlateAgain } from './redrive.ts'

type Action = OperatorInput['action']
const LIMIT = 1_000
const PAGE = 200
const LETTERS = 100

const resolveAction = (o: { call?: string } & Settled): Extract<Action, { readonly do: 'resolve' }> => {
  checkSettled(o)
  const call = o.call === undefined ? {} : { call: o.call }
  return o.failure === undefined
    ? { do: 'resolve', ...call, result: checkedData(o.result, 'the result') }
    : { do: 'resolve', ...call, failure: o.failure }
}

function letterOf(row: DeadLetterRow): DeadLetter {
  const { id, machine, instance, at, code, message, input } = row
  return {
    id,
    machine,
    at: new Date(at),
    error: { code, message },
    message: { type: input.kind === 'message' ? input.type : 'start', data: input.data },
    ...(instance !== '' && { instance }),
  }
}

/** The operators' side of an app. */
export class Operator implements Operate {
  readonly #client: Client
  readonly deadLetters: Operate['deadLetters']

  constructor(client: Client) {
    this.#client = client
    this.deadLetters = {
      list: (o) => this.#list(o),
      redrive: (id, o) => this.#redrive(id, o),
      discard: (id, o) => this.#discard(id, o),
    }
  }

  async retry<M extends AnyMachine>(
    machine: M,
    id: string,
    o: Reason & { newKey?: boolean },
  ): Promise<Receipt<M['~states']>> {
    checkOptions(o, 'retry')
    return this.#do(machine, id, o, { do: 'retry', newKey: o.newKey ?? false })
  }

  async resolve<M extends AnyMachine>(
    machine: M,
    id: string,
    o: Reason & { call?: string } & Settled,
  ): Promise<Receipt<M['~states']>> {
    checkOptions(o, 'resolve')
    return this.#do(machine, id, o, resolveAction(o))
  }

  async move<M extends AnyMachine>(
    machine: M,
    id: string,
    o: Reason & { to: M['~states']; payload?: unknown; data?: Partial<M['~data']> },
  ): Promise<Receipt<M['~states']>> {
    checkOptions(o, 'move')
    const data =
      o.data === undefined
        ? {}
        : { data: checkedData(o.data, 'the corrected data') as Readonly<Record<string, unknown>> }
    return this.#do(machine, id, o, {
      do: 'move',
      to: o.to as string,
      ...(o.payload !== undefined && { payload: checkedData(o.payload, 'the payload') }),
      ...data,
    })
  }

  async each<M extends AnyMachine>(
    machine: M,
    which: Which<M>,
    action: Reason &
      ({ do: 'retry'; newKey?: boolean } | ({ do: 'resolve'; call?: string } & Settled) | { do: 'cancel' }),
  ): Promise<Bulk> {
    checkOptions(which, 'each, which')
    reasonOf(action, 'each, what to do')
    if (!['retry', 'resolve', 'cancel'].includes(action.do))
      throw new PawlError('BAD_OPTION', `do: ${String(action.do)}: write 'retry', 'resolve' or 'cancel'`)
    checkLimit(which.limit ?? LIMIT, Number.MAX_SAFE_INTEGER)
    const ids = await this.#matching(machine, which, action.do)
    if (which.dryRun === true) return { matched: ids.length, done: 0, failed: [] }
    const failed: { id: string; code: string }[] = []
    for (const id of ids) {
      try {
        const receipt = await this.#one(machine, id, action)
        if (receipt.outcome === 'refused') failed.push({ id, code: receipt.why })
      } catch (error) {
        failed.push({ id, code: codeOf(error) })
      }
    }
    return { matched: ids.length, done: ids.length - failed.length, failed }
  }

  #one<M extends AnyMachine>(
    machine: M,
    id: string,
    action: Reason &
      ({ do: 'retry'; newKey?: boolean } | ({ do: 'resolve'; call?: string } & Settled) | { do: 'cancel' }),
  ): Promise<Receipt<M['~states']>> {
    const { do: _, ...o } = action
    if (action.do === 'retry') return this.retry(machine, id, o)
    if (action.do === 'resolve') return this.#do(machine, id, o, resolveAction(action))
    return this.cancel(machine, id, { why: action.why, ...(action.by !== undefined && { by: action.by }) })
  }

  /** Takes the machine's cancel edge. */
  async cancel<M extends AnyMachine>(machine: M, id: string, o: Reason): Promise<Receipt<M['~states']>> {
    const target = this.#target(machine, id)
    const messageId = this.#client.newId()
    return receiptOf(
      target,
      messageId,
      await this.#client.submit(target, {
        kind: 'cancel',
        ...this.#client.base(messageId, o.by),
        why: reasonOf(o, 'cancel'),
      }),
    )
  }

  /** Those that the action can mean, oldest first. */
  async #matching<M extends AnyMachine>(
    machine: M,
    which: Which<M>,
    action: 'retry' | 'resolve' | 'cancel',
  ): Promise<readonly string[]> {
    const definition = this.#client.machine(definitionOf(machine).name)
    const states = which.state === undefined ? [] : [which.state].flat()
    checkStates(definition, states as readonly string[])
    this.#client.engine.check()
    const stalled = action !== 'cancel' || which.status !== undefined || which.code !== undefined
    const found = new Map<number, string>()
    // What comes to wait, or to run, while the lists are read is in one of them.
    for (const status of stalled ? (['stalled'] as const) : (['waiting', 'running', 'stalled', 'waiting'] as const))
      for (const [k, id] of await this.#listed(definition.name, which, status)) found.set(k, id)
    const oldest = [...found].sort(([a], [b]) => a - b)
    return oldest.slice(0, which.limit ?? LIMIT).map(([, id]) => id)
  }

  async #listed<M extends AnyMachine>(
    machine: string,
    which: Which<M>,
    status: 'running' | 'waiting' | 'stalled',
  ): Promise<readonly (readonly [k: number, id: string])[]> {
    const found: (readonly [number, string])[] = []
    const limit = which.limit ?? LIMIT
    for (let after: string | undefined; found.length < limit;) {
      const page = await this.#client.engine.store.list({
        machine,
        status,
        limit: Math.min(PAGE, limit - found.length),
        ...(which.state !== undefined && { state: which.state as string | readonly string[] }),
        ...(which.code !== undefined && { stallCode: which.code }),
        ...(after !== undefined && { after }),
      })
      found.push(...page.items.map(({ k, id }) => [k, id] as const))
      after = page.next
      if (after === undefined) break
    }
    return found
  }

  #target(machine: AnyMachine, id: string): Target {
    const { name } = this.#client.machine(definitionOf(machine).name)
    return { machine: name, id: checkedId(id, `the id of a ${name}`) }
  }

  async #do<M extends AnyMachine>(
    machine: M,
    id: string,
    o: Reason,
    action: Exclude<Action, { readonly do: 'discard' }>,
  ): Promise<Receipt<M['~states']>> {
    const target = this.#target(machine, id)
    const messageId = this.#client.newId()
    const told = await this.#client.submit(target, {
      kind: 'operator',
      ...this.#client.base(messageId, o.by),
      why: reasonOf(o, action.do),
      action,
    })
    return receiptOf(target, messageId, told)
  }

  async #list(o: { machine?: string; limit?: number; after?: string } = {}): Promise<Page<DeadLetter>> {
    checkOptions(o, 'deadLetters.list')
    checkLimit(o.limit ?? LETTERS, 10_000)
    this.#client.engine.check()
    const page = await this.#client.engine.store.deadLetters({
      limit: o.limit ?? LETTERS,
      ...(o.machine !== undefined && { machine: o.machine }),
      ...(o.after !== undefined && { after: o.after }),
    })
    return { items: page.items.map(letterOf), ...(page.next !== undefined && { next: page.next }) }
  }

  async #letter(id: string): Promise<DeadLetterRow> {
    this.#client.engine.check()
    const row = await this.#client.engine.store.deadLetter(id)
    if (row === null)
      throw new PawlError(
        'UNKNOWN_DEAD_LETTER',
        `there is no dead letter "${id}": it was redriven or discarded already, or its time was over`,
      )
    return row
  }

  /** Sends it again, past the receipts that know it; two operators at once: one of them is told that it is gone. */
  async #redrive(id: string, o: Reason & { data?: unknown }): Promise<Receipt> {
    const why = reasonOf(o, 'redrive')
    const row = await this.#letter(id)
    const { input } = row
    if (input.kind === 'message' && row.machine !== '' && row.instance === '') return this.#correlate(row, input, o)
    if (input.kind !== 'message' || row.machine === '')
      throw new PawlError('NO_TARGET', `the dead letter "${id}" has no instance that it was for: emit the message anew`)
    const target = { machine: row.machine, id: row.instance }
    const data = o.data === undefined ? input.data : checkedData(o.data, 'the payload')
    const version =
      o.data === undefined
        ? input.version
        : (this.#client.engine.registry.message(input.type)?.version ?? input.version)
    const by = o.by === undefined ? {} : { by: o.by }
    const told = await this.#client.submit(
      target,
      { ...input, data, version, ...by, why },
      { delivery: { ...row.delivery, deadLetter: id } },
    )
    this.#redriven(row, o)
    return receiptOf<string>(target, input.id, told)
  }

  /** Its machine could not say whom it was for: it is asked again. */
  async #correlate(row: DeadLetterRow, input: MessageInput, o: Reason & { data?: unknown }): Promise<Receipt> {
    if (o.data !== undefined) checkedData(o.data, 'the payload')
    const receipt = await correlateAgain(this.#client, { ...row, input }, o)
    this.#redriven(row, o)
    return receipt
  }

  #redriven(row: DeadLetterRow, o: Reason): void {
    this.#client.engine.log({
      level: 'info',
      text: `dead letter ${row.id} was redriven${o.by === undefined ? '' : ` by ${o.by}`}: ${o.why}`,
      machine: row.machine,
      ...(row.instance !== '' && { id: row.instance }),
    })
  }

  async #discard(id: string, o: Reason): Promise<void> {
    const why = reasonOf(o, 'discard')
    const row = await this.#letter(id)
    const { engine } = this.#client
    const target = { machine: row.machine, id: row.instance }
    if (row.machine !== '' && (await engine.peek(target)) !== null) {
      const told = await this.#client.submit(
        target,
        {
          kind: 'operator',
          ...this.#client.base(this.#client.newId(), o.by),
          why,
          action: { do: 'discard', letter: id },
        },
        { delivery: { deadLetter: id } },
      )
      if (told.fate === 'bad') throw new PawlError(told.code ?? 'ERROR', told.message ?? '')
    } else await this.#drop(id)
    engine.log({
      level: 'info',
      text: `dead letter ${id} was discarded${o.by === undefined ? '' : ` by ${o.by}`}: ${why}`,
      machine: row.machine,
      id: row.instance,
    })
  }

  /** There is no instance in whose journal it could stand. */
  async #drop(id: string): Promise<void> {
    const { lane, committer } = this.#client.engine.parts
    const counts = { [messageCount('dead')]: -1, [messageCount('discarded')]: 1, [carriedMessages('discarded')]: 1 }
    const result = await lane.between(() => committer.commit({ ...NO_CHANGE, undead: [id], counts }))
    if (result.kind !== 'applied')
      throw new PawlError('UNKNOWN_DEAD_LETTER', `the dead letter "${id}" is gone: somebody else was faster`)
  }
}
