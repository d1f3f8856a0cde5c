// An instance of an older version becomes one of the present version before the message that touched it, as a row of its own.
import type { MachineDefinition } from '../machine/definition.ts'
import { groupTimer, openCalls, type Collected, type Draft } from './draft.ts'
import { row } from './edge.ts'
import { enter, leave } from './entry.ts'
import { ask, fitted, HandlerFailure } from './failure.ts'
import { follow } from './follow.ts'
import type { JournalCause, Stall } from './model.ts'

const none: readonly never[] = []

interface Target {
  readonly state: string
  readonly data: unknown
  readonly calls?: 'keep' | 'drop'
}

function targetOf(draft: Draft, definition: MachineDefinition): Target {
  const migrate = definition.migrate.get(draft.version)
  if (migrate === undefined) return { state: draft.state, data: draft.data }
  const calls = openCalls(draft).map(([name]) => name)
  return ask(`migrate ${draft.version}`, migrate.to, { state: draft.state, data: draft.data, calls })
}

/** Timers that the state and its groups still have; the others go when they fall due, and are journalled then. */
function reenter(draft: Draft, target: Target, from: string, cause: JournalCause, collected: Collected): void {
  const { calls, timers } = draft
  collected.dropped = target.calls === 'keep' ? none : leave(draft)
  enter(draft, target.state, from, draft.seq + 1, cause, collected)
  if (target.calls === 'keep' && calls !== null) draft.calls = calls
  for (const group of draft.at?.groups ?? []) {
    const prefix = groupTimer(group.name, '')
    for (const [name, timer] of Object.entries(timers ?? {}))
      if (name.startsWith(prefix) && draft.timers?.[name] === undefined)
        draft.timers = { ...draft.timers, [name]: timer }
  }
}

/** Brings the draft to the present version. Answers why it stalls, where it does; then nothing has changed. */
export function migrate(draft: Draft, cause: JournalCause): Stall | undefined {
  const { definition } = draft
  const saved = draft.save()
  const from = draft.state
  try {
    const target = targetOf(draft, definition)
    if (!definition.states.has(target.state))
      return {
        code: 'STATE_GONE',
        message: `version ${definition.version} has no state "${target.state}", and no \`migrate\` from version ${draft.version} says where to go`,
      }
    draft.data = fitted(definition.schema, target.data, `migrate ${draft.version}: the data`) as Draft['data']
    const same = target.state === from
    const open = openCalls(draft).length > 0
    if (!same && open && target.calls === undefined) {
      draft.restore(saved)
      return {
        code: 'MIGRATION_WITH_OPEN_CALL',
        message: `the migration from version ${draft.version} leaves "${from}" while a call is open: let \`migrate\` say \`calls: 'keep'\` or 'drop'`,
      }
    }
    const change = draft.data
    const collected: Collected = { emitted: none, spawned: none, opened: none, dropped: none }
    draft.version = definition.version
    if (!same || (open && target.calls === 'drop')) reenter(draft, target, from, cause, collected)
    row(
      draft,
      { cause: { ...cause, kind: 'migrate', name: `${saved.version} to ${definition.version}` } },
      from,
      target.state,
      { change, removed: Object.keys(saved.data).filter((field) => !(field in change)) },
      collected,
    )
    if (!same) follow(draft, cause)
    return undefined
  } catch (error) {
    if (!(error instanceof HandlerFailure)) throw error
    draft.restore(saved)
    return { code: 'MIGRATION_FAILED', message: error.message }
  }
}
