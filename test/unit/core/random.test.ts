// Whatever comes, in whatever order: each run is checked as it is played (see play.ts: dispatched twice with the same
// answer, inputs unchanged, all of it JSON, the journal a path without a gap), and here for what must hold over time.
import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import * as z from 'zod'
import { hasEnded, type Input } from '../../../src/core/model.ts'
import { activity } from '../../../src/machine/activity.ts'
import { contract } from '../../../src/machine/contract.ts'
import { machine } from '../../../src/machine/machine.ts'
import { command, event } from '../../../src/machine/message.ts'
import { saga } from '../../../src/machine/saga.ts'
import { MINUTE, Play, SECOND, START_MS } from '../../support/play.ts'

const none = z.object({})
const number = z.object({ n: z.number() })
const Go = event('go', { data: number, key: () => 'i1', keep: '20 minutes' })
const Back = event('back', { data: number, key: () => 'i1' })
const Order = command('order', { data: number })
const Told = event('told', { data: number, key: () => 'i1' })
const work = activity('work', {
  input: number,
  output: number,
  failures: ['No', 'Never'],
  retry: { attempts: 3, first: '20 seconds', max: '5 minutes' },
})
const look = activity('look', { input: none, output: none, interruptible: true })
const node = contract('node', { data: number, states: ['boot', 'up', 'bad', 'gone'], finals: ['bad', 'gone'] })

/** A handler that fails where the payload is 4 or 5. */
const careful = (n: number): number => {
  if (n === 4) throw new Error('four')
  return n === 5 ? NaN : n
}
const data = z.object({
  n: z.number().default(0),
  who: z.string().optional(),
  log: z.array(z.number()).max(30).default([]),
})

const works = machine('works', {
  data,
  receives: [Go, Back, Order],
  emits: [Told],
  initial: 'idle',
  cancel: [{ if: ({ data }) => data.n < 6, to: 'stopped', emit: { told: ({ data }) => ({ n: data.n }) } }],
  groups: {
    open: {
      states: ['idle', 'working', 'looking', 'both'],
      on: { back: { to: 'idle' } },
      after: { '30 minutes': 'ready', '7 minutes': { set: ({ data }) => ({ n: data.n + 1 }) } },
    },
  },
  states: {
    idle: {
      on: {
        go: [
          { if: ({ message }) => message.n < 2, to: 'working', set: ({ message }) => ({ n: message.n }) },
          { if: ({ message }) => message.n > 2, set: ({ message }) => ({ n: careful(message.n) }) },
        ],
      },
      after: { '5 minutes': 'looking' },
    },
    working: {
      call: work,
      input: ({ data }) => ({ n: data.n }),
      on: { order: { set: ({ data, message }) => ({ log: [...data.log, careful(message.n)] }) } },
      done: { to: 'both', set: ({ result }) => ({ n: careful(result.n) }) },
      fail: { No: 'idle' },
    },
    looking: { call: look, done: 'idle', fail: 'idle', on: { order: 'joining', go: {} } },
    both: {
      call: [work],
      input: ({ data }) => Array.from({ length: Math.max(0, data.n) }, (_, n) => ({ n })),
      done: { to: 'joining', emit: { told: ({ results }) => results } },
      fail: { No: 'idle', other: { to: 'ready', set: ({ need }) => ({ who: need('who') }) } },
    },
    joining: {
      join: { go: ({ message }) => ({ n: message.n }), back: true },
      done: 'ready',
      always: [{ if: ({ data }) => data.n > 6, to: 'ready' }],
    },
    ready: {
      on: { order: { to: 'idle', set: () => ({ n: 0 }) }, go: {} },
      after: [{ name: 'slow', in: ({ data }) => `${1 + Math.abs(data.n)} hours`, to: 'end' }],
    },
    stopped: { final: 'cancelled' },
    end: { final: 'done' },
  },
})

const parent = machine('parent', {
  data,
  receives: [Go, Order],
  emits: [Told],
  initial: 'scaling',
  children: {
    nodes: {
      of: node,
      each: ({ data }) =>
        Array.from({ length: Math.min(3, Math.abs(data.n)) }, (_, i) => ({ id: `n${i}`, data: { n: i } })),
      restart: true,
      onCancel: 'cancel',
    },
    first: { of: node, each: () => [{ id: 'n0', data: { n: 0 } }] },
  },
  states: {
    scaling: {
      until: {
        nodes: {
          all: 'up',
          if: ({ child }) => child.data.n < 3,
          any: { bad: { set: ({ data, child }) => ({ log: [...data.log, careful(child.data.n)] }) }, gone: {} },
        },
      },
      done: 'watching',
      on: { go: { to: 'scaling', set: ({ message }) => ({ n: message.n }) } },
    },
    watching: {
      until: {
        nodes: { spawn: false, any: { bad: 'scaling', gone: { set: ({ data }) => ({ n: data.n }) } } },
        first: { spawn: false, all: 'gone', any: { bad: {} } },
      },
      done: { set: ({ data }) => ({ n: data.n }), emit: { told: ({ data }) => ({ n: data.n }) } },
      on: { go: { to: 'scaling', set: ({ message }) => ({ n: message.n }) }, order: { to: 'end' } },
    },
    end: { final: 'done' },
  },
})

const undo = activity('undo', { input: z.object({ of: z.string() }), output: none, retry: { attempts: 2 } })
const undoing = { call: undo, input: ({ step }: { step: { readonly key: string } }) => ({ of: step.key }) }
const trip = saga('trip', { input: z.object({ n: z.number().default(0) }), start: Go, cancel: Order })
  .step('one', { call: work, input: ({ input }) => ({ n: input.n }), undo: undoing })
  .parallel('two', {
    x: { call: work, input: () => ({ n: 1 }), within: '9 minutes', undo: undoing },
    y: { call: work, input: () => ({ n: 2 }), otherwise: 'undo', undo: undoing },
  })
  .wait('back', { for: Back, within: '1 hour' })
  .step('three', { call: work, input: () => ({ n: 3 }), otherwise: 'undo', undo: undoing })
  .pivot()
  .step('four', { call: work, input: () => ({ n: 4 }), within: '9 minutes', otherwise: { value: { n: 0 } } })
  .emit(Told, ({ input }) => ({ n: input.n }))
  .failed(Told, () => ({ n: -1 }))
  .done(({ results }) => results)

// ── what may come ──

const step = fc.record({ what: fc.nat(23), n: fc.integer({ min: -1, max: 7 }), which: fc.nat(5) })
type Step = { what: number; n: number; which: number }
const ways = ['idle', 'working', 'both', 'ready', 'end', 'scaling', 'watching', 'undo one', 'undone', 'four']

function openOrAny(p: Play, which: number): string | undefined {
  const names = Object.keys(p.instance?.calls ?? {})
  return names[which % Math.max(1, names.length)]
}

/** One thing happens. */
function happen(p: Play, { what, n, which }: Step): void {
  const call = openOrAny(p, which)
  const attempts = call === undefined ? 0 : p.instance!.calls![call]!.attempts
  const attempt = which === 5 ? { attempt: Math.max(1, attempts) } : {}
  const messages = [Go({ n }), Back({ n }), Order({ n })] as const
  if (what < 6) p.send(messages[what % 3]!, what === 5 ? { ifSeq: p.instance?.seq ?? 0 } : {})
  else if (what < 10 && call !== undefined) p.done({ n }, call, attempt)
  else if (what === 10 && call !== undefined) p.fail(n < 5 ? 'No' : 'Never', call, attempt)
  else if (what < 13 && call !== undefined) p.unknown(call, attempt)
  else if (what === 13 && call !== undefined) p.attempt({ kind: 'recovered', runner: `s${n}` }, call)
  // Time passes between commits, not within one.
  else if (what < 16)
    p.commit().after([SECOND, 40 * SECOND, 3 * MINUTE, 10 * MINUTE, 40 * MINUTE, 200 * MINUTE][which]!)
  else if (what === 16) p.cancel()
  else if (what === 17) p.retry(n > 3)
  else if (what === 18)
    p.operate(n < 3 ? { do: 'resolve', result: { n } } : { do: 'resolve', failure: n < 5 ? 'No' : 'other' })
  else if (what === 19)
    p.operate({
      do: 'move',
      to: ways[(which + n + 10) % ways.length]!,
      payload: { n },
      ...(n === 3 && { data: { who: 'ann' } }),
    })
  else if (what < 23 && p.instance !== null) {
    const state = ['boot', 'up', 'up', 'bad', 'gone', 'up'][which]!
    const over = state === 'bad' ? 'failed' : state === 'gone' ? 'done' : n === 7 ? 'cancelled' : 'waiting'
    p.tell('node', `n${Math.abs(n) % 3}`, state, {
      status: over,
      data: { n: Math.abs(n) },
      seq: p.journal.length * 10 + which,
    })
  } else p.commits = !p.commits
}

// ── what must hold ──

/** On a busy machine: hundreds of runs of dozens of steps, each dispatched twice. */
const SLOW_MS = 60_000

/** Every message is decided about once, or waits; the rows that say so are counted. */
class Ledger {
  readonly #p: Play
  sent = 0
  decided = 0
  units = 0
  dead = 0
  constructor(p: Play) {
    this.#p = p
    const dispatch = p.dispatch.bind(p)
    p.dispatch = (input: Input) => {
      const outcome = dispatch(input)
      if (input.kind === 'message') {
        this.sent += 1
        if (outcome.fate === 'dead' || outcome.fate === 'unknown') this.dead += 1
        else if (!['deferred', 'absent', 'build'].includes(outcome.fate)) this.decided += 1
      }
      for (const { waiting, fate } of outcome.decided) {
        if (waiting.input.kind !== 'message') continue
        if (fate === 'dead') this.dead += 1
        else this.decided += 1
      }
      for (const row of outcome.journal) {
        if (row.unit) this.units += 1
        if (row.cause.kind === 'timer')
          expect(row.cause.at, 'a timer never fires before it is due').toBeLessThanOrEqual(row.at)
      }
      this.balance()
      return outcome
    }
  }
  balance(): void {
    const waiting = this.#p.waiting.filter(({ input }) => input.kind === 'message').length
    expect(this.decided + this.dead + waiting, 'messages: accepted = decided + dead + waiting').toBe(this.sent)
    expect(this.units, 'a row for each that was decided').toBe(this.decided)
  }
}

function holds(p: Play): void {
  const { instance } = p
  if (instance === null) return
  if (hasEnded(instance.status)) expect(p.waiting).toEqual([])
  for (const { why, until, leftMs } of p.waiting) {
    const runs = why === 'state' || why === 'instance'
    if (why !== 'build') expect([why, runs ? leftMs : until]).toEqual([why, null])
    if (instance.status === 'stalled') expect(runs).toBe(false)
  }
  p.ring()
  const due = p.instance!.dueAt
  if (due !== null) expect(due, 'an alarm that has rung rings no more').toBeGreaterThan(p.now)
}

const runs = (of: object, check: (p: Play) => void = () => undefined): void => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const p = new Play(of, 'i1', START_MS)
      new Ledger(p)
      p.run({ n: 2 })
      for (const one of steps) {
        happen(p, one)
        if (p.commits) holds(p)
      }
      check(p)
    }),
    { numRuns: 200 },
  )
}

describe('random runs keep every invariant', () => {
  test('calls, groups, joins, timers, operators', () => runs(works), SLOW_MS)
  test('a parent and its children', () => runs(parent), SLOW_MS)
  test('a saga', () => runs(trip), SLOW_MS)
})

test(
  'a saga that has come to its end has undone every step that is done or may be (I8)',
  () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), fc.boolean(), (steps, commits) => {
        const p = new Play(trip, 'i1', START_MS)
        p.commits = commits
        // The outside world: what was asked of it, under which key, and what it may have done.
        const started = new Set<string>()
        const happened = new Set<string>()
        const undone = new Set<string>()
        const dispatch = p.dispatch.bind(p)
        p.dispatch = (input) => {
          const call = input.kind === 'result' ? p.instance?.calls?.[input.call] : undefined
          if (input.kind === 'result' && call?.key === input.key) {
            started.add(call.key)
            p.fresh = p.fresh.filter((key) => key !== call.key)
            const { kind } = input.outcome
            // Once the newest attempt has said that it is not done, no other will be started.
            const tried = call.settled === undefined && kind !== 'failure' && kind !== 'released'
            if (call.activity === 'work' && tried) happened.add(call.key)
            if (call.activity === 'undo' && kind === 'done') undone.add((call.input as { of: string }).of)
          }
          const outcome = dispatch(input)
          if (p.commits) p.commit()
          return outcome
        }
        // What is committed is started.
        p.commit = () => {
          p.fresh = []
          for (const { key, activity: of } of Object.values(p.instance?.calls ?? {}))
            if (of === 'work') started.add(key)
          return p
        }
        p.run({ n: 2 })
        for (const one of steps) {
          // An operator who says how a call ended, moves by hand, or asks for a new key (of what was asked under the old one nothing is known
          // any more), takes it upon himself.
          if (one.what === 18 || one.what === 19 || (one.what === 17 && one.n > 3)) continue
          happen(p, one)
          if (one.what === 23) p.commit()
        }
        // All that is still open is answered, until it has ended.
        for (let i = 0; i < 30 && !hasEnded(p.instance!.status); i++) {
          if (p.status === 'stalled') p.retry()
          const [open] = Object.entries(p.instance!.calls ?? {}).find(([, call]) => call.settled === undefined) ?? []
          if (p.status === 'stalled') p.cancel()
          else if (open === undefined) p.cancel()
          else if (p.instance!.calls![open]!.activity === 'undo') p.done({}, open)
          else p.fail('No', open)
        }
        if (p.state !== 'undone') return
        expect(
          [...happened].filter((key) => !undone.has(key)),
          'happened, and not undone',
        ).toEqual([])
        expect(
          [...undone].filter((key) => !started.has(key)),
          'undone, and never started',
        ).toEqual([])
        expect(p.status).toBe(p.data['cancelled'] === true ? 'cancelled' : 'failed')
      }),
      { numRuns: 400 },
    )
  },
  SLOW_MS,
)
