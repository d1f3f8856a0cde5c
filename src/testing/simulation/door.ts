// The public API of a worker, as a client uses it: it gets answers at once, and each answer must be true (told only of what is durable).
import { isPawlError } from '../../base/errors.ts'
import { definitionOf } from '../../machine/definition.ts'
import type { App, Receipt } from '../../machine/types-app.ts'
import type { AnyMachine } from '../../machine/types-machine.ts'
import type { Message } from '../../machine/types-message.ts'
import type { Target } from '../../store/store.ts'
import type { Coverage } from './coverage.ts'
import type { Truth } from './truth.ts'
import { messageType } from './wish.ts'
import type { Ending, Wish } from './wish.ts'

/** What a door needs. */
export interface DoorOptions {
  readonly app: App
  readonly machines: readonly AnyMachine[]
  readonly truth: Truth
  readonly coverage: Coverage
}

/** Errors that say that the message was looked at, and came to nothing. */
const REFUSALS: ReadonlySet<string> = new Set([
  'UNKNOWN_INSTANCE',
  'INSTANCE_REMOVED',
  'BAD_DATA',
  'HANDLER_FAILED',
  'UNKNOWN_DEAD_LETTER',
  'NO_DEAD_LETTER',
  'NO_TARGET',
  'STORE_REFUSED',
  'NO_SUCH_EDGE',
  'NO_SUCH_CALL',
  'NO_SUCH_FAILURE',
  'NO_SUCH_STATE',
  'CALL_OPEN',
  'INSTANCE_NOT_ENDED',
])

/** One worker's door. */
export class Door {
  readonly #o: DoorOptions
  readonly #machines: ReadonlyMap<string, AnyMachine>

  constructor(o: DoorOptions) {
    this.#o = o
    this.#machines = new Map(o.machines.map((machine) => [definitionOf(machine).name, machine]))
  }

  /** Undefined: nothing is known, ask again. */
  async ask(id: string, wish: Wish): Promise<Ending | undefined> {
    try {
      return await this.#ask(id, wish)
    } catch (error) {
      const code = isPawlError(error) ? error.code : undefined
      if (code === 'MESSAGE_ID_REUSED' || code === 'ALREADY_STARTED_WITH_OTHER_INPUT')
        this.#o.truth.wrong(`${wish.do} ${id} came twice with the same content, and was told ${code}`)
      if (code === undefined) this.#o.truth.wrong(`${wish.do} ${id} met ${String(error)}`)
      return code !== undefined && REFUSALS.has(code) ? 'dead' : undefined
    }
  }

  #ask(id: string, wish: Wish): Promise<Ending | undefined> {
    switch (wish.do) {
      case 'start':
        return this.#start(wish.target, wish.data)
      case 'command':
        return this.#send(id, wish)
      case 'event':
        return this.#emit(id, wish)
      case 'cancel':
        return this.#cancel(wish.target)
      case 'operate':
        return this.#operate(wish)
      case 'redrive':
        return this.#redrive(wish)
      case 'discard':
        return this.#discard(wish.letter)
      case 'remove':
        return this.#remove(wish.target)
      case 'await':
        return this.#await(wish.target)
    }
  }

  #machine({ machine }: Target): AnyMachine {
    return this.#machines.get(machine)!
  }

  async #start(target: Target, data: unknown): Promise<Ending> {
    await this.#o.app.run(this.#machine(target), { id: target.id, data: data as never })
    this.#o.truth.started(target)
    return 'applied'
  }

  async #send(
    id: string,
    { target, message, data, ifSeq }: Extract<Wish, { do: 'command' }>,
  ): Promise<Ending | undefined> {
    const sent = { type: messageType(message), data } as Message
    const receipt = await this.#o.app.send(this.#machine(target), target.id, sent as never, {
      id,
      ...(ifSeq !== undefined && { ifSeq }),
    })
    if (ifSeq !== undefined) this.#o.truth.appliedAfter(target, receipt.messageId, ifSeq)
    return this.#told(target, receipt)
  }

  async #emit(id: string, { message, data, together }: Extract<Wish, { do: 'event' }>): Promise<Ending | undefined> {
    const sent = { type: messageType(message), data } as Message
    if (together === true) return await this.#together(id, sent)
    const { outcome, heard } = await this.#o.app.emit(sent, { id })
    for (const { machine, id: instance, ...receipt } of heard) this.#told({ machine, id: instance }, receipt as Receipt)
    return outcome === 'stored' ? undefined : 'applied'
  }

  /** What a receipt says, once it is believed. */
  #told(target: Target, receipt: Receipt): Ending | undefined {
    if (receipt.outcome === 'duplicate') this.#o.coverage.add('fate duplicate')
    const outcome = receipt.outcome === 'duplicate' ? receipt.became : receipt.outcome
    this.#o.truth.told(target, receipt.messageId, outcome, receipt.seq)
    return outcome === 'deferred' || outcome === 'stored' ? undefined : outcome
  }

  async #cancel(target: Target): Promise<Ending> {
    return (await this.#o.app.get(this.#machine(target), target.id).cancel({ why: 'changed my mind' })).outcome ===
      'refused'
      ? 'refused'
      : 'stored'
  }

  async #operate({ target, action }: Extract<Wish, { do: 'operate' }>): Promise<Ending> {
    const { operate } = this.#o.app
    const machine = this.#machine(target)
    const { do: does, ...rest } = action as { do: 'retry' | 'resolve' | 'move' }
    const reason = { ...rest, why: 'mended', by: 'operator' }
    const receipt = await operate[does](machine, target.id, reason as never)
    return receipt.outcome === 'refused' ? 'refused' : 'stored'
  }

  async #redrive({ letter, data }: Extract<Wish, { do: 'redrive' }>): Promise<Ending> {
    const reason = { why: 'mended', by: 'operator' }
    await this.#o.app.operate.deadLetters.redrive(letter, data === undefined ? reason : { ...reason, data })
    return 'stored'
  }

  async #discard(letter: string): Promise<Ending> {
    await this.#o.app.operate.deadLetters.discard(letter, { why: 'of no use', by: 'operator' })
    return 'stored'
  }

  async #remove(target: Target): Promise<Ending> {
    await this.#o.app.remove(this.#machine(target), target.id, { why: 'asked to', by: 'operator' })
    this.#o.truth.removed(target)
    return 'stored'
  }

  /** Two messages in one transaction: both are stored, or none is. */
  async #together(id: string, message: Message): Promise<Ending> {
    await this.#o.app.transaction((tx) => {
      tx.emit(message, { id })
      tx.emit(message, { id: `${id}.too` })
    })
    return 'stored'
  }

  async #await(target: Target): Promise<Ending> {
    const handle = this.#o.app.get(this.#machine(target), target.id)
    try {
      const output: unknown = await handle.result({ within: '5 seconds' })
      this.#o.truth.ended(target, 'done', output)
      return 'applied'
    } catch (error) {
      if (!isPawlError(error)) throw error
      if (error.code === 'INSTANCE_ENDED') this.#o.truth.ended(target, 'not done')
      return 'ignored'
    }
  }
}
