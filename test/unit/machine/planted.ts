// One planted mistake or more for every rule; exactly that rule must find it. Written without the types, which would find many of them.
import * as z from 'zod'
import * as activities from '../../../src/machine/activity.ts'
import { checkApp } from '../../../src/machine/check-app.ts'
import * as contracts from '../../../src/machine/contract.ts'
import * as machines from '../../../src/machine/machine.ts'
import * as messages from '../../../src/machine/message.ts'
import type { Rule } from '../../../src/machine/problem.ts'
import * as sagas from '../../../src/machine/saga.ts'
import * as services from '../../../src/machine/service.ts'

type Loose = (name: unknown, o?: unknown) => never
interface LooseSaga {
  step(name: unknown, o: unknown): LooseSaga
  parallel(name: unknown, branches: unknown): LooseSaga
  wait(name: unknown, o: unknown): LooseSaga
  pivot(): LooseSaga
  emit(type: unknown, data: unknown): LooseSaga
  failed(type: unknown, data: unknown): LooseSaga
  done(output: unknown): object
}

/** The API as plain JavaScript sees it. */
export const loose = {
  event: messages.event as unknown as Loose,
  command: messages.command as unknown as Loose,
  activity: activities.activity as unknown as Loose,
  implement: activities.implement as unknown as Loose,
  machine: machines.machine as unknown as Loose,
  contract: contracts.contract as unknown as Loose,
  service: services.service as unknown as Loose,
  saga: sagas.saga as unknown as (name: unknown, o?: unknown) => LooseSaga,
}
const { event, command, activity, implement, machine, contract, service, saga } = loose

/** What a mistake is made of. Made here, so that a fault in the material itself fails every test. */
export const data = z.object({ sku: z.string() })
const nothing = z.object({})
const end = { final: 'done' }
const day = { '1 day': 'end' }
export const m = (states: object, more?: object): object =>
  machine('m', { data, initial: 'a', states: { ...states, end }, ...more })
const key = (d: { sku: string }) => d.sku
const A = event('a.happened', { data, key })
const B = event('b.happened', { data, key })
const Go = command('go', { data })
const To = command('to', { data, to: 'm', key })
export const ask = activity('ask', { input: data, output: data, failures: ['No'], run: (x: unknown) => x })
const ping = activity('ping', { input: nothing, output: nothing, interruptible: true, run: () => ({}) })
const far = activity('far', { input: nothing, output: nothing })
const call = { call: ask, input: () => ({ sku: '' }) }
const kid = machine('kid', {
  data,
  initial: 'up',
  states: { up: { after: { '1 day': 'gone', '2 days': 'lost' } }, gone: end, lost: { final: 'failed' } },
})
const kids = { children: { kids: { of: kid, each: () => [] } } }
const any = { gone: {}, lost: 'end' }
const old = contract('m', { version: 1, data, states: ['a'] })
const to = () => ({ state: 'a', data: { sku: '' } })
const line = (o?: object): LooseSaga => saga('s', { input: data, ...o })
const step = { call: ask, input: () => ({ sku: '' }) }
const out = () => 0
/** Puts machines together as an app. */
export const app = (list: unknown[], options?: object, more?: object): unknown => {
  const all = [service('s', { machines: list, ...more })]
  return checkApp(all, { services: all, store: 'memory:', ...options })
}
const fine = m({ a: { after: day } })
const until = (follow: object, more?: object): object => ({ a: { until: { kids: follow }, ...more } })
const contractKids = (states: string[]) => ({
  children: { kids: { of: contract('kid', { data, states }), each: () => [] } },
})
const orders = (name: string) =>
  machine(name, { data, emits: [To], initial: 'a', states: { a: { after: day, emit: { to: () => null } }, end } })
const plain = { input: nothing, output: nothing }

/** A mistake: the rule that it breaks, and what makes it. */
export type Planted = readonly [rule: Rule, make: () => unknown]

const machineMistakes: readonly Planted[] = [
  ['unknown-key', () => m({ a: { cal: ask, after: day } })],
  ['unknown-key', () => m({ a: { after: { '1 day': { two: 'end', to: 'end' } } } })],
  ['unknown-key', () => m({ a: { after: day } }, { recieves: [] })],
  ['no-such-state', () => m({ a: { after: { '1 day': 'ende', '2 days': 'end' } } })],
  ['no-such-state', () => m({ a: { after: day } }, { cancel: 'ende' })],
  ['no-such-state', () => m({ a: { after: day } }, { initial: 'b' })],
  ['no-such-state', () => m({ a: { after: day } }, { groups: { g: { states: ['x'], after: day } } })],
  ['no-such-state', () => contract('c', { data, states: ['a'], finals: ['b'] })],
  ['unreachable', () => m({ a: { after: day }, b: { after: day } })],
  ['no-way-out', () => m({ a: { after: { '1 day': 'b', '2 days': 'end' } }, b: {} })],
  ['no-way-out', () => m({ a: { after: { '1 day': 'b', '2 days': 'end' } }, b: {} }, { cancel: 'end' })],
  [
    'final-with-ways-out',
    () => m({ a: { after: { '1 day': 'b', '2 days': 'end' } }, b: { final: 'failed', after: day } }),
  ],
  ['final-with-ways-out', () => m({ a: { after: day } }, { groups: { g: { states: ['end'] } } })],
  ['undecided', () => m({ a: { always: [{ if: () => true, to: 'end' }] } })],
  ['undecided', () => m({ a: { ...call, done: [{ if: () => true, to: 'end' }] } })],
  ['undecided', () => m({ a: { ...call, done: 'end', fail: { No: { if: () => true, to: 'end' } } } })],
  ['undecided', () => m({ a: { ...call, done: 'end', fail: { No: [] } } })],
  [
    'stale',
    () => m({ a: { on: { 'a.happened': 'b' } }, b: { after: { '1 day': 'a', '2 days': 'end' } } }, { receives: [A] }),
  ],
  ['no-input', () => m({ a: { call: ask, done: 'end' } })],
  ['no-input', () => m({ a: { call: { one: ask, two: ping }, input: {}, done: 'end' } })],
  ['no-input', () => m({ a: { call: [ping], done: 'end' } })],
  ['stuck', () => m({ a: { ...call, done: {}, fail: 'end' } })],
  ['stuck', () => m({ a: { ...call, done: 'end', fail: { No: { set: () => ({}) } } } })],
  ['no-done', () => m({ a: { ...call, fail: 'end' } })],
  ['no-done', () => m({ a: { join: { 'a.happened': true }, after: day } }, { receives: [A] })],
  ['no-done', () => m(until({ all: 'up', any }), kids)],
  ['nothing-to-be-done', () => m({ a: { done: 'end' } })],
  ['nothing-to-be-done', () => m({ a: { after: day, key: () => '' } })],
  ['nothing-to-be-done', () => m({ a: { call: { one: ping }, input: { two: () => ({}) }, done: 'end' } })],
  ['two-waits', () => m({ a: { ...call, join: { 'a.happened': true }, done: 'end' } }, { receives: [A] })],
  ['leaves-open-call', () => m({ a: { ...call, done: 'end', on: { 'a.happened': 'end' } } }, { receives: [A] })],
  ['leaves-open-call', () => m({ a: { call: [ask], input: () => [], done: 'end', after: day } })],
  ['leaves-open-call', () => m({ a: { ...call, done: 'end', always: [{ if: () => true, to: 'end' }] } })],
  ['no-such-failure', () => m({ a: { ...call, done: 'end', fail: { Non: 'end', other: 'end' } } })],
  // 40 bits of SHA-256 meet: found by search.
  ['same-key', () => m({ a: { call: { call243802: ping, call678571: ping }, done: 'end' } })],
  ['not-declared', () => m({ a: { on: { 'a.happened': 'end' } } })],
  ['not-declared', () => m({ a: { after: day, emit: { 'b.happened': () => null } } })],
  ['not-declared', () => m({ a: { after: day } }, { correlate: { 'a.happened': () => null } })],
  ['not-used', () => m({ a: { after: day } }, { receives: [A] })],
  ['not-used', () => m({ a: { after: day } }, { emits: [B] })],
  [
    'on-and-join',
    () => m({ a: { join: { 'a.happened': true }, on: { 'a.happened': {} }, done: 'end' } }, { receives: [A] }),
  ],
  ['no-address', () => m({ a: { after: day, emit: { go: () => null } } }, { emits: [Go] })],
  ['no-address', () => machine('n', { data, receives: [To], initial: 'a', states: { a: { on: { to: 'end' } }, end } })],
  ['bad-duration', () => m({ a: { after: { '0 days': 'end' } } })],
  ['bad-number', () => m({ a: { after: day } }, { priority: 0.5 })],
  ['bad-number', () => m({ a: { after: day } }, { version: 0 })],
  ['bad-timer', () => m({ a: { after: [{ in: () => '1 day', to: 'end' }] } })],
  [
    'bad-timer',
    () =>
      m({
        a: {
          after: [
            { name: 't', in: () => '1 day', to: 'end' },
            { name: 't', at: () => null, to: 'end' },
          ],
        },
      }),
  ],
  ['bad-timer', () => m({ a: { after: [{ name: 't', to: 'end' }] } })],
  ['bad-timer', () => m({ a: { after: [{ name: 'g/t', in: () => '1 day', to: 'end' }] } })],
  ['bad-name', () => m({ a: { after: day } }, { groups: { 'g/h': { states: ['a'] } } })],
  ['no-such-child', () => m({ a: { until: { kid: { all: 'up', any } }, done: 'end' } }, kids)],
  ['no-such-child', () => m(until({ all: 'upp', any }, { done: 'end' }), kids)],
  [
    'no-such-child',
    () =>
      m(until({}, { after: day }), {
        children: { kids: { of: contract('k', { data, states: ['up'] }), each: () => [] } },
      }),
  ],
  ['child-end-unnamed', () => m(until({ all: 'gone' }, { done: 'end' }), kids)],
  ['child-end-unnamed', () => m(until({ any: { up: 'end', gone: {} } }), kids)],
  ['not-older', () => m({ a: { after: day } }, { migrate: { 1: { from: old, to } } })],
  ['not-older', () => m({ a: { after: day } }, { version: 3, migrate: { 2: { from: old, to } } })],
  ['name-twice', () => m({ a: { on: { 'a.happened': 'end' } } }, { receives: [A, A] })],
  ['bad-name', () => m({ a: { after: { '1 day': 'b\0', '2 days': 'end' } }, 'b\0': { after: day } })],
]

const partMistakes: readonly Planted[] = [
  ['bad-duration', () => activity('x', { ...plain, timeout: '-5 minutes' })],
  ['bad-duration', () => activity('x', { ...plain, rate: { count: 5, per: '0 seconds' } })],
  ['bad-duration', () => event('x', { data, key: () => '', keep: '1e999 days' })],
  ['bad-number', () => activity('x', { ...plain, concurrency: 0 })],
  ['bad-number', () => activity('x', { ...plain, retry: { factor: 0.5 } })],
  ['bad-number', () => activity('x', { ...plain, retry: { attempts: 1.5 } })],
  ['bad-number', () => activity('x', { ...plain, rate: { count: 0, per: '1 second' } })],
  ['bad-failure', () => activity('x', { ...plain, failures: ['to'] })],
  ['not-older', () => event('x', { data, key: () => '', upcast: { 1: (x: unknown) => x } })],
  ['upcast-gap', () => event('x', { data, key: () => '', version: 3, upcast: { 1: (x: unknown) => x } })],
  ['unknown-key', () => event('x', { data, key: () => '', to: 'm' })],
  ['unknown-key', () => activity('x', { ...plain, timeOut: '1 second' })],
  ['bad-shape', () => command('x', { data, to: 'm' })],
  ['bad-name', () => event('', { data, key: () => '' })],
  ['name-twice', () => implement(ask, () => ({}))],
  ['name-twice', () => service('s', { activities: [implement(far, () => ({})), implement(far, () => ({}))] })],
]

const sagaMistakes: readonly Planted[] = [
  ['no-input', () => line().step('x', { call: ask }).done(out)],
  [
    'no-input',
    () =>
      line()
        .step('x', { ...step, undo: { call: ask } })
        .done(out),
  ],
  [
    'no-address',
    () =>
      saga('s', { input: data, start: To })
        .step('x', step)
        .emit(A, () => ({ sku: '' }))
        .done(out),
  ],
  [
    'no-address',
    () =>
      line()
        .step('x', step)
        .emit(Go, () => ({ sku: '' }))
        .done(out),
  ],
  [
    'bad-duration',
    () =>
      line()
        .step('x', { ...step, within: '0 ms' })
        .done(out),
  ],
  ['bad-number', () => line({ priority: NaN }).step('x', step).done(out)],
  ['bad-step', () => line().step('x', step).step('x', step).done(out)],
  ['bad-step', () => line().step('undone', step).done(out)],
  ['bad-step', () => line().step('undo x', step).done(out)],
  ['bad-step', () => line().done(out)],
  ['bad-step', () => line().step('x/y', step).parallel('x', { y: step }).done(out)],
  [
    'bad-otherwise',
    () =>
      line()
        .step('x', { ...step, otherwise: { value: { sku: '' } } })
        .done(out),
  ],
  [
    'bad-otherwise',
    () =>
      line()
        .pivot()
        .step('x', { ...step, otherwise: 'undo' })
        .done(out),
  ],
  [
    'bad-otherwise',
    () =>
      line()
        .pivot()
        .step('x', { ...step, otherwise: { value: {} } })
        .done(out),
  ],
  ['bad-otherwise', () => line().wait('x', { for: A, otherwise: 'stall' }).done(out)],
  [
    'undo-after-pivot',
    () =>
      line()
        .pivot()
        .parallel('x', { one: { ...step, undo: { call: ask } } })
        .done(out),
  ],
  ['undo-after-pivot', () => line().pivot().step('x', step).pivot().done(out)],
  [
    'unknown-key',
    () =>
      line({ receives: [A] })
        .step('x', step)
        .done(out),
  ],
  ['bad-shape', () => line().step('x', step).done(undefined)],
  [
    'name-twice',
    () =>
      line()
        .wait('x', { for: A })
        .wait('y', { for: event('a.happened', { data, key }) })
        .done(out),
  ],
]

const twin = activity('ask', { input: data, output: data, run: (x: unknown) => x })

const appMistakes: readonly Planted[] = [
  ['bad-number', () => app([fine], { partitions: 0 })],
  ['bad-duration', () => app([fine], { lease: '0 ms' })],
  ['bad-duration', () => app([fine], { retention: { deadLetters: 'for ever' } })],
  ['kept-too-short', () => app([fine], { retention: { ended: '1 day' } })],
  ['kept-too-short', () => app([fine], { retention: { ended: '23 hours', receipts: '1 day' } })],
  [
    'child-end-unnamed',
    () => app([kid, m(until({ all: 'up' }, { done: 'end' }), contractKids(['up', 'gone', 'lost']))]),
  ],
  ['name-twice', () => app([fine, fine])],
  [
    'name-twice',
    () =>
      app([
        m({ a: { ...call, done: 'end' } }),
        machine('n', { data, initial: 'a', states: { a: { ...call, call: twin, done: 'end' }, end } }),
      ]),
  ],
  ['no-such-target', () => app([orders('n')])],
  ['no-such-target', () => app([fine, orders('n')])],
  ['no-such-machine', () => app([m(until({ all: 'up', any }, { done: 'end' }), kids)])],
  ['no-such-machine', () => app([kid, m(until({ all: 'up' }, { done: 'end' }), contractKids(['up']))])],
  ['no-body', () => app([m({ a: { call: far, done: 'end' } })])],
  ['not-yet', () => app([fine], { transports: {} })],
  ['not-yet', () => app([m({ a: { call: activity('x', { ...plain, pool: 'gpu', run: () => ({}) }), done: 'end' } })])],
  ['unknown-key', () => app([fine], { worker: 3 })],
  ['bad-shape', () => app([fine], { store: undefined })],
  ['bad-shape', () => app([old])],
]

/** All of them. */
export const planted: readonly Planted[] = [...machineMistakes, ...partMistakes, ...sagaMistakes, ...appMistakes]
/** An app without a mistake, with bodies beside the machines. */
export const sound = (): unknown =>
  app(
    [kid, m({ a: { call: far, done: 'end' } })],
    { retention: { ended: '7 days' }, lease: '5 seconds', partitions: 8 },
    { activities: [implement(far, () => ({}))] },
  )
