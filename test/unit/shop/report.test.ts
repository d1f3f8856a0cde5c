import type { Counts } from 'pawl'
import { expect, test } from 'vitest'
import { auditOrder, compare } from '../../../examples/shop/report.ts'

const all = ['warehouse.reserve', 'bank.charge', 'courier.book', 'courier.collect', 'post.mail']
const once = (...acts: string[]) => new Map(acts.map((act) => [act, 1]))

test('a fulfilled order has each of its effects once', () => {
  expect(auditOrder('o', 'done', once(...all))).toEqual([])
  expect(auditOrder('o', 'done', once(...all.slice(1)))).toEqual(['order o is done without warehouse.reserve'])
  expect(auditOrder('o', 'done', undefined)).toHaveLength(5)
  expect(auditOrder('o', 'done', new Map([...once(...all), ['bank.charge', 2]]))).toEqual([
    'order o has bank.charge under 2 keys',
  ])
})

test('an order that was undone keeps no effect but the letter that says so', () => {
  for (const ended of ['failed', 'cancelled'] as const) {
    expect(auditOrder('o', ended, once('post.mail'))).toEqual([])
    expect(auditOrder('o', ended, once('post.mail', 'bank.charge'))).toEqual([
      `order o is ${ended}, and bank.charge still stands`,
    ])
    expect(auditOrder('o', ended, undefined)).toEqual([`order o is ${ended} without post.mail`])
  }
})

test('figures and recount are compared number by number', () => {
  const none = {
    started: 0,
    running: 0,
    waiting: 0,
    stalled: 0,
    done: 0,
    failed: 0,
    cancelled: 0,
    removed: 0,
    states: {},
  }
  const messages = {
    accepted: 3,
    applied: 3,
    ignored: 0,
    refused: 0,
    unclaimed: 0,
    waiting: 0,
    pending: 0,
    dead: 0,
    discarded: 0,
  }
  const counts = (done: number, applied: number): Counts => ({
    instances: { order: { ...none, started: 1, done, states: applied === 3 ? {} : { reserve: 0 } } },
    messages: { ...messages, applied },
  })
  expect(compare(counts(1, 3), counts(1, 3))).toEqual([])
  expect(compare(counts(1, 3), counts(0, 2))).toEqual([
    'instances order done: the figures say 1, the tables 0',
    'messages applied: the figures say 3, the tables 2',
  ])
})
