import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { activity } from '../../../src/machine/activity.ts'
import { definitionOf } from '../../../src/machine/definition.ts'
import type { CallFailure, Fields, Given, SettledCall } from '../../../src/machine/definition.ts'
import { command, event } from '../../../src/machine/message.ts'
import { saga } from '../../../src/machine/saga.ts'
import { codeOf, emitted, given, NOW_MS, settled, take } from './given.ts'

// Compiled sagas, walked by hand as the core walks them: what stands in a state, what is given, where it leads.

const Input = z.object({ sku: z.string(), total: z.number().default(10) })
const Buy = command('buy', { data: z.object({ sku: z.string(), total: z.number() }), to: 'shop', key: (d) => d.sku })
const Cancel = command('cancel', { data: z.object({}) })
const Accepted = event('accepted', { data: z.object({ order: z.string(), minutes: z.number() }), key: (d) => d.order })
const Told = event('told', { data: z.object({ what: z.string() }), key: (d) => d.what })
const Over = event('over', { data: z.object({ why: z.string() }), key: (d) => d.why })
const act = <const N extends string>(name: N, failures: readonly ['No'] = ['No']) =>
  activity(name, {
    input: z.object({ for: z.string() }),
    output: z.object({ ref: z.string() }),
    failures,
    run: (i) => ({ ref: i.for }),
  })
const reserve = act('reserve')
const charge = act('charge')
const ship = act('ship')
const insure = act('insure')
const mail = act('mail')
const undoing = <const N extends string>(name: N) =>
  activity(name, {
    input: z.object({ key: z.string(), ref: z.string().optional() }),
    output: z.object({}),
    run: () => ({}),
  })
const release = undoing('release')
const refund = undoing('refund')
const recall = undoing('recall')

const tell = ({ id }: { readonly id: string }) => ({ what: id })
const shop = saga('shop', {
  version: 3,
  input: Input,
  start: Buy,
  cancel: Cancel,
  priority: 2,
  fairBy: ({ id, input }) => `${id}/${input.sku}`,
})
  .emit(Told, ({ id, input }) => ({ what: `${id} begins ${input.sku}` }))
  .step('reserve', {
    call: reserve,
    input: ({ input }) => ({ for: input.sku }),
    undo: { call: release, input: ({ step }) => ({ key: step.key, ref: step.result?.ref }) },
  })
  .step('look', { call: mail, input: tellInput })
  .emit(Told, ({ results }) => ({ what: results.reserve.ref }))
  .emit(Told, ({ results }) => ({ what: results.look.ref }))
  .parallel('pay', {
    card: {
      call: charge,
      input: ({ input }) => ({ for: String(input.total) }),
      within: '15 minutes',
      otherwise: 'undo',
      undo: {
        call: refund,
        input: ({ step, results }) => ({ key: step.key, ref: step.result?.ref ?? results.reserve.ref }),
      },
    },
    cover: {
      call: insure,
      input: tellInput,
      undo: { call: recall, input: ({ step }) => (step.outcome === 'done' ? null : { key: step.key }) },
    },
    note: { call: mail, input: tellInput },
  })
  .wait('kitchen', { for: Accepted, within: '10 minutes' })
  .pivot()
  .step('ship', {
    call: ship,
    input: ({ results }) => ({ for: results.pay.card.ref }),
    otherwise: { value: { ref: 'later' } },
  })
  .emit(Told, ({ results }) => ({ what: results.ship.ref }))
  .parallel('letters', {
    one: { call: mail, input: tellInput, otherwise: { value: { ref: 'none' } } },
    two: { call: mail, input: tellInput },
  })
  .wait('paper', { for: Told, within: '1 day' })
  .wait('stamp', { for: Over, within: '1 hour', otherwise: { value: { why: 'no stamp' } } })
  .emit(Told, tell)
  .failed(Over, ({ error, results }) => ({
    why: `${error.step}: ${error.code} ${error.message} ${results.reserve?.ref ?? 'nothing'}`,
  }))
  .done(({ id, input, results }) => `${id} ${input.sku} ${results.ship.ref}`)
function tellInput({ id }: { readonly id: string }) {
  return { for: id }
}
const definition = definitionOf(shop)
const at = (state: string) => definition.states.get(state)!
const input = { sku: 'mug', total: 12 }
const begun = { input, results: {} }

const done = (ref: string, key = `k-${ref}`): SettledCall => ({ key, result: { ref } })
const lost = (code: string, outcome: CallFailure['outcome'], key = `k-${code}`): SettledCall => ({
  key,
  error: { code, message: `it was ${code}`, outcome },
})
const fail = (state: string, data: Fields, calls: Readonly<Record<string, SettledCall>>) =>
  take(at(state).fail.get('*'), given(data, settled(calls)))
const finish = (state: string, data: Fields, calls: Readonly<Record<string, SettledCall>>) =>
  take(at(state).done, given(data, settled(calls)))
const plan = (state: string, data: Fields) =>
  at(state)
    .call!.plan(given(data))
    .map(({ name, activity: { name: a }, input: i, withinMs }) => [
      name,
      a,
      i,
      ...(withinMs === undefined ? [] : [withinMs]),
    ])

/** The data before each step, by going there. */
const afterReserve = finish('reserve', begun, { reserve: done('r-1') })!.data
const beforePay = finish('look', afterReserve, { mail: done('l-1') })!.data
const beforeKitchen = finish('pay', beforePay, { card: done('c-1'), cover: done('v-1'), note: done('n-1') })!.data
const beforeShip = take(
  at('kitchen').on.get('accepted'),
  given(beforeKitchen, { message: { order: 'o', minutes: 3 } }),
)!.data

describe('what it is made of', () => {
  test('states: steps, undos of those that have one, ends', () => {
    expect([...definition.states.keys()]).toEqual([
      'reserve',
      'look',
      'pay',
      'kitchen',
      'ship',
      'letters',
      'paper',
      'stamp',
      'undo reserve',
      'undo pay',
      'done',
      'undone',
    ])
    expect(definition).toMatchObject({
      kind: 'machine',
      name: 'shop',
      version: 3,
      initial: 'reserve',
      priority: 2,
      finals: new Set(['done', 'undone']),
      cancelBy: new Set(['cancel']),
    })
    expect([[...definition.receives.keys()], [...definition.emits.keys()]]).toEqual([
      ['buy', 'cancel', 'accepted', 'told', 'over'],
      ['told', 'over'],
    ])
  })

  test('the message that starts it is its input', () => {
    expect(definition.start.get('buy')!(input)).toEqual(input)
    expect(definition.dataOf(input)).toEqual(begun)
    expect(definition.fairBy!({ id: 'i', data: begun })).toBe('i/mug')
    expect(definition.output('i', { input, results: { ship: { ref: 's' } } })).toBe('i mug s')
  })

  test('what is emitted before the first step is emitted at the start', () => {
    expect(definition.begin).toMatchObject({ to: undefined, set: undefined })
    expect(emitted(definition.begin!.emit, given(begun))).toEqual([['told', { what: 'i-1 begins mug' }]])
  })

  test('the rules of cancel: before the pivot an edge, behind it refused, while undoing ignored', () => {
    const rules = [...definition.states.values()].map(({ name, cancel, cancelRule }) => [
      name,
      cancel !== undefined,
      cancelRule,
    ])
    expect(rules).toEqual([
      ['reserve', true, undefined],
      ['look', true, undefined],
      ['pay', true, undefined],
      ['kitchen', true, undefined],
      ['ship', false, 'pivot'],
      ['letters', false, 'pivot'],
      ['paper', false, 'pivot'],
      ['stamp', false, 'pivot'],
      ['undo reserve', false, 'undoing'],
      ['undo pay', false, 'undoing'],
      ['done', false, undefined],
      ['undone', false, undefined],
    ])
  })

  test('a message that is waited for later lies ahead', () => {
    expect([...at('reserve').ahead].toSorted()).toEqual(['accepted', 'over', 'told'])
    expect([...at('undo reserve').ahead]).toEqual([])
  })

  test('the smallest saga: nothing but a step', () => {
    const least = definitionOf(
      saga('least', { input: Input })
        .step('look', { call: mail, input: tellInput })
        .done(() => 1),
    )
    expect(least).toMatchObject({
      begin: undefined,
      version: 1,
      priority: 0,
      fairBy: undefined,
      start: new Map(),
      cancelBy: new Set(),
    })
    expect([...least.states.keys()]).toEqual(['look', 'done', 'undone'])
    expect(
      take(least.states.get('look')!.fail.get('*'), given(begun, settled({ mail: lost('No', 'not done') })))!.to,
    ).toBe('undone')
  })

  test('a builder may be used twice', () => {
    const line = saga('line', { input: Input }).step('a', { call: mail, input: tellInput })
    const [two, three] = [
      line.step('b', { call: mail, input: tellInput }),
      line.step('c', { call: mail, input: tellInput }),
    ].map((l) => definitionOf(l.done(() => 1)))
    expect([[...two!.states.keys()], [...three!.states.keys()]]).toEqual([
      ['a', 'b', 'done', 'undone'],
      ['a', 'c', 'done', 'undone'],
    ])
  })
})

describe('the schema of its data', () => {
  const validate = (value: unknown) =>
    definition.schema['~standard'].validate(value) as {
      value?: unknown
      issues?: readonly { path?: readonly unknown[] }[]
    }

  test('parses the input, and keeps the rest as it is', () => {
    const rest = { results: { a: 1 }, steps: { a: { key: 'k', outcome: 'done' } }, cancelled: true }
    expect(validate({ input: { sku: 'mug' }, ...rest })).toEqual({
      value: { input: { sku: 'mug', total: 10 }, ...rest },
    })
  })

  test('says where the input does not fit', () => {
    expect(validate({ input: { sku: 3 }, results: {} }).issues![0]!.path).toEqual(['input', 'sku'])
    expect(validate({ input: undefined, results: {} }).issues![0]!.path).toEqual(['input'])
  })

  test('what it gave it takes again; what looks like it is looked at again', () => {
    const first = validate({ input: { sku: 'mug' }, results: {} }).value as { input: object }
    const again = { ...first, results: { a: 1 } }
    expect(validate(again)).toEqual({ value: again })
    expect(validate({ ...again, input: { ...first.input, total: 'many' } }).issues).toHaveLength(1)
  })
})

describe('forward', () => {
  test('a step calls with the scope, and records its result and its key', () => {
    expect(plan('reserve', begun)).toEqual([['reserve', 'reserve', { for: 'mug' }]])
    expect(at('reserve').call!.shape).toBe('one')
    expect(finish('reserve', begun, { reserve: done('r-1') })).toEqual({
      to: 'look',
      emitted: [],
      data: { input, results: { reserve: { ref: 'r-1' } }, steps: { reserve: { key: 'k-r-1', outcome: 'done' } } },
    })
  })

  test('what stands between two steps is emitted between them, with the results so far', () => {
    expect(finish('look', afterReserve, { mail: done('l-1') })).toMatchObject({
      to: 'pay',
      emitted: [
        ['told', { what: 'r-1' }],
        ['told', { what: 'l-1' }],
      ],
    })
  })

  test('branches: by name, each with its own `within`', () => {
    expect(at('pay').call!.shape).toBe('named')
    expect(plan('pay', beforePay)).toEqual([
      ['card', 'charge', { for: '12' }, 900_000],
      ['cover', 'insure', { for: 'i-1' }],
      ['note', 'mail', { for: 'i-1' }],
    ])
    expect(beforeKitchen).toMatchObject({
      results: { pay: { card: { ref: 'c-1' }, cover: { ref: 'v-1' }, note: { ref: 'n-1' } } },
      steps: {
        'pay/card': { key: 'k-c-1', outcome: 'done' },
        'pay/cover': { key: 'k-v-1', outcome: 'done' },
        'pay/note': { key: 'k-n-1', outcome: 'done' },
      },
    })
  })

  test('a message that is waited for is the result of its step', () => {
    expect(
      take(at('kitchen').on.get('accepted'), given(beforeKitchen, { message: { order: 'o', minutes: 3 } })),
    ).toMatchObject({ to: 'ship', data: { results: { kitchen: { order: 'o', minutes: 3 } } }, emitted: [] })
  })

  test('after the pivot it need not be recorded what was tried; after the last step it is done', () => {
    const next = finish('ship', beforeShip, { ship: done('s-1') })!
    expect([next.to, next.data['steps'], next.emitted]).toEqual([
      'letters',
      beforeShip['steps'],
      [['told', { what: 's-1' }]],
    ])
    expect(take(at('stamp').on.get('over'), given(next.data, { message: { why: 'x' } }))).toMatchObject({
      to: 'done',
      emitted: [['told', { what: 'i-1' }]],
    })
    expect(at('done').final).toBe('done')
  })
})

describe('a step fails before the pivot', () => {
  test('a declared failure: that step is not undone, those before it are', () => {
    expect(fail('look', afterReserve, { mail: lost('No', 'not done') })).toEqual({
      to: 'undo reserve',
      emitted: [],
      data: { ...afterReserve, failure: { step: 'look', code: 'No', message: 'it was No', outcome: 'not done' } },
    })
  })

  test('with nothing done before: undone at once', () => {
    expect(fail('reserve', begun, { reserve: lost('No', 'not done') })).toMatchObject({
      to: 'undone',
      data: { steps: {}, results: {} },
    })
  })

  test('a declared failure after an attempt that was unknown: that step, too, is undone, by its key', () => {
    const back = fail('reserve', begun, { reserve: lost('No', 'unknown', 'key-1') })!
    expect(back).toMatchObject({
      to: 'undo reserve',
      data: { steps: { reserve: { key: 'key-1', outcome: 'unknown' } } },
    })
    expect(plan('undo reserve', back.data)).toEqual([['release', 'release', { key: 'key-1', ref: undefined }]])
  })

  test("retries used up: it stalls where it is, unless `otherwise: 'undo'`", () => {
    expect(fail('reserve', begun, { reserve: lost('other', 'unknown') })).toBeUndefined()
    expect(fail('pay', beforePay, { card: lost('other', 'unknown'), cover: done('v'), note: done('n') })).toMatchObject(
      { to: 'undo pay', data: { failure: { step: 'pay', code: 'other' } } },
    )
    expect(
      fail('pay', beforePay, { card: done('c'), cover: lost('other', 'unknown'), note: done('n') }),
    ).toBeUndefined()
  })

  test('`within` elapsed: undone, whatever `otherwise` says', () => {
    expect(fail('reserve', begun, { reserve: lost('within', 'unknown') })).toMatchObject({
      to: 'undo reserve',
      data: { failure: { code: 'within', outcome: 'unknown' } },
    })
  })

  test('details are kept', () => {
    const error = { code: 'No', message: 'm', outcome: 'not done', details: { left: 3 } } as const
    expect(fail('reserve', begun, { reserve: { key: 'k', error } })!.data['failure']).toEqual({
      step: 'reserve',
      ...error,
    })
  })

  test('branches: those that are done or may be are recorded, with the results; the error is that which undoes', () => {
    const back = fail('pay', beforePay, {
      card: done('c-1'),
      cover: lost('other', 'unknown', 'key-v'),
      note: lost('No', 'not done'),
    })!
    expect(back).toMatchObject({ to: 'undo pay', data: { failure: { step: 'pay', code: 'No' } } })
    expect(back.data['results']).toEqual({
      reserve: { ref: 'r-1' },
      look: { ref: 'l-1' },
      pay: { card: { ref: 'c-1' } },
    })
    expect(back.data['steps']).toEqual({
      ...(beforePay['steps'] as object),
      'pay/card': { key: 'k-c-1', outcome: 'done' },
      'pay/cover': { key: 'key-v', outcome: 'unknown' },
    })
    expect(plan('undo pay', back.data)).toEqual([
      ['card', 'refund', { key: 'k-c-1', ref: 'c-1' }],
      ['cover', 'recall', { key: 'key-v' }],
    ])
  })

  test('branches of which none with an undo may be done: the step before is undone', () => {
    const back = fail('pay', beforePay, {
      card: lost('No', 'not done'),
      cover: lost('No', 'not done'),
      note: done('n'),
    })!
    expect(back.to).toBe('undo reserve')
  })
})

describe('undoing', () => {
  const failed = fail('pay', beforePay, {
    card: lost('No', 'unknown', 'key-c'),
    cover: done('v-1', 'key-v'),
    note: done('n'),
  })!.data

  test('null: nothing to undo; what only may have happened has its key, and no result', () => {
    expect(plan('undo pay', failed)).toEqual([['card', 'refund', { key: 'key-c', ref: 'r-1' }]])
    expect(plan('undo pay', beforeKitchen)).toEqual([['card', 'refund', { key: 'k-c-1', ref: 'c-1' }]])
    const none = { ...failed, steps: { 'pay/cover': { key: 'k', outcome: 'done' } } }
    expect(plan('undo pay', none)).toEqual([])
  })

  test('in reverse order, to the end', () => {
    const back = finish('undo pay', failed, { card: { key: 'x', result: {} } })!
    expect(back).toEqual({ to: 'undo reserve', data: failed, emitted: [] })
    expect(plan('undo reserve', back.data)).toEqual([['release', 'release', { key: 'k-r-1', ref: 'r-1' }]])
    expect(finish('undo reserve', back.data, {})!.to).toBe('undone')
  })

  test('an undo never gives up: nothing catches its failure', () => {
    for (const state of ['undo pay', 'undo reserve'])
      expect([at(state).fail.size, at(state).call!.plan(given(failed))[0]!.withinMs]).toEqual([0, undefined])
  })

  test('undone: told why, and failed', () => {
    expect(emitted(at('undone').emit, given(failed))).toEqual([['over', { why: 'pay: No it was No r-1' }]])
    const final = at('undone').final as (data: Fields) => string
    expect([final(failed), final({ ...failed, cancelled: true })]).toEqual(['failed', 'cancelled'])
  })
})

describe('a cancel', () => {
  const cancel = (state: string, data: Fields, calls: Readonly<Record<string, SettledCall>> = {}) =>
    take(at(state).cancel, given(data, { why: 'changed my mind', ...settled(calls) }))
  const failure = (step: string) => ({ step, code: 'cancel', message: 'changed my mind', outcome: 'not done' })

  test('before anything is done: undone at once, as cancelled', () => {
    expect(cancel('reserve', begun)).toEqual({
      to: 'undone',
      data: { input, results: {}, steps: {}, failure: failure('reserve'), cancelled: true },
      emitted: [],
    })
  })

  test('between steps, and while it waits: what was done is undone', () => {
    expect(cancel('look', afterReserve)).toMatchObject({ to: 'undo reserve', data: { failure: failure('look') } })
    expect(cancel('kitchen', beforeKitchen)).toMatchObject({ to: 'undo pay', data: { failure: failure('kitchen') } })
  })

  test('of what stalled: the calls of that step that are done or may be are undone as well', () => {
    const back = cancel('pay', beforePay, {
      card: lost('other', 'unknown', 'key-c'),
      cover: done('v'),
      note: done('n'),
    })!
    expect(back).toMatchObject({
      to: 'undo pay',
      data: {
        cancelled: true,
        results: { pay: { cover: { ref: 'v' } } },
        steps: { 'pay/card': { key: 'key-c', outcome: 'unknown' } },
      },
    })
    expect(cancel('reserve', begun, { reserve: lost('other', 'unknown', 'key-r') })).toMatchObject({
      to: 'undo reserve',
      data: { steps: { reserve: { key: 'key-r', outcome: 'unknown' } } },
    })
  })
})

describe('a wait that runs out', () => {
  const out = (state: string, data: Fields) => {
    const [timer] = at(state).after
    return {
      name: timer!.name,
      dueInMs: timer!.due(given(data))! - NOW_MS,
      taken: () => take(timer!.edge, given(data)),
    }
  }

  test('before the pivot: everything is undone', () => {
    const { name, dueInMs, taken } = out('kitchen', beforeKitchen)
    expect([name, dueInMs]).toEqual(['within', 600_000])
    expect(taken()).toMatchObject({
      to: 'undo pay',
      data: {
        failure: {
          step: 'kitchen',
          code: 'within',
          message: '"accepted" did not come within 10 minutes',
          outcome: 'not done',
        },
      },
    })
  })

  test('after it: stalls visibly, or goes on with the value', () => {
    expect(codeOf(out('paper', beforeShip).taken)).toBe(
      'WITHIN_ELAPSED: "told" did not come within 1 day: an operator moves it on, or gives the message',
    )
    expect(out('stamp', beforeShip).taken()).toMatchObject({
      to: 'done',
      data: { results: { stamp: { why: 'no stamp' } } },
      emitted: [['told', { what: 'i-1' }]],
    })
  })

  test('without `within` it waits for ever', () => {
    const patient = definitionOf(
      saga('p', { input: Input })
        .wait('w', { for: Accepted })
        .done(({ results }) => results.w.minutes),
    )
    expect(patient.states.get('w')!.after).toEqual([])
  })
})

describe('a step fails after the pivot', () => {
  test('whatever went wrong, it goes on with the value', () => {
    for (const code of ['No', 'other', 'within'])
      expect(fail('ship', beforeShip, { ship: lost(code, 'unknown') })).toMatchObject({
        to: 'letters',
        data: { results: { ship: { ref: 'later' } } },
        emitted: [['told', { what: 'later' }]],
      })
  })

  test('branches: only where each that failed has a value; else it stalls', () => {
    expect(fail('letters', beforeShip, { one: lost('No', 'not done'), two: done('t') })).toMatchObject({
      to: 'paper',
      data: { results: { letters: { one: { ref: 'none' }, two: { ref: 't' } } } },
    })
    expect(fail('letters', beforeShip, { one: lost('No', 'not done'), two: lost('other', 'unknown') })).toBeUndefined()
    expect(fail('letters', beforeShip, { one: done('o'), two: lost('No', 'not done') })).toBeUndefined()
  })
})

test('every way that a saga can go ends in undoing or in going on, for any outcome of its branches', () => {
  const outcomes: readonly SettledCall[] = [
    done('x'),
    lost('No', 'not done'),
    lost('No', 'unknown'),
    lost('other', 'unknown'),
    lost('within', 'unknown'),
  ]
  for (const card of outcomes)
    for (const cover of outcomes)
      for (const note of outcomes) {
        const calls = { card, cover, note }
        const all = Object.values(calls)
        if (all.every((call) => call.error === undefined)) continue
        const back = fail('pay', beforePay, calls)
        const stalls = all.every(({ error }, i) => error === undefined || (error.code === 'other' && i > 0))
        expect(back === undefined).toBe(stalls)
        if (back === undefined) continue
        // I8: what is done or unknown is recorded, nothing else is.
        const tried = Object.entries(calls).filter(
          ([, { error }]) => error === undefined || error.outcome === 'unknown',
        )
        const steps = back.data['steps'] as Record<string, { key: string }>
        expect(Object.keys(steps).filter((name) => name.startsWith('pay/'))).toEqual(
          tried.map(([name]) => `pay/${name}`),
        )
        const undo = tried.some(([name]) => name !== 'note')
        expect(back.to).toBe(undo ? 'undo pay' : 'undo reserve')
      }
})

test('the callbacks of a saga see the scope, not the data', () => {
  let seen: unknown
  const peek = saga('peek', { input: Input })
    .step('a', { call: mail, input: tellInput, undo: { call: release, input: (scope) => ((seen = scope), null) } })
    .done(() => 1)
  const data = { input, results: { a: { ref: 'x' } }, steps: { a: { key: 'k', outcome: 'done' } } } as const
  const what: Given = given(data)
  expect(definitionOf(peek).states.get('undo a')!.call!.plan(what)).toEqual([])
  expect(seen).toEqual({
    id: 'i-1',
    input,
    results: data.results,
    step: { key: 'k', outcome: 'done', result: { ref: 'x' } },
  })
})
