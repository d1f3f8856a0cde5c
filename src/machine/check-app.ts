// What can be checked only where all services are put together: names, targets, children, bodies, options.
import { checkChildEnds } from './check-machine.ts'
import type {
  ActivityDefinition,
  ChildDefinition,
  MachineDefinition,
  MessageDefinition,
  ServiceDefinition,
} from './definition.ts'
import { asService } from './made.ts'
import { isRaw, Place } from './place.ts'
import type { Raw } from './place.ts'
import { refuse } from './problem.ts'
import { didYouMean } from './suggest.ts'

const OPTION_KEYS = ['services', 'store', 'transports', 'partitions', 'lease', 'grace', 'retention', 'log', 'http']
const RECEIPTS_MS = 7 * 86_400_000

/** All services as one: what the checks look things up in. */
interface Whole {
  readonly services: readonly ServiceDefinition[]
  readonly machines: readonly MachineDefinition[]
  readonly byName: ReadonlyMap<string, MachineDefinition>
  readonly bodies: ReadonlySet<string>
}

const checkRetention = (place: Place, value: unknown): void => {
  const raw = place.fields(value, '`retention`')
  place.keys(raw, ['ended', 'receipts', 'deadLetters'], '`retention`')
  const endedMs = place.duration(raw['ended'], 'retention.ended', undefined)
  const receiptsMs = place.duration(raw['receipts'], 'retention.receipts', RECEIPTS_MS)
  place.duration(raw['deadLetters'], 'retention.deadLetters', undefined)
  if (endedMs === undefined || endedMs >= receiptsMs) return
  const receipts = typeof raw['receipts'] === 'string' ? raw['receipts'] : '7 days'
  place.say(
    'kept-too-short',
    `retention.ended "${String(raw['ended'])}" is shorter than receipts, "${receipts}": keep ended instances at least as long`,
  )
}

const checkOptions = (place: Place, options: Raw): void => {
  place.keys(options, OPTION_KEYS, 'the options of pawl()')
  if (options['transports'] !== undefined) place.say('not-yet', '`transports` comes in a later version: leave it out')
  const { store } = options
  if (typeof store !== 'string' && !isRaw(store))
    place.say('bad-shape', "`store` is missing: write where it is kept, 'sqlite:app.db' or 'memory:'")
  place.whole(options['partitions'], '`partitions`', 1, undefined)
  place.duration(options['lease'], 'lease', undefined)
  place.duration(options['grace'], 'grace', undefined)
  place.callback(options['log'], '`log`')
  checkRetention(place, options['retention'])
}

/** Says which names are there twice. One thing may be listed twice where `same` says so. */
const checkTwice = <T>(
  place: Place,
  kind: string,
  list: readonly (readonly [name: string, thing: T])[],
  mayRepeat: boolean,
): void => {
  const seen = new Map<string, T>()
  const told = new Set<string>()
  for (const [name, thing] of list) {
    const twice = seen.has(name) && !(mayRepeat && seen.get(name) === thing)
    if (twice && !told.has(name)) place.at(name).say('name-twice', `two of kind ${kind} have this name`)
    if (twice) told.add(name)
    seen.set(name, thing)
  }
}

const activitiesOf = (machine: MachineDefinition): ReadonlySet<ActivityDefinition> =>
  new Set([...machine.states.values()].flatMap((state) => [...(state.call?.activities.values() ?? [])]))

const messagesOf = (machine: MachineDefinition): readonly MessageDefinition[] => [
  ...machine.receives.values(),
  ...machine.emits.values(),
]

const checkNames = (place: Place, { services, machines }: Whole): void => {
  checkTwice(
    place,
    'service',
    services.map((service) => [service.name, service]),
    false,
  )
  checkTwice(
    place,
    'machine',
    machines.map((machine) => [machine.name, machine]),
    false,
  )
  checkTwice(
    place,
    'body',
    services.flatMap(({ bodies }) => [...bodies]),
    false,
  )
  checkTwice(
    place,
    'activity',
    machines.flatMap((machine) => [...activitiesOf(machine)].map((activity) => [activity.name, activity] as const)),
    true,
  )
  checkTwice(
    place,
    'message',
    machines.flatMap((machine) => messagesOf(machine).map((message) => [message.type, message] as const)),
    true,
  )
}

const checkTargets = (place: Place, machine: MachineDefinition, { byName }: Whole): void => {
  for (const { kind, type, to } of machine.emits.values()) {
    if (kind !== 'command' || to === undefined || byName.get(to)?.receives.has(type) === true) continue
    const why = byName.has(to) ? 'does not receive it' : `is in none of the services${didYouMean(to, byName.keys())}`
    place.say('no-such-target', `emits "${type}" to ${to}, which ${why}`)
  }
}

const checkActivities = (place: Place, machine: MachineDefinition, { bodies }: Whole): void => {
  for (const { name, run, reserved } of activitiesOf(machine)) {
    if (run === undefined && !bodies.has(name))
      place.say('no-body', `calls ${name}: give it a \`run\`, or a service its \`implement\``)
    if (reserved.length > 0)
      place.at(name).say('not-yet', `\`${reserved.join('`, `')}\` comes in a later version: leave it out`)
  }
}

const sameNames = (a: Iterable<string>, b: Iterable<string>): boolean =>
  [...a].toSorted().join('\0') === [...b].toSorted().join('\0')

/** Whether a contract says what the machine is. One that names no finals is taken to mean those of the machine. */
const agrees = (contract: MachineDefinition, here: MachineDefinition): boolean =>
  contract.version === here.version &&
  sameNames(contract.states.keys(), here.states.keys()) &&
  (contract.finals.size === 0 || sameNames(contract.finals, here.finals))

const checkChild = (place: Place, machine: MachineDefinition, child: ChildDefinition, { byName }: Whole): void => {
  const { kind, of } = child
  const here = byName.get(of.name)
  if (here === undefined)
    place.say(
      'no-such-machine',
      `has children ${kind}: ${of.name} is in none of the services${didYouMean(of.name, byName.keys())}`,
    )
  else if (of.kind === 'machine') {
    if (of !== here)
      place.say('no-such-machine', `has children ${kind}: the machine ${of.name} of the services is another one`)
  } else if (!agrees(of, here))
    place.say(
      'no-such-machine',
      `has children ${kind}: the contract of ${of.name} and the machine differ in version, states or finals`,
    )
  else if (of.finals.size === 0) {
    for (const state of machine.states.values())
      checkChildEnds(place.at(`${place.where}, state "${state.name}"`), state, kind, here.finals)
  }
}

const readServices = (place: Place, services: unknown): readonly ServiceDefinition[] => {
  if (services === undefined) place.say('bad-shape', '`services` is missing: write a list of what service() returned')
  return place.list(services, '`services`').flatMap((value) => {
    const service = asService(value)
    if (service === undefined)
      place.say('bad-shape', '`services` has something that is no service: pass what service() returned')
    return service ?? []
  })
}

/**
 * Checks what is put together as an app, and its options, and gives back its services. Throws PawlError `BAD_DEFINITION` with all problems
 * at once. Machines, messages and activities were checked where they were made.
 */
export function checkApp(services: unknown, options: unknown): readonly ServiceDefinition[] {
  const place = new Place([], 'pawl')
  checkOptions(place, place.fields(options ?? null, 'what pawl() is given'))
  const read = readServices(place, services)
  const machines = read.flatMap((service) => service.machines)
  const whole: Whole = {
    services: read,
    machines,
    byName: new Map(machines.map((machine) => [machine.name, machine])),
    bodies: new Set(read.flatMap((service) => [...service.bodies.keys()])),
  }
  checkNames(place, whole)
  for (const machine of new Set(machines)) {
    const here = place.at(machine.name)
    checkTargets(here, machine, whole)
    checkActivities(here, machine, whole)
    for (const child of machine.children.values()) checkChild(here, machine, child, whole)
  }
  refuse(place.problems)
  return read
}
