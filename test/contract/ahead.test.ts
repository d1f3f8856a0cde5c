// While a commit is in flight the next batch is computed, of instances that it does not touch (S1, S2 of engine/step.ts).
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { command, event, machine, service } from '../../src/index.ts'
import type { App } from '../../src/index.ts'
import type { Change, CommitResult } from '../../src/store/store.ts'
import { SECOND } from '../support/hand-clock.ts'
import { historyOf, messagesOf, onBothStores, type World } from '../support/world.ts'

const Add = command('add', { data: z.object({ n: z.number() }) })
const Tell = command('tell', { data: z.object({ to: z.string(), n: z.number() }) })
const Told = event('told', { data: z.object({ to: z.string(), n: z.number() }), key: (d) => d.to })

const counter = machine('counter', {
  data: z.object({ seen: z.array(z.number()).default([]) }),
  receives: [Add, Tell, Told],
  emits: [Told],
  initial: 'a',
  states: {
    a: {
      on: {
        add: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) },
        told: { set: ({ data, message }) => ({ seen: [...data.seen, message.n] }) },
        tell: { emit: { told: ({ message }) => message } },
      },
      after: { '30 days': 'end' },
    },
    end: { final: 'done' },
  },
})

/** Commits wait until they are let go, in order; what was sent is noted. */
function held(world: World) {
  const sent: { change: Change; go: (as?: CommitResult) => void }[] = []
  world.faults.commit = (through, session, n, change) =>
    new Promise((resolve) => {
      const go = (as?: CommitResult): void => {
        if (as === undefined) void through(session, n, change).then(resolve)
        else resolve(as)
      }
      sent.push({ change, go })
    })
  return sent
}
const ids = ({ change }: { readonly change: Change }): readonly string[] => change.instances.map(({ id }) => id)

onBothStores('a batch computed while a commit is in flight', (make) => {
  async function scene() {
    const world = make({})
    const app = await world.start([service('s', { machines: [counter] })])
    for (const id of ['i', 'j']) await app.run(counter, { id, data: {} })
    return { world, app, clock: world.clock, sent: held(world) }
  }
  const seen = async (app: App, id: string) => (await app.get(counter, id).state())?.data.seen

  test('is sent only when that commit is applied, and nothing of it is told before', async () => {
    const { world, app, clock, sent } = await scene()
    const told: string[] = []
    const first = app.send(counter, 'i', Add({ n: 1 })).then(() => told.push('first'))
    await clock.settle()
    const second = app.send(counter, 'j', Add({ n: 2 })).then(() => told.push('second'))
    await clock.settle()
    expect([sent.length, told]).toEqual([1, []])
    expect(ids(sent[0]!)).toEqual(['i'])
    sent[0]!.go()
    await clock.settle()
    expect([sent.length, told]).toEqual([2, ['first']])
    expect(ids(sent[1]!)).toEqual(['j'])
    sent[1]!.go()
    await Promise.all([first, second])
    expect([await seen(app, 'i'), await seen(app, 'j')]).toEqual([[1], [2]])
    delete world.faults.commit
  })

  test('what comes for an instance of the commit waits for it, in order', async () => {
    const { world, app, clock, sent } = await scene()
    const sends = [app.send(counter, 'i', Add({ n: 1 }))]
    await clock.settle()
    for (const n of [2, 3, 4]) sends.push(app.send(counter, 'i', Add({ n })))
    await clock.settle()
    expect(sent).toHaveLength(1)
    delete world.faults.commit
    sent[0]!.go()
    await Promise.all(sends)
    expect(await seen(app, 'i')).toEqual([1, 2, 3, 4])
  })

  test('what it sends to such an instance is held, and goes behind what came for it before', async () => {
    const { world, app, clock, sent } = await scene()
    const sends: Promise<unknown>[] = [app.send(counter, 'i', Add({ n: 1 }))]
    await clock.settle()
    sends.push(app.send(counter, 'i', Add({ n: 2 })))
    await clock.settle()
    sends.push(app.send(counter, 'j', Tell({ to: 'i', n: 3 })))
    await clock.settle()
    expect(sent).toHaveLength(1)
    sent[0]!.go()
    await clock.settle()
    expect(ids(sent[1]!).toSorted(), 'the hop and what stood before it are in the batch of its sender').toEqual([
      'i',
      'j',
    ])
    delete world.faults.commit
    sent[1]!.go()
    await Promise.all(sends)
    expect(await seen(app, 'i')).toEqual([1, 2, 3])
    expect(await messagesOf(app)).toEqual({ accepted: 4, applied: 4 })
  })

  test('a worker that waits for it no longer sends nothing after it: it may be applied yet (F16)', async () => {
    const { world, app, clock, sent } = await scene()
    const send = (n: number): Promise<unknown> => app.send(counter, 'i', Add({ n })).catch(() => 'not known')
    const sends = [send(1)]
    await clock.settle()
    sends.push(send(2))
    await clock.settle()
    await world.stop(app)
    expect(sent).toHaveLength(1)
    expect(await Promise.all(sends)).toEqual(['not known', 'not known'])
  })

  describe('the commit fails: nothing of the batch has happened, and both are computed again', () => {
    test.each([
      ['one of its rows is at fault', 'rejected'],
      ['the session is gone (F03)', 'fenced'],
    ] as const)('%s', async (_, kind) => {
      const { world, app, clock, sent } = await scene()
      const told: string[] = []
      const sends = [app.send(counter, 'i', Tell({ to: 'j', n: 1 })).then(() => told.push('first'))]
      await clock.settle()
      sends.push(
        app.send(counter, 'k', Add({ n: 9 })).then(
          () => told.push('unknown'),
          () => told.push('unknown'),
        ),
      )
      sends.push(app.run(counter, { id: 'new', data: {} }).then(() => told.push('new')))
      await clock.settle()
      expect([sent.length, told]).toEqual([1, []])
      delete world.faults.commit
      if (kind === 'fenced') await world.engine(app).store.closeSession(world.engine(app).parts.sessions.id)
      sent[0]!.go(kind === 'fenced' ? { kind } : { kind, error: new Error('injected') })
      await clock.advance(30 * SECOND)
      await Promise.all(sends)
      expect(told.toSorted()).toEqual(['first', 'new', 'unknown'])
      expect([await seen(app, 'j'), await seen(app, 'new')]).toEqual([[1], []])
      expect(await historyOf(app, counter, 'i')).toHaveLength(2)
      // Of what another owner might have by now the sender is not waited for: for nobody it is a dead letter.
      expect(await messagesOf(app)).toEqual(
        kind === 'fenced' ? { accepted: 3, applied: 2, dead: 1 } : { accepted: 2, applied: 2 },
      )
    })
  })
})
