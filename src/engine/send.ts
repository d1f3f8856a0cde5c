// Sending and emitting: what a caller says is checked as far as it can be before it goes anywhere.
import { durationMs } from '../base/duration.ts'
import { errorText, PawlError } from '../base/errors.ts'
import type { MessageInput } from '../core/model.ts'
import { readPayload } from '../core/reading.ts'
import type { MachineDefinition, MessageDefinition } from '../machine/definition.ts'
import type { Emission, EmitOptions, Receipt, SendOptions } from '../machine/types-app.ts'
import type { EventLetter } from './mailbox.ts'
import { checkedData, checkedId, type Client } from './client.ts'
import { checkOptions } from './options.ts'
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
  readonly #source: string

  /** `source`: whose ids the messages bear; the same id of another source is another message. Default: those of this process. */
  constructor(client: Client, source = '') {
    this.#client = client
    this.#source = source
  }

  async send<S>(definition: MachineDefinition, id: string, message: unknown, o: SendOptions = {}): Promise<Receipt<S>> {
    checkOptions(o, 'send')
    refuseSql(o)
    const target = { machine: definition.name, id: checkedId(id, `the id of a ${definition.name}`) }
    const messageId = o.id === undefined ? this.#client.newId() : checkedId(o.id, 'the id of a message')
    const input = messageInput(this.#client, definition, message, messageId, o)
    const delivery = this.#client.delivery(o.id, input.type, input.data, this.#source)
    const call = { ...(delivery !== undefined && { delivery }), storedOnly: o.until === 'stored' }
    const told = await this.#within(messageId, o, (safe) => this.#client.submit(target, input, { ...call, safe }))
    if (told === undefined) return { outcome: 'stored', messageId }
    return o.until === 'stored' ? stored(messageId, told) : receiptOf(target, messageId, told)
  }

  async emit(message: unknown, o: EmitOptions = {}): Promise<Emission> {
    checkOptions(o, 'emit')
    refuseSql(o)
    const messageId = o.id === undefined ? this.#client.newId() : checkedId(o.id, 'the id of a message')
    const letter = eventLetter(this.#client, message, messageId, o.by)
    const delivery = this.#client.delivery(o.id, letter.type, letter.data, this.#source)
    const call = { ...(delivery !== undefined && { delivery }), storedOnly: o.until === 'stored' }
    const target = { machine: '', id: letter.key }
    const told = await this.#within(messageId, o, (safe) => this.#client.submit(target, letter, { ...call, safe }))
    if (told === undefined) return { messageId, outcome: 'stored', heard: [] }
    if (o.until !== 'stored' || told.fate === 'duplicate' || told.fate === 'reused' || told.fate === 'gone')
      return emissionOf(messageId, told)
    return { messageId, outcome: 'stored', heard: [] }
  }

  /** Undefined: the time is over, and the message is safe and goes its way. Where it is not known to be safe that is WITHIN_ELAPSED. */
  async #within(
    messageId: string,
    o: EmitOptions,
    work: (safe: () => void) => Promise<Told>,
  ): Promise<Told | undefined> {
    const ms = o.within === undefined ? WITHIN_MS : durationMs(o.within)
    const { wheel } = this.#client.engine
    let alarm: ReturnType<typeof wheel.set> | undefined
    let safe = false
    const going = work(() => (safe = true))
    going.catch(() => undefined) // where the time is over first nobody else would hear it
    const late = new Promise<undefined>((resolve) => (alarm = wheel.set(ms, () => resolve(undefined))))
    try {
      const told = await Promise.race([going, late])
      if (told === undefined && !safe) throw unsafe(messageId, ms, o.id !== undefined)
      return told
    } finally {
      wheel.cancel(alarm)
    }
  }
}

/** Only memory has it: were this process to end now, it would be gone. Under an id of the sender's own it is applied once, however often it is sent. */
function unsafe(messageId: string, ms: number, ownId: boolean): PawlError {
  const advice = ownId
    ? 'send it again under the same id'
    : 'it may still be applied; give messages an `id` of your own, so that they can be sent again'
  return new PawlError('WITHIN_ELAPSED', `the message is not known to be safe after ${ms} ms: ${advice}`, { messageId })
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
