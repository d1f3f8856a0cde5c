// What callbacks are given.
import { checkId } from '../base/id.ts'
import { PawlError } from '../base/errors.ts'
import type { Given, GivenCause, GivenChild, SettledCall } from '../machine/definition.ts'
import { childKey, LIMITS, type Draft } from './draft.ts'
import { ask, fits, HandlerFailure } from './failure.ts'
import type { JournalCause } from './model.ts'

/** Lazily, since most callbacks look at `data` alone. */
class View implements Given {
  readonly #draft: Draft
  readonly #cause: JournalCause
  readonly id: string
  readonly data: Given['data']
  #settled: ReadonlyMap<string, SettledCall> | undefined
  constructor(draft: Draft, cause: JournalCause, extra: Partial<Given> | undefined) {
    this.#draft = draft
    this.#cause = cause
    this.id = draft.next.id
    this.data = draft.next.data
    if (extra !== undefined) Object.assign(this, extra)
  }
  get now(): Date {
    return new Date(this.#draft.context.now)
  }
  get cause(): GivenCause {
    const { kind: _, name: __, at, ...rest } = this.#cause
    return { ...rest, at: new Date(at) }
  }
  get need(): (field: string) => unknown {
    const { data } = this
    return (field) => {
      const value = Object.hasOwn(data, field) ? data[field] : undefined
      if (value !== undefined && value !== null) return value
      const help =
        "an operator's `move` with `data` sets it: to another state, or to the present one to try again there"
      throw new PawlError('FIELD_MISSING', `the field "${field}" must be set here, and is not; ${help}`)
    }
  }
  get settled(): ReadonlyMap<string, SettledCall> {
    const { kind } = this.#cause
    return (this.#settled ??= settledCalls(this.#draft, kind === 'cancel' || kind === 'operator'))
  }
  get children(): Readonly<Record<string, readonly GivenChild[]>> {
    const kinds = [...this.#draft.definition.children.keys()]
    return Object.fromEntries(kinds.map((kind) => [kind, members(this.#draft, kind, this)]))
  }
}

/** Makes what a callback is given; `extra` is what its edge has besides. */
export const givenOf = (draft: Draft, cause: JournalCause, extra?: Partial<Given>): Given =>
  new View(draft, cause, extra)

/** What became of each call, for the edges of compiled sagas. `withOpen`: open ones count as unknown, unless nobody has started them. */
function settledCalls(draft: Draft, withOpen: boolean): ReadonlyMap<string, SettledCall> {
  const all = new Map<string, SettledCall>()
  const { calls } = draft.next
  for (const name in calls) {
    const { key, settled } = calls[name]!
    if (settled !== undefined)
      all.set(name, settled.done ? { key, result: settled.output } : { key, error: settled.error })
    else if (withOpen && !draft.fresh.has(key))
      all.set(name, { key, error: { code: 'other', message: 'it was given up while it was open', outcome: 'unknown' } })
  }
  return all
}

/** Who the children of a kind are by the data now, in that order, each once. */
export function wanted(draft: Draft, kind: string, given: Given): ReadonlyMap<string, unknown> {
  const place = `children.${kind}.each`
  const child = draft.definition.children.get(kind)
  const list = child === undefined ? [] : ask(place, child.each, given)
  if (!Array.isArray(list)) throw new HandlerFailure(`${place}: returned no list`)
  if (list.length > LIMITS.spawns)
    throw new HandlerFailure(`${place}: ${list.length} children; at most ${LIMITS.spawns}`)
  const all = new Map<string, unknown>()
  for (const one of list as readonly ({ readonly id: unknown; readonly data: unknown } | null | undefined)[])
    all.set(
      fits(() => checkId(one?.id, `the id of a child (${kind})`)),
      one?.data,
    )
  return all
}

/** Those of them that exist, by their last notice. */
export function members(draft: Draft, kind: string, given: Given): readonly GivenChild[] {
  const of = draft.definition.children.get(kind)?.of.name ?? ''
  return [...wanted(draft, kind, given).keys()].flatMap((id) => {
    const child = draft.children.get(childKey(of, id))
    return child === undefined ? [] : [{ id, state: child.state, data: child.data, status: child.status }]
  })
}
