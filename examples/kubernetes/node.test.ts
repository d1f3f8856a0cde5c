// One node alone: each way to break, and each message that meets it at the wrong moment.
import { describe, expect, test } from 'vitest'
import { harness, hangs, late, refuses, sequence, throws, answers, type Harness } from 'pawl/testing'
import { seen } from '../../test/support/seen.ts'
import {
  createVm,
  DeleteNode,
  deleteVm,
  drain,
  node,
  NodeJoined,
  NodeLost,
  RepairNode,
  services,
  UpgradeNode,
} from './kubernetes.ts'

const path = (t: Harness) => t.path(node, 'n')
const at = (t: Harness) => seen(t, node, 'n')
const join = (t: Harness, version = '1.33') => t.app.emit(NodeJoined({ node: 'n', version }))
const lose = (t: Harness) => t.app.emit(NodeLost({ node: 'n', reason: 'no heartbeat' }))
const upgrade = (t: Harness, version = '1.34') => t.app.send(node, 'n', UpgradeNode({ node: 'n', version }))
const remove = (t: Harness) => t.app.send(node, 'n', DeleteNode({ node: 'n' }))
const repair = (t: Harness) => t.app.send(node, 'n', RepairNode({ node: 'n' }))

async function joining(): Promise<Harness> {
  const t = harness({ services })
  await begin(t)
  return t
}
async function begin(t: Harness): Promise<void> {
  await t.app.run(node, { id: 'n', data: { size: 's', version: '1.33' } })
  await t.settle()
}
async function ready(): Promise<Harness> {
  const t = await joining()
  await join(t)
  expect((await at(t)).state).toBe('ready')
  return t
}
const gone = ['draining', 'removing', 'removingVm', 'removing', 'gone']
/** Deletes what is ready: nothing is open at the end, not even the wait for a machine that joins. */
async function end(t: Harness): Promise<void> {
  await remove(t)
  expect(await at(t)).toMatchObject({ state: 'gone', status: 'done' })
  await t.end()
}

describe('a machine', () => {
  test('that cannot be had is broken, and is had when it is repaired', async () => {
    const t = harness({ services })
    t.fake(createVm, sequence(refuses('QuotaExceeded'), refuses('NoCapacity', 'none today'), answers({ vmId: 'v' })))
    await begin(t)
    expect(await at(t)).toMatchObject({ state: 'broken', data: { reason: 'QuotaExceeded' } })
    await repair(t)
    expect(await at(t)).toMatchObject({ state: 'broken', data: { reason: 'none today', repairs: 1 } })
    await repair(t)
    await join(t)
    expect(await path(t)).toEqual([
      'creating',
      'broken',
      'removing',
      'creating',
      'broken',
      'removing',
      'creating',
      'joining',
      'ready',
    ])
    expect(t.calls(deleteVm)).toEqual([])
    await end(t)
  })

  test('that cannot be had is deleted', async () => {
    const t = harness({ services })
    t.fake(createVm, refuses('NoCapacity'))
    await begin(t)
    await remove(t)
    expect(await path(t)).toEqual(['creating', 'broken', 'removing', 'gone'])
    await t.end()
  })

  test('that does not join is broken after ten minutes, and is another one when it is repaired', async () => {
    const t = await joining()
    await t.advance('9 minutes')
    expect((await at(t)).state).toBe('joining')
    await t.advance('1 minute')
    expect(await at(t)).toMatchObject({ state: 'broken', data: { reason: 'did not join', vmId: 'vm-n' } })
    await repair(t)
    expect(t.calls(deleteVm).map(({ input, outcome }) => [input, outcome])).toEqual([[{ vmId: 'vm-n' }, 'done']])
    await join(t)
    expect((await at(t)).state).toBe('ready')
    await end(t)
  })

  test('that joins with another version is not the one that we wait for', async () => {
    const t = await joining()
    expect((await join(t, '1.32')).heard).toMatchObject([{ outcome: 'refused', why: 'if' }])
    expect((await at(t)).state).toBe('joining')
    await join(t)
    await end(t)
  })

  test('that is lost while it is made or joins is not lost later', async () => {
    const t = harness({ services })
    t.fake(createVm, late('5 seconds', { vmId: 'v' }))
    await begin(t)
    expect((await lose(t)).heard).toMatchObject([{ outcome: 'ignored' }])
    await t.advance('5 seconds')
    expect((await lose(t)).heard).toMatchObject([{ outcome: 'ignored' }])
    await join(t)
    expect(await path(t)).toEqual(['creating', 'joining', 'ready'])
    await end(t)
  })

  test('that is lost is broken; lost twice, it is broken once', async () => {
    const t = await ready()
    await lose(t)
    expect(await at(t)).toMatchObject({ state: 'broken', data: { reason: 'no heartbeat' } })
    expect((await lose(t)).heard).toMatchObject([{ outcome: 'ignored' }])
    await repair(t)
    await join(t)
    expect((await path(t)).filter((state) => state === 'broken')).toHaveLength(1)
    await end(t)
  })

  test('that cannot be deleted stands until it can', async () => {
    const t = await ready()
    t.fake(deleteVm, throws('no answer'))
    await remove(t)
    await t.advance('1 hour')
    expect(await at(t)).toMatchObject({ state: 'removingVm', status: 'stalled' })
    t.fake(deleteVm, answers({}))
    await t.app.operate.retry(node, 'n', { why: 'the cloud is back' })
    expect((await at(t)).state).toBe('gone')
    await t.end()
  })
})

describe('draining', () => {
  test('waits a minute where pods may not be moved, and tries again', async () => {
    const t = await ready()
    t.fake(drain, sequence(refuses('PodDisruptionBudget'), answers({ evicted: 1 })))
    await remove(t)
    expect((await at(t)).state).toBe('blocked')
    expect((await lose(t)).heard).toMatchObject([{ outcome: 'ignored' }])
    await t.advance('1 minute')
    expect(await path(t)).toEqual(['creating', 'joining', 'ready', 'draining', 'blocked', ...gone])
    await t.end()
  })

  test('that never answers is given up: the machine is deleted all the same', async () => {
    const t = await ready()
    t.fake(drain, hangs())
    await remove(t)
    expect((await lose(t)).heard).toMatchObject([{ outcome: 'ignored' }])
    await t.advance('1 hour')
    expect(await path(t)).toEqual(['creating', 'joining', 'ready', ...gone])
    // No heartbeat for half a minute, ten times: not the ten minutes that one attempt may take.
    expect(t.calls(drain)).toMatchObject([{ attempts: 10, outcome: 'unknown' }])
    await t.end()
  })
})

describe('messages at the wrong moment', () => {
  test('a delete while it is made waits until there is one to delete', async () => {
    const t = harness({ services })
    t.fake(createVm, late('5 seconds', { vmId: 'v' }))
    await begin(t)
    expect(await remove(t)).toMatchObject({ outcome: 'deferred' })
    await t.advance('5 seconds')
    await join(t)
    expect(await path(t)).toEqual(['creating', 'joining', 'ready', ...gone])
    await t.end()
  })

  test('a delete while it is upgraded waits for the new one', async () => {
    const t = await ready()
    t.fake(drain, late('5 seconds', { evicted: 1 }))
    await upgrade(t)
    await remove(t)
    await t.advance('5 seconds')
    expect(await at(t)).toMatchObject({ state: 'joining', data: { version: '1.34', doomed: false } })
    await join(t, '1.34')
    await t.advance('5 seconds')
    expect((await at(t)).state).toBe('gone')
    await t.end()
  })

  test('an upgrade to the version that it has is refused', async () => {
    const t = await ready()
    expect(await upgrade(t, '1.33')).toMatchObject({ outcome: 'refused', why: 'if' })
    await end(t)
  })

  test('a cancel deletes it, whatever it does', async () => {
    const t = harness({ services })
    t.fake(createVm, late('5 seconds', { vmId: 'v' }))
    await begin(t)
    await t.app.get(node, 'n').cancel({ why: 'by mistake' })
    expect((await at(t)).state).toBe('creating')
    await t.advance('5 seconds')
    expect(await path(t)).toEqual(['creating', 'joining', 'removing', 'removingVm', 'removing', 'gone'])
    expect(t.calls(deleteVm)).toHaveLength(1)
    await t.end()
  })
})
