// What callbacks are given.
import { checkId } from '../base/id.ts'
import { PawlError } from '../base/errors.ts'
import type { CallFailure, ChildDefinition, Given, GivenCause, GivenChild, SettledCall } from '../machine/definition.ts'
import type { Draft } from './draft.ts'
import { ask, HandlerFailure, listed } from './failure.ts'
import { childKey } from './family.ts'
import type { ChildRecord, JournalCause } from './model.ts'

/** An open call that is given up counts as unknown, unless nobody has started it. */
const GIVEN_UP: CallFailure = { code: 'other', message: 'it was given up while it was open', outcome: 'unknown' }

/** Lazily, since most callbacks look at `data` alone. */
class View implements Given {
  readonly #draft: Draft
  readonly #cause: JournalCause
  readonly id: string
  readonly data: Given['data']
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
  settled(name: string): SettledCall | undefined {
    const call = this.#draft.next.calls?.[name]
    if (call === undefined) return undefined
    const { key, settled } = call
    if (settled !== undefined) return settled.done ? { key, result: settled.output } : { key, error: settled.error }
    const { kind } = this.#cause
    const givenUp = (kind === 'cancel' || kind === 'operator') && !this.#draft.fresh.includes(key)
    return givenUp ? { key, error: GIVEN_UP } : undefined
  }
  get children(): Readonly<Record<string, readonly GivenChild[]>> {
    const kinds = {}
    // Each kind when it is asked for: most look at one.
    for (const kind of this.#draft.definition.children.keys())
      Object.defineProperty(kinds, kind, { enumerable: true, get: () => members(this.#draft, kind, this) })
    return kinds
  }
}

/** Makes what a callback is given; `extra` is what its edge has besides. */
export const givenOf = (draft: Draft, cause: JournalCause, extra?: Partial<Given>): Given =>
  new View(draft, cause, extra)

/** Who the children of a kind are by the data now, in that order, each once. */
export function wanted(draft: Draft, kind: string, given: Given): ReadonlyMap<string, unknown> {
  const place = `children.${kind}.each`
  const child = draft.definition.children.get(kind)
  const list = child === undefined ? [] : listed(place, ask(place, child.each, given))
  if (list === undefined) throw new HandlerFailure(`${place}: returned no list`)
  const all = new Map<string, unknown>()
  for (const one of list as readonly ({ readonly id: unknown; readonly data: unknown } | null | undefined)[])
    ask(place, (child) => all.set(checkId(child?.id, `the id of a child (${kind})`), child?.data), one)
  return all
}

/** What `each` answered for data that never change, by the kind and the instance's id. */
const idsBy = new WeakMap<object, Map<ChildDefinition, { readonly id: string; readonly ids: ReadonlySet<string> }>>()

/** The ids of the children of a kind. `each` is asked once for the same data, unless it looks at more than them. */
export function idsOf(draft: Draft, kind: string, given: Given): ReadonlySet<string> {
  const child = draft.definition.children.get(kind)
  if (child === undefined) return none
  let kinds = idsBy.get(given.data)
  if (kinds === undefined) idsBy.set(given.data, (kinds = new Map()))
  const known = kinds.get(child)
  if (known?.id === given.id) return known.ids
  let around = false
  const ids = new Set(
    wanted(
      draft,
      kind,
      watched(given, () => (around = true)),
    ).keys(),
  )
  if (!around) kinds.set(child, { id: given.id, ids })
  return ids
}
const none: ReadonlySet<string> = new Set()

/** What a callback may read of what it is given, and still answer the same for the same data. */
const OF_DATA: ReadonlySet<PropertyKey> = new Set(['id', 'data', 'need'])

/** Tells when a callback looks at more than the data. */
const watched = (given: Given, looked: () => void): Given =>
  new Proxy(given, {
    get: (of, field) => {
      if (!OF_DATA.has(field)) looked()
      return Reflect.get(of, field) as unknown
    },
  })

const viewOf = ({ id, state, data, status }: ChildRecord): GivenChild => ({ id, state, data, status })

/** A child of a kind, by its last notice; undefined: the data do not name it, or it is not there. */
export function member(draft: Draft, kind: string, id: string, given: Given): GivenChild | undefined {
  if (!idsOf(draft, kind, given).has(id)) return undefined
  const child = draft.children.get(childKey(draft.definition.children.get(kind)?.of.name ?? '', id))
  return child && viewOf(child)
}

/** All of them that are there. */
export function members(draft: Draft, kind: string, given: Given): readonly GivenChild[] {
  const machine = draft.definition.children.get(kind)?.of.name ?? ''
  const all: GivenChild[] = []
  for (const id of idsOf(draft, kind, given)) {
    const child = draft.children.get(childKey(machine, id))
    if (child !== undefined) all.push(viewOf(child))
  }
  return all
}
