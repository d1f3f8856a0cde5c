import type {
  ActivityBody,
  ActivityDefinition,
  MachineDefinition,
  MessageDefinition,
  ServiceDefinition,
} from './definition.ts'
import { activityOf, definitionOf, messageOf, serviceOf } from './definition.ts'

/** What the objects are that users get and pass around. */
export type Kind = 'event' | 'command' | 'activity' | 'machine' | 'contract' | 'body' | 'service'

const isKind = (value: unknown, kinds: readonly Kind[]): value is object => {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false
  return kinds.includes((value as { kind?: Kind }).kind as Kind)
}

/** What `of` says of an object of one of these kinds; undefined for what only looks like one, or not even that. */
const made = <T>(value: unknown, kinds: readonly Kind[], of: (object: unknown) => T): T | undefined => {
  if (!isKind(value, kinds)) return undefined
  try {
    return of(value)
  } catch {
    return undefined
  }
}

/** The erased activity, where `value` is one. */
export const asActivity = (value: unknown): ActivityDefinition | undefined => made(value, ['activity'], activityOf)
/** The erased event or command, where `value` is one. */
export const asMessage = (value: unknown): MessageDefinition | undefined => made(value, ['event', 'command'], messageOf)
/** The erased machine or contract, where `value` is one. */
export const asMachine = (value: unknown): MachineDefinition | undefined =>
  made(value, ['machine', 'contract'], definitionOf)
/** The erased service, where `value` is one. */
export const asService = (value: unknown): ServiceDefinition | undefined => made(value, ['service'], serviceOf)

/** A body that `implement` was given. */
export interface BodyDefinition {
  readonly activity: ActivityDefinition
  readonly run: ActivityBody
}
const bodies = new WeakMap<object, BodyDefinition>()
/** Ties what `implement` returns to the body. */
export const keepBody = (object: object, body: BodyDefinition): void => void bodies.set(object, body)
/** The body, where `value` is what `implement` returned. */
export const asBody = (value: unknown): BodyDefinition | undefined =>
  isKind(value, ['body']) ? bodies.get(value) : undefined
