// An instance of an older version becomes one of the present version before the message that touched it, as a row of its own.
import { groupTimer, openCalls, type Draft } from './draft.ts'
import { enter, leave, type Entered } from './entry.ts'
import { ask } from './failure.ts'
import type { JournalCause, Stall } from './model.ts'
import { activityOfCall } from './result.ts'

interface Target {
  readonly state: string
  readonly data: unknown
  readonly calls?: 'keep' | 'drop'
}

function targetOf(draft: Draft): Target {
  const { version, state, data } = draft.next
  const migrate = draft.definition.migrate.get(version)
  if (migrate === undefined) return { state, data }
  const calls = openCalls(draft.next).map(([name]) => name)
  // Its fields are read here, where a getter that throws, or no object at all, is the handler's failure.
  return ask(`migrate ${version}`, (old) => ({ ...migrate.to(old) }), { state, data, calls })
}

/** Timers of groups that the old state was in as well go on; those that the code no longer has are journalled when they fall due. */
function reenter(
  draft: Draft,
  target: Target,
  from: string,
  cause: JournalCause,
): Entered & { readonly dropped: readonly string[] } {
  const { calls, timers } = draft.next
  const keep = target.calls === 'keep' && openCalls(draft.next).length > 0 ? (calls ?? undefined) : undefined
  const dropped = leave(draft)
  const entered = enter(draft, target.state, from, cause, keep)
  const prefixes = (draft.at?.groups ?? []).map((group) => groupTimer(group.name, ''))
  const kept = Object.entries(timers ?? {}).filter(([name]) => prefixes.some((prefix) => name.startsWith(prefix)))
  if (kept.length > 0) draft.next.timers = { ...draft.next.timers, ...Object.fromEntries(kept) }
  return { ...entered, dropped: keep === undefined ? dropped : [] }
}

/** Why a migration does not come about, as what the instance stalls with. */
const MIGRATION_CODES = ['STATE_GONE', 'MIGRATION_WITH_OPEN_CALL', 'MIGRATION_FAILED']
/** Whether an instance stands still since it could not be migrated. */
export const stalledByMigration = (stalled: Stall | null): boolean =>
  stalled !== null && MIGRATION_CODES.includes(stalled.code)

/** What becomes of open calls has to be said where their state is left, or does not call that any more. */
function whyToDecide({ definition, next }: Draft, to: string): string | undefined {
  const open = openCalls(next)
  if (open.length === 0) return undefined
  if (next.state !== to) return `leaves "${next.state}" while a call is open`
  const state = definition.states.get(to)
  const other = open.find(([, call]) => activityOfCall(state, call) === undefined)
  return other && `comes while a call of "${other[1].activity}" is open, which "${to}" does not call any more`
}

function toPresent(draft: Draft, cause: JournalCause): Stall | undefined {
  const { definition, next } = draft
  const { state: from, data: old, version } = next
  const target = targetOf(draft)
  if (!definition.states.has(target.state)) {
    const message = `version ${definition.version} has no state "${target.state}", and no \`migrate\` from version ${version} says where to go`
    return { code: 'STATE_GONE', message }
  }
  const same = target.state === from
  const open = openCalls(next).length > 0
  const undecided = target.calls === undefined ? whyToDecide(draft, target.state) : undefined
  if (undecided !== undefined) {
    const message = `the migration from version ${version} ${undecided}: let \`migrate\` say \`calls: 'keep'\` or 'drop'`
    return { code: 'MIGRATION_WITH_OPEN_CALL', message }
  }
  const change = draft.setData(target.data, `migrate ${version}`)
  next.version = definition.version
  const stays = same && !(open && target.calls === 'drop')
  const entered = stays ? {} : reenter(draft, target, from, cause)
  const removed = Object.keys(old).filter((field) => !Object.hasOwn(change, field))
  const why = { ...cause, kind: 'migrate', name: `${version} to ${definition.version}` } as const
  draft.record(why, { ...entered, from, change, removed })
  return undefined
}

/** Brings the draft to the present version. Answers why that cannot be, where it cannot; then nothing has changed. */
export const migrate = (draft: Draft, cause: JournalCause): Stall | undefined =>
  draft.attempt(
    () => toPresent(draft, cause),
    (error) => ({ code: 'MIGRATION_FAILED', message: draft.placed(error) }),
  )
