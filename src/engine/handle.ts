// One instance, as callers hold it.
import { durationMs } from '../base/duration.ts'
import { errorText, PawlError } from '../base/errors.ts'
import { conditionOf } from '../core/counts.ts'
import { hasEnded, type Instance } from '../core/model.ts'
import type { MachineDefinition } from '../machine/definition.ts'
import type { Handle, JournalRow, Reason, Receipt, ResultOf, SendOptions, Snapshot } from '../machine/types-app.ts'
import type { Duration } from '../base/duration.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import type { JournalRead, Target } from '../store/store.ts'
import type { Client } from './client.ts'
import { checkLimit, checkOptions } from './options.ts'
import { receiptOf, snapshotOf } from './receipt.ts'
import type { Sender } from './send.ts'

const PAGE = 200

function rowOf(row: JournalRead): JournalRow {
  const { seq, at, cause, from, to, outcome, changed, removed, emitted, by, why } = row
  const gone = Object.fromEntries(removed.map((field) => [field, undefined]))
  return {
    seq,
    at: new Date(at),
    from,
    to,
    outcome,
    changed: { ...changed, ...gone },
    emitted,
    cause: { ...cause, at: new Date(cause.at) },
    ...(by !== undefined && { by }),
    ...(why !== undefined && { why }),
  }
}

function endedError(instance: Instance): PawlError {
  return new PawlError(
    'INSTANCE_ENDED',
    `${instance.machine} "${instance.id}" ended ${instance.status} in "${instance.state}"`,
    { details: { state: instance.state, status: instance.status } },
  )
}

/** What came of an instance that is done; a saga's own function makes it: HANDLER_FAILED where that throws. */
export function outputOf({ output }: MachineDefinition, { machine, id, data }: Instance): unknown {
  try {
    return output(id, data)
  } catch (cause) {
    throw new PawlError('HANDLER_FAILED', `${machine} "${id}" is done, and its output: ${errorText(cause)}`, { cause })
  }
}

/** A handle reads nothing until it is asked. */
export class InstanceHandle<M extends AnyMachine> implements Handle<M> {
  readonly id: string
  readonly #client: Client
  readonly #sender: Sender
  readonly #definition: MachineDefinition
  readonly #target: Target

  constructor(client: Client, sender: Sender, definition: MachineDefinition, id: string) {
    this.id = id
    this.#client = client
    this.#sender = sender
    this.#definition = definition
    this.#target = { machine: definition.name, id }
  }

  async state(): Promise<Snapshot<M>> {
    return snapshotOf<M>(await this.#client.instance(this.#target))
  }

  async *history(o: { after?: number; limit?: number } = {}): AsyncIterable<JournalRow> {
    checkOptions(o, 'history')
    if (o.limit !== 0) checkLimit(o.limit ?? PAGE, Number.MAX_SAFE_INTEGER)
    const { k } = await this.#client.instance(this.#target)
    let after = o.after ?? 0
    for (let left = o.limit ?? Infinity; left > 0;) {
      const page = await this.#client.engine.store.journal(k, after, Math.min(PAGE, left))
      for (const row of page) yield rowOf(row)
      const last = page.at(-1)
      if (last === undefined || page.length < Math.min(PAGE, left)) return
      after = last.seq
      left -= page.length
    }
  }

  send(message: M['~takes'], o?: SendOptions): Promise<Receipt<M['~states']>> {
    return this.#sender.send(this.#definition, this.id, message, o)
  }

  async reaches(state: M['~states'] | readonly M['~states'][], o: { within?: Duration } = {}): Promise<Snapshot<M>> {
    checkOptions(o, 'reaches')
    const wanted = new Set<string>(typeof state === 'string' ? [state] : (state as readonly string[]))
    checkStates(this.#definition, wanted)
    const look = (instance: Instance, passed: readonly string[]): Snapshot<M> | undefined => {
      if (wanted.has(instance.state) || passed.some((name) => wanted.has(name))) return snapshotOf<M>(instance)
      if (hasEnded(instance.status)) throw endedError(instance)
      return undefined
    }
    return this.#client.watch(this.#target, look, withinMs(o))
  }

  async result(o: { within?: Duration; rejectOnStall?: boolean } = {}): Promise<ResultOf<M>> {
    checkOptions(o, 'result')
    const look = (instance: Instance): { readonly output: unknown } | undefined => {
      const condition = conditionOf(instance)
      if (condition === 'done') return { output: outputOf(this.#definition, instance) }
      if (condition === 'failed' || condition === 'cancelled') throw endedError(instance)
      if (condition === 'stalled' && o.rejectOnStall === true)
        throw new PawlError(
          'INSTANCE_STALLED',
          `${instance.machine} "${instance.id}" waits for an operator: ${instance.stalled?.code ?? ''}, ${instance.stalled?.message ?? ''}`,
          { details: { code: instance.stalled?.code } },
        )
      return undefined
    }
    return (await this.#client.watch(this.#target, look, withinMs(o))).output as ResultOf<M>
  }

  async cancel(o: Reason): Promise<Receipt<M['~states']>> {
    const id = this.#client.newId()
    const told = await this.#client.submit(this.#target, {
      kind: 'cancel',
      ...this.#client.base(id, o.by),
      why: reasonOf(o, 'cancel'),
    })
    return receiptOf(this.#target, id, told)
  }
}

/** UNKNOWN_STATE for a name that no state of the machine has. */
export function checkStates(definition: MachineDefinition, names: Iterable<string>): void {
  for (const name of names)
    if (!definition.states.has(name))
      throw new PawlError(
        'UNKNOWN_STATE',
        `${definition.name} has no state "${name}"; there are: ${[...definition.states.keys()].join(', ')}`,
      )
}

const withinMs = (o: { within?: Duration }): number | undefined =>
  o.within === undefined ? undefined : durationMs(o.within)

/** Operators and cancels say why. */
export function reasonOf(o: { readonly why?: unknown } | undefined, call: Parameters<typeof checkOptions>[1]): string {
  if (o !== undefined) checkOptions(o, call)
  if (typeof o?.why !== 'string' || o.why.trim() === '')
    throw new PawlError('NO_REASON', 'say why: `{ why: … }` goes into the journal')
  return o.why
}
