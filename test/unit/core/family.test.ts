// The children of one instance: the same answers as a plain map, however they came about.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { changedChildren, childKey, isOver, standingsOf, withChild, type Children } from '../../../src/core/family.ts'
import type { ChildRecord } from '../../../src/core/model.ts'
import type { ChildDefinition, MachineDefinition } from '../../../src/machine/definition.ts'

const kindOf = (machine: string): ChildDefinition => ({
  kind: machine,
  of: { name: machine } as MachineDefinition,
  each: () => [],
  restart: false,
  onCancel: 'keep',
})
const child = (machine: string, n: number, state: string, status: ChildRecord['status'] = 'waiting'): ChildRecord => ({
  machine,
  id: `n${n}`,
  incarnation: 'i',
  seq: n,
  state,
  status,
  data: {},
})
const mapOf = (children: readonly ChildRecord[]): Map<string, ChildRecord> =>
  new Map(children.map((one) => [childKey(one.machine, one.id), one]))
const some = fc.record({
  machine: fc.constantFrom('a', 'b'),
  n: fc.nat(200),
  state: fc.constantFrom('on', 'off', 'gone'),
  status: fc.constantFrom('waiting', 'done', 'cancelled'),
})
const made = ({ machine, n, state, status }: { machine: string; n: number; state: string; status: string }) =>
  child(machine, n, state, status as ChildRecord['status'])

/** Counted one by one. */
function counted(children: Children, machine: string, ids: ReadonlySet<string>) {
  const all = new Map<string, { count: number; over: number }>()
  for (const one of children.values()) {
    if (one.machine !== machine || !ids.has(one.id)) continue
    const { count, over } = all.get(one.state) ?? { count: 0, over: 0 }
    all.set(one.state, { count: count + 1, over: over + (isOver(one) ? 1 : 0) })
  }
  return all
}

describe('a family', () => {
  test('is the map that was, with one child new or replaced; the order is kept, and what was is not changed', () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 150 }), fc.array(some, { maxLength: 60 }), (first, then) => {
        let plain = mapOf(first.map(made))
        let family: Children = new Map(plain)
        for (const one of then.map(made)) {
          const before = [...family]
          const next = withChild(family, one)
          plain = new Map(plain).set(childKey(one.machine, one.id), one)
          expect([...family]).toEqual(before)
          family = next
          expect(family.get(childKey(one.machine, one.id))).toBe(one)
        }
        expect([[...family], [...family.keys()], [...family.values()]]).toEqual([
          [...plain],
          [...plain.keys()],
          [...plain.values()],
        ])
        expect([family.size, family.has('a\0none'), family.get('a\0none')]).toEqual([plain.size, false, undefined])
        const seen: string[] = []
        family.forEach((_, key) => seen.push(key))
        expect(seen).toEqual([...plain.keys()])
      }),
    )
  })
  test('counts who stands where, and goes on counting over changes', () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 150 }), fc.array(some, { maxLength: 60 }), (first, then) => {
        const kinds = [kindOf('a'), kindOf('a'), kindOf('b')]
        const ids = [new Set(['n1', 'n2', 'n300']), new Set(first.map(({ n }) => `n${n}`)), new Set(['n5', 'n1'])]
        let family: Children = mapOf(first.map(made))
        for (const one of [undefined, ...then.map(made)]) {
          if (one !== undefined) family = withChild(family, one)
          for (const [at, kind] of kinds.entries())
            expect(standingsOf(family, kind, ids[at]!)).toEqual(counted(family, kind.of.name, ids[at]!))
        }
        // Other ids are counted anew.
        expect(standingsOf(family, kinds[0]!, ids[2]!)).toEqual(counted(family, 'a', ids[2]!))
      }),
    )
  })
  test('tells which of them have changed', () => {
    fc.assert(
      fc.property(fc.array(some, { maxLength: 150 }), fc.array(some, { maxLength: 60 }), (first, then) => {
        const begun: Children = mapOf(first.map(made))
        let [family, half] = [begun, begun]
        for (const [at, one] of then.map(made).entries()) {
          family = withChild(family, one)
          if (at === 20) half = family
        }
        for (const before of [begun, half])
          expect(changedChildren(before, family)).toEqual(
            [...family].filter(([key, one]) => before.get(key) !== one).map(([, one]) => one),
          )
        expect(changedChildren(family, family)).toEqual([])
      }),
    )
  })
})
