import { PawlError } from '../base/errors.ts'

/** What is looked at when definitions are made and an app is put together: each rule with what breaks it. */
export const RULES = {
  // shape: for plain JavaScript, where no compiler has looked
  'bad-shape': 'something is of another kind than it must be: no function, no list, no schema, …',
  'bad-name': 'a name that is empty, longer than 200 bytes or has control characters',
  'unknown-key': 'a key that a definition, a state or an edge does not have',
  'not-yet': 'an option that is reserved for a later version',
  // machines: the graph
  'no-such-state': '`initial`, an edge or a group names a state that does not exist',
  unreachable: 'no edge leads to this state',
  'no-way-out': 'not final, and nothing leads out',
  'final-with-ways-out': 'final, yet it waits for something',
  undecided: 'the last step of a choice has an `if`: where none holds, the instance would hang',
  stale: 'warning: an event that comes too late may wait until its state comes round again (an order is meant to wait)',
  // machines: calls
  'no-input': 'a call without the input that its schema asks for',
  'no-done': 'something is waited for, and no `done` says what then',
  stuck: '`done` or `fail` stays in the state, and nothing else leads out: the wait is over, the instance would hang',
  'nothing-to-be-done': '`done`, `fail`, `input` or `key` without what it belongs to',
  'two-waits': 'two of call, join and until in one state: `done` would be ambiguous',
  'leaves-open-call': 'an own `on`, `after` or `always` leaves a state whose call is not interruptible',
  'no-such-failure': '`fail` names a failure that is not declared',
  'same-key': 'two calls whose idempotency keys would be the same',
  // machines: messages
  'not-declared': 'handles a message that it does not receive, or emits one that is not in `emits`',
  'not-used': 'receives a message that nothing handles, or never emits what is in `emits`',
  'on-and-join': 'one message in `on` and in `join` of one state',
  'no-address': 'emits a command that has no `to` and `key`, or receives one that goes to another machine',
  // machines: time, children, versions
  'bad-duration': 'not a positive number and a unit',
  'bad-number':
    '`attempts`, `concurrency`, `rate.count`, `version` and `partitions` are whole numbers from 1, `factor` is 1 or more, `priority` a whole number',
  'bad-timer': 'a timer in a list has a name of its own, and either `in` or `at`',
  'no-such-child': '`until` names children, or a state of theirs, that are not declared, or follows nothing',
  'child-end-unnamed': 'a final state of a child is neither in `all` nor in `any`',
  'not-older':
    '`migrate` or `upcast` from a version that is not older, or from another machine or version than it says',
  'upcast-gap': 'messages of an older version could not be read any more',
  'bad-failure': 'a declared failure is written with a capital',
  // sagas
  'bad-step': 'a step whose name is taken or reserved, or no step at all',
  'bad-otherwise': 'an `otherwise` that does not fit its side of the pivot, or a value that does not fit its schema',
  'undo-after-pivot': 'after the pivot nothing is undone; and there is one pivot',
  // the app
  'name-twice': 'two things of one kind with one name',
  'no-such-target': 'a command goes to a machine that is not here, or does not receive it',
  'no-such-machine': 'a child that is not here, or a contract that differs from the machine',
  'no-body': 'an activity that nobody implements',
  'kept-too-short': '`retention.ended` is shorter than `receipts`: a late message would start an ended instance again',
} as const

/** The name of a rule. */
export type Rule = keyof typeof RULES

/** Something wrong with a definition: which rule it breaks, where, and what to do. */
export interface Problem {
  readonly rule: Rule
  readonly where: string
  readonly text: string
}

/** Throws PawlError `BAD_DEFINITION` with all that is wrong, in words and (`details.problems`) as data. Does nothing where the list is empty. */
export function refuse(problems: readonly Problem[]): void {
  if (problems.length === 0) return
  const lines = problems.map(({ where, text }) => `${where}: ${text}`)
  const message = lines.length === 1 ? lines[0]! : `${lines.length} problems:\n${lines.map((l) => `  ${l}`).join('\n')}`
  throw new PawlError('BAD_DEFINITION', message, { details: { problems } })
}

const warnings = new WeakMap<object, readonly Problem[]>()

/** Keeps what is doubtful, but not wrong, beside the object that it is about. */
export const keepWarnings = (object: object, list: readonly Problem[]): void => void warnings.set(object, list)

/** What is doubtful about what `machine`, `saga` or `contract` returned: rule `stale`. Empty where all is well. */
export const warningsOf = (machine: object): readonly Problem[] => warnings.get(machine) ?? []
