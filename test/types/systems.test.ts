import { describe, expect, expectTypeOf, test } from 'vitest'
import { definitionOf } from '../../src/machine/definition.ts'
import { warningsOf } from '../../src/machine/problem.ts'
import type { Give } from '../../src/machine/types-data.ts'
import type { AnyMachine } from '../../src/machine/types-machine.ts'
import type { ResultOf } from '../../src/machine/types-app.ts'
import { mistakes } from './mistakes.ts'
import type { album } from '../../examples/images/images.ts'
import type { checkout, node, order } from './systems/shop.ts'

// Nine systems as users write them: no annotation but in `upcast`. That they compile is most of the test (`tsc` sees this folder); that they
// load is the rest, for a definition with a mistake throws.
const systems = {
  agent: () => import('../../examples/agent/agent.ts'),
  approval: () => import('../../examples/approval/approval.ts'),
  bank: () => import('../../examples/bank/bank.ts'),
  food: () => import('../../examples/food/food.ts'),
  images: () => import('../../examples/images/images.ts'),
  kubernetes: () => import('../../examples/kubernetes/kubernetes.ts'),
  loans: () => import('../../examples/loans/loans.ts'),
  shop: () => import('./systems/shop.ts'),
  subscription: () => import('../../examples/subscription/subscription.ts'),
}

describe('whole systems are sound', () => {
  test.for(Object.entries(systems))('%s', async ([, load]) => {
    const exports = Object.values<unknown>(await load())
    const machines = exports.filter((x) => (x as { kind?: unknown }).kind === 'machine') as (AnyMachine & object)[]
    expect(machines.length).toBeGreaterThan(0)
    for (const machine of machines) {
      const { graph, states } = definitionOf(machine)
      expect(graph.states.map((state) => state.name)).toEqual([...states.keys()])
      expect(graph.edges.length).toBeGreaterThan(0)
      for (const { rule } of warningsOf(machine)) expect(rule).toBe('stale')
    }
  })
})

// Checked by tsc; at run time these do nothing.
describe('inference', () => {
  test('of a machine: data, states, what may be given, what it takes', () => {
    type Order = typeof order
    expectTypeOf<Order['name']>().toEqualTypeOf<'order'>()
    expectTypeOf<Order['~states']>().toEqualTypeOf<
      'reserving' | 'confirming' | 'releasing' | 'confirmed' | 'cancelled' | 'rejected'
    >()
    expectTypeOf<Order['~data']['status']>().toEqualTypeOf<'open' | 'late' | 'closed'>()
    expectTypeOf<Give<Order>>().toExtend<{ readonly sku: string; readonly minutes?: number | undefined }>()
    expectTypeOf<Order['~takes']['type']>().toEqualTypeOf<
      'order.placed' | 'payment.captured' | 'kitchen.accepted' | 'order.cancel'
    >()
  })

  test('of a contract', () => {
    expectTypeOf<(typeof node)['~states']>().toEqualTypeOf<'booting' | 'ready' | 'broken' | 'gone'>()
    expectTypeOf<(typeof node)['~data']>().toEqualTypeOf<{ size: 's' | 'm' | 'l'; zone: string }>()
  })

  test('of a saga: states by step, results, output', () => {
    type Checkout = typeof checkout
    expectTypeOf<Checkout['~states']>().toEqualTypeOf<
      | 'reserve'
      | 'charge'
      | 'kitchen'
      | 'tell'
      | 'undo reserve'
      | 'undo charge'
      | 'undo kitchen'
      | 'undo tell'
      | 'done'
      | 'undone'
    >()
    expectTypeOf<ResultOf<Checkout>>().toEqualTypeOf<{ paymentId: string; mail: string }>()
    expectTypeOf<Checkout['~takes']['type']>().toEqualTypeOf<'checkout.buy' | 'order.cancel' | 'kitchen.accepted'>()
  })

  test('of what a machine ends with, where it is no saga: its data', () => {
    expectTypeOf<ResultOf<typeof album>['files']>().toEqualTypeOf<string[]>()
  })
})

test('mistakes are for the compiler: at run time they are refused as well', () => {
  expect(mistakes).toThrow(/did you mean "end"/)
})
