// Messages that a transition emits: made by user code, checked, and addressed.
import { checkId } from '../base/id.ts'
import type { EmitDefinition, Given, MessageDefinition } from '../machine/definition.ts'
import { ask, fits, fittedOut, HandlerFailure, listed } from './failure.ts'
import type { Emitted } from './model.ts'

function addressOf(message: MessageDefinition, data: unknown): string {
  const { type, key } = message
  if (key === undefined) throw new HandlerFailure(`emit "${type}": it has no \`key\` that says for whom it is`)
  return fits(() => checkId(ask(`emit "${type}", key`, key, data), `emit "${type}", key`))
}

/** Makes the messages of an `emit`, each checked against its schema. */
export function emitted(emits: readonly EmitDefinition[], given: () => Given): readonly Emitted[] {
  if (emits.length === 0) return none
  return emits.flatMap(({ message, give }) => {
    const place = `emit "${message.type}"`
    const payload = ask(place, give, given())
    const payloads = payload === null ? none : (listed(place, payload) ?? [payload])
    return payloads.map((one) => {
      const data = fittedOut(message.schema, one, `${place}: the payload`)
      return { message, data, key: addressOf(message, data) }
    })
  })
}
const none: readonly never[] = []
