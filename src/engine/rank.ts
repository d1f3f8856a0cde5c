// Whose turn it is: the priority of a machine, and the fairness key of an instance, as far as they are known before anything is read.
//
// Known are the key of an instance in memory, and that of one that is about to start, by `run` or by a message that its machine's `start`
// names. Not known, and under one key that takes turns with the others as any other does: messages to instances that only the store has
// (after a start of the worker, or where memory was short), and events from outside, which wait for their place in the log under no
// instance's name.
import { disown, isPromise } from '../base/promise.ts'
import type { MachineDefinition } from '../machine/definition.ts'
import type { Cache } from './cache.ts'
import type { Item, Rank } from './mailbox.ts'
import type { Registry } from './registry.ts'

/** Where an item belongs. Never throws: what user code throws here it throws again when it is asked for good. */
export function rankOf(registry: Registry, cache: Cache | undefined, item: Item): Rank {
  const definition = registry.machines.get(item.target.machine)
  if (definition === undefined) return { priority: 0, fair: '' }
  const { priority, fairBy } = definition
  if (fairBy === undefined) return { priority, fair: '' }
  const known = cache?.get(item.box)?.instance?.fairKey ?? undefined
  return { priority, fair: known ?? startKey(definition, fairBy, item) }
}

/** The key of an instance that this item would start; empty where it starts none. */
function startKey(definition: MachineDefinition, fairBy: NonNullable<MachineDefinition['fairBy']>, item: Item): string {
  try {
    const begun = begins(definition, item.input)
    if (begun === undefined) return ''
    const key: unknown = isPromise(begun) ? begun : fairBy({ id: item.target.id, data: definition.dataOf(begun) })
    if (!isPromise(key)) return String(key)
    void disown(key)
    return ''
  } catch {
    return ''
  }
}

/** What it would be started with. A payload of another version is read first, and only when its turn has come. */
function begins(definition: MachineDefinition, input: Item['input']): unknown {
  if (input.kind === 'start') return input.data
  if (input.kind !== 'message' || definition.receives.get(input.type)?.version !== input.version) return undefined
  return definition.start.get(input.type)?.(input.data)
}
