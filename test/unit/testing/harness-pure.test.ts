import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from 'pawl'
import { answers, harness } from 'pawl/testing'

const Go = command('go', { data: z.object({ tags: z.array(z.string()).default([]) }) })
const Went = event('went', { data: z.object({ id: z.string(), at: z.string() }), key: (d) => d.id })
const look = activity('look', { input: z.object({ n: z.number() }), output: z.object({}) })
const data = z.object({ n: z.number().default(0), at: z.string().default(''), tags: z.array(z.string()).default([]) })
const end = { final: 'done' } as const

type Given = { readonly data: z.output<typeof data>; readonly now: Date }
const make = (o: {
  readonly set?: (given: Given) => object
  readonly if?: (given: Given) => boolean
  readonly input?: (given: Given) => { n: number }
  readonly at?: (given: Given) => string
  readonly emit?: (given: Given) => string
}) =>
  machine('walk', {
    data,
    receives: [Go],
    emits: [Went],
    initial: 'here',
    states: {
      here: {
        on: {
          go: [
            { if: (given) => o.if?.(given) ?? true, to: 'looking', set: (given) => o.set?.(given) ?? {} },
            { to: 'there' },
          ],
        },
      },
      looking: { call: look, input: (given) => o.input?.(given) ?? { n: 1 }, done: 'there' },
      there: {
        emit: { went: (given) => ({ id: given.id, at: o.emit?.(given) ?? '' }) },
        after: [{ name: 'leave', at: (given) => o.at?.(given) ?? '2026-01-01T00:01:00Z', to: 'end' }],
      },
      end,
    },
  })

const walk = async (o: Parameters<typeof make>[0]): Promise<readonly string[]> => {
  const walker = make(o)
  const t = harness({ services: [service('walks', { machines: [walker] })] })
  t.fake(look, answers({}))
  await t.app.run(walker, { id: 'w-1', data: {} })
  await t.app.send(walker, 'w-1', Go({}))
  await t.advance('2 minutes')
  const path = await t.path(walker, 'w-1')
  await t.end()
  return path
}

let count = 0
const impure: readonly (readonly [what: string, o: Parameters<typeof make>[0], text: RegExp])[] = [
  [
    'asks the clock',
    { set: () => ({ at: new Date().toISOString() }) },
    /walk, state here, on go, step 1 → looking, `set`: asks the clock \(new Date\(\)\): use `now`/,
  ],
  ['asks the clock in another way', { set: () => ({ n: Date.now() }) }, /asks the clock \(Date.now\(\)\)/],
  ['asks chance', { if: () => Math.random() < 2 }, /walk, state here, on go, step 1 → looking, `if`: asks chance/],
  [
    'remembers',
    { input: () => ({ n: ++count }) },
    /walk, state looking, `input`: field "0.input.n" is \d+, and run again \d+; callbacks run again/,
  ],
  [
    'draws an id',
    { set: () => ({ tags: ['fixed', crypto.randomUUID()] }) },
    /`set`: field "tags.1" is "[^"]+", and run again "[^"]+"/,
  ],
  [
    'draws what is emitted',
    { emit: () => crypto.randomUUID() },
    /state there, on entry, `emit` of went: field "at" is/,
  ],
  [
    'changes what it is given',
    {
      set: ({ data: mine }) => {
        ;(mine as { n: number }).n += 1
        return mine
      },
    },
    /changes what it is given \(Cannot assign to read only property 'n'.*\): return the changed fields/,
  ],
  [
    'throws now and then',
    {
      set: () => {
        if (++count % 2 === 0) throw new Error('even')
        return {}
      },
    },
    /answers, and run again it throws "even"|throws "even", and run again it answers/,
  ],
  [
    'computes a timer of the clock',
    { at: () => new Date(Date.now() + 60_000).toISOString() },
    /timer leave: asks the clock/,
  ],
]

describe('a callback that', () => {
  test.for(impure)('%s fails the test by name', async ([, o, text]) => {
    await expect(walk(o)).rejects.toMatchObject({ code: 'NOT_PURE', message: expect.stringMatching(text) as string })
  })

  test('is pure goes its way, and may read dates that it is given', async () => {
    expect(
      await walk({
        set: ({ data: { n }, now }) => ({ n: n + 1, at: new Date(now).toISOString() }),
        at: ({ now }) => new Date(now.getTime() + 60_000).toISOString(),
        emit: ({ data: { at } }) => (new Date(at) instanceof Date ? at : 'no date'),
      }),
    ).toEqual(['here', 'looking', 'there', 'end'])
  })

  test('throws always is the machine’s own matter', async () => {
    const walker = make({
      set: () => {
        throw new Error('not today')
      },
    })
    const t = harness({ services: [service('walks', { machines: [walker] })] })
    await t.app.run(walker, { id: 'w-1', data: {} })
    await expect(t.app.send(walker, 'w-1', Go({}))).rejects.toThrow(/not today\n {2}walk "w-1": here \(run\)/)
    await t.end()
  })
})

test('the clock and chance are whole again behind a callback', async () => {
  const before = [Date, Math.random]
  await walk({ set: () => ({ n: 1 }) })
  expect([Date, Math.random]).toEqual(before)
  expect(Date.now()).toBeGreaterThan(0)
})
