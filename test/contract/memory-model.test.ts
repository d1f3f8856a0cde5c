import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../src/base/random.ts'
import type { Instance, MessageInput } from '../../src/core/model.ts'
import { ModelStore, memoryStore } from '../../src/store/memory/store.ts'
import type { Arrival, Reach, StoreCall } from '../../src/store/memory/reach.ts'
import { NO_CHANGE, type Change, type InboxRow, type Store } from '../../src/store/store.ts'

const clockAt = (now: number) => {
  const clock = { at: now, now: () => clock.at }
  return clock
}

const instanceAt = (k: number, more: Partial<Instance> = {}): Instance => ({
  k,
  machine: 'order',
  id: `o-${k}`,
  partition: 0,
  incarnation: `i${k}`,
  version: 1,
  status: 'live',
  state: 'a',
  seq: 1,
  entry: 1,
  enteredAt: 1,
  data: { n: k },
  dataText: JSON.stringify({ n: k }),
  calls: null,
  timers: null,
  dueAt: null,
  joined: null,
  stamp: 0,
  parent: null,
  startHash: 'h',
  stalled: null,
  correlation: 'c',
  priority: 0,
  fairKey: null,
  startedAt: 1,
  endedAt: null,
  ...more,
})

const changeOf = (more: Partial<Change> = {}): Change => ({ ...NO_CHANGE, ...more })

const message = (id: string): MessageInput => ({
  kind: 'message',
  command: true,
  type: 'go',
  version: 1,
  data: { x: 1 },
  keepMs: 1_000,
  id,
  at: 1,
  correlation: 'c',
  stamp: 0,
})
const letterFor = (id: string, priority = 0): Omit<InboxRow, 'n'> => ({
  partition: 0,
  priority,
  letter: { kind: 'input', target: { machine: 'order', id }, input: message(id) },
})

const opened = async (store: Store) => {
  await store.open({ partitions: 4 })
  const { session } = await store.openSession({ build: 'b', leaseMs: 100 })
  return session
}
const fresh = () => {
  const clock = clockAt(1_000)
  return { clock, store: memoryStore({ clock, random: seededRandom(1) }) }
}

describe('the plain door', () => {
  test('a commit under one number is applied once and answers the same places', async () => {
    const { store } = fresh()
    const session = await opened(store)
    const change = changeOf({
      created: new Set([1]),
      instances: [instanceAt(1)],
      inbox: [letterFor('a'), letterFor('b', 5)],
      counts: { x: 2 },
    })
    expect(await store.commit(session, 1, change)).toEqual({ kind: 'applied', inbox: [1, 2] })
    expect(await store.commit(session, 1, change)).toEqual({ kind: 'applied', inbox: [1, 2] })
    expect((await store.inbox([0], 10)).map((row) => row.n)).toEqual([2, 1])
    expect(await store.counts()).toEqual({ x: 2 })
    expect([await store.allot('k', 3), await store.allot('k', 1), await store.allot('waiting', 1)]).toEqual([1, 4, 1])
  })

  test('nothing is shared with what was handed in, nor with what was read before', async () => {
    const { store } = fresh()
    const session = await opened(store)
    const rows = [letterFor('a')]
    const input = (rows[0]!.letter as { input: { data: { x: number } } }).input
    await store.append(rows, {})
    input.data.x = 2
    const [read] = await store.inbox([0], 1)
    expect(read!.letter).toMatchObject({ input: { data: { x: 1 } } })
    expect(Object.isFrozen(read!.letter)).toBe(true)
    const instance = instanceAt(1, { correlation: undefined as unknown as string })
    await store.commit(session, 1, changeOf({ created: new Set([1]), instances: [instance] }))
    const [found] = await store.load([{ machine: 'order', id: 'o-1' }])
    expect('correlation' in found!.loaded!.instance).toBe(false)
    expect(found!.loaded!.instance.data).toEqual({ n: 1 })
  })

  test('a change with one row at fault leaves nothing', async () => {
    const { store } = fresh()
    const session = await opened(store)
    await store.commit(session, 1, changeOf({ created: new Set([1]), instances: [instanceAt(1)] }))
    const twice = changeOf({
      created: new Set([2, 1]),
      instances: [instanceAt(2), instanceAt(1)],
      inbox: [letterFor('a')],
      counts: { x: 1 },
    })
    expect(await store.commit(session, 2, twice)).toMatchObject({ kind: 'rejected', error: { code: 'DUPLICATE_ROW' } })
    expect(await store.commit(session, 3, changeOf({ undead: ['d'], inbox: [letterFor('a')] }))).toMatchObject({
      kind: 'rejected',
      error: { code: 'NO_DEAD_LETTER' },
    })
    expect(await store.inbox([0], 10)).toEqual([])
    expect(await store.counts()).toEqual({})
    expect((await store.load([{ machine: 'order', id: 'o-2' }]))[0]!.loaded).toBe(null)
  })

  test('a session that is over loses its partitions to the next, and its commits are fenced', async () => {
    const { store, clock } = fresh()
    const one = await opened(store)
    expect((await store.acquire(one, 3)).map((p) => p.partition)).toEqual([0, 1, 2])
    const other = store.store()
    const { session: two } = await other.openSession({ build: 'b', leaseMs: 100 })
    expect((await other.acquire(two, 4)).map((p) => p.partition)).toEqual([3])
    clock.at += 50
    expect(await other.renew(two, 100)).toEqual({ alive: true, now: 1_050, sessions: 2, partitions: 1 })
    clock.at += 51
    expect((await other.acquire(two, 4)).map((p) => p.partition)).toEqual([0, 1, 2, 3])
    expect((await store.renew(one, 100)).alive).toBe(false)
    expect(await store.commit(one, 1, changeOf({ counts: { x: 1 } }))).toEqual({ kind: 'fenced' })
    expect(await store.burn(one, 1)).toBe('fenced')
    expect(await store.counts()).toEqual({})
    await other.release(two, [1])
    expect((await store.sessions()).map((s) => [s.session, s.partitions])).toEqual([[two, 3]])
  })

  test('a burnt number is never applied; one that was applied says so', async () => {
    const { store } = fresh()
    const session = await opened(store)
    expect(await store.burn(session, 1)).toBe('burnt')
    expect(await store.burn(session, 1)).toBe('burnt')
    expect(await store.commit(session, 1, changeOf({ counts: { x: 1 } }))).toMatchObject({ kind: 'rejected' })
    await store.commit(session, 2, changeOf())
    expect(await store.burn(session, 2)).toBe('applied')
    expect(await store.counts()).toEqual({})
  })

  test('a closed store says so, another number of partitions is refused', async () => {
    const { store } = fresh()
    await opened(store)
    await expect(store.store().open({ partitions: 8 })).rejects.toMatchObject({ code: 'PARTITIONS_DIFFER' })
    await store.close()
    await expect(store.now()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await expect(store.commit('s', 1, changeOf())).rejects.toMatchObject({ code: 'STORE_CLOSED' })
    await expect(store.transaction()).rejects.toMatchObject({ code: 'STORE_CLOSED' })
  })

  test('retention carries what it deletes, so that a recount still meets the figures', async () => {
    const { store } = fresh()
    const session = await opened(store)
    const entry = {
      seq: 1,
      at: 5,
      cause: { kind: 'message', name: 'go', id: 'm', at: 5, correlation: 'c' },
      from: null,
      to: 'a',
      outcome: 'applied',
      unit: true,
      change: { n: 1 },
      removed: [],
      emitted: [],
      spawned: [],
      opened: [],
      dropped: [],
      cancelled: [],
    } as const
    await store.commit(
      session,
      1,
      changeOf({
        created: new Set([1, 2]),
        instances: [instanceAt(1, { status: 'done', endedAt: 5 }), instanceAt(2)],
        journal: [{ k: 1, entry, events: [] }],
        counts: { 'i:done:order': 1, 'i:waiting:order': 1, 'i:started:order': 2, 'm:accepted': 1, 'm:applied': 1 },
      }),
    )
    const before = await store.recount()
    expect(before.messages).toMatchObject({ accepted: 1, applied: 1 })
    expect(await store.retain(session, { endedBefore: 6, receiptsBefore: 0, limit: 10 })).toBe(2)
    expect(await store.retain(session, { endedBefore: 6, receiptsBefore: 0, limit: 10 })).toBe(0)
    const after = await store.recount()
    expect(after.messages).toEqual(before.messages)
    expect(after.instances['order']).toMatchObject({ started: 2, done: 0, waiting: 1, removed: 1 })
    expect(await store.counts()).toMatchObject({ 'i:done:order': 0, 'i:removed:order': 1, 'c:applied': 1 })
    expect(await store.journal(1, 0, 9)).toEqual([])
  })
})

/** A reach whose every step waits until the test lets it go. */
const gates = () => {
  const waiting: { step: string; call: StoreCall; go: (value: never) => void }[] = []
  const gate =
    <T>(step: string) =>
    (call: StoreCall): Promise<T> =>
      call.name === 'commit'
        ? new Promise<T>((go) => waiting.push({ step, call, go: go as (value: never) => void }))
        : Promise.resolve('ok' as T)
  const reach: Reach = {
    arrive: gate<Arrival>('arrive'),
    seen: gate<void>('seen'),
    locked: gate<void>('locked'),
    answer: gate<'ok' | 'lost'>('answer'),
    written: () => {},
    isBad: ({ id, status }) => id === 'o-666' && status !== 'stalled',
  }
  const turn = () => new Promise((resolve) => setImmediate(resolve))
  const go = async (step: string, value?: string) => {
    await turn()
    const at = waiting.findIndex((w) => w.step === step)
    if (at < 0) throw new Error(`nothing waits at ${step}, but at ${waiting.map((w) => w.step).join(', ')}`)
    waiting.splice(at, 1)[0]!.go(value as never)
    await turn()
  }
  return { reach, go, steps: () => waiting.map((w) => w.step), turn }
}
const modelled = async () => {
  const { store: plain, clock } = fresh()
  const session = await opened(plain)
  const gate = gates()
  return { plain, clock, session, gate, model: new ModelStore(plain.space, { reach: gate.reach }) }
}

describe('the model', () => {
  test('a take-over between the look and the lock fences the commit', async () => {
    const { plain, clock, session, gate, model } = await modelled()
    const commit = model.commit(session, 1, changeOf({ counts: { x: 1 } }))
    await gate.go('arrive', 'ok')
    clock.at += 500
    const { session: two } = await plain.openSession({ build: 'b', leaseMs: 100 })
    await plain.acquire(two, 4)
    await gate.go('seen')
    await gate.go('answer', 'ok')
    expect(await commit).toEqual({ kind: 'fenced' })
    expect(await plain.counts()).toEqual({})
  })

  test('a take-over waits for a commit that has its lock', async () => {
    const { plain, clock, session, gate, model } = await modelled()
    await plain.acquire(session, 4)
    const commit = model.commit(session, 1, changeOf({ heads: [{ partition: 0, head: 7, stamp: 9 }] }))
    await gate.go('arrive', 'ok')
    await gate.go('seen')
    clock.at += 500
    const { session: two } = await plain.openSession({ build: 'b', leaseMs: 100 })
    let taken: unknown
    const taking = plain.acquire(two, 1).then((heads) => (taken = heads))
    await gate.turn()
    expect(taken).toBe(undefined)
    await gate.go('locked')
    await taking
    expect(taken).toEqual([{ partition: 0, head: 7, stamp: 9 }])
    await gate.go('answer', 'ok')
    expect((await commit).kind).toBe('applied')
  })

  test('unknown now, applied later: a copy waits for the first and meets its outcome', async () => {
    const { plain, session, gate, model } = await modelled()
    const change = changeOf({ inbox: [letterFor('a')], counts: { x: 1 } })
    const first = model.commit(session, 1, change)
    await gate.go('arrive', 'late')
    expect((await first).kind).toBe('transient')
    await gate.go('seen')
    const second = model.commit(session, 1, change)
    await gate.go('arrive', 'ok')
    await gate.go('seen')
    expect(gate.steps()).toEqual(['locked'])
    await gate.go('locked')
    await gate.go('locked')
    await gate.go('answer', 'ok')
    expect(await second).toEqual({ kind: 'applied', inbox: [1] })
    expect(await plain.counts()).toEqual({ x: 1 })
  })

  test('a number that is burnt while its commit is still on the way stays burnt', async () => {
    const { plain, session, gate, model } = await modelled()
    void model.commit(session, 1, changeOf({ counts: { x: 1 } }))
    await gate.go('arrive', 'late')
    expect(await plain.burn(session, 1)).toBe('burnt')
    await gate.go('seen')
    await gate.go('locked')
    expect(await plain.counts()).toEqual({})
  })

  test('an answer that is lost was applied all the same', async () => {
    const { plain, session, gate, model } = await modelled()
    const commit = model.commit(session, 1, changeOf({ counts: { x: 1 } }))
    for (const step of ['arrive', 'seen', 'locked']) await gate.go(step, 'ok')
    await gate.go('answer', 'lost')
    expect((await commit).kind).toBe('transient')
    expect(await plain.counts()).toEqual({ x: 1 })
  })

  test('a bad row is refused with all that came with it, and can be stalled', async () => {
    const { plain, session, gate, model } = await modelled()
    const send = async (n: number, change: Change) => {
      const commit = model.commit(session, n, change)
      for (const step of ['arrive', 'seen', 'locked', 'answer']) await gate.go(step, 'ok')
      return await commit
    }
    const rows = [instanceAt(1), instanceAt(666)]
    expect((await send(1, changeOf({ created: new Set([1, 666]), instances: rows }))).kind).toBe('rejected')
    expect(plain.space.instances.size).toBe(0)
    expect(
      (await send(2, changeOf({ created: new Set([666]), instances: [instanceAt(666, { status: 'stalled' })] }))).kind,
    ).toBe('applied')
  })
})
