// Messages that a transition emits: made by user code, checked, and addressed.
import { errorText } from '../base/errors.ts'
import { checkId } from '../base/id.ts'
import type { EmitDefinition, Given, MessageDefinition } from '../machine/definition.ts'
import { ask, fitted, HandlerFailure } from './failure.ts'
import type { Emitted } from './model.ts'

const none: readonly never[] = []

function addressOf(message: MessageDefinition, data: unknown): string {
  if (message.key === undefined)
    throw new HandlerFailure('HANDLER_FAILED', `emit "${message.type}": it has no \`key\` that says for whom it is`)
  const key = ask(`emit "${message.type}", key`, message.key, data)
  try {
    return checkId(key, `the key of "${message.type}"`)
  } catch (error) {
    throw new HandlerFailure('HANDLER_FAILED', errorText(error))
  }
}

/** Makes the messages of an `emit`, each checked against its schema. */
export function emitted(emits: readonly EmitDefinition[], given: Given): readonly Emitted[] {
  if (emits.length === 0) return none
  const all: Emitted[] = []
  for (const { message, give } of emits) {
    const given_ = ask(`emit "${message.type}"`, give, given)
    const payloads: readonly unknown[] = given_ === null ? none : Array.isArray(given_) ? given_ : [given_]
    for (const payload of payloads) {
      const data = fitted(message.schema, payload, `emit "${message.type}": the payload`)
      all.push({ message, data, key: addressOf(message, data) })
    }
  }
  return all
}
