// Sending and emitting: what a caller says is checked as far as it can be before it goes anywhere.
import { durationMs } from '../base/duration.ts'
import { errorText, PawlError } from '../base/errors.ts'
import type { MessageInput } from '../core/model.ts'
import { readPayload } from '../core/reading.ts'
import type { MachineDefinition, MessageDefinition } from '../machine/definition.ts'
import type { Emission, EmitOptions, Receipt, SendOptions } from '../machine/types-app.ts'
import type { EventLetter } from './mailbox.ts'
import { checkedData, checkedId, type Client } from './client.ts'
import { emissionOf, receiptOf } from './receipt.ts'
import type { Told } from './reply.ts'

/** How long `applied` is waited for. */
const WITHIN_MS = 5_000

/** What a caller passes as a message. */
interface Given {
  readonly type: string
  readonly data: unknown
}

function givenMessage(message: unknown): Given {
  const { type, data } = (typeof message === 'object' && message !== null ? message : {}) as Partial<Given>
  if (typeof type !== 'string')
    throw new PawlError(
      'BAD_MESSAGE',
      'this is no message: pass what an event or a command returned, such as `OrderPlaced({ … })`',
    )
  return { type, data }
}

/** A message to one instance, as an input. */
export function messageInput(
  client: Client,
  definition: MachineDefinition,
  message: unknown,
  id: string,
  o: { by?: string; ifSeq?: number } | undefined,
): MessageInput {
  const { type, data } = givenMessage(message)
  const known = definition.receives.get(type)
  if (known === undefined)
    throw new PawlError(
      'UNKNOWN_MESSAGE',
      `${definition.name} does not receive "${type}"; it receives: ${[...definition.receives.keys()].join(', ') || 'nothing'}`,
    )
  return {
    kind: 'message',
    command: known.kind === 'command',
    type,
    version: known.version,
    data: checkedData(data, `the payload of "${type}"`),
    keepMs: known.keepMs,
    ...client.base(id, o?.by),
    ...(o?.ifSeq !== undefined && { ifSeq: o.ifSeq }),
  }
}

/** An event for whoever hears it, as a letter: its payload is read here, since its key is made of that. */
export function eventLetter(client: Client, message: unknown, id: string, by: string | undefined): EventLetter {
  const { type, data } = givenMessage(message)
  const known = client.engine.registry.message(type)
  if (known === undefined) throw new PawlError('UNKNOWN_MESSAGE', `no machine of this app receives or emits "${type}"`)
  if (known.kind === 'command') throw new PawlError('BAD_MESSAGE', `"${type}" is a command: send it to one instance`)
  const read = readPayload(known, known.version, checkedData(data, `the payload of "${type}"`))
  if ('problem' in read) throw new PawlError('BAD_DATA', read.problem, { messageId: id })
  return {
    kind: 'event',
    type,
    version: known.version,
    key: keyOf(known, read.value, id),
    data: read.value,
    keepMs: known.keepMs,
    ...client.base(id, by),
  }
}

function keyOf(message: MessageDefinition, data: unknown, messageId: string): string {
  try {
    return checkedId(message.key?.(data), `the key of "${message.type}"`)
  } catch (error) {
    throw new PawlError('BAD_DATA', errorText(error), { messageId })
  }
}

/** Sends for one app. */
export class Sender {
  readonly #client: Client
  constructor(client: Client) {
    this.#client = client
  }

  async send<S>(definition: MachineDefinition, id: string, message: unknown, o: SendOptions = {}): Promise<Receipt<S>> {
    refuseSql(o)
    const target = { machine: definition.name, id: checkedId(id, `the id of a ${definition.name}`) }
    const messageId = o.id === undefined ? this.#client.newId() : checkedId(o.id, 'the id of a message')
    const input = messageInput(this.#client, definition, message, messageId, o)
    const delivery = this.#client.delivery(o.id, input.type, input.data)
    const more = delivery === undefined ? {} : { delivery }
    if (o.until === 'stored')
      return stored(messageId, await this.#client.submit(target, input, { ...more, storedOnly: true }))
    const told = await this.#within(this.#client.submit(target, input, more), o)
    return told === undefined ? { outcome: 'stored', messageId } : receiptOf(target, messageId, told)
  }

  async emit(message: unknown, o: EmitOptions = {}): Promise<Emission> {
    refuseSql(o)
    const messageId = o.id === undefined ? this.#client.newId() : checkedId(o.id, 'the id of a message')
    const letter = eventLetter(this.#client, message, messageId, o.by)
    const delivery = this.#client.delivery(o.id, letter.type, letter.data)
    const call = { ...(delivery !== undefined && { delivery }), storedOnly: o.until === 'stored' }
    const told = await this.#within(this.#client.submit({ machine: '', id: letter.key }, letter, call), o)
    if (told === undefined) return { messageId, outcome: 'stored', heard: [] }
    if (o.until !== 'stored' || told.fate === 'duplicate' || told.fate === 'reused' || told.fate === 'gone')
      return emissionOf(messageId, told)
    return { messageId, outcome: 'stored', heard: [] }
  }

  /** Undefined: the time is over, and the message goes its way. */
  async #within(work: Promise<Told>, o: EmitOptions): Promise<Told | undefined> {
    const { wheel } = this.#client.engine
    const ms = o.within === undefined ? WITHIN_MS : durationMs(o.within)
    let alarm: ReturnType<typeof wheel.set> | undefined
    const late = new Promise<undefined>((resolve) => (alarm = wheel.set(ms, () => resolve(undefined))))
    work.catch(() => undefined) // where the time is over first nobody else would hear it
    try {
      return await Promise.race([work, late])
    } finally {
      wheel.cancel(alarm)
    }
  }
}

function stored<S>(messageId: string, told: Told): Receipt<S> {
  if (told.fate === 'duplicate' || told.fate === 'reused' || told.fate === 'gone')
    return receiptOf<S>({ machine: '', id: '' }, messageId, told)
  return { outcome: 'stored', messageId }
}

function refuseSql(o: EmitOptions): void {
  if (o.sql !== undefined)
    throw new PawlError('NOT_YET', '`sql` needs a store on PostgreSQL; on the embedded store use `app.transaction`')
}
