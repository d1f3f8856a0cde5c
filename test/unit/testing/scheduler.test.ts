import { expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import { Scheduler } from '../../../src/testing/simulation/scheduler.ts'

const forEver = { reached: () => false, untilMs: Infinity, steps: 10_000 }
const schedulerOf = (seed: number) => new Scheduler({ random: seededRandom(seed), startMs: 1_000 })

/** Two actors that take turns; what they did, in order. */
const race = async (seed: number) => {
  const scheduler = schedulerOf(seed)
  const done: string[] = []
  for (const name of ['a', 'b']) {
    const { clock } = scheduler.actor(name).life
    const work = async () => {
      for (let i = 0; i < 20; i++) {
        await clock.turn()
        done.push(name)
      }
    }
    void work()
  }
  await scheduler.run(forEver)
  return { order: done.join(''), hash: scheduler.hash }
}

test('one seed is one run, another seed another', async () => {
  const [one, again, other] = [await race(1), await race(1), await race(2)]
  expect(again).toEqual(one)
  expect(other.order).not.toBe(one.order)
  expect(other.hash).not.toBe(one.hash)
  expect(one.order).toHaveLength(40)
})

test('time jumps to the next timer, timers fire in order of their time, a cancelled one never', async () => {
  const scheduler = schedulerOf(1)
  const { clock } = scheduler.actor('a', 77).life
  const fired: [string, number][] = []
  const note = (name: string) => () => void fired.push([name, clock.monotonic()])
  clock.after(86_400_000, note('day'))
  clock.after(Infinity, note('never'))
  const cancel = clock.after(1_000, note('cancelled'))
  clock.after(500, () => (cancel(), note('half')()))
  expect(await scheduler.run(forEver)).toBe('idle')
  expect(fired.map(([name]) => name)).toEqual(['half', 'day'])
  expect(fired[1]![1]).toBeGreaterThanOrEqual(86_400_000)
  expect(clock.now()).toBe(scheduler.nowMs + 77)
})

test('what a crashed life waits for never comes, and its next life goes on', async () => {
  const scheduler = schedulerOf(1)
  const actor = scheduler.actor('a')
  const done: string[] = []
  const old = actor.life
  void old.park('x').then(() => done.push('old'))
  old.clock.after(10, () => done.push('old timer'))
  actor.crash()
  void old.clock.turn().then(() => done.push('old turn'))
  void actor.life.wait(20, 'y').then(() => done.push('new'))
  expect(await scheduler.run(forEver)).toBe('idle')
  expect(done).toEqual(['new'])
})

test('a paused life stands still while the others go on', async () => {
  const scheduler = schedulerOf(1)
  const [a, b] = [scheduler.actor('a').life, scheduler.actor('b').life]
  const done: [string, number][] = []
  a.pause(5_000)
  void a.park('x').then(() => done.push(['a', scheduler.nowMs]))
  void b.wait(1_000, 'y').then(() => done.push(['b', scheduler.nowMs]))
  await scheduler.run(forEver)
  expect(done.map(([name]) => name)).toEqual(['b', 'a'])
  expect(done[1]![1]).toBeGreaterThanOrEqual(6_000)
})

test('run stops at a time and after so many steps', async () => {
  const scheduler = schedulerOf(1)
  const { clock } = scheduler.actor('a').life
  let turns = 0
  const spin = () => void clock.turn().then(() => (turns++, spin()))
  clock.after(10_000, spin)
  expect(await scheduler.run({ ...forEver, untilMs: 6_000 })).toBe('time')
  expect([scheduler.nowMs, turns]).toEqual([6_000, 0])
  expect(await scheduler.run({ ...forEver, steps: 50 })).toBe('steps')
  expect(turns).toBeGreaterThan(40)
  expect(scheduler.trace.split('\n').at(-1)).toMatch(/^50 \d+ a#1 turn$/)
})
