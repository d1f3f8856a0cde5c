// Random services must be what they are drawn for: definitions that use every part of the public API, and a judge that can fail.
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import type { JournalEntry } from '../../../src/core/model.ts'
import { PARTS } from '../../../src/testing/simulation/random/draw.ts'
import { RandomJudge } from '../../../src/testing/simulation/random/judge.ts'
import { build, makeService } from '../../../src/testing/simulation/random/service.ts'
import type { MachineSketch, RandomData, ServiceSketch } from '../../../src/testing/simulation/random/sketch.ts'
import type { StoredEntry } from '../../../src/testing/simulation/stored.ts'
import { Violations } from '../../../src/testing/simulation/violation.ts'

const NUMBERS = 150

test(`${NUMBERS} services pass all checks of definitions, and leave no part of the public API out`, () => {
  const uses: Record<string, number> = {}
  for (let number = 1; number <= NUMBERS; number++)
    for (const [part, count] of Object.entries(makeService(seededRandom(number)).uses ?? {}))
      uses[part] = (uses[part] ?? 0) + count
  expect(PARTS.filter((part) => (uses[`api ${part}`] ?? 0) === 0)).toEqual([])
})

const leads = { tag: 5, to: 'done', early: false, sets: 'function', tells: [] } as const
const state = { on: {}, after: [], always: [], until: [], tells: [] } as const
const machine: MachineSketch = {
  name: 'm',
  version: 1,
  states: [
    {
      ...state,
      name: 's0',
      on: { e: [{ ...leads, when: { of: 2, rest: 0 } }] },
      always: [{ ...leads, when: { of: 7, rest: 1 } }],
    },
    { ...state, name: 'done', final: 'done' },
  ],
  groups: [],
  children: [],
  start: [],
  fair: false,
}
const sketch: ServiceSketch = {
  messages: [{ kind: 'event', type: 'e', fans: false }],
  activities: [],
  machines: [
    {
      ...machine,
      states: [
        { ...machine.states[0]!, after: [{ name: 't', ms: 9, form: 'in', steps: [leads] }] },
        machine.states[1]!,
      ],
    },
  ],
  sagas: [],
  roots: { m: ['i'] },
}
const data = (sum: number): RandomData => ({ hops: 0, sum, kids: 0, fair: '' })
const cause = { kind: 'start', name: 'run', id: 'c', at: 0, correlation: 'c' } as const
const row = {
  seq: 1,
  at: 0,
  cause,
  from: null,
  to: 's0',
  outcome: 'applied',
  unit: false,
  removed: [],
  emitted: [],
  opened: [],
} as const

/** What the judge says of an instance with these rows. */
function judged(entries: readonly Partial<JournalEntry>[]): readonly string[] {
  const violations = new Violations(() => 0)
  const judge = new RandomJudge(sketch, violations)
  const text = JSON.stringify({ priority: 0, fairKey: null, status: 'live' })
  const instance = { k: 1, machine: 'm', id: 'i', version: 1, state: entries.at(-1)!.to, text } as never
  const written = entries.map((entry, i) => ({
    k: 1,
    entry: { ...row, seq: i + 1, ...entry } as unknown as StoredEntry,
  }))
  const event = { text: JSON.stringify({ id: 'even', data: { to: 'i', v: 2 } }) }
  judge.written({ events: [event], instances: [instance] } as never, written)
  return violations.all.map(({ text: said }) => said)
}
const began = { change: { ...data(2) } }
const took = (sum: number) => ({
  cause: { ...cause, kind: 'message', name: 'e', id: 'even' } as const,
  from: 's0',
  to: 'done',
  change: { hops: 1, sum },
})

describe('the second interpreter', () => {
  test('its sketch is a machine', () => {
    expect(build(sketch).builds.old.map(({ name }) => name)).toEqual(['m'])
  })
  test('permits what the definition says', () => {
    expect(judged([began, took((2 * 31 + 5 * 17 + 2) % 9_973)])).toEqual([])
  })
  test('finds data that no edge makes', () => {
    expect(judged([began, took(1)]).join()).toContain('row 2 (message e, applied)')
  })
  test('finds an edge that was taken though its guard does not hold', () => {
    expect(judged([{ change: { ...data(3) } }, took((3 * 31 + 5 * 17 + 2) % 9_973)]).join()).toContain(
      'permitted is nothing',
    )
  })
  test('finds a message that was refused though its edge holds', () => {
    const refused = { ...took(2), to: 's0', change: null, outcome: 'refused' } as const
    expect(judged([began, refused]).join()).toContain('row 2 (message e, refused)')
  })
  test('finds messages that nobody should have emitted', () => {
    const emitted = [{ type: 'e', event: [0, 1] }] as never
    expect(judged([{ ...began, emitted }]).join()).toContain('row 1 (start run, applied)')
  })
  test('finds an `always` that holds and was not taken', () => {
    expect(judged([{ change: { ...data(8) } }]).join()).toContain('always leads to done')
  })
})
