// The children of one instance as it knows them, by key, and how many of a kind stand in which state.
//
// Persistent: `withChild` answers another map that shares all but one chunk with the old one. A parent of thousands hears of its
// children one by one; a copy of the map for each notice, or a walk over all children, made that quadratic.
import type { ChildDefinition } from '../machine/definition.ts'
import type { ChildRecord } from './model.ts'

/** By what a parent knows a child. */
export const childKey = (machine: string, id: string): string => `${machine}\0${id}`

/** Children by their key. */
export type Children = ReadonlyMap<string, ChildRecord>

/** Children of one chunk, as a power of two: a notice copies one chunk, and the list of them. */
const CHUNK_BITS = 6
const CHUNK = 1 << CHUNK_BITS

type Chunks = readonly (readonly (readonly [key: string, child: ChildRecord])[])[]

/** In the order of their first coming. `places` never changes: who comes new makes a family anew. */
class Family implements Children {
  readonly places: ReadonlyMap<string, number>
  readonly chunks: Chunks

  constructor(places: ReadonlyMap<string, number>, chunks: Chunks) {
    this.places = places
    this.chunks = chunks
  }

  static of(children: Children): Family {
    if (children instanceof Family) return children
    const places = new Map<string, number>()
    const chunks: (readonly [string, ChildRecord])[][] = []
    for (const entry of children) {
      if (places.size % CHUNK === 0) chunks.push([])
      chunks.at(-1)?.push(entry)
      places.set(entry[0], places.size)
    }
    return new Family(places, chunks)
  }

  get size(): number {
    return this.places.size
  }
  get(key: string): ChildRecord | undefined {
    const place = this.places.get(key)
    return place === undefined ? undefined : this.chunks[place >> CHUNK_BITS]?.[place % CHUNK]?.[1]
  }
  has(key: string): boolean {
    return this.places.has(key)
  }
  forEach(callback: (child: ChildRecord, key: string, map: Children) => void): void {
    for (const [key, child] of this) callback(child, key, this)
  }
  *entries(): Generator<[string, ChildRecord], undefined> {
    for (const chunk of this.chunks) for (const [key, child] of chunk) yield [key, child]
  }
  keys(): MapIterator<string> {
    return this.places.keys()
  }
  *values(): Generator<ChildRecord, undefined> {
    for (const chunk of this.chunks) for (const [, child] of chunk) yield child
  }
  [Symbol.iterator](): Generator<[string, ChildRecord], undefined> {
    return this.entries()
  }
}

/** Children of a kind in one state: all of them, and those of them that have come to their end. */
export interface Standing {
  readonly count: number
  readonly over: number
}
type Standings = ReadonlyMap<string, Standing>
interface Counted {
  readonly ids: ReadonlySet<string>
  readonly standings: Standings
}

/** What was counted already: by map, which never changes, and by kind. Of no instance that nobody holds any more. */
const countedIn = new WeakMap<Children, Map<ChildDefinition, Counted>>()

/** Whether a child has come to its end. */
export const isOver = ({ status }: Pick<ChildRecord, 'status'>): boolean =>
  status === 'done' || status === 'failed' || status === 'cancelled'

function add(standings: Map<string, Standing>, child: ChildRecord, by: 1 | -1): void {
  const { count, over } = standings.get(child.state) ?? { count: 0, over: 0 }
  if (count + by === 0) standings.delete(child.state)
  else standings.set(child.state, { count: count + by, over: isOver(child) ? over + by : over })
}

/** How many of the children with these ids stand in which state. Counted once, then kept up by `withChild`. */
export function standingsOf(children: Children, kind: ChildDefinition, ids: ReadonlySet<string>): Standings {
  let counted = countedIn.get(children)
  if (counted === undefined) countedIn.set(children, (counted = new Map()))
  const known = counted.get(kind)
  if (known?.ids === ids) return known.standings
  const standings = new Map<string, Standing>()
  for (const id of ids) {
    const child = children.get(childKey(kind.of.name, id))
    if (child !== undefined) add(standings, child, 1)
  }
  counted.set(kind, { ids, standings })
  return standings
}

/** What was counted goes along to the map in which one child is another. */
function countOn(before: Children, after: Children, was: ChildRecord, now: ChildRecord): void {
  const counted = countedIn.get(before)
  if (counted === undefined) return
  const next = new Map<ChildDefinition, Counted>()
  for (const [kind, { ids, standings }] of counted) {
    if (kind.of.name !== now.machine || !ids.has(now.id)) next.set(kind, { ids, standings })
    else {
      const moved = new Map(standings)
      add(moved, was, -1)
      add(moved, now, 1)
      next.set(kind, { ids, standings: moved })
    }
  }
  countedIn.set(after, next)
}

/** The children with one of them new, or replaced. */
export function withChild(children: Children, child: ChildRecord): Children {
  const key = childKey(child.machine, child.id)
  const family = Family.of(children)
  const place = family.places.get(key)
  const was = family.get(key)
  if (place === undefined || was === undefined) return Family.of(new Map(children).set(key, child))
  const at = place >> CHUNK_BITS
  const chunk = [...(family.chunks[at] ?? [])]
  chunk[place % CHUNK] = [key, child]
  const chunks = [...family.chunks]
  chunks[at] = chunk
  const next = new Family(family.places, chunks)
  countOn(children, next, was, child)
  return next
}

/** The children that are new or others than before. */
export function changedChildren(before: Children, after: Children): readonly ChildRecord[] {
  const changed: ChildRecord[] = []
  const shared = before instanceof Family && after instanceof Family && before.places === after.places ? before : null
  for (const [at, chunk] of Family.of(after).chunks.entries()) {
    if (shared !== null && shared.chunks[at] === chunk) continue
    for (const [key, child] of chunk) if (before.get(key) !== child) changed.push(child)
  }
  return changed
}
