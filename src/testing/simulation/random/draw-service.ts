// Draws all that is deployed together: one to four machines and sagas that send each other messages, and the next build of one.
import type { SeededRandom } from '../../../base/random.ts'
import { typesOf } from './build.ts'
import { drawActivities, Drawing } from './draw.ts'
import type { Part, Voices } from './draw.ts'
import { drawMachine } from './draw-machine.ts'
import { drawSaga } from './draw-saga.ts'
import type { ActivitySketch, MachineSketch, MessageSketch, MigrationSketch, ServiceSketch, Step } from './sketch.ts'

/** A service, and how often it uses each part of the public API. */
export interface DrawnService {
  readonly sketch: ServiceSketch
  readonly uses: ReadonlyMap<Part, number>
}

/** Draws a service. All its names begin with `prefix`. */
export function drawService(random: SeededRandom, prefix: string): DrawnService {
  const drawing = new Drawing(random)
  const activities = drawActivities(drawing, prefix)
  const roots: Record<string, string[]> = {}
  const events: MessageSketch[] = ['e0', 'e1', 'fan'].map((type) => ({
    kind: 'event',
    type: prefix + type,
    fans: type === 'fan',
  }))
  const messages = [...events]
  const names = Array.from({ length: 1 + random.int(3) }, (_, i) => `${prefix}m${i}`)
  const sagas = random.chance(0.6) || names.length === 1 ? [`${prefix}saga`] : []
  for (const name of [...names, ...sagas])
    roots[name] = Array.from({ length: 1 + random.int(2) }, (_, i) => `${name}-${i}`)
  const targets = [...Object.values(roots).flat(), 'nobody']
  const machines: MachineSketch[] = []
  for (const name of names) {
    const own = ownMessages(name)
    messages.push(...own)
    const [begin, ...types] = own
    const kids = machines.length > 0 && random.chance(0.75) ? [machines.at(-1)!] : []
    const voices = voicesOf(events, messages, machines, targets)
    machines.push(
      drawMachine(drawing, voices, {
        name,
        types: [...events, ...types],
        ...callable(activities, prefix),
        kids,
        begin: begin!,
      }),
    )
  }
  const drawn = sagas.map((name) => {
    const own = ownMessages(name)
    messages.push(...own)
    return drawSaga(drawing, {
      name,
      prefix,
      activities,
      events: events.slice(0, 2),
      begin: own[0]!.type,
      stop: own[1]!.type,
    })
  })
  if (machines.some((one) => typesOf(one).receives.has(`${prefix}fan`))) drawing.use('correlate')
  const next = drawNext(drawing, machines)
  return {
    sketch: { messages, activities, machines, ...(next !== undefined && { next }), sagas: drawn, roots },
    uses: drawing.uses,
  }
}

/** The event that starts it, a command of clients, a command that machines emit. */
const ownMessages = (name: string): readonly MessageSketch[] => [
  { kind: 'event', type: `${name}.begin`, fans: false },
  { kind: 'command', type: `${name}.ask`, fans: false },
  { kind: 'command', type: `${name}.tell`, to: name, fans: false },
]

const callable = (activities: readonly ActivitySketch[], prefix: string) => ({
  activities: activities.filter(({ name }) => /a\d$/.test(name)),
  look: `${prefix}look`,
})

/** Whom a machine may tell: all events, and commands that machines before it take. */
function voicesOf(
  events: readonly MessageSketch[],
  messages: readonly MessageSketch[],
  machines: readonly MachineSketch[],
  names: readonly string[],
): Voices {
  const taken = new Set(machines.flatMap((one) => [...typesOf(one).receives]))
  return {
    messages: [...events, ...messages.filter(({ type, to }) => to !== undefined && taken.has(type))],
    names,
    kids: [],
  }
}

/** The second version of a machine that is nobody's child. */
function drawNext(drawing: Drawing, machines: readonly MachineSketch[]): MachineSketch | undefined {
  const { random } = drawing
  const children = new Set(machines.flatMap((one) => one.children.map(({ of }) => of)))
  const free = machines.filter(({ name }) => !children.has(name))
  if (free.length === 0 || !random.chance(0.8)) return undefined
  const before = random.pick(free)
  const live = before.states.filter(({ final }) => final === undefined)
  const renames: Record<string, string> = {}
  for (const { name } of live) if (random.chance(0.35)) renames[name] = name.replace('s', 'new')
  const renamed = Object.keys(renames).length > 0
  drawing.use(renamed ? 'migrate other name' : 'migrate same name')
  // Undecided, an open call would stall it until there is a build that decides: here there is none.
  const calls = renamed ? random.pick(['keep', 'drop'] as const) : random.pick([undefined, 'keep', 'drop'] as const)
  drawing.use(
    calls === undefined ? 'migrate undecided' : calls === 'keep' ? 'migrate keeps calls' : 'migrate drops calls',
  )
  const from = drawing.maybe('migrate from contract', 0.4) ? 'contract' : 'machine'
  return {
    ...renameStates(before, renames),
    version: 2,
    migrate: { from, renames, ...(calls !== undefined && { calls }) } satisfies MigrationSketch,
  }
}

/** The same machine with other names of states; what its steps change is the same. */
export function renameStates(machine: MachineSketch, renames: Readonly<Record<string, string>>): MachineSketch {
  const name = (state: string): string => renames[state] ?? state
  const step = (one: Step): Step => (one.to === undefined ? one : { ...one, to: name(one.to) })
  const edges = <T extends Readonly<Record<string, readonly Step[]>>>(by: T): T =>
    Object.fromEntries(Object.entries(by).map(([key, steps]) => [key, steps.map(step)])) as unknown as T
  const states = machine.states.map((state) => ({
    ...state,
    name: name(state.name),
    ...(state.done !== undefined && { done: state.done.map(step) }),
    ...(state.fail !== undefined && { fail: edges(state.fail) }),
    on: edges(state.on),
    after: state.after.map((timer) => ({ ...timer, steps: timer.steps.map(step) })),
    always: state.always.map(step),
    until: state.until.map((follow) => ({ ...follow, any: edges(follow.any) })),
  }))
  const groups = machine.groups.map((group) => ({
    ...group,
    states: group.states.map(name),
    on: edges(group.on),
    after: group.after.map((timer) => ({ ...timer, steps: timer.steps.map(step) })),
  }))
  return { ...machine, states, groups, ...(machine.cancel !== undefined && { cancel: machine.cancel.map(step) }) }
}
