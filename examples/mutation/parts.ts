// The parts of a definition as its author wrote it, which can be taken out one at a time: edges, steps, guards, changes, emits and timers.

type Raw = Record<string, unknown>
const isRaw = (value: unknown): value is Raw => typeof value === 'object' && value !== null && !Array.isArray(value)

/** A part: where it stands, and how it is taken out of a copy of the definition. */
interface Part {
  readonly path: readonly (string | number)[]
}

const STEP_PARTS = ['if', 'set', 'emit']

/** The parts of one edge: the whole of it, its steps where it has several, and what each step does. */
function ofEdge(edge: unknown, path: Part['path']): Part[] {
  if (edge === undefined) return []
  const whole: Part = { path }
  if (Array.isArray(edge)) return edge.flatMap((step: unknown, n) => ofEdge(step, [...path, n]))
  if (!isRaw(edge)) return [whole]
  const inner = STEP_PARTS.filter((key) => edge[key] !== undefined).map((key): Part => ({ path: [...path, key] }))
  return [whole, ...inner]
}

const ofEdges = (edges: unknown, path: Part['path']): Part[] => {
  if (Array.isArray(edges)) return ofEdge(edges, path)
  return isRaw(edges) ? Object.entries(edges).flatMap(([name, edge]) => ofEdge(edge, [...path, name])) : []
}

/** `fail` is one edge, or one for each failure, whose names have capitals; or `other`. */
const byFailure = (fail: unknown): boolean =>
  isRaw(fail) && Object.keys(fail).every((key) => key === 'other' || /^[A-Z]/.test(key))

function ofState(state: Raw, path: Part['path']): Part[] {
  const { on, after, always, done, fail, emit, key, until } = state
  const follows = isRaw(until) ? Object.entries(until) : []
  return [
    ...ofEdges(on, [...path, 'on']),
    ...ofEdges(after, [...path, 'after']),
    ...ofEdge(always, [...path, 'always']),
    ...ofEdge(done, [...path, 'done']),
    ...(byFailure(fail) ? ofEdges(fail, [...path, 'fail']) : ofEdge(fail, [...path, 'fail'])),
    ...(emit === undefined ? [] : [{ path: [...path, 'emit'] }]),
    ...(key === undefined ? [] : [{ path: [...path, 'key'] }]),
    ...follows.flatMap(([kind, follow]) =>
      isRaw(follow) ? ofEdges(follow['any'], [...path, 'until', kind, 'any']) : [],
    ),
  ]
}

const within = (raw: unknown): [string, Raw][] =>
  isRaw(raw) ? Object.entries(raw).flatMap(([name, one]) => (isRaw(one) ? [[name, one] as [string, Raw]] : [])) : []

/** All that can be taken out of this definition, in the order in which it is written. */
export function partsOf(definition: Raw): readonly Part[] {
  return [
    ...ofEdges(definition['start'], ['start']),
    ...ofEdges(definition['correlate'], ['correlate']),
    ...ofEdge(definition['cancel'], ['cancel']),
    ...within(definition['groups']).flatMap(([name, group]) => ofState(group, ['groups', name])),
    ...within(definition['states']).flatMap(([name, state]) => ofState(state, ['states', name])),
  ]
}

/** A copy without that part; what is beside its path is shared. */
export function without(value: unknown, [key, ...rest]: Part['path']): unknown {
  if (key === undefined) return undefined
  const last = rest.length === 0
  if (Array.isArray(value))
    return value.flatMap((one: unknown, n) => (n !== key ? [one] : last ? [] : [without(one, rest)]))
  const copy = { ...(value as Raw) }
  if (last) delete copy[key]
  else copy[key] = without(copy[key], rest)
  return copy
}
