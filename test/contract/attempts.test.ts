// Attempts beside each other: keys of the user's own, bodies that do not settle, turns at a limit, instances that stall.
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { activity, machine, service } from '../../src/index.ts'
import { SECOND } from '../support/hand-clock.ts'
import { Hands, onBothStores, stateOf } from '../support/world.ts'

const output = z.object({ n: z.number() })

onBothStores('attempts', (make) => {
  describe('a `key` of the user’s own', () => {
    /** Asks until the answer is large enough, each time with the same key. */
    function pollerOf(hands: Hands, key: string | undefined, retry: { attempts?: number } = {}) {
      const probe = activity('probe', {
        input: z.object({}),
        output,
        retry: { first: '100 ms', ...retry },
        run: hands.run,
      })
      return machine('poller', {
        data: z.object({ n: z.number().default(0) }),
        initial: 'asking',
        states: {
          asking: {
            call: probe,
            key: ({ id }) => key ?? id,
            input: () => ({}),
            done: [
              { if: ({ result }) => result.n < 3, to: 'asking', set: ({ result }) => ({ n: result.n }) },
              { to: 'end', set: ({ result }) => ({ n: result.n }) },
            ],
          },
          end: { final: 'done' },
        },
      })
    }
    test('may be that of the entry before: a state that is entered again calls again', async () => {
      const hands = new Hands()
      const poller = pollerOf(hands, undefined)
      const world = make()
      const app = await world.start([service('s', { machines: [poller] })])
      await app.run(poller, { id: 'i', data: {} })
      await world.clock.settle()
      for (const n of [1, 2, 3]) {
        expect(hands.calls).toHaveLength(n)
        hands.at(-1).answer({ n })
        await world.clock.settle()
      }
      expect(new Set(hands.calls.map(({ key }) => key)).size).toBe(1)
      expect(await stateOf(app, poller, 'i')).toMatchObject({ status: 'done', data: { n: 3 } })
    })
    test('may be that of the entry before, which is not what an earlier attempt answers late', async () => {
      const hands = new Hands()
      const poller = pollerOf(hands, undefined)
      const world = make()
      const app = await world.start([service('s', { machines: [poller] })])
      await app.run(poller, { id: 'i', data: {} })
      await world.clock.advance(32 * SECOND)
      expect(hands.calls).toHaveLength(2)
      hands.at(1).answer({ n: 1 })
      await world.clock.settle()
      hands.at(0).answer({ n: 9 })
      await world.clock.advance(10 * SECOND)
      expect(await stateOf(app, poller, 'i')).toMatchObject({ state: 'asking', data: { n: 1 } })
      expect(hands.calls).toHaveLength(3)
      hands.at(2).answer({ n: 4 })
      await world.clock.settle()
      expect(await stateOf(app, poller, 'i')).toMatchObject({ status: 'done', data: { n: 4 } })
    })
    test('may be that of another instance: each has its own attempts', async () => {
      const hands = new Hands()
      const poller = pollerOf(hands, 'all')
      const world = make()
      const app = await world.start([service('s', { machines: [poller] })])
      for (const id of ['i', 'j']) await app.run(poller, { id, data: {} })
      await world.clock.settle()
      expect(hands.calls).toHaveLength(2)
      hands.at(0).answer({ n: 5 })
      await world.clock.settle()
      expect(hands.at(1).signal.aborted).toBe(false)
      hands.at(1).throw(new Error('no answer'))
      await world.clock.advance(SECOND)
      expect(hands.calls).toHaveLength(3)
      hands.at(2).answer({ n: 6 })
      await world.clock.settle()
      expect((await stateOf(app, poller, 'i')).data).toEqual({ n: 5 })
      expect((await stateOf(app, poller, 'j')).data).toEqual({ n: 6 })
    })
  })
})
