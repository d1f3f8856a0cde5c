// Reading a message: an older payload is made into the present one, and checked against the present schema.
import type { MachineDefinition, MessageDefinition } from '../machine/definition.ts'
import { ask, check, HandlerFailure } from './failure.ts'
import type { MessageInput } from './model.ts'

/** A message that can be looked at; one of a newer build; one that does not fit. */
export type Readable =
  | { readonly kind: 'read'; readonly input: MessageInput }
  | { readonly kind: 'build' }
  | { readonly kind: 'bad'; readonly problem: string }

/** Reads a payload of that version. */
export function readPayload(
  message: MessageDefinition,
  version: number,
  data: unknown,
): { readonly value: unknown } | { readonly problem: string } {
  if (version === message.version) return check(message.schema, data, `"${message.type}"`)
  const upcast = message.upcast.get(version)
  if (upcast === undefined) return { problem: `"${message.type}" has no \`upcast\` from version ${version}` }
  try {
    return check(
      message.schema,
      ask(`upcast ${version} of "${message.type}"`, upcast, data),
      `"${message.type}" (upcast from version ${version})`,
    )
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    return { problem: error.message }
  }
}

/** Reads a message for a machine. A type that it does not receive belongs to another build. */
export function decideAbout(definition: MachineDefinition, input: MessageInput): Readable {
  const message = definition.receives.get(input.type)
  if (message === undefined || input.version > message.version) return { kind: 'build' }
  if (input.checked === message) return { kind: 'read', input } // a hop within this process needs no second look
  const read = readPayload(message, input.version, input.data)
  if ('problem' in read) return { kind: 'bad', problem: read.problem }
  return { kind: 'read', input: { ...input, data: read.value, version: message.version } }
}
