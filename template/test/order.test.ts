import assert from 'node:assert/strict'
import { test } from 'node:test'
import { answers, harness, refuses } from 'pawl/testing'
import { shop } from '../src/app.ts'
import { charge, Delivered, order } from '../src/order.ts'

test('an order is charged and delivered', async () => {
  const h = harness({ services: [shop] })
  h.fake(charge, answers({ payment: 'p-1' }))
  const mine = await h.app.run(order, { id: 'o-1', data: { cents: 1_200 } })
  await h.settle()
  await h.app.emit(Delivered({ order: 'o-1' }))
  assert.deepEqual(await h.path(order, 'o-1'), ['charging', 'shipping', 'delivered'])
  assert.equal((await mine.state()).data.payment, 'p-1')
  await h.end()
})

test('what nobody confirms is asked about after three days, and is lost after thirty more', async () => {
  const h = harness({ services: [shop] })
  h.fake(charge, answers({ payment: 'p-1' }))
  await h.app.run(order, { id: 'o-1', data: { cents: 1_200 } })
  await h.advance('4 days')
  assert.deepEqual(await h.path(order, 'o-1'), ['charging', 'shipping', 'overdue'])
  await h.advance('30 days')
  assert.deepEqual(await h.path(order, 'o-1'), ['charging', 'shipping', 'overdue', 'lost'])
  await h.end()
})

test('where the bank declines nothing is shipped', async () => {
  const h = harness({ services: [shop] })
  h.fake(charge, refuses('Declined'))
  await h.app.run(order, { id: 'o-1', data: { cents: 1_200 } })
  assert.deepEqual(await h.path(order, 'o-1'), ['charging', 'declined'])
  await h.end()
})

test('a crash at any commit changes nothing, and the bank sees one key', async () => {
  for (const commit of [1, 2])
    for (const applied of [true, false]) {
      const h = harness({ services: [shop] })
      h.fake(charge, answers({ payment: 'p-1' }))
      h.crashAt(commit, { applied })
      const start = () => h.app.run(order, { id: 'o-1', data: { cents: 1_200 } })
      // Whoever got no answer asks again: under one id it is one order.
      await start().catch(start)
      await h.advance('1 minute')
      await h.app.emit(Delivered({ order: 'o-1' }))
      assert.deepEqual(await h.path(order, 'o-1'), ['charging', 'shipping', 'delivered'])
      assert.equal(new Set(h.calls(charge).map(({ key }) => key)).size, 1)
      await h.end()
    }
})
