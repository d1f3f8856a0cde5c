// How an instance begins.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { machine } from '../../../src/machine/machine.ts'
import { command, event } from '../../../src/machine/message.ts'
import { play, START_MS } from '../../support/play.ts'

const Placed = event('placed', { data: z.object({ sku: z.string() }), key: () => 'i1' })
const Open = command('open', { data: z.object({ sku: z.string() }) })
const Told = event('told', { data: z.object({ sku: z.string() }), key: (data) => data.sku })
const order = machine('order', {
  version: 3,
  data: z.object({ sku: z.string().trim().min(1), n: z.number().default(1) }),
  receives: [Placed, Open],
  emits: [Told],
  start: {
    placed: ({ sku }) => ({ sku }),
    open: ({ sku }) => {
      if (sku === 'boom') throw new Error('no')
      return { sku }
    },
  },
  initial: 'a',
  priority: 4,
  fairBy: ({ data }) => {
    if (data.sku === 'unfair') throw new Error('no key')
    return data.sku
  },
  states: {
    a: {
      on: { placed: { set: ({ message }) => ({ sku: message.sku }) } },
      emit: { told: ({ data }) => ({ sku: data.sku }) },
      after: { '1 day': 'end' },
    },
    end: { final: 'done' },
  },
})
const fresh = () => play(order, {}, { start: false })

test('by `run`: all that an instance is', () => {
  const p = play(order, { sku: ' mug ' })
  const { incarnation, startHash, ...rest } = p.instance!
  expect(rest).toEqual({
    k: 7,
    machine: 'order',
    id: 'i1',
    partition: 3,
    version: 3,
    status: 'live',
    state: 'a',
    seq: 1,
    entry: 1,
    enteredAt: START_MS,
    data: { sku: 'mug', n: 1 },
    dataText: '{"sku":"mug","n":1}',
    calls: null,
    joined: null,
    timers: { '1 day': { due: START_MS + 86_400_000, entry: 1 } },
    dueAt: START_MS + 86_400_000,
    stamp: 0,
    parent: null,
    stalled: null,
    correlation: 'c',
    priority: 4,
    fairKey: 'mug',
    startedAt: START_MS,
    endedAt: null,
  })
  expect([incarnation.length, startHash.length]).toEqual([26, 22])
  expect(p.journal).toMatchObject([
    {
      seq: 1,
      from: null,
      to: 'a',
      outcome: 'applied',
      unit: false,
      change: { sku: 'mug', n: 1 },
      removed: [],
      cause: { kind: 'start', name: 'run' },
    },
  ])
  expect(p.emitted).toEqual([{ type: 'told', data: { sku: 'mug' }, key: 'mug' }])
})

describe('the same id again', () => {
  test.each([
    ['the same input', { sku: 'mug' }, 'exists'],
    ['the same, as the schema reads it', { n: 1, sku: ' mug' }, 'exists'],
    ['other input', { sku: 'mug', n: 2 }, 'conflict'],
  ])('%s: %s', (_, data, fate) => {
    const p = play(order, { sku: 'mug' })
    p.send(Placed({ sku: 'cup' }))
    const { instance } = p
    expect(p.run(data)).toMatchObject({ fate, created: false, journal: [] })
    expect(p.instance).toEqual(instance)
  })
  test('also after it has ended', () => {
    const p = play(order, { sku: 'mug' })
    p.after(86_400_000)
    expect(p.run({ sku: 'mug' })).toMatchObject({ fate: 'exists' })
  })
  test('of a newer version of the machine: this build does not know', () => {
    const p = play(order, { sku: 'mug' })
    p.instance = { ...p.instance!, version: 4 }
    expect(p.run({ sku: 'mug' })).toMatchObject({ fate: 'build' })
  })
})

describe('input that does not fit', () => {
  test.each([{ sku: '' }, { sku: 5 }, null, 'text', undefined])('%o: dead, BAD_DATA', (data) => {
    const p = fresh()
    expect(p.run(data)).toMatchObject({ fate: 'dead', code: 'BAD_DATA', instance: null, created: false, journal: [] })
    expect(play(order, { sku: 'mug' }).run(data)).toMatchObject({ fate: 'dead', code: 'BAD_DATA' })
  })
  test('too much', () => {
    expect(fresh().run({ sku: 'x'.repeat(300_000) })).toMatchObject({ fate: 'dead', instance: null })
  })
  test('what is derived from it fails', () => {
    expect(fresh().run({ sku: 'unfair' })).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', instance: null })
  })
})

describe('by message', () => {
  test('event or command', () => {
    for (const message of [Placed({ sku: 'mug' }), Open({ sku: 'mug' })]) {
      const p = fresh()
      expect(p.send(message)).toMatchObject({ fate: 'applied', created: true })
      expect(p.row).toMatchObject({ unit: true, cause: { kind: 'start', name: message.type } })
      expect(p.data).toEqual({ sku: 'mug', n: 1 })
    }
  })
  test('the same as `run` with that input', () => {
    const p = fresh()
    p.send(Placed({ sku: 'mug' }))
    expect(p.run({ sku: 'mug' })).toMatchObject({ fate: 'exists' })
  })
  test('to one that is there it is a message like any other', () => {
    const p = fresh()
    p.send(Placed({ sku: 'mug' }))
    expect(p.send(Placed({ sku: 'cup' }))).toMatchObject({ fate: 'applied', created: false })
    expect(p.data['sku']).toBe('cup')
    expect(p.send(Open({ sku: 'x' }))).toMatchObject({ fate: 'ignored' })
  })
  test('what `start` makes of it does not fit, or it throws: dead', () => {
    expect(fresh().send(Open({ sku: '' }))).toMatchObject({ fate: 'dead', code: 'BAD_DATA', instance: null })
    expect(fresh().send(Open({ sku: 'boom' }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED', instance: null })
    expect(fresh().send({ type: 'open', data: {} })).toMatchObject({ fate: 'dead', code: 'BAD_DATA', instance: null })
  })
  test('of a newer build: parked', () => {
    expect(fresh().send(Open({ sku: 'mug' }), { version: 2 })).toMatchObject({ fate: 'build', instance: null })
    expect(fresh().send({ type: 'unheard', data: {} })).toMatchObject({ fate: 'build', instance: null })
  })
})

test('the fairness key follows the data', () => {
  const p = play(order, { sku: 'mug' })
  p.send(Placed({ sku: 'cup' }))
  expect(p.instance?.fairKey).toBe('cup')
  expect(p.send(Placed({ sku: 'unfair' }))).toMatchObject({ fate: 'dead', code: 'HANDLER_FAILED' })
  expect([p.instance?.fairKey, p.data['sku']]).toEqual(['cup', 'cup'])
})

test('a start carries its stamp', () => {
  const p = fresh()
  p.dispatch({ ...p.base(), kind: 'start', data: { sku: 'mug' }, stamp: 88 })
  expect(p.instance?.stamp).toBe(88)
})
