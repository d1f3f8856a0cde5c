import type { ActivityBody, MachineDefinition } from './definition.ts'
import { define } from './definition.ts'
import { asBody, asMachine } from './made.ts'
import { Place } from './place.ts'
import { refuse } from './problem.ts'
import type { MakeService } from './types-app.ts'

const readMachines = (place: Place, raw: unknown): readonly MachineDefinition[] => {
  const machines: MachineDefinition[] = []
  for (const value of place.list(raw, '`machines`')) {
    const machine = asMachine(value)
    if (machine?.kind === 'machine') machines.push(machine)
    else if (machine !== undefined)
      place.say('bad-shape', `\`machines\` has the contract of ${machine.name}: put in the machine itself`)
    else
      place.say(
        'bad-shape',
        '`machines` has something that is no machine: put in what machine() or saga().done() returned',
      )
  }
  return machines
}

const readBodies = (place: Place, raw: unknown): ReadonlyMap<string, ActivityBody> => {
  const bodies = new Map<string, ActivityBody>()
  for (const value of place.list(raw, '`activities`')) {
    const body = asBody(value)
    if (body === undefined)
      place.say('bad-shape', '`activities` has something that is no body: put in what implement() returned')
    else if (bodies.has(body.activity.name))
      place.say('name-twice', `\`activities\` has two bodies of ${body.activity.name}`)
    else bodies.set(body.activity.name, body.run)
  }
  return bodies
}

const makeService = (rawName: unknown, options: unknown): object => {
  const place = new Place([], typeof rawName === 'string' && rawName !== '' ? `service ${rawName}` : 'service')
  const raw = place.fields(options ?? null, 'what service() is given')
  place.keys(raw, ['machines', 'activities'], 'a service')
  const name = place.name(rawName, 'the name of the service')
  const definition = {
    name,
    machines: readMachines(place, raw['machines']),
    bodies: readBodies(place, raw['activities']),
  }
  refuse(place.problems)
  return define(Object.freeze({ kind: 'service', name }), definition)
}

/**
 * Names what is deployed together: machines, and the bodies (`implement`) of activities that are declared without one. Throws PawlError
 * `BAD_DEFINITION` with all problems at once.
 */
export const service: MakeService = (name: string, o: unknown) => makeService(name, o) as never
