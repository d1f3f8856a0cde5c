// Sagas run through the pure core against a world that remembers what was done under which key: whatever fails, is lost, is cancelled or runs
// out of time, and in whatever order, a saga that has ended undone has left nothing behind, and one that has not stands visibly (I8).
import fc from 'fast-check'
import * as z from 'zod'
import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../src/base/random.ts'
import type { SeededRandom } from '../../../src/base/random.ts'
import { activity } from '../../../src/machine/activity.ts'
import { command, event } from '../../../src/machine/message.ts'
import { saga } from '../../../src/machine/saga.ts'
import { MINUTE, play } from '../../support/play.ts'
import type { Play } from '../../support/play.ts'

const Input = z.object({ order: z.string() })
const Stop = command('stop', { data: z.object({}) })
const Accepted = event('accepted', { data: z.object({ order: z.string() }), key: (d) => d.order })
const Over = event('over', { data: z.object({ order: z.string(), why: z.string() }), key: (d) => d.order })
const forward = <const N extends string>(name: N) =>
  activity(name, {
    input: z.object({ order: z.string() }),
    output: z.object({ ref: z.string() }),
    failures: ['No'],
    retry: { attempts: 2, first: '1 second' },
    run: () => ({ ref: '' }),
  })
const undo = activity('undo', {
  input: z.object({ key: z.string() }),
  output: z.object({}),
  failures: ['Refused'],
  retry: { attempts: 2, first: '1 second' },
  run: () => ({}),
})
const back = { call: undo, input: ({ step }: { readonly step: { readonly key: string } }) => ({ key: step.key }) }
const input = ({ input: i }: { readonly input: { readonly order: string } }) => ({ order: i.order })

const line = saga('line', { input: Input, cancel: Stop })
  .step('one', { call: forward('one'), input, undo: back })
  .parallel('two', {
    left: { call: forward('left'), input, within: '5 minutes', otherwise: 'undo', undo: back },
    right: { call: forward('right'), input, undo: back },
  })
  .wait('word', { for: Accepted, within: '30 minutes' })
  .step('three', { call: forward('three'), input, within: '10 minutes', undo: back })
  .pivot()
  .step('four', { call: forward('four'), input, within: '10 minutes', otherwise: { value: { ref: 'none' } } })
  .parallel('five', {
    a: { call: forward('a'), input, otherwise: { value: { ref: 'none' } } },
    b: { call: forward('b'), input },
  })
  .failed(Over, ({ id, error }) => ({ order: id, why: `${error.step} ${error.code}` }))
  .done(({ results }) => results.five.b.ref)

/** What is done in the outside world, by key, with the call that did it. */
class World {
  readonly effects = new Map<string, string>()
  /** Attempts that have taken effect and not answered yet: these can no more say that nothing was done. */
  readonly silent = new Set<string>()

  /** An attempt takes effect, whether its answer arrives or not. */
  act(p: Play, call: string): void {
    const record = p.instance!.calls![call]!
    if (record.activity === 'undo') {
      const { key } = record.input as { key: string }
      this.effects.delete(key)
    } else this.effects.set(record.key, record.activity)
  }

  has(activities: readonly string[]): boolean {
    return [...this.effects.values()].some((name) => activities.includes(name))
  }
}

const openCalls = (p: Play): readonly string[] =>
  Object.entries(p.instance?.calls ?? {}).flatMap(([name, call]) => (call.settled === undefined ? [name] : []))
const ended = (p: Play): boolean => p.status !== 'live' && p.status !== 'stalled'
const activityOf = (p: Play, call: string): string => p.instance!.calls![call]!.activity

/** One attempt of one open call ends in one of the ways there are. */
function attempt(p: Play, world: World, random: SeededRandom): void {
  const open = openCalls(p)
  if (open.length === 0 || p.status === 'stalled') return
  const call = random.pick(open)
  const isUndo = activityOf(p, call) === 'undo'
  const { key, attempts } = p.instance!.calls![call]!
  const name = `${key} ${attempts}`
  switch (random.int(9)) {
    case 0:
      if (world.silent.has(name)) return
      p.fail(isUndo ? 'Refused' : 'No', call)
      return
    case 1:
      p.unknown(call)
      return
    case 2:
      world.act(p, call)
      p.unknown(call)
      return
    case 3:
      // It takes effect, and nobody hears of it before its time is over.
      world.act(p, call)
      world.silent.add(name)
      return
    default:
      world.act(p, call)
      p.done(isUndo ? {} : { ref: 'r' }, call)
  }
}

function something(p: Play, world: World, random: SeededRandom): void {
  const what = random.int(50)
  if (what === 0) p.cancel()
  else if (what === 1) p.send(Stop({}))
  else if (what < 8) p.send(Accepted({ order: 'i1' }))
  else if (what < 12) p.after(random.int(15) * MINUTE)
  else if (what < 20 && p.status === 'stalled') p.retry()
  else attempt(p, world, random)
}

/** The world is well again, and an operator looks after what stands. */
function heal(p: Play, world: World): void {
  for (let i = 0; i < 60 && !ended(p); i++) {
    const [call] = openCalls(p)
    if (p.status === 'stalled') p.retry()
    else if (call !== undefined) {
      world.act(p, call)
      p.done(activityOf(p, call) === 'undo' ? {} : { ref: 'r' }, call)
    } else p.send(Accepted({ order: 'i1' }))
  }
}

const UNDOABLE = ['one', 'left', 'right', 'three']

/** Plays one life; answers how it went. */
function live(seed: number): { readonly p: Play; readonly world: World } {
  const random = seededRandom(seed)
  const world = new World()
  const p = play(line, { order: 'i1' })
  for (let i = 0; i < 60 && !ended(p); i++) {
    something(p, world, random)
    // Never silently half done: it goes on by itself, or says why it does not.
    if (p.status === 'live') expect(openCalls(p).length > 0 || p.state === 'word', `it stands in ${p.state}`).toBe(true)
  }
  heal(p, world)
  return { p, world }
}

describe('whatever happens on the way', () => {
  test('ended undone: nothing is left; ended done: everything is there', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (seed) => {
        const { p, world } = live(seed)
        expect(ended(p)).toBe(true)
        if (p.state === 'undone') {
          expect(
            [...world.effects].filter(([, name]) => UNDOABLE.includes(name)),
            'left behind',
          ).toEqual([])
          expect(p.emitted.filter(({ type }) => type === 'over')).toHaveLength(1)
          expect(p.status).toBe(p.data['cancelled'] === true ? 'cancelled' : 'failed')
        } else {
          expect([p.state, p.status]).toEqual(['done', 'done'])
          for (const name of UNDOABLE) expect([...world.effects.values()]).toContain(name)
          expect(p.emitted).toEqual([])
        }
      }),
      { numRuns: 300 },
    )
  })

  test('all ends are met by some seed, and undoing in reverse order is among them', () => {
    const ends = new Map<string, number>()
    for (let seed = 0; seed < 150; seed++) {
      const { p, world } = live(seed)
      ends.set(p.status!, (ends.get(p.status!) ?? 0) + 1)
      const back_ = p.journal.map((row) => row.to).filter((state) => state.startsWith('undo '))
      const order = back_.map((state) => ['undo three', 'undo two', 'undo one'].indexOf(state))
      expect(order).toEqual(order.toSorted((a, b) => a - b))
      if (p.state === 'done') expect([back_, world.has(UNDOABLE)]).toEqual([[], true])
    }
    expect([...ends.keys()].toSorted()).toEqual(['cancelled', 'done', 'failed'])
  })
})

describe('step by step', () => {
  test('the way of one that goes well', () => {
    const p = play(line, { order: 'i1' })
    p.done({ ref: '1' })
    p.done({ ref: 'r' }, 'right')
    p.done({ ref: 'l' }, 'left')
    p.send(Accepted({ order: 'i1' }))
    for (const call of ['three', 'four', 'a', 'b']) p.done({ ref: call }, call)
    expect([p.path, p.status]).toEqual([['one', 'two', 'word', 'three', 'four', 'five', 'done'], 'done'])
    expect(p.data['results']).toMatchObject({
      one: { ref: '1' },
      two: { left: { ref: 'l' }, right: { ref: 'r' } },
      five: { b: { ref: 'b' } },
    })
  })

  test('retries used up: it stalls where it is; a cancel acts at once, and that step counts as unknown', () => {
    const p = play(line, { order: 'i1' })
    const { key } = p.instance!.calls!['one']!
    p.exhaust('one')
    expect([p.state, p.status, p.stalled]).toEqual(['one', 'stalled', 'RETRIES_EXHAUSTED'])
    expect(p.cancel().fate).toBe('applied')
    expect([p.state, p.instance!.calls!['undo']!.input]).toEqual(['undo one', { key }])
    p.done({})
    expect([p.state, p.status, p.emitted[0]!.data]).toEqual(['undone', 'cancelled', { order: 'i1', why: 'one cancel' }])
  })

  test('a cancel while a call is open waits for it, then undoes', () => {
    const p = play(line, { order: 'i1' })
    p.done({ ref: '1' })
    expect(p.send(Stop({})).fate).toBe('deferred')
    p.done({ ref: 'l' }, 'left')
    p.done({ ref: 'r' }, 'right')
    expect([p.state, Object.keys(p.instance!.calls!)]).toEqual(['undo two', ['left', 'right']])
    p.done({}, 'left')
    p.done({}, 'right')
    p.done({})
    expect(p.status).toBe('cancelled')
  })

  test('`within` settles an open call as unknown, and it is undone by its key', () => {
    const p = play(line, { order: 'i1' })
    p.done({ ref: '1' })
    const key = p.instance!.calls!['left']!.key
    p.fail('No', 'right')
    p.after(5 * MINUTE)
    expect([p.state, p.instance!.calls]).toMatchObject(['undo two', { left: { input: { key } } }])
    expect(p.data['failure']).toMatchObject({ step: 'two', code: 'within', outcome: 'unknown' })
  })

  test('an undo that is refused stalls, and goes on when an operator tries again', () => {
    const p = play(line, { order: 'i1' })
    p.done({ ref: '1' })
    p.fail('No', 'left')
    p.fail('No', 'right')
    expect(p.state).toBe('undo one')
    p.fail('Refused')
    expect([p.state, p.status]).toEqual(['undo one', 'stalled'])
    p.retry()
    p.done({})
    expect([p.state, p.status]).toEqual(['undone', 'failed'])
  })

  test('behind the pivot a cancel is refused', () => {
    const p = play(line, { order: 'i1' })
    p.done({ ref: '1' })
    p.done({ ref: 'r' }, 'right')
    p.done({ ref: 'l' }, 'left')
    p.send(Accepted({ order: 'i1' }))
    p.done({ ref: '3' })
    expect([p.cancel(), p.state]).toMatchObject([{ fate: 'refused', why: 'pivot' }, 'four'])
  })

  test('a message that comes early is kept for its step', () => {
    const p = play(line, { order: 'i1' })
    expect(p.send(Accepted({ order: 'i1' })).fate).toBe('deferred')
    p.done({ ref: '1' })
    p.done({ ref: 'l' }, 'left')
    p.done({ ref: 'r' }, 'right')
    expect([p.state, p.data['results']]).toMatchObject(['three', { word: { order: 'i1' } }])
  })
})
