// What the core gives callbacks, for tests that walk a definition by hand.
import { isPawlError } from '../../../src/base/errors.ts'
import type { EdgeDefinition, Fields, Given, SettledCall, StepDefinition } from '../../../src/machine/definition.ts'

/** 2026-01-01, midnight UTC. */
export const NOW_MS = Date.UTC(2026, 0, 1)

/** What a callback is given; `more` is what its edge has besides. */
export const given = (data: Fields, more: Partial<Given> = {}): Given => ({
  id: 'i-1',
  data,
  cause: { id: 'c', at: new Date(NOW_MS), correlation: 'c' },
  now: new Date(NOW_MS),
  need: (field) => data[field],
  ...more,
})

/** The first step that holds, as the core chooses it. */
export const choose = (edge: EdgeDefinition | undefined, what: Given): StepDefinition | undefined =>
  edge?.find((step) => step.if === undefined || step.if(what))

/** What a step does: where it leads, the data after it, and what it emits with these. */
export interface Taken {
  readonly to: string | undefined
  readonly data: Fields
  readonly emitted: readonly (readonly [type: string, data: unknown])[]
}

/** Takes an edge as the core does; undefined where no step holds. */
export function take(edge: EdgeDefinition | undefined, what: Given): Taken | undefined {
  const step = choose(edge, what)
  if (step === undefined) return undefined
  const data = { ...what.data, ...step.set?.(what) }
  return { to: step.to, data, emitted: emitted(step.emit, { ...what, data }) }
}

/** What is emitted: several, one or none for each. */
export const emitted = (emit: StepDefinition['emit'], what: Given): Taken['emitted'] =>
  emit.flatMap(({ message, give }) => {
    const payload = give(what)
    const list = payload === null ? [] : Array.isArray(payload) ? (payload as unknown[]) : [payload]
    return list.map((data) => [message.type, data] as const)
  })

/** What became of the calls of a state. */
export const settled = (calls: Readonly<Record<string, SettledCall>>): Partial<Given> => ({
  settled: (name) => (Object.hasOwn(calls, name) ? calls[name] : undefined),
})

/** The code of what is thrown. */
export function codeOf(act: () => unknown): string {
  try {
    act()
  } catch (error) {
    if (isPawlError(error)) return `${error.code}: ${error.message}`
    throw error
  }
  return 'nothing was thrown'
}
