import { describe, expect, test } from 'vitest'
import { isPawlError } from '../../../src/base/errors.ts'
import { keepWarnings, RULES, warningsOf } from '../../../src/machine/problem.ts'
import type { Problem } from '../../../src/machine/problem.ts'
import { app, ask, data, loose, m, planted, sound } from './planted.ts'

/** What is said of a definition: thrown, or kept as a warning. */
function problemsOf(make: () => unknown): readonly Problem[] {
  try {
    const made = make()
    return typeof made === 'object' && made !== null ? warningsOf(made) : []
  } catch (error) {
    if (!isPawlError(error, 'BAD_DEFINITION')) throw error
    return error.details!['problems'] as readonly Problem[]
  }
}

describe('every planted mistake is found by its rule, and by no other', () => {
  test.for(planted.map(([rule, make], i) => ({ rule, make, i })))('$rule ($i)', ({ rule, make }) => {
    expect(new Set(problemsOf(make).map((problem) => problem.rule))).toEqual(new Set([rule]))
  })

  test('every rule has one', () => {
    const missing = Object.keys(RULES).filter((rule) => !planted.some(([name]) => name === rule))
    expect(missing).toEqual([])
  })

  test('what is sound passes', () => {
    expect(sound()).toMatchObject([{ name: 's' }])
  })
})

describe('what is said', () => {
  const wrong = () =>
    m({ a: { cal: ask, on: { 'a.hapened': 'ende' }, after: { '1 day': 'end' } } }, { receives: [], recieves: [] })

  test('all at once, each with where and what to do, as words and as data', () => {
    const said = problemsOf(wrong)
    expect(said).toEqual([
      { rule: 'unknown-key', where: 'm', text: 'unknown key "recieves" in the definition; did you mean "receives"?' },
      { rule: 'unknown-key', where: 'm, state "a"', text: 'unknown key "cal" in a state; did you mean "call"?' },
      { rule: 'not-declared', where: 'm, state "a"', text: 'handles "a.hapened": add it to `receives`' },
      {
        rule: 'no-such-state',
        where: 'm, state "a"',
        text: 'goes to "ende", which does not exist; did you mean "end"?',
      },
    ])
    expect(wrong).toThrow(`4 problems:\n${said.map(({ where, text }) => `  ${where}: ${text}`).join('\n')}`)
  })

  test('one problem is said in one line', () => {
    expect(() => m({ a: { after: { '1 day': 'edn' } } })).toThrow(
      /^m, state "a": goes to "edn", which does not exist; did you mean "end"\?$/,
    )
  })

  test('an unknown key that is near to none gets the list', () => {
    const said = problemsOf(() => loose.contract('c', { data, states: ['a'], zzzzzz: 1 }))
    expect(said[0]!.text).toBe('unknown key "zzzzzz" in a contract; there are version, data, states, finals, receives')
  })

  test('an edge that was written through `undefined` is none', () => {
    expect(warningsOf(m({ a: { on: undefined, after: { '1 day': 'end', '2 days': undefined } } }))).toEqual([])
  })

  test('a warning does not throw, and is kept', () => {
    const object = {}
    expect(warningsOf(object)).toEqual([])
    keepWarnings(object, [{ rule: 'stale', where: 'm', text: 'x' }])
    expect(warningsOf(object)).toHaveLength(1)
  })
})

describe('shapes that no compiler has looked at', () => {
  const { activity, command, contract, event, implement, machine, saga, service } = loose
  // Whatever a value is, where an object, a list, a function or a schema is asked for: a definition is refused in words.
  const junk: readonly unknown[] = [
    null,
    undefined,
    0,
    NaN,
    '',
    'x',
    true,
    [],
    [null],
    {},
    { a: null },
    () => null,
    Symbol('s'),
    1n,
    new Date(0),
    ask,
  ]

  const state = (key: string) => (value: unknown) => m({ a: { after: { '1 day': 'end' }, [key]: value } })
  const STATE = ['call', 'input', 'key', 'done', 'fail', 'on', 'join', 'after', 'always', 'until', 'emit', 'final']
  const MACHINE = [
    'version',
    'data',
    'receives',
    'emits',
    'children',
    'start',
    'correlate',
    'initial',
    'cancel',
    'groups',
    'states',
    'priority',
    'fairBy',
    'migrate',
  ]
  const ACTIVITY = [
    'input',
    'output',
    'failures',
    'retry',
    'timeout',
    'heartbeat',
    'concurrency',
    'rate',
    'interruptible',
    'run',
  ]
  const APP = ['services', 'store', 'partitions', 'lease', 'grace', 'retention', 'log']
  const makers: Readonly<Record<string, (value: unknown) => unknown>> = {
    'the name of a machine': (value) => machine(value, {}),
    'a machine': (value) => machine('x', value),
    'a state': (value) => machine('x', { data, initial: 'a', states: { a: value } }),
    'an event': (value) => event('x', value),
    'a command': (value) => command('x', value),
    'an activity': (value) => activity('x', value),
    'a contract': (value) => contract('x', value),
    'states of a contract': (value) => contract('x', { data, states: value }),
    'a saga': (value) => saga('x', value).done(() => 0),
    'a step': (value) =>
      saga('x', { input: data })
        .step('s', value)
        .done(() => 0),
    'the name of a step': (value) =>
      saga('x', { input: data })
        .step(value, {})
        .done(() => 0),
    branches: (value) =>
      saga('x', { input: data })
        .parallel('s', value)
        .done(() => 0),
    'a branch': (value) =>
      saga('x', { input: data })
        .parallel('s', { b: value })
        .done(() => 0),
    'a wait': (value) =>
      saga('x', { input: data })
        .wait('s', value)
        .done(() => 0),
    'an undo': (value) =>
      saga('x', { input: data })
        .step('s', { call: ask, undo: value })
        .done(() => 0),
    'a type that is emitted': (value) => saga('x', { input: data }).emit(value, value).failed(value, value).done(value),
    'an implementation': (value) => implement(value, value),
    'a service': (value) => service('x', value),
    'machines of a service': (value) => service('x', { machines: value, activities: value }),
    ...Object.fromEntries(STATE.map((key) => [`${key} of a state`, state(key)])),
    ...Object.fromEntries(
      MACHINE.map((key) => [
        `${key} of a machine`,
        (value) => machine('x', { data, initial: 'a', states: { a: { final: 'done' } }, [key]: value }),
      ]),
    ),
    ...Object.fromEntries(
      ACTIVITY.map((key) => [
        `${key} of an activity`,
        (value) => activity('x', { input: data, output: data, [key]: value }),
      ]),
    ),
    ...Object.fromEntries(APP.map((key) => [`${key} of an app`, (value) => app([], { [key]: value })])),
    'a group': (value) => m({ a: { after: { '1 day': 'end' } } }, { groups: { g: value } }),
    'a follow': (value) =>
      m(
        { a: { until: { k: value }, after: { '1 day': 'end' } } },
        { children: { k: { of: contract('k', { data, states: ['a'] }), each: () => [] } } },
      ),
    children: (value) => m({ a: { after: { '1 day': 'end' } } }, { children: { k: value } }),
    'of of children': (value) =>
      m({ a: { after: { '1 day': 'end' } } }, { children: { k: { of: value, each: value } } }),
    'a migration': (value) => m({ a: { after: { '1 day': 'end' } } }, { version: 2, migrate: { 1: value } }),
    'a step of an edge': (value) => m({ a: { after: { '1 day': ['end', value] } } }),
    'parts of an edge': (value) => m({ a: { after: { '1 day': { to: value, if: value, set: value, emit: value } } } }),
    'a timer': (value) => m({ a: { after: [value] } }),
    'parts of a timer': (value) => m({ a: { after: [{ name: value, in: value, at: value }] } }),
  }

  test.for(Object.entries(makers))('%s', ([, make]) => {
    for (const value of junk) {
      // Throws what is no BAD_DEFINITION.
      for (const { where, text } of problemsOf(() => make(value)))
        expect([where, text]).toEqual([expect.any(String), expect.stringMatching(/\w/)])
    }
  })

  test('null and text are never taken for an object, a list or a function', () => {
    for (const value of [null, 'x', 7]) {
      for (const key of STATE.filter((name) => name !== 'done' && name !== 'fail'))
        expect(
          problemsOf(() => state(key)(value)),
          `${key} ${value}`,
        ).not.toEqual([])
    }
  })
})
