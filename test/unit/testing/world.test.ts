import { expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import type { AttemptContext } from '../../../src/machine/definition.ts'
import { Coverage } from '../../../src/testing/simulation/coverage.ts'
import { Scheduler } from '../../../src/testing/simulation/scheduler.ts'
import { Story } from '../../../src/testing/simulation/story.ts'
import { Violations } from '../../../src/testing/simulation/violation.ts'
import { World } from '../../../src/testing/simulation/world.ts'
import type { Deed } from '../../../src/testing/simulation/world.ts'

const worldOf = (deeds: readonly Deed[]) => {
  const scheduler = new Scheduler({ random: seededRandom(1), startMs: 0 })
  const violations = new Violations(() => scheduler.steps)
  const isDurable = (key: string) => !key.startsWith('early')
  const world = new World({
    life: scheduler.actor('world').life,
    random: seededRandom(2),
    violations,
    deeds,
    isDurable,
    coverage: new Coverage(),
    story: new Story(false, () => 0),
  })
  const worker = scheduler.actor('w')
  const attempt = (activity: string, key: string, input = {}) => {
    const context = {
      idempotencyKey: key,
      fail: (code: string) => {
        throw new Error(`declared ${code}`)
      },
    } as unknown as AttemptContext
    const seen = { answer: undefined as unknown }
    world.attempt(worker.life, activity, input, context).then(
      (answer) => (seen.answer = answer),
      (error: Error) => (seen.answer = error.message),
    )
    return seen
  }
  const run = () => scheduler.run({ reached: () => false, untilMs: Infinity, steps: 10_000 })
  return { world, attempt, run, violations, worker }
}
const reserve: Deed = { activity: 'reserve', answer: (_, key) => ({ id: key }) }
const release: Deed = { activity: 'release', answer: () => ({}), undoes: ({ key }) => String(key) }
const refuse: Deed = { activity: 'refuse', answer: () => ({}), failures: [{ code: 'No', chance: 1 }] }

test('a key has one answer, whoever asks; a refusal stays one', async () => {
  const { attempt, run, violations } = worldOf([reserve, refuse])
  const seen = [attempt('reserve', 'k'), attempt('reserve', 'k'), attempt('refuse', 'r'), attempt('refuse', 'r')]
  await run()
  expect(seen.map(({ answer }) => answer)).toEqual([{ id: 'k' }, { id: 'k' }, 'declared No', 'declared No'])
  expect(violations.all).toEqual([])
})

test('what is undone before it is done is never done', async () => {
  const { attempt, run, world } = worldOf([reserve, release])
  attempt('release', 'u', { key: 'k' })
  await run()
  attempt('reserve', 'k')
  attempt('reserve', 'other')
  await run()
  expect([world.records.get('k')!.settled, world.records.get('other')!.settled]).toEqual(['void', 'done'])
})

test('an error may come from a service that has done its work, and one that is broken has not', async () => {
  const { attempt, run, world } = worldOf([reserve])
  world.courses = { unheard: 1 }
  const unheard = attempt('reserve', 'k')
  await run()
  world.courses = { broken: 1 }
  const broken = attempt('reserve', 'b')
  await run()
  expect([unheard.answer, broken.answer]).toEqual([
    'reserve: connection lost (unheard)',
    'reserve: connection lost (broken)',
  ])
  expect([world.records.get('k')!.settled, world.records.get('b')!.settled]).toEqual(['done', undefined])
})

test('the work goes on when the worker that asked is dead', async () => {
  const { attempt, run, world, worker } = worldOf([reserve])
  const seen = attempt('reserve', 'k')
  worker.crash()
  await run()
  expect([seen.answer, world.records.get('k')!.settled]).toEqual([undefined, 'done'])
})

test('it accuses an attempt that no commit asked for, and a key with two inputs', async () => {
  const { attempt, run, violations } = worldOf([reserve])
  attempt('reserve', 'early-1')
  attempt('reserve', 'k', { a: 1 })
  attempt('reserve', 'k', { a: 2 })
  await run()
  expect(violations.all.map(({ invariant }) => invariant)).toEqual(['I5', 'I5'])
})
