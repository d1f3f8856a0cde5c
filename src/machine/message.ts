import type { MessageDefinition } from './definition.ts'
import { define } from './definition.ts'
import type { Raw } from './place.ts'
import { Place } from './place.ts'
import type { Problem } from './problem.ts'
import { refuse } from './problem.ts'
import type { MakeCommand, MakeEvent } from './types-message.ts'

const HOUR_MS = 3_600_000
const KEYS = ['data', 'keep', 'version', 'upcast', 'key', 'to']

const readUpcast = (place: Place, version: number, raw: unknown): MessageDefinition['upcast'] => {
  const upcast = new Map<number, (old: unknown) => unknown>()
  for (const [key, value] of Object.entries(place.fields(raw, '`upcast`'))) {
    const older = Number(key)
    if (!(Number.isSafeInteger(older) && older >= 1 && older < version)) {
      place.say('not-older', `upcast ${key}: not older than version ${version}`)
    }
    const from = place.needed<(old: unknown) => unknown>(value, `upcast ${key}`)
    if (from !== undefined) upcast.set(older, from)
  }
  for (let older = 1; older < Math.min(version, 1_000); older++) {
    if (!upcast.has(older))
      place.say('upcast-gap', `version ${version} cannot read version ${older}: add upcast ${older}`)
  }
  return upcast
}

/** `key` of an event; `to` and `key` of a command, both or none. */
const readAddress = (
  place: Place,
  kind: MessageDefinition['kind'],
  raw: Raw,
): Pick<MessageDefinition, 'key' | 'to'> => {
  const key = place.callback<(data: unknown) => string>(raw['key'], '`key`')
  if (kind === 'event') {
    if (raw['to'] !== undefined)
      place.say('unknown-key', 'has `to`: an event is for whoever listens; make it a command')
    if (raw['key'] === undefined)
      place.say('bad-shape', '`key` is missing: write a function that gives the subject of the event')
    return { key, to: undefined }
  }
  if ((raw['to'] === undefined) !== (raw['key'] === undefined))
    place.say(
      'bad-shape',
      `has \`${raw['to'] === undefined ? 'key' : 'to'}\` alone: write \`to\` and \`key\`, or none of them`,
    )
  return { key, to: raw['to'] === undefined ? undefined : place.name(raw['to'], '`to`') }
}

const makeMessage = (kind: MessageDefinition['kind'], type: unknown, options: unknown): object => {
  const problems: Problem[] = []
  const place = new Place(problems, typeof type === 'string' && type !== '' ? type : kind)
  const raw = place.fields(options ?? null, `what ${kind}() is given`)
  place.keys(raw, KEYS, kind === 'event' ? 'an event' : 'a command')
  const version = place.whole(raw['version'], '`version`', 1, 1)
  const definition: MessageDefinition = {
    kind,
    type: place.name(type, `the name of the ${kind}`),
    schema: place.schema(raw['data'], '`data`'),
    version,
    keepMs: place.duration(raw['keep'], '`keep`', HOUR_MS),
    ...readAddress(place, kind, raw),
    upcast: readUpcast(place, version, raw['upcast']),
  }
  refuse(problems)
  const make = (data: unknown) => ({ type: definition.type, data })
  Object.defineProperty(make, 'name', { value: definition.type })
  return define(Object.freeze(Object.assign(make, { kind, type: definition.type })), definition)
}

/**
 * Declares an event: a fact for whoever listens. What it returns is called with the data to make a message; nothing is validated
 * until that is sent. Throws PawlError `BAD_DEFINITION` with all problems at once.
 */
export const event: MakeEvent = (type: string, o: unknown) => makeMessage('event', type, o) as never

/**
 * Declares a command: an order to one instance. What it returns is called with the data to make a message; nothing is validated
 * until that is sent. Throws PawlError `BAD_DEFINITION` with all problems at once.
 */
export const command: MakeCommand = (type: string, o: unknown) => makeMessage('command', type, o) as never
