// The table of fates, row by row, through the public API: where a message may go, what its sender is told, what the
// journal says, what is counted.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, event, machine, service } from '../../src/index.ts'
import type { App, Message, Receipt, Service } from '../../src/index.ts'
import { HOUR, MINUTE } from '../support/hand-clock.ts'
import { deadOf, Hands, historyOf, lastRow, messagesOf, onBothStores, stateOf, type World } from '../support/world.ts'

const ofWalk = z.object({ id: z.string(), n: z.number().default(1) })
const key = (d: { id: string }): string => d.id
const Go = event('go', { data: ofWalk, key })
const Next = event('next', { data: ofWalk, key })
const Late = event('late', { data: ofWalk, key, keep: '10 minutes' })
const Never = event('never', { data: ofWalk, key })
const Begin = event('begin', { data: ofWalk, key })
const Bad = event('bad', { data: ofWalk, key })
const Told = event('told', { data: ofWalk, key: (d) => `told-${d.id}` })
const Order = command('order', { data: z.object({ n: z.number() }) })
const Open = command('open', { data: z.object({ n: z.number().default(1) }) })

/** What a callback does with `n`: throws, gives what does not fit, or gives what fits. */
function oddly(n: number): number {
  if (n === 13) throw new Error('thirteen')
  return n === 14 ? ('fourteen' as never) : n
}

/** a ──go (n > 0)──▶ b ──next──▶ c ──late──▶ c ──next──▶ end; b ──open──▶ calling ──▶ c */
function walkOf(hands: Hands) {
  const work = activity('work', {
    input: z.object({}),
    output: z.object({ n: z.number() }),
    failures: ['No'],
    retry: { attempts: 1 },
    run: hands.run,
  })
  return machine('walk', {
    data: z.object({ n: z.number().default(0), seen: z.array(z.number()).default([]) }),
    receives: [Go, Next, Late, Never, Begin, Bad, Order, Open],
    emits: [Told],
    start: { begin: ({ n }) => ({ n: oddly(n) }) },
    initial: 'a',
    groups: { early: { states: ['a', 'b'], on: { order: { if: ({ message }) => message.n === 7, to: 'c' } } } },
    states: {
      a: {
        on: {
          go: {
            if: ({ message }) => message.n > 0,
            to: 'b',
            set: ({ message }) => ({ n: message.n }),
            emit: { told: ({ id, data }) => ({ id, n: data.n }) },
          },
          never: {},
          bad: { to: 'b', set: ({ message }) => ({ n: oddly(message.n) }) },
        },
        after: { '3 hours': { to: 'b', if: ({ data }) => oddly(data.n) >= 0 } },
      },
      b: { on: { next: 'c', open: { to: 'calling', set: ({ message }) => ({ n: message.n }) } } },
      calling: {
        call: work,
        input: () => ({}),
        done: { to: 'c', set: ({ result }) => ({ n: oddly(result.n) }) },
        fail: { No: 'end' },
      },
      c: {
        on: { late: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) }, next: 'end', bad: 'odd' },
      },
      odd: { always: [{ to: 'end', set: () => ({ n: oddly(13) }) }] },
      end: { final: 'done' },
    },
  })
}

type Walk = ReturnType<typeof walkOf>
interface Scene {
  world: World
  app: App
  hands: Hands
  walk: Walk
  services: readonly Service[]
}

/** How a message comes. An event comes in all three ways, a command in two. */
const ways = ['send', 'send with an id', 'emit', 'transaction'] as const
type Way = (typeof ways)[number]
const forCommands = ['send', 'send with an id', 'transaction'] as const

/** Lets a message come. Undefined: nobody is told. */
async function come({ world, app, walk }: Scene, way: Way, message: Message): Promise<Receipt | undefined> {
  const takes = message as ReturnType<typeof Go>
  if (way === 'send') return app.send(walk, 'i', takes)
  if (way === 'send with an id') return app.send(walk, 'i', takes, { id: `own-${message.type}`, by: 'ann' })
  if (way === 'emit') return (await app.emit(message)).heard[0]
  await app.transaction((tx) => void tx.send(walk, 'i', takes))
  await world.clock.settle()
  return undefined
}

onBothStores('the table of fates', (make) => {
  async function scene(): Promise<Scene> {
    const hands = new Hands()
    const walk = walkOf(hands)
    const services = [service('s', { machines: [walk] })]
    const world = make()
    return { world, hands, walk, services, app: await world.start(services) }
  }
  async function withWalk(): Promise<Scene> {
    const s = await scene()
    await s.app.run(s.walk, { id: 'i', data: {} })
    return s
  }
  /** In `calling`, with the call open. */
  async function calling(): Promise<Scene> {
    const s = await withWalk()
    await s.app.send(s.walk, 'i', Go({ id: 'i' }))
    await s.app.send(s.walk, 'i', Open({}))
    await s.world.clock.settle()
    expect(s.hands.calls).toHaveLength(1)
    return s
  }
  /** In `calling`, since the only attempt failed: nobody says what then. */
  async function stalled(): Promise<Scene> {
    const s = await calling()
    s.hands.at(0).throw(new Error('gone'))
    await s.world.clock.settle()
    expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'stalled', state: 'calling' })
    return s
  }
  async function ended(): Promise<Scene> {
    const s = await withWalk()
    for (const message of [Go({ id: 'i' }), Next({ id: 'i' }), Next({ id: 'i' })])
      await s.app.send(s.walk, 'i', message)
    expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'done' })
    return s
  }

  describe('the state (or one of its groups) has an edge whose `if` holds: the edge is taken: applied', () => {
    test.each(ways)('of the state, by %s', async (way) => {
      const s = await withWalk()
      const receipt = await come(s, way, Go({ id: 'i', n: 3 }))
      if (receipt !== undefined)
        expect(receipt).toMatchObject({
          outcome: 'applied',
          state: 'b',
          seq: 2,
          emitted: [{ type: 'told', data: { id: 'i', n: 3 } }],
        })
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ state: 'b', data: { n: 3 }, status: 'waiting' })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({
        seq: 2,
        from: 'a',
        to: 'b',
        outcome: 'applied',
        changed: { n: 3 },
        cause: { kind: 'message', name: 'go', ...(way === 'send with an id' && { by: 'ann', id: 'own-go' }) },
        emitted: [{ type: 'told', data: { id: 'i', n: 3 } }],
      })
      // `told` was heard by nobody.
      expect(await messagesOf(s.app)).toEqual({ accepted: 2, applied: 1, unclaimed: 1 })
      expect((await s.app.counts()).instances['walk']).toMatchObject({ started: 1, waiting: 1, states: { b: 1 } })
    })
    test.each(forCommands)('of a group, by %s', async (way) => {
      const s = await withWalk()
      const receipt = await come(s, way, Order({ n: 7 }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'applied', state: 'c' })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ from: 'a', to: 'c', cause: { name: 'order' } })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, applied: 1 })
    })
  })

  describe('the state names the message, no `if` holds (in it or its groups): journalled, refused (F76)', () => {
    test.each(ways)('in the state, by %s', async (way) => {
      const s = await withWalk()
      const receipt = await come(s, way, Go({ id: 'i', n: 0 }))
      if (receipt !== undefined)
        expect(receipt).toMatchObject({ outcome: 'refused', why: 'if', state: 'a', seq: 2, emitted: [] })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ seq: 2, from: 'a', to: 'a', outcome: 'refused' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, refused: 1 })
    })
    test.each(forCommands)('in its group, by %s', async (way) => {
      const s = await withWalk()
      const receipt = await come(s, way, Order({ n: 8 }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'refused', why: 'if' })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ to: 'a', outcome: 'refused' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, refused: 1 })
    })
    test('an `ifSeq` that is another: refused, and nothing has happened', async () => {
      const s = await withWalk()
      expect(await s.app.send(s.walk, 'i', Go({ id: 'i' }), { ifSeq: 7 })).toMatchObject({
        outcome: 'refused',
        why: 'seq',
        state: 'a',
      })
      expect(await s.app.send(s.walk, 'i', Go({ id: 'i' }), { ifSeq: 2 })).toMatchObject({ outcome: 'applied' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 3, refused: 1, applied: 1, unclaimed: 1 })
    })
  })

  describe("`'x': {}`, or no reachable state names it: journalled, ignored", () => {
    test.each(ways)("`'x': {}`, by %s", async (way) => {
      const s = await withWalk()
      const receipt = await come(s, way, Never({ id: 'i' }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'ignored', state: 'a', seq: 2, emitted: [] })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ from: 'a', to: 'a', outcome: 'ignored' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, ignored: 1 })
    })
    test.each(ways)('no state that can be reached names it, by %s', async (way) => {
      const s = await withWalk()
      await s.app.send(s.walk, 'i', Order({ n: 7 }))
      const receipt = await come(s, way, Go({ id: 'i' }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'ignored', state: 'c' })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ to: 'c', outcome: 'ignored' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 2, applied: 1, ignored: 1 })
    })
  })

  describe('a reachable state names it, or an open call must settle first: deferred, tried again after every transition', () => {
    test.each(ways)('a reachable state names it, by %s', async (way) => {
      const s = await withWalk()
      const receipt = await come(s, way, Late({ id: 'i', n: 5 }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'deferred', state: 'a', seq: 1 })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, waiting: 1 })
      await s.app.send(s.walk, 'i', Go({ id: 'i' }))
      expect(await messagesOf(s.app)).toMatchObject({ waiting: 1 })
      await s.app.send(s.walk, 'i', Next({ id: 'i' }))
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ state: 'c', data: { seen: [5] } })
      expect(await messagesOf(s.app)).toEqual({ accepted: 4, applied: 3, unclaimed: 1 })
      // Where it had an id of its own its receipt tells what became of it by now.
      if (way === 'send with an id')
        expect(await come(s, way, Late({ id: 'i', n: 5 }))).toMatchObject({ outcome: 'duplicate', became: 'applied' })
    })
    test.each(ways)('an open call must settle first, by %s', async (way) => {
      const s = await calling()
      const receipt = await come(s, way, Next({ id: 'i' }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'deferred', state: 'calling' })
      s.hands.at(0).answer({ n: 2 })
      await s.world.clock.settle()
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ state: 'end', status: 'done', data: { n: 2 } })
      expect((await historyOf(s.app, s.walk, 'i')).map((row) => row.to)).toEqual(['a', 'b', 'calling', 'c', 'end'])
    })
  })

  describe('the instance has ended: journalled', () => {
    test.each(ways)('an event is ignored, by %s', async (way) => {
      const s = await ended()
      const receipt = await come(s, way, Go({ id: 'i' }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'ignored', state: 'end' })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ from: 'end', to: 'end', outcome: 'ignored' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 5, applied: 3, ignored: 1, unclaimed: 1 })
    })
    test.each(forCommands)('the sender of a command learns the end state, by %s', async (way) => {
      const s = await ended()
      const receipt = await come(s, way, Order({ n: 7 }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'refused', why: 'ended', state: 'end' })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ to: 'end', outcome: 'refused' })
      expect(await messagesOf(s.app)).toMatchObject({ refused: 1 })
    })
    test('a cancel is refused', async () => {
      const s = await ended()
      expect(await s.app.get(s.walk, 'i').cancel({ why: 'late', by: 'ann' })).toMatchObject({
        outcome: 'refused',
        why: 'ended',
      })
      expect(await lastRow(s.app, s.walk, 'i')).toMatchObject({ outcome: 'refused', by: 'ann', why: 'late' })
    })
  })

  describe('the instance is stalled: it waits, in order, until an operator has settled it', () => {
    test.each(ways)('by %s', async (way) => {
      const s = await stalled()
      const receipt = await come(s, way, Late({ id: 'i', n: 1 }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'deferred', state: 'calling' })
      await s.app.send(s.walk, 'i', Late({ id: 'i', n: 2 }))
      // Its `keep` of 10 minutes does not run meanwhile.
      await s.world.clock.leap(24 * HOUR)
      expect(await messagesOf(s.app)).toMatchObject({ waiting: 2 })
      await s.app.operate.resolve(s.walk, 'i', { result: { n: 4 }, why: 'told by phone', by: 'ann' })
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ state: 'c', data: { n: 4, seen: [1, 2] } })
      expect((await messagesOf(s.app)).waiting).toBeUndefined()
    })
  })

  describe('unknown instance', () => {
    test.each(ways)('`start` declares it: created, by %s', async (way) => {
      const s = await scene()
      const receipt = await come(s, way, Begin({ id: 'i', n: 6 }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'applied', state: 'a', seq: 1 })
      expect(await historyOf(s.app, s.walk, 'i')).toMatchObject([
        { seq: 1, from: null, to: 'a', cause: { kind: 'start', name: 'begin' }, changed: { n: 6, seen: [] } },
      ])
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, applied: 1 })
      expect((await s.app.counts()).instances['walk']).toMatchObject({ started: 1, waiting: 1 })
    })
    test.each(ways)('an event waits for its `keep`, then it is dropped and counted unclaimed, by %s', async (way) => {
      const s = await scene()
      const receipt = await come(s, way, Late({ id: 'i' }))
      if (receipt !== undefined) expect(receipt).toMatchObject({ outcome: 'deferred' })
      expect(receipt?.state).toBeUndefined()
      await s.world.clock.leap(10 * MINUTE - 1_000)
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, waiting: 1 })
      await s.world.clock.advance(2_000)
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, unclaimed: 1 })
      await s.app.run(s.walk, { id: 'i', data: {} })
      expect(await historyOf(s.app, s.walk, 'i')).toHaveLength(1)
    })
    test('the sender of a command is told, and nothing was accepted', async () => {
      const s = await scene()
      await expect(s.app.send(s.walk, 'i', Order({ n: 1 }))).rejects.toMatchObject({
        code: 'UNKNOWN_INSTANCE',
        messageId: expect.any(String) as string,
      })
      await expect(s.app.send(s.walk, 'i', Order({ n: 1 }), { id: 'own' })).rejects.toMatchObject({
        code: 'UNKNOWN_INSTANCE',
        messageId: 'own',
      })
      expect(await messagesOf(s.app)).toEqual({})
      expect(await deadOf(s.app)).toEqual([])
      // The id is free: when there is an instance the same order is applied.
      await s.app.run(s.walk, { id: 'i', data: {} })
      expect(await s.app.send(s.walk, 'i', Order({ n: 7 }), { id: 'own' })).toMatchObject({ outcome: 'applied' })
    })
    test.each(['stored', 'transaction'])('a command is a dead letter where nobody waits: %s', async (way) => {
      const s = await scene()
      if (way === 'stored') await s.app.send(s.walk, 'i', Order({ n: 1 }), { until: 'stored' })
      else await s.app.transaction((tx) => void tx.send(s.walk, 'i', Order({ n: 1 })))
      await s.world.clock.settle()
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, dead: 1 })
      expect(await deadOf(s.app)).toEqual([{ code: 'UNKNOWN_INSTANCE', type: 'order', machine: 'walk', instance: 'i' }])
    })
    test('a cancel and an operator are told', async () => {
      const s = await scene()
      await expect(s.app.get(s.walk, 'i').cancel({ why: 'x' })).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
      await expect(s.app.operate.retry(s.walk, 'i', { why: 'x' })).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
      await expect(s.app.get(s.walk, 'i').state()).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    })
  })

  describe('deferred longer than `keep`, or too many: dead letter', () => {
    test.each(ways)('KEPT_TOO_LONG, by %s', async (way) => {
      const s = await withWalk()
      await come(s, way, Late({ id: 'i' }))
      await s.world.clock.leap(10 * MINUTE - 1_000)
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, waiting: 1 })
      await s.world.clock.advance(2_000)
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, dead: 1 })
      expect(await deadOf(s.app)).toEqual([{ code: 'KEPT_TOO_LONG', type: 'late', machine: 'walk', instance: 'i' }])
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'waiting', state: 'a' })
    })
    test('WAITING_FULL: the 101st, and its sender is told (F79)', async () => {
      const s = await withWalk()
      for (let n = 0; n < 100; n++)
        expect(await s.app.send(s.walk, 'i', Late({ id: 'i', n }))).toMatchObject({ outcome: 'deferred' })
      await expect(s.app.send(s.walk, 'i', Late({ id: 'i', n: 100 }), { id: 'own' })).rejects.toMatchObject({
        code: 'WAITING_FULL',
        messageId: 'own',
      })
      expect(await messagesOf(s.app)).toEqual({ accepted: 101, waiting: 100, dead: 1 })
      await s.app.send(s.walk, 'i', Order({ n: 7 }))
      const { data } = await stateOf(s.app, s.walk, 'i')
      expect(data.seen).toEqual(Array.from({ length: 100 }, (_, n) => n))
    })
    test('WAITING_FULL: the 101st for an instance that is not there', async () => {
      const s = await scene()
      for (let n = 0; n < 100; n++) await s.app.emit(Late({ id: 'i', n }))
      await expect(s.app.emit(Late({ id: 'i', n: 100 }))).rejects.toMatchObject({ code: 'WAITING_FULL' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 101, waiting: 100, dead: 1 })
    })
    test('WAITING_FULL: 256 KB', async () => {
      const Big = event('big', { data: z.object({ id: z.string(), text: z.string() }), key })
      const box = machine('box', {
        data: z.object({}),
        receives: [Big, Go],
        initial: 'a',
        states: { a: { on: { go: 'b' } }, b: { on: { big: 'end' } }, end: { final: 'done' } },
      })
      const world = make()
      const app = await world.start([service('s', { machines: [box] })])
      await app.run(box, { id: 'i', data: {} })
      const text = 'x'.repeat(100_000)
      for (let n = 0; n < 2; n++) await app.send(box, 'i', Big({ id: 'i', text }))
      await expect(app.send(box, 'i', Big({ id: 'i', text }))).rejects.toMatchObject({ code: 'WAITING_FULL' })
      expect(await messagesOf(app)).toEqual({ accepted: 3, waiting: 2, dead: 1 })
    })
  })

  describe('the payload does not fit, a handler throws or returns what does not fit: dead letter at once, the instance goes on', () => {
    test.each(['send', 'send with an id', 'transaction'] as const)('the payload does not fit, by %s', async (way) => {
      const s = await withWalk()
      const bad = { type: 'go', data: { id: 'i', n: 'three' } } as never
      if (way === 'transaction') await come(s, way, bad)
      else await expect(come(s, way, bad)).rejects.toMatchObject({ code: 'BAD_DATA' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, dead: 1 })
      expect(await deadOf(s.app)).toEqual([{ code: 'BAD_DATA', type: 'go', machine: 'walk', instance: 'i' }])
      expect(await historyOf(s.app, s.walk, 'i')).toHaveLength(1)
    })
    test('an event that does not fit has no key, so it never comes in: its sender is told', async () => {
      const s = await withWalk()
      const bad = { type: 'go', data: { id: 'i', n: 'three' } }
      await expect(s.app.emit(bad, { id: 'own' })).rejects.toMatchObject({ code: 'BAD_DATA', messageId: 'own' })
      await expect(s.app.emit({ type: 'go', data: { id: '' } })).rejects.toMatchObject({ code: 'BAD_DATA' })
      expect(await messagesOf(s.app)).toEqual({})
    })
    test.each([
      ['throws', 13],
      ['returns what does not fit', 14],
    ])('a handler %s', async (_, n) => {
      for (const way of ways) {
        const s = await withWalk()
        if (way === 'transaction') await come(s, way, Bad({ id: 'i', n }))
        else
          await expect(come(s, way, Bad({ id: 'i', n })), way).rejects.toMatchObject({
            code: 'HANDLER_FAILED',
            message: expect.stringContaining('walk "i", state "a"') as string,
            messageId: expect.any(String) as string,
          })
        expect(await messagesOf(s.app), way).toEqual({ accepted: 1, dead: 1 })
        expect(await deadOf(s.app)).toEqual([{ code: 'HANDLER_FAILED', type: 'bad', machine: 'walk', instance: 'i' }])
        expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'waiting', state: 'a', seq: 1 })
        expect(await s.app.send(s.walk, 'i', Go({ id: 'i' }))).toMatchObject({ outcome: 'applied' })
      }
    })
  })

  describe('a handler throws on a result, a timer or a child’s notice: the instance stalls, that message kept', () => {
    test.each([
      ['throws', 13],
      ['returns what does not fit', 14],
    ])('on a result it %s', async (_, n) => {
      const s = await calling()
      s.hands.at(0).answer({ n })
      await s.world.clock.settle()
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({
        status: 'stalled',
        state: 'calling',
        stalled: { code: 'HANDLER_FAILED' },
      })
      // The result is kept: a retry meets it again, and calls nobody.
      await s.app.operate.retry(s.walk, 'i', { why: 'perhaps now' })
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'stalled' })
      expect(s.hands.calls).toHaveLength(1)
      await s.app.operate.resolve(s.walk, 'i', { failure: 'No', why: 'by phone' })
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'done', state: 'end' })
    })
    test('on a timer', async () => {
      const s = await scene()
      await s.app.run(s.walk, { id: 'i', data: { n: 13 } })
      await s.world.clock.leap(3 * HOUR + 1_000)
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({
        status: 'stalled',
        state: 'a',
        stalled: { code: 'HANDLER_FAILED' },
      })
      expect((await s.app.counts()).instances['walk']).toMatchObject({ stalled: 1, waiting: 0, states: { a: 1 } })
      await s.app.operate.move(s.walk, 'i', { to: 'b', data: { n: 1 }, payload: Go({ id: 'i' }).data, why: 'mended' })
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ status: 'waiting', state: 'b', data: { n: 1 } })
    })
  })

  describe('a handler throws on entry or in `always`: the whole transition is undone, its cause decides', () => {
    test.each(ways)('a message is a dead letter, by %s', async (way) => {
      const s = await withWalk()
      await s.app.send(s.walk, 'i', Order({ n: 7 }))
      if (way === 'transaction') await come(s, way, Bad({ id: 'i' }))
      else await expect(come(s, way, Bad({ id: 'i' }))).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
      expect(await stateOf(s.app, s.walk, 'i')).toMatchObject({ state: 'c', seq: 2, status: 'waiting' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 2, applied: 1, dead: 1 })
    })
    test.each(ways)('a start is a dead letter, and nothing is created, by %s', async (way) => {
      const s = await scene()
      if (way === 'transaction') await come(s, way, Begin({ id: 'i', n: 13 }))
      else await expect(come(s, way, Begin({ id: 'i', n: 13 }))).rejects.toMatchObject({ code: 'HANDLER_FAILED' })
      expect(await messagesOf(s.app)).toEqual({ accepted: 1, dead: 1 })
      expect((await s.app.counts()).instances['walk']).toMatchObject({ started: 0 })
      await expect(s.app.get(s.walk, 'i').state()).rejects.toMatchObject({ code: 'UNKNOWN_INSTANCE' })
    })
    test('`run` with data that do not fit: its caller is told, and nothing is kept', async () => {
      const s = await scene()
      await expect(s.app.run(s.walk, { id: 'i', data: { n: 'x' as never } })).rejects.toMatchObject({
        code: 'BAD_DATA',
      })
      expect(await messagesOf(s.app)).toEqual({})
      expect((await s.app.counts()).instances['walk']).toMatchObject({ started: 0 })
    })
  })

  describe('this build does not know the machine, type or version: parked, never a dead letter', () => {
    test('the type: it waits for a build that knows it, and is applied there', async () => {
      const s = await scene()
      const small = machine('walk', {
        data: z.object({ n: z.number().default(0), seen: z.array(z.number()).default([]) }),
        receives: [Begin],
        start: { begin: ({ n }) => ({ n }) },
        initial: 'a',
        states: { a: { on: { begin: 'end' } }, end: { final: 'done' } },
      })
      await s.app.transaction((tx) => void tx.send(s.walk, 'i', Go({ id: 'i', n: 4 })))
      await s.world.clock.settle()
      await s.world.stop(s.app)
      const old = await s.world.start([service('s', { machines: [small] })])
      await old.run(small, { id: 'i', data: {} })
      expect(await messagesOf(old)).toEqual({ accepted: 1, waiting: 1 })
      await s.world.clock.leap(10 * MINUTE)
      expect(await messagesOf(old)).toEqual({ accepted: 1, waiting: 1 })
      await s.world.stop(old)
      const app = await s.world.start(s.services)
      await s.world.clock.leap(10 * MINUTE)
      expect(await stateOf(app, s.walk, 'i')).toMatchObject({ state: 'b', data: { n: 4 } })
    })
  })
})
