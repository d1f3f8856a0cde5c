// What types cannot hold about one state: what it waits for, and its ways out.
import type { EdgeDefinition, StateDefinition } from './definition.ts'
import type { Place, Raw } from './place.ts'
import { isRaw } from './place.ts'

const leaves = (edge: EdgeDefinition): boolean => edge.some((step) => step.to !== undefined)

const followsAll = (state: StateDefinition): boolean => state.until.some(({ all }) => all.size > 0)

const checkWaits = (place: Place, raw: Raw, state: StateDefinition): void => {
  const has = (key: string): boolean => raw[key] !== undefined
  const ways = has('final') ? Object.keys(raw).filter((key) => key !== 'final' && key !== 'emit' && has(key)) : []
  if (ways.length > 0) place.say('final-with-ways-out', `is final, yet has ${ways.join(', ')}`)
  const waits = ['call', 'join', 'until'].filter(has)
  if (waits.length > 1) place.say('two-waits', `has ${waits.join(' and ')}: split it into two states`)
  for (const key of ['fail', 'input', 'key']) {
    if (has(key) && !has('call')) place.say('nothing-to-be-done', `has \`${key}\`, but no call`)
  }
  const awaited = has('call') ? 'a call' : has('join') ? 'a join' : followsAll(state) ? '`all`' : undefined
  // A follow that could not be read has been told of already.
  const unread = isRaw(raw['until']) && Object.keys(raw['until']).length > state.until.length
  if (has('done') && awaited === undefined && !unread) {
    place.say('nothing-to-be-done', 'has `done`, but nothing that could be done: no call, no join, no `all`')
  }
  if (!has('done') && awaited !== undefined) place.say('no-done', `has ${awaited}: add \`done\``)
}

/** The own edges that may not leave while a call is open, by their names. */
const ownEdges = (state: StateDefinition): readonly (readonly [name: string, edge: EdgeDefinition])[] => [
  ...[...state.on].map(([type, edge]) => [`on "${type}"`, edge] as const),
  ...state.after.map(({ name, edge }) => [`after "${name}"`, edge] as const),
  ['`always`', state.always],
]

const checkOpenCall = (place: Place, state: StateDefinition): void => {
  const closed = [...(state.call?.activities.values() ?? [])].find((activity) => !activity.interruptible)
  if (closed === undefined) return
  for (const [by, edge] of ownEdges(state)) {
    if (!leaves(edge)) continue
    place.say(
      'leaves-open-call',
      `is left by ${by} while ${closed.name} is open: its effect would be lost. Drop the edge (the message waits), or make the activity interruptible`,
    )
  }
}

const checkChoices = (place: Place, raw: Raw, state: StateDefinition): void => {
  const elsewhere = [
    ...ownEdges(state).map(([, edge]) => edge),
    ...state.until.flatMap(({ any }) => [...any.values()]),
    ...state.groups.flatMap((group) => [...group.on.values(), ...group.after.map(({ edge }) => edge)]),
  ].some(leaves)
  const fails = [...state.fail].map(([failure, edge]) => [failure === '*' ? 'fail' : `fail.${failure}`, edge] as const)
  const settling = state.done === undefined ? fails : [['done', state.done] as const, ...fails]
  for (const [name, edge] of settling) {
    if (!elsewhere && edge.some((step) => step.to === undefined)) {
      place.say('stuck', `\`${name}\` stays in the state, and nothing else leads out of it: add \`to\``)
    }
    const last = edge.at(-1)
    if (last === undefined || last.if !== undefined)
      place.say('undecided', `the last step of \`${name}\` has an \`if\`: add one without`)
  }
  const waitsElse =
    ['call', 'join', 'until', 'on', 'after'].some((key) => raw[key] !== undefined) || state.groups.length > 0
  if (state.always.at(-1)?.if !== undefined && !waitsElse) {
    place.say('undecided', 'the last step of `always` has an `if`, and nothing else leads out: add a step without')
  }
}

/** What types cannot hold about one state. `raw` is what the user wrote of it. */
export function checkState(place: Place, raw: Raw, state: StateDefinition): void {
  checkWaits(place, raw, state)
  checkOpenCall(place, state)
  checkChoices(place, raw, state)
  for (const type of state.join.keys()) {
    if (state.on.has(type)) place.say('on-and-join', `has "${type}" in \`on\` and in \`join\``)
  }
}
