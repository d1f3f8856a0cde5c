// Sagas through the core: every step whose outcome is done or unknown is undone, in reverse order, or the saga stands stalled (I8).
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { check } from '../../../src/core/failure.ts'
import { activity } from '../../../src/machine/activity.ts'
import { definitionOf } from '../../../src/machine/definition.ts'
import { command, event } from '../../../src/machine/message.ts'
import { saga } from '../../../src/machine/saga.ts'
import { HOUR, MINUTE, play, type Play } from '../../support/play.ts'

const none = z.object({})
const Buy = command('buy', { data: z.object({ n: z.number() }), to: 'trip', key: () => 'i1' })
const Stop = command('stop', { data: none })
const Paid = event('paid', { data: z.object({ id: z.string() }), key: () => 'i1' })
const Booked = event('booked', { data: z.object({ room: z.string() }), key: () => 'i1' })
const Done = event('done', { data: z.object({ room: z.string() }), key: () => 'i1' })
const Begun = event('begun', { data: z.object({ n: z.number() }), key: () => 'i1' })
const Failed = event('failed', { data: z.object({ step: z.string(), code: z.string() }), key: () => 'i1' })

const doing = <const N extends string>(name: N) =>
  activity(name, {
    input: z.object({ n: z.number() }),
    output: z.object({ ref: z.string() }),
    failures: ['No'],
    retry: { attempts: 2 },
  })
const undoing = <const N extends string>(name: N) =>
  activity(name, { input: z.object({ ref: z.string() }), output: none, retry: { attempts: 2 } })
const [room, flight, car, bus, pay, mail] = [
  doing('room'),
  doing('flight'),
  doing('car'),
  doing('bus'),
  doing('pay'),
  doing('mail'),
]
const [unroom, unflight, uncar, unbus] = [undoing('unroom'), undoing('unflight'), undoing('uncar'), undoing('unbus')]

const n = ({ input }: { input: { n: number } }) => ({ n: input.n })
/** What an undo is given: the reference of what is done, the key of what may be. */
const refOf = ({
  step,
}: {
  step: { key: string } & ({ outcome: 'done'; result: { ref: string } } | { outcome: 'unknown'; result?: undefined })
}) => ({
  ref: step.outcome === 'done' ? step.result.ref : `key:${step.key}`,
})

const trip = saga('trip', { input: z.object({ n: z.number().default(1) }), start: Buy, cancel: Stop })
  .emit(Begun, ({ input }: { input: { n: number } }) => ({ n: input.n }))
  .step('room', { call: room, input: n, undo: { call: unroom, input: refOf } })
  .emit(Booked, ({ results }: { results: { room: { ref: string } } }) => ({ room: results.room.ref }))
  .step('flight', { call: flight, input: n, within: '10 minutes', undo: { call: unflight, input: refOf } })
  .parallel('local', {
    car: { call: car, input: n, undo: { call: uncar, input: refOf } },
    bus: { call: bus, input: n, otherwise: 'undo', undo: { call: unbus, input: refOf } },
  })
  .wait('paid', { for: Paid, within: '1 hour' })
  .pivot()
  .step('mail', { call: mail, input: n, within: '10 minutes', otherwise: { value: { ref: 'none' } } })
  .step('pay', { call: pay, input: n })
  .emit(Done, ({ results }: { results: { room: { ref: string } } }) => ({ room: results.room.ref }))
  .failed(Failed, ({ error }: { error: { step: string; code: string } }) => ({ step: error.step, code: error.code }))
  .done(({ results }) => Object.keys(results as object).join())

const forward: readonly ((p: Play) => void)[] = [
  (p) => p.done({ ref: 'r1' }),
  (p) => p.done({ ref: 'f1' }),
  (p) => (p.done({ ref: 'c1' }, 'car'), p.done({ ref: 'b1' }, 'bus')),
  (p) => p.send(Paid({ id: 'p1' })),
  (p) => p.done({ ref: 'm1' }),
  (p) => p.done({ ref: 'p1' }),
]
/** The saga, with so many steps done. */
const after = (steps: number): Play => {
  const p = play(trip, { n: 2 })
  for (const step of forward.slice(0, steps)) step(p)
  return p
}
/** Inputs of the calls that are open, by name. */
const inputs = (p: Play) =>
  Object.fromEntries(
    Object.entries(p.instance?.calls ?? {}).map(([name, { input }]) => [name, (input as { ref: string }).ref]),
  )
/** Answers every undo, and says what was undone with what. */
const undoAll = (p: Play): Record<string, string>[] => {
  const undone: Record<string, string>[] = []
  for (let i = 0; i < 10 && p.status === 'live' && p.instance?.calls; i++) {
    undone.push(inputs(p))
    for (const name of Object.keys(p.instance.calls)) p.done({}, name)
  }
  return undone
}
const told = (p: Play, type: string) => p.emitted.filter((one) => one.type === type).map(({ data }) => data)

test('forward: its steps in order, what it emits, how it ends', () => {
  const p = after(6)
  expect(p.path).toEqual(['room', 'flight', 'local', 'paid', 'mail', 'pay', 'done'])
  expect(p.status).toBe('done')
  expect(p.emitted.map(({ type }) => type)).toEqual(['begun', 'booked', 'done'])
  expect(definitionOf(trip).output('i1', p.data)).toBe('room,flight,local,paid,mail,pay')
  expect(p.data['results']).toMatchObject({ local: { car: { ref: 'c1' }, bus: { ref: 'b1' } }, paid: { id: 'p1' } })
})

test('start by message', () => {
  const p = play(trip, {}, { start: false })
  p.send(Buy({ n: 7 }))
  expect([p.state, p.data['input'], told(p, 'begun')]).toEqual(['room', { n: 7 }, [{ n: 7 }]])
  expect(p.run({ n: 7 })).toMatchObject({ fate: 'exists' })
})

const back: readonly Record<string, string>[] = [{ unroom: 'r1' }, { unflight: 'f1' }, { car: 'c1', bus: 'b1' }]
/** What is to be undone where so many steps are done. */
const backFrom = (steps: number) => back.slice(0, steps).toReversed()

describe('a declared failure undoes, in reverse', () => {
  test.each([0, 1])('at step %i', (steps) => {
    const p = after(steps)
    p.fail('No')
    expect(undoAll(p)).toEqual(backFrom(steps))
    expect([p.state, p.status]).toEqual(['undone', 'failed'])
    expect(told(p, 'failed')).toEqual([{ step: ['room', 'flight'][steps], code: 'No' }])
    expect(p.data['failure']).toMatchObject({ code: 'No', outcome: 'not done' })
  })
  test('in a parallel step the others are awaited, then those that are done, or may be, are undone side by side', () => {
    const p = after(2)
    p.fail('No', 'bus')
    expect(p.state).toBe('local')
    p.done({ ref: 'c1' }, 'car')
    expect([p.state, inputs(p)]).toEqual(['undo local', { car: 'c1' }])
    expect(undoAll(p)).toEqual([{ car: 'c1' }, { unflight: 'f1' }, { unroom: 'r1' }])
    const q = after(2)
    const { key } = q.instance!.calls!['car']!
    q.unknown('car')
    q.fail('No', 'car')
    q.done({ ref: 'b1' }, 'bus')
    expect(inputs(q)).toEqual({ car: `key:${key}`, bus: 'b1' })
  })
  test('none of a parallel step was done: the step before is next', () => {
    const p = after(2)
    p.fail('No', 'bus')
    p.fail('No', 'car')
    expect(p.state).toBe('undo flight')
  })
  test('after an unknown attempt the step itself is undone with its forward key', () => {
    const p = after(1)
    const { key } = p.instance!.calls!['flight']!
    p.unknown()
    p.fail('No')
    expect(undoAll(p)).toEqual([{ unflight: `key:${key}` }, { unroom: 'r1' }])
  })
})

describe('retries used up', () => {
  test('stall, by default; a late success goes on', () => {
    const p = after(1)
    p.exhaust()
    expect([p.state, p.stalled]).toEqual(['flight', 'RETRIES_EXHAUSTED'])
    p.done({ ref: 'f1' }, undefined, { attempt: 1 })
    expect(p.state).toBe('local')
  })
  test("`otherwise: 'undo'`: the step may have happened, and is undone", () => {
    const p = after(2)
    const { key } = p.instance!.calls!['bus']!
    p.unknown('bus')
    p.unknown('bus')
    p.done({ ref: 'c1' }, 'car')
    expect(undoAll(p)).toEqual([{ car: 'c1', bus: `key:${key}` }, { unflight: 'f1' }, { unroom: 'r1' }])
    expect(told(p, 'failed')).toEqual([{ step: 'local', code: 'other' }])
  })
  test('one branch stalls, another undoes: what undoes decides', () => {
    const p = after(2)
    const { key } = p.instance!.calls!['car']!
    p.unknown('car')
    p.unknown('car')
    p.fail('No', 'bus')
    expect(inputs(p)).toEqual({ car: `key:${key}` })
  })
})

describe('`within`', () => {
  test('elapsed before the pivot: everything is undone, this step too', () => {
    const p = after(1)
    const { key } = p.instance!.calls!['flight']!
    expect(p.instance?.dueAt).toBe(p.now + 10 * MINUTE)
    p.after(10 * MINUTE - 1)
    expect(p.state).toBe('flight')
    p.after(1)
    expect(undoAll(p)).toEqual([{ unflight: `key:${key}` }, { unroom: 'r1' }])
    expect(told(p, 'failed')).toEqual([{ step: 'flight', code: 'within' }])
    expect(p.data['failure']).toMatchObject({ code: 'within', outcome: 'unknown' })
  })
  test('what is late then is only journalled', () => {
    const p = after(1)
    const { key } = p.instance!.calls!['flight']!
    p.after(10 * MINUTE)
    const late = {
      kind: 'result',
      call: 'flight',
      key,
      attempt: 1,
      jitter: 0,
      outcome: { kind: 'done', output: { ref: 'f' } },
    } as const
    expect(p.give(late)).toMatchObject({ fate: 'late', own: 1 })
    expect(p.state).toBe('undo flight')
  })
  test('of a wait', () => {
    const p = after(3)
    p.after(HOUR)
    expect(undoAll(p)).toEqual(backFrom(3))
    expect(told(p, 'failed')).toEqual([{ step: 'paid', code: 'within' }])
  })
  test('after the pivot it goes on with the value', () => {
    const p = after(4)
    p.after(10 * MINUTE)
    expect([p.state, p.data['results']]).toMatchObject(['pay', { mail: { ref: 'none' } }])
    const q = after(4)
    q.fail('No')
    expect(q.state).toBe('pay')
    const r = after(4)
    r.exhaust()
    expect(r.state).toBe('pay')
  })
  test("after the pivot it stalls where it says nothing, or 'stall'", () => {
    const p = after(5)
    p.fail('No')
    expect([p.state, p.stalled]).toEqual(['pay', 'NO_EDGE_FOR_FAILURE'])
    p.operate({ do: 'resolve', result: { ref: 'by hand' } })
    expect(p.status).toBe('done')
    const waits = saga('waits', { input: none })
      .pivot()
      .wait('paid', { for: Paid, within: '1 hour', otherwise: 'stall' })
      .done(() => 1)
    const q = play(waits, {})
    q.after(HOUR)
    expect([q.stalled, q.instance?.stalled?.message.includes('"paid" did not come within 1 hour')]).toEqual([
      'WITHIN_ELAPSED',
      true,
    ])
    q.send(Paid({ id: 'late' }))
    expect(q.waiting).toHaveLength(1)
    q.operate({ do: 'move', to: 'done', payload: { id: 'by hand' } })
    expect(q.status).toBe('done')
  })
  test('an operator retries: a step has the same time once more', () => {
    const p = play(
      saga('late', { input: z.object({ n: z.number().default(1) }) })
        .pivot()
        .step('mail', { call: mail, input: n, within: '10 minutes' })
        .done(() => 1),
      {},
    )
    p.after(10 * MINUTE)
    expect(p.stalled).toBe('WITHIN_ELAPSED')
    p.now += HOUR
    p.retry()
    expect([p.status, p.instance?.dueAt]).toEqual(['live', p.now + 10 * MINUTE])
    p.after(10 * MINUTE - 1)
    expect(p.status).toBe('live')
    p.after(1)
    expect(p.stalled).toBe('WITHIN_ELAPSED')
    p.retry()
    p.done({ ref: 'm' })
    expect(p.status).toBe('done')
  })
  test('and so has a wait, which takes what has come meanwhile', () => {
    const waits = saga('waits', { input: none })
      .pivot()
      .wait('paid', { for: Paid, within: '1 hour', otherwise: 'stall' })
      .done(() => 1)
    const p = play(waits, {})
    p.after(HOUR)
    p.now += MINUTE
    p.retry()
    expect([p.status, p.instance?.dueAt]).toEqual(['live', p.now + HOUR])
    p.after(HOUR)
    expect(p.stalled).toBe('WITHIN_ELAPSED')
    p.send(Paid({ id: 'late' }))
    p.retry()
    expect(p.status).toBe('done')
  })
})

describe('cancel at every step: settle, then undo', () => {
  test.each([0, 1, 2, 3])('at step %i, the call is done', (steps) => {
    const p = after(steps)
    const outcome = p.cancel()
    expect(outcome.fate).toBe(steps === 3 ? 'applied' : 'deferred')
    // The call settles, the next step begins in the same commit, and is given up before anybody has started it.
    if (steps < 3) forward[steps]!(p)
    expect(undoAll(p)).toEqual(backFrom(Math.min(steps + 1, 3)))
    expect([p.state, p.status, told(p, 'failed').map((data) => (data as { code: string }).code)]).toEqual([
      'undone',
      'cancelled',
      ['cancel'],
    ])
  })
  test.each([0, 1])('at step %i, the call fails', (steps) => {
    const p = after(steps)
    p.cancel()
    p.fail('No')
    expect(undoAll(p)).toEqual(backFrom(steps))
    expect(p.status).toBe('failed')
  })
  test.each([0, 1, 2])('at step %i, the retries are used up: at once, that step counts as unknown', (steps) => {
    const p = after(steps)
    const calls = p.instance!.calls!
    if (steps === 2) p.done({ ref: 'b1' }, 'bus')
    const name = ['room', 'flight', 'car'][steps]!
    p.exhaust(name)
    expect(p.status).toBe('stalled')
    expect(p.cancel()).toMatchObject({ fate: 'applied' })
    const unknown = `key:${calls[name]!.key}`
    const first = [{ unroom: unknown }, { unflight: unknown }, { car: unknown, bus: 'b1' }][steps]!
    expect(undoAll(p)).toEqual([first, ...backFrom(steps)])
    expect(p.status).toBe('cancelled')
  })
  test('where a worker died: the open call counts as unknown', () => {
    const p = after(1)
    const { key } = p.instance!.calls!['flight']!
    for (let i = 0; i < 5; i++) p.attempt({ kind: 'recovered', runner: 's2' })
    p.cancel()
    expect(inputs(p)).toEqual({ unflight: `key:${key}` })
  })
  test('a move to an undo by hand counts it as unknown, too', () => {
    const p = after(1)
    const { key } = p.instance!.calls!['flight']!
    for (let i = 0; i < 5; i++) p.attempt({ kind: 'recovered', runner: 's2' })
    expect(p.operate({ do: 'move', to: 'undo flight' })).toMatchObject({ fate: 'applied' })
    expect(inputs(p)).toEqual({ unflight: `key:${key}` })
  })
  test('a step that nobody has started is not undone', () => {
    const p = play(trip, {}, { start: false })
    p.commits = false
    p.run({ n: 1 })
    p.cancel()
    expect([p.state, p.journal.at(-1)?.dropped]).toEqual(['undone', ['room']])
  })
  test('by message: the same, and it is counted', () => {
    const p = after(1)
    expect(p.send(Stop({}))).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    p.done({ ref: 'f1' })
    expect(undoAll(p)).toEqual(backFrom(2))
    expect(p.journal.find(({ cause }) => cause.kind === 'cancel')).toMatchObject({
      unit: true,
      cause: { name: 'stop' },
    })
    expect(p.send(Stop({}))).toMatchObject({ fate: 'refused', why: 'ended' })
    const q = after(1)
    q.exhaust()
    expect(q.send(Stop({}))).toMatchObject({ fate: 'applied' })
  })
  test.each([4, 5])('after the pivot (step %i): refused', (steps) => {
    const p = after(steps)
    expect(p.cancel()).toMatchObject({ fate: 'refused', why: 'pivot', own: 1 })
    expect(p.send(Stop({}))).toMatchObject({ fate: 'refused', why: 'pivot' })
  })
  test('that waits for the last call before the pivot comes first: that step is undone with the others', () => {
    const last = saga('last', { input: z.object({ n: z.number() }) })
      .step('room', { call: room, input: () => ({ n: 1 }), undo: { call: unroom, input: refOf } })
      .step('flight', { call: flight, input: () => ({ n: 1 }), undo: { call: unflight, input: refOf } })
      .pivot()
      .step('mail', { call: mail, input: () => ({ n: 1 }) })
      .done(() => 'done')
    const p = play(last, { n: 1 })
    p.done({ ref: 'r1' })
    expect(p.cancel()).toMatchObject({ fate: 'deferred', waitsFor: 'call' })
    p.done({ ref: 'f1' })
    expect([p.state, inputs(p)]).toEqual(['undo flight', { unflight: 'f1' }])
    p.done({})
    expect([p.state, inputs(p)]).toEqual(['undo room', { unroom: 'r1' }])
    p.done({})
    expect([p.state, p.status]).toEqual(['undone', 'cancelled'])
  })
  test('while it undoes: ignored', () => {
    const p = after(1)
    p.fail('No')
    expect(p.cancel()).toMatchObject({ fate: 'ignored' })
    expect(undoAll(p)).toEqual(backFrom(1))
    expect(p.status).toBe('failed')
  })
})

describe('undos', () => {
  const skips = saga('skips', { input: z.object({ skip: z.boolean() }) })
    .step('room', {
      call: room,
      input: () => ({ n: 1 }),
      undo: { call: unroom, input: ({ input }: { input: { skip: boolean } }) => (input.skip ? null : { ref: 'r' }) },
    })
    .step('plain', { call: car, input: () => ({ n: 1 }) })
    .step('flight', { call: flight, input: () => ({ n: 1 }) })
    .done(() => 1)
  test('null: there is nothing to undo', () => {
    const p = play(skips, { skip: true })
    p.done({ ref: 'r' })
    p.done({ ref: 'c' })
    p.fail('No')
    expect([p.state, p.status, p.path]).toEqual([
      'undone',
      'failed',
      ['room', 'plain', 'flight', 'undo room', 'undone'],
    ])
  })
  test('a step without one is passed over', () => {
    const p = play(skips, { skip: false })
    p.done({ ref: 'r' })
    p.done({ ref: 'c' })
    p.fail('No')
    expect([p.state, inputs(p)]).toEqual(['undo room', { unroom: 'r' }])
  })
  test('never give up: used up, they stall; a retry or an operator ends it', () => {
    const p = after(2)
    p.fail('No', 'bus')
    p.fail('No', 'car')
    p.exhaust()
    expect([p.state, p.stalled]).toEqual(['undo flight', 'RETRIES_EXHAUSTED'])
    p.retry()
    p.done({})
    expect(p.state).toBe('undo room')
    p.exhaust()
    p.operate({ do: 'resolve', result: {} })
    expect([p.state, p.status]).toEqual(['undone', 'failed'])
  })
})

test('what the schema of the input has made is not given to it again, and what the caller gave stays as it is', () => {
  let parsed = 0
  const counted = z.object({ n: z.number() }).refine(() => (parsed += 1) > 0)
  const { schema } = definitionOf(
    saga('counted', { input: counted })
      .step('room', { call: room, input: n })
      .done(() => null),
  )
  const given = { n: 2 }
  const data = check(schema, { input: given, results: {} }, 'data') as { value: { input: object } }
  expect(data.value).toEqual({ input: { n: 2 }, results: {} })
  const later = check(schema, { ...data.value, results: { room: 1 } }, 'data') as { value: { input: object } }
  expect(later.value.input).toBe(data.value.input)
  expect(parsed).toBe(1)
  expect(Object.isFrozen(given)).toBe(false)
})
