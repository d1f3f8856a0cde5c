// What callers are told, made of what the engine knows.
import { isPawlError, PawlError } from '../base/errors.ts'
import { conditionOf } from '../core/counts.ts'
import type { Instance } from '../core/model.ts'
import type { Emission, Receipt, Snapshot } from '../machine/types-app.ts'
import type { AnyMachine } from '../machine/types-machine.ts'
import type { Target } from '../store/store.ts'
import { unknownInstance } from './client.ts'
import type { Told } from './reply.ts'

const emittedOf = (told: Told): readonly { readonly type: string; readonly data: unknown }[] =>
  told.entries.flatMap((entry) => entry.emitted.map(({ message, data }) => ({ type: message.type, data })))

/** Throws what a message came to, where that is no receipt. */
function refuse(target: Target, messageId: string, told: Told): void {
  const { fate, code = 'HANDLER_FAILED', message = 'it could not be applied' } = told
  if (fate === 'dead' || fate === 'bad') throw new PawlError(code, message, { messageId })
  if (fate === 'unknown' || fate === 'removed') throw unknownInstance(target, messageId)
  if (fate === 'gone')
    throw new PawlError(
      'STOPPED',
      `this worker stopped before it looked at the message; send it again under the same id`,
      { messageId },
    )
  if (fate === 'reused')
    throw new PawlError(
      'MESSAGE_ID_REUSED',
      `the id "${messageId}" was used for another message to the same target: one id, one message`,
      { messageId },
    )
  if (fate === 'build')
    throw new PawlError('NEWER_BUILD', `${target.machine} "${target.id}" is of a newer build than this worker`, {
      messageId,
    })
}

/** The receipt of a message at one instance. */
export function receiptOf<S>(target: Target, messageId: string, told: Told): Receipt<S> {
  const { fate, state, seq } = told
  if (fate === 'deferred' || fate === 'absent' || (fate === 'build' && told.k === undefined)) {
    return state === undefined || seq === undefined
      ? { outcome: 'deferred', messageId }
      : { outcome: 'deferred', messageId, state: state as S, seq, emitted: [] }
  }
  refuse(target, messageId, told)
  if (fate === 'duplicate') return duplicateOf<S>(messageId, told)
  if (fate === 'lost' || state === undefined || seq === undefined) return { outcome: 'stored', messageId }
  const seen = { messageId, state: state as S, seq, emitted: emittedOf(told) }
  if (fate === 'refused') return { outcome: 'refused', why: told.why ?? 'if', ...seen }
  return { outcome: fate === 'ignored' ? 'ignored' : 'applied', ...seen }
}

function duplicateOf<S>(messageId: string, { receipt }: Told): Receipt<S> {
  const became = receipt?.outcome ?? 'stored'
  const said = {
    outcome: 'duplicate',
    messageId,
    became,
    ...(receipt?.why !== undefined && { why: receipt.why }),
  } as const
  if (receipt?.state === undefined || receipt.seq === undefined) return said
  return { ...said, state: receipt.state as S, seq: receipt.seq, emitted: [] }
}

/** What became of an event at all who hear it. */
export function emissionOf(messageId: string, told: Told): Emission {
  refuse({ machine: '', id: '' }, messageId, told)
  if (told.fate === 'duplicate') return { messageId, outcome: 'duplicate', heard: [] }
  if (told.fate !== 'event') return { messageId, outcome: 'stored', heard: [] }
  const heard = (told.heard ?? []).flatMap(({ machine, id, told: at }) => {
    if (at.fate === 'absent' || at.fate === 'lost' || at.fate === 'build' || at.fate === 'removed') return []
    return [{ machine, id, ...receiptOf<string>({ machine, id }, messageId, at) }]
  })
  return { messageId, outcome: 'applied', heard }
}

/** An instance as callers see it. */
export function snapshotOf<M extends AnyMachine>(instance: Instance): Snapshot<M> {
  const { id, state, data, seq, stalled } = instance
  return {
    id,
    state,
    data: data as M['~data'],
    seq,
    status: conditionOf(instance),
    ...(stalled !== null && { stalled: { code: stalled.code, message: stalled.message } }),
  }
}

/** The code of whatever was thrown. */
export const codeOf = (error: unknown): string => (isPawlError(error) ? error.code : 'ERROR')
