// What runs in a test, checked as an app is.
import { isPawlError } from '../../base/errors.ts'
import { checkApp } from '../../machine/check-app.ts'
import { define, serviceOf } from '../../machine/definition.ts'
import type { ActivityBody, MachineDefinition, ServiceDefinition } from '../../machine/definition.ts'
import { refuse } from '../../machine/problem.ts'
import type { Problem } from '../../machine/problem.ts'
import type { Service } from '../../machine/types-app.ts'
import { activitiesOf } from './fakes.ts'

/** A service that has bodies alone. */
const bodiesAs = (bodies: ReadonlyMap<string, ActivityBody>): ServiceDefinition => ({
  name: 'harness',
  machines: [],
  bodies,
})

/**
 * Checks services as an app does. Two things are let pass: a body may be missing, since a fake may stand for it; and commands may be for a
 * machine that is not here: they end where a test sees them.
 */
export function checkedServices(services: readonly Service[]): readonly ServiceDefinition[] {
  const given = Array.isArray(services) ? services.map((one) => serviceOf(one)) : []
  const has = new Set(given.flatMap(({ bodies }) => [...bodies.keys()]))
  const missing = [...activitiesOf(given).values()].filter(({ name, run }) => run === undefined && !has.has(name))
  const bodies = bodiesAs(new Map(missing.map(({ name }) => [name, () => undefined])))
  const stand = define(Object.freeze({ kind: 'service', name: bodies.name }), bodies)
  try {
    checkApp([...services, stand], { services, store: 'memory:' })
  } catch (error) {
    const problems = isPawlError(error) ? (error.details?.['problems'] as readonly Problem[] | undefined) : undefined
    if (problems === undefined) throw error
    refuse(problems.filter(({ rule, text }) => rule !== 'no-such-target' || !text.includes('is in none of')))
  }
  return given
}

/** A machine with all its children that are here. */
export function family(machine: MachineDefinition): readonly MachineDefinition[] {
  const all = new Map<string, MachineDefinition>()
  const add = (one: MachineDefinition): void => {
    if (one.kind === 'contract' || all.has(one.name)) return
    all.set(one.name, one)
    for (const child of one.children.values()) add(child.of)
  }
  add(machine)
  return [...all.values()]
}
