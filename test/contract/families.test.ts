// Parents and their children end to end: started, adopted, followed, restarted, cancelled.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, command, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import { DAY, MINUTE, SECOND } from '../support/hand-clock.ts'
import { Hands, historyOf, instancesOf, lastRow, messagesOf, onBothStores, stateOf } from '../support/world.ts'

const Tell = command('tell', { data: z.object({ to: z.enum(['ready', 'broken', 'gone', 'calling']) }) })
const Scale = command('scale', { data: z.object({ nodes: z.array(z.string()) }) })
const Look = command('look', { data: z.object({}) })
const Drop = command('drop', { data: z.object({}) })

function familyOf(hands: Hands, more: { restart?: boolean; onCancel?: 'keep' | 'cancel' } = {}) {
  const boot = activity('boot', {
    input: z.object({}),
    output: z.object({}),
    retry: { attempts: 1 },
    timeout: '10 days',
    run: hands.run,
  })
  const node = machine('node', {
    data: z.object({ size: z.number().max(9).default(1), told: z.number().default(0) }),
    receives: [Tell],
    initial: 'booting',
    states: {
      booting: {
        on: {
          tell: [
            { if: ({ message }) => message.to === 'ready', to: 'ready' },
            { if: ({ message }) => message.to === 'gone', to: 'gone' },
            { if: ({ message }) => message.to === 'calling', to: 'calling' },
          ],
        },
      },
      calling: { call: boot, input: () => ({}), done: 'ready' },
      ready: {
        on: {
          tell: [
            { if: ({ message }) => message.to === 'broken', to: 'broken' },
            { if: ({ message }) => message.to === 'gone', to: 'gone' },
            { if: ({ message }) => message.to === 'calling', to: 'calling' },
            { set: ({ data }) => ({ told: data.told + 1 }) },
          ],
        },
      },
      broken: { on: { tell: { to: 'ready' } } },
      gone: { final: 'done' },
    },
  })
  const pool = machine('pool', {
    data: z.object({
      nodes: z.array(z.string()),
      size: z.number().default(1),
      seen: z.array(z.string()).default([]),
      now: z.array(z.string()).default([]),
    }),
    receives: [Scale, Look, Drop],
    children: {
      nodes: {
        of: node,
        each: ({ data }) => data.nodes.map((id) => ({ id, data: { size: data.size } })),
        restart: more.restart ?? false,
        onCancel: more.onCancel ?? 'keep',
      },
    },
    initial: 'scaling',
    states: {
      scaling: {
        until: {
          nodes: {
            all: 'ready',
            any: {
              broken: { set: ({ data, child }) => ({ seen: [...data.seen, `${child.id} ${child.state}`] }) },
              gone: { to: 'degraded', set: ({ data, child }) => ({ seen: [...data.seen, `${child.id} gone`] }) },
            },
          },
        },
        done: {
          to: 'up',
          set: ({ children }) => ({ now: children.nodes.map((n) => `${n.id} ${n.state} ${n.status} ${n.data.told}`) }),
        },
        on: { scale: { to: 'scaling', set: ({ message }) => ({ nodes: message.nodes }) } },
      },
      up: {
        until: { nodes: { any: { broken: 'degraded', gone: 'degraded' } } },
        on: {
          scale: { to: 'scaling', set: ({ message }) => ({ nodes: message.nodes }) },
          look: 'looking',
          drop: 'end',
        },
      },
      looking: {
        until: {
          nodes: {
            spawn: false,
            all: ['ready', 'broken', 'calling', 'gone'],
            if: ({ child }) => child.status !== 'stalled',
            any: { gone: {} },
          },
        },
        done: 'up',
      },
      degraded: {
        on: {
          scale: { to: 'scaling', set: ({ message }) => ({ nodes: message.nodes }) },
          look: 'looking',
          drop: 'end',
        },
      },
      end: { final: 'done' },
    },
  })
  return { node, pool, services: [service('s', { machines: [node, pool] })] }
}

onBothStores('families', (make, kind) => {
  async function scene(more: Parameters<typeof familyOf>[1] = {}, tuning = {}) {
    const hands = new Hands()
    const family = familyOf(hands, more)
    const world = make({ tuning })
    const app = await world.start(family.services)
    const tell = async (id: string, to: 'ready' | 'broken' | 'gone' | 'calling', by: App = app) => {
      const receipt = await by.send(family.node, id, Tell({ to }))
      await world.clock.settle()
      return receipt
    }
    return { ...family, hands, world, app, clock: world.clock, tell }
  }
  type Scene = Awaited<ReturnType<typeof scene>>
  async function up(nodes: readonly string[], more: Parameters<typeof familyOf>[1] = {}): Promise<Scene> {
    const s = await scene(more)
    await s.app.run(s.pool, { id: 'p', data: { nodes: [...nodes] } })
    for (const id of nodes) await s.tell(id, 'ready')
    expect(await stateOf(s.app, s.pool, 'p')).toMatchObject({ state: 'up' })
    return s
  }
  const pool = (s: Scene, app = s.app) => stateOf(app, s.pool, 'p')

  test('a large one: `each` is asked for new data, not for every notice of every child', async () => {
    let asked = 0
    const leaf = machine('leaf', {
      data: z.object({}),
      initial: 'a',
      states: { a: { always: [{ to: 'b' }] }, b: { after: { '1 minute': 'c' } }, c: { final: 'done' } },
    })
    const tree = machine('tree', {
      data: z.object({ size: z.number() }),
      children: {
        leaves: {
          of: leaf,
          each: ({ data }) => {
            asked += 1
            return Array.from({ length: data.size }, (_, i) => ({ id: `l${i}`, data: {} }))
          },
        },
      },
      initial: 'growing',
      states: {
        growing: {
          until: { leaves: { all: 'b', any: { c: {} } } },
          done: { to: 'grown', set: ({ data }) => ({ size: data.size - 1 }) },
        },
        grown: { until: { leaves: { all: 'c' } }, done: 'end' },
        end: { final: 'done' },
      },
    })
    const world = make()
    const app = await world.start([service('s', { machines: [leaf, tree] })])
    await app.run(tree, { id: 't', data: { size: 300 } })
    await world.clock.settle()
    expect(await stateOf(app, tree, 't')).toMatchObject({ state: 'grown' })
    await world.clock.advance(MINUTE + SECOND)
    expect(await stateOf(app, tree, 't')).toMatchObject({ state: 'end', data: { size: 299 } })
    expect(asked).toBeLessThan(20)
  })
  test('`each` is asked again for the same data where it looks at more than them', async () => {
    const { node } = familyOf(new Hands())
    const site = machine('site', {
      data: z.object({}),
      children: {
        first: { of: node, each: () => [{ id: 'x', data: {} }] },
        meanwhile: {
          of: node,
          each: (given) => {
            const { children } = given as unknown as { children: { first: readonly { state: string }[] } }
            return children.first.some(({ state }) => state === 'ready') ? [] : [{ id: 'y', data: {} }]
          },
        },
      },
      initial: 'a',
      states: {
        a: {
          until: { first: { all: 'ready', any: { gone: {} } }, meanwhile: { all: 'ready', any: { gone: {} } } },
          done: 'b',
        },
        b: { final: 'done' },
      },
    })
    const world = make()
    const app = await world.start([service('s', { machines: [node, site] })])
    await app.run(site, { id: 's', data: {} })
    expect(await stateOf(app, node, 'y')).toMatchObject({ state: 'booting' })
    await app.send(node, 'y', Tell({ to: 'calling' }))
    expect(await stateOf(app, site, 's')).toMatchObject({ state: 'a' })
    await app.send(node, 'x', Tell({ to: 'ready' }))
    expect(await stateOf(app, site, 's')).toMatchObject({ state: 'b' })
  })
  test.each([
    ['in the same commit', {}],
    ['over the inbox', { allRemote: true, batchItems: 1 }],
  ])(
    'children are started with their data, followed, and the parent goes on when all are there: %s',
    async (_, tuning) => {
      const s = await scene({}, tuning)
      await s.app.run(s.pool, { id: 'p', data: { nodes: ['a', 'b'], size: 3 } })
      await s.clock.settle()
      for (const id of ['a', 'b'])
        expect(await stateOf(s.app, s.node, id)).toMatchObject({ state: 'booting', data: { size: 3, told: 0 } })
      await s.tell('a', 'ready')
      expect((await pool(s)).state).toBe('scaling')
      await s.tell('b', 'ready')
      expect(await pool(s)).toMatchObject({ state: 'up', data: { now: ['a ready waiting 0', 'b ready waiting 0'] } })
      expect(await instancesOf(s.app, s.node)).toMatchObject({ started: 2, waiting: 2 })
      // Notices are no messages.
      expect(await messagesOf(s.app)).toEqual({ accepted: 2, applied: 2 })
    },
  )
  test('a cause and what follows from it in another generation have one correlation', async () => {
    const s = await scene()
    await s.app.run(s.pool, { id: 'p', data: { nodes: ['a'] } })
    const [parent, child] = [(await historyOf(s.app, s.pool, 'p'))[0], (await historyOf(s.app, s.node, 'a'))[0]]
    expect(child?.cause.correlation).toBe(parent?.cause.correlation)
  })
  test('a child that comes to a state is seen, each arrival once', async () => {
    const s = await scene()
    await s.app.run(s.pool, { id: 'p', data: { nodes: ['a', 'b'] } })
    await s.tell('a', 'ready')
    await s.tell('a', 'broken')
    await s.tell('a', 'ready')
    await s.tell('a', 'broken')
    expect(await pool(s)).toMatchObject({ state: 'scaling', data: { seen: ['a broken', 'a broken'] } })
  })
  test('several steps of a child in one batch are one notice: its last state counts', async () => {
    const s = await scene()
    await s.app.run(s.pool, { id: 'p', data: { nodes: ['a', 'b'] } })
    await Promise.all(
      (['ready', 'broken', 'ready', 'ready', 'ready'] as const).map((to) => s.app.send(s.node, 'a', Tell({ to }))),
    )
    await s.clock.settle()
    expect(await pool(s)).toMatchObject({ state: 'scaling', data: { seen: [] } })
    expect(await historyOf(s.app, s.node, 'a')).toHaveLength(6)
    await s.tell('b', 'ready')
    expect((await pool(s)).data.now).toEqual(['a ready waiting 2', 'b ready waiting 0'])
  })
  test('many children', async () => {
    const s = await scene()
    const nodes = Array.from({ length: 300 }, (_, n) => `n${n}`)
    await s.app.run(s.pool, { id: 'p', data: { nodes } })
    await Promise.all(nodes.map((id) => s.app.send(s.node, id, Tell({ to: 'ready' }))))
    await s.clock.settle()
    expect((await pool(s)).state).toBe('up')
    expect((await pool(s)).data.now).toHaveLength(300)
  })

  describe('who is there already', () => {
    test('one of nobody: the parent stalls, CHILD_TAKEN, and it is left alone', async () => {
      const s = await scene()
      await s.app.run(s.node, { id: 'a', data: { size: 7 } })
      await s.app.run(s.pool, { id: 'p', data: { nodes: ['a', 'b'] } })
      await s.clock.settle()
      expect(await pool(s)).toMatchObject({
        status: 'stalled',
        stalled: { code: 'CHILD_TAKEN', message: expect.stringContaining('node "a"') as string },
      })
      expect(await stateOf(s.app, s.node, 'a')).toMatchObject({ seq: 1, data: { size: 7 } })
      expect(await instancesOf(s.app, s.pool)).toMatchObject({ stalled: 1 })
    })
    test('another parent’s: that one goes on, the second stalls', async () => {
      const s = await up(['a'])
      await s.app.run(s.pool, { id: 'q', data: { nodes: ['a'] } })
      await s.clock.settle()
      expect(await stateOf(s.app, s.pool, 'q')).toMatchObject({ status: 'stalled', stalled: { code: 'CHILD_TAKEN' } })
      await s.tell('a', 'broken')
      expect(await pool(s)).toMatchObject({ state: 'degraded', status: 'waiting' })
    })
    test('one that was erased: its parent stalls and says so, and waits for nobody', async () => {
      const s = await up(['a', 'b'])
      await s.tell('a', 'gone')
      await s.app.remove(s.node, 'a', { why: 'erased' })
      await s.app.run(s.pool, { id: 'q', data: { nodes: ['a'] } })
      await s.clock.settle()
      expect(await stateOf(s.app, s.pool, 'q')).toMatchObject({
        status: 'stalled',
        stalled: { code: 'CHILD_REMOVED', message: expect.stringContaining('node "a"') as string },
      })
      // When receipts of that time are gone its id is free, and an operator lets the parent try again.
      await s.clock.leap(9 * DAY)
      await s.clock.advance(MINUTE)
      await s.app.operate.retry(s.pool, 'q', { why: 'the id is free' })
      await s.clock.settle()
      expect(await stateOf(s.app, s.node, 'a')).toMatchObject({ state: 'booting' })
    })
    test('its own, of a life before: adopted, and known as it is', async () => {
      const s = await up(['a', 'b'])
      await s.app.send(s.pool, 'p', Drop({}))
      await s.app.remove(s.pool, 'p', { why: 'erased' })
      await s.clock.leap(9 * DAY)
      await s.clock.advance(MINUTE)
      expect((await s.app.run(s.pool, { id: 'p', data: { nodes: ['a', 'b'] } })).created).toBe(true)
      await s.clock.settle()
      expect(await pool(s)).toMatchObject({ state: 'up', data: { now: ['a ready waiting 0', 'b ready waiting 0'] } })
      await s.tell('a', 'broken')
      expect((await pool(s)).state).toBe('degraded')
    })
    test('data that the child refuses: CHILD_REFUSED or told at once, and nothing is started', async () => {
      const s = await scene()
      await s.app.run(s.pool, { id: 'p', data: { nodes: ['a'], size: 99 } }).catch(() => 0)
      await s.clock.settle()
      expect(await instancesOf(s.app, s.node)).toMatchObject({ started: 0 })
    })
  })

  describe('a child that has ended', () => {
    test('gets a new life where its kind says so', async () => {
      const s = await up(['a', 'b'], { restart: true })
      const before = await s.world.engine(s.app).peek({ machine: 'node', id: 'a' })
      await s.tell('a', 'gone')
      expect((await pool(s)).state).toBe('degraded')
      await s.app.send(s.pool, 'p', Scale({ nodes: ['a', 'b'] }))
      await s.clock.settle()
      const after = await s.world.engine(s.app).peek({ machine: 'node', id: 'a' })
      expect(after).toMatchObject({ state: 'booting', status: 'live' })
      expect(after?.incarnation).not.toBe(before?.incarnation)
      expect(await instancesOf(s.app, s.node)).toMatchObject({ started: 3, waiting: 2, done: 0, removed: 1 })
      await s.tell('a', 'ready')
      expect((await pool(s)).state).toBe('up')
      // A key of the life before is not used again.
      expect((await historyOf(s.app, s.node, 'a')).map(({ cause }) => cause.kind)).toContain('start')
    })
    test('else stays as it ended', async () => {
      const s = await up(['a', 'b'])
      await s.tell('a', 'gone')
      await s.app.send(s.pool, 'p', Scale({ nodes: ['a', 'b'] }))
      await s.clock.settle()
      expect(await stateOf(s.app, s.node, 'a')).toMatchObject({ status: 'done' })
      expect((await pool(s)).state).toBe('degraded')
      expect(await instancesOf(s.app, s.node)).toMatchObject({ started: 2, removed: 0 })
    })
    test('in a state that is named nowhere: CHILD_ENDED', async () => {
      const s = await scene()
      await s.app.run(s.pool, { id: 'p', data: { nodes: ['a'] } })
      await s.app.get(s.node, 'a').cancel({ why: 'by hand' })
      await s.clock.settle()
      expect(await pool(s)).toMatchObject({ status: 'stalled', stalled: { code: 'CHILD_ENDED' } })
    })
  })

  describe('a stalled child', () => {
    test('shows as stalled, and the parent goes on when it is repaired', async () => {
      const s = await up(['a'])
      await s.tell('a', 'calling')
      s.hands.at(0).throw(new Error('no answer'))
      await s.clock.settle()
      expect(await stateOf(s.app, s.node, 'a')).toMatchObject({ status: 'stalled' })
      await s.app.send(s.pool, 'p', Look({}))
      expect(await pool(s)).toMatchObject({ state: 'looking', status: 'waiting' })
      await s.app.operate.resolve(s.node, 'a', { result: {}, why: 'mended by hand' })
      await s.clock.settle()
      expect((await pool(s)).state).toBe('up')
    })
  })

  describe('a cancel of the parent', () => {
    test('cancels its children where their kind says so', async () => {
      const s = await up(['a', 'b'], { onCancel: 'cancel' })
      await s.tell('b', 'calling')
      await s.app.get(s.pool, 'p').cancel({ why: 'enough', by: 'ann' })
      await s.clock.settle()
      expect(await pool(s)).toMatchObject({ status: 'cancelled' })
      expect(await stateOf(s.app, s.node, 'a')).toMatchObject({ status: 'cancelled', state: 'ready' })
      expect(await lastRow(s.app, s.node, 'a')).toMatchObject({
        why: expect.stringContaining('pool "p"') as string,
        cause: { kind: 'cancel' },
      })
      // Its open call is waited for.
      expect(await stateOf(s.app, s.node, 'b')).toMatchObject({ status: 'running' })
      s.hands.at(0).answer({})
      await s.clock.settle()
      expect(await stateOf(s.app, s.node, 'b')).toMatchObject({ status: 'cancelled' })
    })
    test('else leaves them alone; a child that ends later finds a parent that has ended (F92)', async () => {
      const s = await up(['a'])
      await s.app.get(s.pool, 'p').cancel({ why: 'enough' })
      await s.tell('a', 'gone')
      expect(await stateOf(s.app, s.node, 'a')).toMatchObject({ status: 'done' })
      expect(await pool(s)).toMatchObject({ status: 'cancelled' })
    })
  })

  describe('over a crash', () => {
    test('before the children are started: they are', async () => {
      const s = await scene({}, { allRemote: true })
      s.world.faults.commit = async (through, ...call) => {
        const result = await through(...call)
        if (call[2].instances.some(({ machine: of }) => of === 'pool')) {
          delete s.world.faults.commit
          await s.world.crash(s.app)
        }
        return result
      }
      void s.app.run(s.pool, { id: 'p', data: { nodes: ['a', 'b'] } }).catch(() => 0)
      await s.clock.settle()
      const app = await s.world.startAfterCrash(s.services)
      await s.clock.advance(SECOND)
      expect(await instancesOf(app, s.node)).toMatchObject({ started: 2 })
      for (const id of ['a', 'b']) await s.tell(id, 'ready', app)
      await s.clock.advance(SECOND)
      expect((await pool(s, app)).state).toBe('up')
    })
    test('before the parent has heard of a child: it does', async () => {
      const s = await scene({}, { allRemote: true })
      await s.app.run(s.pool, { id: 'p', data: { nodes: ['a'] } })
      await s.clock.settle()
      s.world.faults.commit = async (through, ...call) => {
        const result = await through(...call)
        if (call[2].instances.some(({ state }) => state === 'ready')) {
          delete s.world.faults.commit
          await s.world.crash(s.app)
        }
        return result
      }
      void s.app.send(s.node, 'a', Tell({ to: 'ready' })).catch(() => 0)
      await s.clock.settle()
      const app = await s.world.startAfterCrash(s.services)
      await s.clock.advance(SECOND)
      expect((await pool(s, app)).state).toBe('up')
    })
  })

  if (kind === 'memory')
    test('parent and children at two workers', async () => {
      const s = await scene()
      const other = await s.world.start(s.services)
      await s.clock.advance(30 * SECOND)
      const nodes = Array.from({ length: 12 }, (_, n) => `n${n}`)
      const started = s.app.run(s.pool, { id: 'p', data: { nodes } })
      await s.clock.advance(2 * SECOND)
      await started
      const sent = Promise.all(
        nodes.map((id, n) => (n % 2 === 0 ? s.app : other).send(s.node, id, Tell({ to: 'ready' }))),
      )
      await s.clock.advance(5 * SECOND)
      await sent
      await s.clock.advance(5 * SECOND)
      expect((await pool(s)).state).toBe('up')
      expect(await instancesOf(other, s.node)).toMatchObject({ started: 12, waiting: 12 })
    })
})
